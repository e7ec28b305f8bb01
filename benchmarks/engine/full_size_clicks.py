"""Clicks at full size, ours against Hugging Face's, taking turns in one run.

    python benchmarks/engine/full_size_clicks.py ENGINE_DRIVER SAM3CTL PICTURE

Adds the head for single objects (random weights) to the model of full_size.py,
in the layout of the published checkpoint, encodes the picture once on both sides
and lets both answer the same clicks in turns. Prints the ratio of times, the
error of our raw outputs and how much the final masks overlap.
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
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import Sam3TrackerConfig, Sam3TrackerModel, Sam3VideoConfig
from transformers.models.sam3.image_processing_sam3 import Sam3ImageProcessor

from full_size import VOCABULARY, Ours, make_model

SIDE = 1008
BACKBONE = "vision_encoder.backbone."


def tracker_name(name: str) -> str:
    if name.startswith("vision_encoder.neck."):
        return "tracker_neck." + name.removeprefix("vision_encoder.neck.")
    return "tracker_model." + name


def make_clicks_model(folder: pathlib.Path, detector: pathlib.Path):
    if (folder / "model.safetensors").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    model = Sam3TrackerModel(Sam3TrackerConfig()).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "embed" not in name:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
    tensors = {"detector_model." + name: tensor for name, tensor in
               load_file(detector / "model.safetensors").items()}
    tensors |= {tracker_name(name): tensor.contiguous()
                for name, tensor in model.state_dict().items()
                if not name.startswith(BACKBONE)}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(
        Sam3VideoConfig().to_json_string(use_diff=False))
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(VOCABULARY / name, folder / name)


class Theirs:
    def __init__(self, folder: pathlib.Path, picture: Image.Image):
        with torch.device("meta"):
            self.model = Sam3TrackerModel(Sam3TrackerConfig())
        names = {tracker_name(name): name for name in self.model.state_dict()}
        names |= {"detector_model." + name: name for name in
                  self.model.state_dict() if name.startswith(BACKBONE)}
        with safe_open(folder / "model.safetensors", "pt") as file:
            state = {names[key]: file.get_tensor(key) for key in file.keys()
                     if key in names}
        # Tables that are no parameters are made by the constructor alone.
        self.model = Sam3TrackerModel(Sam3TrackerConfig())
        self.model.load_state_dict(state)
        self.model.eval()
        self.size = picture.size
        pixels = Sam3ImageProcessor()(images=picture,
                                      return_tensors="pt").pixel_values
        with torch.inference_mode():
            self.embeddings = self.model.get_image_embeddings(pixels)

    @torch.inference_mode()
    def click(self, x: float, y: float):
        start = time.perf_counter()
        place = [x * SIDE / self.size[0], y * SIDE / self.size[1]]
        output = self.model(image_embeddings=self.embeddings,
                            input_points=torch.tensor([[[place]]]),
                            input_labels=torch.tensor([[[1]]]),
                            multimask_output=True)
        return time.perf_counter() - start, output


def final_masks(logits: numpy.ndarray, size) -> numpy.ndarray:
    return torch.nn.functional.interpolate(
        torch.from_numpy(logits)[:, None], (size[1], size[0]),
        mode="bilinear").squeeze(1).numpy() > 0


def compare(ctl, folder, picture_path, picture, x, y, theirs) -> dict:
    """Our fp32 outputs and masks against theirs, by `sam3ctl tensors`."""
    out = folder / "ours.safetensors"
    subprocess.run([ctl, "tensors", picture_path, "--model", str(folder),
                    "--dtype", "fp32", "--point", f"{x},{y}", "--out",
                    str(out)], check=True, stdout=subprocess.DEVNULL)
    ours = {name: tensor.numpy() for name, tensor in load_file(out).items()}
    _, reference = theirs.click(x, y)
    expected = {"pred_masks": reference.pred_masks[0, 0].numpy(),
                "iou_scores": reference.iou_scores[0, 0].numpy(),
                "object_score_logits":
                    reference.object_score_logits.flatten().numpy()}
    result = {}
    for name, tensor in expected.items():
        difference = numpy.abs(ours[name] - tensor).max()
        result[name] = float(difference / numpy.abs(tensor).max())
    mine = final_masks(ours["pred_masks"], picture.size)
    other = final_masks(expected["pred_masks"], picture.size)
    result["mask_iou"] = [
        float((a & b).sum() / max(1, (a | b).sum())) for a, b in
        zip(mine, other)]
    return result


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("driver")
    parser.add_argument("ctl")
    parser.add_argument("picture")
    parser.add_argument("--work", type=pathlib.Path,
                        default=pathlib.Path("/tmp/sam3-full-size"))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    flags.work.mkdir(parents=True, exist_ok=True)
    make_model(flags.work)
    folder = flags.work / "clicks"
    make_clicks_model(folder, flags.work)

    picture = Image.open(flags.picture).convert("RGB")
    x, y = round(picture.width * 0.55), round(picture.height * 0.6)
    theirs = Theirs(folder, picture)
    result = {"threads": flags.threads,
              "errors": compare(flags.ctl, folder, flags.picture, picture, x,
                                y, theirs)}
    ours = Ours(flags.driver, folder, "fp32", flags.threads)
    result["encode_seconds"] = ours.ask(f"encode {flags.picture}")["seconds"]
    result["first_click_seconds"] = ours.ask(f"click {x} {y}")["seconds"]
    theirs.click(x, y)
    rows = [(ours.ask(f"click {x} {y}")["seconds"], theirs.click(x, y)[0])
            for _ in range(flags.rounds)]
    result["click_seconds"] = statistics.median(mine for mine, _ in rows)
    result["theirs_seconds"] = statistics.median(other for _, other in rows)
    result["ours_over_theirs"] = statistics.median(m / o for m, o in rows)
    ours.close()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
