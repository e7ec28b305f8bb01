"""The clip of the demo, followed by the demo model: every shape keeps its number
while shapes cross, and the one that is hidden altogether gets it back.

    python demo_clip_test.py SAM3CTL
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SIDE = 480
# Where shapes are at last, in parts of the picture's side.
LAST_PLACES = {
    "red circle": [(0.86, 0.12), (0.44, 0.79)],
    "blue square": [(0.86, 0.79)],
    "star": [(0.13, 0.47)],
    "purple cross": [(0.46, 0.20)],
    "green triangle": [(0.52, 0.50)],
}
FIRST_PLACES = {
    "red circle": [(0.14, 0.12), (0.47, 0.80)],
    "blue square": [(0.10, 0.80)],
    "star": [(0.87, 0.45)],
    "purple cross": [(0.50, 0.22)],
    "green triangle": [(0.50, 0.49)],
}


def follow(ctl: str) -> list[dict]:
    """The messages of a stream that follows the clip's shapes."""
    with tempfile.TemporaryDirectory() as folder:
        clip = str(pathlib.Path(folder) / "clip.mp4")
        subprocess.run([ctl, "scene", clip], check=True, stdout=subprocess.DEVNULL)
        texts = [part for text in LAST_PLACES for part in ("--text", text)]
        done = subprocess.run(
            [ctl, "stream", clip, "--demo", "--track", "--json", *texts],
            check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


class DemoClipTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.results = [message["result"] for message in follow(sys.argv[1])
                       if "result" in message]

    def places(self, frame: int) -> dict:
        """{object: (prompt, centre of its box)} of a frame."""
        found = {}
        for result in self.results:
            if int(result.get("frameIndex", 0)) != frame:
                continue
            answer = result["result"]
            for instance in answer.get("instances", []):
                box = instance["box"]["xyxy"]
                found[instance["objectId"]] = (
                    answer["text"], (box["x0"] + box["x1"]) / 2 / SIDE,
                    (box["y0"] + box["y1"]) / 2 / SIDE)
        return found

    def expect_places(self, found: dict, expected: dict) -> dict:
        """{object: (prompt, which of the prompt's places it is at)}."""
        self.assertEqual(len(found), sum(map(len, expected.values())), found)
        shapes = {}
        for name, (prompt, x, y) in found.items():
            near = [i for i, (px, py) in enumerate(expected[prompt])
                    if abs(px - x) < 0.05 and abs(py - y) < 0.05]
            self.assertEqual(len(near), 1, (prompt, x, y))
            shapes[name] = (prompt, near[0])
        return shapes

    def test_every_shape_keeps_its_number(self):
        first = self.expect_places(self.places(0), FIRST_PLACES)
        last = self.expect_places(self.places(119), LAST_PLACES)
        self.assertEqual(first, last)

    def test_only_the_hidden_one_is_lost_and_recovered(self):
        told = {}
        for result in self.results:
            for event in result.get("objectEvents", []):
                told.setdefault(event["objectId"], []).append(event["state"])
        hidden = [name for name, (prompt, _, _) in self.places(0).items()
                  if prompt == "blue square"]
        for name, states in told.items():
            expected = ["OBJECT_STATE_CONFIRMED"]
            if name in hidden:
                expected += ["OBJECT_STATE_LOST", "OBJECT_STATE_RECOVERED"]
            self.assertEqual(states, expected)
        self.assertEqual(len(told), 6)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
