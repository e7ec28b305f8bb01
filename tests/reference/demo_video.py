"""What the reference's Sam3VideoModel makes of a scripted video of shapes.

The demo model follows two concepts at once through thirty frames: a square goes
behind something larger and comes out again, a star comes in, one goes out, and a
second square turns into a circle, so that it is dropped as false; once more with
frames that arrive one by one, where the reference drops nothing. Writes
config.json, model.safetensors (the demo model's) and reference.safetensors:
pictures, and of every frame ids and masks.

    PYTHONPATH=. python tests/reference/demo_video.py OUT_FOLDER
"""

import pathlib
import shutil
import sys

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import CLIPTokenizer, Sam3VideoModel
from transformers.models.sam3_video import modeling_sam3_video as modeling
from transformers.utils import logging

from inference.demo_model.training.track_network import DemoTracker
from tiny_parts import main

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/inference/association"))
from stub_reference import PlainKernels  # noqa: E402

DEMO = ROOT / "inference/demo_model"
SIDE, FRAMES = 224, 30
PROMPTS = ("red square", "star")
RED, YELLOW, GREY = (214, 48, 49), (240, 206, 44), (90, 96, 100)
ROUNDED = (3, 12)  # the frames during which a square becomes a circle


def outline(corners: int, radius: float, inner: float, turn: float) -> np.ndarray:
    """A star of so many points, or a polygon where inner is 1; x, y."""
    count = 2 * corners if inner < 1 else corners
    angle = turn + 2 * np.pi * np.arange(count) / count
    lengths = np.where(np.arange(count) % 2, inner, 1.0) * radius
    return np.stack([lengths * np.cos(angle), lengths * np.sin(angle)], 1)


def rounded_square(radius: float, share: float) -> np.ndarray:
    """A square, share 0, on its way to a circle, share 1."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    square = 1 / np.maximum(abs(np.cos(angle)), abs(np.sin(angle)))
    length = radius * ((1 - share) * square + share)
    return np.stack([length * np.cos(angle), length * np.sin(angle)], 1)


def draw(frame: int) -> np.ndarray:
    """RGB, [SIDE, SIDE, 3] uint8."""
    picture = np.full((SIDE, SIDE, 3), (196, 198, 204), np.uint8)

    def fill(points, x, y, colour):
        at = np.round((points + (x, y)) * 16).astype(np.int32)
        cv2.fillPoly(picture, [at], colour, cv2.LINE_AA, 4)

    fill(rounded_square(18, 0), 24 + 6.2 * frame, 60, RED)
    fill(rounded_square(30, 0), 116, 60, GREY)
    share = np.clip((frame - ROUNDED[0]) / (ROUNDED[1] - ROUNDED[0]), 0, 1)
    fill(rounded_square(22, share), 60, 160 - 0.5 * frame, RED)
    fill(outline(5, 25, 0.42, -np.pi / 2 + 0.02 * frame), 128 + frame, 150, YELLOW)
    if frame >= 6:
        fill(outline(5, 25, 0.42, -np.pi / 2), 260 - 5 * (frame - 6), 196, YELLOW)
    return picture


@torch.no_grad()
def follow(model, pictures, streaming: bool, tensors: dict):
    """Keeps every frame's ids and masks; returns what was removed."""
    name = "streaming" if streaming else "video"
    tokenizer = CLIPTokenizer(str(DEMO / "vocab.json"), str(DEMO / "merges.txt"))
    session = modeling.Sam3VideoInferenceSession(dtype=torch.float32)
    for prompt in PROMPTS:
        prompt_id = session.add_prompt(prompt)
        text = tokenizer(prompt, padding="max_length", max_length=32,
                         return_tensors="pt")
        session.prompt_input_ids[prompt_id] = text.input_ids
        session.prompt_attention_masks[prompt_id] = text.attention_mask
    removed = set()
    for frame, picture in enumerate(pictures):
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None] / 127.5 - 1
        if streaming:
            out = model(session, frame=pixels)
        else:
            session.add_new_frame(pixels, frame)
            out = model(session, frame_idx=frame)
        now = set(out.removed_obj_ids) - removed
        removed |= now
        shown = [i for i in out.object_ids if i not in out.suppressed_obj_ids and
                 i in out.obj_id_to_mask and (out.obj_id_to_mask[i] > 0).any()]
        tensors[f"{name}.{frame}.ids"] = torch.tensor(shown, dtype=torch.float)
        # On a frame of removals the reference gives masks to the wrong ids.
        tensors[f"{name}.{frame}.masks"] = (
            torch.stack([out.obj_id_to_mask[i][0] for i in shown])
            if shown and not now else torch.zeros(0))
        tensors[f"{name}.{frame}.prompts"] = torch.tensor(
            [float(session.obj_id_to_prompt_id[i]) for i in shown])
    return removed


def write(folder: pathlib.Path):
    logging.set_verbosity_error()
    modeling.cv_utils_kernel = PlainKernels
    model = Sam3VideoModel.from_pretrained(DEMO, dtype=torch.float32).eval()
    # The reference's own class cannot follow in a model as narrow as its memory.
    model.tracker_model.__class__ = DemoTracker
    pictures = [draw(frame) for frame in range(FRAMES)]
    tensors = {f"picture.{i}": torch.from_numpy(picture).float()
               for i, picture in enumerate(pictures)}
    removed = follow(model, pictures, False, tensors)
    if not removed:
        raise SystemExit("the reference removed nothing: the video shows too little")
    follow(model, pictures, True, tensors)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(DEMO / name, folder / name)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()},
              str(folder / "reference.safetensors"))


if __name__ == "__main__":
    main(__doc__, {"video": write}, threads=1)
