"""Scenes for the face finder, composed anew for every step: faces of any size, turn and light in front of anything.

A scene is a grey picture with the boxes of its faces. Faces come with their own surroundings (as in a real frame), or
cut out and pasted on something else; patches without a face are pasted in the same ways, so that the seam of a paste
says nothing about a face.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.training.backgrounds import Grey, cut, erase_face, pattern, scramble
from fleeting.training.landmarks.augment import mirror
from fleeting.training.landmarks.labels import FaceSample
from fleeting.training.recipe import Count, NotNegative, Positive, Share

MOSTLY_VISIBLE = 0.6
"""Share of its box inside the picture from which a cut face counts as a face."""

HARDLY_VISIBLE = 0.1
"""Below this share nothing is left to see; between the two the finder is neither praised nor blamed."""


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """How scenes are composed.

    Attributes
    ----------
    smallest_px, largest_share
        Range of the longer side of a face: pixels, and share of the shorter side of the scene.
    largest_roll
        Degrees by which faces are turned, either way.
    empty_share
        Share of scenes without a face.
    filled_share
        Share of the other scenes in which one picture is the whole scene, as when somebody sits before a camera.
    most_faces
        Largest number of faces that are pasted into one scene.
    """

    smallest_px: Positive = 10.0
    largest_share: Positive = 0.95
    largest_roll: NotNegative = 45.0
    empty_share: Share = 0.25
    filled_share: Share = 0.45
    most_faces: Count = 4


@dataclass(frozen=True, slots=True)
class Scene:
    """A composed picture.

    Attributes
    ----------
    grey
        (h, w) uint8.
    boxes
        (n, 4) float32: left, top, right, bottom of the faces to find.
    ignored
        (m, 4) float32: the same of faces that are cut too far to count.
    """

    grey: Grey
    boxes: npt.NDArray[np.float32]
    ignored: npt.NDArray[np.float32]


class SceneMaker:
    """Compose scenes from face pictures and face-free pictures.

    Parameters
    ----------
    faces
        Pictures with one face each; only people of one part of the split.
    natural
        Face-free photographs, (h, w) uint8.
    settings
        How scenes are composed.
    erased
        How many of the face pictures are also used with their face painted over.
    seed
        Of the choice of the pictures whose face is painted over.
    """

    def __init__(
        self,
        faces: list[FaceSample],
        natural: list[Grey],
        *,
        settings: SceneSettings | None = None,
        erased: int = 400,
        seed: int = 0,
    ) -> None:
        self.faces, self.natural, self.settings = faces, natural, settings or SceneSettings()
        chosen = np.random.default_rng(seed).permutation(len(faces))[:erased]
        self.erased = [erase_face(faces[i].grey, faces[i].points) for i in chosen]

    def __call__(self, rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
        """Compose one scene of (h, w) pixels."""
        settings = self.settings
        boxes: list[npt.NDArray[np.float32]] = []
        if rng.random() < settings.empty_share:
            grey = self.background(rng, shape)
        elif rng.random() < settings.filled_share:
            grey, box = self._filled(rng, shape)
            boxes = [box]
        else:
            grey = self.background(rng, shape)
            for _ in range(int(rng.integers(1, settings.most_faces + 1))):
                box_or_none = self._paste_face(rng, grey, boxes)
                if box_or_none is not None:
                    boxes.append(box_or_none)
        return _judge(degrade(rng, grey), boxes)

    def background(self, rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
        """Return a face-free (h, w) uint8 picture, often with face-free patches pasted into it."""
        grey = self._plain_background(rng, shape)
        for _ in range(int(rng.integers(0, 4))):
            size = int(np.exp(rng.uniform(np.log(16), np.log(0.8 * min(shape)))))
            patch = self._plain_background(rng, (size, int(size * rng.uniform(0.7, 1.4))))
            transform = _similarity(rng, patch.shape, float(size), shape, roll=self.settings.largest_roll)
            _blend(rng, grey, patch, transform)
        return grey

    def _plain_background(self, rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
        kind = rng.random()
        if kind < 0.4 or not self.natural:
            return pattern(rng, shape)
        if kind < 0.65:
            return cut(rng, self.natural[int(rng.integers(len(self.natural)))], shape)
        if kind < 0.8 and self.erased:
            return cut(rng, self.erased[int(rng.integers(len(self.erased)))], shape)
        face = self.faces[int(rng.integers(len(self.faces)))]
        if kind < 0.9:
            return cut(rng, scramble(rng, face.grey, cells=int(rng.integers(5, 9))), shape)
        return _surroundings(rng, face, shape)

    def _face(self, rng: np.random.Generator) -> FaceSample:
        face = self.faces[int(rng.integers(len(self.faces)))]
        return mirror(face, shift=0.0) if rng.random() < 0.5 else face

    def _size(self, rng: np.random.Generator, shape: tuple[int, int]) -> float:
        largest = self.settings.largest_share * min(shape)
        return float(np.exp(rng.uniform(np.log(self.settings.smallest_px), np.log(largest))))

    def _filled(self, rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Grey, npt.NDArray[np.float32]]:
        face = self._face(rng)
        low, high = face.points.min(0), face.points.max(0)
        own = float((high - low).max())
        height, width = face.grey.shape
        # As large as it must be for the picture to cover the scene, or larger; sometimes smaller, with a frame around.
        cover = max(shape[0] / height, shape[1] / width) * own
        largest = max(self.settings.largest_share * min(shape), cover)
        size = float(rng.uniform(min(cover, largest), largest)) if rng.random() < 0.7 else self._size(rng, shape)
        roll = self.settings.largest_roll if rng.random() < 0.4 else 8.0
        transform = _similarity(rng, face.grey.shape, size, shape, roll=roll, points=face.points)
        ground = self.background(rng, shape)
        if rng.random() < 0.5:
            ground[:] = int(rng.integers(0, 256))
        _lay(ground, face.grey, transform, np.full(face.grey.shape, 255, np.uint8))
        return ground, _box(face.points, transform)

    def _paste_face(
        self, rng: np.random.Generator, grey: Grey, others: list[npt.NDArray[np.float32]]
    ) -> npt.NDArray[np.float32] | None:
        """Paste one face where it covers no other; None where there is no such place."""
        face = self._face(rng)
        for _ in range(4):
            size = self._size(rng, grey.shape)
            roll = self.settings.largest_roll if rng.random() < 0.6 else 10.0
            transform = _similarity(rng, face.grey.shape, size, grey.shape, roll=roll, points=face.points)
            outline = _box(_corners(face.grey.shape), transform)
            if all(_overlap(outline, other) == 0.0 for other in others):
                _blend(rng, grey, face.grey, transform, points=face.points)
                return _box(face.points, transform)
        return None


def degrade(rng: np.random.Generator, grey: Grey) -> Grey:
    """Change light, sharpness, noise and compression of a (h, w) uint8 picture, and cover small parts of it."""
    picture = grey.astype(np.float32)
    if rng.random() < 0.15:
        _cover(rng, picture)
    if rng.random() < 0.5:
        picture = 255.0 * (picture / 255.0) ** np.float32(np.exp(rng.uniform(-0.9, 0.9)))
    if rng.random() < 0.7:
        picture = (picture - 128) * np.float32(np.exp(rng.uniform(-1.2, 0.4))) + np.float32(128 + rng.uniform(-70, 70))
    if rng.random() < 0.3:
        picture *= _light(rng, grey.shape)
    if rng.random() < 0.35:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 2.0)).astype(np.float32)
    if rng.random() < 0.5:
        picture += rng.standard_normal(grey.shape, np.float32) * np.float32(rng.uniform(1, 16))
    result = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        _, data = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])
        result = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return result


def _light(rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Light from one side: factors (h, w) between 0.3 and 1.5."""
    corners = rng.uniform(0.3, 1.5, (2, 2)).astype(np.float32)
    return cv2.resize(corners, shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _cover(rng: np.random.Generator, picture: npt.NDArray[np.float32]) -> None:
    for _ in range(int(rng.integers(1, 6))):
        height, width = (max(int(s * rng.uniform(0.02, 0.12)), 1) for s in picture.shape)
        top, left = (int(rng.integers(0, s)) for s in picture.shape)
        picture[top : top + height, left : left + width] = rng.uniform(0, 255)


def _similarity(
    rng: np.random.Generator,
    source: tuple[int, ...],
    size: float,
    shape: tuple[int, ...],
    *,
    roll: float,
    points: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float64]:
    """Transform (2, 3) that turns a patch, scales it (or the face in it) to `size` px and moves it into the scene."""
    marks = _corners(source) if points is None else points
    low, high = marks.min(0), marks.max(0)
    scale = size / max(float((high - low).max()), 1.0)
    angle, stretch = np.deg2rad(rng.uniform(-roll, roll)), np.exp(rng.normal(0, 0.05))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.diag([stretch, 1 / stretch])
    # Now and then beyond the edge, so that faces that are cut by it are seen too.
    slack = 0.35 * size if rng.random() < 0.25 else -0.5 * size
    x, y = (rng.uniform(min(-slack, s / 2), max(s + slack, s / 2)) for s in (shape[1], shape[0]))
    return np.column_stack([linear, np.array([x, y]) - linear @ ((low + high) / 2)])


def _corners(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return np.array([[0, 0], [shape[1], 0], [0, shape[0]], [shape[1], shape[0]]], np.float32)


def _box(points: npt.NDArray[np.float32], transform: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    moved = points @ transform[:, :2].T + transform[:, 2]
    return np.concatenate([moved.min(0), moved.max(0)]).astype(np.float32)


def _overlap(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return float(max(width, 0) * max(height, 0))


def _blend(
    rng: np.random.Generator,
    grey: Grey,
    patch: Grey,
    transform: npt.NDArray[np.float64],
    *,
    points: npt.NDArray[np.float32] | None = None,
) -> None:
    """Paste a patch in place: whole, or its head-shaped middle, with a hard or a soft edge."""
    mask = np.full(patch.shape, 255, np.uint8)
    if rng.random() < 0.5:
        marks = _corners(patch.shape) / 2 + np.array(patch.shape[::-1]) / 4 if points is None else points
        low, high = marks.min(0), marks.max(0)
        middle, half = (low + high) / 2, (high - low) / 2 * rng.uniform(1.15, 2.0)
        mask[:] = 0
        centre = (int(middle[0]), int(middle[1] - 0.25 * half[1]))
        cv2.ellipse(mask, centre, (max(int(half[0]), 1), max(int(1.25 * half[1]), 1)), 0, 0, 360, 255, -1)
    if rng.random() < 0.6:
        softness = rng.uniform(0.01, 0.08) * min(patch.shape)
        mask = cv2.GaussianBlur(mask, (0, 0), max(softness, 0.5), borderType=cv2.BORDER_CONSTANT).astype(np.uint8)
    _lay(grey, patch, transform, mask)


def _lay(grey: Grey, patch: Grey, transform: npt.NDArray[np.float64], mask: npt.NDArray[np.uint8]) -> None:
    """Lay a patch over the scene in place, weighted by its mask, averaged down first where it is shrunk a lot."""
    scale = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    if scale < 0.6:
        size = (max(round(patch.shape[1] * scale), 1), max(round(patch.shape[0] * scale), 1))
        ratio = np.array([size[0] / patch.shape[1], size[1] / patch.shape[0]])
        patch = cv2.resize(patch, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        linear = transform[:, :2] / ratio
        transform = np.column_stack([linear, transform[:, 2] + linear @ (0.5 - 0.5 * ratio)])
    shape = grey.shape[::-1]
    over = cv2.warpAffine(patch, transform, shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(mask, transform, shape, flags=cv2.INTER_LINEAR).astype(np.float32) / 255.0
    grey[:] = (grey + weight * (over.astype(np.float32) - grey)).astype(np.uint8)


def _surroundings(rng: np.random.Generator, face: FaceSample, shape: tuple[int, int]) -> Grey:
    """Clothes, hair, wall: the widest strip of a face picture beside, above or below its face."""
    height, width = face.grey.shape
    low, high = face.points.min(0), face.points.max(0)
    left, top, right, bottom = int(low[0]), int(low[1] - 0.3 * (high[1] - low[1])), int(high[0]) + 1, int(high[1]) + 1
    strips = [face.grey[: max(top, 0)], face.grey[min(bottom, height) :]]
    strips += [face.grey[:, : max(left, 0)], face.grey[:, min(right, width) :]]
    strip = max(strips, key=lambda s: min(s.shape) if s.size else 0)
    return cut(rng, strip, shape) if min(strip.shape) >= 8 else pattern(rng, shape)


def _judge(grey: Grey, boxes: list[npt.NDArray[np.float32]]) -> Scene:
    """Sort the boxes by how much of each lies inside the scene."""
    inside = np.array([0, 0, grey.shape[1], grey.shape[0]], np.float32)
    found: list[npt.NDArray[np.float32]] = []
    ignored: list[npt.NDArray[np.float32]] = []
    for box in boxes:
        visible = _overlap(box, inside) / max(float((box[2] - box[0]) * (box[3] - box[1])), 1e-6)
        middle = (box[:2] + box[2:]) / 2
        whole = visible >= MOSTLY_VISIBLE and bool((middle >= 0).all() and (middle < inside[2:]).all())
        if whole:
            found.append(box)
        elif visible >= HARDLY_VISIBLE:
            ignored.append(box)
    empty = np.zeros((0, 4), np.float32)
    return Scene(grey, np.stack(found) if found else empty, np.stack(ignored) if ignored else empty)
