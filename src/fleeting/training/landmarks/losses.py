"""The tasks of the landmark network, the loss of each, and when an auxiliary one stops teaching the trunk."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from fleeting.faces.crop import SIZE

TASKS = ("pose", "eyes", "mouth", "face")
AUXILIARY = ("pose", "eyes", "mouth")
_STATES = {"pose": slice(0, 3), "eyes": slice(3, 5), "mouth": slice(5, 6)}


HEAT_SPREAD = 3.6
"""Standard deviation of a wanted heat map in pixels of the crop, nine tenths of a cell."""


def heat_loss(heat: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of heat maps to normal distributions about the labelled points, less its least value, (n,).

    It tells every cell what it should be, where the mean distance alone only tells which way the expectation should
    move: maps become narrow, and learning faster. Nibali et al., "Numerical coordinate regression with convolutional
    neural networks", arXiv 1801.07372, 2018, section 4.3 (there the Jensen-Shannon divergence).

    Parameters
    ----------
    heat
        (n, 68, cells * cells) logits, row by row.
    truth
        (n, 68, 2) labelled points, pixels of the crop.
    """
    cells = round(heat.shape[2] ** 0.5)
    places = (torch.arange(cells, dtype=torch.float32) + 0.5) * (SIZE / cells) - 0.5
    # Points outside the crop are wanted at its edge.
    inside = truth.clamp(0, SIZE - 1)
    logits = -(places - inside[..., None]).square() / (2 * HEAT_SPREAD**2)
    across, down = torch.softmax(logits[:, :, 0], 2), torch.softmax(logits[:, :, 1], 2)
    log_share = torch.log_softmax(heat, 2).reshape(*heat.shape[:2], cells, cells)
    entropy = -sum((p * p.clamp(min=1e-12).log()).sum(2) for p in (across, down))
    crossed = -(log_share * across[:, :, None] * down[..., None]).sum((2, 3))
    return (crossed - entropy).mean(1)


def task_losses(
    points: Tensor, states: Tensor, truth: Tensor, known: Tensor, weight: Tensor, heat: Tensor | None = None
) -> dict[str, Tensor]:
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
    heat
        (n, 68, cells * cells) heat maps as logits; without them there is no loss of that name.
    """
    distance = (points - truth).square().sum(2).add(1e-4).sqrt().mean(1)
    losses = {"points": (distance * weight).sum() / weight.sum().clamp(min=1e-6)}
    if heat is not None:
        losses["heat"] = (heat_loss(heat, truth) * weight).sum() / weight.sum().clamp(min=1e-6)
    for task, part in _STATES.items():
        target, answer = known[:, part], states[:, part]
        there = ~torch.isnan(target)
        error = torch.where(there, answer - torch.nan_to_num(target), torch.zeros_like(answer)).abs()
        losses[task] = error.sum() / there.sum().clamp(min=1)
    losses["face"] = torch.nn.functional.binary_cross_entropy_with_logits(states[:, 6], known[:, 6])
    return losses


class TaskStopping:
    """Decide after every epoch which auxiliary tasks stop teaching the trunk.

    Parameters
    ----------
    tasks
        Names of the auxiliary tasks.
    window
        k of the equation, epochs.
    threshold
        Above this the task stops.
    """

    def __init__(self, tasks: tuple[str, ...], *, window: int = 5, threshold: float = 2.0) -> None:
        self.window, self.threshold = window, threshold
        self.training: dict[str, list[float]] = {task: [] for task in tasks}
        self.stopped_at: dict[str, int] = {}

    def update(self, training: Mapping[str, float], validation: Mapping[str, float]) -> tuple[str, ...]:
        """Take one epoch's mean errors by task (those of other tasks are ignored) and return those that stop now."""
        now = []
        for task, errors in self.training.items():
            errors.append(float(training[task]))
            if task not in self.stopped_at and self.measure(task, float(validation[task])) > self.threshold:
                self.stopped_at[task] = len(errors)
                now.append(task)
        return tuple(now)

    def measure(self, task: str, validation: float) -> float:
        """Left side of equation 4 for the newest epoch; 0 before a whole window has passed."""
        errors = np.asarray(self.training[task])
        if len(errors) <= self.window:
            return 0.0
        recent = errors[-self.window - 1 :]
        flat = self.window * float(np.median(recent))
        best = max(float(errors.min()), 1e-9)
        return max(flat / max(float(recent.sum()) - flat, 1e-9), 0.0) * (validation - best) / best

    def state(self) -> dict[str, object]:
        """Plain values from which `load` goes on."""
        return {"training": self.training, "stopped_at": self.stopped_at}

    def load(self, state: Mapping[str, dict[str, list[float]]]) -> None:
        """Go on from a state."""
        self.training = {k: list(v) for k, v in state["training"].items()}
        self.stopped_at = dict(state["stopped_at"])  # type: ignore[arg-type]
