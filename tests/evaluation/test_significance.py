from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from fleeting import metrics
from fleeting.errors import InputError
from fleeting.evaluation.calibration_curves import area_under_risk, calibration, reliability, risk_coverage
from fleeting.evaluation.comparison.significance import mcnemar, permutation_test


def counts_of(truth: np.ndarray, predicted: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """(1, subjects, 3, 3)."""
    each = [metrics.confusion(truth[subject == s], predicted[subject == s], classes=3) for s in np.unique(subject)]
    return np.stack(each)[None]


def runs(people: int, right: tuple[float, float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(people), 9)
    truth = np.tile([0, 0, 0, 0, 1, 1, 1, 2, 2], people)
    guesses = [np.where(rng.random(len(truth)) < r, truth, rng.integers(0, 3, len(truth))) for r in right]
    one, other = (counts_of(truth, g, subject) for g in guesses)
    return one, other


def test_permutation_equals_trying_all_assignments_by_hand() -> None:
    one, other = runs(5, (0.8, 0.5))
    found = permutation_test(one, other)
    for name in metrics.SCORES:

        def score(c: np.ndarray, name: str = name) -> float:
            return float(metrics.scores_of_counts(c.sum(0))[name])

        seen = score(one[0]) - score(other[0])
        as_large = 0
        for swap in product((False, True), repeat=5):
            mask = np.array(swap)[:, None, None]
            mixed = score(np.where(mask, other[0], one[0])) - score(np.where(mask, one[0], other[0]))
            as_large += abs(mixed) >= abs(seen) - 1e-12
        assert found[name]["difference"] == pytest.approx(seen)
        assert found[name]["p"] == pytest.approx(as_large / 32)


def test_permutation_tells_a_better_run_and_not_an_equal_one() -> None:
    better = permutation_test(*runs(30, (0.9, 0.5)), draws=1000)
    assert better["uf1"]["p"] < 0.01
    assert better["uf1"]["difference"] > 0.1
    one, _ = runs(30, (0.7, 0.7))
    same = permutation_test(one, one, draws=500)
    assert same["uf1"] == {"difference": 0.0, "p": 1.0}
    # Under the null hypothesis p is uniform: about a tenth of it is below a tenth.
    p = [permutation_test(*runs(15, (0.6, 0.6), seed=s), draws=200)["uar"]["p"] for s in range(150)]
    assert 0.03 < np.mean(np.array(p) < 0.1) < 0.19


def test_permutation_with_other_numbers_of_seeds() -> None:
    one, other = runs(12, (0.8, 0.6))
    third, _ = runs(12, (0.75, 0.6), seed=4)
    both = np.concatenate([one, third])
    found = permutation_test(both, other, draws=400)
    scores = metrics.scores_of_counts(both.sum(1))["uf1"].mean() - metrics.scores_of_counts(other.sum(1))["uf1"].mean()
    assert found["uf1"]["difference"] == pytest.approx(scores)
    # Repeating a run's seeds is no new evidence.
    twice = permutation_test(np.concatenate([one, one]), np.concatenate([other, other]), draws=400)
    once = permutation_test(one, other, draws=400)
    uneven = permutation_test(np.concatenate([one, one]), other, draws=400)
    for name in metrics.SCORES:
        assert twice[name] == pytest.approx(once[name])
        assert uneven[name] == pytest.approx(once[name])


def test_permutation_refuses_other_clips() -> None:
    one, _ = runs(5, (0.8, 0.5))
    with pytest.raises(InputError, match="two runs on the same clips"):
        permutation_test(one, one[:, :4])
    with pytest.raises(InputError, match="two runs on the same clips"):
        permutation_test(one, one + np.eye(3, dtype=int))


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (7, 2), (20, 31), (5, 5), (400, 330)])
def test_mcnemar_equals_scipy_for_few(first: int, second: int) -> None:
    stats = pytest.importorskip("scipy.stats", reason="needs the research extra")
    right = np.r_[np.ones(first), np.zeros(second), np.ones(10), np.zeros(3)].astype(bool)
    other = np.r_[np.zeros(first), np.ones(second), np.ones(10), np.zeros(3)].astype(bool)
    found = mcnemar(right, other)
    assert (found["only_first"], found["only_second"]) == (first, second)
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert found["p"] == pytest.approx(expected)


def test_mcnemar_for_many_is_the_chi_squared_form() -> None:
    stats = pytest.importorskip("scipy.stats", reason="needs the research extra")
    right, other = np.r_[np.ones(700), np.zeros(600)].astype(bool), np.r_[np.zeros(700), np.ones(600)].astype(bool)
    found = mcnemar(right, other)
    assert found["p"] == pytest.approx(stats.chi2.sf((100 - 1) ** 2 / 1300, 1))
    assert found["p"] == pytest.approx(stats.binomtest(700, 1300).pvalue, abs=1e-3)
    with pytest.raises(InputError, match="one answer per clip"):
        mcnemar(right, other[:3])


def test_reliability_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.45, 0.55]])
    bins = reliability(probabilities, np.array([0, 1, 1, 1]))
    assert [(b["from"], b["count"]) for b in bins] == [(0.5, 2), (0.8, 2)]
    assert bins[0]["probability"] == pytest.approx(0.575)
    assert bins[0]["accuracy"] == 1
    assert bins[1]["accuracy"] == 0.5
    gaps = sum(b["count"] / 4 * abs(b["accuracy"] - b["probability"]) for b in bins)
    assert gaps == pytest.approx(metrics.calibration_error(probabilities, np.array([0, 1, 1, 1])))


def test_risk_and_coverage_by_hand() -> None:
    best = np.array([0.9, 0.8, 0.8, 0.7, 0.6])
    probabilities = np.stack([best, 1 - best], 1)
    truth = np.array([0, 0, 1, 0, 1])  # right, right, wrong, right, wrong
    coverage, risk = risk_coverage(probabilities, truth)
    # The two at .8 are answered together.
    np.testing.assert_allclose(coverage, [0.2, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(risk, [0, 1 / 3, 1 / 4, 2 / 5])
    assert area_under_risk(coverage, risk) == pytest.approx(0.2 * 0 + 0.4 / 3 + 0.2 / 4 + 0.2 * 0.4)
    # The order of rows does not count.
    shuffled = np.array([3, 1, 4, 0, 2])
    np.testing.assert_allclose(risk_coverage(probabilities[shuffled], truth[shuffled])[1], risk)


def test_calibration_of_a_table() -> None:
    table = pd.DataFrame({"truth": ["a", "a", "b", "a", "b"], "p_a": [0.9, 0.8, 0.8, 0.7, 0.6]})
    table["p_b"] = 1 - table["p_a"]
    table["answered"] = table["p_a"] > 0.65
    found = calibration(table, ("a", "b"))
    assert found["coverage"] == 0.8
    assert found["selective_accuracy"] == 0.75
    points = {round(p["coverage"], 2): p["risk"] for p in found["risk_coverage"]}
    assert points == pytest.approx({0.2: 0.0, 0.6: 1 / 3, 0.8: 0.25, 1.0: 0.4})
    table["answered"] = False
    assert calibration(table, ("a", "b"))["selective_accuracy"] is None
