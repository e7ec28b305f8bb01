"""Trains the demo model's head for single objects on a trained detector.

    python -m torch.distributed.run --nproc-per-node 2 \\
        -m inference.demo_model.training.train_clicks OUT --detector FOLDER

The detector stays as it is, bit for bit: the head shares its frozen trunk. OUT
gets config.json, model.safetensors (fp16) and evaluation.json of both, and log.txt
every few minutes, so that a stopped run leaves what it had.
"""

import argparse
import json
import pathlib

import torch
from safetensors.torch import load_file

from inference.demo_model.training import (click_losses, click_network, clicks,
                                           evaluate_clicks, network)
from inference.demo_model.training.loop import TrainingLoop, run_processes

_FIRST_PICTURES = 400
_PROMPTS_PER_PICTURE = 8
_LENGTHS = (0.5, 0.36, 0.14)  # how often the first prompts have 1, 2, 3 tokens
_SHARES = (1, 0.35, 0.2)  # of the prompts: with 0, 1, 2 corrections


class ClickTraining(TrainingLoop):
    """One process's share of a run."""

    warm_up_steps = 50

    def __init__(self, arguments):
        super().__init__(arguments)
        self.detector = network.load_detector(arguments.detector)
        figures = pathlib.Path(arguments.detector) / "evaluation.json"
        self.known = json.loads(figures.read_text()) if figures.exists() else {}
        self.model = click_network.build(self.detector)
        if arguments.init:
            self._start_from(load_file(f"{arguments.init}/model.safetensors"))
        self.probe = click_losses.CellProbe(self.model.hidden_dim)
        self.remember_average()
        self.pictures = clicks.Pictures(
            self.rng, self.model.vision_encoder, arguments.pool)

    def _start_from(self, stored):
        state = self.model.state_dict()
        for name in state:
            if outside := click_network.published_name(name):
                state[name] = stored[outside].float()
        self.model.load_state_dict(state)

    def run(self):
        self.model.eval()
        while self.pictures.size() < _FIRST_PICTURES:
            self.pictures.add(10)
        self.run_phase(self.arguments.minutes, self._loss,
                       [*self.model.named_parameters(),
                        *(("dense." + n, p)
                          for n, p in self.probe.named_parameters())],
                       vision_scale=0.5)
        self.save(self.arguments.pictures)

    def write_folder(self):
        state = click_network.published_state(self.average, self.detector)
        network.write_tensors(self.out, state)
        network.write_config(self.out, click_network.demo_config(),
                             ["Sam3Model", "Sam3TrackerModel"])
        written = network.load_detector(self.out)
        assert written.keys() == self.detector.keys() and all(
            torch.equal(written[n], v) for n, v in self.detector.items())

    def measure(self, formats, pictures):
        return {name: {**self.known.get(name, {}),
                       "objects": evaluate_clicks.evaluate(
                           self.model, evaluate_clicks.held_out(pictures, ratio))}
                for name, ratio in formats.items()}

    def _loss(self, progress):
        del progress
        self.pictures.add(self.arguments.new_pictures_a_step)
        pictures = self.pictures.draw(self.arguments.pictures_a_step)
        features = click_network.encode(
            self.model, torch.stack([p.hidden for p in pictures]).float(),
            torch.stack([p.finest for p in pictures]).float())
        # One length a step: a batch of several would be several batches.
        tokens = self.rng.choices((1, 2, 3), _LENGTHS)[0]
        prompts = [clicks.first_prompt(self.rng, pictures, index, tokens)
                   for index in range(len(pictures))
                   for _ in range(_PROMPTS_PER_PICTURE)]
        total, parts = 0, {}
        for share in _SHARES:
            self.rng.shuffle(prompts)
            prompts = prompts[:round(share * len(pictures) * _PROMPTS_PER_PICTURE)]
            masks, coverage = self._answer(features, pictures, prompts)
            present = torch.tensor([p.target is not None for p in prompts])
            loss, own = click_losses.click_loss(masks, coverage, present)
            loss = loss + 4 * self.probe.loss(masks.cells, coverage)
            total = total + share * loss / sum(_SHARES)
            parts = parts or own
            prompts = self._corrected(prompts, masks, coverage)
        return total, {**parts, "last_iou": own["chosen_iou"]}

    def _answer(self, features, pictures, group):
        """Masks of prompts of one length, and what they should be."""
        tokens = torch.tensor([p.tokens() for p in group], dtype=torch.float)
        empty = torch.zeros((network.MASK_SIZE,) * 2)
        masks = click_network.decode(
            self.model, features, torch.tensor([p.picture for p in group]),
            tokens[..., 2].long(), tokens[..., :2],
            torch.stack([empty if p.earlier is None else p.earlier
                         for p in group]),
            torch.tensor([p.earlier is not None for p in group]))
        coverage = torch.stack([
            empty if p.target is None else pictures[p.picture].coverage[p.target]
            for p in group])
        return masks, coverage

    def _corrected(self, group, masks, coverage):
        """The prompts of objects with one more click each."""
        logits = masks.logits.detach()
        chosen = masks.chosen()
        following = []
        for row, prompt in enumerate(group):
            if prompt.target is None:
                continue
            mask = 0 if self.rng.random() < 0.5 else chosen[row]
            following.append(clicks.corrected(self.rng, prompt, coverage[row],
                                              logits[row, mask]))
        return following


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--detector", required=True,
                        help="folder of the trained detector")
    parser.add_argument("--init", help="folder of a trained head to start from")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--pictures-a-step", type=int, default=4,
                        help="of each process")
    parser.add_argument("--new-pictures-a-step", type=int, default=2,
                        help="of each process")
    parser.add_argument("--pool", type=int, default=4000,
                        help="pictures that each process keeps")
    parser.add_argument("--pictures", type=int, default=200,
                        help="held-out pictures of each format, at the end")
    parser.add_argument("--pictures-on-the-way", type=int, default=10,
                        help="the same, whenever it saves")
    parser.add_argument("--save-minutes", type=float, default=15)
    run_processes(ClickTraining, parser)


if __name__ == "__main__":
    main()
