"""Folds inside the training data: validation that holds out whole training subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError


@dataclass(frozen=True, slots=True)
class InnerFold:
    """Rows of the training data: to fit on, and to validate on; they share no subject."""

    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]


def subject_folds(subjects: npt.NDArray[Any], *, folds: int, seed: int) -> tuple[InnerFold, ...]:
    """Deal the subjects to folds of nearly equal size and hold each fold out once.

    Parameters
    ----------
    subjects
        (n,) subject of each training row.
    folds
        Number of folds, at most the number of subjects.
    seed
        Decides the dealing.

    Raises
    ------
    InputError
        For fewer than two folds or more folds than subjects.
    """
    names = np.unique(subjects)
    if not 2 <= folds <= len(names):
        raise InputError(
            f"2 to {len(names)} inner folds (there are {len(names)} subjects)", str(folds), "Change inner_folds."
        )
    dealt = np.random.default_rng(seed).permutation(names)
    held = [np.isin(subjects, dealt[i::folds]) for i in range(folds)]
    return tuple(InnerFold(np.flatnonzero(~h), np.flatnonzero(h)) for h in held)
