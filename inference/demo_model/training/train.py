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

import cv2
import numpy as np
import torch
from transformers import CLIPTokenizer

from inference.demo_model.training import evaluate, losses, network
from inference.demo_model.training import prompts as phrases
from inference.demo_model.training import scenes
from inference.demo_model.training.loop import TrainingLoop, run_processes

_PROMPTS_PER_PICTURE = 3
_MASKED_SHARE = 0.42  # of the prompts: the mask head is the dearest part


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


class DetectorTraining(TrainingLoop):
    """One process's share of a run."""

    def __init__(self, arguments):
        super().__init__(arguments)
        self.words = Words(arguments.vocabulary)
        self.model = network.build(self.words.known_ids())
        hidden = self.model.config.vision_config.fpn_hidden_size
        self.dense = losses.DenseHeads(hidden)
        self.table = self.model.text_encoder.text_model.embeddings.token_embedding
        if arguments.init:
            state = network.load_detector(arguments.init)
            self.model.load_state_dict(
                network.trainable_state(state, self.table), strict=False)
        self.remember_average()

    def run(self):
        if self.arguments.warm_up_minutes and not self.arguments.init:
            self.run_phase(self.arguments.warm_up_minutes, self._warm_up_loss,
                           self._vision_parameters(), vision_scale=1.0)
        self.run_phase(self.arguments.minutes, self._full_loss,
                       [*self.model.named_parameters(),
                        *(("dense." + n, p)
                          for n, p in self.dense.named_parameters())],
                       vision_scale=0.5)
        self.save(self.arguments.pictures)

    def write_folder(self):
        state = network.published_state(self.average, self.table)
        network.write_tensors(self.out, state)
        network.write_config(self.out, self.model.config, ["Sam3Model"])

    def measure(self, formats, pictures):
        return {name: evaluate.evaluate(self.model, self.words.tokenizer,
                                        evaluate.held_out(pictures, ratio))
                for name, ratio in formats.items()}

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
    parser.add_argument("--pictures-on-the-way", type=int, default=40,
                        help="the same, whenever it saves")
    parser.add_argument("--save-minutes", type=float, default=10)
    run_processes(DetectorTraining, parser)


if __name__ == "__main__":
    main()
