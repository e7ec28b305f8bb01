"""Tests of the demo model's training code, and of the weights that it made.

    PYTHONPATH=. python tests/inference/demo_model/training_test.py
"""

import random
import unittest

import numpy as np
import torch
from transformers import CLIPTokenizer, Sam3Model

from inference.demo_model.training import (evaluate, losses, network, optimizer,
                                           prompts, scenes)

DEMO = "inference/demo_model"


def tiny_batch(texts, tokenizer, boxes, labels):
    """Prompts on one noisy picture."""
    words = tokenizer(texts, padding="max_length", max_length=32,
                      return_tensors="pt")
    pixels = torch.rand(1, 3, network.IMAGE_SIZE, network.IMAGE_SIZE) * 2 - 1
    return network.Batch(pixels, torch.zeros(len(texts), dtype=torch.long),
                         words.input_ids, words.attention_mask, boxes, labels, [])


class ScenesTest(unittest.TestCase):

    def test_same_seed_same_scene(self):
        a, b = (scenes.make_scene(random.Random(5)) for _ in range(2))
        self.assertTrue(np.array_equal(a.image, b.image))
        self.assertEqual([o.kind for o in a.objects], [o.kind for o in b.objects])

    def test_aspect_ratio_is_the_picture_s(self):
        for ratio in (0.5, 1.0, 16 / 9):
            height, width = scenes.make_scene(random.Random(1), ratio).image.shape[:2]
            self.assertAlmostEqual(width / height, ratio, delta=0.02 * ratio)

    def test_shapes_keep_their_proportions_in_wide_pictures(self):
        rng, measured = random.Random(2), 0
        for _ in range(60):
            scene = scenes.make_scene(rng, aspect_ratio=2.0)
            for seen in scene.objects:
                if seen.shape != "ring" or seen.mask.sum() < seen.full_area:
                    continue
                x0, y0, x1, y1 = seen.box()
                if min(x0, y0) <= 0 or max(x1, y1) >= 1:
                    continue
                height, width = scene.image.shape[:2]
                proportion = (x1 - x0) * width / ((y1 - y0) * height)
                self.assertTrue(0.8 < proportion < 1.25, proportion)
                measured += 1
        self.assertGreater(measured, 5)

    def test_masks_do_not_overlap_and_show_the_colour(self):
        rng = random.Random(3)
        for _ in range(30):
            scene = scenes.make_scene(rng)
            self.assertLessEqual(sum(o.mask.astype(int) for o in scene.objects).max(), 1)
            for seen in scene.objects:
                red, green, blue = np.median(scene.image[seen.mask], axis=0)
                if seen.color == "red":
                    self.assertGreater(red, max(green, blue) + 40)
                if seen.color == "green":
                    self.assertGreater(green, max(red, blue))


class PromptsTest(unittest.TestCase):

    def setUp(self):
        rng = random.Random(7)
        self.asked = []
        for _ in range(300):
            objects = scenes.make_scene(rng).objects
            self.asked += [(objects, prompts.random_prompt(rng, objects))
                           for _ in range(3)]

    def test_absent_things_have_no_targets_and_the_others_have(self):
        for _, prompt in self.asked:
            if prompt.kind.startswith("absent"):
                self.assertEqual(prompt.targets, [])
            elif prompt.kind != "text_and_negative":
                self.assertTrue(prompt.targets, prompt)

    def test_colours_in_a_phrase_are_those_of_its_targets(self):
        for objects, prompt in self.asked:
            named = [c for c in scenes.COLORS if c in prompt.text.split()]
            if prompt.kind == "text" and named:
                wanted = [i for i, o in enumerate(objects) if o.color == named[0]]
                self.assertLessEqual(set(prompt.targets), set(wanted))

    def test_negative_boxes_show_what_is_not_wanted(self):
        seen = 0
        for objects, prompt in self.asked:
            for (cx, cy, w, h), label in prompt.boxes:
                overlaps = []
                for o in objects:
                    x0, y0, x1, y1 = o.box()
                    overlaps.append(abs((x0 + x1) / 2 - cx) + abs((y0 + y1) / 2 - cy) +
                                    abs(x1 - x0 - w) + abs(y1 - y0 - h))
                nearest = int(np.argmin(overlaps))
                self.assertEqual(nearest in prompt.targets, label == 1, prompt)
                seen += label == 0
        self.assertGreater(seen, 10)


class NetworkTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        torch.manual_seed(0)
        cls.tokenizer = CLIPTokenizer(f"{DEMO}/vocab.json", f"{DEMO}/merges.txt")
        cls.known = sorted(set(cls.tokenizer("red circle visual").input_ids))
        cls.model = network.build(cls.known).eval()

    def test_forward_equals_the_reference(self):
        unused = network.NO_BOX
        batch = tiny_batch(
            ["red circle", "visual"], self.tokenizer,
            torch.tensor([[[0.0] * 4] * 3,
                          [[0.3, 0.4, 0.2, 0.3], [0.7, 0.6, 0.2, 0.1], [0.0] * 4]]),
            torch.tensor([[unused] * 3, [1, 0, unused]]))
        with torch.no_grad():
            vision = self.model.vision_encoder(batch.pixels)
            ours = network.forward(self.model, batch, vision,
                                   torch.tensor([False, True]), torch.tensor([0, 1]))
            for row in range(2):
                inputs = {"input_ids": batch.input_ids[row:row + 1],
                          "attention_mask": batch.attention_mask[row:row + 1]}
                used = batch.box_labels[row] != unused
                if used.any():
                    inputs["input_boxes"] = batch.boxes[row:row + 1, used]
                    inputs["input_boxes_labels"] = batch.box_labels[row:row + 1, used]
                theirs = self.model(pixel_values=batch.pixels, **inputs)
                low, high = theirs.pred_boxes[0].split(2, -1)
                same = torch.testing.assert_close
                same(ours.logits[-1, row], theirs.pred_logits[0], atol=1e-4, rtol=1e-4)
                same(ours.boxes[-1, row, :, :2], (low + high) / 2, atol=1e-4, rtol=1e-4)
                same(ours.presence[-1, row], theirs.presence_logits[0, 0], atol=1e-4,
                     rtol=1e-4)
                same(ours.masks[row], theirs.pred_masks[0], atol=1e-3, rtol=1e-3)

    def test_the_published_layout_round_trips(self):
        table = self.model.text_encoder.text_model.embeddings.token_embedding
        published = network.published_state(self.model.state_dict(), table)
        reference = Sam3Model(network.demo_config()).state_dict()
        self.assertEqual({n: v.shape for n, v in published.items()},
                         {n: v.shape for n, v in reference.items()})
        back = network.trainable_state(published, table)
        for name, value in self.model.state_dict().items():
            self.assertTrue(torch.equal(back[name], value.float()), name)


class LossesTest(unittest.TestCase):

    def loss(self, shift):
        """Loss of outputs that are right but for boxes shifted to the side."""
        size = network.MASK_SIZE
        boxes = torch.tensor([[0.3, 0.3, 0.2, 0.2], [0.7, 0.6, 0.3, 0.2]])
        masks = torch.zeros(2, size, size)
        masks[0, :20, :20] = masks[1, 30:, 30:] = 1
        found = torch.tensor([[0.7, 0.6, 0.3, 0.2], [0.1, 0.9, 0.1, 0.1],
                              [0.3, 0.3, 0.2, 0.2]])
        found[:, 0] += shift
        outputs = network.Outputs(
            torch.tensor([[[8.0, -8.0, 8.0]]] * 3), found.expand(3, 1, 3, 4),
            torch.full((3, 1), 8.0),
            torch.stack([masks[1], torch.zeros(size, size), masks[0]])[None] * 16 - 8,
            (masks.sum(0) * 16 - 8)[None])
        total, _ = losses.detection_loss(outputs, [(boxes, masks)],
                                         torch.tensor([0]), 1)
        return total.item()

    def test_right_answers_cost_nothing_in_any_order(self):
        self.assertLess(self.loss(shift=0.0), 0.05)

    def test_wrong_boxes_cost(self):
        self.assertGreater(self.loss(shift=0.1), self.loss(shift=0.02) + 0.5)


class OptimizerTest(unittest.TestCase):

    def test_both_kinds_of_parameters_reach_a_minimum(self):
        torch.manual_seed(0)
        matrix = torch.nn.Parameter(torch.randn(32, 16))
        vector = torch.nn.Parameter(torch.randn(16))
        wanted = torch.randn(32, 16), torch.randn(16)
        optimiser = optimizer.MuonAdamW(
            [("layer.weight", matrix), ("layer.bias", vector)], 1.0,
            weight_decay=0.0)
        for step in range(400):
            optimiser.zero_grad()
            loss = ((matrix - wanted[0]) ** 2).mean() + ((vector - wanted[1]) ** 2).mean()
            loss.backward()
            optimiser.step(0.1 * (1 - step / 400))
        self.assertLess(loss.item(), 1e-3)


class ShippedWeightsTest(unittest.TestCase):
    """A sample of what inference/demo_model/README.md reports in full."""

    def test_quality(self):
        model = Sam3Model.from_pretrained(DEMO, dtype=torch.float32).eval()
        tokenizer = CLIPTokenizer(f"{DEMO}/vocab.json", f"{DEMO}/merges.txt")
        for name, ratio in evaluate.FORMATS.items():
            with self.subTest(format=name):
                figures = evaluate.evaluate(model, tokenizer,
                                            evaluate.held_out(25, ratio))
                self.assertGreater(figures["text"]["f1_mask"], 0.9, figures)
                self.assertGreater(figures["exemplar"]["f1_mask"], 0.85, figures)
                self.assertGreater(figures["absent"]["silent"], 0.95, figures)


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main()
