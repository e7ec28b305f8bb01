"""What the scripts beside it share: models with random weights, records of what
the reference makes of them, and the folders that both are written to.
"""

import argparse
import json
import pathlib
from collections.abc import Callable

import torch
from transformers import Sam3Config, Sam3VideoConfig


@torch.no_grad()
def randomise(model: torch.nn.Module):
    """Every parameter random, also those that start at zero or one, so that a
    forgotten bias or norm shows."""
    for name, parameter in model.named_parameters():
        spread = 0.5 if "embed" in name else parameter[0].numel() ** -0.5
        if parameter.dim() == 1:
            spread = 0.2
        parameter.copy_(torch.randn_like(parameter) * spread)
        if parameter.dim() == 1 and "norm" in name and "weight" in name:
            parameter.add_(1.0)


@torch.no_grad()
def randomise_clicking(model: torch.nn.Module):
    """The same of a model with the head for single objects."""
    randomise(model)
    # Two matrices of the same use that need not be equal.
    for holder in (model.shared_image_embedding,
                   model.prompt_encoder.shared_embedding):
        holder.positional_embedding.copy_(
            torch.randn_like(holder.positional_embedding))


class Recorder:
    """Keeps the outputs of chosen modules under names of our own."""

    def __init__(self):
        self.tensors: dict[str, torch.Tensor] = {}

    def keep(self, name: str, tensor: torch.Tensor):
        self.tensors[name] = tensor.detach().clone().float().contiguous()

    def watch(self, module: torch.nn.Module, name: str):
        def hook(_module, _inputs, output):
            first = output[0] if isinstance(output, tuple) else output
            self.keep(name, first)
        return module.register_forward_hook(hook)


def published_name(name: str) -> str:
    for inside, outside in (
            ("vision_encoder.backbone.",
             "detector_model.vision_encoder.backbone."),
            ("vision_encoder.neck.", "tracker_neck.")):
        if name.startswith(inside):
            return outside + name.removeprefix(inside)
    return "tracker_model." + name


def published_tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Of a model with the head for single objects, as files name them."""
    return {published_name(name): tensor.contiguous()
            for name, tensor in model.state_dict().items()}


def document_of(config) -> dict:
    return json.loads(config.to_json_string(use_diff=False))


def video_document(detector: Sam3Config) -> dict:
    """config.json of a whole folder; its tracker is the reference's default."""
    return document_of(Sam3VideoConfig(detector_config=detector.to_dict()))


def main(description: str, writers: dict[str, Callable[[pathlib.Path], None]],
         threads: int = 2):
    """Makes a folder of each name, in the one that the command line names, and
    has it written."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    out = parser.parse_args().out
    torch.set_num_threads(threads)
    for name, write in writers.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)
