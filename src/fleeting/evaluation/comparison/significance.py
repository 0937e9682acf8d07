"""Is one run better than another on the same clips? Tests that pair the two clip by clip or subject by subject."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting import metrics
from fleeting.errors import InputError

Counts = npt.NDArray[np.int64]

EXACT_UP_TO = 1000
"""Discordant clips up to which McNemar's test is exact; above, the chi-squared form agrees to three digits."""


def permutation_test(one: Counts, other: Counts, *, draws: int = 10_000, seed: int = 0) -> dict[str, dict[str, float]]:
    """Test whether two runs differ, by exchanging their predictions for whole subjects.

    Under the null hypothesis the two models are interchangeable for every subject, so swapping both predictions of a
    random half of the subjects gives differences as large as the one seen (Edgington and Onghena, "Randomization
    tests", 2007, chapter 5). Subjects rather than clips are swapped, because clips of one person are alike. Two-sided,
    with the observed assignment counted: ``p = (1 + number as large) / (1 + draws)``; with so few subjects that there
    are no more than `draws` assignments, all of them are tried and p is exact.

    `scipy.stats.permutation_test` has a statistic of one value a row; here a row is a subject's table of counts, for
    each of several seeds, and three scores are tested on the same assignments.

    Parameters
    ----------
    one, other
        (seeds, subjects, classes, classes) confusion counts, truth and prediction; seeds may differ in number, subjects
        are the same and in the same order.
    draws
        Random assignments.
    seed
        Of the draws.

    Returns
    -------
    dict
        For each of `metrics.SCORES`: ``difference`` (one minus other, of the means over seeds) and ``p``.

    Raises
    ------
    InputError
        Where the subjects or their clips are not the same.
    """
    if one.shape[1:] != other.shape[1:] or not (one[0].sum(2) == other[0].sum(2)).all():
        raise InputError(
            "two runs on the same clips", "other subjects or other truths", "Compare runs of the same data."
        )
    subjects = one.shape[1]
    exact = subjects <= math.log2(draws)
    if exact:
        swapped = (np.arange(2**subjects)[:, None] >> np.arange(subjects)) & 1
    else:
        swapped = np.random.default_rng(seed).integers(0, 2, (draws, subjects))
    seen = {name: float(_mean(one.sum(1))[name] - _mean(other.sum(1))[name]) for name in metrics.SCORES}
    changed = _differences(one, other, swapped)
    found = {}
    for name, value in seen.items():
        as_large = int((np.abs(changed[name]) >= abs(value) - 1e-12).sum())
        p = as_large / len(swapped) if exact else (1 + as_large) / (1 + draws)
        found[name] = {"difference": value, "p": p}
    return found


def _mean(counts: Counts) -> dict[str, npt.NDArray[np.float64]]:
    return {name: values.mean(-1) for name, values in metrics.scores_of_counts(counts).items()}


def _differences(one: Counts, other: Counts, swapped: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the difference of each score under each assignment, (assignments,); seed k is exchanged with seed k.

    Where the numbers of seeds differ, both are repeated up to their least common multiple: the means stay the same.
    """
    seeds = math.lcm(len(one), len(other))
    one, other = (np.tile(c, (seeds // len(c), 1, 1, 1)) for c in (one, other))
    stay = 1 - swapped
    mixed = [
        np.einsum("ds,ksij->dkij", stay, a, optimize=True) + np.einsum("ds,ksij->dkij", swapped, b, optimize=True)
        for a, b in ((one, other), (other, one))
    ]
    scores = [_mean(m) for m in mixed]
    return {name: scores[0][name] - scores[1][name] for name in metrics.SCORES}


def mcnemar(right: npt.NDArray[np.bool_], other_right: npt.NDArray[np.bool_]) -> dict[str, float | int]:
    """Test whether two runs are right equally often on the same clips (McNemar, Psychometrika 12, 1947).

    Only clips on which exactly one of them is right count; under the null hypothesis these are heads and tails of a
    fair coin. Exact two-sided binomial p up to `EXACT_UP_TO` such clips, beyond it chi-squared with continuity
    correction (Edwards, Psychometrika 13, 1948).

    Parameters
    ----------
    right, other_right
        (n,) whether each run is right, clip by clip.

    Returns
    -------
    dict
        ``only_first``, ``only_second`` (numbers of clips that only one gets right) and ``p``.

    Raises
    ------
    InputError
        Where the lengths differ.
    """
    if right.shape != other_right.shape or right.ndim != 1:
        raise InputError(
            "one answer per clip from both runs", f"{right.shape} and {other_right.shape}", "Join them by clip id."
        )
    first, second = int((right & ~other_right).sum()), int((~right & other_right).sum())
    n, fewer = first + second, min(first, second)
    if n <= EXACT_UP_TO:
        tail = sum(math.comb(n, k) for k in range(fewer + 1))
        p = min(1.0, 2 * tail / 2**n)
    else:
        statistic = max(0.0, abs(first - second) - 1.0) ** 2 / n
        p = math.erfc(math.sqrt(statistic / 2))
    return {"only_first": first, "only_second": second, "p": p}
