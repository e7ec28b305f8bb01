"""Synthetic clips of coloured shapes that cross, hide each other, leave the
picture and come back."""

import copy
import dataclasses
import math
import random

import numpy as np

from inference.demo_model.training import scenes


_TRIES = 40


@dataclasses.dataclass
class Clip:
    """Frames [T, H, W, 3] uint8 RGB, and of each shape what is visible of it,
    [T, O, H, W] bool."""

    frames: np.ndarray
    masks: np.ndarray

    def scene(self, frame):
        """A frame as a picture of its own, with all shapes, hidden ones too."""
        return scenes.Scene(self.frames[frame], [
            scenes.Object("", "", mask, int(mask.sum()))
            for mask in self.masks[frame]])


@dataclasses.dataclass
class _Mover:
    """A shape on its way; lengths in pixels, angles in radians a frame."""

    outline: np.ndarray
    hole: np.ndarray | None
    fill: np.ndarray
    color: str
    seed: int
    center: np.ndarray
    speed: np.ndarray
    bend: float
    spin: float
    growth: float
    age: int = 0

    def step(self, rng):
        turn = self.bend + rng.gauss(0, 0.05)
        c, s = math.cos(turn), math.sin(turn)
        self.speed = np.array([[c, -s], [s, c]]) @ self.speed
        self.center = self.center + self.speed
        self.age += 1

    def shape(self):
        angle = self.spin * self.age
        c, s = math.cos(angle), math.sin(angle)
        size = math.exp(self.growth * math.sin(0.5 * self.age))
        turn = size * np.array([[c, s], [-s, c]])
        return self.outline @ turn, None if self.hole is None else self.hole @ turn


def make_clip(rng, length, aspect_ratio=None, area_side=None, crossing=0.0):
    """A clip of 2 to 5 shapes, all of them visible on the first frame.

    rng           random.Random; the same state gives the same clip
    aspect_ratio  width / height; random when not given
    area_side     square root of a frame's area in pixels
    crossing      how often clips are sought in which a shape goes behind another
                  and comes out again
    """
    if aspect_ratio is None:
        aspect_ratio = scenes.random_aspect_ratio(rng)
    if area_side is None:
        area_side = rng.uniform(224, 280)
    width = round(area_side * math.sqrt(aspect_ratio))
    height = round(area_side / math.sqrt(aspect_ratio))
    while True:
        noise = np.random.default_rng(rng.randrange(2**31))
        back = scenes.make_background(rng, noise, width, height)
        movers = _movers(rng, back)
        if rng.random() < crossing:
            for _ in range(_TRIES):
                if _crosses(rng, movers, length):
                    break
                movers = _movers(rng, back)
        clip = _film(rng, noise, back, movers, length)
        if (clip.masks[0].reshape(len(movers), -1).sum(1) >= 120).all():
            return clip


def _crosses(rng, movers, length):
    """Whether two shapes that begin and end apart are at one place in between;
    nothing is drawn from rng."""
    state = rng.getstate()
    movers = copy.deepcopy(movers)
    ways = []
    for _ in range(length):
        ways.append([mover.center for mover in movers])
        for mover in movers:
            mover.step(rng)
    rng.setstate(state)
    ways = np.array(ways)
    sizes = [np.linalg.norm(mover.outline, axis=1).max() for mover in movers]
    for one in range(len(movers)):
        for other in range(one + 1, len(movers)):
            apart = np.linalg.norm(ways[:, one] - ways[:, other], axis=1)
            if (min(apart[0], apart[-1]) > 0.9 * (sizes[one] + sizes[other]) and
                    apart.min() < 0.5 * sizes[other]):
                return True
    return False


def _movers(rng, back):
    """Shapes of which several often look alike; each aims at another's place
    half of the time, so that they meet."""
    height, width = back.shape[:2]
    side = math.sqrt(width * height)
    kinds = [(rng.choice(scenes.SHAPES), rng.choice(scenes.COLORS))
             for _ in range(rng.choice([1, 2, 3]))]
    movers = []
    while len(movers) < rng.choice([2, 3, 3, 4, 5]):
        shape, color = rng.choice(kinds)
        fill = scenes.paint_color(rng, color)
        if np.abs(back.reshape(-1, 3).mean(0) - fill).max() < 60:
            kinds.append((rng.choice(scenes.SHAPES), rng.choice(scenes.COLORS)))
            continue
        radius = side * rng.uniform(0.09, 0.24)
        outline, hole = scenes.make_outline(rng, shape, radius)
        center = np.array([rng.uniform(0.1, 0.9) * width,
                           rng.uniform(0.1, 0.9) * height])
        if movers and rng.random() < 0.5:
            way = rng.choice(movers).center - center
            angle = math.atan2(way[1], way[0]) + rng.gauss(0, 0.2)
        else:
            angle = rng.uniform(0, 2 * math.pi)
        pace = side * rng.choice([0, rng.uniform(0, 0.03), rng.uniform(0.02, 0.09)])
        movers.append(_Mover(
            outline, hole, fill, color, rng.randrange(2**31), center,
            pace * np.array([math.cos(angle), math.sin(angle)]),
            rng.gauss(0, 0.1), rng.gauss(0, 0.08), rng.uniform(0, 0.15)))
    return movers


def _film(rng, noise, back, movers, length):
    height, width = back.shape[:2]
    look = rng.randrange(2**31)
    frames, masks = [], np.zeros((length, len(movers), height, width), bool)
    for frame in range(length):
        image = back.copy()
        for index, mover in enumerate(movers):
            points, hole = mover.shape()
            fixed, coverage = scenes.rasterise(points, hole, mover.center, width,
                                               height)
            image = scenes.paint_shape(random.Random(mover.seed), image, coverage,
                                       fixed, mover.fill, mover.color)
            masks[frame, :index] &= ~(coverage > 127)
            masks[frame, index] = coverage > 127
            mover.step(rng)
        frames.append(scenes.photograph(random.Random(look), noise, image))
    return Clip(np.stack(frames), masks)
