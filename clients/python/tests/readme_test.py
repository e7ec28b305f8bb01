"""Runs every example of the README against a real server."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from running_server import RunningServer, draw

from sam3_client import encode_picture

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"
REPOSITORY_README = README.parents[2] / "README.md"
PICTURE = draw(red=(10, 16, 60, 64), blue=(80, 72, 120, 88))


def examples(path):
    return re.findall(r"^```python\n(.*?)^```", path.read_text(),
                      re.MULTILINE | re.DOTALL)


class ReadmeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = RunningServer()
        cls.addClassCleanup(cls.server.stop)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        (cls.folder / "photo.jpg").write_bytes(
            encode_picture(PICTURE, "jpeg", quality=100))

    def run_example(self, code: str, **replaced: str) -> str:
        for old, new in replaced.items():
            self.assertIn(old, code)
            code = code.replace(old, new)
        self.assertIn("localhost:50051", code)
        ran = subprocess.run(
            [sys.executable, "-c",
             code.replace("localhost:50051", self.server.address)],
            capture_output=True, text=True, cwd=self.folder, timeout=120)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran.stdout

    def test_there_are_four(self):
        self.assertEqual(len(examples(README)), 4)

    def test_a_picture_by_text(self):
        told = self.run_example(examples(README)[0])
        self.assertRegex(told, r"red circle: 1\n  0\.99 at \d+,\d+\.\.60,\d+,")
        self.assertRegex(told, r"blue: 1\n.* of 12288 pixels\n$")

    def test_clicks(self):
        told = self.run_example(examples(README)[1])
        self.assertRegex(told, r"^0\.90, \d+ pixels\n0\.95, \d+ pixels\n$")

    def make_clip(self) -> pathlib.Path:
        clip = self.folder / "clip.mp4"
        subprocess.run([os.environ["SAM3CTL"], "scene", clip], check=True,
                       capture_output=True)
        return clip

    def test_objects_of_a_video(self):
        self.make_clip()
        told = self.run_example(examples(README)[3])
        lines = re.findall(r"^\d+ ([12]) (?:CONFIRMED|LOST) \d+$", told,
                           re.MULTILINE)
        self.assertEqual(lines, ["1", "2"] * 120)

    def test_a_camera(self):
        clip = self.make_clip()
        told = self.run_example(
            examples(README)[2],
            **{"VideoCapture(0)": f"VideoCapture({str(clip)!r})",
               '"latest"': '"every"'})
        self.assertEqual(len(re.findall(r"^frame \d+: \d+$", told,
                                        re.MULTILINE)), 120)
        self.assertIn("StreamSummary(frames_in=120, answered=120, dropped={}, "
                      "refused=0)", told)

    def test_the_example_of_the_repository(self):
        example, = examples(REPOSITORY_README)
        self.assertRegex(self.run_example(example), r"0\.99")


if __name__ == "__main__":
    unittest.main(verbosity=2)
