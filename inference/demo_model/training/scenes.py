"""Synthetic pictures of coloured shapes, of any aspect ratio.

A scene is drawn in the pixels of its own picture, so that a circle is round
there, and is squashed to the model's square afterwards, as the server does.
"""

import colorsys
import dataclasses
import math
import random

import cv2
import numpy as np
from PIL import Image

SHAPES = ("circle", "square", "triangle", "star", "ring", "cross")
COLORS = ("red", "green", "blue", "yellow", "orange", "purple", "black", "white")

# Hue in degrees, saturation and value of each colour name.
_COLOR_RANGES = {
    "red": ((-6, 7), (0.78, 1), (0.62, 1)),
    "orange": ((24, 34), (0.85, 1), (0.88, 1)),
    "yellow": ((51, 61), (0.75, 1), (0.85, 1)),
    "green": ((95, 150), (0.6, 1), (0.4, 0.9)),
    "blue": ((208, 240), (0.7, 1), (0.55, 1)),
    "purple": ((272, 298), (0.55, 1), (0.45, 0.9)),
    "black": ((0, 360), (0, 0.3), (0, 0.13)),
    "white": ((0, 360), (0, 0.05), (0.94, 1)),
}

# Circumradius of a shape as a part of the square root of the picture's area,
# and how often each range is drawn.
_RADIUS_RANGES = (((0.06, 0.1), 0.28), ((0.1, 0.18), 0.44), ((0.16, 0.28), 0.28))

# Sub-pixel bits of OpenCV's drawing functions.
_SHIFT = 4


@dataclasses.dataclass
class Object:
    """One visible shape; its mask [H, W] bool is of the unsquashed picture."""

    shape: str
    color: str
    mask: np.ndarray
    full_area: int  # in pixels, what others hide included

    @property
    def kind(self):
        return self.shape, self.color

    def box(self):
        """Tight box of the visible part: x0, y0, x1, y1, each 0..1."""
        height, width = self.mask.shape
        ys = np.flatnonzero(self.mask.any(1))
        xs = np.flatnonzero(self.mask.any(0))
        return (xs[0] / width, ys[0] / height, (xs[-1] + 1) / width,
                (ys[-1] + 1) / height)


@dataclasses.dataclass
class Scene:
    """A picture [H, W, 3] uint8 RGB and the shapes on it."""

    image: np.ndarray
    objects: list

    def squashed(self, size):
        """The picture as the model gets it: [size, size, 3] uint8."""
        image = Image.fromarray(self.image)
        return np.asarray(image.resize((size, size), Image.BILINEAR))


def random_aspect_ratio(rng):
    """Width / height: square in a third of the cases, else 1:2 to 2:1."""
    return 1.0 if rng.random() < 0.33 else 2 ** rng.uniform(-1, 1)


def make_scene(rng, aspect_ratio=None, area_side=None):
    """Draws one scene with at least one object.

    rng           random.Random; the same state gives the same scene
    aspect_ratio  width / height; random when not given
    area_side     square root of the picture's area in pixels
    """
    if aspect_ratio is None:
        aspect_ratio = random_aspect_ratio(rng)
    if area_side is None:
        area_side = rng.uniform(224, 320)
    width = round(area_side * math.sqrt(aspect_ratio))
    height = round(area_side / math.sqrt(aspect_ratio))
    noise = np.random.default_rng(rng.randrange(2**31))
    while True:
        background = make_background(rng, noise, width, height)
        image, objects = _place_objects(rng, background)
        if objects:
            return Scene(photograph(rng, noise, image), objects)


def paint_color(rng, name):
    hue, saturation, value = (rng.uniform(*r) for r in _COLOR_RANGES[name])
    return np.array(
        colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value), np.float32) * 255


def make_background(rng, noise, width, height):
    """A plain, shaded, cloudy, striped or chequered picture in muted colours."""
    def muted():
        return np.array(
            colorsys.hsv_to_rgb(rng.random(), rng.random() ** 2 * 0.6,
                                rng.uniform(0.12, 0.95)), np.float32) * 255
    first, second = muted(), muted()
    side = math.sqrt(width * height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / side
    kind = rng.random()
    if kind < 0.25:
        return np.broadcast_to(first, (height, width, 3)).copy()
    if kind < 0.5:
        angle = rng.uniform(0, 2 * math.pi)
        t = math.cos(angle) * x + math.sin(angle) * y
        t = (t - t.min()) / (np.ptp(t) + 1e-6)
        contrast = 1.0
    elif kind < 0.8:
        n = rng.choice([3, 5, 9, 17, 33])
        t = cv2.resize(noise.random((n, n), np.float32), (width, height),
                       interpolation=cv2.INTER_CUBIC)
        contrast = rng.uniform(0.2, 0.8)
    elif kind < 0.92:
        angle, frequency = rng.uniform(0, math.pi), rng.uniform(4, 24)
        t = 0.5 + 0.5 * np.sin(2 * math.pi * frequency *
                               (math.cos(angle) * x + math.sin(angle) * y))
        contrast = rng.uniform(0.1, 0.5)
    else:
        cells = rng.randrange(3, 12)
        t = (np.floor(x * cells) + np.floor(y * cells)) % 2
        contrast = rng.uniform(0.1, 0.5)
    return first + (second - first) * contrast * t[..., None]


def make_outline(rng, shape, radius):
    """Points [n, 2] of the shape around the origin, and of its hole or None."""
    rotation = rng.uniform(0, 2 * math.pi)
    upright = rng.random() < 0.4
    hole = None
    if shape in ("circle", "ring"):
        t = np.linspace(0, 2 * math.pi, 48, endpoint=False)
        points = np.stack([np.cos(t), np.sin(t) * rng.uniform(0.88, 1)], 1)
        if shape == "ring":
            hole = points * rng.uniform(0.45, 0.65)
    elif shape == "square":
        aspect = rng.uniform(0.85, 1)
        points = 0.82 * np.array(
            [[-1, -aspect], [1, -aspect], [1, aspect], [-1, aspect]])
    elif shape == "triangle":
        t = np.array([k * 2 * math.pi / 3 + rng.uniform(-0.2, 0.2)
                      for k in range(3)])
        points = 1.08 * np.stack([np.cos(t), np.sin(t)], 1)
        if upright:
            rotation = -math.pi / 2 + rng.gauss(0, 0.1)
    elif shape == "star":
        t = np.arange(10) * math.pi / 5
        r = np.where(np.arange(10) % 2 == 0, 1.1, 1.1 * rng.uniform(0.36, 0.48))
        points = np.stack([np.cos(t) * r, np.sin(t) * r], 1)
        if upright:
            rotation = -math.pi / 2 + rng.gauss(0, 0.1)
    else:
        w = rng.uniform(0.26, 0.38)
        points = np.array([[-w, -1], [w, -1], [w, -w], [1, -w], [1, w], [w, w],
                           [w, 1], [-w, 1], [-w, w], [-1, w], [-1, -w], [-w, -w]])
    if shape in ("square", "cross") and upright:
        rotation = rng.gauss(0, 0.1)
    c, s = math.cos(rotation), math.sin(rotation)
    turn = radius * np.array([[c, s], [-s, c]])
    return points @ turn, None if hole is None else hole @ turn


def _kind(rng, kinds, objects, share_shape):
    if rng.random() < 0.55:
        return rng.choice(kinds)
    if objects and share_shape:
        return rng.choice(objects).shape, rng.choice(COLORS)
    return rng.choice(SHAPES), rng.choice(COLORS)


def _place_objects(rng, background):
    """Draws 1 to 8 shapes where they stay recognisable."""
    image, objects = background.copy(), []
    kinds = [(rng.choice(SHAPES), rng.choice(COLORS))
             for _ in range(rng.choice([1, 2, 2, 3]))]
    share_shape = rng.random() < 0.35
    for _ in range(rng.choice([1, 2, 3, 3, 4, 4, 5, 6, 8])):
        for _ in range(14):
            shape, color = _kind(rng, kinds, objects, share_shape)
            placed = _try_shape(rng, image, background, objects, shape, color)
            if placed is not None:
                image = placed
                break
    return image, objects


def _try_shape(rng, image, background, objects, shape, color):
    """The picture with one more shape, or None where it does not fit."""
    height, width = image.shape[:2]
    side = math.sqrt(width * height)
    (ranges, weights) = zip(*_RADIUS_RANGES)
    radius = side * rng.uniform(*rng.choices(ranges, weights)[0])
    margin = radius * 0.8
    if 2 * margin >= min(width, height):
        return None
    center = np.array([rng.uniform(margin, width - margin),
                       rng.uniform(margin, height - margin)])
    fill = paint_color(rng, color)
    x0, y0 = np.maximum(center - radius, 0).astype(int)
    x1, y1 = (center + radius).astype(int) + 1
    around = background[y0:y1, x0:x1].reshape(-1, 3).mean(0)
    if np.abs(around - fill).max() < 60:
        return None
    points, hole = make_outline(rng, shape, radius)
    fixed, coverage = rasterise(points, hole, center, width, height)
    mask = coverage > 127
    if not _leaves_others_visible(mask, color, objects):
        return None
    for other in objects:
        other.mask &= ~mask
    objects.append(Object(shape, color, mask, int(mask.sum())))
    return paint_shape(rng, image, coverage, fixed, fill, color)


def rasterise(points, hole, center, width, height):
    """The outlines in OpenCV's fixed point, and how much of each pixel is shape,
    [height, width] 0..255."""
    fixed = [np.round((p + center) * 2**_SHIFT).astype(np.int32)
             for p in (points, hole) if p is not None]
    coverage = np.zeros((height, width), np.uint8)
    for polygon, value in zip(fixed, (255, 0)):
        cv2.fillPoly(coverage, [polygon], value, cv2.LINE_AA, _SHIFT)
    return fixed, coverage


def _leaves_others_visible(mask, color, objects):
    area = int(mask.sum())
    if area < 60:
        return False
    for other in objects:
        hidden = int((mask & other.mask).sum())
        if hidden == 0:
            continue
        # Touching shapes of one colour cannot be told apart.
        if other.color == color or hidden > 0.35 * area:
            return False
        if other.mask.sum() - hidden < 0.45 * other.full_area:
            return False
    return True


def paint_shape(rng, image, coverage, outlines, fill, color):
    height, width = coverage.shape
    layer = np.broadcast_to(fill, image.shape)
    style = rng.random()
    if style < 0.25:
        horizontal = rng.random() < 0.5
        t = np.linspace(-1, 1, width if horizontal else height, dtype=np.float32)
        t = t[None, :, None] if horizontal else t[:, None, None]
        layer = np.clip(layer + t * rng.uniform(-45, 45), 0, 255)
    alpha = coverage.astype(np.float32)[..., None] / 255
    image = image * (1 - alpha) + layer * alpha
    if style > 0.8 and color != "black":
        outlined = image.clip(0, 255).astype(np.uint8)
        cv2.polylines(outlined, outlines[:1], True, (15, 15, 15), 1, cv2.LINE_AA,
                      _SHIFT)
        image = outlined.astype(np.float32)
    return image


def photograph(rng, noise, image):
    """Noise, blur and exposure."""
    if rng.random() < 0.6:
        channels = 1 if rng.random() < 0.5 else 3
        image = image + rng.uniform(2, 14) * noise.standard_normal(
            (*image.shape[:2], channels), np.float32)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.3, 1))
    if rng.random() < 0.3:
        image = (image - 128) * rng.uniform(0.85, 1.1) + 128 + rng.uniform(-10, 10)
    return image.clip(0, 255).astype(np.uint8)
