"""Ours and Hugging Face's on one GPU, taking turns; see benchmarks/gpu/run."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numpy
import torch
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "engine"))
import full_size_tracker  # noqa: E402
from full_size import Ours, make_model  # noqa: E402

PROMPT, IDS = "truck", [49406, 4629, 49407]
# The published model's arithmetic for one picture and prompt, a multiply-add
# counted twice; what ours folds away counts as done.
TFLOP = {"vit": 5.40, "neck": 0.213, "encoder, once a picture": 0.030,
         "encoder, once a prompt": 0.226, "decoder": 0.020,
         "pixel embeddings": 0.134}


class HuggingFace:
    def __init__(self, folder, dtype, compile_mode=None):
        from transformers import Sam3Model
        from transformers.models.sam3.image_processing_sam3 import (
            Sam3ImageProcessor)
        self.dtype = dtype
        self.model = Sam3Model.from_pretrained(folder, dtype=dtype).cuda()
        self.model.eval()
        if compile_mode:
            self.model = torch.compile(self.model, mode=compile_mode)
        self.processor = Sam3ImageProcessor()
        row = torch.full((1, 32), 49407)
        row[0, :len(IDS)] = torch.tensor(IDS)
        self.ids = row.cuda()
        self.mask = (torch.arange(32) < len(IDS)).long()[None].cuda()

    @torch.inference_mode()
    def detect(self, picture):
        start = time.perf_counter()
        pixels = self.processor(images=picture, return_tensors="pt")
        pixels = pixels.pixel_values.cuda().to(self.dtype)
        output = self.model(pixel_values=pixels, input_ids=self.ids,
                            attention_mask=self.mask)
        output.pred_masks[:, :10].sigmoid().float().cpu()
        return time.perf_counter() - start, output


def make_picture(path: pathlib.Path):
    """Never a flat one: zeros run faster than pictures."""
    generator = numpy.random.default_rng(0)
    noise = generator.integers(0, 256, (68, 120, 3), dtype=numpy.uint8)
    Image.fromarray(noise).resize((1920, 1080), Image.BICUBIC).save(path)


def median_times(*runs, rounds=5):
    """Medians of functions that take turns."""
    times = [[] for _ in runs]
    for _ in range(rounds):
        for i, run in enumerate(runs):
            times[i].append(run())
    return [statistics.median(t) for t in times]


def stage_table(timer, folder, pictures):
    """Milliseconds of each stage, and TFLOP/s where the work is known."""
    answer = subprocess.run(
        [timer, "--model", folder, "--device", "cuda:0", "--dtype", "bf16",
         "--pictures", str(pictures)], check=True, capture_output=True, text=True)
    return {stage: {"ms": ms} | (
        {"tflop_per_s": round(TFLOP[stage] * pictures / ms * 1e3, 1)}
        if stage in TFLOP else {})
        for stage, ms in json.loads(answer.stdout).items()}


def tracker_table(timer, folder, described, counts=(1, 5, 10, 16, 64)):
    """Milliseconds of each followed object, ours and Hugging Face's eager bf16,
    from memories of 6 recent frames and so many described ones."""
    model, inputs = full_size_tracker.make_model(folder, described)
    theirs = full_size_tracker.Theirs(model, inputs, described, "cuda",
                                      torch.bfloat16)
    ours = Ours(timer, folder, "bf16", 0, "cuda:0",
                ["--described", str(described)])
    table = full_size_tracker.compare(ours, theirs, folder / "logits.bin")
    for count in counts:
        row = full_size_tracker.turns(ours, theirs, count, 3)
        table[f"{count} objects"] = {
            name: round(value if "ratio" in name else value * 1e3, 3)
            for name, value in row.items()}
    ours.close()
    return table


def measure_images(flags, report):
    make_model(flags.work)
    path = flags.work / "picture.png"
    make_picture(path)
    picture = Image.open(path).convert("RGB")

    ours = Ours(flags.driver, flags.work, "bf16", 0, "cuda:0")
    eager = HuggingFace(flags.work, torch.bfloat16)
    ours.ask(f"detect {path} {PROMPT}")
    eager.detect(picture)
    mine, theirs = median_times(
        lambda: ours.ask(f"detect {path} {PROMPT}")["seconds"],
        lambda: eager.detect(picture)[0])
    report["one picture, one prompt"] = {
        "ours_ms": mine * 1e3, "hf_eager_bf16_ms": theirs * 1e3,
        "ratio": mine / theirs}
    print(json.dumps(report, indent=1), flush=True)

    timer = pathlib.Path(flags.driver).with_name("stage_timer")
    report["stages"] = {count: stage_table(timer, flags.work, count)
                        for count in (1, 8)}
    print(json.dumps(report["stages"], indent=1), flush=True)

    report["batches"] = {}
    for count in (1, 2, 4, 8):
        ours.ask(f"batch {count} {path} {PROMPT}")
        rows = [ours.ask(f"batch {count} {path} {PROMPT}") for _ in range(5)]
        report["batches"][count] = {
            key: statistics.median(row[key] for row in rows) * 1e3
            for key in ("encode", "ground_without_masks", "ground")}
    print(json.dumps(report["batches"], indent=1), flush=True)

    exact = HuggingFace(flags.work, torch.float32)
    _, fp32 = exact.detect(picture)
    _, bf16 = eager.detect(picture)
    del exact
    report["hf bf16 against its own fp32"] = {
        name: float((getattr(bf16, name).float()
                     - getattr(fp32, name)).abs().max())
        for name in ("pred_logits", "pred_boxes")}
    found = ours.ask(f"scores {path} {PROMPT}")["scores"]
    reference = (fp32.pred_logits.sigmoid()
                 * fp32.presence_logits.sigmoid())[0].cpu().numpy()
    theirs = (bf16.pred_logits.float().sigmoid()
              * bf16.presence_logits.float().sigmoid())[0].cpu().numpy()
    report["bf16 scores against fp32, largest difference"] = {
        "ours": float(numpy.abs(numpy.array(found) - reference).max()),
        "hf": float(numpy.abs(theirs - reference).max())}

    start = time.perf_counter()
    compiled = HuggingFace(flags.work, torch.bfloat16, "default")
    compiled.detect(picture)
    compiling = time.perf_counter() - start
    mine, theirs = median_times(
        lambda: ours.ask(f"detect {path} {PROMPT}")["seconds"],
        lambda: compiled.detect(picture)[0])
    report["against torch.compile"] = {
        "ours_ms": mine * 1e3, "hf_compiled_ms": theirs * 1e3,
        "ratio": mine / theirs, "compile_seconds": compiling}
    ours.close()


def measure_tracker(flags, report):
    timer = pathlib.Path(flags.driver).with_name("tracker_timer")
    report["tracker"] = {
        f"{described} described": tracker_table(timer, flags.work / "tracker",
                                                described)
        for described in (1, 4)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("driver")
    parser.add_argument("--work", type=pathlib.Path,
                        default=pathlib.Path("/tmp/sam3-full-size"))
    parser.add_argument("--only", choices=("images", "tracker"))
    flags = parser.parse_args()
    flags.work.mkdir(parents=True, exist_ok=True)
    report = {"gpu": torch.cuda.get_device_name(0),
              "torch": torch.__version__}
    if flags.only != "images":
        measure_tracker(flags, report)
    if flags.only != "tracker":
        measure_images(flags, report)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
