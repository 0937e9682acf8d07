from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the research extra")
onnx = pytest.importorskip("onnx", reason="needs the research extra")

from fleeting import settings, weights  # noqa: E402
from fleeting.datasets.composite import FlowImages  # noqa: E402
from fleeting.errors import FleetingWarning, InputError, SettingsError  # noqa: E402
from fleeting.motion.flow_image import mirrored, standardised  # noqa: E402
from fleeting.recognisers.folds.inner_folds import subject_folds  # noqa: E402
from fleeting.recognisers.half_face import train as recogniser_export  # noqa: E402
from fleeting.recognisers.half_face.linear import (  # noqa: E402
    LinearSettings,
    blur_matrix,
    fit,
    half_features,
    softmax,
)
from fleeting.recognisers.half_face.train import RecogniserRecipe, fit_recogniser, train  # noqa: E402
from fleeting.training.calibration import fit_temperature, fit_threshold, log_loss  # noqa: E402
from fleeting.weights.runtime import open_network  # noqa: E402

QUICK = RecogniserRecipe(inner_folds=3, inner_repeats=1, blur=(1.5,), strength=(1e-4, 1e-3))


def made_up(n: int = 72, subjects: int = 6, seed: int = 0, noise: float = 1.0) -> FlowImages:
    """Flow images whose class is a bump at a place of its own in v, on one side or the other, under noise."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    rows, columns = np.mgrid[:28, :28]
    flow = rng.normal(0, noise, (n, 28, 28, 3))
    for i, k in enumerate(label):
        side = 8 if rng.random() < 0.5 else 19
        flow[i, :, :, 1] -= 3 * np.exp(-((rows - (5, 14, 21)[k]) ** 2 + (columns - side) ** 2) / 12)
    low, high = flow.min((1, 2), keepdims=True), flow.max((1, 2), keepdims=True)
    flow = np.rint((flow - low) / (high - low) * 255).astype(np.uint8)
    subject = np.array([f"made/s{i // 3 % subjects}" for i in range(n)])
    return FlowImages(flow, label.astype(np.int64), subject, np.array([f"made/c{i}" for i in range(n)]))


def test_standardised_is_centred_scaled_and_cut_off() -> None:
    images = made_up().flow
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
    np.testing.assert_array_equal(blur_matrix(0), np.eye(28))


def test_the_unfolded_weights_equal_the_fit_on_half_faces() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data, plan = made_up(), LinearSettings(blur=1.0, strength=1e-2)
    features = half_features(data.flow, plan)
    oracle = make_pipeline(
        StandardScaler(), LogisticRegression(C=1e-2, class_weight="balanced", max_iter=1000, tol=1e-5)
    ).fit(features, data.label)
    new = made_up(seed=5)
    expected = oracle.predict_proba(half_features(new.flow, plan))
    np.testing.assert_allclose(fit(data, plan).probabilities(new.flow), expected, atol=2e-4)


def test_mirrored_faces_get_the_same_answer() -> None:
    data = made_up()
    model = fit(data, LinearSettings())
    new = made_up(seed=3).flow
    np.testing.assert_allclose(model.probabilities(mirrored(new)), model.probabilities(new), atol=1e-5)


def test_it_learns_and_a_missing_class_is_never_the_answer() -> None:
    model = fit(made_up(), LinearSettings())
    new = made_up(seed=9)
    assert (model.probabilities(new.flow).argmax(1) == new.label).mean() > 0.9
    data = made_up()
    two = fit(data.select(data.label != 1), LinearSettings())
    assert two.probabilities(new.flow)[:, 1].max() < 1e-6


def test_onnx_equals_the_model_for_any_batch_size() -> None:
    model = fit(made_up(), LinearSettings()).with_temperature(0.7)
    session = open_network(recogniser_export.graph(model).SerializeToString())
    flat = np.zeros((1, 28, 28, 3), np.uint8)
    for images in (made_up(seed=4).flow, made_up(seed=4).flow[:1], flat):
        (answer,) = session.run(None, {"flow": images})
        np.testing.assert_allclose(answer, model.probabilities(images), atol=1e-5)


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


def test_choice_and_calibration_see_only_what_they_are_given() -> None:
    data = made_up(noise=1.5)
    first = fit_recogniser(data, QUICK)
    assert first.chosen in QUICK.candidates()
    assert first.chosen == QUICK.candidates()[int(np.argmin(first.inner_loss))]
    second = fit_recogniser(data, QUICK)
    np.testing.assert_array_equal(first.model.weights, second.model.weights)
    assert (first.threshold, first.model.temperature) == (second.threshold, second.model.temperature)


def test_train_writes_a_network_that_its_card_describes(tmp_path: Path) -> None:
    data = made_up()
    np.savez(
        tmp_path / "flow.npz",
        flow=data.flow,
        label=data.label,
        subject=[s.split("/")[1] for s in data.subject],
        clip=[c.split("/")[1] for c in data.clip],
        dataset=["made"] * len(data),
    )
    (tmp_path / "scores.json").write_text(json.dumps({"logistic of half faces": {"uf1": 0.5}}))
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'task = "half_face"\nname = "mine"\ndata = "flow.npz"\nscores = "scores.json"\n'
        "inner_folds = 3\ninner_repeats = 1\nblur = [1.5]\nstrength = [1e-3]\n"
    )
    train(recipe, data=tmp_path, out=tmp_path / "out")
    card = json.loads((tmp_path / "out" / "mine.json").read_text())
    network = tmp_path / "out" / "mine.onnx"
    assert card["sha256"] == weights.checksum(network)
    assert card["subjects"] == sorted(set(data.subject))
    assert card["scores"] == {"uf1": 0.5}
    assert network.stat().st_size < 1_000_000
    session = open_network(network)
    assert (session.run(None, {"flow": data.flow})[0].argmax(1) == data.label).mean() > 0.9
    recipe.write_text(recipe.read_text().replace("scores.json", "none.json"))
    with pytest.warns(FleetingWarning, match="the card states no scores"):
        train(recipe, data=tmp_path, out=tmp_path / "out")


def test_the_recipe_can_be_read() -> None:
    path = Path(__file__).resolve().parents[2] / "recipes" / "half_face.toml"
    assert settings.load(RecogniserRecipe, path).task == "half_face"
    with pytest.raises(SettingsError, match="strength"):
        settings.from_dict(RecogniserRecipe, {"strenght": [1.0]})
