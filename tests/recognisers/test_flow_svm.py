"""The system of Li et al.: each step by what it must do, and the whole on subjects that it never saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from portrait_sequences import SUBJECTS, samples

pytest.importorskip("sklearn", reason="scikit-learn comes with the extra research")

from sklearn.pipeline import Pipeline

from fleeting.datasets.samples import Samples
from fleeting.errors import DataError, InputError, SettingsError
from fleeting.faces.align import crop_size
from fleeting.motion.mdmo import region_weights
from fleeting.motion.revised_flow import clip_flow, grid_weights, region_vectors, towards_apex, without_head
from fleeting.motion.rigid_motion import dense_basis
from fleeting.recognisers import clip_svm
from fleeting.recognisers.flow_svm import recogniser as module
from fleeting.recognisers.flow_svm.recogniser import (
    FittedFlowSvm,
    FlowSvm,
    FlowSvmSettings,
    flow_svm_of,
    flow_svm_of_images,
)
from fleeting.recognisers.flow_svm.transformers import ClipFlow, RegionVectors, TowardsApex, WithoutHead
from fleeting.recognisers.folds.inner_folds import InnerFold

WIDTH = 70
SHAPE = crop_size(WIDTH)
QUICK = FlowSvmSettings(frames=4, variances=(0.95,), strengths=(1.0, 10.0), widths=(0.3,), inner_folds=3)


def held_out(data: Samples, subject: str) -> tuple[Samples, Samples]:
    test = data.subject == subject
    return data.select(~test), data.select(test)


@pytest.mark.parametrize("needs", ["sequence", "flow"])
def test_expressions_of_unseen_subjects_are_told_apart(needs: str) -> None:
    data, right = samples(), 0
    for s in range(SUBJECTS):
        train, test = held_out(data, f"film/s{s}")
        found = FlowSvm(QUICK, needs=needs).fit(train, None, seed=0).probabilities(test)  # type: ignore[arg-type]
        np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
        right += int((found.argmax(1) == test.label).sum())
    assert right >= 0.8 * len(data), f"{right} of {len(data)} clips; a guess has a third"


def test_the_whole_is_one_pipeline() -> None:
    """What is cached and fitted in parts answers as the pipeline of all steps does, from clips to classes."""
    train, test = held_out(samples(), "film/s2")
    system = FlowSvm(QUICK)
    fitted = system.fit(train, None, seed=0)
    whole = system.pipeline(**fitted.chosen).fit(train.sequence, train.label)
    assert [name for name, _ in whole.steps] == [
        "flow", "head", "regions", "apex", "flat", "scale", "components", "machine"
    ]  # fmt: skip
    np.testing.assert_array_equal(whole.predict(test.sequence), fitted.probabilities(test).argmax(1))


def test_nothing_of_test_rows_reaches_the_fit() -> None:
    train, test = held_out(samples(), "film/s0")
    system = FlowSvm(QUICK)
    first = system.fit(train, None, seed=1)
    lied = replace(test, label=(test.label + 1) % 3)
    np.testing.assert_array_equal(first.probabilities(test), first.probabilities(lied))
    features = system.features(train)
    np.testing.assert_allclose(first.tail["scale"].mean_, features.mean(0), atol=1e-6)
    assert first.tail["components"].n_components_ < min(features.shape)


def test_choices_are_made_on_whole_subjects_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    subject, label = np.repeat(np.arange(9), 6), np.tile([0, 1, 2], 18)
    rows = (rng.normal(size=(54, 5)) + 2 * np.eye(5)[label]).astype(np.float32)
    real, seen = clip_svm.subject_folds, []

    def spy(subjects: np.ndarray, *, folds: int, seed: int) -> tuple[InnerFold, ...]:
        dealt = real(subjects, folds=folds, seed=seed)
        seen.extend((set(subjects[f.train]), set(subjects[f.validation])) for f in dealt)
        return dealt

    monkeypatch.setattr(clip_svm, "subject_folds", spy)
    chosen, temperature = module._choose(rows, label, subject, 3, QUICK, 0)
    assert len(seen) == 3
    assert all(not a & b for a, b in seen)
    assert chosen["strength"] in QUICK.strengths
    assert 0.01 < temperature < 20


def test_a_class_that_was_not_trained_is_never_the_answer() -> None:
    train = samples().select(samples().label != 1)
    found = FlowSvm(QUICK).fit(train, None, seed=0).probabilities(samples())
    assert found.shape == (15, 3)
    assert (found[:, 1] == 0).all()


def test_one_class_teaches_nothing() -> None:
    with pytest.raises(DataError, match="at least 2 classes"):
        FlowSvm(QUICK).fit(samples().select(samples().label == 0), None, seed=0)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(DataError, match="clips .*; got flow images alone"):
        FlowSvm(QUICK).fit(replace(samples(), sequence=None), None, seed=0)
    with pytest.raises(DataError, match="clips with flow images"):
        flow_svm_of_images().fit(replace(samples(), flow=None), None, seed=0)


def test_dimensions_of_the_ablation() -> None:
    data = samples().select(np.arange(3))
    assert FlowSvm(QUICK).features(data).shape == (3, 72)
    assert FlowSvm(replace(QUICK, layout="grid")).features(data).shape == (3, 72)
    assert FlowSvm(replace(QUICK, revised=False)).features(data).shape == (3, 2 * SHAPE[0] * SHAPE[1])


def test_settings_are_plain() -> None:
    import json

    settings = flow_svm_of("flow-svm-grid", layout="grid").settings()
    assert settings["name"] == "flow-svm-grid"
    assert json.loads(json.dumps(settings))["layout"] == "grid"


def test_the_head_is_taken_away_and_the_expression_stays() -> None:
    head = np.tensordot(dense_basis(WIDTH), np.array([0.8, -0.5, 0.004, 0.006, 0.3, 0.2], np.float32), 1)
    expression = np.zeros((*SHAPE, 2), np.float32)
    corner = region_weights(SHAPE)[-1] > 0
    expression[corner] = (0.6, -0.4)
    left = without_head(np.asarray(head + expression, np.float32)[None])[0]
    assert np.abs(left[~corner]).mean() < 0.03
    np.testing.assert_allclose(left[corner].mean(0), (0.6, -0.4), atol=0.12)


def test_regions_say_where_and_whither() -> None:
    weights = region_weights(SHAPE)
    flow = np.zeros((1, *SHAPE, 2), np.float32)
    flow[0][weights[4] > 0] = (0.0, -0.5)
    vectors = region_vectors(flow)
    np.testing.assert_allclose(vectors[0, 4], (0, -0.5), atol=1e-6)
    apart = [k for k in range(36) if not (weights[4] * weights[k]).any()]
    assert len(apart) > 20
    assert not vectors[0, apart].any()


def test_a_grid_has_36_cells_that_cover_the_crop_once() -> None:
    cells = grid_weights(SHAPE)
    assert cells.shape == (36, *SHAPE)
    np.testing.assert_array_equal(cells.sum(0), 1)


def test_the_mean_runs_from_onset_to_apex() -> None:
    vectors = np.zeros((4, 2, 2), np.float32)
    vectors[:, 0, 0] = (1, 3, 2, -9)  # the last frame would turn it round
    vectors[:, 1, 1] = (0, 1, 0, 0)
    np.testing.assert_allclose(towards_apex(vectors, apex=1), [[1, 0], [0, 0.25]])
    np.testing.assert_allclose(towards_apex(vectors), [[-1, 0], [0, 1 / 3]], atol=1e-6)
    assert not towards_apex(np.zeros((3, 2, 2), np.float32)).any()


def test_who_moves_twice_as_far_shows_the_same() -> None:
    vectors = np.random.default_rng(0).normal(size=(5, 36, 2)).astype(np.float32)
    np.testing.assert_allclose(towards_apex(2 * vectors), towards_apex(vectors), atol=1e-6)


def test_transformers_are_those_of_scikit_learn() -> None:
    clips = samples().sequence
    assert clips is not None
    steps = Pipeline(
        [("a", ClipFlow("farneback", 3)), ("b", WithoutHead()), ("c", RegionVectors()), ("d", TowardsApex())]
    )
    assert steps.get_params()["a__method"] == "farneback"
    assert steps.set_params(a__frames=4).transform(clips[:2]).shape == (2, 36, 2)


def test_wrong_clips_are_refused() -> None:
    with pytest.raises(InputError, match="at least 2 frames"):
        clip_flow(np.zeros((1, *SHAPE), np.uint8))
    with pytest.raises(InputError, match="a canonical crop"):
        clip_flow(np.zeros((3, 70, 70), np.uint8))
    with pytest.raises(SettingsError, match="at least 2 frames"):
        clip_flow(np.zeros((3, *SHAPE), np.uint8), frames=1)


def test_large_crops_are_kept_at_half_of_their_size() -> None:
    clip = np.random.default_rng(0).integers(0, 255, (2, *crop_size(140))).astype(np.uint8)
    assert clip_flow(clip).shape == (1, *crop_size(70), 2)


def test_two_classes_are_enough() -> None:
    data = samples().select(samples().label < 2)
    two = replace(data, classes=("negative", "positive"))
    fitted: FittedFlowSvm = FlowSvm(QUICK).fit(two, None, seed=0)
    assert (fitted.probabilities(two).argmax(1) == two.label).mean() > 0.8
