"""The content of ``metrics.json``: scores of a table of predictions, with seeds and intervals.

Conventions
-----------
- A score is computed per seed on the predictions of all folds pooled; ``pooled`` is its mean over seeds, ``spread``
  the standard deviation over seeds (n - 1; 0 for one seed).
- Intervals: 95 % percentiles over bootstrap samples of subjects (whole subjects are drawn, the same ones for every
  seed), of the mean over seeds. They say how the score would vary with other people, not with other seeds.
- Per data set: the same, on the clips of that set alone (models may have been trained on others too).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fleeting import metrics
from fleeting.evaluation.calibration_curves import calibration

if TYPE_CHECKING:
    import pandas as pd

SCORES: tuple[str, ...] = metrics.SCORES


def benchmark_scores(table: pd.DataFrame, classes: Sequence[str], *, draws: int = 2000) -> dict[str, Any]:
    """Return all scores of a table of predictions.

    Parameters
    ----------
    table
        One row per prediction: ``seed``, ``data_set``, ``subject``, ``clip``, ``truth``, ``predicted``, ``answered``
        and ``p_CLASS`` per class.
    classes
        Names of the classes, in order.
    draws
        Bootstrap samples; 0 for no intervals.

    Returns
    -------
    dict
        Plain values for JSON.
    """
    sets = sorted(map(str, table["data_set"].unique()))
    found: dict[str, Any] = {name: {} for name in SCORES}
    for part, rows in (("", table), *((s, table[table["data_set"] == s]) for s in sets)):
        for name, values in _summary(rows, classes, draws=draws).items():
            if part:
                found[name].setdefault("per_data_set", {})[part] = values
            else:
                found[name] = values
    counts = subject_counts(table, classes)[1].sum(1)
    seeds = [str(s) for s in sorted(table["seed"].unique())]
    found["confusion"] = {
        "classes": list(classes),
        "rows": "truth",
        "pooled_over_seeds": counts.sum(0).tolist(),
        "per_seed": dict(zip(seeds, counts.tolist(), strict=True)),
        "per_data_set": {
            s: subject_counts(table[table["data_set"] == s], classes)[1].sum((0, 1)).tolist() for s in sets
        },
    }
    found["recall"] = dict(zip(classes, _plain(metrics.recalls(counts.sum(0))), strict=True))
    found["calibration"] = calibration(table, classes)
    one = table[table["seed"] == table["seed"].min()]
    found["clips"] = len(one)
    found["subjects"] = int(one["subject"].nunique())
    found["data_sets"] = {s: int((one["data_set"] == s).sum()) for s in sets}
    found["class_counts"] = {c: int((one["truth"] == c).sum()) for c in classes}
    return found


def subject_counts(table: pd.DataFrame, classes: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the subjects, sorted, and their counts (seeds, subjects, classes, classes): truth, prediction."""
    place = {name: i for i, name in enumerate(classes)}
    subjects = sorted(map(str, table["subject"].unique()))
    seeds = sorted(table["seed"].unique())
    counts = np.zeros((len(seeds), len(subjects), len(classes), len(classes)), np.int64)
    index = (
        table["seed"].map({s: i for i, s in enumerate(seeds)}).to_numpy(),
        table["subject"].map({s: i for i, s in enumerate(subjects)}).to_numpy(),
        table["truth"].map(place).to_numpy(),
        table["predicted"].map(place).to_numpy(),
    )
    np.add.at(counts, index, 1)
    return subjects, counts


def _summary(table: pd.DataFrame, classes: Sequence[str], *, draws: int) -> dict[str, dict[str, Any]]:
    subjects, counts = subject_counts(table, classes)
    seeds = [str(s) for s in sorted(table["seed"].unique())]
    exact = metrics.scores_of_counts(counts.sum(1))
    drawn = metrics.bootstrap_scores(counts, draws=draws) if draws and len(subjects) > 1 else None
    found: dict[str, dict[str, Any]] = {}
    for name in SCORES:
        values = exact[name]
        found[name] = {
            "pooled": float(values.mean()),
            "interval": None if drawn is None else _interval(drawn[name].mean(1)),
            "spread": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
            "per_seed": dict(zip(seeds, map(float, values), strict=True)),
            "per_seed_interval": None
            if drawn is None
            else dict(zip(seeds, map(_interval, drawn[name].T), strict=True)),
        }
    return found


def _interval(drawn: npt.NDArray[np.float64]) -> list[float]:
    return [float(q) for q in np.quantile(drawn, (0.025, 0.975))]


def _plain(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(v) else float(v) for v in values]
