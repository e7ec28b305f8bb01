"""A followed object at full size, ours against Hugging Face's, in turns.

    python benchmarks/engine/full_size_tracker.py TRACKER_TIMER [options]

Makes the tracker of Sam3TrackerVideoConfig() with random weights, a random frame
and a memory as full as it gets (6 recent frames, 4 described ones, 19 pointers), and
lets both sides follow 1 and then several objects by one frame from it. Prints the
ratio of times an object and how far the masks are apart.
"""

import argparse
import json
import pathlib
import statistics
import time

import numpy
import torch
from safetensors.torch import save_file
from transformers import (Sam3TrackerVideoConfig, Sam3TrackerVideoInferenceSession,
                          Sam3TrackerVideoModel, Sam3VideoConfig)

from full_size import Ours
from full_size_clicks import tracker_name

GRID, HIDDEN, CHANNELS = 72, 256, 64
RECENT_POINTERS = 15


def make_model(folder: pathlib.Path, described: int) -> tuple:
    """Random weights, and inputs by name in the decoder's own layout."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(2)
    model = Sam3TrackerVideoModel(Sam3TrackerVideoConfig()).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "embed" not in name:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(5)
    inputs = {"fine": torch.randn(1, 4 * GRID, 4 * GRID, HIDDEN // 8) * 0.1,
              "middle": torch.randn(1, 2 * GRID, 2 * GRID, HIDDEN // 4) * 0.1,
              "coarse": torch.randn(1, GRID * GRID, HIDDEN)}
    for i in range(described + RECENT_POINTERS):
        inputs[f"memory.{i}"] = torch.randn(GRID * GRID, CHANNELS)
        inputs[f"pointer.{i}"] = torch.randn(HIDDEN)
    tensors = {tracker_name(name): tensor.contiguous()
               for name, tensor in model.state_dict().items()
               if not name.startswith("vision_encoder.backbone.")}
    tensors |= {"input." + name: tensor for name, tensor in inputs.items()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(
        Sam3VideoConfig().to_json_string(use_diff=False))
    return model, inputs


class Theirs:
    """The first `described` frames of the memory are; the one after the last is
    followed to."""

    def __init__(self, model, inputs: dict, described: int, device="cpu",
                 dtype=torch.float32):
        self.model = model.to(device, dtype)
        self.inputs = {name: tensor.to(device, dtype)
                       for name, tensor in inputs.items()}
        self.described, self.frame = described, described + RECENT_POINTERS
        self.device, self.dtype = torch.device(device), dtype
        places = lambda encoding, channels: encoding(
            torch.Size([1, channels, GRID, GRID]), device,
            dtype).flatten(2).permute(2, 0, 1)
        self.memory_places = places(model.memory_encoder.position_encoding,
                                    CHANNELS)
        own_places = places(model.vision_encoder.neck.position_encoding, HIDDEN)
        model.vision_encoder = None
        levels = [self.inputs[name].flatten(1, -2).transpose(0, 1)
                  for name in ("fine", "middle", "coarse")]
        self.features = {"vision_feats": levels,
                         "vision_pos_embeds": [None, None, own_places]}

    def session(self, count: int):
        """Of objects that all remember the same."""
        session = Sam3TrackerVideoInferenceSession(
            dtype=self.dtype, inference_device=self.device,
            inference_state_device=self.device)
        session.processed_frames = {i: None for i in range(self.frame + 1)}
        session.cache.cache_vision_features(self.frame, self.features)
        for identity in range(count):
            index = session.obj_id_to_idx(identity)
            for i in range(self.frame):
                session.output_dict_per_obj[index][
                    "cond_frame_outputs" if i < self.described
                    else "non_cond_frame_outputs"][i] = {
                        "maskmem_features": self.inputs[f"memory.{i}"]
                        .bfloat16()[:, None],
                        "maskmem_pos_enc": self.memory_places,
                        "object_pointer": self.inputs[f"pointer.{i}"][None, None]}
        return session

    @torch.inference_mode()
    def track(self, count: int, remember: bool):
        session = self.session(count)
        self.synchronize()
        start = time.perf_counter()
        output = self.model(session, frame_idx=self.frame,
                            run_mem_encoder=remember)
        self.synchronize()
        return time.perf_counter() - start, output

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def compare(ours, theirs, path: pathlib.Path) -> dict:
    bank = ours.ask(f"dump {path}")["bank_bytes"]
    mine = numpy.fromfile(path, numpy.float32)
    _, output = theirs.track(1, remember=False)
    expected = output.pred_masks.flatten().float().cpu().numpy()
    inside, other = mine > 0, expected > 0
    return {"bank_megabytes": bank / 1e6,
            "relative_error": float(numpy.abs(mine - expected).max() /
                                    numpy.abs(expected).max()),
            "mask_iou": float((inside & other).sum() /
                              max(1, (inside | other).sum()))}


def turns(ours, theirs, count: int, rounds: int) -> dict:
    """Seconds an object and their ratios: medians of the rounds."""
    ours.ask(f"track {count}")
    rows = [(ours.ask(f"track {count}")["seconds"],
             ours.ask(f"remember {count}")["seconds"],
             theirs.track(count, remember=False)[0],
             theirs.track(count, remember=True)[0])
            for _ in range(rounds)]
    median = lambda values: statistics.median(values) / count
    return {"track": median(r[0] for r in rows),
            "remember": median(r[1] for r in rows),
            "theirs_track": median(r[2] for r in rows),
            "theirs_with_memory": median(r[3] for r in rows),
            "track_ratio": statistics.median(r[0] / r[2] for r in rows),
            "ratio": statistics.median((r[0] + r[1]) / r[3] for r in rows)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("timer")
    parser.add_argument("--work", type=pathlib.Path,
                        default=pathlib.Path("/tmp/sam3-full-size/tracker"))
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--described", type=int, default=4, help="frames, 1 to 4")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    model, inputs = make_model(flags.work, flags.described)
    on_gpu = flags.device != "cpu"
    theirs = Theirs(model, inputs, flags.described, flags.device,
                    torch.bfloat16 if on_gpu and flags.dtype == "bf16"
                    else torch.float32)
    ours = Ours(flags.timer, flags.work, flags.dtype, flags.threads, flags.device,
                ["--described", str(flags.described)])
    result = {"threads": flags.threads, "dtype": flags.dtype,
              **compare(ours, theirs, flags.work / "logits.bin")}
    for count in flags.objects:
        result[f"{count} objects, seconds each"] = turns(ours, theirs, count,
                                                         flags.rounds)
        print(json.dumps(result, indent=1), flush=True)
    ours.close()


if __name__ == "__main__":
    main()
