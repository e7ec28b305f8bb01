"""Measures how a demo model folder follows objects through held-out clips.

    python -m inference.demo_model.training.evaluate_tracker inference/demo_model

The folder is loaded by transformers. Every object is described by its mask
on the first frame and then followed by Sam3TrackerVideoModel, as a stream; IoU is
that of its mask at the picture's own size, where there is anything to see of it.
Prints one JSON line a picture format.
"""

import argparse
import json
import random

import numpy as np
import torch
import torch.nn.functional as F
from transformers import Sam3TrackerVideoInferenceSession
from transformers.utils import logging

from inference.demo_model.training import clips, track_network
from inference.demo_model.training.evaluate import FORMATS

# Never used for training, which seeds from small numbers.
_SEED = 990_299
_FRAMES = 24
_VISIBLE = 60  # pixels


def held_out(count, aspect_ratio):
    rng = random.Random(_SEED)
    return [clips.make_clip(rng, _FRAMES, aspect_ratio, area_side=260)
            for _ in range(count)]


@torch.no_grad()
def evaluate(model, drawn):
    """Figures of a Sam3TrackerVideoModel on clips."""
    overlaps, late, taken, present, absent, back = [], [], 0, [], [], []
    for clip in drawn:
        hidden = np.zeros(clip.masks.shape[1], bool)
        for frame, found in enumerate(_follow(model, clip)):
            truth = clip.masks[frame]
            for i, (mask, score) in enumerate(found):
                if truth[i].sum() < _VISIBLE:
                    hidden[i] = True
                    if not truth[i].any():
                        absent.append(score < 0)
                    continue
                present.append(score > 0)
                if frame == 0:
                    continue
                ious = [_iou(mask, other) for other in truth]
                overlaps.append(ious[i])
                if frame == len(clip.frames) - 1:
                    late.append(ious[i])
                if hidden[i]:
                    back.append(ious[i] > 0.5)
                taken += int(max(ious) > 0.5 and int(np.argmax(ious)) != i)
    mean = lambda values: round(float(np.mean(values)), 4) if values else None
    return {"masks": len(overlaps), "iou": mean(overlaps),
            "iou_on_the_last_frame": mean(late),
            "found": mean([o > 0.5 for o in overlaps]),
            "on_another_object": round(taken / max(len(overlaps), 1), 4),
            "found_after_hiding": mean(back), "present": mean(present),
            "absent": mean(absent)}


def _follow(model, clip):
    """Of every frame (mask [H, W] bool, score) of every object."""
    side = model.config.image_size
    session = Sam3TrackerVideoInferenceSession(dtype=torch.float32)
    for frame in range(len(clip.frames)):
        pixels = torch.from_numpy(clip.scene(frame).squashed(side).copy())
        pixels = pixels.permute(2, 0, 1)[None].float() / 127.5 - 1
        if frame == 0:
            for identity, mask in enumerate(clip.masks[0]):
                given = F.interpolate(
                    torch.from_numpy(mask)[None, None].float(), (side, side),
                    mode="bilinear", antialias=True)
                session.add_mask_inputs(session.obj_id_to_idx(identity), 0, given)
                session.obj_with_new_inputs.append(identity)
        out = model(session, frame=pixels)
        # The reference keeps every frame's picture.
        session.processed_frames[frame] = None
        masks = F.interpolate(out.pred_masks, clip.frames.shape[1:3],
                              mode="bilinear")[:, 0] > 0
        yield list(zip(masks.numpy(), out.object_score_logits[:, 0].tolist()))


def _iou(found, truth):
    return (found & truth).sum() / max((found | truth).sum(), 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="config.json, model.safetensors")
    parser.add_argument("--clips", type=int, default=40, help="of each format")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    logging.set_verbosity_error()  # one folder for several classes
    model = track_network.load(arguments.folder)
    for name, aspect_ratio in FORMATS.items():
        figures = evaluate(model, held_out(arguments.clips, aspect_ratio))
        print(json.dumps({"format": name, **figures}), flush=True)


if __name__ == "__main__":
    main()
