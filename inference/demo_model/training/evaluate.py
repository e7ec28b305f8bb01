"""Measures a demo model folder on held-out pictures.

    python -m inference.demo_model.training.evaluate inference/demo_model

The folder is loaded by plain transformers, and every picture takes the way it
takes in the server: squashed to the model's square, masks enlarged back to the
picture's own size. Prints one JSON line a picture format.
"""

import argparse
import json
import random

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torchvision.ops import box_iou
from transformers import CLIPTokenizer, Sam3Model

from inference.demo_model.training import prompts as phrases
from inference.demo_model.training import scenes

FORMATS = {"1:1": 1.0, "4:3": 4 / 3, "16:9": 16 / 9, "9:16": 9 / 16}
THRESHOLD = 0.5
MATCH_IOU = 0.5
# Never used for training, which seeds from small numbers.
_SEED = 990_099

_GROUPS = {
    "text": ("text",),
    "exemplar": ("box", "two_boxes", "box_and_negative"),
    "box_and_negative": ("box_and_negative",),
    "text_and_box": ("text_and_box", "text_and_negative"),
}


def held_out(count, aspect_ratio):
    """(scene, prompts) pairs: three texts, two absent things, two box prompts,
    and a positive with a negative box where the scene has two kinds."""
    rng = random.Random(_SEED)
    pairs = []
    for _ in range(count):
        scene = scenes.make_scene(rng, aspect_ratio, area_side=300)
        asked = ([phrases.text_prompt(rng, scene.objects) for _ in range(3)] +
                 [phrases.absent_prompt(rng, scene.objects) for _ in range(2)] +
                 [phrases.box_prompt(rng, scene.objects) for _ in range(2)])
        pairs.append((scene, asked))
    return pairs


class _Tally:
    """Counts of one kind of prompt."""

    def __init__(self):
        self.prompts = self.silent = self.found = self.wanted = 0
        self.box_hits, self.mask_hits, self.ious = 0, 0, []

    def add(self, found, wanted, box_overlaps, mask_overlaps):
        self.prompts += 1
        self.silent += found == 0
        self.found += found
        self.wanted += wanted
        if found and wanted:
            self.box_hits += len(_hits(box_overlaps))
            ious = _hits(mask_overlaps)
            self.mask_hits += len(ious)
            self.ious += ious

    def merge(self, other):
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def report(self):
        if self.wanted == 0:
            return {"prompts": self.prompts,
                    "silent": round(self.silent / max(1, self.prompts), 4)}
        total = self.found + self.wanted
        return {"prompts": self.prompts,
                "f1_mask": round(2 * self.mask_hits / total, 4),
                "f1_box": round(2 * self.box_hits / total, 4),
                "mean_iou": round(float(np.mean(self.ious or [0])), 4)}


def _hits(overlaps):
    pairs = linear_sum_assignment(-overlaps.numpy())
    return [v for v in overlaps[pairs].tolist() if v >= MATCH_IOU]


@torch.no_grad()
def evaluate(model, tokenizer, pairs):
    """{group: figures} of a Sam3Model on (scene, prompts) pairs."""
    tallies = {}
    for scene, asked in pairs:
        size = model.config.vision_config.backbone_config.image_size
        pixels = torch.from_numpy(scene.squashed(size).copy()).permute(2, 0, 1)
        vision = model.vision_encoder(pixels[None].float() / 127.5 - 1)
        for prompt in asked:
            tally = tallies.setdefault(prompt.kind, _Tally())
            tally.add(*_ask(model, tokenizer, vision, scene, prompt))
    report = {}
    absent = [k for k in tallies if k.startswith("absent")]
    for group, kinds in {**_GROUPS, "absent": absent}.items():
        total = _Tally()
        for kind in kinds:
            if kind in tallies:
                total.merge(tallies[kind])
        report[group] = total.report()
    return report


def _ask(model, tokenizer, vision, scene, prompt):
    words = tokenizer([prompt.text], padding="max_length", max_length=32,
                      truncation=True, return_tensors="pt")
    inputs = dict(words)
    if prompt.boxes:
        inputs["input_boxes"] = torch.tensor([[box for box, _ in prompt.boxes]],
                                             dtype=torch.float)
        inputs["input_boxes_labels"] = torch.tensor(
            [[label for _, label in prompt.boxes]])
    out = model(vision_embeds=vision, **inputs)
    scores = out.pred_logits[0].sigmoid() * out.presence_logits[0].sigmoid()
    kept = scores > THRESHOLD
    found, wanted = int(kept.sum()), len(prompt.targets)
    if not found or not wanted:
        return found, wanted, None, None
    height, width = scene.image.shape[:2]
    masks = F.interpolate(out.pred_masks[:, kept], size=(height, width),
                          mode="bilinear", align_corners=False)[0] > 0
    targets = [scene.objects[i] for i in prompt.targets]
    truth = torch.from_numpy(np.stack([t.mask for t in targets]))
    a, b = masks.flatten(1).float(), truth.flatten(1).float()
    intersection = a @ b.T
    union = a.sum(1)[:, None] + b.sum(1)[None] - intersection
    boxes = torch.tensor([t.box() for t in targets], dtype=torch.float)
    return (found, wanted, box_iou(out.pred_boxes[0, kept], boxes),
            intersection / union.clamp(min=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="config.json, model.safetensors, vocabulary")
    parser.add_argument("--pictures", type=int, default=200, help="of each format")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = Sam3Model.from_pretrained(arguments.folder, dtype=torch.float32).eval()
    tokenizer = CLIPTokenizer(f"{arguments.folder}/vocab.json",
                              f"{arguments.folder}/merges.txt")
    for name, aspect_ratio in FORMATS.items():
        pairs = held_out(arguments.pictures, aspect_ratio)
        print(json.dumps({"format": name, **evaluate(model, tokenizer, pairs)}),
              flush=True)


if __name__ == "__main__":
    main()
