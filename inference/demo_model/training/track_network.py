"""The tiny memory of videos: first weights, and a forward pass of many objects
through clips of one length."""

import dataclasses

import torch
import torch.nn.functional as F
from torch import nn
from transformers import Sam3TrackerVideoConfig, Sam3TrackerVideoModel

from inference.demo_model.training import click_network, network
from inference.demo_model.training.network import GRID, IMAGE_SIZE, MASK_SIZE

# The memory's own tensors; the others are the head's for single objects, and
# no_memory_embedding too: pictures have it as well.
MEMORY = ("memory_attention.", "memory_encoder.", "memory_temporal",
          "object_pointer_proj.", "no_object_pointer", "no_memory_positional",
          "mask_downsample.", "temporal_positional", "occlusion_spatial")
_MEMORY_SIDE = 4 * MASK_SIZE
_NOT_A_POINT = -1


class DemoTracker(Sam3TrackerVideoModel):
    """The reference's class, which leaves pointers with a dimension too many
    where, as here, each is one token of the memory."""

    def _get_object_pointers(self, *arguments, **keywords):
        offsets, pointers, most = super()._get_object_pointers(
            *arguments, **keywords)
        return offsets, [pointer.flatten(0, -2) for pointer in pointers], most


def load(folder):
    """A DemoTracker with what transformers reads from a folder; it finds the
    trunk for classes of its own only."""
    reference = Sam3TrackerVideoModel.from_pretrained(folder, dtype=torch.float32)
    model = DemoTracker(reference.config).eval()
    model.load_state_dict(reference.state_dict())
    return model


def is_memory(name):
    """Whether a tensor of Sam3TrackerVideoModel, or of a whole folder, is of the
    memory."""
    return name.removeprefix("tracker_model.").startswith(MEMORY)


def build(stored):
    """A DemoTracker on the tensors of a folder that was trained for
    clicks; the memory is new unless the folder has one. Only it is trained."""
    config = click_network.demo_config().tracker_config.to_dict()
    model = DemoTracker(Sam3TrackerVideoConfig(**config))
    known = {}
    for name in model.state_dict():
        outside = click_network.published_name(name) or "detector_model." + name
        if outside in stored:
            known[name] = stored[outside].float()
    _initialise(model)
    model.load_state_dict(known, strict=False)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(is_memory(name))
    return model


@torch.no_grad()
def _initialise(model):
    for module in (model.memory_attention, model.memory_encoder,
                   model.object_pointer_proj,
                   model.temporal_positional_encoding_projection_layer):
        network.initialise_layers(module)
    for layer in model.memory_attention.layers:
        # What is added to the frame's features starts small.
        for branch in (layer.self_attn.o_proj, layer.cross_attn_image.o_proj,
                       layer.linear2):
            branch.weight.mul_(0.3)
        # Like attends to like before anything is learnt.
        layer.self_attn.k_proj.weight.copy_(layer.self_attn.q_proj.weight)
    for block in model.memory_encoder.memory_fuser.layers:
        block.scale.fill_(0.3)
    for parameter in (model.memory_temporal_positional_encoding,
                      model.no_object_pointer, model.no_memory_positional_encoding,
                      model.occlusion_spatial_embedding_parameter):
        nn.init.normal_(parameter, std=0.1)
    # The average of sixteen pixels, as a logit.
    model.mask_downsample.weight.fill_(20 / 16)
    model.mask_downsample.bias.fill_(-10)


@torch.no_grad()
def see(model, pixels):
    """click_network.Features of pictures [B, 3, IMAGE_SIZE, IMAGE_SIZE]."""
    hidden = model.vision_encoder.backbone(pixels).last_hidden_state
    hidden = hidden.transpose(1, 2).unflatten(2, (GRID,) * 2)
    finest = model.vision_encoder.neck.fpn_layers[0](hidden)
    return click_network.encode(model, hidden, finest)


@dataclasses.dataclass
class _Memory:
    """What N objects remember of a frame: maps [GRID * GRID, N, 64] and pointers
    [N, C]."""

    frame: int
    described: bool
    map: torch.Tensor
    pointer: torch.Tensor


class Follower:
    """N objects of B clips, described on the first frame, perhaps on later ones
    too, and else followed. One call a frame; keeps the gradient all the way
    back."""

    def __init__(self, model, clips):
        """clips [N]: which clip of the batch each object is in."""
        self._model, self._clips, self._frame = model, clips, 0
        self._memories = []
        width = model.hidden_dim
        size = torch.Size([1, width, GRID, GRID])
        encode = model.vision_encoder.neck.position_encoding
        place = lambda shape, how: how(shape, clips.device, torch.float32)
        self._places = place(size, encode).flatten(2).permute(2, 0, 1)
        self._memory_places = place(
            torch.Size([1, model.mem_dim, GRID, GRID]),
            model.memory_encoder.position_encoding).flatten(2).permute(2, 0, 1)

    def start_from_masks(self, features, masks):
        """masks [N, MASK_SIZE, MASK_SIZE] of 0 and 1."""
        given = F.interpolate(masks[:, None], (IMAGE_SIZE,) * 2, mode="bilinear",
                              antialias=True)
        earlier = F.interpolate(self._model.mask_downsample(given),
                                (MASK_SIZE,) * 2, mode="bilinear", antialias=True)
        found = self._decode(features, features.coarse[self._clips], earlier)
        sure = F.interpolate(given, (_MEMORY_SIDE,) * 2, mode="bilinear",
                             antialias=True).round()
        self._remember(features, sure, found, masks.flatten(1).amax(1), True)

    def start_from_clicks(self, features, places):
        """places [N, 2] x, y 0..1. Returns click_network.Masks."""
        coarse = features.coarse[self._clips] + self._model.no_memory_embedding
        kinds = torch.full((len(places), 1), click_network.POSITIVE,
                           device=places.device)
        found = self._decode(features, coarse, None, places[:, None], kinds)
        self._remember(features, (_large(found) > 0).float(), found,
                       (found.present > 0).float(), True)
        return found

    def follow(self, features):
        """click_network.Masks on the next frame."""
        found = self._decode(features, self._attend(features), None)
        self._remember(features, _large(found).sigmoid(), found,
                       (found.present > 0).float(), False)
        return found

    def _decode(self, features, coarse, earlier, places=None, kinds=None):
        count, device = len(self._clips), self._clips.device
        if places is None:
            places = torch.zeros(count, 1, 2, device=device)
            kinds = torch.full((count, 1), _NOT_A_POINT, device=device)
        own = click_network.Features(
            coarse, features.middle[self._clips], features.fine[self._clips])
        return click_network.decode(
            self._model, own, torch.arange(count, device=device), kinds, places,
            None if earlier is None else earlier[:, 0],
            torch.full((count,), earlier is not None, device=device))

    def _remember(self, features, masks, found, present, described):
        """masks [N, 1, side, side] of 0..1; present [N] of 0 and 1."""
        model = self._model
        picture = features.coarse[self._clips].transpose(1, 2).unflatten(
            2, (GRID,) * 2)
        maps, _ = model.memory_encoder(picture, masks * 20 - 10)
        maps = maps.flatten(2).permute(2, 0, 1)
        gone = (1 - present)[:, None]
        maps = maps + gone * model.occlusion_spatial_embedding_parameter
        rows = torch.arange(len(present), device=present.device)
        pointer = model.object_pointer_proj(found.tokens[rows, found.chosen()])
        pointer = pointer * present[:, None] + gone * model.no_object_pointer
        self._memories.append(_Memory(self._frame, described, maps, pointer))
        self._frame += 1

    def _attend(self, features):
        model, frame = self._model, self._frame
        maps, places, pointers, distances = [], [], [], []
        for memory in self._memories:
            age = frame - memory.frame
            if memory.described or age < model.num_maskmem:
                # Described frames have the last time code.
                row = model.num_maskmem - 1 if memory.described else age - 1
                maps.append(memory.map)
                times = model.memory_temporal_positional_encoding[row]
                places.append((self._memory_places + times).expand_as(memory.map))
            if (memory.described or
                    age < model.config.max_object_pointers_in_encoder):
                pointers.append(memory.pointer)
                distances.append(age)
        times = self._pointer_times(torch.tensor(
            distances, dtype=torch.float, device=self._clips.device))
        split = model.hidden_dim // model.mem_dim
        tokens = torch.stack(pointers).unflatten(2, (split, model.mem_dim))
        tokens = tokens.transpose(1, 2).flatten(0, 1)
        times = times.repeat_interleave(split, 0)[:, None].expand_as(tokens)
        seen = model.memory_attention(
            current_vision_features=features.coarse[self._clips].transpose(0, 1),
            current_vision_position_embeddings=self._places,
            memory=torch.cat([*maps, tokens]),
            memory_posision_embeddings=torch.cat([*places, times]),
            num_object_pointer_tokens=len(tokens))
        return seen[0]

    def _pointer_times(self, distances):
        """As the reference has them: [P, 64]."""
        model = self._model
        # Concepts of a stream count the frames so far.
        window = min(self._frame + 1, model.config.max_object_pointers_in_encoder)
        half = model.hidden_dim // 2
        index = torch.arange(half, device=distances.device)
        period = 10000 ** (2 * (index // 2) / half)
        angle = (distances / (window - 1))[:, None] / period
        return model.temporal_positional_encoding_projection_layer(
            torch.cat([angle.sin(), angle.cos()], -1))


def _large(found):
    """The chosen masks' logits, [N, 1, side, side]."""
    rows = torch.arange(len(found.logits), device=found.logits.device)
    return F.interpolate(found.logits[rows, found.chosen()][:, None],
                         (_MEMORY_SIDE,) * 2, mode="bilinear")
