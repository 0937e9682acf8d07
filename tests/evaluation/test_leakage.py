"""Every leak is put in, and found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from flow_clips import Centroids, Nearest, data_of, features, made_up

from fleeting.datasets import composite
from fleeting.datasets.samples import Samples, from_flow_images
from fleeting.errors import FleetingWarning, JobsError, LeakageError
from fleeting.evaluation.benchmark.data import BenchmarkData
from fleeting.evaluation.benchmark.duplicates import near_duplicates, perceptual_hash
from fleeting.evaluation.benchmark.fold_checks import require_honest
from fleeting.evaluation.benchmark.independence import altered, require_independent
from fleeting.evaluation.benchmark.leakage import require_unseen
from fleeting.evaluation.benchmark.protocols import make_folds
from fleeting.evaluation.benchmark.run import BenchmarkSettings, run_benchmark
from fleeting.evaluation.benchmark.splits import Fold
from fleeting.motion.flow_image import mirrored
from fleeting.recognisers.contract import TrainingRows


@pytest.fixture
def data() -> BenchmarkData:
    return data_of(made_up())


def test_honest_folds_pass(data: BenchmarkData) -> None:
    for protocol in ("loso", "kfold"):
        require_honest(data, make_folds(data, protocol, validation=0.2), Nearest())


@pytest.mark.parametrize("side", ["train", "validation"])
def test_a_subject_on_two_sides(data: BenchmarkData, side: str) -> None:
    fold = make_folds(data, "loso", validation=0.2)[0]
    moved = replace(fold, **{side: np.append(getattr(fold, side), fold.test[0])}, test=fold.test[1:])
    with pytest.raises(LeakageError, match=r"no subject in both \w+ and test; got 1 in both \(made/s0\)"):
        require_honest(data, [moved], Nearest())


def test_a_subject_in_training_and_validation(data: BenchmarkData) -> None:
    fold = make_folds(data, "loso", validation=0.2)[0]
    moved = replace(fold, validation=np.append(fold.validation, fold.train[0]), train=fold.train[1:])
    with pytest.raises(LeakageError, match="no subject in both training and validation"):
        require_honest(data, [moved], Nearest())


def test_a_clip_on_two_sides(data: BenchmarkData) -> None:
    fold = make_folds(data, "loso")[0]
    with pytest.raises(LeakageError, match="no clip in both training and test"):
        require_honest(data, [replace(fold, train=np.append(fold.train, fold.test[0]))], Nearest())


def test_a_source_video_on_two_sides(data: BenchmarkData) -> None:
    # Two people in one recording: the light, the camera and what made them laugh are the same.
    video = data.samples.source_video.copy()
    video[[0, -1]] = "made/v9"
    shared = replace(data, samples=replace(data.samples, source_video=video))
    with pytest.raises(LeakageError, match=r"no source video in both training and test; got 1 in both \(made/v9\)"):
        require_honest(shared, make_folds(shared, "loso"), Nearest())


def noisy(image: np.ndarray) -> np.ndarray:
    return np.clip(image + np.random.default_rng(0).normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def stored_larger(image: np.ndarray) -> np.ndarray:
    larger = cv2.resize(image, (64, 64), interpolation=cv2.INTER_CUBIC)
    return cv2.resize(larger, (28, 28), interpolation=cv2.INTER_AREA)


COPIES = {
    "the same": lambda image: image,
    "noisy": noisy,
    "brighter": lambda image: (image * 0.8 + 30).astype(np.uint8),
    "stored larger": stored_larger,
    "mirrored": lambda image: mirrored(image[None])[0],
    "mirrored and noisy": lambda image: noisy(mirrored(image[None])[0]),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_under_another_subject(data: BenchmarkData, how: str) -> None:
    assert data.samples.flow is not None
    flow = data.samples.flow.copy()
    flow[20] = COPIES[how](flow[3])
    copied = replace(data, samples=replace(data.samples, flow=flow))
    np.testing.assert_array_equal(near_duplicates(copied.samples), [[3, 20]])
    with pytest.raises(LeakageError, match=r"no near-duplicate .* got 1 \(made/c003 and made/c020\)"):
        require_honest(copied, make_folds(copied, "loso"), Nearest())
    # In one and the same subject it is no leak: both are always on one side.
    same = replace(
        copied.samples, subject=np.where(copied.samples.subject == "made/s3", "made/s0", copied.samples.subject)
    )
    alone = replace(copied, samples=same)
    require_honest(alone, make_folds(alone, "loso"), Nearest())


def test_made_up_clips_have_no_duplicates_and_stillness_is_none(data: BenchmarkData) -> None:
    assert len(near_duplicates(data.samples)) == 0
    assert data.samples.flow is not None
    flow = data.samples.flow.copy()
    flow[[1, 20]] = 7
    assert len(near_duplicates(replace(data.samples, flow=flow))) == 0
    assert len(near_duplicates(replace(data.samples, flow=np.full_like(flow, 7)))) == 0
    assert len(near_duplicates(replace(data.samples, flow=None))) == 0


def test_duplicates_among_sequences() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:34, :28]
    face = 120 + 60 * np.sin(rows / 5) * np.cos(columns / 4)

    def moving(row: float, column: float) -> np.ndarray:
        bump = 40 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 18)
        film = [face + bump * t + rng.normal(0, 1, face.shape) for t in (0, 0.5, 1, 0.5, 0.2)]
        return np.clip(film, 0, 255).astype(np.uint8)

    places = [(5, 6), (5, 20), (14, 13), (26, 8), (26, 19), (20, 13)]
    base = made_up(subjects=6, each=1)
    sequence = np.stack([moving(*p) for p in places])
    samples = replace(base, flow=None, sequence=sequence)
    assert len(near_duplicates(samples)) == 0, "the same face, but other movements"
    again = sequence.copy()
    again[4] = np.clip(again[1].astype(int) + 2, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(near_duplicates(replace(samples, sequence=again)), [[1, 4]])


def test_of_single_pictures_only_equal_ones_are_duplicates() -> None:
    base = made_up(subjects=3, each=2)
    assert base.flow is not None
    pictures = base.flow[..., :1].transpose(0, 3, 1, 2).copy()
    pictures[5], pictures[3] = pictures[0], pictures[1] ^ 1
    np.testing.assert_array_equal(near_duplicates(replace(base, flow=None, sequence=pictures)), [[0, 5]])


def test_the_hash_of_an_image_is_its_own_business(data: BenchmarkData) -> None:
    assert data.samples.flow is not None
    bits = perceptual_hash(data.samples.flow)
    assert bits.shape == (len(data), 189)
    np.testing.assert_array_equal(perceptual_hash(data.samples.flow[5:6])[0], bits[5])


def test_no_false_hit_between_people_of_the_composite_set(shared_data: Path) -> None:
    clips = from_flow_images(composite.read(shared_data / "composite_flow_casme2_smic.npz"))
    for one, other in near_duplicates(clips):
        assert clips.subject[one] == clips.subject[other]


@dataclass
class Pretrained(Nearest):
    subjects_seen: tuple[str, ...] = ("made/s2", "elsewhere/s1")


def test_a_checkpoint_that_was_trained_on_a_test_subject(data: BenchmarkData, tmp_path: Path) -> None:
    with pytest.raises(LeakageError, match=r"model 'nearest' that has not seen the test subjects; got 1 .*\(made/s2\)"):
        run_benchmark(data, Pretrained(), BenchmarkSettings("nearest"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists(), "nothing is trained or written"
    require_unseen(["made/s2"], ["made/s1"], name="x")


def test_the_card_of_the_shipped_recogniser_is_read(shared_data: Path) -> None:
    from fleeting.evaluation.benchmark.data import read_data
    from fleeting.recognisers.registry import recogniser

    data = read_data([f"composite={shared_data / 'composite_flow_casme2_smic.npz'}"])
    with pytest.raises(LeakageError, match="model 'shipped' that has not seen the test subjects"):
        require_honest(data, make_folds(data, "hde"), recogniser("shipped"))
    others = data_of(made_up())
    require_honest(others, make_folds(others, "loso"), recogniser("shipped"))


@dataclass
class ManyNearest(Nearest):
    """All folds at once; ``scaled_on`` says which rows the scaling is fitted on."""

    scaled_on: str = "train"
    shuffle: float = 0.0

    def fit_many(self, data: Samples, folds: Sequence[TrainingRows], *, seed: int) -> list[Any]:
        models = []
        of_any = np.unique(np.concatenate([f.train for f in folds]))
        for fold in folds:
            rows = {"train": fold.train, "rows of any fold": of_any}.get(self.scaled_on, np.arange(len(data)))
            values = features(data)
            if self.scaled_on == "labels of all":
                spread = features(data.select(np.flatnonzero(data.label == data.label[0]))).std()
            else:
                spread = values[rows].std()
            label = data.label[fold.train]
            centres = np.stack([values[fold.train][label == k].mean(0) for k in range(3)])
            if self.shuffle:
                centres = centres + np.random.default_rng().normal(0, self.shuffle, centres.shape)
            models.append(Scaled(centres, spread=float(spread)))
        return models


@dataclass
class Scaled(Centroids):
    spread: float = 1.0

    def probabilities(self, samples: Samples) -> np.ndarray:
        distance = ((features(samples)[:, None] - self.centres[None]) ** 2).mean(-1) / self.spread**2
        powers = np.exp(-(distance - distance.min(1, keepdims=True)))
        return (powers / powers.sum(1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("scaled_on", ["all", "labels of all", "rows of any fold"])
def test_a_scaler_that_was_fitted_outside_the_fold(data: BenchmarkData, tmp_path: Path, scaled_on: str) -> None:
    model = ManyNearest(scaled_on=scaled_on)
    with pytest.raises(JobsError, match="changes by .* when they are altered"):
        run_benchmark(data, model, BenchmarkSettings("nearest"), out=tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_scaler_inside_the_fold_passes(data: BenchmarkData, tmp_path: Path) -> None:
    found = run_benchmark(data, ManyNearest(), BenchmarkSettings("nearest"), out=tmp_path / "run")
    assert found["independence"] == [{"fold": "made/s5", "largest_change": 0.0}]


def test_preparation_before_the_folds_is_seen_too(data: BenchmarkData) -> None:
    """Whatever lies between the clips and the model may be handed to the check, not training alone."""
    fold = make_folds(data, "loso")[1]

    def scaled_before(clips: Samples) -> Centroids:
        assert clips.flow is not None
        spread = clips.flow.std(0) + 1
        scaled = replace(clips, flow=np.clip(clips.flow / spread * 30, 0, 255).astype(np.uint8))
        return Nearest().fit(scaled.select(fold.train), None, seed=0)

    with pytest.raises(LeakageError, match="the same 'the model' whatever the held-out clips of fold 'made/s1' are"):
        require_independent(scaled_before, data.samples, fold)
    assert require_independent(lambda c: Nearest().fit(c.select(fold.train), None, seed=0), data.samples, fold) == 0


def test_a_training_that_never_repeats_itself_is_told_of(data: BenchmarkData) -> None:
    fold = make_folds(data, "loso")[0]
    model = ManyNearest(shuffle=0.05)
    with pytest.warns(FleetingWarning, match="Two trainings .* differ by"):
        require_independent(lambda c: model.fit_many(c, [fold.training_rows], seed=0)[0], data.samples, fold)


def test_altered_clips_are_other_clips(data: BenchmarkData) -> None:
    fold: Fold = make_folds(data, "loso")[0]
    changed = altered(data.samples, fold)
    assert (changed.label[fold.test] != data.samples.label[fold.test]).all()
    np.testing.assert_array_equal(changed.label[fold.train], data.samples.label[fold.train])
    assert changed.flow is not None
    assert data.samples.flow is not None
    np.testing.assert_array_equal(changed.flow[fold.train], data.samples.flow[fold.train])
    assert (changed.flow[fold.test] != data.samples.flow[fold.test]).mean() > 0.9
