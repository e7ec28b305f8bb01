"""Trains the demo model's memory of videos on a folder that knows clicks.

    python -m torch.distributed.run --nproc-per-node 2 \\
        -m inference.demo_model.training.train_tracker OUT --init FOLDER

Everything but the memory stays as it is, bit for bit. OUT gets config.json,
model.safetensors (fp16) and evaluation.json, and log.txt every few minutes, so
that a stopped run leaves what it had. A FOLDER that has a memory is gone on with.

On one GPU, where large steps cost no more than small ones and drawing clips is
what takes longest:

    python -m torch.distributed.run --nproc-per-node 1 \\
        -m inference.demo_model.training.train_tracker OUT --init FOLDER \\
        --device cuda --workers 14 --clips-a-step 24 --new-clips-a-step 4
"""

import argparse
import json
import pathlib
import random

import cv2
import numpy as np
import torch
from safetensors.torch import load_file

from inference.demo_model.training import (click_losses, click_network, clicks,
                                           clips, evaluate_tracker, network,
                                           track_network)
from inference.demo_model.training.loop import TrainingLoop, run_processes

_FIRST_CLIPS = 60
_OBJECTS = 3  # of a clip, at most


class _Drawn(torch.utils.data.IterableDataset):
    """Clips without end, each as (pixels [T, IMAGE_SIZE, IMAGE_SIZE, 3] uint8,
    coverage [T, O, MASK_SIZE, MASK_SIZE] fp16, a place inside each object on the
    first frame [O, 2])."""

    def __init__(self, seed, frames):
        self._seed, self._frames = seed, frames

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        rng = random.Random(self._seed * 1000 + (worker.id if worker else 0))
        while True:
            yield self._draw(rng)

    def _draw(self, rng):
        clip = clips.make_clip(rng, self._frames, crossing=0.6)
        pixels = np.stack([clip.scene(t).squashed(network.IMAGE_SIZE)
                           for t in range(len(clip.frames))])
        shape = clip.masks.shape[:2] + (network.MASK_SIZE,) * 2
        coverage = np.stack([
            cv2.resize(mask.astype(np.float32), shape[2:],
                       interpolation=cv2.INTER_AREA)
            for mask in clip.masks.reshape(-1, *clip.masks.shape[2:])])
        places = np.concatenate([
            clicks.draw_places(rng, clicks.interior(mask), 1)
            for mask in clip.masks[0]])
        return (torch.from_numpy(pixels),
                torch.from_numpy(coverage).view(shape).half(),
                torch.from_numpy(places))


class _Filmed:
    """A clip as the memory meets it, again and again: features of every frame
    (fp16), coverage and places."""

    def __init__(self, model, drawn):
        pixels, self.coverage, self.places = (
            part.to(model.device) for part in drawn)
        seen = track_network.see(
            model, pixels.permute(0, 3, 1, 2).float() / 127.5 - 1)
        self.features = [part.half() for part in (seen.coarse, seen.middle,
                                                  seen.fine)]


class TrackerTraining(TrainingLoop):
    """One process's share of a run."""

    warm_up_steps = 100

    def __init__(self, arguments):
        super().__init__(arguments)
        self.stored = load_file(f"{arguments.init}/model.safetensors")
        figures = pathlib.Path(arguments.init) / "evaluation.json"
        self.known = json.loads(figures.read_text()) if figures.exists() else {}
        self.model = track_network.build(self.stored).to(arguments.device)
        self.remember_average()
        self.drawn = iter(torch.utils.data.DataLoader(
            _Drawn(arguments.seed * self.world + self.rank, arguments.frames),
            batch_size=None, num_workers=arguments.workers))
        self.pool, self.oldest = [], 0

    def run(self):
        self.model.eval()
        while len(self.pool) < _FIRST_CLIPS:
            self._film()
        self.run_phase(self.arguments.minutes, self._loss,
                       list(self.model.named_parameters()), vision_scale=1.0)
        self.save(self.arguments.clips)

    def write_folder(self):
        state = {name: value for name, value in self.stored.items()
                 if not track_network.is_memory(name)}
        state.update((click_network.published_name(name), value.cpu())
                     for name, value in self.average.items()
                     if track_network.is_memory(name))
        network.write_tensors(self.out, state)
        network.write_config(
            self.out, click_network.demo_config(),
            ["Sam3Model", "Sam3TrackerModel", "Sam3TrackerVideoModel",
             "Sam3VideoModel"])

    def measure(self, formats, pictures):
        return {name: {**self.known.get(name, {}),
                       "tracks": evaluate_tracker.evaluate(
                           self.model, evaluate_tracker.held_out(pictures, ratio))}
                for name, ratio in formats.items()}

    def _film(self):
        filmed = _Filmed(self.model, next(self.drawn))
        if len(self.pool) < self.arguments.pool:
            self.pool.append(filmed)
        else:
            self.pool[self.oldest] = filmed
            self.oldest = (self.oldest + 1) % self.arguments.pool

    def _loss(self, progress):
        for _ in range(self.arguments.new_clips_a_step):
            self._film()
        drawn = self.rng.sample(self.pool, self.arguments.clips_a_step)
        frames = self._frames(progress)
        described = {0: self.rng.random() < 0.7}  # by masks, or else by clicks
        if self.rng.random() < 0.3:
            described[self.rng.choice(frames[1:])] = True
        rows, chosen = [], []
        for index, filmed in enumerate(drawn):
            objects = range(filmed.coverage.shape[1])
            some = self.rng.sample(objects, min(_OBJECTS, len(objects)))
            rows += [index] * len(some)
            chosen += [(filmed, o) for o in some]
        follower = track_network.Follower(
            self.model, torch.tensor(rows, device=self.model.device))
        total, parts = 0, {}
        for frame in frames:
            features = click_network.Features(*(
                torch.stack([f.features[part][frame] for f in drawn]).float()
                for part in range(3)))
            coverage = torch.stack([f.coverage[frame, o]
                                    for f, o in chosen]).float()
            if frame in described:
                if described[frame]:
                    follower.start_from_masks(features, (coverage > 0.5).float())
                    continue
                found = follower.start_from_clicks(
                    features, torch.stack([f.places[o] for f, o in chosen]))
            else:
                found = follower.follow(features)
            present = coverage.flatten(1).sum(1) > 1
            loss, own = click_losses.click_loss(found, coverage, present)
            total = total + loss / len(frames)
            parts = {f"last_{name}": value for name, value in own.items()
                     if name in ("iou", "chosen_iou", "presence")}
        return total, parts

    def _frames(self, progress):
        """Short clips first: what to remember has to be learnt before for how
        long."""
        most = self.arguments.frames
        length = min(most, 3 + int(progress * 1.2 * most))
        step = self.rng.choice((1, 1, 2)) if length < most else 1
        return range(0, min(length * step, most), step)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--init", required=True,
                        help="folder of a model that knows clicks")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--frames", type=int, default=10, help="of a clip")
    parser.add_argument("--clips-a-step", type=int, default=3,
                        help="of each process")
    parser.add_argument("--new-clips-a-step", type=int, default=1,
                        help="of each process")
    parser.add_argument("--pool", type=int, default=1200,
                        help="clips that each process keeps")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=0,
                        help="processes that draw clips, of each process")
    parser.add_argument("--clips", dest="clips", type=int, default=40,
                        help="held-out clips of each format, at the end")
    parser.add_argument("--pictures-on-the-way", type=int, default=0,
                        help="the same, whenever it saves")
    parser.add_argument("--save-minutes", type=float, default=10)
    run_processes(TrackerTraining, parser)


if __name__ == "__main__":
    main()
