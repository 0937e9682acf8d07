"""A network of sequences after its training, as a recogniser, and how one is trained from samples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.datasets.samples import Samples
from fleeting.recognisers.sequences.clip_rows import ClipRows, clip_rows
from fleeting.recognisers.sequences.fit import FitSettings, SequenceTrainer, Task, probabilities


@dataclass(frozen=True)
class FittedSequence:
    """A trained network of sequences; it always answers, and its probabilities are not calibrated."""

    task: Task
    kind: str
    length: int
    side: int
    threshold: float = 0.0

    def rows(self, samples: Samples) -> ClipRows:
        """Return samples as the network reads them."""
        return clip_rows(samples, kind=self.kind, length=self.length, side=self.side)

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return (n, classes), rows summing to 1."""
        return next(iter(probabilities(self.task, self.rows(samples)).values()))

    def by_answer(self, samples: Samples) -> dict[str, npt.NDArray[np.float32]]:
        """Return what each part of the network says, the network's own answer first."""
        return probabilities(self.task, self.rows(samples))


def fit_sequence(
    fitted: FittedSequence, how: FitSettings, train: Samples, validation: Samples | None, *, seed: int
) -> FittedSequence:
    """Train; the best epoch by the validation clips is kept where there are any, else the last one.

    Parameters
    ----------
    fitted
        Around the task that is to be trained.
    how
        How it is trained.
    train, validation
        Clips.
    seed
        Of what is drawn while training.
    """
    trainer = SequenceTrainer(fitted.task, how, classes=len(train.classes), seed=seed)
    trainer.fit(fitted.rows(train), None if validation is None else fitted.rows(validation))
    return fitted


def plain_settings(name: str, plan: Any) -> dict[str, Any]:
    """Return a recogniser's settings as plain values; device and threads, which change no result, are left out.

    Parameters
    ----------
    name
        Of the recogniser.
    plan
        Its settings, a dataclass with ``fit``.
    """
    found: dict[str, Any] = {"name": name, **asdict(plan)}
    found["fit"] = {k: v for k, v in found["fit"].items() if k not in ("device", "threads")}
    return found
