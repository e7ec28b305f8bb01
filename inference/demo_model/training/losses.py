"""What the model is trained to do: find, outline, and know what is absent."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import nn
from torchvision.ops import box_convert, box_iou, generalized_box_iou

from inference.demo_model.training.network import GRID, MASK_SIZE
from inference.demo_model.training.scenes import COLORS, SHAPES

_LAYER_WEIGHTS = (0.6, 0.6, 1.0)


def _corners(boxes):
    return box_convert(boxes, "cxcywh", "xyxy")


def detection_loss(outputs, targets, mask_rows, first_layer_copies):
    """Boxes, scores and presence of every decoder layer, masks of the last.

    targets             as in network.Batch
    mask_rows           the prompts that have masks
    first_layer_copies  how many queries of the first layer are matched with
                        each object; more than one helps a model that knows
                        nothing yet
    """
    counts = [len(boxes) for boxes, _ in targets]
    boxes = torch.cat([boxes for boxes, _ in targets])
    masks = torch.cat([masks for _, masks in targets])
    present = torch.tensor([count > 0 for count in counts], dtype=torch.float)
    total, parts = 0, {}
    for layer, weight in enumerate(_LAYER_WEIGHTS):
        match = _match(outputs.boxes[layer], outputs.logits[layer], boxes, counts,
                       first_layer_copies if layer == 0 else 1)
        parts = _layer_losses(outputs, layer, match, boxes, present)
        total = total + weight * (2.5 * parts["class"] + 5 * parts["l1"] +
                                  2 * parts["giou"] + 1.5 * parts["presence"])
    mask_parts = _mask_losses(outputs, match, masks, targets, mask_rows)
    total = total + (12 * mask_parts["mask"] + 4 * mask_parts["dice"] +
                     6 * mask_parts["semantic"] + 1.5 * mask_parts["semantic_dice"])
    return total, {**parts, **mask_parts}


@torch.no_grad()
def _match(predicted, logits, boxes, counts, copies):
    """Hungarian matching: (prompt, query, object) index tensors."""
    prompts, queries = logits.shape
    p = logits.sigmoid()
    focal = (0.25 * (1 - p) ** 2 * -F.logsigmoid(logits) -
             0.75 * p ** 2 * -F.logsigmoid(-logits))
    flat = predicted.flatten(0, 1)
    cost = (2 * focal[..., None] +
            5 * torch.cdist(flat, boxes, p=1).view(prompts, queries, -1) -
            2 * generalized_box_iou(_corners(flat), _corners(boxes)).view(
                prompts, queries, -1)).numpy()
    rows, start = [], 0
    for prompt, count in enumerate(counts):
        if count:
            repeats = max(1, min(copies, queries // count))
            own = np.tile(cost[prompt, :, start:start + count], (1, repeats))
            for query, column in zip(*linear_sum_assignment(own)):
                rows.append((prompt, query, start + column % count))
        start += count
    return torch.tensor(rows, dtype=torch.long).reshape(-1, 3).unbind(1)


def _layer_losses(outputs, layer, match, boxes, present):
    prompt, query, obj = match
    logits, found = outputs.logits[layer], outputs.boxes[layer][prompt, query]
    count = max(1, len(prompt))
    overlap = torch.diag(generalized_box_iou(_corners(found), _corners(boxes[obj])))
    with torch.no_grad():
        # A matched query is asked for more confidence the better its box is;
        # the others count by how confident they wrongly are.
        wanted = torch.zeros_like(logits)
        iou = torch.diag(box_iou(_corners(found), _corners(boxes[obj])))
        wanted[prompt, query] = 0.5 + 0.5 * iou
        weight = 0.75 * logits.sigmoid() ** 2
        weight[prompt, query] = 1.0
        weight *= (0.5 + 0.5 * present)[:, None]
    scores = F.binary_cross_entropy_with_logits(logits, wanted, weight,
                                                reduction="sum")
    return {
        "class": scores / count,
        "l1": (found - boxes[obj]).abs().sum() / count,
        "giou": (1 - overlap).sum() / count,
        "presence": F.binary_cross_entropy_with_logits(outputs.presence[layer],
                                                       present),
    }


def _dice(logits, wanted):
    p, t = logits.sigmoid().flatten(1), wanted.flatten(1)
    return 1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)


def _mask_losses(outputs, match, masks, targets, mask_rows):
    prompt, query, obj = match
    row_of_prompt = torch.full((len(targets),), -1)
    row_of_prompt[mask_rows] = torch.arange(len(mask_rows))
    row = row_of_prompt[prompt]
    has_masks = row >= 0
    found = outputs.masks[row[has_masks], query[has_masks]]
    wanted = masks[obj[has_masks]]
    count = max(1, len(found))
    cross_entropy = F.binary_cross_entropy_with_logits(found, wanted,
                                                       reduction="none")
    unions = [targets[i][1].sum(0).clamp(max=1) for i in mask_rows.tolist()]
    union, semantic = torch.stack(unions), outputs.semantic
    nonempty = union.flatten(1).any(1)
    semantic_dice = (_dice(semantic[nonempty], union[nonempty]).mean()
                     if nonempty.any() else semantic.sum() * 0)
    return {
        "mask": cross_entropy.flatten(1).mean(1).sum() / count,
        "dice": _dice(found, wanted).sum() / count,
        "semantic": F.binary_cross_entropy_with_logits(semantic, union),
        "semantic_dice": semantic_dice,
    }


class DenseHeads(nn.Module):
    """Throw-away heads that name shape, colour and box at every place.

    They teach the vision encoder in minutes what the detector alone would take
    hours to ask of it.
    """

    def __init__(self, hidden):
        super().__init__()
        self.classes = (len(SHAPES) + 1, len(COLORS) + 1)
        self.token = nn.Linear(hidden, sum(self.classes) + 4)
        self.fine = nn.Conv2d(hidden, sum(self.classes), 1)
        self.middle = nn.Conv2d(hidden, sum(self.classes), 1)

    def loss(self, levels, scenes):
        """levels: neck outputs [B, hidden, h, w] from fine to coarse, three, or
        only the last; scenes: the pictures' scenes. Returns a scalar."""
        grid, boxes, fine = _dense_targets(scenes)
        token = self.token(levels[-1].flatten(2).transpose(1, 2)).float()
        loss = self._class_loss(token[..., :-4].flatten(0, 1), grid.flatten(0, 2))
        loss = loss + _dense_box_loss(token[..., -4:], grid, boxes)
        if len(levels) == 3:
            by_pixel = lambda x: x.float().permute(0, 2, 3, 1).flatten(0, 2)
            middle = fine[:, 1::2, 1::2]
            loss = loss + 0.7 * self._class_loss(
                by_pixel(self.fine(levels[0])), fine.flatten(0, 2))
            loss = loss + 0.3 * self._class_loss(
                by_pixel(self.middle(levels[1])), middle.flatten(0, 2))
        return loss

    def _class_loss(self, logits, labels):
        loss = 0
        for part, (found, count) in enumerate(
                zip(logits.split(self.classes, -1), self.classes)):
            weight = torch.ones(count)
            weight[0] = 0.35
            loss = loss + F.cross_entropy(found, labels[:, part], weight)
        return loss


def _dense_targets(scenes):
    """Labels (shape, colour; 0 is background) and box distances per place.

    Returns [B, GRID, GRID, 2] long, [B, GRID, GRID, 4] left, top, right, bottom
    as parts of the picture, and [B, MASK_SIZE, MASK_SIZE, 2] long.
    """
    count = len(scenes)
    grid = np.zeros((count, GRID, GRID, 2), np.int64)
    fine = np.zeros((count, MASK_SIZE, MASK_SIZE, 2), np.int64)
    boxes = np.zeros((count, GRID, GRID, 4), np.float32)
    y, x = (np.mgrid[0:GRID, 0:GRID] + 0.5) / GRID
    for b, scene in enumerate(scenes):
        covered = np.full((GRID, GRID), 0.3, np.float32)
        for obj in scene.objects:
            label = SHAPES.index(obj.shape) + 1, COLORS.index(obj.color) + 1
            coverage = obj.mask.astype(np.float32)
            fine[b][_shrink(coverage, MASK_SIZE) > 0.5] = label
            share = _shrink(coverage, GRID)
            here = share > covered
            covered[here] = share[here]
            grid[b][here] = label
            x0, y0, x1, y1 = obj.box()
            boxes[b][here] = np.stack([x - x0, y - y0, x1 - x, y1 - y], -1)[here]
    return tuple(map(torch.from_numpy, (grid, boxes, fine)))


def _shrink(coverage, size):
    return cv2.resize(coverage, (size, size), interpolation=cv2.INTER_AREA)


def _dense_box_loss(found, grid, boxes):
    inside = grid[..., 0].flatten() > 0
    found = F.softplus(found.flatten(0, 1)[inside] - 2.0)
    wanted = boxes.flatten(0, 2)[inside].clamp(min=0)
    low = torch.minimum(found, wanted)
    area = lambda d: (d[:, 0] + d[:, 2]) * (d[:, 1] + d[:, 3])
    intersection = area(low)
    union = area(found) + area(wanted) - intersection
    return ((1 - intersection / union.clamp(min=1e-6)).mean() +
            3 * (found - wanted).abs().mean())
