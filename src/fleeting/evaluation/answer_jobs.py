"""Jobs of a benchmark for models of several answers, such as two streams and what both say together."""

from __future__ import annotations

import time
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from fleeting.datasets.samples import Samples
from fleeting.evaluation.fold_jobs import FOLD, FoldWork, blind, run_job
from fleeting.scale.job import Job, Result
from fleeting.training.contract import Fitted, Recogniser

ANSWER = "answer "
"""Begins the names of the results that hold one answer's probabilities."""


@runtime_checkable
class SeveralAnswers(Fitted, Protocol):
    """A trained recogniser of several parts, each of which has an answer of its own."""

    def by_answer(self, samples: Samples) -> dict[str, npt.NDArray[np.float32]]:
        """Return (n, classes) by the name of the answer; the first one is that of `probabilities`."""
        ...


def run_answer_job(job: Job, work: FoldWork) -> Result:
    """Do one job as `fold_jobs.run_job` does; of a model that has them, the answers of its parts come along.

    Returns
    -------
    dict
        That of `fold_jobs.run_job`, and ``answer NAME`` (n, classes) for each answer.
    """
    if job.task != FOLD or work.leaky:
        return run_job(job, work)
    started = time.perf_counter()
    keeping = _Keeping(work.model)
    found = run_job(job, FoldWork(work.data, keeping, work.folds))
    wanted = list(job.content["folds"])
    folds = [f for name in wanted for f in work.folds[int(job.content["seed"])] if f.id == name]
    for fold, fitted in zip(folds, keeping.fitted, strict=True):
        if isinstance(fitted, SeveralAnswers):
            test = blind(work.data.samples.select(fold.test))
            for name, rows in fitted.by_answer(test).items():
                parts = [found[ANSWER + name]] if ANSWER + name in found else []
                found[ANSWER + name] = np.concatenate([*parts, np.asarray(rows, np.float32)])
    return found | {"seconds": time.perf_counter() - started}


class _Keeping:
    """A recogniser that remembers what it trained."""

    def __init__(self, model: Recogniser) -> None:
        self.model, self.fitted = model, list[Fitted]()
        self.name, self.needs = model.name, model.needs

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Fitted:
        self.fitted.append(self.model.fit(train, validation, seed=seed))
        return self.fitted[-1]

    def settings(self) -> dict[str, Any]:
        return self.model.settings()
