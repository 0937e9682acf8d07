"""Scores of action units: each unit is a question of its own, yes or no.

Conventions
-----------
- Predictions are pooled over all folds before anything is computed: never a mean of fold scores.
- ``f1`` is that of the clips that show the unit, ``2 TP / (2 TP + FP + FN)``, which CD6ME calls F1 and its code
  "binary"; ``macro_f1`` is the mean of this and of the F1 of the clips that do not show it, which is far higher for a
  rare unit. Varanka, Li, Peng, Zhao, "Data leakage and evaluation issues in micro-expression analysis", IEEE Trans.
  Affective Computing, 2023 (arXiv 2211.11425), and its code (github.com/tvaranka/meb, ``MultiLabelF1Score``). Never
  compare the one with the other.
- ``auc`` is the area under the receiver operating characteristic, ties counting half; ``average_precision`` the sum of
  precision times step of recall over falling thresholds, equal probabilities at one threshold. Both as in scikit-learn.
- A clip of which the coders were not sure whether it shows the unit (`datasets.samples.HEDGED`) counts for neither side
  of this unit. A unit that was there at rest did not move.
- A unit without an example has no scores. Means are over units with at least one example; CD6ME, which has examples of
  all its twelve units, needs no such rule.
- Intervals: 95 % percentiles over bootstrap samples of subjects, drawn whole because clips of one person are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError

CD6ME: tuple[str, ...] = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12", "AU14", "AU15", "AU17",
)  # fmt: skip
"""The twelve units of CD6ME."""

SCORES: tuple[str, ...] = ("f1", "macro_f1", "auc", "average_precision")

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class UnitPredictions:
    """What was said of every clip, one column for each unit.

    Attributes
    ----------
    units
        Names.
    truth
        (n, units) int8 as `datasets.samples.Samples.action_units`.
    probabilities
        (n, units), 0..1.
    predicted
        (n, units) bool.
    subject
        (n,) text.
    """

    units: tuple[str, ...]
    truth: npt.NDArray[np.int8]
    probabilities: npt.NDArray[Any]
    predicted: npt.NDArray[np.bool_]
    subject: npt.NDArray[np.str_]

    def __post_init__(self) -> None:
        shape = (len(self.subject), len(self.units))
        shapes = [a.shape for a in (self.truth, self.probabilities, self.predicted)]
        if any(s != shape for s in shapes) or not len(self.subject):
            raise InputError(f"one answer for each of {shape[1]} units of each clip", f"shapes {shapes}", "Join them.")
        if not (np.isfinite(self.probabilities).all() and np.abs(self.probabilities - 0.5).max() <= 0.5):
            raise InputError("probabilities of 0..1", "others", "The training may have failed; look at its loss.")

    def select(self, rows: npt.NDArray[Any]) -> UnitPredictions:
        """Return the given rows."""
        return UnitPredictions(
            self.units, self.truth[rows], self.probabilities[rows], self.predicted[rows], self.subject[rows]
        )


def unit_scores(seeds: Sequence[UnitPredictions], *, draws: int = 2000) -> dict[str, Any]:
    """Return the scores of one or several seeds of the same clips.

    Parameters
    ----------
    seeds
        Predictions of each seed; the score is the mean over them, as is that of every bootstrap sample.
    draws
        Bootstrap samples; 0 for no intervals.

    Returns
    -------
    dict
        ``units``: by name the `SCORES` (None where there is none), ``count`` of clips that show it, ``hedged`` of those
        of which that is not sure, ``f1_interval``, ``auc_interval``; ``mean_f1``, ``mean_macro_f1``, ``mean_auc``, each
        with an interval such as ``mean_f1_interval``; ``mean_average_precision``; ``cd6me``: ``units`` of CD6ME that
        are scored, ``f1`` and ``macro_f1``, each with its interval.
    """
    first = seeds[0]
    counted = (first.truth == 1).sum(0) > 0
    twelve = np.isin(first.units, CD6ME) & counted
    exact = {name: np.mean([_exact(s)[name] for s in seeds], 0) for name in SCORES}
    several = bool(draws) and len(np.unique(first.subject)) > 1
    drawn = {} if not several else _mean_over([_drawn(s, draws) for s in seeds])
    units: dict[str, Any] = {}
    for i, name in enumerate(first.units):
        found: dict[str, Any] = {score: _plain(exact[score][i]) if counted[i] else None for score in SCORES}
        found |= {"count": int((first.truth[:, i] == 1).sum()), "hedged": int((first.truth[:, i] < 0).sum())}
        for score in ("f1", "auc"):
            column = drawn[score][:, i] if several and counted[i] else np.array([])
            found[f"{score}_interval"] = _interval(column)
        units[name] = found
    means: dict[str, Any] = {}
    for score in SCORES:
        means[f"mean_{score}"] = _plain(_mean(exact[score][counted]))
        if score != "average_precision":
            means[f"mean_{score}_interval"] = _interval(_mean(drawn[score][:, counted])) if several else None
    cd6me: dict[str, Any] = {"units": [name for name, there in zip(first.units, twelve, strict=True) if there]}
    for score in ("f1", "macro_f1"):
        cd6me[score] = _plain(_mean(exact[score][twelve]))
        cd6me[f"{score}_interval"] = _interval(_mean(drawn[score][:, twelve])) if several else None
    return {"units": units, **means, "cd6me": cd6me}


def mean_f1_of(table: UnitPredictions) -> float:
    """Return the mean F1 over units with an example; NaN without any."""
    return float(_mean(_exact(table)["f1"][(table.truth == 1).sum(0) > 0]))


def area(truth: npt.NDArray[np.bool_], probabilities: npt.NDArray[Any]) -> float:
    """Return the area under the receiver operating characteristic; NaN where all clips are alike."""
    wins = _wins(truth, probabilities)
    return float(wins.mean()) if wins.size else float("nan")


def average_precision(truth: npt.NDArray[np.bool_], probabilities: npt.NDArray[Any]) -> float:
    """Return the average precision; NaN without an example."""
    if not truth.any():
        return float("nan")
    order = np.argsort(-probabilities, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.flatnonzero(np.append(np.diff(probabilities[order]) != 0, True))
    precision, recall = hits[last] / (last + 1), hits[last] / hits[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def _wins(truth: npt.NDArray[np.bool_], probabilities: npt.NDArray[Any]) -> Values:
    """(with, without) 1 where the clip with the unit has the higher probability, 0.5 for equal ones."""
    given, other = probabilities[truth][:, None], probabilities[~truth][None]
    return np.asarray((given > other) + 0.5 * (given == other), np.float64)


def _exact(table: UnitPredictions) -> dict[str, Values]:
    found = _f1(*(c.sum(0).astype(np.float64) for c in _counts(table)))
    known = table.truth >= 0
    columns = [(table.truth[k, i] == 1, table.probabilities[k, i]) for i, k in enumerate(known.T)]
    found["auc"] = np.array([area(t, p) for t, p in columns])
    found["average_precision"] = np.array([average_precision(t, p) for t, p in columns])
    return found


def _counts(table: UnitPredictions) -> tuple[npt.NDArray[np.bool_], ...]:
    """(n, units) true positives, false positives, false negatives, true negatives."""
    shows, known, said = table.truth == 1, table.truth >= 0, table.predicted
    return shows & said, known & ~shows & said, shows & ~said, known & ~shows & ~said


def _f1(hits: Values, false: Values, missed: Values, rest: Values) -> dict[str, Values]:
    """F1 and macro F1 of counts (..., units); NaN where a sample shows the unit nowhere."""
    shown = hits + missed > 0
    f1 = np.where(shown, 2 * hits / np.maximum(2 * hits + false + missed, 1), np.nan)
    involved = 2 * rest + false + missed
    other = np.where(involved > 0, 2 * rest / np.maximum(involved, 1), np.nan)
    # Where every clip shows the unit, and that is said of all, there is no other class.
    return {"f1": f1, "macro_f1": np.where(np.isnan(other), f1, (f1 + other) / 2)}


def _drawn(table: UnitPredictions, draws: int) -> dict[str, Values]:
    """(draws, units) of bootstrap samples of subjects."""
    names, place = np.unique(table.subject, return_inverse=True)
    count = len(names)
    weights = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)
    of_subject = (place[None] == np.arange(count)[:, None]).astype(np.float64)
    found = _f1(*(weights @ (of_subject @ c) for c in _counts(table)))
    areas = []
    for column, probabilities in zip(table.truth.T, table.probabilities.T, strict=True):
        shows, not_shown = column == 1, column == 0
        known = column >= 0
        wins = of_subject[:, shows] @ _wins(shows[known], probabilities[known]) @ of_subject[:, not_shown].T
        pairs = (weights @ of_subject[:, shows].sum(1)) * (weights @ of_subject[:, not_shown].sum(1))
        won = np.einsum("ds,st,dt->d", weights, wins, weights, optimize=True)
        areas.append(np.where(pairs > 0, won / np.maximum(pairs, 1), np.nan))
    return found | {"auc": np.stack(areas, 1)}


def _mean_over(seeds: Sequence[dict[str, Values]]) -> dict[str, Values]:
    return {name: np.asarray(np.mean([s[name] for s in seeds], 0), np.float64) for name in seeds[0]}


def _mean(values: Values) -> Values:
    """Mean over the last axis without NaN; NaN where nothing is left."""
    there = ~np.isnan(values)
    count = there.sum(-1)
    return np.asarray(np.where(count > 0, np.where(there, values, 0).sum(-1) / np.maximum(count, 1), np.nan))


def _interval(drawn: Values) -> list[float] | None:
    drawn = drawn[~np.isnan(drawn)]
    return [float(q) for q in np.quantile(drawn, (0.025, 0.975))] if len(drawn) else None


def _plain(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
