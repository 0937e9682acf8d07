"""Predictions of a recogniser: one row per clip, and the scores of a whole table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting import metrics
from fleeting.datasets.samples import Samples
from fleeting.evaluation.benchmark.data import BenchmarkData
from fleeting.evaluation.benchmark.fold_jobs import FOLD, MANY_FOLDS, FoldWork, run_job
from fleeting.evaluation.benchmark.splits import leave_one_subject_out
from fleeting.evaluation.bootstrap import subject_interval
from fleeting.labels import THREE_CLASSES
from fleeting.recognisers.contract import ManyFolds, Recogniser
from fleeting.scale.job import Job


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


def cross_validate(data: Samples, model: Recogniser, *, seed: int = 0) -> Predictions:
    """Return predictions of every clip by a model that was fitted, choices and all, without its subject.

    Parameters
    ----------
    data
        Labelled clips of at least two subjects.
    model
        The recogniser before training.
    seed
        Of its training.

    Raises
    ------
    InputError
        For one subject alone.
    DataError
        For probabilities that are none.
    """
    folds = tuple(leave_one_subject_out(data.subject))
    work = FoldWork(BenchmarkData(data, data.dataset, np.zeros(len(data), bool)), model, {seed: folds})
    task = MANY_FOLDS if isinstance(model, ManyFolds) else FOLD
    found = run_job(Job(task, {"seed": seed, "folds": [fold.id for fold in folds]}), work)
    order = np.argsort(np.concatenate([fold.test for fold in folds]))
    fold_id, probabilities, answered = (found[name][order] for name in ("fold", "probabilities", "answered"))
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
