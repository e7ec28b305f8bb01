"""Full size, ours against Hugging Face's, taking turns in one run.

    python benchmarks/engine/full_size.py ENGINE_DRIVER PICTURE [options]

Makes Sam3Model(Sam3Config()) with random weights (840 M parameters, 3.4 GB on
disk, kept in --work), loads it on both sides, and lets both run the same picture
and prompt in turns. Prints the error of our raw outputs and the ratio of times.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import time

import numpy
import torch
from PIL import Image
from transformers import Sam3Config, Sam3Model
from transformers.models.sam3.image_processing_sam3 import Sam3ImageProcessor

VOCABULARY = pathlib.Path(__file__).parents[2] / "inference" / "demo_model"


def make_model(folder: pathlib.Path):
    """Random weights whose activations neither vanish nor explode."""
    if (folder / "model.safetensors").exists():
        return
    torch.manual_seed(0)
    model = Sam3Model(Sam3Config()).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "embed" not in name:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
    model.save_pretrained(folder)
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(VOCABULARY / name, folder / name)


class Ours:
    def __init__(self, driver, folder, dtype, threads, device="cpu", more=()):
        self.process = subprocess.Popen(
            [driver, "--model", str(folder), "--dtype", dtype, "--threads",
             str(threads), "--device", device, *more], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.read()

    def read(self):
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise SystemExit(answer["error"])
        return answer

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Theirs:
    def __init__(self, folder):
        self.model = Sam3Model.from_pretrained(folder).eval()
        self.processor = Sam3ImageProcessor()

    @torch.inference_mode()
    def detect(self, picture, ids):
        start = time.perf_counter()
        pixels = self.processor(images=picture,
                                return_tensors="pt").pixel_values
        row = torch.full((1, 32), 49407)
        row[0, :len(ids)] = torch.tensor(ids)
        mask = (torch.arange(32) < len(ids)).long()[None]
        output = self.model(pixel_values=pixels, input_ids=row,
                            attention_mask=mask)
        output.pred_masks.sigmoid()
        return time.perf_counter() - start, output


def errors(ctl, folder, picture_path, text, reference):
    """Of our fp32 outputs against theirs, by `sam3ctl tensors`."""
    from safetensors.numpy import load_file
    out = folder / "ours.safetensors"
    subprocess.run([str(ctl), "tensors", picture_path, "--model", str(folder),
                    "--text", text, "--out", str(out)], check=True,
                   stdout=subprocess.DEVNULL)
    ours = load_file(out)
    result = {}
    for name in ("pred_logits", "presence_logits", "pred_boxes", "pred_masks",
                 "semantic_seg"):
        theirs = getattr(reference, name).float().numpy()
        mine = ours[name].reshape(theirs.shape)
        difference = numpy.abs(mine - theirs).max()
        result[name] = {"max_abs": float(difference),
                        "relative": float(difference
                                          / numpy.abs(theirs).max())}
    return result


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("driver")
    parser.add_argument("picture")
    parser.add_argument("--work", type=pathlib.Path,
                        default=pathlib.Path("/tmp/sam3-full-size"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--ctl", help="sam3ctl: compare raw outputs too (fp32)")
    parser.add_argument("--limit", type=float, default=None,
                        help="fail when a relative error exceeds this")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    flags.work.mkdir(parents=True, exist_ok=True)
    make_model(flags.work)

    text, ids = "truck", [49406, 4629, 49407]
    picture = Image.open(flags.picture).convert("RGB")
    theirs = Theirs(flags.work)
    seconds, reference = theirs.detect(picture, ids)
    result = {"threads": flags.threads, "dtype": flags.dtype}
    if flags.ctl:
        result["errors"] = errors(flags.ctl, flags.work, flags.picture, text,
                                  reference)
    ours = Ours(flags.driver, flags.work, flags.dtype, flags.threads)
    ours.ask(f"detect {flags.picture} {text}")
    rows = []
    for _ in range(flags.rounds):
        mine = ours.ask(f"detect {flags.picture} {text}")["seconds"]
        second = ours.ask("ground school bus")["seconds"]
        other, _ = theirs.detect(picture, ids)
        rows.append((mine, other, second))
        print(f"ours {mine:.2f} s, theirs {other:.2f} s, second prompt "
              f"{second:.2f} s", flush=True)
    result["ours_over_theirs"] = statistics.median(m / t for m, t, _ in rows)
    result["second_over_first"] = statistics.median(s / m for m, _, s in rows)
    result["memory"] = ours.ask("memory")
    ours.close()
    print(json.dumps(result, indent=1))
    if flags.limit is not None:
        worst = max(e["relative"] for e in result["errors"].values())
        if worst > flags.limit:
            raise SystemExit(f"relative error {worst} exceeds {flags.limit}")


if __name__ == "__main__":
    main()
