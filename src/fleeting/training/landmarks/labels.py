"""Labels of the landmark network: 68 points, head pose, eye and mouth opening of every training picture.

- ``landmarks68`` brings its own 68 points. The portraits and FER-2013 have none: the teacher's 478 points (`teacher`)
  are mapped to them by a linear map that is fitted on training people of ``landmarks68``. Both conventions differ by
  7.6 % of the inter-ocular distance (jaw line, brows); the map removes what is systematic in it.
- Pose comes from the teacher's facial transformation matrix, eye and mouth opening from its points in three dimensions,
  so that turning the head does not open or close an eye. Where the teacher found no face, or where no teacher labels
  are given, the openings come from the 68 points and pose is unknown (NaN).

Pose convention, degrees: R = Rz(roll) Ry(yaw) Rx(pitch), so that turning the picture changes roll alone. Yaw is
positive where the face points to the picture's right (the person's left), pitch where it looks up, roll where the head
is turned clockwise in the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import DataError
from fleeting.faces.ibug import eye_openings, mouth_opening
from fleeting.faces.mediapipe_landmarks import pose_degrees
from fleeting.training.face_data import FILES, grey_of, person_of, read_pictures
from fleeting.training.people import Part, part_of

Points = npt.NDArray[np.float32]

WRONG_LABEL = 0.15
"""Training faces whose labels differ from the mapped teacher by more (mean, share of the eye distance) are left out."""

LABEL_SHIFT = 0.028
"""How far the points of ``landmarks68`` lie to the picture's right of where they would lie on a symmetrical face, as a
share of the inter-ocular distance (about 1 pixel). A network that was trained on pictures and their plain mirror images
differs from the labels of training people by this much (mean over 519 pictures), and so do MediaPipe's points, in
either direction of the head. It is an offset of the labelling, so it must not be mirrored with the picture."""

# Points of MediaPipe's mesh. Eye: outer corner, inner corner, three pairs of upper and lower lid.
_LEFT_EYE = (263, 362, (386, 374), (385, 380), (387, 373))
_RIGHT_EYE = (33, 133, (159, 145), (158, 153), (160, 144))
_MOUTH = (61, 291, (13, 14))


@dataclass(frozen=True, slots=True)
class FaceSample:
    """One labelled picture.

    Attributes
    ----------
    grey
        (h, w) uint8.
    points
        (68, 2) float32, pixels.
    states
        (6,) float32: yaw, pitch, roll, opening of the left eye, of the right eye, of the mouth; NaN where unknown.
    source
        The picture set.
    person
        As `people.part_of` expects it.
    """

    grey: npt.NDArray[np.uint8]
    points: Points
    states: npt.NDArray[np.float32]
    source: str
    person: str


def mesh_openings(points: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return how open left eye, right eye and mouth are, (3,) float32, from (478, 3) points of the mesh."""

    def ratio(a: int, b: int, *pairs: tuple[int, int]) -> float:
        width = float(np.linalg.norm(points[a] - points[b]))
        return float(np.mean([np.linalg.norm(points[u] - points[v]) for u, v in pairs])) / max(width, 1e-6)

    return np.array([ratio(*_LEFT_EYE), ratio(*_RIGHT_EYE), ratio(*_MOUTH)], np.float32)


class PointMap:
    """Linear map from the teacher's 478 points to the 68, in a frame whose x axis joins the eyes.

    Ridge regression with iteratively reweighted faces (weight 1 / mean error), so that wrong labels do not bend it.
    """

    ROUNDS = 6
    FLOOR = 0.02

    def __init__(self, *, ridge: float = 3.0) -> None:
        self.ridge = ridge

    @staticmethod
    def _frame(mesh: npt.NDArray[np.floating]) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        right, left = mesh[:, [33, 133], :2].mean(1), mesh[:, [263, 362], :2].mean(1)
        across = left - right
        scale = np.linalg.norm(across, axis=1)
        c, s = across[:, 0] / scale, across[:, 1] / scale
        turn = np.stack([np.stack([c, s], 1), np.stack([-s, c], 1)], 1)
        return turn, scale[:, None, None], ((left + right) / 2)[:, None]

    def _features(self, mesh: npt.NDArray[np.floating]) -> tuple[npt.NDArray[Any], Any]:
        mesh = np.asarray(mesh, np.float64)
        turn, scale, centre = self._frame(mesh)
        flat = np.einsum("nij,nkj->nki", turn, mesh[:, :, :2] - centre) / scale
        depth = (mesh[:, :, 2] - mesh[:, :, 2].mean(1, keepdims=True)) / scale[:, 0]
        return np.concatenate([flat.reshape(len(mesh), -1), depth], 1), (turn, scale, centre)

    def fit(self, mesh: npt.NDArray[np.floating], points: npt.NDArray[np.floating]) -> PointMap:
        """Fit on (n, 478, 3) and (n, 68, 2) points in pixels of the same pictures."""
        x, (turn, scale, centre) = self._features(mesh)
        y = (np.einsum("nij,nkj->nki", turn, np.asarray(points, np.float64) - centre) / scale).reshape(len(x), -1)
        weights = np.ones(len(x))
        for _ in range(self.ROUNDS):
            self.x_mean, self.y_mean = np.average(x, 0, weights), np.average(y, 0, weights)
            a, b = x - self.x_mean, y - self.y_mean
            weighted = a * weights[:, None]
            self.matrix = np.linalg.solve(weighted.T @ a + self.ridge * np.eye(a.shape[1]), weighted.T @ b)
            error = np.linalg.norm((a @ self.matrix - b).reshape(len(x), -1, 2), axis=2).mean(1)
            weights = 1 / np.maximum(error, self.FLOOR)
            weights /= weights.mean()
        return self

    def __call__(self, mesh: npt.NDArray[np.floating]) -> Points:
        """Return (n, 68, 2) float32 points in pixels for (n, 478, 3)."""
        x, (turn, scale, centre) = self._features(mesh)
        y = ((x - self.x_mean) @ self.matrix + self.y_mean).reshape(len(x), 68, 2)
        points: Points = (np.einsum("nji,nkj->nki", turn, y * scale) + centre).astype(np.float32)
        return points


def _states(points: Points, mesh: npt.NDArray[Any] | None, matrix: npt.NDArray[Any] | None) -> npt.NDArray[np.float32]:
    if mesh is None or matrix is None:
        return np.array([np.nan] * 3 + [*eye_openings(points), mouth_opening(points)], np.float32)
    return np.concatenate([pose_degrees(matrix), mesh_openings(mesh)])


def load_landmarks68(
    data: Path, *, teacher: Path | None = None, parts: tuple[Part, ...] = ("train",)
) -> list[FaceSample]:
    """Pictures of ``landmarks68.npz`` in the named parts, with their own points.

    Raises
    ------
    DataError
        Where the file is missing, or teacher labels were made from another one.
    """
    pictures = read_pictures("landmarks68", data)
    with np.load(data / FILES["landmarks68"], allow_pickle=False) as stored:
        points = stored["landmarks"].astype(np.float32)
    labels = _teacher("landmarks68", teacher)
    samples: list[FaceSample] = []
    for i, (person, picture) in enumerate(pictures):
        if part_of(person) not in parts:
            continue
        mesh = matrix = None
        if labels is not None:
            if str(labels["name"][i]) != person:
                raise DataError("teacher labels of this landmarks68.npz", f"another order at {i}", "Label it again.")
            if labels["found"][i]:
                mesh, matrix = labels["points"][i], labels["matrix"][i]
        states = _states(points[i], mesh, matrix)
        samples.append(FaceSample(grey_of(picture), points[i], states, "landmarks68", person))
    return samples


def _teacher(source: str, folder: Path | None) -> dict[str, Any] | None:
    if folder is None:
        return None
    path = folder / f"{source}.npz"
    if not path.exists():
        raise DataError(
            f"teacher labels of '{source}'",
            f"no file {path}",
            "Make them: python -m fleeting.training.landmarks.teacher --data DATA --out FOLDER (extra 'mediapipe').",
        )
    with np.load(path, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def fit_point_map(data: Path, teacher: Path, *, ridge: float = 3.0) -> tuple[PointMap, npt.NDArray[np.float64]]:
    """Fit the map on training people of ``landmarks68``.

    Returns
    -------
    tuple
        The map, and (n,) the mean distance of every labelled face of the set from the mapped teacher, as a share of the
        distance of the eyes' outer corners; NaN where the teacher found nothing.
    """
    with np.load(data / FILES["landmarks68"], allow_pickle=False) as stored:
        points, person = stored["landmarks"], stored["person"]
    labels = _teacher("landmarks68", teacher)
    assert labels is not None
    train = np.array([part_of(str(p)) == "train" for p in person])
    chosen = labels["found"] & train
    fitted = PointMap(ridge=ridge).fit(labels["points"][chosen], points[chosen])
    error = np.full(len(points), np.nan)
    found = labels["found"]
    distance = np.linalg.norm(fitted(labels["points"][found]) - points[found], axis=2).mean(1)
    error[found] = distance / np.linalg.norm(points[found, 36] - points[found, 45], axis=1)
    return fitted, error


def taught_faces(
    source: str, data: Path, teacher: Path, mapped: Callable[[npt.NDArray[Any]], Points]
) -> Iterator[FaceSample]:
    """Yield the pictures of a set without points of its own in which the teacher found a face, with its mapped points.

    Raises
    ------
    DataError
        Where pictures or labels are missing.
    """
    labels = _teacher(source, teacher)
    assert labels is not None
    index = {str(name): i for i, name in enumerate(labels["name"])}
    for name, picture in read_pictures(source, data):
        i = index.get(name)
        if i is not None and labels["found"][i]:
            mesh = labels["points"][i]
            points = mapped(mesh[None])[0]
            states = _states(points, mesh, labels["matrix"][i])
            yield FaceSample(grey_of(picture), points, states, source, person_of(source, name))


def load_teacher_set(
    source: str, data: Path, teacher: Path, mapped: Callable[[npt.NDArray[Any]], Points]
) -> list[FaceSample]:
    """Those of `taught_faces` who are trained on; FER-2013 names nobody, so all of them."""
    faces = taught_faces(source, data, teacher, mapped)
    return [face for face in faces if source == "fer2013" or part_of(face.person) == "train"]


def labelled_faces(data: Path) -> list[FaceSample]:
    """Return all pictures of ``landmarks68.npz`` with their own points."""
    return load_landmarks68(data, parts=("train", "validation", "test"))


def portraits(data: Path, teacher: Path) -> list[FaceSample]:
    """Return the portraits of both archives in which the teacher found a face, with its mapped points."""
    mapped, _ = fit_point_map(data, teacher)
    return [face for source in ("congress", "interfaces") for face in taught_faces(source, data, teacher, mapped)]


def of_part(faces: Sequence[FaceSample], part: Part) -> list[FaceSample]:
    """Return the faces of the people of one part of the split."""
    return [face for face in faces if part_of(face.person) == part]
