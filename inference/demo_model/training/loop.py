"""Steps by the clock, in several processes that average their gradients."""

import json
import math
import pathlib
import random
import time

import cv2
import torch
import torch.distributed as dist

from inference.demo_model.training import evaluate
from inference.demo_model.training.optimizer import MuonAdamW

_LOG_EVERY = 50


class TrainingLoop:
    """One process's share of a run; subclasses say what is learnt and saved.

    A subclass sets `model` and calls `remember_average`, and has `write_folder`
    and `measure`.
    """

    warm_up_steps = 150

    def __init__(self, arguments):
        self.arguments = arguments
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.rng = random.Random(arguments.seed * 1000 + self.rank)
        torch.manual_seed(arguments.seed)
        self.out = pathlib.Path(arguments.out)
        self.out.mkdir(parents=True, exist_ok=True)

    def write_folder(self):
        """Writes the averaged weights to self.out; rank 0 only."""
        raise NotImplementedError

    def measure(self, formats, pictures):
        """{format: figures} of self.model for {format: aspect ratio}."""
        raise NotImplementedError

    def remember_average(self):
        self.average = {name: value.detach().clone()
                        for name, value in self.model.state_dict().items()}

    def run_phase(self, minutes, loss_function, named, vision_scale):
        """Steps until the time is over; the learning rate falls as a cosine.

        loss_function  gives (loss, {name: part}) of the progress, 0..1
        """
        named = [(n, p) for n, p in named if p.requires_grad]
        optimizer = MuonAdamW(named, vision_scale)
        self.model.train()
        start, saved, step, sums = time.monotonic(), 0.0, 0, {}
        while (elapsed := self._minutes_since(start)) < minutes:
            progress = elapsed / minutes
            loss, parts = loss_function(progress)
            optimizer.zero_grad()
            loss.backward()
            norm = self._average_gradients(optimizer.parameters)
            if math.isfinite(norm):
                warm = min(1.0, (step + 1) / self.warm_up_steps)
                fall = 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * progress))
                optimizer.step(self.arguments.learning_rate * warm * fall)
                self._update_average(step)
            step += 1
            for name, value in {"loss": loss, **parts}.items():
                sums[name] = sums.get(name, 0) + float(value.detach()) / _LOG_EVERY
            if step % _LOG_EVERY == 0:
                self._log(f"{progress:.3f} step {step} norm {norm:.2f} " + " ".join(
                    f"{n} {v:.3f}" for n, v in sums.items()) +
                    f" {(time.monotonic() - start) / step * 1e3:.0f} ms/step")
                sums = {}
            if elapsed - saved > self.arguments.save_minutes:
                self.save(self.arguments.pictures_on_the_way)
                saved = elapsed

    def save(self, evaluate_pictures):
        """Rank 0 writes the averaged weights; all measure them together."""
        if self.rank == 0:
            self.write_folder()
        if evaluate_pictures == 0:
            return
        report = self._measure_together(evaluate_pictures)
        if self.rank == 0:
            (self.out / "evaluation.json").write_text(
                json.dumps(report, indent=1) + "\n")
            self._log(json.dumps(report))

    def _minutes_since(self, start):
        """By the first process's clock: all must save and end at one step."""
        minutes = torch.tensor((time.monotonic() - start) / 60)
        dist.broadcast(minutes, 0)
        return minutes.item()

    def _average_gradients(self, parameters):
        """Averages over the processes and clips; returns the norm before."""
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([p.grad.flatten() for p in parameters])
        dist.all_reduce(flat)
        flat /= self.world
        norm = flat.norm()
        flat *= (2.0 / (norm + 1e-6)).clamp(max=1)
        for parameter, part in zip(
                parameters, flat.split([p.numel() for p in parameters])):
            parameter.grad.copy_(part.view_as(parameter))
        return norm.item()

    @torch.no_grad()
    def _update_average(self, step):
        decay = min(0.999, (1 + step) / (10 + step))
        current = self.model.state_dict()
        names = [n for n, v in self.average.items() if v.is_floating_point()]
        torch._foreach_lerp_([self.average[n] for n in names],
                             [current[n] for n in names], 1 - decay)

    def _measure_together(self, pictures):
        """{format: figures} of the averaged weights, the same in every process."""
        current = {n: v.clone() for n, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        self.model.eval()
        formats = list(evaluate.FORMATS.items())
        own = self.measure(dict(formats[self.rank::self.world]), pictures)
        gathered = [None] * self.world
        dist.all_gather_object(gathered, own)
        self.model.load_state_dict(current)
        self.model.train()
        figures = {name: f for part in gathered for name, f in part.items()}
        return {name: figures[name] for name, _ in formats}

    def _log(self, line):
        if self.rank == 0:
            print(line, flush=True)
            with (self.out / "log.txt").open("a") as log:
                log.write(line + "\n")


def run_processes(training, parser):
    """Runs this process's share; adds the flags of the run itself to the parser.

    training  the subclass of TrainingLoop, with a method run()
    """
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    dist.init_process_group("gloo")
    training(arguments).run()
    dist.destroy_process_group()
