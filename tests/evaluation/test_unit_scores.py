"""Scores of action units against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fleeting.errors import InputError
from fleeting.evaluation.unit_scores import CD6ME, UnitPredictions, area, average_precision, unit_scores


def predictions(seed: int = 0, *, n: int = 60, units: tuple[str, ...] = CD6ME, hedged: float = 0.0) -> UnitPredictions:
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, len(units))) < 0.25).astype(np.int8)
    # Rounded, so that there are ties.
    probabilities = np.clip(np.round(0.4 * truth + rng.random(truth.shape) * 0.6, 1), 0, 1)
    truth[rng.random(truth.shape) < hedged] = -1
    subject = np.array([f"x/s{i % 7}" for i in range(n)])
    return UnitPredictions(units, truth, probabilities, probabilities >= 0.5, subject)


@pytest.mark.parametrize("hedged", [0.0, 0.2])
def test_every_score_is_that_of_scikit_learn(hedged: float) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    table = predictions(hedged=hedged)
    found = unit_scores([table], draws=0)
    means: dict[str, list[float]] = {}
    for i, name in enumerate(table.units):
        known = table.truth[:, i] >= 0
        truth, said = table.truth[known, i], table.predicted[known, i].astype(int)
        expected = {
            "f1": metrics.f1_score(truth, said),
            "macro_f1": metrics.f1_score(truth, said, average="macro"),
            "auc": metrics.roc_auc_score(truth, table.probabilities[known, i]),
            "average_precision": metrics.average_precision_score(truth, table.probabilities[known, i]),
        }
        unit = found["units"][name]
        assert {k: unit[k] for k in expected} == pytest.approx(expected)
        assert (unit["count"], unit["hedged"]) == (truth.sum(), (~known).sum())
        for key, value in expected.items():
            means.setdefault(key, []).append(value)
    assert {k: found[f"mean_{k}"] for k in means} == pytest.approx({k: np.mean(v) for k, v in means.items()})
    assert found["cd6me"]["f1"] == pytest.approx(found["mean_f1"])
    assert found["cd6me"]["macro_f1"] == pytest.approx(found["mean_macro_f1"])


def test_a_case_by_hand() -> None:
    truth = np.array([[1, 0, 1], [1, 0, 1], [0, 0, -1], [0, 0, 0]], np.int8)
    said = np.array([[1, 1, 1], [0, 0, 1], [1, 0, 1], [0, 0, 0]], bool)
    probabilities = np.where(said, 0.8, 0.3)
    table = UnitPredictions(("AU04", "AU20", "AU25"), truth, probabilities, said, np.array(["a", "a", "b", "c"]))
    found = unit_scores([table], draws=50)
    four, twenty, last = (found["units"][name] for name in table.units)
    assert (four["f1"], four["macro_f1"], four["auc"], four["average_precision"]) == (0.5, 0.5, 0.5, 0.5)
    assert (four["count"], four["hedged"]) == (2, 0)
    # Nobody shows it: no score, and no part of a mean, though one clip is said to.
    assert [twenty[k] for k in ("f1", "macro_f1", "auc", "average_precision", "count", "f1_interval")] == [
        None, None, None, None, 0, None,
    ]  # fmt: skip
    # What is hedged is neither right nor wrong.
    assert (last["f1"], last["auc"], last["count"], last["hedged"]) == (1.0, 1.0, 2, 1)
    assert (found["mean_f1"], found["mean_auc"]) == (0.75, 0.75)
    assert found["cd6me"] | {"f1_interval": 0, "macro_f1_interval": 0} == {
        "units": ["AU04"], "f1": 0.5, "macro_f1": 0.5, "f1_interval": 0, "macro_f1_interval": 0,
    }  # fmt: skip


def test_where_all_clips_are_alike() -> None:
    everyone = UnitPredictions(
        ("AU01",), np.ones((3, 1), np.int8), np.full((3, 1), 0.9), np.ones((3, 1), bool), np.array(["a", "b", "c"])
    )
    unit = unit_scores([everyone], draws=10)["units"]["AU01"]
    assert (unit["f1"], unit["macro_f1"], unit["auc"], unit["average_precision"]) == (1.0, 1.0, None, 1.0)
    assert np.isnan(area(np.zeros(2, bool), np.array([0.1, 0.2])))
    assert np.isnan(average_precision(np.zeros(2, bool), np.array([0.1, 0.2])))


def test_intervals_are_those_of_whole_subjects_drawn_again() -> None:
    table = predictions(3, n=40, units=("AU01", "AU02"), hedged=0.1)
    draws = 300
    found = unit_scores([table], draws=draws)
    names = np.unique(table.subject)
    weights = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    scores: list[dict[str, float]] = []
    for counts in weights:
        rows = np.concatenate(
            [np.repeat(np.flatnonzero(table.subject == n), c) for n, c in zip(names, counts, strict=True)]
        )
        drawn = unit_scores([table.select(rows)], draws=0)
        unit = drawn["units"]["AU01"]
        scores.append({"f1": unit["f1"], "auc": unit["auc"], "mean": drawn["mean_f1"], "macro": drawn["mean_macro_f1"]})
    for key, interval in (
        ("f1", found["units"]["AU01"]["f1_interval"]),
        ("auc", found["units"]["AU01"]["auc_interval"]),
        ("mean", found["mean_f1_interval"]),
        ("macro", found["mean_macro_f1_interval"]),
    ):
        values = [s[key] for s in scores if s[key] is not None]
        assert interval == pytest.approx(list(np.quantile(values, (0.025, 0.975))))


def test_seeds_are_averaged() -> None:
    one, other = predictions(0), predictions(1)
    other = UnitPredictions(one.units, one.truth, other.probabilities, other.predicted, one.subject)
    both, alone = unit_scores([one, other], draws=0), [unit_scores([t], draws=0) for t in (one, other)]
    assert both["mean_f1"] == pytest.approx(np.mean([a["mean_f1"] for a in alone]))
    assert both["units"]["AU04"]["auc"] == pytest.approx(np.mean([a["units"]["AU04"]["auc"] for a in alone]))


@pytest.mark.parametrize(("change", "says"), [(np.nan, "probabilities of 0..1"), (1.5, "probabilities of 0..1")])
def test_what_is_no_probability(change: float, says: str) -> None:
    table = predictions()
    table.probabilities[3, 2] = change
    with pytest.raises(InputError, match=says):
        table.select(np.arange(10))


def test_answers_of_another_shape() -> None:
    table = predictions()
    with pytest.raises(InputError, match="one answer for each of 12 units"):
        UnitPredictions(table.units, table.truth[:, :3], table.probabilities, table.predicted, table.subject)
