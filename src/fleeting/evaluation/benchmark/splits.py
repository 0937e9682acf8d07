"""Splits as objects with ids, apart from training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError
from fleeting.evaluation.benchmark.leakage import require_disjoint
from fleeting.recognisers.contract import TrainingRows


@dataclass(frozen=True, slots=True)
class Fold:
    """One split.

    Attributes
    ----------
    id
        Name of the fold, unique within its protocol; every prediction carries it.
    train, test
        Rows of the data.
    validation
        Rows of subjects that are in neither of both; empty where the recogniser needs none or makes its own inner
        folds.
    """

    id: str
    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def training_rows(self) -> TrainingRows:
        """The part of the fold that training may see."""
        return TrainingRows(self.id, self.train, self.validation)


def leave_one_subject_out(subjects: npt.NDArray[Any]) -> Iterator[Fold]:
    """Yield one fold per subject, in the order of their names; the id is the subject held out.

    Parameters
    ----------
    subjects
        (n,) subject of each row.

    Raises
    ------
    InputError
        For fewer than two subjects.
    LeakageError
        Never for this split; the check guards against a later change of it.
    """
    names = np.unique(subjects)
    if len(names) < 2:
        raise InputError("at least 2 subjects", str(len(names)), "Leave-one-subject-out has nobody left to train on.")
    for name in names:
        test = subjects == name
        require_disjoint(subjects[~test], subjects[test])
        yield Fold(str(name), np.flatnonzero(~test), np.flatnonzero(test))
