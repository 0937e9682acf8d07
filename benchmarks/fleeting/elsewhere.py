"""Leave one laboratory out: how a recogniser does where it was never trained.

Everything is chosen on the other laboratories. Scores are of each laboratory, and their means; intervals and tests draw
or exchange whole people inside each laboratory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting import metrics
from fleeting.datasets.samples import Samples
from fleeting.evaluation.benchmark.predictions import Predictions, scores
from fleeting.recognisers.contract import Recogniser

MEANS = ("uf1", "uar", "accuracy", "ece", "coverage", "selective_accuracy")
DRAWS = 10_000


def leave_one_laboratory_out(data: Samples, model: Recogniser) -> dict[str, Predictions]:
    """Return predictions of every laboratory by a model that was fitted, choices and all, on the others."""
    found = {}
    for name in np.unique(data.dataset):
        test = data.select(data.dataset == name)
        fitted = model.fit(data.select(data.dataset != name), None, seed=0)
        said = fitted.probabilities(test)
        fold = np.full(len(test), name)
        answered = said.max(1) >= fitted.threshold
        found[str(name)] = Predictions(fold, test.clip, test.subject, test.label, said, answered)
    return found


def summary(tables: dict[str, Predictions], floor: dict[str, Predictions] | None) -> dict[str, Any]:
    """Return means over laboratories, the scores of each, and the difference of the mean UF1 from a floor."""
    each = {name: scores(table) for name, table in tables.items()}
    found: dict[str, Any] = {
        key: float(np.mean([row[key] for row in each.values()]))
        for key in MEANS
        if all(row[key] is not None for row in each.values())
    }
    counts = [_counts(table) for table in tables.values()]
    for key in ("uf1", "uar"):
        found[f"{key}_interval"] = _interval(_drawn(counts, key, np.random.default_rng(0)))
    if floor is not None:
        below = [_counts(floor[name]) for name in tables]
        same = [_drawn(c, "uf1", np.random.default_rng(0)) for c in (counts, below)]
        found["above_linear_svm"] = _difference(counts, below) | {"interval": _interval(same[0] - same[1])}
    return found | {"laboratories": each}


def _counts(table: Predictions) -> npt.NDArray[np.int64]:
    """Confusion counts (people, classes, classes)."""
    people = np.unique(table.subject, return_inverse=True)[1]
    found = np.zeros((people.max() + 1, 3, 3), np.int64)
    np.add.at(found, (people, table.truth, table.predicted), 1)
    return found


def _drawn(counts: list[npt.NDArray[np.int64]], key: str, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Mean over laboratories of a score, for each draw of people (draws,)."""
    values = []
    for one in counts:
        times = rng.multinomial(len(one), np.full(len(one), 1 / len(one)), DRAWS)
        values.append(metrics.scores_of_counts(np.tensordot(times, one, 1))[key])
    return np.asarray(np.mean(values, 0))


def _interval(values: npt.NDArray[np.float64]) -> list[float]:
    return [float(q) for q in np.quantile(values, (0.025, 0.975))]


def _difference(one: list[npt.NDArray[np.int64]], other: list[npt.NDArray[np.int64]]) -> dict[str, float]:
    """Difference of the mean UF1, and the p of exchanging the answers about whole people, two-sided."""
    rng = np.random.default_rng(0)
    drawn, seen = np.zeros(DRAWS), 0.0
    for a, b in zip(one, other, strict=True):
        swapped = rng.integers(0, 2, (DRAWS, len(a)))
        mixed = [np.tensordot(1 - swapped, x, 1) + np.tensordot(swapped, y, 1) for x, y in ((a, b), (b, a))]
        first, second = (metrics.scores_of_counts(m)["uf1"] for m in mixed)
        drawn += (first - second) / len(one)
        seen += float(np.diff([metrics.scores_of_counts(x.sum(0))["uf1"] for x in (b, a)])[0]) / len(one)
    as_large = int((np.abs(drawn) >= abs(seen) - 1e-12).sum())
    return {"difference": seen, "p": (1 + as_large) / (1 + DRAWS)}
