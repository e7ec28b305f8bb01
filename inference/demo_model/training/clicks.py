"""Clicks and boxes that point out one object of a scene, with what they mean."""

import dataclasses

import cv2
import numpy as np
import torch

from inference.demo_model.training import network, scenes
from inference.demo_model.training.click_network import (
    BOTTOM_RIGHT, NEGATIVE, POSITIVE, TOP_LEFT)

_PLACES = 24  # drawn for each object and each background


@dataclasses.dataclass
class Picture:
    """One scene of O objects as the head meets it, again and again.

    hidden      [C_vit, GRID, GRID] fp16, what the trunk makes of it
    finest      [C, MASK_SIZE, MASK_SIZE] fp16, the neck's finest level
    coverage    [O, MASK_SIZE, MASK_SIZE] 0..1, how much of a cell is object
    boxes       [O, 4] x0, y0, x1, y1, each 0..1
    inside      [O, places, 2] x, y 0..1 on the object, the first its centre
    background  [places, 2] x, y 0..1 on no object, at some distance from all
    """

    hidden: torch.Tensor
    finest: torch.Tensor
    coverage: torch.Tensor
    boxes: np.ndarray
    inside: np.ndarray
    background: np.ndarray


@dataclasses.dataclass
class Prompt:
    """What a user does to point out one object.

    target is the object's index, None for what is nothing; clicks are (x, y)
    0..1 with POSITIVE or NEGATIVE; box x0, y0, x1, y1; earlier holds the logits
    [MASK_SIZE, MASK_SIZE] that it refines.
    """

    picture: int
    target: int | None
    clicks: list
    box: tuple | None = None
    earlier: torch.Tensor | None = None

    def tokens(self):
        """(x, y, kind) of each; prompts of one number go together."""
        corners = []
        if self.box is not None:
            x0, y0, x1, y1 = self.box
            corners = [(x0, y0, TOP_LEFT), (x1, y1, BOTTOM_RIGHT)]
        return [(*place, kind) for place, kind in self.clicks] + corners


@torch.no_grad()
def look(rng, vision, drawn):
    """Pictures of scenes, seen by a vision encoder."""
    pixels = np.stack([scene.squashed(network.IMAGE_SIZE) for scene in drawn])
    pixels = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    hidden = vision.backbone(pixels).last_hidden_state.transpose(1, 2)
    hidden = hidden.unflatten(2, (network.GRID,) * 2)
    finest = vision.neck.fpn_layers[0](hidden)
    return [_picture(rng, *parts)
            for parts in zip(drawn, hidden.half(), finest.half())]


def _picture(rng, scene, hidden, finest):
    coverage = np.stack([
        cv2.resize(o.mask.astype(np.float32), (network.MASK_SIZE,) * 2,
                   interpolation=cv2.INTER_AREA) for o in scene.objects])
    return Picture(
        hidden, finest, torch.from_numpy(coverage),
        np.array([o.box() for o in scene.objects], np.float32),
        np.stack([_inside_places(rng, o.mask) for o in scene.objects]),
        draw_places(rng, background(scene), _PLACES))


def _inside_places(rng, mask):
    """The centre, mostly places that are well inside, some at the very edge."""
    most = _PLACES - 5
    return np.concatenate([centre(mask)[None],
                           draw_places(rng, interior(mask), most),
                           draw_places(rng, mask, _PLACES - 1 - most)])


def interior(mask):
    """The mask without its outermost pixels, where that leaves anything."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8),
                      borderType=cv2.BORDER_CONSTANT, borderValue=1).astype(bool)
    return inner if inner.any() else mask


def centre(mask):
    """x, y 0..1 of the place that is deepest inside."""
    height, width = mask.shape
    framed = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return np.array([(x + 0.5) / width, (y + 0.5) / height], np.float32)


def background(scene):
    """Where no object is near: [H, W] bool."""
    taken = np.any([o.mask for o in scene.objects], axis=0).astype(np.uint8)
    return cv2.dilate(taken, np.ones((9, 9), np.uint8)) == 0


def draw_places(rng, mask, count):
    """x, y 0..1 of random places on a mask, [count or 0, 2] float32."""
    height, width = mask.shape
    pixels = np.flatnonzero(mask)
    if not len(pixels):
        return np.zeros((0, 2), np.float32)
    chosen = np.array([pixels[rng.randrange(len(pixels))] for _ in range(count)])
    sway = np.array([[rng.random(), rng.random()] for _ in range(count)])
    xy = np.stack([chosen % width, chosen // width], 1) + sway
    return (xy / (width, height)).astype(np.float32)


def first_prompt(rng, pictures, index, tokens):
    """One prompt of so many tokens, 1 to 3, of the mixture that the head is
    trained on."""
    picture, draw = pictures[index], rng.random()
    if tokens == 1 and draw < 0.2 and len(picture.background):
        return Prompt(index, None, [(rng.choice(picture.background), POSITIVE)])
    target = rng.randrange(len(picture.boxes))
    box = drawn_box(rng, picture.boxes[target])
    click = _place_on(rng, picture, target), POSITIVE
    if tokens == 1:
        return Prompt(index, target, [click])
    if tokens == 2 and draw < 0.7:
        return Prompt(index, target, [], box)
    other = _click_beside(rng, picture, target)
    if tokens == 2:
        return Prompt(index, target, [click, other])
    return Prompt(index, target, [other if draw < 0.3 else click], box)


def _click_beside(rng, picture, target):
    """A negative click on something else, or one more positive click."""
    others = [o for o in range(len(picture.boxes)) if o != target]
    draw = rng.random()
    if others and draw < 0.4:
        return _place_on(rng, picture, rng.choice(others)), NEGATIVE
    if len(picture.background) and draw < 0.7:
        return rng.choice(picture.background), NEGATIVE
    return _place_on(rng, picture, target), POSITIVE


def _place_on(rng, picture, target):
    places = picture.inside[target]
    return places[0] if rng.random() < 0.2 else rng.choice(places)


def drawn_box(rng, tight):
    """A box as a hand draws it: tight, a little off, or loose all around."""
    x0, y0, x1, y1 = map(float, tight)
    width, height, draw = x1 - x0, y1 - y0, rng.random()
    if draw < 0.25:
        low, high = 0.0, 0.0
    elif draw < 0.75:
        low, high = -0.08, 0.1
    else:
        low, high = 0.0, 0.25
    x0 -= rng.uniform(low, high) * width
    x1 += rng.uniform(low, high) * width
    y0 -= rng.uniform(low, high) * height
    y1 += rng.uniform(low, high) * height
    return max(x0, 0.0), max(y0, 0.0), min(x1, 1.0), min(y1, 1.0)


def corrected(rng, prompt, coverage, logits):
    """The prompt with one more click where the mask is wrong, on the object if
    it lacks something there.

    coverage  [MASK_SIZE, MASK_SIZE] 0..1 of the object
    logits    [MASK_SIZE, MASK_SIZE] that the prompt gave so far
    """
    error = (coverage - (logits > 0).float()).numpy()
    weight = np.clip(np.abs(error) - 0.5, 0, None) ** 2
    if not weight.any():
        error, weight = np.ones_like(error), coverage.numpy() ** 4
    cell = rng.choices(range(weight.size), weight.ravel().tolist())[0]
    y, x = divmod(cell, network.MASK_SIZE)
    place = np.array([x + rng.random(), y + rng.random()],
                     np.float32) / network.MASK_SIZE
    kind = POSITIVE if error[y, x] > 0 else NEGATIVE
    # Some interfaces send the clicks again without the mask.
    earlier = logits if rng.random() < 0.75 else None
    return dataclasses.replace(prompt, clicks=[*prompt.clicks, (place, kind)],
                               earlier=earlier)


class Pictures:
    """A pool of pictures in which new ones take the place of the oldest.

    The vision encoder is the dear part and what is kept of it never changes, so
    each picture goes through it once and is used several times.
    """

    def __init__(self, rng, vision, capacity):
        self._rng, self._vision, self._capacity = rng, vision, capacity
        self._pool, self._oldest = [], 0

    def size(self):
        return len(self._pool)

    def add(self, count):
        drawn = [scenes.make_scene(self._rng) for _ in range(count)]
        for picture in look(self._rng, self._vision, drawn):
            if len(self._pool) < self._capacity:
                self._pool.append(picture)
            else:
                self._pool[self._oldest] = picture
                self._oldest = (self._oldest + 1) % self._capacity

    def draw(self, count):
        return self._rng.sample(self._pool, count)
