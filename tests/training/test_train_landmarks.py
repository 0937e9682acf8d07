from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch", reason="training needs the research extra")
pytest.importorskip("onnx", reason="training needs the research extra")

from stopped_trainings import stopped_after  # noqa: E402

from fleeting import settings, weights  # noqa: E402
from fleeting.errors import DataError, MissingExtraError, SettingsError  # noqa: E402
from fleeting.faces.align import CANONICAL_POINTS  # noqa: E402
from fleeting.faces.crop import SIZE, apply  # noqa: E402
from fleeting.faces.ibug import MIRROR, eye_line_angle, eye_openings  # noqa: E402
from fleeting.faces.mediapipe_landmarks import pose_degrees  # noqa: E402
from fleeting.training.landmarks.augment import (  # noqa: E402
    close_eyes,
    degrade,
    detection_transform,
    face_crop,
    mirror,
    tracking_transform,
)
from fleeting.training.landmarks.labels import (  # noqa: E402
    FaceSample,
    PointMap,
    load_landmarks68,
    mesh_openings,
)
from fleeting.training.landmarks.losses import TaskStopping, task_losses  # noqa: E402
from fleeting.training.landmarks.network import LandmarkNetwork  # noqa: E402
from fleeting.training.landmarks.recipe import LandmarkRecipe  # noqa: E402
from fleeting.training.landmarks.teacher import label  # noqa: E402
from fleeting.training.not_faces import erase_face, not_face_crop, pattern  # noqa: E402
from fleeting.training.people import part_of  # noqa: E402
from fleeting.training.run import TASKS, task_of, train  # noqa: E402

pytestmark = pytest.mark.torch

RECIPE = """
task = "landmarks"
teacher = ""
epochs = {epochs}
batch = 16
warm_epochs = 0.2
average = 0.9
learning_rate = 0.004
bfloat16 = false
patterns = 10
{more}

[network]
widths = [8, 8, 12, 12]
blocks = [0, 0, 0]
head_width = 8
"""


def draw_face(rng: np.random.Generator, *, size: int = 120) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Draw a face on a grey ground; return the (size, size) picture and its (68, 2) points."""
    scale = rng.uniform(0.35, 0.5)
    points = (CANONICAL_POINTS - CANONICAL_POINTS.mean(0)) * scale * np.array([1, rng.uniform(0.9, 1.1)])
    points = (points + size / 2 + rng.uniform(-8, 8, 2)).astype(np.float32)
    grey = np.full((size, size), rng.uniform(0, 80), np.uint8)
    skin = rng.uniform(150, 230)
    cv2.fillPoly(grey, [cv2.convexHull(points[:27]).astype(np.int32)], skin)
    for first, last, shade in ((36, 42, 20), (42, 48, 20), (48, 60, 90), (17, 22, 60), (22, 27, 60), (27, 36, 120)):
        cv2.polylines(grey, [points[first:last].astype(np.int32)], first >= 36, shade, 2)
    return grey, points


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_set(tmp_path_factory.mktemp("data"))


def draw_set(folder: Path) -> Path:
    """Write drawn faces of invented people in the layout of landmarks68.npz; return the folder."""
    rng = np.random.default_rng(0)
    wanted = {"train": 24, "validation": 4, "test": 4}
    names: Iterator[str] = (f"person {i}" for i in count())
    people: list[str] = []
    while any(wanted.values()):
        name = next(names)
        if wanted[part_of(name)]:
            wanted[part_of(name)] -= 1
            people += [name, name]
    coded, points = [], []
    for _ in people:
        grey, marks = draw_face(rng)
        coded.append(cv2.imencode(".png", grey)[1].ravel())
        points.append(marks)
    np.savez(
        folder / "landmarks68.npz",
        jpeg=np.concatenate(coded),
        offsets=np.cumsum([0, *map(len, coded)]),
        landmarks=np.stack(points),
        person=np.array(people),
    )
    return folder


def write_recipe(path: Path, *, epochs: int, more: str = "") -> Path:
    path.write_text(RECIPE.format(epochs=epochs, more=more), encoding="utf-8")
    return path


def history(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    assert train(write_recipe(out / "recipe.toml", epochs=6), data=data, out=out) == "landmarks"
    return out


def sample(rng: np.random.Generator) -> FaceSample:
    grey, points = draw_face(rng)
    states = np.array([10, 5, 0, *eye_openings(points), 0.2], np.float32)
    return FaceSample(grey, points, states, "landmarks68", "person")


def test_training_lowers_the_loss_and_ships_a_network(trained: Path) -> None:
    rows = history(trained)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    first, last = rows[0]["training"], rows[-1]["training"]
    assert all(last[task] < 0.96 * first[task] for task in ("points", "heat", "eyes", "mouth", "face"))
    assert rows[-1]["nme68"] < rows[0]["nme68"]
    card = json.loads((trained / "landmarks.json").read_text())
    assert card["sha256"] == weights.checksum(trained / "landmarks.onnx")
    assert card["scores"]["validation"]["nme68"] == min(row["nme68"] for row in rows)
    assert card["scores"]["test"]["nme68"] > 0
    assert card["subjects"]["landmarks68"] == 24 == len(card["trained_on"])


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(trained: Path, data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe.toml", epochs=6)
    with stopped_after(3):
        train(recipe, data=data, out=tmp_path)
    assert len(history(tmp_path)) == 3
    train(recipe, data=data, out=tmp_path)
    for resumed, straight in zip(history(tmp_path), history(trained), strict=True):
        assert resumed["training"] == pytest.approx(straight["training"], rel=1e-4)
        assert resumed["nme68"] == pytest.approx(straight["nme68"], rel=1e-3)


def test_another_recipe_does_not_go_on(trained: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="another value of epochs"):
        train(write_recipe(tmp_path / "recipe.toml", epochs=7), data=data, out=trained)


def test_test_people_must_be_those_of_the_split(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe.toml", epochs=1, more='test_people = ["person 0"]')
    with pytest.raises(DataError, match="test people"):
        train(recipe, data=data, out=tmp_path / "out")


def test_people_of_parts_do_not_mix(data: Path) -> None:
    parts = {
        part: {s.person for s in load_landmarks68(data, parts=(part,))} for part in ("train", "validation", "test")
    }
    assert {k: len(v) for k, v in parts.items()} == {"train": 24, "validation": 4, "test": 4}
    assert not parts["train"] & (parts["validation"] | parts["test"])


def test_recipes_name_their_task(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('task = "landmark"')
    with pytest.raises(SettingsError, match="Did you mean 'landmarks'"):
        task_of(path)
    path.write_text("task = ")
    with pytest.raises(SettingsError, match="a TOML file"):
        task_of(path)
    with pytest.raises(SettingsError, match="No such file"):
        task_of(tmp_path / "none.toml")


@pytest.mark.parametrize("recipe", sorted((Path(__file__).parents[2] / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_recipes_name_known_tasks(recipe: Path) -> None:
    assert task_of(recipe) in TASKS


def test_the_shipped_recipe_builds_its_network() -> None:
    recipe = settings.load(LandmarkRecipe, Path(__file__).parents[2] / "recipes" / "landmarks.toml")
    assert all(part_of(person) == "test" for person in recipe.test_people)
    points, states = recipe.network.build()(torch.zeros(2, 1, SIZE, SIZE))
    assert points.shape == (2, 68, 2)
    assert states.shape == (2, 7)


def test_a_stopped_task_no_longer_teaches_the_trunk() -> None:
    torch.manual_seed(0)
    net = LandmarkNetwork(widths=(4, 4, 8, 8), blocks=(0, 0, 0), head_width=4)
    crops = torch.rand(2, 1, SIZE, SIZE) * 255
    for detached, taught in (((False,) * 4, True), ((True,) * 4, False)):
        net.zero_grad()
        net.answer(crops, detached)[1][:, 3:5].sum().backward()
        gradient = net.stem[0].weight.grad
        assert (gradient is not None and bool(gradient.abs().sum() > 0)) is taught
        assert net.eyes[0].weight.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="16 divides"):
        LandmarkNetwork(size=50)


def test_losses_leave_out_what_is_unknown() -> None:
    points, states = torch.zeros(2, 68, 2), torch.zeros(2, 7)
    truth = torch.zeros(2, 68, 2)
    truth[0, :, 0], truth[1, :, 0] = 3, 100
    known = torch.full((2, 7), float("nan"))
    known[:, 6] = 1
    known[0, 3] = 0.5
    losses = task_losses(points, states, truth, known, torch.tensor([1.0, 0.0]))
    assert float(losses["points"]) == pytest.approx(3, abs=1e-3)
    assert float(losses["eyes"]) == pytest.approx(0.5)
    assert float(losses["pose"]) == 0
    assert float(losses["face"]) == pytest.approx(np.log(2))


def test_tasks_stop_by_equation_four() -> None:
    stopping = TaskStopping(("pose", "eyes"), window=2, threshold=1.5)
    # By hand for the third epoch: median 1, sum 4, first term 2 * 1 / (4 - 2) = 1; second (3 - 1) / 1 = 2; product 2.
    for error, validation, stops in ((2.0, 9.0, ()), (1.0, 9.0, ()), (1.0, 3.0, ("pose",)), (1.0, 3.0, ())):
        assert stopping.update({"pose": error, "eyes": error}, {"pose": validation, "eyes": 0.5}) == stops
    assert stopping.stopped_at == {"pose": 3}
    assert stopping.measure("pose", 3.0) == pytest.approx(2 / (3 - 2) * 2)
    again = TaskStopping(("pose", "eyes"), window=2, threshold=1.5)
    again.load(json.loads(json.dumps(stopping.state())))
    assert again.state() == stopping.state()


def test_pose_follows_the_convention() -> None:
    def about(axis: int, degrees: float) -> npt.NDArray[Any]:
        vector = np.zeros(3)
        vector[axis] = np.deg2rad(degrees)
        return cv2.Rodrigues(vector)[0]

    # Axes of the teacher: x right, y up, z to the viewer. The face looks along z.
    for yaw, pitch, roll in ((30, 0, 0), (0, 20, 0), (0, 0, 25), (-25, 15, -30)):
        rotation = about(2, -roll) @ about(1, yaw) @ about(0, -pitch)
        matrix = np.eye(4)
        matrix[:3, :3] = rotation * 1.7
        np.testing.assert_allclose(pose_degrees(matrix), (yaw, pitch, roll), atol=1e-3)
        # The face's own z axis: to the picture's right with yaw, up with pitch.
        if roll == 0:
            assert np.sign(rotation[0, 2]).item() == np.sign(yaw) or yaw == 0
            assert np.sign(rotation[1, 2]).item() == np.sign(pitch) or pitch == 0
        if (yaw, pitch) == (0, 0):
            assert rotation[1, 0] < 0, "clockwise: what points right comes to point down"


def test_mesh_openings_know_left_from_right() -> None:
    mesh = np.zeros((478, 3))
    mesh[263], mesh[362] = (10, 0, 0), (0, 0, 0)
    mesh[33], mesh[133] = (-30, 0, 0), (-20, 0, 0)
    for up in (386, 385, 387):
        mesh[up] = (5, 3, 0)
    for down in (374, 380, 373):
        mesh[down] = (5, 0, 0)
    mesh[61], mesh[291], mesh[13], mesh[14] = (0, 0, 0), (8, 0, 6), (0, 0, 0), (0, 5, 0)
    np.testing.assert_allclose(mesh_openings(mesh), (0.3, 0, 0.5), atol=1e-6)


def test_point_map_finds_a_linear_relation_despite_wrong_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    shape = rng.normal(0, 30, (478, 3))
    shape[[33, 133], 0] -= 40
    shape[[263, 362], 0] += 40
    modes = rng.normal(0, 3, (5, 478, 3))
    mesh = shape + np.einsum("nk,kpd->npd", rng.normal(0, 1, (120, 5)), modes) + 100
    points = mesh[:, :68, :2] * 0.5 + mesh[:, 68:136, :2] * 0.5
    monkeypatch.setattr(PointMap, "ROUNDS", 4)
    wrong = points.copy()
    wrong[::10] += 60
    fitted = PointMap(ridge=1e-3).fit(mesh[:100], wrong[:100])
    # Plain least squares would be off by a tenth of the wrong labels' 60 pixels.
    assert np.abs(fitted(mesh[100:]) - points[100:]).mean() < 0.5
    # Turned, enlarged and moved: the map works in the face's own frame.
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    moved = mesh[100:].copy()
    moved[:, :, :2] = moved[:, :, :2] @ turn.T * 2 + 7
    moved[:, :, 2] *= 2
    assert np.abs(fitted(moved) - (points[100:] @ turn.T * 2 + 7)).mean() < 1


def test_mirrored_samples_keep_left_and_right_apart() -> None:
    rng = np.random.default_rng(3)
    one = sample(rng)
    one = close_eyes(one, 0.2, right=True, left=False)
    other = mirror(one, shift=0)
    np.testing.assert_allclose(other.states[:3], one.states[:3] * [-1, 1, -1])
    np.testing.assert_allclose(other.states[3:5], one.states[[4, 3]])
    np.testing.assert_allclose(eye_openings(other.points), eye_openings(one.points)[::-1], rtol=1e-4)
    twice = mirror(other, shift=0)
    np.testing.assert_array_equal(twice.grey, one.grey)
    np.testing.assert_allclose(twice.points, one.points, atol=1e-4)
    np.testing.assert_array_equal(other.points[MIRROR][:, 1], one.points[:, 1])
    # An offset of the labels stays on the same side of the picture.
    shifted = mirror(one, shift=0.1).points - other.points
    np.testing.assert_allclose(shifted, np.tile(0.2 * (other.points[45] - other.points[36]), (68, 1)), atol=1e-3)
    np.testing.assert_allclose(mirror(mirror(one)).points, one.points, atol=1e-3)


def test_closed_eyes_move_lids_alone() -> None:
    one = sample(np.random.default_rng(4))
    closed = close_eyes(one, 0.1)
    np.testing.assert_allclose(closed.states[3:5], one.states[3:5] * 0.1)
    assert (eye_openings(closed.points) < 0.5 * eye_openings(one.points)).all()
    unmoved = [i for i in range(68) if i not in (37, 38, 43, 44)]
    np.testing.assert_array_equal(closed.points[unmoved], one.points[unmoved])
    changed = np.argwhere(closed.grey != one.grey)
    assert len(changed)
    assert changed[:, 0].max() < one.points[30, 1], "below the eyes nothing moves"


@pytest.mark.parametrize("make", [detection_transform, tracking_transform])
def test_crops_hold_the_face_and_say_how_they_are_turned(make: Any) -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        one = sample(rng)
        transform, turn = make(one.points, rng)
        inside = apply(transform, one.points)
        assert eye_line_angle(inside) == pytest.approx(eye_line_angle(one.points) + turn, abs=0.6)
        assert abs(eye_line_angle(inside)) < 50
        shown = ((inside > -8) & (inside < SIZE + 8)).all(1).mean()
        assert shown > 0.9


def test_crops_are_the_same_for_the_same_seed() -> None:
    one = sample(np.random.default_rng(6))
    first, second = (face_crop(one, np.random.default_rng(7)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], face_crop(one, np.random.default_rng(8))[0])
    crop = degrade(first[0], np.random.default_rng(9))
    assert crop.shape == (SIZE, SIZE)
    assert crop.dtype == np.uint8


def test_erased_faces_are_gone() -> None:
    one = sample(np.random.default_rng(10))
    erased = erase_face(one, np.random.default_rng(0)).astype(float)
    x, y = one.points[27:48].mean(0).astype(int)
    inside = (slice(y - 8, y + 8), slice(x - 8, x + 8))
    assert one.grey[inside].std() > 10
    assert erased[inside].std() < 10


def test_crops_without_a_face_have_the_right_form() -> None:
    rng = np.random.default_rng(11)
    samples, pictures = [sample(rng) for _ in range(3)], [pattern(rng) for _ in range(20)]
    crops = [not_face_crop(samples, pictures, rng) for _ in range(60)]
    assert all(c.shape == (SIZE, SIZE) and c.dtype == np.uint8 for c in crops)
    assert len({c.tobytes() for c in crops}) > 45


def test_the_teacher_keeps_mediapipe_from_reporting_its_use(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, str] = {}
    monkeypatch.setattr(os, "putenv", told.__setitem__)
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(MissingExtraError, match="'mediapipe' for labelling pictures"):
        label(iter(()))
    assert told["https_proxy"].startswith("http://127.0.0.1:")
