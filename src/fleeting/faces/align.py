"""The canonical face crop: where the face is, in one frame of reference for all people.

The crop of the public composite set (MEGC 2019) is 170 x 140 pixels (height x width). Landmarks measured on three
published crops, in 28 x 28 units with pixel centres at whole numbers: eye centres (6.6, 6.9) and (20.6, 6.9), nose tip
(13.3, 14.8), mouth corners (8.2, 20.5) and (19.3, 20.3), each within about 1.5 units. `CANONICAL_POINTS` is a mean
frontal face (68 points, symmetrised, mouth closed), placed on these five points by the best similarity: a similarity
keeps the directions and proportions of displacements, which a stretch would not.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

CANONICAL_WIDTH, CANONICAL_HEIGHT = 140, 170

CANONICAL_POINTS: npt.NDArray[np.float64] = np.fromstring(
    """
        -17.5 44.8 -15.5 68.0 -11.5 89.1 -7.3 109.2 -0.6 130.7 10.8 148.9
        24.2 160.8 42.1 171.0 69.5 178.1 96.9 171.0 114.8 160.8 128.2 148.9
        139.6 130.7 146.3 109.2 150.5 89.1 154.5 68.0 156.5 44.8 1.1 27.3
        11.9 21.9 24.9 20.4 36.8 21.6 47.6 24.6 91.4 24.6 102.2 21.6
        114.1 20.4 127.1 21.9 137.9 27.3 69.5 48.5 69.5 64.6 69.5 79.6
        69.5 92.0 55.2 98.8 61.3 100.9 69.5 102.8 77.7 100.9 83.8 98.8
        17.4 45.5 26.1 43.5 36.8 43.3 46.7 47.1 37.2 50.1 26.2 49.9
        92.3 47.1 102.2 43.3 112.9 43.5 121.6 45.5 112.8 49.9 101.8 50.1
        39.9 124.5 49.9 119.8 62.8 116.9 69.5 118.3 76.2 116.9 89.1 119.8
        99.1 124.5 88.5 131.7 79.3 135.9 69.5 136.9 59.7 135.9 50.5 131.7
        42.1 124.2 60.5 123.7 69.5 124.3 78.5 123.7 96.9 124.2 78.0 125.9
        69.5 126.3 61.0 125.9
    """,
    sep=" ",
).reshape(68, 2)
"""(68, 2) x, y in pixels of the crop of 140 x 170 (width x height), iBUG order."""

CANONICAL_IOD = float(np.linalg.norm(CANONICAL_POINTS[45] - CANONICAL_POINTS[36]))
"""Inter-ocular distance (outer eye corners) in the crop of width 140, in pixels."""

ANCHORS = np.array([36, 39, 42, 45, 27, 28, 29, 30, 31, 33, 35, 48, 54])
"""Points that place the crop: eye corners, nose and mouth corners; lids, brows, lips and jaw move or are vague."""

ANCHOR_WEIGHTS = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25])
"""Mouth corners and nose wings move with expressions, so they count less."""


def crop_size(width: int = CANONICAL_WIDTH) -> tuple[int, int]:
    """Height and width of a canonical crop of the given width."""
    return round(width * CANONICAL_HEIGHT / CANONICAL_WIDTH), width


def canonical_points(width: int = CANONICAL_WIDTH) -> npt.NDArray[np.float64]:
    """`CANONICAL_POINTS` in pixels of a crop of another width; pixel centres lie at whole numbers."""
    scale = width / CANONICAL_WIDTH
    return (CANONICAL_POINTS + 0.5) * scale - 0.5


def fit_similarity(
    source: npt.NDArray[Any], target: npt.NDArray[Any], weights: npt.NDArray[Any] | None = None
) -> npt.NDArray[np.float64]:
    """Least-squares similarity (rotation, one scale, shift) between two point sets.

    Closed form of Umeyama, IEEE TPAMI 13(4), 1991, in two dimensions, where it is linear in complex numbers.

    Parameters
    ----------
    source, target
        (n, 2) corresponding points.
    weights
        (n,) non-negative weights; all equal where None.

    Returns
    -------
    (2, 3) float64 matrix that maps source to target.

    Raises
    ------
    ValueError
        Where the source points coincide.
    """
    w = np.ones(len(source)) if weights is None else np.asarray(weights, np.float64)
    w = w / w.sum()
    a = np.asarray(source, np.float64) @ (1.0, 1.0j)
    b = np.asarray(target, np.float64) @ (1.0, 1.0j)
    mean_a, mean_b = w @ a, w @ b
    spread = w @ np.abs(a - mean_a) ** 2
    if not spread > 0:
        raise ValueError("Expected source points that differ from each other; got one point.")
    turn = (w * np.conj(a - mean_a)) @ (b - mean_b) / spread
    shift = mean_b - turn * mean_a
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def crop_transform(points: npt.NDArray[Any], *, width: int = CANONICAL_WIDTH) -> npt.NDArray[np.float64]:
    """Similarity from the frame to the canonical crop.

    Parameters
    ----------
    points
        (68, 2) landmarks in pixels of the frame.
    width
        Width of the crop in pixels.

    Returns
    -------
    (2, 3) float64 matrix for `align`.
    """
    return fit_similarity(np.asarray(points)[ANCHORS], canonical_points(width)[ANCHORS], ANCHOR_WEIGHTS)


def align(
    image: npt.NDArray[np.uint8], transform: npt.NDArray[Any], *, width: int = CANONICAL_WIDTH
) -> npt.NDArray[np.uint8]:
    """Canonical crop of a frame.

    A face larger than the crop is averaged over the pixels that fall together (area sampling by a scaled-down copy of
    its surroundings), because plain interpolation would skip pixels and turn sensor noise into motion.

    Parameters
    ----------
    image
        (h, w) or (h, w, 3) uint8.
    transform
        (2, 3) matrix of `crop_transform`.
    width
        Width of the crop in pixels, the same as for `crop_transform`.
    """
    height, _ = crop_size(width)
    matrix = np.asarray(transform, np.float64)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.66:
        image, matrix = _shrunk(image, matrix, (height, width), round(1 / scale))
    crop = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def _shrunk(
    image: npt.NDArray[np.uint8], matrix: npt.NDArray[np.float64], size: tuple[int, int], factor: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Face surroundings scaled down by a whole factor, on a grid that is fixed in the frame, and the matrix for it."""
    height, width = size
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    inverse = cv2.invertAffineTransform(matrix)
    around = corners @ inverse[:, :2].T + inverse[:, 2]
    # The grid is a multiple of the factor, so that a slowly moving crop always averages the same pixels together.
    low = np.maximum(np.floor(around.min(0) / factor).astype(int) - 1, 0) * factor
    high = np.minimum((np.ceil(around.max(0) / factor).astype(int) + 1) * factor, np.array(image.shape[1::-1]))
    high = np.maximum((high - low) // factor, 1) * factor + low
    part = image[low[1] : high[1], low[0] : high[0]]
    if part.size == 0 or min(part.shape[:2]) < factor:
        return image, matrix
    small = cv2.resize(part, ((high[0] - low[0]) // factor, (high[1] - low[1]) // factor), interpolation=cv2.INTER_AREA)
    moved = matrix.copy()
    # Pixel i of the small picture covers the centres low + factor * i + (factor - 1) / 2.
    moved[:, 2] += matrix[:, :2] @ (low + (factor - 1) / 2)
    moved[:, :2] *= factor
    return np.asarray(small, np.uint8), moved


def to_frame(points: npt.NDArray[Any], transform: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Points of the crop in pixels of the frame, (n, 2) to (n, 2)."""
    inverse = cv2.invertAffineTransform(np.asarray(transform, np.float64))
    return np.asarray(points, np.float64) @ inverse[:, :2].T + inverse[:, 2]


def to_crop(points: npt.NDArray[Any], transform: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Points of the frame in pixels of the crop, (n, 2) to (n, 2)."""
    matrix = np.asarray(transform, np.float64)
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def rescaled(transform: npt.NDArray[np.float64], scale: float) -> npt.NDArray[np.float64]:
    """Return the transform to the same crop at another width; pixel centres lie at whole numbers."""
    scaled = transform * scale
    scaled[:, 2] += 0.5 * (scale - 1)
    return scaled
