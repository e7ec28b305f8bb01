"""Tests of the demo model's head for single objects: its training code, and the
weights that it made.

    PYTHONPATH=. python tests/inference/demo_model/clicks_test.py
"""

import pathlib
import random
import tempfile
import unittest

import numpy as np
import torch
from transformers import Sam3TrackerModel
from transformers.utils import logging

from inference.demo_model.training import (click_losses, click_network, clicks,
                                           evaluate, evaluate_clicks, network,
                                           scenes)

DEMO = "inference/demo_model"
SIZE = network.MASK_SIZE


def pixel(mask, place):
    height, width = mask.shape
    return mask[min(int(place[1] * height), height - 1),
                min(int(place[0] * width), width - 1)]


class PromptsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        torch.manual_seed(0)
        rng = random.Random(8)
        vision = click_network.build(network.load_detector(DEMO)).vision_encoder
        cls.drawn = [scenes.make_scene(rng) for _ in range(12)]
        cls.pictures = clicks.look(rng, vision, cls.drawn)
        cls.asked = [clicks.first_prompt(rng, cls.pictures, i, tokens)
                     for i in range(12) for tokens in (1, 2, 3) for _ in range(40)]

    def test_clicks_are_where_they_say(self):
        seen = {kind: 0 for kind in (clicks.POSITIVE, clicks.NEGATIVE, None)}
        for prompt in self.asked:
            objects = self.drawn[prompt.picture].objects
            for place, kind in prompt.clicks:
                on = [i for i, o in enumerate(objects) if pixel(o.mask, place)]
                if prompt.target is None:
                    self.assertEqual(on, [])
                    kind = None
                else:
                    self.assertEqual(prompt.target in on, kind == clicks.POSITIVE)
                seen[kind] += 1
        self.assertGreater(min(seen.values()), 30)

    def test_boxes_are_around_their_object(self):
        boxes = 0
        for prompt in self.asked:
            if prompt.box is None:
                continue
            tight = self.drawn[prompt.picture].objects[prompt.target].box()
            sides = np.tile([tight[2] - tight[0], tight[3] - tight[1]], 2)
            self.assertLessEqual(
                (np.abs(np.subtract(prompt.box, tight)) / sides).max(), 0.26)
            boxes += 1
        self.assertGreater(boxes, 100)

    def test_prompts_have_the_tokens_that_were_asked_for(self):
        counts = [len(prompt.tokens()) for prompt in self.asked]
        self.assertEqual(counts, ([1] * 40 + [2] * 40 + [3] * 40) * 12)

    def test_corrections_go_where_the_mask_is_wrong(self):
        rng = random.Random(1)
        coverage, logits = torch.zeros(SIZE, SIZE), torch.full((SIZE, SIZE), -5.0)
        coverage[10:20, 10:30] = 1
        logits[10:20, 20:40] = 5
        prompt = clicks.Prompt(0, 0, [((0.2, 0.2), clicks.POSITIVE)])
        kinds, refined = set(), 0
        for _ in range(50):
            further = clicks.corrected(rng, prompt, coverage, logits)
            (x, _), kind = further.clicks[-1]
            self.assertEqual(len(further.clicks), 2)
            low, high = (10, 20) if kind == clicks.POSITIVE else (30, 40)
            self.assertTrue(low <= x * SIZE <= high, (x, kind))
            kinds.add(kind)
            refined += further.earlier is not None
        self.assertEqual(kinds, {clicks.POSITIVE, clicks.NEGATIVE})
        self.assertTrue(20 < refined < 50)


class NetworkTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        torch.manual_seed(0)
        logging.set_verbosity_error()
        cls.detector = network.load_detector(DEMO)
        cls.model = click_network.build(cls.detector).eval()

    @torch.no_grad()
    def test_forward_equals_the_reference(self):
        model, side = self.model, network.IMAGE_SIZE
        pixels = torch.rand(2, 3, side, side) * 2 - 1
        seen = model.vision_encoder(pixels)
        hidden = seen.last_hidden_state.transpose(1, 2).unflatten(
            2, (network.GRID,) * 2)
        features = click_network.encode(model, hidden, seen.fpn_hidden_states[0])
        embeddings = model.get_image_embeddings(pixels)
        points = torch.tensor([[[30.0, 40.0]], [[200.0, 90.5]]])
        labels = torch.tensor([[1], [0]])
        boxes = torch.tensor([[10.0, 20.0, 100.0, 120.0], [50.0, 60.0, 200.0, 90.0]])
        corners, sides = boxes.view(2, 2, 2), torch.tensor([[2, 3]] * 2)
        earlier = torch.randn(2, SIZE, SIZE) * 5
        for places, kinds, refined, arguments in (
                (points, labels, False,
                 {"input_points": points[:, None], "input_labels": labels[:, None]}),
                (points, labels, True,
                 {"input_points": points[:, None], "input_labels": labels[:, None],
                  "input_masks": earlier[:, None]}),
                (corners, sides, False, {"input_boxes": boxes[:, None]}),
                (torch.cat([points, corners], 1), torch.cat([labels, sides], 1), True,
                 {"input_points": points[:, None], "input_labels": labels[:, None],
                  "input_boxes": boxes[:, None], "input_masks": earlier[:, None]})):
            ours = click_network.decode(
                model, features, torch.arange(2), kinds, places / side, earlier,
                torch.tensor([refined] * 2))
            theirs = model(image_embeddings=embeddings, **arguments)
            same = lambda a, b: torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
            same(ours.logits[:, 1:], theirs.pred_masks[:, 0])
            same(ours.iou[:, 1:], theirs.iou_scores[:, 0])
            same(ours.present, theirs.object_score_logits[:, 0, 0])

    def test_the_written_folder_has_both_models(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            network.write_tensors(folder, click_network.published_state(
                self.model.state_dict(), self.detector))
            network.write_config(folder, click_network.demo_config(),
                                 ["Sam3Model", "Sam3TrackerModel"])
            written = network.load_detector(folder)
            self.assertEqual(written.keys(), self.detector.keys())
            for key, value in self.detector.items():
                self.assertTrue(torch.equal(written[key], value), key)
            loaded, facts = Sam3TrackerModel.from_pretrained(
                folder, dtype=torch.float32, output_loading_info=True)
            self.assertFalse(facts["missing_keys"] or facts["unexpected_keys"])
            for key, value in self.model.state_dict().items():
                self.assertTrue(torch.equal(loaded.state_dict()[key],
                                            value.half().float()), key)


class LossesTest(unittest.TestCase):

    def loss(self, shift, present=True, object_logit=8.0):
        """Loss of masks that are right but for a shift to the side."""
        coverage = torch.zeros(1, SIZE, SIZE)
        coverage[0, 20:40, 20:40] = float(present)
        logits = (coverage.roll(shift, 2) * 16 - 8)[:, None].repeat(1, 4, 1, 1)
        quality = click_losses.iou(logits, coverage > 0.5)
        masks = click_network.Masks(logits, quality, torch.tensor([object_logit]),
                                    torch.zeros(1, network.GRID ** 2, 64),
                                    torch.zeros(1, 4, 64))
        return click_losses.click_loss(masks, coverage,
                                       torch.tensor([present]))[0].item()

    def test_right_answers_cost_nothing(self):
        self.assertLess(self.loss(0), 0.05)
        self.assertLess(self.loss(0, present=False, object_logit=-8.0), 0.05)

    def test_wrong_masks_and_scores_cost(self):
        self.assertGreater(self.loss(4), self.loss(1) + 0.5)
        self.assertGreater(self.loss(0, object_logit=-8.0), 5)

    def test_only_the_nearest_of_three_learns(self):
        coverage = torch.zeros(1, SIZE, SIZE)
        coverage[0, :30, :30] = 1
        logits = torch.zeros(1, 4, SIZE, SIZE)
        logits[0, 2] = coverage * 4 - 2
        logits.requires_grad_()
        masks = click_network.Masks(logits, torch.full((1, 4), 0.5), torch.zeros(1),
                                    torch.zeros(1, network.GRID ** 2, 64),
                                    torch.zeros(1, 4, 64))
        click_losses.click_loss(masks, coverage, torch.tensor([True]))[0].backward()
        learning = logits.grad.flatten(2).abs().sum(2)[0] > 0
        self.assertEqual(learning.tolist(), [True, False, True, False])


class ShippedWeightsTest(unittest.TestCase):
    """A sample of what inference/demo_model/README.md reports in full."""

    def test_quality(self):
        logging.set_verbosity_error()
        model, facts = Sam3TrackerModel.from_pretrained(
            DEMO, dtype=torch.float32, output_loading_info=True)
        self.assertFalse(facts["missing_keys"] or facts["unexpected_keys"])
        for name, ratio in evaluate.FORMATS.items():
            with self.subTest(format=name):
                figures = evaluate_clicks.evaluate(
                    model.eval(), evaluate_clicks.held_out(15, ratio))
                self.assertGreater(figures["click"], 0.72, figures)
                self.assertGreater(figures["box"], 0.78, figures)
                self.assertGreater(figures["3_clicks"], 0.8, figures)
                self.assertGreater(figures["present"], 0.95, figures)
                self.assertGreater(figures["absent"], 0.8, figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main()
