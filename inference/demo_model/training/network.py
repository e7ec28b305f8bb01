"""The tiny SAM 3: configuration, initial weights, and a forward pass for training."""

import dataclasses
import json
import math

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Sam3Config, Sam3Model
from transformers.models.sam3.modeling_sam3 import inverse_sigmoid

IMAGE_SIZE = 224
PATCH_SIZE = 14
GRID = IMAGE_SIZE // PATCH_SIZE
MASK_SIZE = 4 * GRID
MAX_BOXES = 3
NO_BOX = -10  # label of an unused box slot

# Computed by nothing, as in the published model, so never trained.
_UNUSED = ("pixel_decoder.conv_layers.2.", "pixel_decoder.norms.2.",
           "text_encoder.text_projection.", "neck.fpn_layers.3.")


def demo_config():
    """Sam3Config of 4.0 million parameters."""
    hidden = 64
    block = dict(hidden_size=hidden, num_attention_heads=4, dropout=0.0)
    return Sam3Config(
        vision_config=dict(
            backbone_config=dict(
                model_type="sam3_vit_model", hidden_size=128,
                intermediate_size=512, num_hidden_layers=6,
                num_attention_heads=4, image_size=IMAGE_SIZE,
                patch_size=PATCH_SIZE, window_size=8,
                global_attn_indexes=[1, 3, 5], pretrain_image_size=112),
            fpn_hidden_size=hidden, scale_factors=[4.0, 2.0, 1.0, 0.5],
            backbone_feature_sizes=[[4 * GRID] * 2, [2 * GRID] * 2, [GRID] * 2]),
        text_config=dict(
            model_type="clip_text_model", vocab_size=49408, hidden_size=32,
            intermediate_size=128, projection_dim=32, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=32,
            hidden_act="gelu", bos_token_id=49406, eos_token_id=49407,
            pad_token_id=49407),
        geometry_encoder_config=dict(num_layers=1, intermediate_size=256, **block),
        detr_encoder_config=dict(num_layers=2, intermediate_size=256, **block),
        detr_decoder_config=dict(num_layers=3, num_queries=36,
                                 intermediate_size=256, **block),
        mask_decoder_config=dict(num_upsampling_stages=3, **block))


class WordTable(nn.Module):
    """Token table with trained rows for known words only.

    Every other id shares one row of zeros, which the model learns to read as
    "a word that names nothing here". Zeros also compress well.
    """

    def __init__(self, ids, width, vocab_size):
        super().__init__()
        self.ids = sorted(ids)
        row_of_id = torch.zeros(vocab_size, dtype=torch.long)
        row_of_id[self.ids] = torch.arange(1, len(self.ids) + 1)
        self.register_buffer("row_of_id", row_of_id, persistent=False)
        self.rows = nn.Embedding(len(self.ids) + 1, width, padding_idx=0)
        nn.init.normal_(self.rows.weight, std=0.5)
        with torch.no_grad():
            self.rows.weight[0] = 0

    @property
    def weight(self):
        return self.rows.weight

    def forward(self, ids):
        return self.rows(self.row_of_id[ids])


def build(known_ids):
    """A Sam3Model with a WordTable and initial weights that can be trained."""
    config = demo_config()
    model = Sam3Model(config)
    _initialise(model)
    embeddings = model.text_encoder.text_model.embeddings
    embeddings.token_embedding = WordTable(
        known_ids, config.text_config.hidden_size, config.text_config.vocab_size)
    # The backward pass of scaled dot product attention is the slower one in
    # bf16 on a CPU.
    model.set_attn_implementation("eager")
    for part in ("geometry_encoder_config", "detr_encoder_config",
                 "detr_decoder_config", "mask_decoder_config"):
        getattr(config, part)._attn_implementation = "eager"
    model.vision_encoder.neck.to(memory_format=torch.channels_last)
    model.mask_decoder.to(memory_format=torch.channels_last)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not any(part in name for part in _UNUSED))
    return model


_TABLE = "text_encoder.text_model.embeddings.token_embedding."


def published_state(state, table):
    """State dict in the layout of the checkpoint: the whole token table."""
    state = dict(state)
    rows = state.pop(_TABLE + "rows.weight")
    whole = torch.zeros(len(table.row_of_id), rows.shape[1], dtype=rows.dtype)
    whole[table.ids] = rows[1:]
    state[_TABLE + "weight"] = whole
    return state


def trainable_state(state, table):
    """The inverse of published_state."""
    state = {name: value.float() for name, value in state.items()}
    whole = state.pop(_TABLE + "weight")
    state[_TABLE + "rows.weight"] = torch.cat(
        [whole.new_zeros(1, whole.shape[1]), whole[table.ids]])
    return state


_DETECTOR = "detector_model."


def load_detector(folder):
    """The detector's tensors, as stored, of a folder that holds it alone or
    with the head for single objects."""
    state = load_file(f"{folder}/model.safetensors")
    if not any(name.startswith(_DETECTOR) for name in state):
        return state
    return {name.removeprefix(_DETECTOR): value for name, value in state.items()
            if name.startswith(_DETECTOR)}


def write_tensors(folder, state):
    """model.safetensors in fp16, whole at every moment."""
    temporary = folder / "model.safetensors.part"
    save_file({n: v.half().contiguous() for n, v in state.items()}, temporary,
              metadata={"format": "pt"})
    temporary.rename(folder / "model.safetensors")


def write_config(folder, config, architectures):
    document = config.to_dict()
    document.update(architectures=architectures, dtype="float16")
    (folder / "config.json").write_text(
        json.dumps(document, indent=1, default=str) + "\n")


@torch.no_grad()
def initialise_layers(model):
    """The reference's std of 0.02 is far too small for widths of 32 to 128."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, a=1.0)
        elif isinstance(module, nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=module.in_channels ** -0.5)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@torch.no_grad()
def _initialise(model):
    initialise_layers(model)
    # Residual branches of the vision transformer start small.
    for layer in model.vision_encoder.backbone.layers:
        layer.attention.o_proj.weight.mul_(0.5)
        layer.mlp.fc2.weight.mul_(0.5)
    decoder, geometry = model.detr_decoder, model.geometry_encoder
    nn.init.zeros_(decoder.box_head.layer3.weight)
    nn.init.zeros_(decoder.box_head.layer3.bias)
    for embedding, std in (
            (decoder.query_embed.weight, 0.5),
            (decoder.presence_token.weight, 0.5),
            (geometry.label_embed.weight, 0.5), (geometry.cls_embed.weight, 0.5),
            (model.vision_encoder.backbone.embeddings.position_embeddings, 0.1),
            (model.text_encoder.text_model.embeddings.position_embedding.weight,
             0.1)):
        nn.init.normal_(embedding, std=std)
    # Anchors on a grid, a quarter of the picture wide.
    queries = torch.arange(decoder.reference_points.weight.shape[0])
    side = math.ceil(math.sqrt(len(queries)))
    quarter = torch.full((len(queries),), 0.25)
    decoder.reference_points.weight.copy_(torch.logit(torch.stack(
        [(queries % side + 0.5) / side, (queries // side + 0.5) / side,
         quarter, quarter], 1)))


@dataclasses.dataclass
class Batch:
    """B pictures and N prompts on them.

    pixels [B, 3, S, S] float, image_index [N], input_ids and attention_mask
    [N, 32], boxes [N, MAX_BOXES, 4] cxcywh 0..1, box_labels [N, MAX_BOXES] with
    1, 0 or NO_BOX; targets: for each prompt the boxes [T, 4] cxcywh and masks
    [T, MASK_SIZE, MASK_SIZE] 0..1 of what it should find.
    """

    pixels: torch.Tensor
    image_index: torch.Tensor
    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    boxes: torch.Tensor
    box_labels: torch.Tensor
    targets: list


@dataclasses.dataclass
class Outputs:
    """L decoder layers, N prompts, Q queries, M <= N prompts with masks.

    logits [L, N, Q], boxes [L, N, Q, 4] cxcywh 0..1, presence [L, N],
    masks [M, Q, h, w] and semantic [M, h, w] logits.
    """

    logits: torch.Tensor
    boxes: torch.Tensor
    presence: torch.Tensor
    masks: torch.Tensor
    semantic: torch.Tensor


def forward(model, batch, vision, geometry_rows, mask_rows):
    """Sam3Model.forward for many prompts on shared pictures, all decoder layers.

    vision         what model.vision_encoder(batch.pixels) gave
    geometry_rows  [N] bool: prompts that see the geometry encoder's tokens. A
                   prompt without boxes may go with them or without: masking all
                   of them equals the reference's text-only forward
    mask_rows      indexes of the prompts whose masks are computed
    """
    device = batch.pixels.device.type
    level = vision.fpn_hidden_states[2][batch.image_index]
    position = vision.fpn_position_encoding[2][batch.image_index]
    # Cutting masked padding is exact.
    length = int(batch.attention_mask.sum(1).max())
    attention_mask = batch.attention_mask[:, :length]
    text = model.get_text_features(
        input_ids=batch.input_ids[:, :length], attention_mask=attention_mask,
        return_dict=True).pooler_output
    # Boxes need more digits than bf16 has.
    with torch.autocast(device, enabled=False):
        geometry = model.geometry_encoder(
            box_embeddings=batch.boxes, box_mask=batch.box_labels != NO_BOX,
            box_labels=batch.box_labels.clamp(min=0), img_feats=[level.float()],
            img_pos_embeds=[position.float()])
    prompt = torch.cat([text.float(), geometry.last_hidden_state], 1)
    prompt_mask = torch.cat(
        [attention_mask.bool(),
         geometry.attention_mask & geometry_rows[:, None]], 1)
    encoded = model.detr_encoder(
        vision_features=[level], text_features=prompt,
        vision_pos_embeds=[position], text_mask=prompt_mask)
    with torch.autocast(device, enabled=False):
        decoded = model.detr_decoder(
            vision_features=encoded.last_hidden_state.float(),
            text_features=encoded.text_features.float(),
            vision_pos_encoding=encoded.pos_embeds_flattened.float(),
            text_mask=prompt_mask, spatial_shapes=encoded.spatial_shapes)
        queries = decoded.intermediate_hidden_states
        boxes = (inverse_sigmoid(decoded.reference_boxes.float()) +
                 model.detr_decoder.box_head(queries)).sigmoid()
        logits = model.dot_product_scoring(
            decoder_hidden_states=queries,
            text_features=encoded.text_features.float(),
            text_mask=prompt_mask).squeeze(-1)
    rows = batch.image_index[mask_rows]
    masks = model.mask_decoder(
        decoder_queries=queries[-1][mask_rows],
        backbone_features=[f[rows] for f in vision.fpn_hidden_states[:2]] +
        [level[mask_rows]],
        encoder_hidden_states=encoded.last_hidden_state[mask_rows],
        prompt_features=prompt[mask_rows], prompt_mask=prompt_mask[mask_rows])
    return Outputs(logits.float(), boxes, decoded.presence_logits.squeeze(-1).float(),
                   masks.pred_masks.float(), masks.semantic_seg[:, 0].float())
