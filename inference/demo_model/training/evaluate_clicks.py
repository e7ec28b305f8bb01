"""Measures a demo model folder's clicks and boxes on held-out pictures.

    python -m inference.demo_model.training.evaluate_clicks inference/demo_model

The folder is loaded by plain transformers. IoU is that of one mask at the
picture's own size: of the three to choose from the one that the model believes
best, or its single mask. Prints one JSON line a picture format.
"""

import argparse
import json
import random

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from transformers import Sam3TrackerModel
from transformers.utils import logging

from inference.demo_model.training import clicks, scenes
from inference.demo_model.training.evaluate import FORMATS

# Never used for training, which seeds from small numbers.
_SEED = 990_199
_OBJECTS = 3  # of a picture
_CORRECTIONS = 2


def held_out(count, aspect_ratio):
    """Scenes, as in evaluate.held_out."""
    rng = random.Random(_SEED)
    return [scenes.make_scene(rng, aspect_ratio, area_side=300)
            for _ in range(count)]


class _Session:
    """One picture, asked about several objects at once."""

    def __init__(self, model, scene):
        self._model, self._scene = model, scene
        self._size = model.prompt_encoder.input_image_size
        pixels = torch.from_numpy(scene.squashed(self._size).copy())
        pixels = pixels.permute(2, 0, 1)[None].float() / 127.5 - 1
        self._embeddings = model.get_image_embeddings(pixels)

    def ask(self, points=None, labels=None, boxes=None, earlier=None, several=True):
        """points [P, n, 2], labels [P, n], boxes [P, 4], 0..1. Returns the
        chosen low-resolution logits [P, h, w], their believed IoU, and the
        objects' scores."""
        scaled = lambda x: None if x is None else torch.as_tensor(
            np.asarray(x), dtype=torch.float)[None] * self._size
        out = self._model(
            image_embeddings=self._embeddings, input_points=scaled(points),
            input_labels=None if labels is None else torch.as_tensor(labels)[None],
            input_boxes=scaled(boxes), input_masks=earlier,
            multimask_output=several)
        best = out.iou_scores[0].argmax(1)
        rows = torch.arange(len(best))
        return (out.pred_masks[0][rows, best], out.iou_scores[0][rows, best],
                out.object_score_logits[0, :, 0])

    def masks(self, logits):
        """[P, H, W] bool at the picture's size."""
        return (F.interpolate(logits[:, None], size=self._scene.image.shape[:2],
                              mode="bilinear", align_corners=False)[:, 0] > 0).numpy()


def _iou(found, truth):
    return (found & truth).sum() / (found | truth).sum()


def _correction(found, truth):
    """A click in the middle of the largest wrong region: ((x, y), label)."""
    regions = [np.pad(wrong.astype(np.uint8), 1)
               for wrong in (found & ~truth, truth & ~found)]
    depths = [cv2.distanceTransform(r, cv2.DIST_L2, 5) for r in regions]
    label = int(depths[1].max() >= depths[0].max())
    return clicks.centre(regions[label][1:-1, 1:-1] > 0), label


@torch.no_grad()
def evaluate(model, drawn):
    """Figures of a Sam3TrackerModel on scenes."""
    rng, tallies, believed = random.Random(_SEED), {}, []
    for scene in drawn:
        session = _Session(model, scene)
        asked = rng.sample(scene.objects, min(_OBJECTS, len(scene.objects)))
        truths = [o.mask for o in asked]

        def add(kind, logits):
            found = session.masks(logits)
            tallies.setdefault(kind, []).extend(map(_iou, found, truths))
            return found

        ones = np.ones((len(asked), 1), np.int64)
        points = np.stack([clicks.draw_places(rng, clicks.interior(t), 1)
                           for t in truths])
        first, quality, score = session.ask(points, ones)
        found = add("click", first)
        believed += [abs(float(q) - _iou(f, t))
                     for q, f, t in zip(quality, found, truths)]
        tallies.setdefault("present", []).extend((score > 0).tolist())
        add("click_single_mask", session.ask(points, ones, several=False)[0])
        centres = np.stack([clicks.centre(t)[None] for t in truths])
        add("centre_click", session.ask(centres, ones)[0])
        _correct(session, points, found, first, truths, add)
        for kind, boxes in _boxes(rng, asked).items():
            add(kind, session.ask(boxes=boxes, several=False)[0])
            add(kind + "_of_three", session.ask(boxes=boxes)[0])
        add("box_and_click", session.ask(
            points, ones, _boxes(rng, asked)["drawn_box"], several=False)[0])
        places = clicks.draw_places(rng, clicks.background(scene), 2)
        if len(places):
            _, _, score = session.ask(places[:, None], np.ones((2, 1), np.int64))
            tallies.setdefault("absent", []).extend((score < 0).tolist())
    report = {"prompts": len(tallies["click"])}
    report.update((kind, round(float(np.mean(values)), 4))
                  for kind, values in tallies.items())
    return {**report, "iou_error": round(float(np.mean(believed)), 4)}


def _boxes(rng, asked):
    tight = np.array([o.box() for o in asked])
    return {"box": tight,
            "drawn_box": np.array([clicks.drawn_box(rng, box) for box in tight])}


def _correct(session, points, found, logits, truths, add):
    """Further clicks where the mask is wrong, one object at a time."""
    labels, refined = np.ones((len(points), 1), np.int64), list(logits)
    for step in range(_CORRECTIONS):
        further = [_correction(f, t) for f, t in zip(found, truths)]
        points = np.concatenate(
            [points, np.stack([place for place, _ in further])[:, None]], 1)
        labels = np.concatenate(
            [labels, np.array([[label] for _, label in further])], 1)
        refined = [session.ask(points[i:i + 1], labels[i:i + 1],
                               earlier=refined[i][None, None], several=False)[0][0]
                   for i in range(len(points))]
        found = add(f"{step + 2}_clicks", torch.stack(refined))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="config.json, model.safetensors")
    parser.add_argument("--pictures", type=int, default=200, help="of each format")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    logging.set_verbosity_error()  # one folder for two classes is what we want
    model = Sam3TrackerModel.from_pretrained(arguments.folder,
                                             dtype=torch.float32).eval()
    for name, aspect_ratio in FORMATS.items():
        figures = evaluate(model, held_out(arguments.pictures, aspect_ratio))
        print(json.dumps({"format": name, **figures}), flush=True)


if __name__ == "__main__":
    main()
