"""Intervals for scores of pooled predictions, by drawing subjects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt


def subject_interval(
    score: Callable[[npt.NDArray[Any], npt.NDArray[Any]], float],
    truth: npt.NDArray[Any],
    predicted: npt.NDArray[Any],
    subjects: npt.NDArray[Any],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a score over bootstrap samples of subjects.

    Whole subjects are drawn with replacement, because clips of one person are alike: drawing clips would make the
    interval too narrow. With the same seed, `scipy.stats.bootstrap` over the numbers of the subjects gives the same
    interval to the last digit; it is written out here because ``fleeting evaluate`` runs without SciPy.

    Parameters
    ----------
    score
        Of (truth, predicted), pooled.
    truth, predicted, subjects
        (n,) one entry per prediction.
    draws
        Number of bootstrap samples.
    seed
        Of the draws.
    """
    names, place = np.unique(subjects, return_inverse=True)
    rows = [np.flatnonzero(place == i) for i in range(len(names))]
    rng = np.random.default_rng(seed)
    scores = []
    for _ in range(draws):
        drawn = np.concatenate([rows[i] for i in rng.integers(0, len(names), len(names))])
        scores.append(score(truth[drawn], predicted[drawn]))
    low, high = np.quantile(scores, (0.025, 0.975))
    return float(low), float(high)
