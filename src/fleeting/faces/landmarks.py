"""Landmarks, head pose, eye and mouth opening of faces, from the shipped landmark network.

One crop (`crop`) goes in; 68 points, pose, openings and the probability that it is a face come out. A face that was
never seen is cropped from its box, a face that is followed from its earlier points: level eyes, exact scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.crop import SIZE, Transform, apply, box_transform, cut, invert, points_box, points_transform
from fleeting.faces.ibug import inter_ocular_distance
from fleeting.records import FaceBox
from fleeting.weights import session

NAME = "landmarks"


@dataclass(frozen=True, slots=True)
class Landmarks:
    """What the landmark network says of one face.

    Attributes
    ----------
    points
        (68, 2) float32, iBUG order, pixels of the picture.
    score
        Probability that the crop shows a face.
    pose
        (3,) float32 yaw, pitch, roll in degrees: positive where the face points to the picture's right (the person's
        left), looks up, and is turned clockwise in the picture.
    eye_opening
        (2,) float32, the person's left and right eye: lid distance over eye width.
    mouth_opening
        Inner lip distance over mouth width.
    """

    points: npt.NDArray[np.float32]
    score: float
    pose: npt.NDArray[np.float32]
    eye_opening: npt.NDArray[np.float32]
    mouth_opening: float

    @property
    def iod(self) -> float:
        """Inter-ocular distance in pixels: outer eye corners, points 36 and 45."""
        return inter_ocular_distance(self.points)

    @property
    def box(self) -> FaceBox:
        """Bounding box of the points, with the face probability as its score."""
        return points_box(self.points, score=self.score)


class LandmarkNet:
    """The shipped landmark network.

    Parameters
    ----------
    threads
        Threads that ONNX Runtime may use for one call.

    Raises
    ------
    WeightsError
        Where the shipped file is missing or damaged.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._session = session(NAME, threads=threads)
        self._input = np.empty((1, 1, SIZE, SIZE), np.uint8)

    def __call__(self, grey: npt.NDArray[np.uint8], boxes: Sequence[FaceBox]) -> list[Landmarks]:
        """Return the landmarks of the faces in `boxes` (boxes of the 68 points) of a (h, w) uint8 picture."""
        return self._run(grey, [box_transform(box) for box in boxes], [0.0] * len(boxes))

    def from_points(self, grey: npt.NDArray[np.uint8], points: Sequence[npt.NDArray[np.floating]]) -> list[Landmarks]:
        """Return the landmarks of faces whose earlier points, each (68, 2) in pixels of the picture, are known."""
        crops = [points_transform(p) for p in points]
        return self._run(grey, [t for t, _ in crops], [angle for _, angle in crops])

    def _run(
        self, grey: npt.NDArray[np.uint8], transforms: Sequence[Transform], angles: Sequence[float]
    ) -> list[Landmarks]:
        count = len(transforms)
        if not count:
            return []
        batch = self._input if count == 1 else np.empty((count, 1, SIZE, SIZE), np.uint8)
        for crop, transform in zip(batch, transforms, strict=True):
            cut(grey, transform, out=crop[0])
        points, states = self._session.run(("points", "states"), {"crops": batch})
        return [
            _landmarks(p, s, transform, angle)
            for p, s, transform, angle in zip(points, states, transforms, angles, strict=True)
        ]


def _landmarks(
    points: npt.NDArray[np.float32], states: npt.NDArray[np.float32], transform: Transform, angle: float
) -> Landmarks:
    pose = states[:3].copy()
    pose[2] += angle
    return Landmarks(
        points=apply(invert(transform), points).astype(np.float32),
        score=float(states[6]),
        pose=pose,
        eye_opening=states[3:5].copy(),
        mouth_opening=float(states[5]),
    )


def draw(image: npt.NDArray[np.uint8], landmarks: Landmarks) -> npt.NDArray[np.uint8]:
    """Return a copy of a grey or RGB picture with the points drawn on it, (h, w, 3) uint8."""
    canvas = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image.copy()
    for x, y in landmarks.points:
        cv2.circle(canvas, (round(float(x)), round(float(y))), max(round(landmarks.iod / 40), 1), (0, 255, 0), -1)
    return canvas.astype(np.uint8, copy=False)
