"""The recogniser ``fleeting``: start, fit, calibration, export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the research extra")
onnx = pytest.importorskip("onnx", reason="needs the research extra")

from moved_flow import moved_flow  # noqa: E402

from fleeting import settings, weights  # noqa: E402
from fleeting.datasets.samples import Samples  # noqa: E402
from fleeting.errors import DataError, FleetingWarning  # noqa: E402
from fleeting.labels import THREE_CLASSES  # noqa: E402
from fleeting.motion.flow_image import mirrored, standardised  # noqa: E402
from fleeting.naming.action_units import UNITS  # noqa: E402
from fleeting.recognisers.contract import TrainingRows  # noqa: E402
from fleeting.recognisers.fleeting import train as fleeting_recipe  # noqa: E402
from fleeting.recognisers.fleeting.fourier_ridge import FourierSettings, fit_prior, fit_ridge, fourier_features  # noqa: E402
from fleeting.recognisers.fleeting.network import Variation, blur_matrix, flow_inputs, mirrored_inputs  # noqa: E402
from fleeting.recognisers.fleeting.recogniser import (  # noqa: E402
    FittedFleeting,
    Fleeting,
    FleetingSettings,
    Start,
    make_start,
    shipped_start,
)
from fleeting.recognisers.flow_networks import FlowNetwork, off_apexnet_recogniser, ststnet_recogniser  # noqa: E402
from fleeting.recognisers.folds.many_folds import EpochSettings  # noqa: E402
from fleeting.training.action_units.movements import CLASS_ACTION_UNITS, NO_CLASS, classes_of  # noqa: E402
from fleeting.training.run import task_of  # noqa: E402
from fleeting.weights.runtime import open_network  # noqa: E402

QUICK_TRAINING = EpochSettings(epochs=2, batch_size=32, learning_rate=2e-3, shuffle=True, balanced=True, device="cpu")
QUICK = FleetingSettings(FourierSettings(features=60))
NOBODY = np.array([], np.int64)


def samples(n: int = 48, subjects: int = 6, seed: int = 3) -> Samples:
    flow, label = moved_flow(n, seed=seed)
    subject = np.array([f"made/s{i % subjects}" for i in range(n)])
    clip = np.array([f"made/c{i}" for i in range(n)])
    return Samples(clip, subject, np.full(n, "made"), clip, label, flow=flow)


@pytest.fixture(scope="module")
def start() -> Start:
    return make_start(*moved_flow(90, faces=3, seed=1), QUICK.fourier, seed=0)


@pytest.fixture(scope="module")
def kind(start: Start) -> Fleeting:
    return Fleeting(QUICK, start)


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


def test_weights_start_from_moved_portraits_and_go_where_clips_pull() -> None:
    rng = np.random.default_rng(0)
    features, label = rng.normal(size=(42, 12)), np.arange(42) % 3
    prior = rng.normal(size=(12, 3)).astype(np.float32)
    stiff, soft = (FourierSettings(penalty=p, sharpness=1.0) for p in (1e9, 1e-4))
    np.testing.assert_allclose(fit_ridge(features, label, stiff, classes=3, prior=prior), prior, atol=1e-5)
    free = np.linalg.lstsq(features, np.eye(3)[label] * 2 - 1, rcond=None)[0]
    np.testing.assert_allclose(fit_ridge(features, label, soft, classes=3, prior=prior), free, atol=1e-3)


def test_many_rows_count_as_many_as_they_are_said_to() -> None:
    rng = np.random.default_rng(0)
    features, label = rng.normal(size=(40, 12)), np.arange(40) % 3
    plan = FourierSettings(moved_rows=40.0)
    found = fit_prior(features, label, plan, classes=3)
    np.testing.assert_allclose(found, fit_ridge(features, label, plan, classes=3), atol=1e-4)
    twice = fit_prior(np.tile(features, (2, 1)), np.tile(label, 2), plan, classes=3)
    np.testing.assert_allclose(twice, found, atol=1e-4)


def test_movements_of_one_class_are_known_by_their_units() -> None:
    truth = np.zeros((5, len(UNITS), 2), np.int64)
    for row, units in zip(truth, ("AU12", "AU01+AU02", "AU04", "AU12+AU04", ""), strict=True):
        for name in filter(None, units.split("+")):
            row[UNITS.index(name)] = (1, 0)
    assert classes_of(truth).tolist() == [1, 2, 0, NO_CLASS, NO_CLASS]
    assert set(CLASS_ACTION_UNITS) == set(THREE_CLASSES)


def test_probabilities_sum_to_one_and_mirrored_faces_get_the_same(kind: Fleeting) -> None:
    data, new = samples(), samples(seed=8)
    fitted = kind.fit(data, None, seed=0)
    answer = fitted.probabilities(new)
    np.testing.assert_allclose(answer.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(fitted.of_images(mirrored(new.flow)), answer, atol=1e-4)
    assert 1 / 3 <= fitted.threshold < 1
    assert fitted.temperature > 0


def test_the_order_of_the_rows_changes_nothing(kind: Fleeting) -> None:
    data = samples()
    mixed = data.select(np.random.default_rng(0).permutation(len(data)))
    a, b = (kind.fit(x, None, seed=0) for x in (data, mixed))
    np.testing.assert_array_equal(a.probabilities(data), b.probabilities(data))
    network = replace(ststnet_recogniser(), training=QUICK_TRAINING)
    c, d = (network.fit_many(x, leave_one_out(x)[:2], seed=0)[1] for x in (data, mixed))
    np.testing.assert_array_equal(c.probabilities(data), d.probabilities(data))


def test_it_is_calibrated_on_laboratories_held_out(start: Start) -> None:
    """Two laboratories that name the same movement otherwise: what one teaches is wrong in the other."""
    data = samples(96)
    there = np.arange(96) % 2 == 1
    turned = replace(data, label=np.where(there, (data.label + 1) % 3, data.label))
    two = replace(turned, dataset=np.where(there, "there", "here"))
    kind = Fleeting(QUICK, start)
    assert kind.fit(two, None, seed=0).temperature > 2 * kind.fit(data, None, seed=0).temperature


def test_validation_rows_are_fitted_on_too(kind: Fleeting) -> None:
    data = samples()
    own = data.subject != "made/s0"
    parts = data.select(own), data.select(~own)
    a = kind.fit(*parts, seed=0).probabilities(data)
    b = kind.fit(parts[0], None, seed=0).probabilities(data)
    assert np.abs(a - b).max() > 1e-3


def test_one_subject_is_not_calibrated_and_says_so(kind: Fleeting) -> None:
    with pytest.warns(FleetingWarning, match="one subject"):
        fitted = kind.fit(samples(subjects=1), None, seed=0)
    assert (fitted.temperature, fitted.threshold) == (1.0, 0.0)


def test_what_it_cannot_read_is_refused(kind: Fleeting) -> None:
    data = samples()
    with pytest.raises(DataError, match="flow images"):
        kind.fit(replace(data, flow=None), None, seed=0)
    with pytest.raises(DataError, match="the classes negative, positive, surprise"):
        kind.fit(replace(data, classes=("a", "b", "c")), None, seed=0)


def test_a_class_without_training_rows_is_never_the_answer(kind: Fleeting) -> None:
    data = samples()
    fitted = kind.fit(data.select(data.label != 1), None, seed=0)
    assert fitted.probabilities(data)[:, 1].max() < 1e-6
    graph = fleeting_recipe.graph(fitted).SerializeToString()
    (answer,) = open_network(graph).run(None, {"flow": data.flow})
    assert answer[:, 1].max() < 1e-6


def test_onnx_equals_the_model_for_any_batch_size(kind: Fleeting) -> None:
    fitted = kind.fit(samples(), None, seed=0)
    graph = fleeting_recipe.graph(fitted).SerializeToString()
    session = open_network(graph)
    new = samples(seed=5).flow
    for images in (new, new[:1], np.zeros((1, 28, 28, 3), np.uint8)):
        (answer,) = session.run(None, {"flow": images})
        np.testing.assert_allclose(answer, fitted.of_images(images), atol=1e-4)


def test_the_shipped_network_carries_what_it_started_from() -> None:
    """No clip of people went in, so it names movements of drawn faces; another training starts there."""
    data, new = samples(), samples(60, seed=5)
    start = shipped_start()
    alone = FittedFleeting(start, np.zeros_like(start.prior), np.ones(3, bool), 1.0, 0.0)
    assert (alone.of_images(new.flow).argmax(1) == new.label).mean() > 0.7
    again = Fleeting().fit(data, None, seed=0)
    np.testing.assert_array_equal(again.start.prior, start.prior)
    assert Fleeting().settings()["start"] == weights.card("fleeting")["sha256"]


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


def test_it_learns_what_movements_are() -> None:
    plan = FleetingSettings(FourierSettings(features=300))
    start = make_start(*moved_flow(150, faces=3, seed=4), plan.fourier, seed=0)
    fitted = Fleeting(plan, start).fit(samples(120, seed=1), None, seed=0)
    new = samples(90, seed=2)
    assert (fitted.probabilities(new).argmax(1) == new.label).mean() > 0.8


def test_train_writes_a_network_that_its_card_describes(tmp_path: Path) -> None:
    data = samples()
    np.savez(
        tmp_path / "flow.npz", flow=data.flow, label=data.label, subject=[s.split("/")[1] for s in data.subject],
        clip=[c.split("/")[1] for c in data.clip], dataset=["made"] * len(data),
    )  # fmt: skip
    out = tmp_path / "out"
    out.mkdir()
    images, _ = moved_flow(40, seed=6)
    truth = np.zeros((40, len(UNITS), 2), np.int64)
    truth[np.arange(40), [UNITS.index(n) for n in ("AU04", "AU12", "AU26", "AU09")] * 10] = 1
    np.savez(out / "moved_portraits.npz", images=images, truth=truth)
    (tmp_path / "scores.json").write_text(json.dumps({"shipped": {"uf1": 0.5}}))
    agreement = {
        "pairs": {"truth, dis": {"correlation": {"v": 0.9}}},
        "right": {"dis": 0.7},
        "milliseconds": {"dis": 2.0},
    }
    (tmp_path / "agreement.json").write_text(json.dumps({"Units": agreement}))
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'task = "fleeting"\nname = "mine"\ndata = "flow.npz"\nscores = "scores.json"\n'
        'agreement = "agreement.json"\n[films]\ncount = 40\n'
        "[settings.fourier]\nfeatures = 60\n"
    )
    fleeting_recipe.train(recipe, data=tmp_path, out=out)
    card, network = json.loads((out / "mine.json").read_text()), out / "mine.onnx"
    assert card["sha256"] == weights.checksum(network)
    assert card["subjects"] == sorted(set(data.subject))
    flow_methods = {"units": {"dis": {"correlation": {"v": 0.9}, "right": 0.7}}}
    assert card["scores"] == {"uf1": 0.5, "flow_methods": flow_methods}
    assert card["recipe"]["settings"]["fourier"]["features"] == 60
    (answer,) = open_network(network).run(None, {"flow": data.flow})
    start = make_start(images, classes_of(truth), QUICK.fourier, seed=0)
    np.testing.assert_allclose(answer, Fleeting(QUICK, start).fit(data, None, seed=0).probabilities(data), atol=1e-4)
    recipe.write_text(recipe.read_text().replace("scores.json", "none.json"))
    with pytest.warns(FleetingWarning, match="the card states no scores"):
        fleeting_recipe.train(recipe, data=tmp_path, out=out)


def test_the_recipe_of_the_shipped_network_can_be_read() -> None:
    path = Path(__file__).resolve().parents[2] / "recipes" / "fleeting.toml"
    assert settings.load(fleeting_recipe.FleetingRecipe, path).task == task_of(path) == "fleeting"
