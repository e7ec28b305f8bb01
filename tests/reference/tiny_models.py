"""Tiny SAM 3 models with random weights, and what the reference makes of them.

Writes one folder per configuration: a checkpoint in the Hugging Face layout
(config.json, model.safetensors) and reference.safetensors with the inputs and
every intermediate tensor that the C++ tests compare with.

    python tests/reference/tiny_models.py OUT_FOLDER
"""

import functools
import pathlib

import torch
from safetensors.torch import save_file
from transformers import Sam3Config, Sam3Model

from tiny_parts import Recorder, main, randomise

HIDDEN = 64
TEXTS = {  # begin, words, end; the vocabulary of the tiny model has 1,000 ids
    "short": [998, 5, 17, 999],
    "long": [998, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309, 999],
    "visual": [998, 42, 999],
}
BOXES = {  # cx, cy, w, h in fractions; label 1 = positive
    "short": [],
    "long": [([0.30, 0.40, 0.20, 0.30], 1), ([0.75, 0.60, 0.45, 0.70], 0),
             ([0.10, 0.90, 0.05, 0.12], 1)],
    "visual": [([0.5, 0.5, 0.9, 0.8], 1)],
}


def stack(layers: int, key: str, hidden: int) -> dict:
    return {"hidden_size": hidden, key: layers, "num_attention_heads": 8,
            "intermediate_size": 96, "dropout": 0.0}


def tiny_config(image_size: int, hidden: int = HIDDEN) -> Sam3Config:
    """24x24 cells tile into windows of 8; 20x20 need window padding."""
    grid = image_size // 14
    return Sam3Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam3_vit_model", "hidden_size": 64,
                "intermediate_size": 96, "num_hidden_layers": 4,
                "num_attention_heads": 4, "image_size": image_size,
                "patch_size": 14, "window_size": 8,
                "global_attn_indexes": [1, 3], "pretrain_image_size": 112},
            "fpn_hidden_size": hidden,
            "backbone_feature_sizes": [[grid * 4] * 2, [grid * 2] * 2,
                                       [grid] * 2]},
        text_config={
            "model_type": "clip_text_model", "vocab_size": 1000,
            "hidden_size": 64, "intermediate_size": 96, "projection_dim": 32,
            "num_hidden_layers": 3, "num_attention_heads": 4,
            "max_position_embeddings": 32, "hidden_act": "gelu",
            "bos_token_id": 998, "eos_token_id": 999, "pad_token_id": 999},
        geometry_encoder_config=stack(2, "num_layers", hidden),
        detr_encoder_config=stack(2, "num_layers", hidden),
        detr_decoder_config=stack(3, "num_layers", hidden) | {"num_queries": 20},
        mask_decoder_config={"hidden_size": hidden, "num_attention_heads": 8,
                             "num_upsampling_stages": 3})


def random_model(config: Sam3Config, seed: int) -> Sam3Model:
    torch.manual_seed(seed)
    config._attn_implementation = "eager"
    model = Sam3Model(config).eval()
    randomise(model)
    with torch.no_grad():
        model.detr_decoder.reference_points.weight.mul_(2.0)
    return model


def record_vision(model: Sam3Model, pixels: torch.Tensor, out: Recorder):
    backbone = model.vision_encoder.backbone
    attention = backbone.layers[1].attention  # the first global block
    hooks = [out.watch(backbone.layer_norm, "vit.embedded"),
             out.watch(attention.q_proj, "vit.query"),
             out.watch(backbone.layers[0].rotary_emb, "rope.window.cos"),
             out.watch(backbone.layers[1].rotary_emb, "rope.global.cos")]
    vision = model.get_vision_features(pixel_values=pixels)
    for hook in hooks:
        hook.remove()
    for name, layer in (("window", 0), ("global", 1)):
        block = backbone.layers[layer]
        cos, sin = block.rotary_emb(pixels, block.position_ids)
        out.keep(f"rope.{name}.cos", cos)
        out.keep(f"rope.{name}.sin", sin)
    from transformers.models.sam3.modeling_sam3 import apply_rotary_pos_emb_2d
    query = out.tensors["vit.query"].flatten(1, 2)
    heads = query.unflatten(-1, (4, 16)).transpose(1, 2)
    turned, _ = apply_rotary_pos_emb_2d(heads, heads,
                                        out.tensors["rope.global.cos"],
                                        out.tensors["rope.global.sin"])
    out.keep("vit.query", query)
    out.keep("vit.query.turned", turned.transpose(1, 2).flatten(2))
    out.keep("vit.output", vision.last_hidden_state)
    for level, name in enumerate(("fine", "middle", "coarse")):
        out.keep(f"fpn.{name}", vision.fpn_hidden_states[level])
    out.keep("sine", vision.fpn_position_encoding[2].flatten(2).transpose(1, 2))
    return vision


def inputs_of(name: str, box_count: int = 0):
    """Token ids and mask padded to 32, boxes padded to box_count."""
    ids = TEXTS[name]
    row = torch.full((1, 32), 999)
    row[0, : len(ids)] = torch.tensor(ids)
    mask = (torch.arange(32) < len(ids)).long().unsqueeze(0)
    boxes = [box for box, _ in BOXES[name]]
    labels = [label for _, label in BOXES[name]]
    while len(boxes) < box_count:
        boxes.append([-10.0, -10.0, 0.0, 0.0])
        labels.append(-10)
    result = {"input_ids": row, "attention_mask": mask}
    if boxes:
        result["input_boxes"] = torch.tensor([boxes])
        result["input_boxes_labels"] = torch.tensor([labels])
    return result


def record_prompt(model: Sam3Model, vision, name: str, out: Recorder):
    prefix = f"prompt.{name}."
    inputs = inputs_of(name)
    length = len(TEXTS[name])
    hooks = []
    for i, layer in enumerate(model.detr_encoder.layers):
        hooks.append(out.watch(layer, f"{prefix}encoder.{i}"))
    if BOXES[name]:
        original = model.geometry_encoder._encode_boxes

        def encode_boxes(*arguments):
            embedded, mask = original(*arguments)
            out.keep(prefix + "boxes_embedded", embedded)
            return embedded, mask
        model.geometry_encoder._encode_boxes = encode_boxes
        hooks.append(out.watch(model.geometry_encoder.output_layer_norm,
                               prefix + "geometry"))
    bias = model.detr_decoder._get_rpb_matrix
    calls = []

    def box_bias(*arguments):
        calls.append(bias(*arguments))
        return calls[-1]
    model.detr_decoder._get_rpb_matrix = box_bias
    decoder_outputs = []
    hooks.append(model.detr_decoder.register_forward_hook(
        lambda _m, _i, output: decoder_outputs.append(output)))
    text = model.get_text_features(input_ids=inputs["input_ids"],
                                   attention_mask=inputs["attention_mask"])
    out.keep(prefix + "text.hidden", text.last_hidden_state[:, :length])
    out.keep(prefix + "text.projected", text.pooler_output[:, :length])
    result = model(vision_embeds=vision, **inputs)
    for hook in hooks:
        hook.remove()
    if BOXES[name]:
        model.geometry_encoder._encode_boxes = original
    model.detr_decoder._get_rpb_matrix = bias
    decoded = decoder_outputs[0]
    for i, matrix in enumerate(calls):
        out.keep(f"{prefix}decoder.{i}.bias", matrix)
        out.keep(f"{prefix}decoder.{i}.boxes", decoded.reference_boxes[i])
        out.keep(f"{prefix}decoder.{i}.queries",
                 decoded.intermediate_hidden_states[i])
    for key in ("pred_logits", "presence_logits", "pred_boxes", "pred_masks",
                "semantic_seg"):
        out.keep(prefix + key, getattr(result, key))


def record_class_token_rule(model: Sam3Model, vision, out: Recorder):
    """A text-only prompt beside one with a box gets the class token: the rule
    that the original authors apply always."""
    a, b = inputs_of("short", box_count=1), inputs_of("visual", box_count=1)
    inputs = {key: torch.cat([a[key], b[key]]) for key in a}
    from copy import copy
    both = copy(vision)
    both.fpn_hidden_states = tuple(
        t.repeat(2, 1, 1, 1) for t in vision.fpn_hidden_states)
    both.fpn_position_encoding = tuple(
        t.repeat(2, 1, 1, 1) for t in vision.fpn_position_encoding)
    result = model(vision_embeds=both, **inputs)
    out.keep("always.pred_logits", result.pred_logits[:1])
    out.keep("always.pred_masks", result.pred_masks[:1])


def record_resize(image_size: int, out: Recorder):
    from transformers.models.sam3.image_processing_sam3 import (
        Sam3ImageProcessor)
    processor = Sam3ImageProcessor(
        size={"height": image_size, "width": image_size})
    generator = torch.Generator().manual_seed(7)
    for i, (height, width) in enumerate(((37, 501), (720, 400), (90, 113))):
        picture = torch.randint(0, 256, (3, height, width), dtype=torch.uint8,
                                generator=generator)
        smooth = torch.nn.functional.interpolate(
            picture[None, :, ::9, ::9].float(), (height, width),
            mode="bilinear")[0].round().byte()
        for kind, image in (("noise", picture), ("smooth", smooth)):
            pixels = processor(images=image, return_tensors="pt").pixel_values
            out.keep(f"resize.{kind}{i}.pixels", pixels)
            out.tensors[f"resize.{kind}{i}.image"] = image.permute(
                1, 2, 0).float().contiguous()


def record_roi(out: Recorder):
    import torchvision
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(1, 5, 20, 24, generator=generator)
    corners = torch.rand(40, 2, 2, generator=generator) * 30 - 3
    low, high = corners.min(1).values, corners.max(1).values
    boxes = torch.cat([low, high], 1)
    out.keep("roi.features", features)
    out.keep("roi.boxes", boxes)
    out.keep("roi.pooled", torchvision.ops.roi_align(features, [boxes], 7))


@torch.no_grad()
def write(folder: pathlib.Path, image_size: int, seed: int):
    model = random_model(tiny_config(image_size), seed)
    model.save_pretrained(folder)
    out = Recorder()
    torch.manual_seed(seed + 1)
    pixels = torch.rand(1, 3, image_size, image_size) * 2 - 1
    # Pixels that an 8-bit picture of the model's own size can hold.
    pixels = ((pixels + 1) * 127.5).round() / 127.5 - 1
    out.keep("pixels", pixels)
    vision = record_vision(model, pixels, out)
    for name in TEXTS:
        record_prompt(model, vision, name, out)
    record_class_token_rule(model, vision, out)
    if seed == 1:
        record_resize(image_size, out)
        record_roi(out)
    save_file(out.tensors, str(folder / "reference.safetensors"))


if __name__ == "__main__":
    main(__doc__, {
        "tiled": functools.partial(write, image_size=336, seed=1),
        "padded": functools.partial(write, image_size=280, seed=2)})
