"""What the program makes of clicks on the demo model's weights, against
Sam3TrackerModel on the same weights and pixels.

    python tests/inference/demo_model/click_parity_test.py PATH_OF_sam3ctl
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from transformers import Sam3TrackerModel
from transformers.utils import logging

CTL = sys.argv[1]
DEMO = pathlib.Path(__file__).parents[3] / "inference" / "demo_model"
SIDE, WIDTH, HEIGHT = 224, 448, 336


def in_model(x: float, y: float) -> list:
    return [x * SIDE / WIDTH, y * SIDE / HEIGHT]


class ClickParityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        logging.set_verbosity_error()
        cls.model = Sam3TrackerModel.from_pretrained(
            DEMO, dtype=torch.float32, attn_implementation="eager").eval()
        cls.folder = tempfile.TemporaryDirectory()
        picture = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
        cv2.circle(picture, (150, 160), 70, (40, 40, 220), -1)
        cv2.rectangle(picture, (280, 60), (400, 250), (220, 120, 30), -1)
        cls.picture = pathlib.Path(cls.folder.name) / "a.png"
        cv2.imwrite(str(cls.picture), picture)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def ours(self, *flags: str) -> dict:
        out = pathlib.Path(self.folder.name) / "out.safetensors"
        subprocess.run([CTL, "tensors", self.picture, "--out", out, *flags],
                       check=True, stdout=subprocess.DEVNULL)
        return load_file(out)

    @torch.no_grad()
    def compare(self, ours: dict, **prompt):
        theirs = self.model(pixel_values=ours["pixel_values"][None], **prompt)
        for name, expected in (
                ("pred_masks", theirs.pred_masks[0, 0]),
                ("iou_scores", theirs.iou_scores[0, 0]),
                ("object_score_logits", theirs.object_score_logits[0, 0])):
            error = (ours[name] - expected).abs().max() / expected.abs().max()
            self.assertLess(error.item(), 2e-5, name)
        inside, expected = ours["pred_masks"] > 0, theirs.pred_masks[0, 0] > 0
        union = (inside | expected).sum((-1, -2))
        overlap = (inside & expected).sum((-1, -2)) / union.clamp(min=1)
        self.assertGreaterEqual(overlap[union > 0].min().item(), 0.999)

    def test_a_click(self):
        self.compare(self.ours("--point", "150,160"),
                     input_points=torch.tensor([[[in_model(150, 160)]]]),
                     input_labels=torch.tensor([[[1]]]))

    def test_a_single_mask(self):
        self.compare(self.ours("--point", "330,150", "--single"),
                     input_points=torch.tensor([[[in_model(330, 150)]]]),
                     input_labels=torch.tensor([[[1]]]),
                     multimask_output=False)

    def test_clicks_in_a_box(self):
        self.compare(self.ours("--point", "300,100", "--point", "150,160:neg",
                               "--box", "280,60,120,190"),
                     input_points=torch.tensor(
                         [[[in_model(300, 100), in_model(150, 160)]]]),
                     input_labels=torch.tensor([[[1, 0]]]),
                     input_boxes=torch.tensor(
                         [[in_model(280, 60) + in_model(400, 250)]]))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
