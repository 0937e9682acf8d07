"""Protocols: which clips are trained on and which are tested, as folds with ids.

Conventions
-----------
- A subject is never on two sides of a fold. Subjects of different data sets are different (`Samples.subject` carries
  the data set).
- ``loso`` holds out one subject at a time and trains on the others of the same ``NAME=PATH`` (which may itself hold
  several data sets); ``cde`` trains on the others of all (composite data base evaluation, MEGC 2019: See et al., FG
  2019, section III); with one ``NAME=PATH`` both are the same. ``hde`` holds out one data set at a time and trains on
  all others (holdout database evaluation, MEGC 2018: Yap et al., FG 2018). ``kfold`` deals subjects to k folds.
  ``holdout`` trains on some data sets and tests on others.
- ``leaky-best-epoch`` has the folds of ``cde``; what it chooses on the test subject is in
  `evaluation.benchmark.fold_jobs`.
- Folds depend on ids and seeds alone, never on the order of rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleeting.errors import DataError, LeakageError, SettingsError
from fleeting.evaluation.benchmark.data import BenchmarkData
from fleeting.evaluation.benchmark.splits import Fold
from fleeting.settings import nearest

LEAKY = "leaky-best-epoch"
PROTOCOLS: tuple[str, ...] = ("loso", "cde", "hde", "kfold", LEAKY)
HOLDOUT = "holdout"

Mask = npt.NDArray[np.bool_]


def make_folds(
    data: BenchmarkData, protocol: str, *, folds: int = 5, validation: float = 0.0, seed: int = 0
) -> tuple[Fold, ...]:
    """Return the folds of a protocol.

    Parameters
    ----------
    data
        All clips.
    protocol
        One of `PROTOCOLS`.
    folds
        Of ``kfold``.
    validation
        Share of the training subjects, 0..1, that are held out for validation; 0 for none.
    seed
        Deals subjects to ``kfold`` and to validation. The folds of the other protocols are the same for every seed.

    Raises
    ------
    SettingsError
        For an unknown protocol, an impossible number of folds or share.
    DataError
        For data with one subject (``hde``: one data set).
    """
    if protocol not in PROTOCOLS:
        raise SettingsError("a known protocol", repr(protocol), nearest(protocol, PROTOCOLS))
    samples = data.samples
    if protocol == "loso":
        tests = [
            (subject, (samples.subject == subject) & (data.source == source), data.source == source)
            for source in np.unique(data.source)
            for subject in _subjects(samples.subject[data.source == source], f"data set '{source}'")
        ]
    elif protocol == "hde":
        sets = np.unique(samples.dataset)
        if len(sets) < 2:
            raise DataError("at least 2 data sets to hold one out", f"'{sets[0]}' alone", "Add another with --data.")
        tests = [(name, samples.dataset == name, np.ones(len(data), bool)) for name in sets]
    else:
        everyone = np.ones(len(data), bool)
        subjects = _subjects(samples.subject, "the data")
        if protocol == "kfold":
            groups = _dealt(subjects, folds, seed)
            tests = [(f"{i + 1} of {folds}", np.isin(samples.subject, g), everyone) for i, g in enumerate(groups)]
        else:
            tests = [(subject, samples.subject == subject, everyone) for subject in subjects]
    names = [str(name) for name, _, _ in tests]
    if len(set(names)) != len(names):
        raise DataError(
            "every subject in one data set", "one in two of them", "Give the same clips once, or use --protocol cde."
        )
    return tuple(
        _fold(data, str(name), among & ~test, test, share=validation, seed=seed) for name, test, among in tests
    )


def holdout_fold(data: BenchmarkData, *, validation: float = 0.0, seed: int = 0) -> tuple[Fold, ...]:
    """Return the one fold that tests on the data given for that (`BenchmarkData.held_out`) and trains on the rest.

    Raises
    ------
    SettingsError
        For an impossible share of validation subjects.
    LeakageError
        Where a subject of the test data is in the training data.
    """
    test = data.held_out
    shared = np.intersect1d(data.samples.subject[test], data.samples.subject[~test])
    if len(shared):
        raise LeakageError(
            "no subject in both training and test data",
            f"{len(shared)} in both ({', '.join(map(str, shared[:5]))})",
            "Hold whole subjects out.",
        )
    return (_fold(data, HOLDOUT, ~test, test, share=validation, seed=seed),)


def _subjects(subjects: npt.NDArray[np.str_], what: str) -> list[str]:
    names = [str(s) for s in np.unique(subjects)]
    if len(names) < 2:
        raise DataError(
            f"at least 2 subjects in {what}", f"only '{names[0]}'", "With one subject nobody is left to train on."
        )
    return names


def _dealt(subjects: list[str], folds: int, seed: int) -> list[list[str]]:
    if not 2 <= folds <= len(subjects):
        raise SettingsError(f"2 to {len(subjects)} folds, as there are subjects", str(folds), "Change --folds.")
    order = np.random.default_rng(seed).permutation(subjects)
    return [sorted(map(str, order[i::folds])) for i in range(folds)]


def _fold(data: BenchmarkData, name: str, train: Mask, test: Mask, *, share: float, seed: int) -> Fold:
    if not 0 <= share < 1:
        raise SettingsError("a share of validation subjects from 0 to below 1", f"{share}", "Change --validation.")
    held = np.zeros(len(data), bool)
    if share:
        subjects = np.unique(data.samples.subject[train])
        count = min(max(1, round(share * len(subjects))), len(subjects) - 1)
        if count < 1:
            raise DataError(
                "at least 2 training subjects to hold one out for validation",
                f"{len(subjects)} in fold '{name}'",
                "Use --validation 0.",
            )
        chosen = np.random.default_rng(seed).permutation(subjects)[:count]
        held = train & np.isin(data.samples.subject, chosen)
    return Fold(name, np.flatnonzero(train & ~held), np.flatnonzero(test), np.flatnonzero(held))
