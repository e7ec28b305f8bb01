"""A tiny model of all heads, and what the reference makes of objects that
somebody gives on a video: described by clicks, boxes and masks, described anew,
looked at again with further clicks, with and without consequences.

Writes a folder in the published layout (config.json, model.safetensors) with
reference.safetensors and script.json beside them: who is said to be what on
which frame, and the masks and scores that follow.

A frame that is committed to counts as a described one, as in the authors'
program, and changes one object alone; to that end the reference's session is
edited where it would do otherwise.

    python tests/reference/tiny_given.py OUT_FOLDER
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import Sam3TrackerVideoInferenceSession

from tiny_models import random_model, tiny_config
from tiny_parts import Recorder, main, published_tensors
from tiny_tracker import (FRAMES, HIDDEN, SIDE, describe, moving_frames,
                          random_tracker, write_config)

# By frame and object; labels of clicks as in tiny_tracker.py.
DESCRIBED = {
    0: {0: {"points": [[60.0, 70.5, 1]]},
        1: {"points": [[30.0, 100.0, 2], [150.0, 190.0, 3]]}},
    3: {2: {"mask": [80, 40, 160, 130]}},
    5: {0: {"points": [[100.0, 90.0, 1], [20.0, 30.0, 0]]}},
    16: {5: {"points": [[90.0, 150.0, 1], [40.0, 90.0, 2],
                        [170.0, 210.0, 3]]}},
}
COMMITTED = {10: {1: {"points": [[140.0, 120.0, 1], [50.0, 60.0, 0]]}},
             18: {0: {"points": [[120.0, 60.0, 1]]}}}
PREVIEWED = {3: {2: {"points": [[100.0, 100.0, 1]]}},
             12: {0: {"points": [[95.0, 140.0, 1]]},
                  1: {"points": [[20.0, 60.0, 2], [140.0, 200.0, 3]]}}}
DROPPED = {14: [2]}


def all_pixels() -> list:
    """Frames that an 8-bit picture can hold."""
    return [((frame + 1) * 127.5).round() / 127.5 - 1
            for frame in moving_frames()]


class Script:
    def __init__(self, model, out: Recorder):
        self.model = model
        self.out = out
        self.session = Sam3TrackerVideoInferenceSession(dtype=torch.float32)
        self.scores = []

    def describe(self, frame: int, objects: dict):
        for identity, what in objects.items():
            describe(self.session, self.session.obj_id_to_idx(identity), frame,
                     what)
            self.session.obj_with_new_inputs.append(identity)

    def keep(self, name: str, result, only=None):
        for row, identity in enumerate(result.object_ids):
            if only is not None and identity not in only:
                continue
            prefix = f"{name}.{identity}."
            self.out.keep(prefix + "mask", result.pred_masks[row, 0])
            self.out.keep(prefix + "score", result.object_score_logits[row])
            self.scores.append(result.object_score_logits[row].flatten())

    def look_again(self, kind: str, frame: int, objects: dict):
        stored = self.session.output_dict_per_obj
        before = {index: {which: dict(outputs)
                          for which, outputs in kinds.items()}
                  for index, kinds in stored.items()}
        asked = [self.session.obj_id_to_idx(identity) for identity in objects]
        for index in asked:
            self.session.mask_inputs_per_obj[index].pop(frame, None)
        self.describe(frame, objects)
        self.keep(f"{kind}.{frame}", self.model(self.session, frame_idx=frame),
                  only=objects)
        for index, kinds in before.items():
            if kind == "commit" and index in asked:
                found = stored[index]["non_cond_frame_outputs"].pop(frame)
                stored[index]["cond_frame_outputs"][frame] = found
            else:
                stored[index] = kinds

    @torch.no_grad()
    def run(self, frames: list):
        for index, pixels in enumerate(frames):
            self.describe(index, DESCRIBED.get(index, {}))
            self.keep(f"frame.{index}", self.model(self.session, frame=pixels))
            for kind, script in (("preview", PREVIEWED), ("commit", COMMITTED)):
                if index in script:
                    self.look_again(kind, index, script[index])


@torch.no_grad()
def write(folder: pathlib.Path):
    detector = random_model(tiny_config(SIDE, HIDDEN), 21)
    model = random_tracker()
    frames = all_pixels()
    out = Recorder()
    script = Script(model, out)
    script.run(frames)
    absent = (torch.cat(script.scores) <= 0).float().mean()
    if not 0.05 < absent < 0.4:
        raise SystemExit(f"{absent:.2f} of the objects are absent")
    for index, pixels in enumerate(frames):
        out.keep(f"frame.{index}.pixels", pixels)

    # The detector, on the tracker's vision transformer.
    tensors = {"detector_model." + name: tensor.contiguous()
               for name, tensor in detector.state_dict().items()}
    tensors |= published_tensors(model)
    save_file(tensors, str(folder / "model.safetensors"))
    write_config(folder, model)
    (folder / "script.json").write_text(json.dumps(
        {"side": SIDE, "frames": FRAMES, "described": DESCRIBED,
         "committed": COMMITTED, "previewed": PREVIEWED, "dropped": DROPPED}))
    save_file(out.tensors, str(folder / "reference.safetensors"))


if __name__ == "__main__":
    main(__doc__, {"given": write})
