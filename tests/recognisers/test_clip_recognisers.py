"""The clip baselines tell apart what people would: three expressions, each subject held out once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from portrait_sequences import SUBJECTS, samples

pytest.importorskip("sklearn", reason="scikit-learn comes with the extra research")

from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from fleeting.datasets.samples import Samples
from fleeting.errors import DataError
from fleeting.evaluation.benchmark.data import benchmark_data
from fleeting.evaluation.benchmark.run import BenchmarkSettings, run_benchmark
from fleeting.recognisers import clip_svm
from fleeting.recognisers.clip_svm import SvmSettings, fit_svm
from fleeting.recognisers.lbp_top import LbpTop
from fleeting.recognisers.mdmo import FlowImageDirections, Mdmo
from fleeting.recognisers.registry import recogniser
from fleeting.scale.process_pool import ProcessPool

MAKERS: dict[str, Callable[[], Any]] = {
    "lbp-top": LbpTop,
    "mdmo": Mdmo,
    "mdmo-cartesian": lambda: Mdmo(encoding="cartesian"),
    "mdmo-flow-image": FlowImageDirections,
}
each = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def held_out(data: Samples, subject: str) -> tuple[Samples, Samples]:
    test = data.subject == subject
    return data.select(~test), data.select(test)


@each
def test_expressions_of_unseen_subjects_are_told_apart(make: Callable[[], Any]) -> None:
    data = samples()
    answers, truth = [], []
    for s in range(SUBJECTS):
        train, test = held_out(data, f"film/s{s}")
        found = make().fit(train, None, seed=0).probabilities(test)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
        answers += found.argmax(1).tolist()
        truth += test.label.tolist()
    right = np.mean(np.array(answers) == np.array(truth))
    assert right >= 0.8, f"{right:.2f} of {len(truth)} clips; a guess has 0.33"


@each
def test_same_rows_same_answers_and_labels_are_not_looked_at(make: Callable[[], Any]) -> None:
    data = samples()
    train, test = held_out(data, "film/s0")
    first = make().fit(train, None, seed=3).probabilities(test)
    np.testing.assert_array_equal(first, make().fit(train, None, seed=3).probabilities(test))
    lied = replace(test, label=(test.label + 1) % 3)
    np.testing.assert_array_equal(first, make().fit(train, None, seed=3).probabilities(lied))
    shuffled = np.random.default_rng(0).permutation(len(train))
    np.testing.assert_allclose(first, make().fit(train.select(shuffled), None, seed=3).probabilities(test), atol=0.02)


@each
def test_validation_rows_are_trained_on_too(make: Callable[[], Any]) -> None:
    train, validation = held_out(samples(), "film/s1")
    apart = make().fit(train, validation, seed=0).probabilities(samples())
    whole = np.concatenate(
        [np.flatnonzero(samples().subject != "film/s1"), np.flatnonzero(samples().subject == "film/s1")]
    )
    np.testing.assert_array_equal(apart, make().fit(samples().select(whole), None, seed=0).probabilities(samples()))


@each
def test_a_class_that_was_not_trained_is_never_the_answer(make: Callable[[], Any]) -> None:
    train = samples().select(samples().label != 1)
    found = make().fit(train, None, seed=0).probabilities(samples())
    assert found.shape == (15, 3)
    assert (found[:, 1] == 0).all()


@pytest.mark.parametrize("name", ["lbp-top", "mdmo-flow-image"])
def test_in_a_benchmark(name: str, tmp_path: Path) -> None:
    """Each subject held out once, the folds in two processes."""
    data = benchmark_data([("film", samples())])
    plan = BenchmarkSettings(name, draws=20)
    found = run_benchmark(data, recogniser(name), plan, out=tmp_path, engine=ProcessPool(workers=2))
    assert found["folds"] == SUBJECTS
    assert found["uar"]["pooled"] >= 0.8


@each
def test_settings_are_plain(make: Callable[[], Any]) -> None:
    import json

    settings = make().settings()
    assert settings["name"] == make().name
    assert json.loads(json.dumps(settings))["svm"]["inner_folds"] == 5


def test_what_is_missing_is_named() -> None:
    data = samples()
    with pytest.raises(DataError, match="clips .*; got flow images alone"):
        Mdmo().fit(replace(data, sequence=None), None, seed=0)
    with pytest.raises(DataError, match="clips with flow images"):
        FlowImageDirections().fit(replace(data, flow=None), None, seed=0)
    with pytest.raises(DataError, match="at least 2 classes"):
        FlowImageDirections().fit(data.select(data.label == 0), None, seed=0)


def test_a_feature_is_computed_once_per_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_svm, "_KEPT", 3)
    clip_svm._cache.clear()
    calls: list[int] = []

    def feature(row: np.ndarray) -> np.ndarray:
        calls.append(int(row[0]))
        return row.astype(np.float32) * 2

    rows = np.array([[0, 1], [2, 3], [0, 1]], np.uint8)
    found = clip_svm.of_each(rows, feature, key="double")
    assert found.tolist() == [[0, 2], [4, 6], [0, 2]]
    assert calls == [0, 2]
    clip_svm.of_each(rows, feature, key="other settings")
    assert calls == [0, 2, 0, 2]
    clip_svm.of_each(rows[:1], feature, key="other settings")
    clip_svm.of_each(rows[:2], feature, key="double")
    assert calls == [0, 2, 0, 2, 2], "what was not asked for longest is forgotten first"


def test_choices_are_made_on_whole_subjects_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    subject, label = np.repeat(np.arange(12), 6), np.tile([0, 1, 2], 24)
    features = np.eye(3)[label] + rng.normal(0, 0.8, (72, 3))
    features = np.concatenate([features, subject[:, None]], 1).astype(np.float32)
    fits: list[tuple[set[int], set[int]]] = []

    class Watched(SVC):
        def fit(self, rows: Any, labels: Any) -> Any:
            self.trained_on_ = {round(s) for s in scalers[-1].inverse_transform(rows)[:, 3]}
            fits.append((self.trained_on_, set()))
            return super().fit(rows, labels)

        def decision_function(self, rows: Any) -> Any:
            fits[-1][1].update(round(s) for s in scalers[-1].inverse_transform(rows)[:, 3])
            return super().decision_function(rows)

    class Scaler(StandardScaler):
        def __init__(self) -> None:
            super().__init__()
            scalers.append(self)

    scalers: list[StandardScaler] = []
    monkeypatch.setattr(clip_svm, "SVC", Watched)
    monkeypatch.setattr(clip_svm, "StandardScaler", Scaler)
    settings = SvmSettings(strengths=(1e-4, 1e-1), inner_folds=4)
    fit_svm(features, label, subject, classes=3, settings=settings, seed=0)
    *inner, last = fits
    assert len(inner) == 8
    for trained, told in inner:
        assert len(told) == 3
        assert not trained & told
        assert trained | told == set(range(12))
    assert last == (set(range(12)), set())


def test_of_equal_strengths_the_weakest() -> None:
    label, subject = np.tile([0, 1], 36), np.repeat(np.arange(12), 6)
    nothing = np.zeros((72, 3), np.float32)
    fitted = fit_svm(nothing, label, subject, classes=2, settings=SvmSettings(), seed=0)
    assert SvmSettings().strengths[0] == fitted.machine.C
    np.testing.assert_allclose(fitted.probabilities(nothing), 0.5, atol=1e-3)


@pytest.mark.parametrize("strength", [1e-6, 1.0])
def test_probabilities_are_those_of_the_rows_however_small_the_margins(strength: float) -> None:
    rng = np.random.default_rng(1)
    label, subject = np.tile([0, 1], 300), np.repeat(np.arange(60), 10)
    features = ((label * 2.0 - 1)[:, None] + rng.normal(0, 1.5, (600, 1))).astype(np.float32)
    settings = SvmSettings(strengths=(strength,))
    fitted = fit_svm(features, label, subject, classes=2, settings=settings, seed=0)
    sure = fitted.probabilities(features).max(1).mean()
    right = (fitted.probabilities(features).argmax(1) == label).mean()
    assert sure == pytest.approx(right, abs=0.05)
