"""What a recogniser is to training and evaluation: it is given training rows and validation rows, never test rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from fleeting.datasets.samples import Samples


class Fitted(Protocol):
    """A recogniser after its training."""

    @property
    def threshold(self) -> float:
        """Below this probability of the best class the answer is "unsure"; 0 answers always."""
        ...

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return (n, classes), rows summing to 1. Must not look at ``samples.label``."""
        ...


class Recogniser(Protocol):
    """A kind of recogniser, with its settings, before training; `name` and `needs` may be plain attributes."""

    @property
    def name(self) -> str:
        """As ``fleeting benchmark --model`` spells it."""
        ...

    @property
    def needs(self) -> Literal["flow", "sequence"]:
        """The array of `Samples` that it reads."""
        ...

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Fitted:
        """Train. Everything that is chosen is chosen on `train` and `validation`, whose subjects are disjoint.

        `validation` is None where the recogniser makes its own inner folds over the subjects of `train`.
        """
        ...

    def settings(self) -> dict[str, Any]:
        """Return the resolved settings, as plain values for JSON and TOML."""
        ...


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """The part of a fold that training may see: rows to fit on and rows to validate on. There is no test row."""

    id: str
    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]


def in_order_of_clips(data: Samples, folds: Sequence[TrainingRows]) -> tuple[Samples, list[TrainingRows]]:
    """Return the same clips and folds with rows in the order of the clips' names.

    What deals rows to batches by their place then gives the same, in whatever order a table lists its clips.
    """
    order = np.argsort(data.clip, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return data.select(order), [
        TrainingRows(f.id, np.sort(place[f.train]), np.sort(place[f.validation])) for f in folds
    ]


@runtime_checkable
class ManyFolds(Recogniser, Protocol):
    """A recogniser that can train many folds in one batch, with the same result as one after the other."""

    def fit_many(self, data: Samples, folds: Sequence[TrainingRows], *, seed: int) -> list[Fitted]:
        """Train one model per fold; a row that a fold does not name has no influence on that fold's model."""
        ...


@runtime_checkable
class Epochs(Protocol):
    """A recogniser that is trained in epochs and can show itself after each.

    Only the protocol ``leaky-best-epoch`` asks for this, to show what choosing an epoch by the test subject would give.
    The training itself sees no test row here either.
    """

    def fit_epochs(self, train: Samples, validation: Samples | None, *, seed: int) -> Iterator[Fitted]:
        """Yield the recogniser after each epoch; each holds until the next is asked for, the last is that of `fit`."""
        ...


@runtime_checkable
class ManyFoldsEpochs(Protocol):
    """A recogniser that trains many folds in one batch and can show all of them after each epoch."""

    def fit_many_epochs(self, data: Samples, folds: Sequence[TrainingRows], *, seed: int) -> Iterator[list[Fitted]]:
        """Yield one model per fold after each epoch, as `Epochs.fit_epochs`; the last are those of `fit_many`."""
        ...
