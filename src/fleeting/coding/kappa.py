"""Agreement beyond chance between two coders.

Conventions
-----------
- Counts are (k, k): rows the first coder's classes, columns the second's. Every value is 1 where they always agree and
  NaN where it is not defined (nothing was rated, or chance alone would agree always).
- Cohen's kappa: ``(p_o - p_e) / (1 - p_e)``, p_e the sum over classes of the product of the coders' shares
  (J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20, 1960).
- Weighted kappa: ``1 - sum(w o) / sum(w e)`` with disagreements w = (i - j)^2 of ordered classes (J. Cohen, "Weighted
  kappa", Psychological Bulletin 70, 1968).
- Gwet's AC1: chance is ``sum(p (1 - p)) / (k - 1)`` with the mean p of the coders' shares. It stays near the observed
  agreement where a class is rare, where kappa falls (K. L. Gwet, "Computing inter-rater reliability and its variance in
  the presence of high agreement", British J. Mathematical and Statistical Psychology 61, 2008, equations 4 and 5).
- ICC(A,1), absolute agreement of single ratings, two-way random: ``(MSR - MSE) / (MSR + (k - 1) MSE + k (MSC - MSE) /
  n)`` (K. O. McGraw and S. P. Wong, "Forming inferences about some intraclass correlation coefficients", Psychological
  Methods 1, 1996, table 4; it is ICC(2,1) of P. E. Shrout and J. L. Fleiss, Psychological Bulletin 86, 1979).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


def counts_of(first: Sequence[Hashable], second: Sequence[Hashable], classes: Sequence[Hashable]) -> Counts:
    """Return how often the first coder gave one class and the second another, (k, k)."""
    place = {name: i for i, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for a, b in zip(first, second, strict=True):
        counts[place[a], place[b]] += 1
    return counts


def agreement(counts: Counts) -> float:
    """Return the share of equal answers, 0..1."""
    total = counts.sum()
    return float(np.trace(counts) / total) if total else math.nan


def cohen_kappa(counts: Counts) -> float:
    """Return Cohen's kappa of counts (k, k)."""
    return weighted_kappa(counts, np.asarray(1.0 - np.eye(len(counts)), np.float64))


def quadratic_kappa(counts: Counts) -> float:
    """Return the weighted kappa of ordered classes, with squared distances."""
    order = np.arange(len(counts))
    return weighted_kappa(counts, np.square(order[:, None] - order[None, :]).astype(np.float64))


def weighted_kappa(counts: Counts, weights: npt.NDArray[np.float64]) -> float:
    """Return the weighted kappa; `weights` (k, k) say how bad each disagreement is, 0 on the diagonal."""
    total = counts.sum()
    if not total:
        return math.nan
    chance = float((weights * np.outer(counts.sum(1), counts.sum(0))).sum() / total)
    return 1.0 - float((weights * counts).sum()) / chance if chance > 0 else math.nan


def gwet_ac1(counts: Counts) -> float:
    """Return Gwet's AC1 of counts (k, k)."""
    total, k = counts.sum(), len(counts)
    if not total or k < 2:
        return math.nan
    share = (counts.sum(0) + counts.sum(1)) / (2 * total)
    chance = float((share * (1 - share)).sum() / (k - 1))
    return (agreement(counts) - chance) / (1 - chance)


def icc_agreement(ratings: npt.NDArray[np.float64]) -> float:
    """Return ICC(A,1) of ratings (n targets, k coders); NaN for fewer than two targets or where nothing varies."""
    n, k = ratings.shape
    if n < 2 or k < 2:
        return math.nan
    mean = ratings.mean()
    rows, columns = ratings.mean(1), ratings.mean(0)
    between = k * ((rows - mean) ** 2).sum() / (n - 1)
    coders = n * ((columns - mean) ** 2).sum() / (k - 1)
    error = ((ratings - rows[:, None] - columns[None, :] + mean) ** 2).sum() / ((n - 1) * (k - 1))
    below = between + (k - 1) * error + k * (coders - error) / n
    return float((between - error) / below) if below > 0 else math.nan
