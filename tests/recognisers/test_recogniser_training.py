"""What trainings of recognisers share: standardised images, inner folds, temperature and threshold."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the research extra")

from flow_clips import made_up  # noqa: E402

from fleeting.errors import InputError  # noqa: E402
from fleeting.motion.flow_image import standardised  # noqa: E402
from fleeting.recognisers.fleeting.network import blur_matrix  # noqa: E402
from fleeting.recognisers.folds.inner_folds import subject_folds  # noqa: E402
from fleeting.training.calibration import fit_temperature, fit_threshold, log_loss, softmax  # noqa: E402


def test_standardised_is_centred_scaled_and_cut_off() -> None:
    images = made_up().flow_images()
    out = standardised(images, limit=2.5)
    np.testing.assert_allclose(np.median(out, axis=(1, 2)), 0, atol=1e-6)
    assert np.abs(out).max() == 2.5
    free = standardised(images, limit=1e9)
    np.testing.assert_allclose(free.std(axis=(1, 2)), 1, atol=1e-4)
    assert not standardised(np.full((1, 28, 28, 3), 7, np.uint8)).any()


def test_smoothing_keeps_the_mean_of_a_constant_and_the_mirror_symmetry() -> None:
    smooth = blur_matrix(1.5)
    np.testing.assert_allclose(smooth.sum(1), 1)
    np.testing.assert_allclose(smooth, smooth[::-1, ::-1], atol=1e-12)


def test_temperature_undoes_a_known_one() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 3))
    truth = (softmax(logits).cumsum(1) < rng.random((4000, 1))).sum(1)  # drawn with the very probabilities
    assert fit_temperature(logits * 3, truth) == pytest.approx(3, rel=0.08)
    assert log_loss(logits * 3, truth, 3) == pytest.approx(log_loss(logits, truth))


def test_log_loss_equals_scikit_learn() -> None:
    from sklearn.metrics import log_loss as oracle

    logits, truth = np.random.default_rng(0).normal(size=(50, 3)), np.arange(50) % 3
    assert log_loss(logits, truth) == pytest.approx(oracle(truth, softmax(logits)), rel=1e-5)
    uneven = np.r_[truth[truth == 0], truth[:6]]
    rows = np.r_[logits[truth == 0], logits[:6]]
    share = 1 / np.bincount(uneven)[uneven]
    assert log_loss(rows, uneven, balanced=True) == pytest.approx(
        oracle(uneven, softmax(rows), sample_weight=share), rel=1e-5
    )


def test_threshold_is_the_smallest_that_holds_the_target() -> None:
    best = np.linspace(0.4, 0.99, 60)
    probabilities = np.stack([best, (1 - best) / 2, (1 - best) / 2], 1)
    truth = np.where(best < 0.7, 1, 0)  # all wrong below .7, all right above
    threshold = fit_threshold(probabilities, truth, target=1.0)
    assert threshold == pytest.approx(0.7, abs=0.011)
    assert fit_threshold(probabilities, np.zeros(60, int), target=0.9) == pytest.approx(0.34)
    never = fit_threshold(probabilities, np.ones(60, int), target=0.9)
    assert (best >= never).mean() >= 0.1


def test_inner_folds_hold_out_whole_subjects_once() -> None:
    subjects = np.array([f"s{i % 7}" for i in range(40)])
    folds = subject_folds(subjects, folds=3, seed=1)
    held = np.concatenate([f.validation for f in folds])
    assert sorted(held) == list(range(40))
    for f in folds:
        assert not set(subjects[f.train]) & set(subjects[f.validation])
    other = subject_folds(subjects, folds=3, seed=2)
    assert any(len(a.train) != len(b.train) or (a.train != b.train).any() for a, b in zip(folds, other, strict=True))
    with pytest.raises(InputError, match="2 to 7 inner folds"):
        subject_folds(subjects, folds=8, seed=0)
