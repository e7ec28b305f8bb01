"""Random scenes for the association: things that move, hide, overlap, are
found and missed, and tracks that follow them, slip off and fade.

Sizes, scores and logits come from short lists, so that thresholds are met
exactly and ties are frequent.
"""

import random

import numpy as np

from planning_oracle import Options, Seen, fill_holes

SCORES = (0.3, 0.5, 0.55, 0.69, 0.7, 0.75, 0.8, 0.85, 0.9, 0.9, 0.95)
LEVELS = (0.05, 0.25, 0.5, 1.0, 2.0)
OBJECT_SCORES = (-4.0, 0.0, 0.8, 0.81, 3.0, 6.0)


def random_options(dice: random.Random) -> Options:
    options = Options()
    if dice.random() < 0.25:
        return options

    def sometimes(chance: float, field: str, *values) -> None:
        if dice.random() < chance:
            setattr(options, field, dice.choice(values))

    sometimes(0.3, "remove_in_hotstart", 0)
    sometimes(0.4, "confirmation_delay_frames", *range(1, 16))
    sometimes(0.3, "hotstart_unmatched_frames", 1, 2, 4)
    sometimes(0.3, "hotstart_duplicate_frames", 1, 2, 4)
    sometimes(0.2, "max_objects", 1, 2, 3, 4)
    sometimes(0.3, "keep_alive_initial", 1, 2, 4)
    sometimes(0.2, "keep_alive_max", 30, 31)
    sometimes(0.3, "keep_alive_counts_empty", 1)
    sometimes(0.3, "hide_at_keep_alive_end", 1)
    sometimes(0.2, "end_after_lost_frames", 1, 3, 6)
    sometimes(0.5, "recondition_period_frames", 0, 1, 3, 16)
    sometimes(0.3, "recondition_by_prompt", 1)
    sometimes(0.2, "occlusion_overlap", 0.0, 0.4)
    sometimes(0.4, "match_overlap", 0.2, 0.25, 0.5)
    sometimes(0.2, "detection_overlap", 0.0, 0.5)
    sometimes(0.2, "hotstart_frames", 8, 10)
    return options


class Thing:
    """A rectangle that moves; a ghost is found only now and then."""

    def __init__(self, dice: random.Random, width: int, height: int):
        self.prompt = dice.choice((0, 0, 0, 7))
        self.size = dice.choice((4, 5, 8, 10)), dice.choice((4, 5, 8, 10))
        self.place = [dice.uniform(0, width - 4), dice.uniform(0, height - 4)]
        self.speed = [dice.choice((-0.5, 0, 0, 0.5)) for _ in "xy"]
        self.level = dice.choice(LEVELS)
        self.found = dice.choice((0.15, 0.6, 0.9, 0.97))

    def move(self) -> None:
        for axis in (0, 1):
            self.place[axis] += self.speed[axis]


class Scene:

    def __init__(self, seed: int):
        self.dice = random.Random(seed)
        self.options = random_options(self.dice)
        self.width = self.dice.randint(15, 28)
        self.height = self.dice.randint(15, 28)
        self.hole_area = self.dice.choice((0, 1, 3, 16))
        self.things = [Thing(self.dice, self.width, self.height)
                       for _ in range(self.dice.randint(1, 5))]
        self.followed: dict[int, Thing] = {}
        self.faded: set[int] = set()
        self.origins: list[Thing] = []
        if self.dice.random() < 0.4 and len(self.things) > 1:
            # Two that meet, so that tracks lie on top of each other.
            self.things[1].prompt = self.things[0].prompt
            self.things[1].size = self.things[0].size

    def step(self) -> None:
        for thing in self.things:
            thing.move()
        if self.dice.random() < 0.05:
            a, b = self.dice.choice(self.things), self.dice.choice(self.things)
            b.place, b.speed = list(a.place), list(a.speed)

    def mask(self, thing: Thing, jitter: int) -> np.ndarray:
        logits = np.full((self.height, self.width), -1, np.float32)
        x, y = (int(p) + self.dice.randint(-jitter, jitter)
                for p in thing.place)
        w, h = (s + self.dice.randint(-jitter, jitter) for s in thing.size)
        logits[max(y, 0):max(y + h, 0), max(x, 0):max(x + w, 0)] = thing.level
        return logits

    def detections(self) -> list[Seen]:
        found: list[tuple[Seen, Thing]] = []
        for thing in self.things:
            while self.dice.random() < thing.found:
                score = np.float32(self.dice.choice(SCORES))
                found.append((Seen(thing.prompt, score,
                                   self.mask(thing, self.dice.choice((0, 1)))),
                              thing))
                if self.dice.random() < 0.7:
                    break
        # The reference's order: prompt after prompt.
        found.sort(key=lambda pair: pair[0].name)
        self.origins = [thing for _, thing in found]
        return [detection for detection, _ in found]

    def born(self, births: list[list[int]]) -> None:
        for id_, detection in births:
            self.followed[id_] = self.origins[detection]

    def tracks(self, ids: list[int]) -> list[tuple[Seen, np.ndarray]]:
        """The tracks, holes filled, and the raw logits behind them."""
        seen = []
        for id_ in ids:
            if self.dice.random() < 0.04:
                same = [t for t in self.things
                        if t.prompt == self.followed[id_].prompt]
                self.followed[id_] = self.dice.choice(same)
            if self.dice.random() < (0.3 if id_ in self.faded else 0.06):
                self.faded ^= {id_}
            raw = self.mask(self.followed[id_], self.dice.choice((0, 0, 1)))
            if id_ in self.faded:
                raw[:] = -2
            for _ in range(self.dice.choice((0, 0, 2, 5))):
                pixel = (self.dice.randrange(self.height),
                         self.dice.randrange(self.width))
                raw[pixel] = self.dice.choice((-0.5, 0.0, 0.5))
            seen.append((Seen(id_, np.float32(self.dice.choice(OBJECT_SCORES)),
                              fill_holes(raw, self.hole_area)), raw))
        return seen
