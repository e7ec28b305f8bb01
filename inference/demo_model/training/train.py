"""Trains the demo model.

    python -m torch.distributed.run --nproc-per-node 2 \\
        -m inference.demo_model.training.train OUT --vocabulary inference/demo_model

From nothing: a warm-up that teaches the vision encoder alone, then everything.
`--init FOLDER` starts from a trained folder instead. One process a core, each
with its own pictures, gradients averaged; a CPU without fast bf16 is slower but
learns the same. OUT gets config.json, model.safetensors (fp16), evaluation.json
and log.txt every few minutes, so that a stopped run leaves what it had.
"""

import argparse
import json
import math
import pathlib
import random
import time

import cv2
import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from inference.demo_model.training import evaluate, losses, network
from inference.demo_model.training import prompts as phrases
from inference.demo_model.training import scenes
from inference.demo_model.training.optimizer import MuonAdamW

_PROMPTS_PER_PICTURE = 3
_MASKED_SHARE = 0.42  # of the prompts: the mask head is the dearest part
_LOG_EVERY = 50


class Words:
    """Token ids of phrases, remembered."""

    def __init__(self, folder):
        self.tokenizer = CLIPTokenizer(f"{folder}/vocab.json",
                                       f"{folder}/merges.txt")
        self._known = {}

    def known_ids(self):
        ids = {self.tokenizer.bos_token_id, self.tokenizer.eos_token_id}
        for word in phrases.KNOWN_WORDS:
            ids.update(self.tokenizer(word).input_ids)
        return ids

    def __call__(self, text):
        if text not in self._known:
            row = self.tokenizer(text, padding="max_length", max_length=32,
                                 truncation=True)
            self._known[text] = row.input_ids, row.attention_mask
        return self._known[text]


def make_batch(rng, words, pictures):
    """Draws scenes and prompts: (scenes, network.Batch)."""
    drawn = [scenes.make_scene(rng) for _ in range(pictures)]
    pixels = np.stack([scene.squashed(network.IMAGE_SIZE) for scene in drawn])
    image_index, tokens, boxes, labels, targets = [], [], [], [], []
    for index, scene in enumerate(drawn):
        own_boxes = torch.tensor([o.box() for o in scene.objects], dtype=torch.float)
        own_boxes = losses.box_convert(own_boxes, "xyxy", "cxcywh")
        own_masks = torch.from_numpy(np.stack([
            cv2.resize(o.mask.astype(np.float32), (network.MASK_SIZE,) * 2,
                       interpolation=cv2.INTER_AREA) for o in scene.objects]))
        for _ in range(_PROMPTS_PER_PICTURE):
            prompt = phrases.random_prompt(rng, scene.objects)
            unused = network.MAX_BOXES - len(prompt.boxes)
            image_index.append(index)
            tokens.append(words(prompt.text))
            boxes.append([box for box, _ in prompt.boxes] + [(0, 0, 0, 0)] * unused)
            labels.append([label for _, label in prompt.boxes] +
                          [network.NO_BOX] * unused)
            targets.append((own_boxes[prompt.targets], own_masks[prompt.targets]))
    ids, attention = zip(*tokens)
    return drawn, network.Batch(
        torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1,
        torch.tensor(image_index), torch.tensor(ids), torch.tensor(attention),
        torch.tensor(boxes, dtype=torch.float), torch.tensor(labels), targets)


def choose_masked(rng, targets):
    """Prompts whose masks are trained in this step: mostly those with targets."""
    present = [i for i, (boxes, _) in enumerate(targets) if len(boxes)]
    absent = [i for i, (boxes, _) in enumerate(targets) if not len(boxes)]
    rng.shuffle(present)
    count = max(1, round(_MASKED_SHARE * len(targets)))
    return torch.tensor(sorted(present[:count - 1] + absent[:1]) or [0])


class Trainer:
    """One process's share of a run."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.rng = random.Random(arguments.seed * 1000 + self.rank)
        torch.manual_seed(arguments.seed)
        self.words = Words(arguments.vocabulary)
        self.model = network.build(self.words.known_ids())
        hidden = self.model.config.vision_config.fpn_hidden_size
        self.dense = losses.DenseHeads(hidden)
        self.table = self.model.text_encoder.text_model.embeddings.token_embedding
        if arguments.init:
            state = load_file(f"{arguments.init}/model.safetensors")
            self.model.load_state_dict(
                network.trainable_state(state, self.table), strict=False)
        self.average = {name: value.detach().clone()
                        for name, value in self.model.state_dict().items()}
        self.out = pathlib.Path(arguments.out)
        self.out.mkdir(parents=True, exist_ok=True)

    def run(self):
        if self.arguments.warm_up_minutes and not self.arguments.init:
            self._phase(self.arguments.warm_up_minutes, self._warm_up_loss,
                        self._vision_parameters(), vision_scale=1.0)
        self._phase(self.arguments.minutes, self._full_loss,
                    [*self.model.named_parameters(),
                     *(("dense." + n, p) for n, p in self.dense.named_parameters())],
                    vision_scale=0.5)
        self._save(self.arguments.pictures)

    def _vision_parameters(self):
        named = [(n, p) for n, p in self.model.vision_encoder.named_parameters()
                 if n.startswith("backbone.") or "fpn_layers.2." in n]
        named = [("vision_encoder." + n, p) for n, p in named]
        return named + [("dense." + n, p)
                        for n, p in self.dense.token.named_parameters()]

    def _warm_up_loss(self, progress):
        del progress
        drawn, batch = make_batch(self.rng, self.words, self.arguments.pictures_a_step)
        with torch.autocast("cpu", torch.bfloat16):
            tokens = self.model.vision_encoder.backbone(batch.pixels).last_hidden_state
            square = tokens.transpose(1, 2).unflatten(2, (network.GRID,) * 2)
            level = self.model.vision_encoder.neck.fpn_layers[2](square)
            return self.dense.loss([level], drawn), {}

    def _full_loss(self, progress):
        drawn, batch = make_batch(self.rng, self.words, self.arguments.pictures_a_step)
        # Either convention for prompts without boxes, see network.forward.
        geometry_rows = ((batch.box_labels != network.NO_BOX).any(1) |
                         (torch.rand(len(batch.box_labels)) < 0.4))
        mask_rows = choose_masked(self.rng, batch.targets)
        with torch.autocast("cpu", torch.bfloat16):
            vision = self.model.vision_encoder(batch.pixels)
            outputs = network.forward(self.model, batch, vision, geometry_rows,
                                      mask_rows)
            dense = self.dense.loss(vision.fpn_hidden_states[:3], drawn)
        # Several queries an object teach faster, but leave duplicates.
        copies = 4 if not self.arguments.init and progress < 0.33 else 1
        loss, parts = losses.detection_loss(outputs, batch.targets, mask_rows, copies)
        return loss + 0.4 * dense, {**parts, "dense": dense}

    def _phase(self, minutes, loss_function, named, vision_scale):
        """Steps until the time is over; the learning rate falls as a cosine."""
        named = [(n, p) for n, p in named if p.requires_grad]
        optimizer = MuonAdamW(named, vision_scale)
        self.model.train()
        start, saved, step, sums = time.monotonic(), time.monotonic(), 0, {}
        while (progress := self._progress(start, minutes)) < 1:
            loss, parts = loss_function(progress)
            optimizer.zero_grad()
            loss.backward()
            norm = self._average_gradients(optimizer.parameters)
            if math.isfinite(norm):
                warm = min(1.0, (step + 1) / 150)
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
            if time.monotonic() - saved > 60 * self.arguments.save_minutes:
                self._save(evaluate_pictures=40)
                saved = time.monotonic()

    def _progress(self, start, minutes):
        """0..1, the same in every process."""
        progress = torch.tensor((time.monotonic() - start) / 60 / minutes)
        dist.broadcast(progress, 0)
        return progress.item()

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

    def _save(self, evaluate_pictures):
        """Rank 0 writes the averaged weights; all measure them together."""
        if self.rank == 0:
            state = network.published_state(self.average, self.table)
            temporary = self.out / "model.safetensors.part"
            save_file({n: v.half().contiguous() for n, v in state.items()},
                      temporary, metadata={"format": "pt"})
            temporary.rename(self.out / "model.safetensors")
            config = self.model.config.to_dict()
            config.update(architectures=["Sam3Model"], dtype="float16")
            (self.out / "config.json").write_text(
                json.dumps(config, indent=1, default=str) + "\n")
        report = self._measure(evaluate_pictures)
        if self.rank == 0:
            (self.out / "evaluation.json").write_text(
                json.dumps(report, indent=1) + "\n")
            self._log(json.dumps(report))

    def _measure(self, pictures):
        """{format: figures} of the averaged weights, the same in every process."""
        current = {n: v.clone() for n, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        self.model.eval()
        own = {name: evaluate.evaluate(self.model, self.words.tokenizer,
                                       evaluate.held_out(pictures, ratio))
               for name, ratio in
               list(evaluate.FORMATS.items())[self.rank::self.world]}
        gathered = [None] * self.world
        dist.all_gather_object(gathered, own)
        self.model.load_state_dict(current)
        self.model.train()
        figures = {name: f for part in gathered for name, f in part.items()}
        return {name: figures[name] for name in evaluate.FORMATS}

    def _log(self, line):
        if self.rank == 0:
            print(line, flush=True)
            with (self.out / "log.txt").open("a") as log:
                log.write(line + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--vocabulary", required=True,
                        help="folder with vocab.json and merges.txt")
    parser.add_argument("--init", help="trained folder to start from")
    parser.add_argument("--warm-up-minutes", type=float, default=25)
    parser.add_argument("--minutes", type=float, default=160)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--pictures-a-step", type=int, default=4,
                        help="of each process")
    parser.add_argument("--pictures", type=int, default=200,
                        help="held-out pictures of each format, at the end")
    parser.add_argument("--save-minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    dist.init_process_group("gloo")
    Trainer(arguments).run()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
