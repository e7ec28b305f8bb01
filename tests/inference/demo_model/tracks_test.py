"""Tests of the demo model's memory of videos: its training code.

    PYTHONPATH=. python tests/inference/demo_model/tracks_test.py
"""

import random
import unittest

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import Sam3TrackerVideoInferenceSession
from transformers.utils import logging

from inference.demo_model.training import clips, network, track_network

DEMO = "inference/demo_model"
SIZE, SIDE = network.MASK_SIZE, network.IMAGE_SIZE


class ClipsTest(unittest.TestCase):
    def test_the_same_state_gives_the_same_clip(self):
        one, other = (clips.make_clip(random.Random(3), 4) for _ in range(2))
        np.testing.assert_array_equal(one.frames, other.frames)
        np.testing.assert_array_equal(one.masks, other.masks)

    def test_each_pixel_is_one_shapes_and_all_begin_in_sight(self):
        moved = hidden = 0
        for seed in range(12):
            clip = clips.make_clip(random.Random(seed), 10, 1.0, 224)
            self.assertLessEqual(clip.masks.sum(1).max(), 1)
            areas = clip.masks.sum((2, 3))
            self.assertTrue((areas[0] >= 120).all())
            hidden += int((areas[1:] < 0.3 * areas[0]).any())
            moved += int((clip.masks[0] != clip.masks[-1]).any())
        self.assertGreater(moved, 9)
        self.assertGreater(hidden, 0)


class FolderTest(unittest.TestCase):
    def test_trunk_and_memory_are_the_folders(self):
        logging.set_verbosity_error()
        stored = load_file(f"{DEMO}/model.safetensors")
        state = track_network.load(DEMO).state_dict()
        for inside, outside in (
                ("vision_encoder.backbone.", "detector_model.vision_encoder.backbone."),
                ("memory_attention.", "tracker_model.memory_attention."),
                ("vision_encoder.neck.", "tracker_neck.")):
            names = [name for name in state if name.startswith(inside)]
            self.assertTrue(names)
            for name in names:
                self.assertTrue(torch.equal(
                    state[name], stored[outside + name.removeprefix(inside)].float()),
                    name)


class FollowerTest(unittest.TestCase):
    """The forward pass that is trained is the reference's."""

    @torch.no_grad()
    def test_the_first_followed_frame_equals_the_reference(self):
        logging.set_verbosity_error()
        torch.manual_seed(0)
        model = track_network.build(load_file(f"{DEMO}/model.safetensors")).eval()
        # So that the object is there.
        model.mask_decoder.pred_obj_score_head.proj_out.bias.add_(20)
        pixels = [torch.rand(1, 3, SIDE, SIDE) * 2 - 1 for _ in range(2)]
        mask = torch.zeros(1, SIZE, SIZE)
        mask[:, 10:40, 20:50] = 1

        follower = track_network.Follower(model, torch.tensor([0]))
        follower.start_from_masks(track_network.see(model, pixels[0]), mask)
        ours = follower.follow(track_network.see(model, pixels[1]))

        session = Sam3TrackerVideoInferenceSession(dtype=torch.float32)
        for picture in pixels:
            session.add_new_frame(picture)
        session.add_mask_inputs(
            session.obj_id_to_idx(0), 0,
            F.interpolate(mask[:, None], (SIDE, SIDE), mode="bilinear",
                          antialias=True))
        session.obj_with_new_inputs.append(0)
        model(session, frame_idx=0)
        theirs = model(session, frame_idx=1)

        self.assertGreater(theirs.object_score_logits.item(), 0)
        chosen = ours.logits[torch.arange(1), ours.chosen()]
        # The reference keeps memories in bf16.
        error = (chosen - theirs.pred_masks[:, 0]).abs().max()
        self.assertLess(error.item(), 0.02 * theirs.pred_masks.abs().max().item())
        self.assertAlmostEqual(ours.present.item(),
                               theirs.object_score_logits.item(), delta=0.05)


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main()
