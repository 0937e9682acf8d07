"""First weights: a network learns drawn flow once, and every fold goes on from there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fleeting.labels import THREE_CLASSES
from fleeting.recognisers.sequences.drawn_flow import DrawnFlowSettings, drawn_flow
from fleeting.recognisers.sequences.fit import FitSettings, SequenceTrainer, Task

START = "start.safetensors"


@dataclass(frozen=True, slots=True)
class StartSettings:
    """How a network begins.

    Attributes
    ----------
    drawn
        The sequences that it learns from.
    fit
        How it is trained.
    """

    drawn: DrawnFlowSettings = field(default_factory=DrawnFlowSettings)
    fit: FitSettings = field(default_factory=lambda: FitSettings(epochs=3, optimiser="adamw", learning_rate=1e-3))


def write_start(task: Task, settings: StartSettings, path: Path, *, length: int, side: int, seed: int) -> None:
    """Train a task on drawn micro-expressions, and keep the weights of its network, unless the file is there."""
    from safetensors.torch import save_file

    if path.exists():
        return
    rows = drawn_flow(settings.drawn, "micro", length=length, side=side, seed=seed)
    SequenceTrainer(task, settings.fit, classes=len(THREE_CLASSES), seed=seed).fit(rows, None)
    save_file({name: value.contiguous() for name, value in task.network.state_dict().items()}, str(path))
