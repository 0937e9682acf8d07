"""Flow images become displacement fields, fields become sequences, and neither motion nor face crosses a split."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fleeting.datasets.composite import FlowImages
from fleeting.datasets.load import load_samples
from fleeting.datasets.readers import prepared
from fleeting.errors import DataError, InputError, SettingsError
from fleeting.motion.flow import dense_flow
from fleeting.motion.flow_image import flow_image
from fleeting.motion.image_directions import RATIOS, axis_ratio, centred_flow
from fleeting.synthesis import demo
from fleeting.synthesis.crop_film import CropFilmSettings, Plate, film_crop, make_plate
from fleeting.synthesis.face.motion_transfer import MOST, motion_field
from fleeting.synthesis.face.profile import Profile

COURSE = Profile(0.05, 0.15, 0.30)
CLEAN = CropFilmSettings(drift_percent_iod=0, drift_deg=0, read_noise=0, shot_noise=0, jpeg=(100, 100))


def bump(*, u: float, v: float) -> np.ndarray:
    """A smooth flow with one hill that goes (u, v) and a smaller one that goes the other way down."""
    y, x = np.mgrid[0:170, 0:140].astype(np.float32)
    hill = np.exp(-(((x - 45) / 18) ** 2 + ((y - 120) / 15) ** 2))
    dale = np.exp(-(((x - 100) / 15) ** 2 + ((y - 40) / 20) ** 2))
    return np.stack([u * hill, v * (hill - 0.5 * dale)], -1).astype(np.float32)


@pytest.fixture(scope="module")
def plate() -> Plate:
    pytest.importorskip("skimage", reason="the portrait of the demonstration comes with the extra demo")
    grey = np.asarray(cv2.cvtColor(demo.portrait(), cv2.COLOR_RGB2GRAY), np.uint8)
    return make_plate(grey, demo.PORTRAIT_POINTS)


@pytest.mark.parametrize("u", [0.5, 1.0, 3.0])
def test_the_strain_tells_how_large_u_is_against_v(u: float) -> None:
    flow = bump(u=u, v=1.0)
    small = [cv2.resize(flow[..., i], (28, 28), interpolation=cv2.INTER_AREA) for i in (0, 1)]
    true = np.ptp(small[0]) / np.ptp(small[1])
    assert axis_ratio(flow_image(flow)) == pytest.approx(true, rel=0.25)


def test_a_flow_image_becomes_the_flow_that_it_was_made_of() -> None:
    flow = bump(u=1.5, v=-2.0)
    field = motion_field(flow_image(flow), peak_px=2.0, width=140)
    inner = (slice(20, 150), slice(15, 125))
    for axis in (0, 1):
        assert np.corrcoef(field[inner][..., axis].ravel(), flow[inner][..., axis].ravel())[0, 1] > 0.97
    length = np.linalg.norm(field, axis=2)
    assert np.percentile(length, 98) == pytest.approx(2.0, rel=0.1)
    assert length.max() <= MOST * 2.0 * 1.1  # cubics overshoot a little
    # The sign is that of the flow, and what does not move stays.
    assert field[120, 45, 0] > 0.5
    assert field[120, 45, 1] < -0.5
    assert np.abs(field[90, 130]).max() < 0.1


def test_images_that_say_nothing() -> None:
    assert not motion_field(np.zeros((28, 28, 3), np.uint8), peak_px=2.0).any()
    assert axis_ratio(np.zeros((28, 28, 3), np.uint8)) == 1.0
    assert not motion_field(flow_image(bump(u=1, v=1)), peak_px=0.0).any()
    with pytest.raises(InputError, match="a flow image"):
        centred_flow(np.zeros((28, 28, 3), np.float32))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a peak of 0 or more"):
        motion_field(np.zeros((28, 28, 3), np.uint8), peak_px=-1.0)
    assert RATIOS[len(RATIOS) // 2] == pytest.approx(1.0)


def test_noise_of_any_size_does_not_fold_the_skin(plate: Plate) -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 28, 3)).astype(np.uint8)
    field = motion_field(image, peak_px=20.0)
    assert np.linalg.norm(field, axis=2).max() < 20.0  # it had to be made smaller
    film_crop(plate, field, COURSE, fps=50, settings=CropFilmSettings(), seed=0)  # raises where it folds


def test_the_film_moves_as_the_field_says_and_comes_back(plate: Plate) -> None:
    field = motion_field(flow_image(bump(u=1.5, v=-2.0)), peak_px=2.0)
    frames, apex = film_crop(plate, field, COURSE, fps=100, settings=CLEAN, seed=0)
    assert frames.shape == (26, 136, 112)
    assert apex == 10
    measured = dense_flow(frames[0], frames[apex], method="dis")
    moving = np.linalg.norm(field, axis=2) > 1.0
    along = (measured[moving] * field[moving]).sum(1) / np.linalg.norm(field[moving], axis=1)
    # From the onset frame, at 5 % of the peak.
    assert np.median(along) == pytest.approx(0.95 * np.median(np.linalg.norm(field[moving], axis=1)), rel=0.25)
    difference = np.abs(frames.astype(int) - frames[0]).mean(axis=(1, 2))
    assert difference[apex] > 3 * difference[-1]


def test_drift_noise_and_compression_are_drawn_from_the_seed(plate: Plate) -> None:
    field = np.zeros((136, 112, 2), np.float32)
    settings = CropFilmSettings()
    first, _ = film_crop(plate, field, COURSE, fps=50, settings=settings, seed=3)
    again, _ = film_crop(plate, field, COURSE, fps=50, settings=settings, seed=3)
    other, _ = film_crop(plate, field, COURSE, fps=50, settings=settings, seed=4)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    still, _ = film_crop(plate, field, COURSE, fps=50, settings=CLEAN, seed=3)
    np.testing.assert_array_equal(still[0], still[-1])
    assert not np.array_equal(first[0], first[-1])


def test_what_does_not_fit_is_refused(plate: Plate) -> None:
    with pytest.raises(InputError, match="a plate and a field of width 112"):
        film_crop(plate, np.zeros((68, 56, 2), np.float32), COURSE, fps=50, settings=CropFilmSettings(), seed=0)
    with pytest.raises(InputError, match="a portrait .* grey"):
        make_plate(np.zeros((90, 90, 3), np.uint8), np.zeros((68, 2)))
    with pytest.raises(SettingsError, match="JPEG quality"):
        CropFilmSettings(jpeg=(90, 80))
    with pytest.raises(SettingsError, match="read_noise of 0 or more"):
        CropFilmSettings(read_noise=-1)


# The sets of sequences need the research extra's rooms.
sequence_sets = pytest.importorskip("fleeting.recognisers.sequences.sets")
portraits = pytest.importorskip("fleeting.recognisers.sequences.portraits")


def people(plate: Plate, count: int) -> list:
    return [portraits.Portrait(f"person-{i:02d}", plate) for i in range(count)]


def flow_images() -> FlowImages:
    subjects = ["casme2/sub01", "casme2/sub01", "smic/s01"]
    clips = ["casme2/a", "casme2/b", "smic/c"]
    flow = np.stack([flow_image(bump(u=1, v=s)) for s in (1, -1, 2)])
    return FlowImages(flow, np.array([0, 1, 2]), np.array(subjects), np.array(clips))


QUICK = {"length": 8, "width": 56, "copies": 2, "portraits": 2, "count": 6}


def test_no_two_subjects_share_a_portrait(plate: Plate) -> None:
    dealt = portraits.deal(people(plate, 9), ["b", "a", "c", "a"], each=2, seed=0)
    owners = [p.person for own in dealt.values() for p in own]
    assert sorted(owners) == sorted(set(owners))
    assert {name: len(own) for name, own in dealt.items()} == {"a": 2, "b": 2, "c": 2, "": 3}
    assert portraits.deal(people(plate, 9), ["c", "b", "a"], each=2, seed=0) == dealt
    with pytest.raises(DataError, match="12 portraits"):
        portraits.deal(people(plate, 9), ["a", "b", "c"], each=4, seed=0)
    with pytest.raises(DataError, match="one portrait per person"):
        portraits.deal(people(plate, 3) * 2, ["a"], each=2, seed=0)


def test_transferred_clips_keep_label_and_subject_and_read_like_a_real_set(plate: Plate, tmp_path: Path) -> None:
    settings = sequence_sets.SequenceSettings(**QUICK)
    dealt = portraits.deal(people(plate, 4), ["casme2/sub01", "smic/s01"], each=2, seed=0)
    made = sequence_sets.transferred_set(flow_images(), dealt, settings)
    path = prepared.write(made, tmp_path / "transferred.npz", settings={})
    samples = load_samples(f"prepared={path}")
    assert len(samples) == 6
    assert set(samples.subject) == {"casme2/sub01", "smic/s01"}  # the people whose motion it is
    assert set(samples.dataset) == {"transferred-casme2", "transferred-smic"}
    assert sorted(samples.label) == [0, 0, 1, 1, 2, 2]
    assert samples.sequence is not None
    assert samples.sequence.shape == (6, 8, 68, 56)
    copies = [samples.sequence[i] for i in np.flatnonzero(np.char.find(samples.clip, "/a-") >= 0)]
    assert len(copies) == 2
    assert not np.array_equal(*copies)
    assert len(set(samples.source_video)) == 3  # copies of one movement are one recording
    again = sequence_sets.transferred_set(flow_images(), dealt, settings)
    for one, other in zip(made.results, again.results, strict=True):
        np.testing.assert_array_equal(one["sequence"], other["sequence"])
    other_seed = sequence_sets.transferred_set(flow_images(), dealt, replace(settings, seed=1))
    assert not np.array_equal(made.results[0]["sequence"], other_seed.results[0]["sequence"])


@pytest.mark.parametrize("kind", ["micro", "macro"])
def test_action_unit_sequences(plate: Plate, kind: str, tmp_path: Path) -> None:
    settings = sequence_sets.SequenceSettings(**QUICK)
    made = sequence_sets.action_unit_set(people(plate, 2), kind, settings)
    samples = load_samples(f"prepared={prepared.write(made, tmp_path / 'set.npz', settings={})}")
    assert sorted(samples.label) == [0, 0, 1, 1, 2, 2]
    assert {row.type for row in made.rows} == {kind}
    shortest, longest = {"micro": (0.15, 0.55), "macro": (0.75, 3.1)}[kind]
    assert all(shortest < row.offset / row.fps < longest for row in made.rows)
    with pytest.raises(DataError, match="portraits that are left over"):
        sequence_sets.action_unit_set([], kind, settings)


def test_sets_are_drawn_once(monkeypatch: pytest.MonkeyPatch, plate: Plate, tmp_path: Path) -> None:
    from fleeting.datasets import composite

    monkeypatch.setattr(composite, "read", lambda path: flow_images())
    monkeypatch.setattr(sequence_sets, "read_portraits", lambda data, most, width: people(plate, most))
    settings = sequence_sets.SequenceSettings(**QUICK)
    paths = sequence_sets.make_sets(tmp_path, tmp_path / "sets", settings, flow="flow.npz")
    before = {p: p.stat().st_mtime_ns for p in paths.values()}
    assert sequence_sets.make_sets(tmp_path, tmp_path / "sets", settings, flow="flow.npz") == paths
    assert {p: p.stat().st_mtime_ns for p in paths.values()} == before
    sequence_sets.make_sets(tmp_path, tmp_path / "sets", replace(settings, seed=1), flow="flow.npz")
    assert all(p.stat().st_mtime_ns != before[p] for p in paths.values())
    assert json.loads((tmp_path / "sets" / "sequences.json").read_text())["seed"] == 1


def test_portraits_are_neutral_and_of_nobody_in_the_test_part(shared_data: Path) -> None:
    from fleeting.training.people import part_of

    found = portraits.read_portraits(shared_data, most=6, width=56)
    assert len({p.person for p in found}) == 6
    assert all(part_of(p.person) != "test" and portraits.is_neutral(p.plate.points) for p in found)
