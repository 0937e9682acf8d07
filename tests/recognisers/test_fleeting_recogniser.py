"""The recogniser ``fleeting``: members, synthetic movements, calibration, export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the research extra")
onnx = pytest.importorskip("onnx", reason="needs the research extra")

from fleeting import settings, weights  # noqa: E402
from fleeting.datasets.samples import Samples  # noqa: E402
from fleeting.errors import DataError, FleetingWarning  # noqa: E402
from fleeting.labels import THREE_CLASSES  # noqa: E402
from fleeting.motion.flow_image import mirrored, standardised  # noqa: E402
from fleeting.recognisers.contract import ManyFolds, TrainingRows  # noqa: E402
from fleeting.recognisers.fleeting import train as fleeting_recipe  # noqa: E402
from fleeting.recognisers.fleeting.fourier_ridge import FourierSettings, fit_ridge, fourier_features  # noqa: E402
from fleeting.recognisers.fleeting.network import Variation, flow_inputs, mirrored_inputs  # noqa: E402
from fleeting.recognisers.fleeting.recogniser import Fleeting, FleetingSettings  # noqa: E402
from fleeting.recognisers.fleeting.synthetic_flow import (  # noqa: E402
    CLASS_ACTION_UNITS,
    SyntheticSettings,
    synthetic_flow_images,
)
from fleeting.recognisers.flow_networks import FlowNetwork, off_apexnet_recogniser, ststnet_recogniser  # noqa: E402
from fleeting.recognisers.folds.many_folds import EpochSettings  # noqa: E402
from fleeting.recognisers.half_face.linear import blur_matrix  # noqa: E402
from fleeting.training.run import task_of  # noqa: E402
from fleeting.weights.runtime import open_network  # noqa: E402

QUICK_TRAINING = EpochSettings(
    epochs=2, batch_size=32, learning_rate=2e-3, shuffle=True, balanced=True, extra_batch=8, extra_weight=0.3,
    device="cpu",
)  # fmt: skip
QUICK = FleetingSettings(
    synthetic=SyntheticSettings(count=90, faces=3), fourier=FourierSettings(features=60), networks=2, filters=(3, 4),
    pretraining=replace(QUICK_TRAINING, epochs=4, balanced=False), training=QUICK_TRAINING,
)  # fmt: skip
NOBODY = np.array([], np.int64)


def samples(n: int = 48, subjects: int = 6, seed: int = 3) -> Samples:
    flow, label = synthetic_flow_images(SyntheticSettings(count=n, faces=2), seed=seed)
    subject = np.array([f"made/s{i % subjects}" for i in range(n)])
    clip = np.array([f"made/c{i}" for i in range(n)])
    return Samples(clip, subject, np.full(n, "made"), clip, label, flow=flow)


def leave_one_out(data: Samples) -> list[TrainingRows]:
    return [TrainingRows(str(s), np.flatnonzero(data.subject != s), NOBODY) for s in np.unique(data.subject)]


def test_inputs_are_the_smoothed_image_at_half_the_size_and_mirror_with_the_face() -> None:
    images = samples(6).flow
    assert images is not None
    smooth = blur_matrix(1.0)
    whole = np.einsum("ir,nrsc,js->ncij", smooth, standardised(images), smooth)
    np.testing.assert_allclose(flow_inputs(images), whole.reshape(6, 3, 14, 2, 14, 2).mean((3, 5)), atol=1e-5)
    np.testing.assert_allclose(flow_inputs(mirrored(images)), mirrored_inputs(flow_inputs(images)), atol=1e-5)


def test_variation_without_size_only_mirrors() -> None:
    x = flow_inputs(samples(12).flow)
    still = Variation(shift=0, turn=0, scale=0, strength=0, noise=0)(x, torch.Generator().manual_seed(0))
    turned = mirrored_inputs(x)
    chosen = [bool((still[i] - x[i]).abs().max() < 1e-4) for i in range(12)]
    for i, same in enumerate(chosen):
        torch.testing.assert_close(still[i], x[i] if same else turned[i], atol=1e-4, rtol=0)
    assert 0 < sum(chosen) < 12


def test_synthetic_images_are_repeatable_balanced_and_of_their_class() -> None:
    plan = SyntheticSettings(count=60, faces=3, noise=0.0, other_units=0.0, one_sided=0.0, blink=0.0)
    images, label = synthetic_flow_images(plan, seed=1)
    again, _ = synthetic_flow_images(plan, seed=1)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(np.bincount(label), [20, 20, 20])
    assert set(CLASS_ACTION_UNITS) == set(THREE_CLASSES)
    # Mouth corners rise in positive ones, brows in surprise (v grows downwards).
    v = np.median(standardised(images)[..., 1], axis=0)
    assert v.shape == (28, 28)
    by_class = [standardised(images[label == k])[..., 1].mean(0) for k in range(3)]
    mouth, brows = (slice(18, 24), slice(4, 24)), (slice(0, 5), slice(3, 25))
    assert by_class[1][mouth].mean() < min(by_class[0][mouth].mean(), by_class[2][mouth].mean())
    assert by_class[2][brows].mean() < min(by_class[0][brows].mean(), by_class[1][brows].mean())


def test_random_features_approach_the_kernel_of_a_face_and_its_mirror_image() -> None:
    x = flow_inputs(samples(20).flow)
    features = fourier_features(x, FourierSettings(features=20_000), seed=0)
    found = features(x) @ features(x).T
    flat, turned = x.flatten(1).numpy().astype(float), mirrored_inputs(x).flatten(1).numpy().astype(float)
    spread = flat.std(0).reshape(3, 14, 14)
    spread = np.sqrt(spread * spread[:, :, ::-1]).ravel() + 0.3
    flat, turned = flat / spread, turned / spread
    width = 1.2 / (2 * (flat**2).sum(1).mean())

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-width * ((a[:, None] - b[None]) ** 2).sum(-1))

    np.testing.assert_allclose(found, (kernel(flat, flat) + kernel(flat, turned)) / 2, atol=0.02)


def test_ridge_equals_weighted_least_squares() -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    features, label = rng.normal(size=(40, 12)), np.r_[np.zeros(25), np.ones(10), np.full(5, 2)].astype(np.int64)
    plan = FourierSettings(penalty=0.5, sharpness=1.0)
    weight = 40 / (3 * np.bincount(label)[label])
    oracle = Ridge(alpha=0.5, fit_intercept=False).fit(features, np.eye(3)[label] * 2 - 1, sample_weight=weight)
    np.testing.assert_allclose(fit_ridge(features, label, plan, classes=3), oracle.coef_.T, atol=1e-6)


def test_folds_together_equal_folds_alone_and_held_out_rows_have_no_influence() -> None:
    data = samples()
    folds, kind = leave_one_out(data), Fleeting(QUICK)
    assert isinstance(kind, ManyFolds)
    together = kind.fit_many(data, folds, seed=1)
    (alone,) = kind.fit_many(data, folds[2:3], seed=1)
    expected = alone.probabilities(data)
    np.testing.assert_allclose(together[2].probabilities(data), expected, atol=2e-3)
    assert together[2].threshold == pytest.approx(alone.threshold, abs=0.011)

    held_out = data.subject == folds[2].id
    flow, label = data.flow.copy(), data.label.copy()
    flow[held_out], label[held_out] = 255 - flow[held_out], (label[held_out] + 1) % 3
    changed = replace(data, flow=flow, label=label)
    again = kind.fit_many(changed, folds, seed=1)
    np.testing.assert_array_equal(again[2].probabilities(data), together[2].probabilities(data))
    assert (again[2].threshold, again[2].temperature) == (together[2].threshold, together[2].temperature)
    assert np.abs(again[1].probabilities(data) - together[1].probabilities(data)).max() > 1e-3


def test_probabilities_sum_to_one_and_mirrored_faces_get_the_same() -> None:
    data, new = samples(), samples(seed=8)
    fitted = Fleeting(QUICK).fit(data, None, seed=0)
    answer = fitted.probabilities(new)
    np.testing.assert_allclose(answer.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(fitted.of_images(mirrored(new.flow)), answer, atol=1e-4)
    assert 1 / 3 <= fitted.threshold < 1
    assert fitted.temperature > 0


def test_the_order_of_the_rows_changes_nothing() -> None:
    data, folds = samples(), leave_one_out(samples())[:2]
    order = np.random.default_rng(0).permutation(len(data))
    mixed = data.select(order)
    mixed_folds = leave_one_out(mixed)[:2]
    for kind in (Fleeting(QUICK), replace(ststnet_recogniser(), training=QUICK_TRAINING)):
        a, b = kind.fit_many(data, folds, seed=0)[1], kind.fit_many(mixed, mixed_folds, seed=0)[1]
        np.testing.assert_array_equal(a.probabilities(data), b.probabilities(data))


def test_without_inner_folds_the_most_probable_class_is_the_same() -> None:
    data = samples()
    a = Fleeting(QUICK).fit(data, None, seed=0)
    b = Fleeting(replace(QUICK, inner_folds=0)).fit(data, None, seed=0)
    np.testing.assert_array_equal(a.probabilities(data).argmax(1), b.probabilities(data).argmax(1))
    assert (b.temperature, b.threshold) == (1.0, 0.0)


def test_validation_rows_are_fitted_on_too() -> None:
    data = samples()
    own = data.subject != "made/s0"
    parts = data.select(own), data.select(~own)
    a = Fleeting(QUICK).fit(*parts, seed=0).probabilities(data)
    b = Fleeting(QUICK).fit(parts[0], None, seed=0).probabilities(data)
    assert np.abs(a - b).max() > 1e-3


def test_one_subject_is_not_calibrated_and_says_so() -> None:
    with pytest.warns(FleetingWarning, match="one subject"):
        fitted = Fleeting(QUICK).fit(samples(subjects=1), None, seed=0)
    assert (fitted.temperature, fitted.threshold) == (1.0, 0.0)


def test_what_it_cannot_read_is_refused() -> None:
    data = samples()
    with pytest.raises(DataError, match="flow images"):
        Fleeting(QUICK).fit(replace(data, flow=None), None, seed=0)
    with pytest.raises(DataError, match="the classes negative, positive, surprise"):
        Fleeting(QUICK).fit(replace(data, classes=("a", "b", "c")), None, seed=0)


def test_a_class_without_training_rows_is_never_the_answer() -> None:
    data = samples()
    fitted = Fleeting(QUICK).fit(data.select(data.label != 1), None, seed=0)
    assert fitted.probabilities(data)[:, 1].max() < 1e-6
    graph = fleeting_recipe.graph(fitted).SerializeToString()
    (answer,) = open_network(graph).run(None, {"flow": data.flow})
    assert answer[:, 1].max() < 1e-6


@pytest.mark.parametrize("networks", [1, 2])
def test_onnx_equals_the_model_for_any_batch_size(networks: int) -> None:
    fitted = Fleeting(replace(QUICK, networks=networks)).fit(samples(), None, seed=0)
    graph = fleeting_recipe.graph(fitted).SerializeToString()
    session = open_network(graph)
    new = samples(seed=5).flow
    for images in (new, new[:1], np.zeros((1, 28, 28, 3), np.uint8)):
        (answer,) = session.run(None, {"flow": images})
        np.testing.assert_allclose(answer, fitted.of_images(images), atol=1e-4)


def test_published_networks_are_recognisers() -> None:
    data = samples(24)
    kinds = {"ststnet": ststnet_recogniser(), "off-apexnet": off_apexnet_recogniser()}
    for name, kind in kinds.items():
        quick = replace(kind, training=replace(kind.training, epochs=2, device="cpu"))
        assert isinstance(quick, FlowNetwork)
        assert quick.name == name
        assert quick.settings()["epochs"] == 2
        folds = leave_one_out(data)[:2]
        fitted = quick.fit_many(data, folds, seed=0)
        np.testing.assert_allclose(fitted[0].probabilities(data).sum(1), 1, atol=1e-5)
        assert fitted[0].threshold == 0
        *_, last = quick.fit_many_epochs(data, folds, seed=0)
        np.testing.assert_array_equal(last[1].probabilities(data), fitted[1].probabilities(data))
        assert len(list(quick.fit_epochs(data, None, seed=0))) == 2
    with pytest.raises(DataError, match="flow images"):
        kinds["ststnet"].fit(replace(data, flow=None), None, seed=0)


def test_it_learns_what_synthetic_movements_are() -> None:
    plan = replace(QUICK, synthetic=SyntheticSettings(count=600, faces=6), fourier=FourierSettings(features=300))
    fitted = Fleeting(plan).fit(samples(120, seed=1), None, seed=0)
    new = samples(90, seed=2)
    assert (fitted.probabilities(new).argmax(1) == new.label).mean() > 0.7


def test_train_writes_a_network_that_its_card_describes(tmp_path: Path) -> None:
    data = samples()
    np.savez(
        tmp_path / "flow.npz", flow=data.flow, label=data.label, subject=[s.split("/")[1] for s in data.subject],
        clip=[c.split("/")[1] for c in data.clip], dataset=["made"] * len(data),
    )  # fmt: skip
    (tmp_path / "scores.json").write_text(json.dumps({"shipped": {"uf1": 0.5}}))
    recipe = tmp_path / "mine.toml"
    recipe.write_text('task = "fleeting"\nname = "mine"\ndata = "flow.npz"\nscores = "scores.json"\n')
    fleeting_recipe.train(recipe, data=tmp_path, out=tmp_path / "out", plan=QUICK)
    card, network = json.loads((tmp_path / "out" / "mine.json").read_text()), tmp_path / "out" / "mine.onnx"
    assert card["sha256"] == weights.checksum(network)
    assert card["subjects"] == sorted(set(data.subject))
    assert card["scores"] == {"uf1": 0.5}
    assert card["recipe"]["settings"]["networks"] == QUICK.networks
    (answer,) = open_network(network).run(None, {"flow": data.flow})
    expected = Fleeting(QUICK).fit(data, None, seed=0).probabilities(data)
    np.testing.assert_allclose(answer, expected, atol=1e-4)
    recipe.write_text(recipe.read_text().replace("scores.json", "none.json"))
    with pytest.warns(FleetingWarning, match="the card states no scores"):
        fleeting_recipe.train(recipe, data=tmp_path, out=tmp_path / "out", plan=QUICK)


def test_the_recipe_of_the_shipped_network_can_be_read() -> None:
    path = Path(__file__).resolve().parents[2] / "recipes" / "fleeting.toml"
    assert settings.load(fleeting_recipe.FleetingRecipe, path).task == task_of(path) == "fleeting"
