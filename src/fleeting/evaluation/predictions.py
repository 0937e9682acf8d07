"""Predictions of a recogniser: one row per clip, and the scores of a whole table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fleeting import metrics
from fleeting.datasets.composite import FlowImages
from fleeting.evaluation.bootstrap import subject_interval
from fleeting.evaluation.leakage import require_disjoint
from fleeting.evaluation.splits import leave_one_subject_out
from fleeting.labels import THREE_CLASSES


class Fitted(Protocol):
    """What a fit function returns: probabilities, and the threshold of an answer."""

    @property
    def threshold(self) -> float:
        """Below this probability of the best class the answer is "unsure"."""
        ...

    def probabilities(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return (n, classes) for flow images (n, 28, 28, 3) uint8."""
        ...


@dataclass(frozen=True, slots=True)
class Predictions:
    """One row per clip; all arrays have length n, joined by `clip`.

    Attributes
    ----------
    fold, clip, subject
        Ids.
    truth
        (n,) class indices.
    probabilities
        (n, classes).
    answered
        (n,) bool: False where the answer is "unsure".
    """

    fold: npt.NDArray[np.str_]
    clip: npt.NDArray[np.str_]
    subject: npt.NDArray[np.str_]
    truth: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    answered: npt.NDArray[np.bool_]

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """(n,) most probable class, "unsure" or not."""
        return np.asarray(self.probabilities.argmax(1), np.int64)


def cross_validate(data: FlowImages, fit: Callable[[FlowImages], Fitted]) -> Predictions:
    """Return predictions of every clip by a model that was fitted, choices and all, without its subject.

    Parameters
    ----------
    data
        Labelled flow images of at least two subjects.
    fit
        Gets the training rows of a fold and nothing else.

    Raises
    ------
    LeakageError
        Where a clip id lies on both sides of a fold.
    """
    fold_id = np.empty(len(data), data.subject.dtype)
    probabilities = np.full((len(data), len(THREE_CLASSES)), np.nan, np.float32)
    answered = np.zeros(len(data), bool)
    for fold in leave_one_subject_out(data.subject):
        train, test = data.select(fold.train), data.select(fold.test)
        require_disjoint(train.clip, test.clip, what="clip")
        fitted = fit(train)
        probabilities[fold.test] = fitted.probabilities(test.flow)
        answered[fold.test] = probabilities[fold.test].max(1) >= fitted.threshold
        fold_id[fold.test] = fold.id
    return Predictions(fold_id, data.clip, data.subject, data.label, probabilities, answered)


def scores(table: Predictions, *, draws: int = 2000) -> dict[str, Any]:
    """Return all scores of a table of predictions, pooled.

    Parameters
    ----------
    table
        Predictions of every clip.
    draws
        Bootstrap samples of subjects for the 95 % intervals; 0 for none.

    Returns
    -------
    dict
        ``uf1``, ``uar``, ``accuracy``, ``ece``, ``recall`` by class, ``confusion`` (row truth, column prediction),
        ``coverage`` and ``selective_accuracy`` of the answers that are not "unsure", ``clips``, ``subjects``,
        ``uf1_interval``, ``uar_interval``.
    """
    truth, predicted, classes = table.truth, table.predicted, len(THREE_CLASSES)
    counts = metrics.confusion(truth, predicted, classes=classes)
    coverage, selective_accuracy = metrics.selective(table.probabilities, truth, table.answered)
    found: dict[str, Any] = {
        "clips": len(truth),
        "subjects": len(np.unique(table.subject)),
        "uf1": metrics.uf1(truth, predicted, classes=classes),
        "uar": metrics.uar(truth, predicted, classes=classes),
        "accuracy": metrics.accuracy(truth, predicted, classes=classes),
        "ece": metrics.calibration_error(table.probabilities, truth),
        "recall": dict(zip(THREE_CLASSES, _plain(metrics.recalls(counts)), strict=True)),
        "confusion": counts.tolist(),
        "coverage": coverage,
        "selective_accuracy": None if np.isnan(selective_accuracy) else selective_accuracy,
    }
    if draws:
        for name, score in (("uf1", metrics.uf1), ("uar", metrics.uar)):
            interval = subject_interval(partial(score, classes=classes), truth, predicted, table.subject, draws=draws)
            found[f"{name}_interval"] = list(interval)
    return found


def _plain(values: npt.NDArray[np.float64]) -> list[float | None]:
    # JSON has no NaN: a class that does not occur has no recall.
    return [None if np.isnan(v) else float(v) for v in values]
