"""Task-wise early stopping of auxiliary tasks (Zhang et al., TCDCN, ECCV 2014, section 3.2, equation 4).

A task is stopped when the product of two terms exceeds a threshold: how flat its training error has become,

    k * median(E_tr) / (sum(E_tr) - k * median(E_tr)),    over the last k + 1 epochs,

and how far validation has left training, (E_val(t) - min E_tr) / (lambda * min E_tr).

Deviations and readings: lambda, which the paper learns with the network, is 1. Where the sum lies below k medians (a
steep fall), the first term counts as 0. The paper drops a stopped task; here its head goes on learning from a detached
trunk, since the head is shipped.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


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
