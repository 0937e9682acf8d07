"""Scores of a classifier, and how sure it may be.

Conventions
-----------
- Truth and predictions are class indices, pooled over all folds before anything is computed: never a mean of fold
  scores.
- UF1 is the mean over classes of ``F1 = 2 TP / (2 TP + FP + FN)``, UAR the mean over classes of the recall
  ``TP / (TP + FN)`` (See et al., "MEGC 2019 - the second facial micro-expressions grand challenge", FG 2019).
- A class that occurs neither in the truth nor in the predictions has no F1 and is left out of UF1. A class that does
  not occur in the truth has no recall and is left out of UAR. On the composite set all three classes occur.
- Calibration error: 10 bins of equal width over the probability of the predicted class, ``(low, high]``, gaps weighted
  by the share of rows in the bin (Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3).
- Coverage is the share of rows that are answered, selective accuracy the accuracy among those.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError

Classes = npt.NDArray[Any]

SCORES: tuple[str, ...] = ("uf1", "uar", "accuracy")
"""The scores of recognition, as the tables and ``metrics.json`` name them."""

Z95 = 1.959964


def confusion(truth: Classes, predicted: Classes, *, classes: int) -> npt.NDArray[np.int64]:
    """Return counts (classes, classes): row truth, column prediction.

    Raises
    ------
    InputError
        Where lengths differ, nothing is given, or an index lies outside 0..classes-1.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.ndim != 1 or truth.shape != predicted.shape or len(truth) == 0:
        raise InputError(
            "one predicted class per true class", f"shapes {truth.shape} and {predicted.shape}", "Join them by clip id."
        )
    both = np.concatenate([truth, predicted])
    if both.min() < 0 or both.max() >= classes:
        raise InputError(f"classes 0..{classes - 1}", f"{both.min()}..{both.max()}", "Check the label order.")
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (truth, predicted), 1)
    return counts


def recalls(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the recall of every class; NaN for a class that does not occur in the truth."""
    occurs = counts.sum(1)
    return np.asarray(np.where(occurs > 0, np.diag(counts) / np.maximum(occurs, 1), np.nan), np.float64)


def uf1(truth: Classes, predicted: Classes, *, classes: int = 3) -> float:
    """Return the unweighted mean of the classes' F1, 0..1."""
    counts = confusion(truth, predicted, classes=classes)
    involved = counts.sum(0) + counts.sum(1)  # 2 TP + FP + FN
    return float((2 * np.diag(counts)[involved > 0] / involved[involved > 0]).mean())


def uar(truth: Classes, predicted: Classes, *, classes: int = 3) -> float:
    """Return the unweighted mean of the classes' recall, 0..1."""
    return float(np.nanmean(recalls(confusion(truth, predicted, classes=classes))))


def accuracy(truth: Classes, predicted: Classes, *, classes: int = 3) -> float:
    """Return the share of right predictions, 0..1."""
    counts = confusion(truth, predicted, classes=classes)
    return float(np.trace(counts) / counts.sum())


def scores_of_counts(counts: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the `SCORES` of many confusion counts at once; the same values as `uf1`, `uar` and `accuracy`.

    Parameters
    ----------
    counts
        (..., classes, classes): truth, prediction; at least one count each.

    Returns
    -------
    dict
        (...) float64 by name.
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    occurs, predicted = counts.sum(-1), counts.sum(-2)
    involved = occurs + predicted
    f1 = np.where(involved > 0, 2 * hits / np.maximum(involved, 1), np.nan)
    recall = np.where(occurs > 0, hits / np.maximum(occurs, 1), np.nan)
    return {
        "uf1": np.asarray(np.nanmean(f1, -1)),
        "uar": np.asarray(np.nanmean(recall, -1)),
        "accuracy": np.asarray(hits.sum(-1) / occurs.sum(-1)),
    }


def bootstrap_scores(
    counts: npt.NDArray[np.int64], *, draws: int = 2000, seed: int = 0
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the `SCORES` of bootstrap samples of subjects, drawn whole because clips of one person are alike.

    Parameters
    ----------
    counts
        (k, subjects, classes, classes): k runs, subject, truth, prediction.
    draws, seed
        Number of samples, and what they hang on.

    Returns
    -------
    dict
        (draws, k) float64 by name.
    """
    subjects = counts.shape[1]
    weights = np.random.default_rng(seed).multinomial(subjects, np.full(subjects, 1 / subjects), size=draws)
    return scores_of_counts(np.einsum("ds,ksij->dkij", weights, counts, optimize=True))


def calibration_error(probabilities: npt.NDArray[Any], truth: Classes, *, bins: int = 10) -> float:
    """Return the expected calibration error of the predicted class, 0..1.

    Parameters
    ----------
    probabilities
        (n, classes), rows summing to 1.
    truth
        (n,) class indices.
    bins
        Number of bins of equal width.
    """
    best = probabilities.max(1)
    right = probabilities.argmax(1) == truth
    place = np.clip(np.ceil(best * bins).astype(int) - 1, 0, bins - 1)
    gaps = [abs(right[place == b].mean() - best[place == b].mean()) * (place == b).sum() for b in np.unique(place)]
    return float(sum(gaps) / len(truth))


def selective(probabilities: npt.NDArray[Any], truth: Classes, answered: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return coverage and the accuracy among the answered rows (NaN where none is answered), both 0..1."""
    right = probabilities.argmax(1) == truth
    return float(answered.mean()), float(right[answered].mean()) if answered.any() else float("nan")


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate; 0 to 1 without trials.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", J. American Statistical
    Association 22, 1927.
    """
    if trials == 0:
        return 0.0, 1.0
    share, z2 = hits / trials, Z95**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    # At 0 and at all of them the formula ends there exactly, but for rounding.
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == trials else middle + half)
