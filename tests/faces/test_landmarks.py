from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fleeting import weights
from fleeting.cli.app import app
from fleeting.errors import DataError, FleetingWarning
from fleeting.evaluation.landmarks import evaluate_landmarks, measure_face, overlap
from fleeting.faces.align import CANONICAL_POINTS
from fleeting.faces.crop import (
    MARGIN,
    SIZE,
    apply,
    box_transform,
    cut,
    invert,
    points_box,
    points_transform,
    square_transform,
)
from fleeting.faces.ibug import MIRROR, eye_line_angle, eye_openings, inter_ocular_distance, mouth_opening
from fleeting.faces.landmarks import LandmarkNet, Landmarks, draw
from fleeting.records import FaceBox
from fleeting.training.people import digest_of

# Read off the enlarged picture by eye: x, y of a few points that are plain to see.
ASTRONAUT = {36: (192, 101), 45: (258, 105), 30: (222, 126), 48: (202, 143), 54: (244, 144), 8: (221, 178)}
ASTRONAUT_BOX = FaceBox(176, 85, 98, 93)


@pytest.fixture(scope="module")
def astronaut() -> npt.NDArray[np.uint8]:
    data = pytest.importorskip("skimage.data", reason="the portrait comes with scikit-image")
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)


@pytest.fixture(scope="module")
def net() -> LandmarkNet:
    return LandmarkNet()


def turned(points: npt.NDArray[Any], degrees: float) -> npt.NDArray[Any]:
    """Turn points clockwise in the picture about their mean."""
    a = np.deg2rad(degrees)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return (points - points.mean(0)) @ turn.T + points.mean(0)


def landmarks_at(points: npt.NDArray[Any], score: float = 0.9) -> Landmarks:
    return Landmarks(np.asarray(points, np.float32), score, np.zeros(3, np.float32), np.zeros(2, np.float32), 0.0)


def test_mirror_order_swaps_left_and_right() -> None:
    assert sorted(MIRROR) == list(range(68))
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(68))
    # The canonical face is symmetrical, so mirroring and reordering must give it back.
    axis = CANONICAL_POINTS[[27, 30, 33, 51, 57, 8], 0].mean()
    mirrored = CANONICAL_POINTS.copy()
    mirrored[:, 0] = 2 * axis - mirrored[:, 0]
    np.testing.assert_allclose(mirrored[MIRROR], CANONICAL_POINTS, atol=0.3)


def test_openings_are_the_persons_own_sides() -> None:
    points = CANONICAL_POINTS.copy()
    points[[43, 44]] = points[[47, 46]]
    left, right = eye_openings(points)
    assert left == pytest.approx(0, abs=0.02)
    assert right == pytest.approx(eye_openings(CANONICAL_POINTS)[1])
    points[66, 1] = points[62, 1] + (points[54, 0] - points[48, 0]) / 2
    assert mouth_opening(points) == pytest.approx(0.5, abs=0.01)


def test_box_crop_is_centred_and_scaled() -> None:
    transform = box_transform(FaceBox(100, 50, 60, 80))
    middle = apply(transform, np.array([130.0, 90.0]))
    np.testing.assert_allclose(middle, (SIZE - 1) / 2)
    across = apply(transform, np.array([[130.0, 50.0], [130.0, 130.0]]))
    assert np.linalg.norm(across[1] - across[0]) == pytest.approx(SIZE / MARGIN)
    np.testing.assert_allclose(apply(invert(transform), across), [[130.0, 50.0], [130.0, 130.0]])


@pytest.mark.parametrize("angle", [-40.0, 0.0, 25.0])
def test_crop_of_points_levels_the_eyes(angle: float) -> None:
    points = turned(CANONICAL_POINTS, angle)
    transform, found = points_transform(points)
    assert found == pytest.approx(angle + eye_line_angle(CANONICAL_POINTS), abs=1e-6)
    inside = apply(transform, points)
    assert eye_line_angle(inside) == pytest.approx(0, abs=1e-6)
    low, high = inside.min(0), inside.max(0)
    np.testing.assert_allclose((low + high) / 2, (SIZE - 1) / 2, atol=1e-9)
    assert (high - low).max() == pytest.approx(SIZE / MARGIN)


@pytest.mark.parametrize(("side", "angle"), [(50.0, 0.0), (120.0, 20.0), (300.0, 0.0), (700.0, -15.0)])
def test_cut_samples_where_the_transform_says(side: float, angle: float) -> None:
    # On a ramp the value of a pixel is its place, so a shift by a fraction of a pixel would show.
    rows, columns = np.mgrid[0:1000, 0:1000]
    for ramp, axis in ((columns, 0), (rows, 1)):
        transform = square_transform((480.3, 510.6), side, angle=angle)
        crop = cut((ramp / 4).astype(np.uint8), transform)
        v, u = np.mgrid[0:SIZE, 0:SIZE]
        places = apply(invert(transform), np.stack([u, v], 2).astype(float))
        # Truncation to uint8 loses half a grey level on average.
        difference = crop + 0.5 - (places[..., axis] + 0.5) / 4
        assert abs(difference.mean()) < 0.2
        assert np.abs(difference).max() < 1.6


def test_large_faces_are_averaged_before_they_are_sampled() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 900)).astype(np.uint8)
    assert cut(noise, square_transform((450, 450), 800.0)).std() < 0.25 * noise.std()


def test_landmarks_of_a_portrait(astronaut: npt.NDArray[np.uint8], net: LandmarkNet) -> None:
    (first,) = net(astronaut, [ASTRONAUT_BOX])
    (seen,) = net.from_points(astronaut, [first.points])
    assert seen.points.shape == (68, 2)
    assert seen.points.dtype == np.float32
    assert seen.score > 0.95
    assert seen.iod == pytest.approx(66, rel=0.12)
    for index, place in ASTRONAUT.items():
        assert np.linalg.norm(seen.points[index] - place) < 0.11 * 66, f"point {index}"
    # She smiles with open eyes into the camera.
    assert np.abs(seen.pose).max() < 15
    assert (seen.eye_opening > 0.15).all()
    assert draw(astronaut, seen).shape == (*astronaut.shape, 3)


@pytest.mark.parametrize("angle", [-35.0, 30.0])
def test_following_a_turned_head(astronaut: npt.NDArray[np.uint8], net: LandmarkNet, angle: float) -> None:
    (straight,) = net(astronaut, [ASTRONAUT_BOX])
    (straight,) = net.from_points(astronaut, [straight.points])
    centre = (float(straight.points[30, 0]), float(straight.points[30, 1]))
    turn = cv2.getRotationMatrix2D(centre, -angle, 1.0)
    picture = cv2.warpAffine(astronaut, turn, astronaut.shape[::-1])
    (first,) = net(picture, [points_box(apply(turn, straight.points))])
    (seen,) = net.from_points(picture, [first.points])
    assert seen.score > 0.9
    assert seen.pose[2] - straight.pose[2] == pytest.approx(angle, abs=6)
    error = np.linalg.norm(seen.points - apply(turn, straight.points), axis=1).mean()
    assert error < 0.04 * straight.iod


def test_a_mirrored_face_has_mirrored_landmarks(astronaut: npt.NDArray[np.uint8], net: LandmarkNet) -> None:
    (seen,) = net.from_points(astronaut, [net(astronaut, [ASTRONAUT_BOX])[0].points])
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    expected = seen.points[MIRROR].copy()
    expected[:, 0] = astronaut.shape[1] - 1 - expected[:, 0]
    (other,) = net.from_points(mirrored, [expected])
    difference = other.points - expected
    # The labels that it learned from lie a little to the picture's right of a face's own symmetry.
    assert np.linalg.norm(difference.mean(0)) < 0.08 * seen.iod
    assert np.linalg.norm(difference - difference.mean(0), axis=1).mean() < 0.03 * seen.iod
    np.testing.assert_allclose(other.eye_opening, seen.eye_opening[::-1], atol=0.08)


@pytest.mark.parametrize("iod", [24, 60, 200])
def test_face_sizes(astronaut: npt.NDArray[np.uint8], net: LandmarkNet, iod: int) -> None:
    (seen,) = net.from_points(astronaut, [net(astronaut, [ASTRONAUT_BOX])[0].points])
    scale = iod / seen.iod
    picture = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else 1)
    ratio = np.array([picture.shape[1] / astronaut.shape[1], picture.shape[0] / astronaut.shape[0]])
    expected = (seen.points + 0.5) * ratio - 0.5
    (other,) = net.from_points(picture, [expected])
    assert other.score > 0.9
    assert np.linalg.norm(other.points - expected, axis=1).mean() < 0.04 * iod


def test_no_face_gets_a_low_score(net: LandmarkNet) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (200, 200)).astype(np.uint8)
    blocks = cv2.resize(noise[:8, :8], (200, 200), interpolation=cv2.INTER_CUBIC)
    flat = np.full((200, 200), 120, np.uint8)
    for picture in (noise, blocks, flat):
        assert net(picture, [FaceBox(50, 50, 100, 100)])[0].score < 0.3


def test_several_faces_in_one_call(astronaut: npt.NDArray[np.uint8], net: LandmarkNet) -> None:
    other = FaceBox(170, 80, 105, 100)
    together = net(astronaut, [ASTRONAUT_BOX, other])
    for box, seen in zip((ASTRONAUT_BOX, other), together, strict=True):
        (alone,) = net(astronaut, [box])
        np.testing.assert_allclose(seen.points, alone.points, atol=0.01)
        np.testing.assert_allclose(seen.pose, alone.pose, atol=0.05)
    assert net(astronaut, []) == []
    assert net.from_points(astronaut, []) == []


def test_the_shipped_network_and_its_card() -> None:
    path = weights.folder() / "landmarks.onnx"
    assert path.stat().st_size <= 2_000_000
    card = weights.card("landmarks")
    assert card["sha256"] == weights.checksum(path)
    assert card["scores"]["test"]["nme68"] > 0
    assert len(card["trained_on"]) == card["subjects"]["landmarks68"]


def faces_file(path: Path, *, people: list[str] | None = None) -> npt.NDArray[np.float32]:
    """Write three grey pictures with the same labelled face; return its points."""
    points = (CANONICAL_POINTS * 0.5 + 30).astype(np.float32)
    coded = cv2.imencode(".png", np.full((150, 150), 90, np.uint8))[1].ravel()
    values: dict[str, Any] = {
        "jpeg": np.concatenate([coded] * 3),
        "offsets": np.arange(4) * len(coded),
        "landmarks": np.stack([points] * 3),
    }
    if people is not None:
        values["person"] = np.array(people)
    np.savez(path, **values)
    return points


def test_figures_of_an_evaluation_are_those_counted_by_hand(tmp_path: Path) -> None:
    points = faces_file(tmp_path / "faces.npz")
    iod = inter_ocular_distance(points)
    jaw = points.copy()
    jaw[:17, 1] += 0.1 * iod
    away = points + 500
    answers = iter([[landmarks_at(points)], [landmarks_at(away), landmarks_at(jaw)], [landmarks_at(away)]])
    metrics = evaluate_landmarks(
        tmp_path / "faces.npz", out=tmp_path / "out", detect=lambda grey: [(seen.box, seen) for seen in next(answers)]
    )
    assert metrics["images"] == 3
    assert metrics["found"] == 2
    assert metrics["found_share"] == pytest.approx(2 / 3, abs=1e-4)
    assert metrics["nme68"] == pytest.approx(10 * 17 / 68 / 2, abs=1e-3)
    assert metrics["nme51"] == pytest.approx(0, abs=1e-3)
    assert metrics["extra_faces"] == 2
    assert metrics["trained_on_images"] is None
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == metrics
    rows = (tmp_path / "out" / "images.csv").read_text().splitlines()
    assert len(rows) == 4
    assert rows[3].split(",")[2] == "False"


def test_the_best_overlap_counts() -> None:
    points = CANONICAL_POINTS.astype(np.float32)
    near, nearer = landmarks_at(points + 20), landmarks_at(points + 5)
    row = measure_face([(near.box, near), (nearer.box, nearer)], points)
    assert row.found
    assert row.nme68 == pytest.approx(5 * np.sqrt(2) / inter_ocular_distance(points) * 100, rel=1e-5)
    assert overlap(FaceBox(0, 0, 10, 10), FaceBox(5, 0, 10, 10)) == pytest.approx(1 / 3)


def test_people_who_were_trained_on_are_pointed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces_file(tmp_path / "faces.npz", people=["Somebody Known", "Another", "Somebody Known"])
    monkeypatch.setattr(
        "fleeting.evaluation.landmarks.card", lambda name: {"trained_on": [digest_of("Somebody Known")]}
    )
    with pytest.warns(FleetingWarning, match="2 of 3 images show people whom the landmark network was trained on"):
        metrics = evaluate_landmarks(tmp_path / "faces.npz", out=tmp_path / "out", detect=lambda grey: [])
    assert metrics["trained_on_images"] == 2
    assert metrics["found"] == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"landmarks": np.zeros((1, 68, 2))}, "none named jpeg, offsets"),
        (
            {"jpeg": np.zeros(4, np.uint8), "offsets": np.array([0, 4]), "landmarks": np.zeros((1, 5, 2))},
            r"got \(1, 5, 2\)",
        ),
        (
            {"jpeg": np.zeros(4, np.uint8), "offsets": np.array([0, 4]), "landmarks": np.ones((1, 68, 2))},
            "a picture at index 0",
        ),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "faces.npz", **values)
    with pytest.raises(DataError, match=message):
        evaluate_landmarks(tmp_path / "faces.npz", out=tmp_path / "out", detect=lambda grey: [])
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.npz"):
        evaluate_landmarks(tmp_path / "nothing.npz", out=tmp_path, detect=lambda grey: [])


def test_evaluate_command(tmp_path: Path, astronaut: npt.NDArray[np.uint8], net: LandmarkNet) -> None:
    from typer.testing import CliRunner

    (seen,) = net.from_points(astronaut, [net(astronaut, [ASTRONAUT_BOX])[0].points])
    coded = cv2.imencode(".jpg", astronaut[60:220, 140:300])[1].ravel()
    np.savez(
        tmp_path / "faces.npz",
        jpeg=coded,
        offsets=np.array([0, len(coded)]),
        landmarks=(seen.points - [140, 60])[None].astype(np.float32),
    )
    arguments = ["evaluate", "landmarks", str(tmp_path / "faces.npz"), "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    metrics = json.loads(done.stdout)
    assert metrics["found"] == 1
    assert metrics["nme68"] < 5
    wrong = CliRunner().invoke(app, ["evaluate", "landmark", str(tmp_path / "faces.npz")])
    assert wrong.exit_code == 1
    assert "Did you mean 'landmarks'?" in str(wrong.exception)
