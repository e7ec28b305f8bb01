"""Muon for matrices, AdamW for the rest.

Muon steps along the orthogonalised momentum of a matrix, found by five steps of
a Newton-Schulz iteration (Jordan et al., 2024). Matrices of one shape are
stacked, which on a CPU is several times faster than one at a time.
"""

import torch

_NOT_FOR_MUON = ("embed", "reference_points", "dense.",
                 "box_head.layer3", "presence_head.layer3", "rpb")


class MuonAdamW:
    """named: (name, parameter) pairs; vision_scale: learning rate factor of the
    vision encoder."""

    def __init__(self, named, vision_scale, weight_decay=0.02, momentum=0.95):
        self.parameters = []
        self._weight_decay, self._momentum = weight_decay, momentum
        self._stacks, self._buffers, others = {}, {}, {}
        for name, parameter in named:
            scale = vision_scale if "vision_encoder" in name else 1.0
            self.parameters.append(parameter)
            if (parameter.ndim == 2 and min(parameter.shape) >= 16 and
                    not any(part in name for part in _NOT_FOR_MUON)):
                key = tuple(sorted(parameter.shape)), scale
                self._stacks.setdefault(key, []).append(parameter)
            else:
                others.setdefault(scale, []).append(parameter)
        self._adam = torch.optim.AdamW(
            [dict(params=group, scale=scale) for scale, group in others.items()],
            weight_decay=0.0, betas=(0.9, 0.98))

    def zero_grad(self):
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate):
        for group in self._adam.param_groups:
            group["lr"] = learning_rate * group["scale"]
        self._adam.step()
        for key, parameters in self._stacks.items():
            self._step_stack(key, parameters, learning_rate * key[1])

    def _step_stack(self, key, parameters, learning_rate):
        (rows, columns), _ = key
        oriented = lambda t: t if t.shape[0] == rows else t.T
        gradient = torch.stack([oriented(p.grad) for p in parameters])
        buffer = self._buffers.setdefault(key, torch.zeros_like(gradient))
        buffer.lerp_(gradient, 1 - self._momentum)
        x = gradient.lerp(buffer, self._momentum)
        x = (x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7))
        for _ in range(5):
            a = x @ x.transpose(1, 2)
            x = 3.4445 * x + (-4.775 * a + 2.0315 * (a @ a)) @ x
        # The update's entries are then about as large as AdamW's.
        update = x.float() * (0.2 * max(rows, columns) ** 0.5 * learning_rate)
        for parameter, u in zip(parameters, update):
            parameter.mul_(1 - learning_rate * self._weight_decay)
            parameter.sub_(u if parameter.shape[0] == rows else u.T)
