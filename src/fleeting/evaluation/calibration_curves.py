"""How far probabilities can be trusted, as curves: reliability, and the risk of answering more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fleeting import metrics

if TYPE_CHECKING:
    import pandas as pd

COVERAGES: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def reliability(
    probabilities: npt.NDArray[Any], truth: npt.NDArray[Any], *, bins: int = 10
) -> list[dict[str, float | int]]:
    """Return the reliability diagram of the predicted class (Guo et al., ICML 2017, figure 1).

    Parameters
    ----------
    probabilities, truth
        (n, classes) and (n,) class indices.
    bins
        Of equal width over 0..1, ``(low, high]`` as for `metrics.calibration_error`.

    Returns
    -------
    list of dict
        For every bin that holds a row: ``from``, ``to``, ``count``, mean ``probability``, ``accuracy``.
    """
    best, right = probabilities.max(1), probabilities.argmax(1) == truth
    place = np.clip(np.ceil(best * bins).astype(int) - 1, 0, bins - 1)
    return [
        {
            "from": b / bins,
            "to": (b + 1) / bins,
            "count": int((place == b).sum()),
            "probability": float(best[place == b].mean()),
            "accuracy": float(right[place == b].mean()),
        }
        for b in map(int, np.unique(place))
    ]


def risk_coverage(
    probabilities: npt.NDArray[Any], truth: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return coverage and risk when only the surest rows are answered (El-Yaniv and Wiener, JMLR 11, 2010).

    Returns
    -------
    coverage, risk
        (m,) each, one entry per distinct probability of the best class, from few answers to all: the share of rows
        answered, and the share of wrong ones among these. Rows of one probability are answered together, since no
        threshold tells them apart.
    """
    best, wrong = probabilities.max(1), probabilities.argmax(1) != truth
    order = np.argsort(-best, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(best[order])), len(best) - 1)
    answered = ends + 1
    return answered / len(best), np.cumsum(wrong[order])[ends] / answered


def area_under_risk(coverage: npt.NDArray[np.float64], risk: npt.NDArray[np.float64]) -> float:
    """Return the mean risk over coverages 0..1, each step at the risk that it ends with; 0 is perfect."""
    return float((np.diff(coverage, prepend=0.0) * risk).sum())


def calibration(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Return calibration of a table of predictions, the rows of all seeds together.

    Returns
    -------
    dict
        ``ece``, ``reliability``, ``coverage`` and ``selective_accuracy`` of the answers that are not "unsure",
        ``risk_coverage`` (the risk at each of `COVERAGES`, or the next coverage above that a threshold can give) and
        ``area_under_risk``.
    """
    probabilities = table[[f"p_{c}" for c in classes]].to_numpy()
    truth = table["truth"].map({c: i for i, c in enumerate(classes)}).to_numpy()
    coverage, risk = risk_coverage(probabilities, truth)
    answered, right = metrics.selective(probabilities, truth, table["answered"].to_numpy(bool))
    places = [min(int(np.searchsorted(coverage, c - 1e-9)), len(coverage) - 1) for c in COVERAGES]
    return {
        "ece": metrics.calibration_error(probabilities, truth),
        "reliability": reliability(probabilities, truth),
        "coverage": answered,
        "selective_accuracy": None if np.isnan(right) else right,
        "risk_coverage": [{"coverage": float(coverage[i]), "risk": float(risk[i])} for i in places],
        "area_under_risk": area_under_risk(coverage, risk),
    }
