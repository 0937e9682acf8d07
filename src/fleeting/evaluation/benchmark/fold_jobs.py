"""What one job of a benchmark does: train on the training rows of a fold, then look at its test rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from fleeting.datasets.samples import Samples
from fleeting.errors import DataError, SettingsError
from fleeting.evaluation.benchmark.data import BenchmarkData
from fleeting.evaluation.benchmark.independence import require_independent
from fleeting.evaluation.benchmark.splits import Fold
from fleeting.recognisers.contract import Epochs, Fitted, ManyFolds, ManyFoldsEpochs, Recogniser
from fleeting.scale.job import Job, Result

FOLD, MANY_FOLDS, CHECK = "fold", "many-folds", "independence"
"""Tasks: one fold by itself, all folds of a seed in one batch, and the check that held-out rows change nothing."""


ANSWER = "answer "
"""Begins the names of the results that hold one answer's probabilities."""


@runtime_checkable
class SeveralAnswers(Fitted, Protocol):
    """A trained recogniser of several parts, such as two streams, each of which has an answer of its own."""

    def by_answer(self, samples: Samples) -> dict[str, npt.NDArray[np.float32]]:
        """Return (n, classes) by the name of the answer; the first one is that of `probabilities`."""
        ...


@dataclass(frozen=True, slots=True)
class FoldWork:
    """What all jobs of a benchmark share.

    Attributes
    ----------
    data, model
        The clips, and the recogniser before training.
    folds
        By seed.
    leaky
        Whether to keep, beside the last epoch, the epoch that is best on the test subject.
    """

    data: BenchmarkData
    model: Recogniser
    folds: Mapping[int, tuple[Fold, ...]]
    leaky: bool = False


def run_job(job: Job, work: FoldWork) -> Result:
    """Do one job; the seed and the ids of its folds are in the content of the job.

    Returns
    -------
    dict
        One entry per test clip in ``fold``, ``clip``, ``probabilities`` (n, classes) and ``answered``; ``seconds`` of
        training and prediction; for a leaky run ``best_probabilities``, ``best_answered`` and ``best_epoch`` (from 1),
        and ``epochs``; for a model of several answers, trained fold by fold, ``answer NAME`` (n, classes) for each of
        them. For a check ``fold``, ``largest_change`` and ``seconds``.
    """
    started = time.perf_counter()
    seed, wanted = int(job.content["seed"]), list(job.content["folds"])
    folds = sorted((f for f in work.folds[seed] if f.id in wanted), key=lambda f: wanted.index(f.id))
    if job.task == CHECK:
        found: Result = {"fold": folds[0].id, "largest_change": _check(work, folds, seed)}
    elif work.leaky:
        found = _leaky(work, folds, _epochs(work, job.task, folds, seed))
    else:
        fitted = _fitted(work, job.task, folds, seed)
        found = _honest(work, folds, fitted)
        if job.task == FOLD:
            found |= _answers(work, folds, fitted)
    return found | {"seconds": time.perf_counter() - started}


def blind(samples: Samples) -> Samples:
    """Return clips without their labels and action units (all 0), as a recogniser gets them to predict."""
    units = samples.action_units
    return replace(
        samples,
        label=np.zeros(len(samples), np.int64),
        action_units=None if units is None else np.zeros_like(units),
    )


def _parts(data: Samples, fold: Fold) -> tuple[Samples, Samples | None]:
    return data.select(fold.train), data.select(fold.validation) if len(fold.validation) else None


def _fitted(work: FoldWork, task: str, folds: Sequence[Fold], seed: int) -> list[Fitted]:
    samples = work.data.samples
    if task == MANY_FOLDS:
        assert isinstance(work.model, ManyFolds)
        return work.model.fit_many(samples, [f.training_rows for f in folds], seed=seed)
    return [work.model.fit(*_parts(samples, fold), seed=seed) for fold in folds]


def _epochs(work: FoldWork, task: str, folds: Sequence[Fold], seed: int) -> Iterator[list[Fitted]]:
    samples = work.data.samples
    if task == MANY_FOLDS:
        assert isinstance(work.model, ManyFoldsEpochs)
        yield from work.model.fit_many_epochs(samples, [f.training_rows for f in folds], seed=seed)
        return
    if not isinstance(work.model, Epochs):
        raise SettingsError(
            "a model that is trained in epochs", f"'{work.model.name}'", "Only such a model has a best epoch to keep."
        )
    trainings = [work.model.fit_epochs(*_parts(samples, fold), seed=seed) for fold in folds]
    yield from map(list, zip(*trainings, strict=True))


def _honest(work: FoldWork, folds: Sequence[Fold], fitted: Sequence[Fitted]) -> Result:
    made = [_predicted(work, fold, model) for fold, model in zip(folds, fitted, strict=True)]
    return _rows(work, folds) | {
        "probabilities": np.concatenate([p for p, _ in made]),
        "answered": np.concatenate([a for _, a in made]),
    }


def _answers(work: FoldWork, folds: Sequence[Fold], fitted: Sequence[Fitted]) -> Result:
    made: dict[str, list[npt.NDArray[np.float32]]] = {}
    for fold, model in zip(folds, fitted, strict=True):
        if isinstance(model, SeveralAnswers):
            for name, rows in model.by_answer(blind(work.data.samples.select(fold.test))).items():
                made.setdefault(ANSWER + name, []).append(np.asarray(rows, np.float32))
    return {name: np.concatenate(parts) for name, parts in made.items()}


def _leaky(work: FoldWork, folds: Sequence[Fold], epochs: Iterator[list[Fitted]]) -> Result:
    """Keep per fold the first epoch of the highest accuracy on the test rows: the leak that is to be shown."""
    label = work.data.samples.label
    best: list[tuple[float, int, npt.NDArray[Any], npt.NDArray[Any]] | None] = [None] * len(folds)
    last: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []
    epoch = 0
    for epoch, fitted in enumerate(epochs, start=1):
        last = [_predicted(work, fold, model) for fold, model in zip(folds, fitted, strict=True)]
        for place, (fold, (probabilities, answered)) in enumerate(zip(folds, last, strict=True)):
            right = float((probabilities.argmax(1) == label[fold.test]).mean())
            former = best[place]
            if former is None or right > former[0]:
                best[place] = (right, epoch, probabilities, answered)
    if not last:
        raise DataError("at least one epoch", f"none from '{work.model.name}'", "Correct its settings.")
    kept = [b for b in best if b is not None]
    return _rows(work, folds) | {
        "probabilities": np.concatenate([p for p, _ in last]),
        "answered": np.concatenate([a for _, a in last]),
        "best_probabilities": np.concatenate([b[2] for b in kept]),
        "best_answered": np.concatenate([b[3] for b in kept]),
        "best_epoch": np.repeat([b[1] for b in kept], [len(f.test) for f in folds]),
        "epochs": epoch,
    }


def _rows(work: FoldWork, folds: Sequence[Fold]) -> Result:
    rows = np.concatenate([f.test for f in folds])
    return {
        "fold": np.repeat([f.id for f in folds], [len(f.test) for f in folds]),
        "clip": work.data.samples.clip[rows],
    }


def _predicted(work: FoldWork, fold: Fold, model: Fitted) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    samples = work.data.samples
    probabilities = np.asarray(model.probabilities(blind(samples.select(fold.test))), np.float32)
    shape = (len(fold.test), len(samples.classes))
    if probabilities.shape != shape or not np.allclose(probabilities.sum(1), 1, atol=1e-3):
        raise DataError(
            f"probabilities of shape {shape}, rows summing to 1, from '{work.model.name}' in fold '{fold.id}'",
            f"shape {probabilities.shape}, sums {np.round(probabilities.sum(-1)[:3], 3).tolist()}",
            "The training may have failed; look at its loss.",
        )
    return probabilities, probabilities.max(1) >= model.threshold


def _check(work: FoldWork, folds: Sequence[Fold], seed: int) -> float:
    model = work.model

    def train(data: Samples) -> Fitted:
        if isinstance(model, ManyFolds):
            return model.fit_many(data, [f.training_rows for f in folds], seed=seed)[0]
        return model.fit(*_parts(data, folds[0]), seed=seed)

    return require_independent(train, work.data.samples, folds[0], name=model.name)
