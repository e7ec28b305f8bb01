"""A tiny model with the head for single objects, and what the reference makes
of clicks, boxes and earlier masks.

Writes a folder in the published layout (config.json, model.safetensors) with
reference.safetensors beside them, as tiny_models.py does.

    python tests/reference/tiny_clicks.py OUT_FOLDER
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import Sam3TrackerConfig, Sam3TrackerModel

from tiny_models import HIDDEN, tiny_config
from tiny_parts import (Recorder, main, published_tensors, randomise_clicking,
                        video_document)

SIDE = 280
CLICKS = {  # (x, y) in pixels of the model's picture, 1 = on the object
    "one": [((61.0, 140.5), 1)],
    "three": [((20.0, 30.0), 1), ((200.0, 90.0), 0), ((133.0, 275.0), 1)],
    "box": [],
    "both": [((150.0, 150.0), 0)],
}
BOX = [40.0, 60.0, 210.0, 180.0]


def clicks_config() -> Sam3TrackerConfig:
    return Sam3TrackerConfig(
        vision_config=tiny_config(SIDE).vision_config.to_dict(),
        prompt_encoder_config={"hidden_size": HIDDEN, "image_size": SIDE},
        mask_decoder_config={"hidden_size": HIDDEN, "mlp_dim": 96,
                             "iou_head_hidden_dim": 48})


def arguments_of(name: str) -> dict:
    arguments = {}
    if CLICKS[name]:
        arguments["input_points"] = torch.tensor(
            [[[place for place, _ in CLICKS[name]]]])
        arguments["input_labels"] = torch.tensor(
            [[[label for _, label in CLICKS[name]]]])
    if name in ("box", "both"):
        arguments["input_boxes"] = torch.tensor([[BOX]])
    return arguments


def record(model: Sam3TrackerModel, embeddings: list, name: str,
           out: Recorder, earlier: torch.Tensor | None = None):
    prefix = f"click.{name}." if earlier is None else f"refine.{name}."
    arguments = arguments_of(name)
    if earlier is not None:
        arguments["input_masks"] = earlier
    sparse, dense = model.prompt_encoder(
        arguments.get("input_points"), arguments.get("input_labels"),
        arguments.get("input_boxes"), earlier)
    out.keep(prefix + "sparse", sparse[:, 0])
    out.keep(prefix + "dense", dense)
    hooks = [out.watch(model.mask_decoder.transformer, prefix + "tokens")]
    for kind, several in (("several", True), ("one", False)):
        result = model(image_embeddings=embeddings, multimask_output=several,
                       **arguments)
        out.keep(f"{prefix}{kind}.masks", result.pred_masks[0])
        out.keep(f"{prefix}{kind}.iou", result.iou_scores[0])
    out.keep(prefix + "object", result.object_score_logits[0, 0])
    for hook in hooks:
        hook.remove()


@torch.no_grad()
def write(folder: pathlib.Path):
    torch.manual_seed(11)
    config = clicks_config()
    config._attn_implementation = "eager"
    model = Sam3TrackerModel(config).eval()
    randomise_clicking(model)
    save_file(published_tensors(model), str(folder / "model.safetensors"))
    document = video_document(tiny_config(SIDE))
    for part in ("prompt_encoder_config", "mask_decoder_config"):
        document["tracker_config"][part] = getattr(config, part).to_dict()
    (folder / "config.json").write_text(json.dumps(document))

    out = Recorder()
    pixels = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    out.keep("pixels", pixels)
    vision = model.vision_encoder(pixels)
    out.keep("vit.output", vision.last_hidden_state)
    embeddings = model.get_image_embeddings(pixels)
    for tensor, name in zip(embeddings, ("fine", "middle", "coarse")):
        out.keep(f"features.{name}", tensor)
    out.keep("positions", model.get_image_wide_positional_embeddings())
    for name in CLICKS:
        record(model, embeddings, name, out)
    earlier = torch.randn(1, 1, SIDE // 14 * 4, SIDE // 14 * 4) * 4
    out.keep("earlier", earlier)
    record(model, embeddings, "one", out, earlier)
    save_file(out.tensors, str(folder / "reference.safetensors"))


if __name__ == "__main__":
    main(__doc__, {"clicks": write})
