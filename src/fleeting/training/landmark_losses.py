"""The tasks of the landmark network and the loss of each."""

from __future__ import annotations

import torch
from torch import Tensor

TASKS = ("pose", "eyes", "mouth", "face")
AUXILIARY = ("pose", "eyes", "mouth")
_STATES = {"pose": slice(0, 3), "eyes": slice(3, 5), "mouth": slice(5, 6)}


def task_losses(points: Tensor, states: Tensor, truth: Tensor, known: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Loss of every task over one batch.

    The points' loss is their mean Euclidean distance, which is the measure itself; the auxiliary tasks have an absolute
    error, face or not a binary cross-entropy. States that are NaN in `known` are left out.

    Parameters
    ----------
    points, truth
        (n, 68, 2) predicted and labelled, pixels of the crop.
    states, known
        (n, 7) predicted and labelled.
    weight
        (n,) weight of the points.
    """
    distance = (points - truth).square().sum(2).add(1e-4).sqrt().mean(1)
    losses = {"points": (distance * weight).sum() / weight.sum().clamp(min=1e-6)}
    for task, part in _STATES.items():
        target, answer = known[:, part], states[:, part]
        there = ~torch.isnan(target)
        error = torch.where(there, answer - torch.nan_to_num(target), torch.zeros_like(answer)).abs()
        losses[task] = error.sum() / there.sum().clamp(min=1)
    losses["face"] = torch.nn.functional.binary_cross_entropy_with_logits(states[:, 6], known[:, 6])
    return losses
