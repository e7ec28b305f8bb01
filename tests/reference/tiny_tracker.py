"""A tiny model with a memory for videos, and what the reference makes of three
objects on twenty-four frames.

Writes a folder in the published layout (config.json, model.safetensors) with
reference.safetensors and script.json beside them: who is described where, by
what, and the masks and scores of every frame. One object is described on six
frames, so that not all of them are attended to; one is corrected on a frame where
it had been tracked; objects vanish and come back.

    python tests/reference/tiny_tracker.py OUT_FOLDER
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import (Sam3TrackerVideoConfig, Sam3TrackerVideoInferenceSession,
                          Sam3TrackerVideoModel)

from tiny_models import tiny_config
from tiny_parts import (Recorder, document_of, main, published_tensors,
                        randomise_clicking, video_document)

SIDE, HIDDEN, FRAMES = 224, 128, 24
# Labels of clicks: 1 on the object, 0 beside it; 2 and 3 are a box's corners.
DESCRIBED = {
    0: {0: {"points": [[60.0, 70.5, 1]]},
        1: {"points": [[30.0, 100.0, 2], [150.0, 190.0, 3]]}},
    3: {2: {"mask": [80, 40, 160, 130]}},
    4: {0: {"points": [[100.0, 90.0, 1], [20.0, 30.0, 0]]}},
    8: {0: {"points": [[120.0, 80.0, 1]]}},
    12: {0: {"points": [[110.0, 60.0, 1]]}},
    16: {0: {"points": [[90.0, 150.0, 1]]}},
    17: {0: {"points": [[95.0, 140.0, 1]]}},
}
CORRECTED = {10: {1: {"points": [[140.0, 120.0, 1], [50.0, 60.0, 0]]}}}
WATCHED = 14  # the frame whose stages are kept


def tracker_config() -> Sam3TrackerVideoConfig:
    return Sam3TrackerVideoConfig(
        vision_config=tiny_config(SIDE, HIDDEN).vision_config.to_dict(),
        image_size=SIDE,
        prompt_encoder_config={"hidden_size": HIDDEN, "image_size": SIDE},
        mask_decoder_config={"hidden_size": HIDDEN, "mlp_dim": 96,
                             "iou_head_hidden_dim": 48},
        memory_attention_hidden_size=HIDDEN, memory_attention_num_layers=2,
        memory_attention_feed_forward_hidden_size=96,
        memory_encoder_hidden_size=HIDDEN, mask_downsampler_embed_dim=HIDDEN,
        memory_fuser_embed_dim=HIDDEN, memory_fuser_intermediate_dim=96)


@torch.no_grad()
def random_tracker() -> Sam3TrackerVideoModel:
    torch.manual_seed(12)
    config = tracker_config()
    config._attn_implementation = "eager"
    model = Sam3TrackerVideoModel(config).eval()
    randomise_clicking(model)
    # So that objects are there on most frames and gone on some.
    presence = model.mask_decoder.pred_obj_score_head.proj_out
    presence.weight.mul_(40)
    presence.bias.sub_(10.85)
    return model


def write_config(folder: pathlib.Path, model: Sam3TrackerVideoModel):
    document = video_document(tiny_config(SIDE, HIDDEN))
    document["tracker_config"] = document_of(model.config)
    (folder / "config.json").write_text(json.dumps(document))


def describe(session, index: int, frame: int, what: dict):
    if "mask" in what:
        x0, y0, x1, y1 = what["mask"]
        mask = torch.zeros(1, 1, SIDE, SIDE)
        mask[..., y0:y1, x0:x1] = 1
        session.add_mask_inputs(index, frame, mask)
    else:
        points = torch.tensor(what["points"])
        session.add_point_inputs(index, frame, {
            "point_coords": points[None, None, :, :2],
            "point_labels": points[None, None, :, 2].int()})


def keep_stages(model, out: Recorder):
    """Of the watched frame: what the memory's modules take and make."""
    attended = 0

    def on_attention(_module, _inputs, keywords, output):
        nonlocal attended
        name = f"attention.{attended}."
        out.keep(name + "features", keywords["current_vision_features"][:, 0])
        out.keep(name + "memory", keywords["memory"][:, 0])
        out.keep(name + "positions", keywords["memory_posision_embeddings"][:, 0])
        out.keep(name + "pointers", torch.tensor(
            [float(keywords["num_object_pointer_tokens"])]))
        out.keep(name + "output", output.reshape(-1, HIDDEN))
        attended += 1

    def on_memory(_module, inputs, output):
        out.keep("memory.features", inputs[0].flatten(2).transpose(1, 2)[:1])
        out.keep("memory.masks", inputs[1])
        out.keep("memory.output", output[0].flatten(2).transpose(1, 2))

    return [model.memory_attention.register_forward_hook(
                on_attention, with_kwargs=True),
            model.memory_encoder.register_forward_hook(on_memory)]


@torch.no_grad()
def run(model, frames: list, out: Recorder) -> torch.Tensor:
    """Keeps every frame's masks and scores; returns all scores."""
    session = Sam3TrackerVideoInferenceSession(dtype=torch.float32)
    scores = []

    def keep(name: str, result):
        out.keep(name + ".masks", result.pred_masks[:, 0])
        out.keep(name + ".scores", result.object_score_logits[:, 0])
        scores.append(result.object_score_logits[:, 0])

    for index, pixels in enumerate(frames):
        for identity, what in DESCRIBED.get(index, {}).items():
            describe(session, session.obj_id_to_idx(identity), index, what)
            session.obj_with_new_inputs.append(identity)
        hooks = keep_stages(model, out) if index == WATCHED else []
        keep(f"frame.{index}", model(session, frame=pixels))
        for hook in hooks:
            hook.remove()
        seen = session.cache.get_vision_features(index)["vision_feats"]
        for tensor, name in zip(seen, ("fine", "middle", "coarse")):
            out.keep(f"frame.{index}.{name}", tensor[:, 0])
        for identity, what in CORRECTED.get(index, {}).items():
            describe(session, session.obj_id_to_idx(identity), index, what)
            session.obj_with_new_inputs.append(identity)
        if index in CORRECTED:
            keep(f"corrected.{index}", model(session, frame_idx=index))
    return torch.cat(scores)


def moving_frames() -> list:
    """A smooth random picture that drifts."""
    noise = torch.rand(1, 3, 28, 28)
    picture = torch.nn.functional.interpolate(
        noise, (SIDE + 96, SIDE + 96), mode="bicubic").clamp(0, 1) * 2 - 1
    return [picture[..., 2 * i:2 * i + SIDE, 3 * i:3 * i + SIDE].contiguous()
            for i in range(FRAMES)]


@torch.no_grad()
def write(folder: pathlib.Path):
    model = random_tracker()
    out = Recorder()
    absent = (run(model, moving_frames(), out) <= 0).float().mean()
    if not 0.1 < absent < 0.3:
        raise SystemExit(f"{absent:.2f} of the objects are absent")

    save_file(published_tensors(model), str(folder / "model.safetensors"))
    write_config(folder, model)
    (folder / "script.json").write_text(json.dumps(
        {"side": SIDE, "frames": FRAMES, "watched": WATCHED,
         "described": DESCRIBED, "corrected": CORRECTED}))
    save_file(out.tensors, str(folder / "reference.safetensors"))


if __name__ == "__main__":
    main(__doc__, {"tracker": write})
