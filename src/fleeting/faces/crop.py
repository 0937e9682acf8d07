"""The square crop that the landmark network sees: the same function makes it in training and in use.

Its side is `MARGIN` times the longer side of the face box, its centre the box's centre. From a box it is upright in the
picture; from earlier points it is turned so that the eyes are level. Coordinates follow OpenCV: the centre of the first
pixel is 0.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.ibug import eye_line_angle
from fleeting.records import FaceBox

SIZE = 80
"""Pixels of a side of the crop."""

MARGIN = 1.3
"""Side of the crop over the longer side of the box of the 68 points."""

Transform = npt.NDArray[np.float64]


def points_box(points: npt.NDArray[np.floating], *, score: float = 1.0) -> FaceBox:
    """Bounding box of (n, 2) points."""
    x, y = points.min(0)
    width, height = points.max(0) - points.min(0)
    return FaceBox(float(x), float(y), float(width), float(height), score)


def square_transform(centre: tuple[float, float], side: float, *, angle: float = 0.0, size: int = SIZE) -> Transform:
    """Transform from the picture to a square crop.

    Parameters
    ----------
    centre, side
        Of the square, in pixels of the picture.
    angle
        Degrees, clockwise, by which the square is turned in the picture.
    size
        Pixels of a side of the crop.

    Returns
    -------
    ndarray
        (2, 3) float64, picture -> crop.
    """
    scale = size / max(side, 1e-3)
    radians = np.deg2rad(angle)
    c, s = scale * np.cos(radians), scale * np.sin(radians)
    linear = np.array([[c, s], [-s, c]])
    shift = (size - 1) / 2 - linear @ np.asarray(centre, np.float64)
    return np.column_stack([linear, shift])


def box_transform(box: FaceBox, *, size: int = SIZE) -> Transform:
    """Transform (2, 3) from the picture to the upright crop of a face box."""
    centre = (box.x + box.width / 2, box.y + box.height / 2)
    return square_transform(centre, MARGIN * max(box.width, box.height), size=size)


def points_transform(points: npt.NDArray[np.floating], *, size: int = SIZE) -> tuple[Transform, float]:
    """Transform (2, 3) from the picture to the crop of earlier points (68, 2), and its angle in degrees clockwise."""
    angle = eye_line_angle(points)
    turn = square_transform((0.0, 0.0), 1.0, angle=angle, size=1)[:, :2]
    level = points @ turn.T
    low, high = level.min(0), level.max(0)
    centre = turn.T @ ((low + high) / 2)
    side = MARGIN * float((high - low).max())
    return square_transform((float(centre[0]), float(centre[1])), side, angle=angle, size=size), angle


def apply(transform: Transform, points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Map (..., 2) points with a (2, 3) transform."""
    moved: npt.NDArray[np.float64] = points @ transform[:, :2].T + transform[:, 2]
    return moved


def invert(transform: Transform) -> Transform:
    """Inverse of a (2, 3) transform."""
    inverse = np.linalg.inv(transform[:, :2])
    return np.column_stack([inverse, -inverse @ transform[:, 2]])


def cut(
    grey: npt.NDArray[np.uint8],
    transform: Transform,
    *,
    size: int = SIZE,
    border: int = cv2.BORDER_REPLICATE,
    out: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.uint8]:
    """Cut a crop out of a grey picture.

    Where the picture is shrunk to less than half, the part under the crop is averaged down first, so that large faces
    do not alias.

    Parameters
    ----------
    grey
        (h, w) uint8.
    transform
        (2, 3), picture -> crop.
    size
        Pixels of a side of the crop.
    border
        OpenCV's border mode for what lies outside the picture.
    out
        (size, size) uint8 that receives the crop.

    Returns
    -------
    ndarray
        (size, size) uint8.
    """
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    factor = int(0.75 / scale) if scale > 0 else 1
    if factor >= 2:
        grey, transform = _shrink(grey, transform, factor=min(factor, 64), size=size)
    return cv2.warpAffine(  # type: ignore[return-value]
        grey, transform, (size, size), dst=out, flags=cv2.INTER_LINEAR, borderMode=border
    )


def _shrink(
    grey: npt.NDArray[np.uint8], transform: Transform, *, factor: int, size: int
) -> tuple[npt.NDArray[np.uint8], Transform]:
    """Average the part of a picture that a crop covers over blocks of factor x factor pixels."""
    corners = apply(invert(transform), np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float64))
    height, width = grey.shape[:2]
    x0, y0 = np.clip(np.floor(corners.min(0)).astype(int) - factor, 0, [width - 1, height - 1])
    x1, y1 = np.clip(np.ceil(corners.max(0)).astype(int) + factor, [x0 + 1, y0 + 1], [width, height])
    columns, rows = max(round((x1 - x0) / factor), 1), max(round((y1 - y0) / factor), 1)
    small = cv2.resize(grey[y0:y1, x0:x1], (columns, rows), interpolation=cv2.INTER_AREA)
    # OpenCV's resize maps pixel centres: x_small + 1/2 = (x - x0 + 1/2) * columns / (x1 - x0).
    ratio = np.array([columns / (x1 - x0), rows / (y1 - y0)])
    back = np.column_stack([np.diag(1 / ratio), np.array([x0, y0]) - 0.5 + 0.5 / ratio])
    linear = transform[:, :2] @ back[:, :2]
    return small.astype(np.uint8, copy=False), np.column_stack(
        [linear, transform[:, :2] @ back[:, 2] + transform[:, 2]]
    )
