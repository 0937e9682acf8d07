from __future__ import annotations

import numpy as np
import pytest

from fleeting import metrics
from fleeting.errors import InputError, LeakageError
from fleeting.evaluation.benchmark.leakage import overlap, require_disjoint
from fleeting.evaluation.benchmark.splits import leave_one_subject_out
from fleeting.evaluation.bootstrap import subject_interval


@pytest.fixture
def guesses() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 200, p=[0.5, 0.3, 0.2])
    return truth, np.where(rng.random(200) < 0.6, truth, rng.integers(0, 3, 200))


def test_scores_equal_scikit_learn(guesses: tuple[np.ndarray, np.ndarray]) -> None:
    oracle = pytest.importorskip("sklearn.metrics", reason="needs the research extra")
    truth, predicted = guesses
    assert metrics.uf1(truth, predicted) == pytest.approx(oracle.f1_score(truth, predicted, average="macro"))
    assert metrics.uar(truth, predicted) == pytest.approx(oracle.balanced_accuracy_score(truth, predicted))
    assert metrics.accuracy(truth, predicted) == pytest.approx(oracle.accuracy_score(truth, predicted))
    np.testing.assert_array_equal(
        metrics.confusion(truth, predicted, classes=3), oracle.confusion_matrix(truth, predicted)
    )


def test_scores_by_hand() -> None:
    truth, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    # F1: 4/6, 4/5, 0; recall 2/3, 1, 0
    assert metrics.uf1(truth, predicted) == pytest.approx((4 / 6 + 4 / 5 + 0) / 3)
    assert metrics.uar(truth, predicted) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert metrics.accuracy(truth, predicted) == pytest.approx(4 / 6)


def test_absent_classes_are_left_out() -> None:
    truth, predicted = np.array([0, 0, 1]), np.array([0, 1, 1])
    assert metrics.uf1(truth, predicted, classes=3) == pytest.approx(2 / 3)
    assert metrics.uar(truth, predicted, classes=3) == pytest.approx(0.75)
    # Class 2 is predicted but never true: it has an F1 (0) and no recall.
    assert metrics.uf1(truth, np.array([0, 2, 1]), classes=3) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert metrics.uar(truth, np.array([0, 2, 1]), classes=3) == pytest.approx(0.75)


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.45, 0.55]])
    truth = np.array([0, 1, 1, 1])
    # Bin .8-.9: confidence .9, accuracy .5, half of the rows; bin .5-.6 (both .6 and .55): .575 against 1.
    assert metrics.calibration_error(probabilities, truth) == pytest.approx(0.5 * 0.4 + 0.5 * 0.425)
    # One bin for all would let the two gaps cancel.
    assert metrics.calibration_error(probabilities, truth, bins=1) == pytest.approx(0.0125)
    assert metrics.calibration_error(np.eye(2)[[0, 1]], np.array([0, 1])) == 0


def test_selective_scores() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    truth = np.array([0, 0, 0])
    assert metrics.selective(probabilities, truth, np.array([True, False, True])) == (pytest.approx(2 / 3), 1.0)
    coverage, right = metrics.selective(probabilities, truth, np.zeros(3, bool))
    assert coverage == 0
    assert np.isnan(right)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="one predicted class per true class"):
        metrics.uf1(np.array([0, 1]), np.array([0]))
    with pytest.raises(InputError, match=r"classes 0\.\.2"):
        metrics.uar(np.array([0, 3]), np.array([0, 1]))


def test_leave_one_subject_out_holds_everyone_out_once() -> None:
    subjects = np.array(["b", "a", "c", "a", "b", "a"])
    folds = list(leave_one_subject_out(subjects))
    assert [f.id for f in folds] == ["a", "b", "c"]
    np.testing.assert_array_equal(folds[0].test, [1, 3, 5])
    np.testing.assert_array_equal(folds[0].train, [0, 2, 4])
    assert sorted(np.concatenate([f.test for f in folds])) == list(range(6))
    with pytest.raises(InputError, match="at least 2 subjects"):
        list(leave_one_subject_out(np.array(["a", "a"])))


def test_a_shared_subject_is_a_leak() -> None:
    require_disjoint(["a", "b"], ["c"])
    with pytest.raises(LeakageError, match=r"no clip in both training and test; got 1 in both \(b\)"):
        require_disjoint(["a", "b"], ["b", "c"], what="clip")
    with pytest.raises(LeakageError, match="and 3 more"):
        require_disjoint(map(str, range(8)), map(str, range(8)))
    assert overlap(["a", "b"], ["b", "a", "c"]) == ["a", "b"]


def test_interval_draws_subjects_not_clips() -> None:
    # Two people, one always right, one always wrong: drawing people gives 0, half or 1, drawing clips never would.
    truth = np.zeros(200, int)
    predicted = np.r_[np.zeros(100, int), np.ones(100, int)]
    people = np.repeat(["a", "b"], 100)
    assert subject_interval(metrics.accuracy, truth, predicted, people, draws=200) == (0.0, 1.0)
    each = np.arange(200).astype(str)
    low, high = subject_interval(metrics.accuracy, truth, predicted, each, draws=400)
    assert 0.4 < low < 0.47
    assert 0.53 < high < 0.6
