"""What the head for single objects is trained to do: outline the object, say how
well it did, and know a click on nothing."""

import torch
import torch.nn.functional as F
from torch import nn

from inference.demo_model.training import network


class CellProbe(nn.Module):
    """A throw-away head that tells of each cell how much of it is the object.

    It teaches the transformer where to look long before the masks can.
    """

    def __init__(self, hidden):
        super().__init__()
        self.layer = nn.Linear(hidden, 1)

    def loss(self, cells, coverage):
        """cells [N, GRID * GRID, C]; coverage [N, MASK_SIZE, MASK_SIZE]."""
        wanted = F.avg_pool2d(coverage, network.MASK_SIZE // network.GRID).flatten(1)
        logits = self.layer(cells)[..., 0]
        cost = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        return (cost.mean(1) + 0.3 * _dice(logits, wanted)).mean()


def click_loss(masks, coverage, present):
    """Loss and its parts, averages over the prompts.

    masks     click_network.Masks of N prompts
    coverage  [N, MASK_SIZE, MASK_SIZE] 0..1, how much of each cell is object
    present   [N] bool; false for clicks on nothing, which have no mask
    """
    pixels, dice = _mask_costs(masks.logits, coverage)
    cost = 12 * pixels + 2 * dice
    # Of the three that a prompt may mean only the nearest learns.
    chosen = cost[:, 1:].argmin(1) + 1
    rows = torch.arange(len(cost), device=cost.device)
    outline = torch.where(present, cost[:, 0] + cost[rows, chosen],
                          2 * pixels.mean(1))
    overlap = iou(masks.logits, coverage > 0.5) * present[:, None]
    quality = ((masks.iou - overlap) ** 2).mean(1)
    presence = F.binary_cross_entropy_with_logits(
        masks.present, present.float(), reduction="none")
    loss = (outline + 2 * quality + presence).mean()
    there = present.nonzero()[:, 0]
    return loss, {
        "pixels": pixels[there, 0].mean(), "dice": dice[there, 0].mean(),
        "iou": overlap[there, 0].mean(),
        "chosen_iou": overlap[there, masks.chosen()[there]].mean(),
        "quality": quality.mean(), "presence": presence.mean()}


def _mask_costs(logits, coverage):
    """Cross entropy and Dice of each mask, both [N, 4]."""
    wanted = coverage[:, None].expand_as(logits)
    pixels = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return pixels.flatten(2).mean(2), _dice(logits.flatten(2), wanted.flatten(2))


def _dice(logits, wanted):
    p = logits.sigmoid()
    return 1 - (2 * (p * wanted).sum(-1) + 1) / (p.sum(-1) + wanted.sum(-1) + 1)


@torch.no_grad()
def iou(logits, truth):
    """[N, 4] overlap of masks [N, 4, h, w] with truth [N, h, w]."""
    found, truth = logits.flatten(2) > 0, truth[:, None].flatten(2)
    return (found & truth).sum(2) / (found | truth).sum(2).clamp(min=1)
