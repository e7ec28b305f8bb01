"""The tiny head for single objects: configuration, first weights, and a forward
pass of many prompts on shared pictures."""

import dataclasses

import torch
from torch import nn
from transformers import Sam3TrackerConfig, Sam3TrackerModel, Sam3VideoConfig

from inference.demo_model.training import network
from inference.demo_model.training.network import GRID, IMAGE_SIZE, MASK_SIZE

# What a token of a prompt shows, in the order of the reference's table.
NEGATIVE, POSITIVE, TOP_LEFT, BOTTOM_RIGHT = range(4)


_FROZEN = ("backbone.", "fpn_layers.0.", "fpn_layers.3.", "no_memory")


def demo_config():
    """Sam3VideoConfig of the whole folder: the detector and this head.

    The sizes of the memory, which the folder has no weights for, fit the rest.
    """
    detector = network.demo_config()
    hidden = detector.vision_config.fpn_hidden_size
    return Sam3VideoConfig(
        detector_config=detector.to_dict(),
        tracker_config=dict(
            vision_config=detector.vision_config.to_dict(), image_size=IMAGE_SIZE,
            prompt_encoder_config=dict(hidden_size=hidden, image_size=IMAGE_SIZE,
                                       patch_size=network.PATCH_SIZE),
            mask_decoder_config=dict(hidden_size=hidden, num_attention_heads=4,
                                     mlp_dim=512, iou_head_hidden_dim=hidden),
            memory_attention_hidden_size=hidden,
            memory_attention_feed_forward_hidden_size=4 * hidden,
            memory_encoder_hidden_size=hidden, mask_downsampler_embed_dim=hidden,
            memory_fuser_embed_dim=hidden, memory_fuser_intermediate_dim=4 * hidden),
        low_res_mask_size=MASK_SIZE)


def build(detector):
    """A Sam3TrackerModel on the trunk of a detector, given as by load_detector.

    The neck starts as the detector's; the trunk and the neck's finest level,
    the dearest part, are never trained.
    """
    tracker = demo_config().tracker_config
    model = Sam3TrackerModel(Sam3TrackerConfig(
        vision_config=tracker.vision_config,
        prompt_encoder_config=tracker.prompt_encoder_config.to_dict(),
        mask_decoder_config=tracker.mask_decoder_config.to_dict()))
    _initialise(model)
    part = lambda prefix: {
        name.removeprefix(prefix): value.float()
        for name, value in detector.items() if name.startswith(prefix)}
    model.vision_encoder.backbone.load_state_dict(part("vision_encoder.backbone."))
    _take_neck(model, part("vision_encoder.neck."))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not any(part in name for part in _FROZEN))
    return model


@torch.no_grad()
def _initialise(model):
    network.initialise_layers(model)
    decoder, prompts = model.mask_decoder, model.prompt_encoder
    for embedding in (decoder.iou_token, decoder.mask_tokens,
                      decoder.obj_score_token, prompts.point_embed,
                      prompts.not_a_point_embed, prompts.no_mask_embed):
        nn.init.normal_(embedding.weight, std=0.5)
    # One matrix for prompts and pictures, without digits that fp16 drops.
    matrix = torch.randn(2, model.hidden_dim // 2).half().float()
    prompts.shared_embedding.positional_embedding.copy_(matrix)
    model.shared_image_embedding.positional_embedding.copy_(matrix)
    # With one projection for both sides a token looks at its own place, and a
    # place at the tokens near it, before anything is learnt.
    transformer = decoder.transformer
    for attention in [transformer.final_attn_token_to_image,
                      *(a for layer in transformer.layers for a in
                        (layer.cross_attn_token_to_image,
                         layer.cross_attn_image_to_token))]:
        attention.q_proj.weight.mul_(1.5)
        attention.k_proj.weight.copy_(attention.q_proj.weight)


@torch.no_grad()
def _take_neck(model, neck):
    """The detector's neck, quieter: its outputs would drown the positions that
    are added to them."""
    model.vision_encoder.neck.load_state_dict(neck)
    model.vision_encoder.neck.fpn_layers[2].proj2.weight.mul_(0.25)
    model.vision_encoder.neck.fpn_layers[2].proj2.bias.mul_(0.25)
    model.mask_decoder.conv_s0.weight.mul_(0.3)
    model.mask_decoder.conv_s1.weight.mul_(0.3)


def published_name(name):
    """What the published checkpoint calls a tensor of Sam3TrackerModel; None for
    the trunk, which it has as the detector's."""
    if name.startswith("vision_encoder.backbone."):
        return None
    if name.startswith("vision_encoder.neck."):
        return "tracker_neck." + name.removeprefix("vision_encoder.neck.")
    return "tracker_model." + name


def published_state(state, detector):
    """The whole folder's tensors: the detector's as they are, the head's fp16."""
    whole = {"detector_model." + name: value for name, value in detector.items()}
    for name, value in state.items():
        if published_name(name) is not None:
            whole[published_name(name)] = value.half()
    return whole


@dataclasses.dataclass
class Features:
    """B pictures as the decoder sees them, channels last.

    coarse [B, GRID * GRID, C], middle [B, 2 * GRID, 2 * GRID, C / 4], fine
    [B, MASK_SIZE, MASK_SIZE, C / 8].
    """

    coarse: torch.Tensor
    middle: torch.Tensor
    fine: torch.Tensor


def encode(model, hidden, finest):
    """Features of the trunk's output [B, C_vit, GRID, GRID] and the neck's finest
    level [B, C, MASK_SIZE, MASK_SIZE]."""
    last = lambda x: x.permute(0, 2, 3, 1).contiguous()
    levels, decoder = model.vision_encoder.neck.fpn_layers, model.mask_decoder
    return Features(last(levels[2](hidden)).flatten(1, 2),
                    last(decoder.conv_s1(levels[1](hidden))),
                    last(decoder.conv_s0(finest)))


@dataclasses.dataclass
class Masks:
    """What the decoder says of N prompts: logits [N, 4, MASK_SIZE, MASK_SIZE],
    iou [N, 4] 0..1, present [N] logits; the picture's cells as they leave the
    transformer [N, GRID * GRID, C], and the masks' tokens [N, 4, C]. The first
    mask of each prompt is the one for clear prompts."""

    logits: torch.Tensor
    iou: torch.Tensor
    present: torch.Tensor
    cells: torch.Tensor
    tokens: torch.Tensor

    def chosen(self):
        """[N] index of the best of three, as the model itself believes."""
        return self.iou[:, 1:].argmax(1) + 1


def decode(model, features, pictures, kinds, places, earlier, has_earlier):
    """Sam3TrackerModel.forward with all four masks, in training as well.

    pictures     [N] which of the features' pictures each prompt is about
    kinds        [N, T] what each token shows
    places       [N, T, 2] x, y as parts of the picture's sides
    earlier      [N, MASK_SIZE, MASK_SIZE] logits to refine, of those prompts
    has_earlier  [N] bool that refine
    """
    prompts, decoder = model.prompt_encoder, model.mask_decoder
    # A box's corners as if they were clicks: the same numbers, and the reference
    # ends both with one token that is no point.
    sparse, _ = prompts((places * IMAGE_SIZE)[:, None], kinds[:, None], None, None)
    dense = prompts.no_mask_embed.weight
    if has_earlier.any():
        refined = prompts.mask_embed(earlier[:, None]).flatten(2).transpose(1, 2)
        dense = torch.where(has_earlier[:, None, None], refined, dense)
    own = torch.cat([decoder.obj_score_token.weight, decoder.iou_token.weight,
                     decoder.mask_tokens.weight])
    picture = features.coarse.index_select(0, pictures) + dense
    tokens, cells = decoder.transformer(
        point_embeddings=torch.cat([own.expand(len(kinds), 1, -1, -1), sparse], 2),
        image_embeddings=picture.transpose(1, 2)[..., None],
        image_positional_embeddings=model.get_image_wide_positional_embeddings(),
        attention_similarity=None)
    tokens, cells = tokens[:, 0], cells[:, 0]
    kernels = torch.stack([mlp(tokens[:, 2 + i]) for i, mlp in
                           enumerate(decoder.output_hypernetworks_mlps)], 1)
    pixels = _pixels(decoder, cells, features, pictures)
    logits = (kernels @ pixels.flatten(1, 2).transpose(1, 2)).unflatten(
        2, (MASK_SIZE, MASK_SIZE))
    return Masks(logits, decoder.iou_prediction_head(tokens[:, 1]),
                 decoder.pred_obj_score_head(tokens[:, 0])[:, 0], cells,
                 tokens[:, 2:6])


def _pixels(decoder, cells, features, pictures):
    """[N, MASK_SIZE, MASK_SIZE, C / 8], channels last all the way: on a CPU
    several times faster than the reference's layout."""
    norm = decoder.upscale_layer_norm
    x = _enlarge(cells.unflatten(1, (GRID, GRID)), decoder.upscale_conv1)
    x = x + features.middle.index_select(0, pictures)
    x = decoder.activation(nn.functional.layer_norm(
        x, norm.normalized_shape, norm.weight, norm.bias, norm.eps))
    x = _enlarge(x, decoder.upscale_conv2) + features.fine.index_select(0, pictures)
    return decoder.activation(x)


def _enlarge(x, layer):
    """ConvTranspose2d of kernel and stride 2 on [N, h, w, C]."""
    n, h, w, _ = x.shape
    weight = layer.weight.permute(0, 2, 3, 1).flatten(1)
    x = (x.flatten(1, 2) @ weight).view(n, h, w, 2, 2, -1) + layer.bias
    return x.transpose(2, 3).reshape(n, 2 * h, 2 * w, -1)
