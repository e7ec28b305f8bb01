"""Compares the association with a second implementation on scripted scenes.

    python tests/inference/association/association_oracle.py \
        PATH_OF_association_driver
"""

import collections
import dataclasses
import json
import random
import struct
import subprocess
import sys

import numpy as np

import planning_oracle as oracle
from scripted_scenes import Scene
from stub_reference import Reference, expressible

SCENES = 200
FRAMES = 30
# Each must happen this often, or the scenes do not test it.
LEAST = 60


class Driver:

    def __init__(self, path: str):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def send(self, *parts: bytes) -> None:
        self.process.stdin.write(b"".join(parts))

    def answer(self) -> str:
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the driver has died"
        return line.decode().strip()

    def begin(self, scene: Scene) -> None:
        self.send(b"S", *(struct.pack("<f" if field.type is float else "<i",
                                      getattr(scene.options, field.name))
                          for field in dataclasses.fields(scene.options)),
                  struct.pack("<3i", scene.width, scene.height,
                              scene.hole_area))

    def plan(self, frame: int, detections, tracks) -> dict:
        self.send(b"F", struct.pack("<qii", frame, len(detections),
                                    len(tracks)))
        for seen in detections:
            self.send(struct.pack("<if", seen.name, seen.score),
                      seen.logits.tobytes())
        for seen, raw in tracks:
            self.send(struct.pack("<qf", seen.name, seen.score),
                      raw.tobytes())
        return json.loads(self.answer())

    def remove_prompt(self, prompt: int) -> list:
        self.send(b"P", struct.pack("<i", prompt))
        return json.loads(self.answer())

    def fill(self, logits: np.ndarray, area: int) -> str:
        height, width = logits.shape
        self.send(b"H", struct.pack("<3i", width, height, area),
                  logits.tobytes())
        return self.answer()

    def close(self) -> None:
        self.process.stdin.close()
        assert self.process.wait() == 0


def as_compared(plan: dict) -> dict:
    """Scores as fp32, probabilities to six digits, all else exactly."""
    outputs = [[*o[:3], float(np.float32(o[3])), round(float(o[4]), 6), *o[5:]]
               for o in plan["outputs"]]
    return {**plan, "outputs": outputs}


def tally(counts: collections.Counter, plan: dict) -> None:
    for name in ("births", "removals", "suppressed", "reconditioned"):
        counts[name] += len(plan[name])
    counts["births beyond the cap"] += plan["beyond_cap"]
    counts["births on a frame of removals"] += bool(plan["births"] and
                                                    plan["removals"])
    for name, kind in (("whole", oracle.WHOLE), ("clamped", oracle.CLAMPED),
                       ("absent", oracle.ABSENT)):
        counts[f"memory {name}"] += sum(w[1] == kind for w in plan["memory"])
    for name in ("TENTATIVE", "CONFIRMED", "LOST", "RECOVERED", "RETRACTED",
                 "ENDED"):
        counts[f"event {name}"] += sum(e[2] == getattr(oracle, name)
                                       for e in plan["events"])
    shown = {output[0] for output in plan["outputs"]}
    counts["hidden at the end of keep-alive"] += sum(
        write[0] not in shown and write[2] for write in plan["memory"])


def play(driver: Driver, seed: int, counts: collections.Counter) -> str | None:
    """What differs first in one scene, if anything."""
    scene = Scene(seed)
    planner = oracle.Oracle(scene.options)
    reference = Reference(scene) if expressible(scene.options) else None
    counts["scenes with the reference"] += reference is not None
    driver.begin(scene)
    frame = scene.dice.choice((0, 0, 5))
    for step in range(FRAMES):
        scene.step()
        detections = scene.detections()
        tracks = scene.tracks(planner.alive)
        ours = driver.plan(frame, detections, tracks)
        filled = [seen for seen, _ in tracks]
        expected = planner.plan(frame, detections, filled)
        if as_compared(ours) != as_compared(expected):
            parts = [f"{key}: ours {ours[key]}, expected {expected[key]}"
                     for key in expected if ours[key] != expected[key]]
            return f"scene {seed}, frame {frame}: " + "; ".join(parts)
        if reference is not None:
            wrong = reference.compare(frame, detections, tracks, expected)
            if wrong:
                return f"scene {seed}, frame {frame}, reference: {wrong}"
        tally(counts, expected)
        scene.born(expected["births"])
        if reference is None and step == 20:
            events = driver.remove_prompt(7)
            if events != planner.remove_prompt(7):
                return f"scene {seed}: a prompt's removal"
            counts["objects of a removed prompt"] += len(events)
        frame += 1 if reference else scene.dice.choice((1, 1, 1, 1, 3))
    return None


def holes(driver: Driver) -> int:
    """How many of some hundred random masks are filled differently."""
    dice = np.random.default_rng(3)
    sizes = [(288, 288)] * 4 + [tuple(dice.integers(1, 40, 2))
                                for _ in range(300)]
    wrong = 0
    for height, width in sizes:
        share = dice.choice((0.1, 0.35, 0.5, 0.65, 0.9))
        logits = np.where(dice.random((height, width)) < share, 1.5,
                          -1.5).astype(np.float32)
        logits[dice.random((height, width)) < 0.05] = 0
        area = int(dice.choice((0, 1, 2, 5, 16, 60)))
        expected = oracle.fill_holes(logits, area)
        names = np.select([expected == logits, expected > 0], ["=", "f"], "w")
        wrong += driver.fill(logits, area) != "".join(names.ravel())
    return wrong


def main() -> None:
    driver = Driver(sys.argv[1])
    counts: collections.Counter = collections.Counter()
    failures = []
    for seed in range(SCENES):
        failure = play(driver, seed, counts)
        if failure:
            failures.append(failure)
    wrong_masks = holes(driver)
    driver.close()
    print("\n".join(failures[:5]))
    print(f"{SCENES} scenes, {len(failures)} differ; {wrong_masks} masks filled "
          f"differently; {dict(counts)}")
    rare = [name for name, count in counts.items() if count < LEAST]
    assert not rare, f"the scenes hardly test {rare}"
    sys.exit(1 if failures or wrong_masks else 0)


if __name__ == "__main__":
    main()
