"""Regions of the face as polygons anchored on landmarks: the 36 of MDMO, the 13 of the motion signal, the stable ones.

Every region is written once, for the person's right half (on the left of an unmirrored picture), and mirrored. A corner
of a polygon is an *anchor*: the mean of some iBUG points, raised by a share of the inter-ocular distance along the
face's own upward direction (at right angles to the line through the outer eye corners, away from the chin).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError
from fleeting.faces.align import CANONICAL_WIDTH, canonical_points, crop_size
from fleeting.records import REGIONS

Points = npt.NDArray[Any]
Polygon = npt.NDArray[np.float32]
_Anchor = tuple[tuple[int, ...], float]
_Shape = tuple[_Anchor, ...]

MIRROR = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *range(27, 31),
        *range(35, 30, -1),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
    ]
)
"""(68,) iBUG point on the other half of the face that corresponds to each point."""


def _at(*points: int, up: float = 0.0) -> _Anchor:
    return points, up


def _mirrored(shape: _Shape) -> _Shape:
    return tuple((tuple(int(MIRROR[p]) for p in points), up) for points, up in shape)


# The right half of the 36 regions, in iBUG points of the person's right side and midline.
_MDMO_HALF: dict[str, _Shape] = {
    "forehead_outer": (_at(17, up=0.16), _at(18, up=0.16), _at(19, up=0.16), _at(19), _at(18), _at(17)),
    "forehead_inner": (_at(19, up=0.16), _at(20, up=0.16), _at(21, up=0.16), _at(21), _at(20), _at(19)),
    "brow_outer": (_at(17), _at(18), _at(19), _at(37, 38, up=0.03), _at(37, up=0.03), _at(36)),
    "brow_inner": (_at(19), _at(20), _at(21), _at(39), _at(38, up=0.03), _at(37, 38, up=0.03)),
    "temple": (_at(0, up=0.05), _at(17), _at(36), _at(36, up=-0.12), _at(1)),
    "lid_outer": (_at(36), _at(41), _at(40, 41), _at(40, 41, up=-0.12), _at(36, up=-0.12)),
    "lid_inner": (_at(40, 41), _at(40), _at(39), _at(39, up=-0.12), _at(40, 41, up=-0.12)),
    "nose_side": (_at(39), _at(27), _at(30), _at(31), _at(39, up=-0.12)),
    "cheek_upper_outer": (_at(1), _at(36, up=-0.12), _at(40, 41, up=-0.12), _at(2, 31), _at(2)),
    "cheek_upper_inner": (_at(40, 41, up=-0.12), _at(39, up=-0.12), _at(31), _at(2, 31)),
    "cheek_lower_outer": (_at(2), _at(2, 31), _at(4, 48), _at(4), _at(3)),
    "cheek_lower_inner": (_at(2, 31), _at(31), _at(49), _at(48, up=0.06), _at(4, 48)),
    "mouth_corner": (_at(48, up=0.06), _at(49), _at(49, 59), _at(59), _at(5, 48), _at(4, 48)),
    "upper_lip": (_at(49), _at(31), _at(33), _at(51), _at(62), _at(61), _at(49, 59)),
    "lower_lip": (_at(49, 59), _at(67), _at(66), _at(57), _at(58), _at(59)),
    "jaw": (_at(4), _at(4, 48), _at(5, 48), _at(59), _at(7, 58), _at(7), _at(6), _at(5)),
}
_MDMO_CENTRE: dict[str, _Shape] = {
    "between_brows": (_at(21, up=0.16), _at(22, up=0.16), _at(22), _at(42), _at(27), _at(39), _at(21)),
    "nose_bridge": (_at(39, 27), _at(27), _at(42, 27), _at(30, 35), _at(30), _at(30, 31)),
    "nose_tip": (_at(30, 31), _at(30), _at(30, 35), _at(35), _at(33), _at(31)),
    "chin": (_at(59), _at(58), _at(57), _at(56), _at(55), _at(9, 56), _at(9), _at(8), _at(7), _at(7, 58)),
}
MDMO_NAMES: tuple[str, ...] = (
    *(f"right_{name}" for name in _MDMO_HALF),
    *(f"left_{name}" for name in _MDMO_HALF),
    *_MDMO_CENTRE,
)
"""Names of the 36 regions in their order; left and right are the person's own."""

# The regions of the motion signal. Where two overlap, the one further down this table wins.
_SIGNAL_HALF: dict[str, _Shape] = {
    "cheek": (_at(1, 36), _at(36, up=-0.16), _at(39, up=-0.18), _at(31, up=0.02), _at(49, up=0.04), _at(4, 48), _at(3)),
    "brow": (
        _at(17, up=0.13),
        _at(19, up=0.14),
        _at(21, up=0.14),
        _at(21, up=-0.08),
        _at(19, up=-0.1),
        _at(17, up=-0.08),
    ),
    "lid": (
        *(_at(36), _at(37, up=0.07), _at(38, up=0.07), _at(39)),
        *(_at(40, up=-0.09), _at(41, up=-0.09)),
    ),
    "mouth_corner": (
        *(_at(48, up=0.09), _at(49, up=0.03), _at(49, 60), _at(59, 60), _at(59, up=-0.03)),
        *(_at(48, up=-0.11), _at(4, 48, 48, 48, up=-0.04), _at(4, 48, 48, 48, up=0.05)),
    ),
}
_SIGNAL_CENTRE: dict[str, _Shape] = {
    "between_brows": (_at(21, up=0.13), _at(22, up=0.13), _at(22, up=-0.09), _at(27, up=0.02), _at(21, up=-0.09)),
    "nose": (
        *(_at(27, 28), _at(29, 42), _at(35, 35, 35, 35, 14, up=0.06), _at(35, 35, 35, 35, 14), _at(33)),
        *(_at(31, 31, 31, 31, 2), _at(31, 31, 31, 31, 2, up=0.06), _at(29, 39)),
    ),
    "upper_lip": (
        *(_at(31, 49), _at(31, up=-0.02), _at(33, up=-0.02), _at(35, up=-0.02), _at(35, 53)),
        *(_at(53), _at(64), _at(63), _at(62), _at(61), _at(60), _at(49)),
    ),
    "lower_lip": (
        *(_at(60), _at(67), _at(66), _at(65), _at(64)),
        *(_at(55), _at(56, up=-0.03), _at(57, up=-0.03), _at(58, up=-0.03), _at(59)),
    ),
    "chin": (
        *(_at(59, up=-0.05), _at(58, up=-0.05), _at(57, up=-0.05), _at(56, up=-0.05), _at(55, up=-0.05)),
        *(_at(10, 55), _at(9), _at(8), _at(7), _at(6, 59)),
    ),
}

# Bone under thin skin: the root of the nose, the middle of the forehead above the frown, and the temples behind the
# crow's feet, which give the estimate of rotation and scale its wide base but may show background or hair.
_STABLE: tuple[tuple[float, _Shape], ...] = (
    (
        1.0,
        (
            *(_at(27, up=0.04), _at(27, 42), _at(29, 42), _at(29, 29, 35)),
            *(_at(29, 29, 31), _at(29, 39), _at(27, 39)),
        ),
    ),
    (1.0, (_at(20, 21, up=0.17), _at(20, 21, up=0.4), _at(22, 23, up=0.4), _at(22, 23, up=0.17))),
    (
        0.5,
        (_at(0, 0, 36, up=0.1), _at(0, 36, 36, 36, 36, up=0.1), _at(0, 36, 36, 36, 36, up=-0.14), _at(1, 1, 36)),
    ),
)


def upward(points: Points) -> npt.NDArray[np.float64]:
    """Return the face's upward direction, (2,), of length one inter-ocular distance.

    At right angles to the line through the outer eye corners (36, 45), pointing away from the chin (8).
    """
    across = np.asarray(points[45], np.float64) - points[36]
    up = np.array([across[1], -across[0]])
    return up if up @ (points[27] - points[8]) >= 0 else -up


@lru_cache(maxsize=128)
def _shares_of_points(shape: _Shape) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(k, 68) weights of the points in each corner, and (k, 1) by how much it is raised."""
    weights = np.array([[indices.count(p) / len(indices) for p in range(68)] for indices, _ in shape])
    return weights, np.array([[raised] for _, raised in shape])


def _polygon(points: Points, up: npt.NDArray[np.float64], shape: _Shape) -> Polygon:
    weights, raised = _shares_of_points(shape)
    return np.asarray(weights @ points + raised * up, np.float32)


def _checked(points: Points) -> npt.NDArray[np.float64]:
    array = np.asarray(points, np.float64)
    if array.shape != (68, 2):
        raise InputError("landmarks of shape (68, 2), iBUG order", f"shape {array.shape}", "Pass one face's points.")
    return array


def mdmo_regions(points: Points) -> tuple[Polygon, ...]:
    """Return the 36 regions of MDMO as polygons.

    Liu et al., "A main directional mean optical flow feature for spontaneous micro-expression recognition", IEEE TAC
    7(4), 299-310, 2016: 36 regions of interest, based partially on action units.

    Parameters
    ----------
    points
        (68, 2) landmarks in pixels.

    Returns
    -------
    36 float32 arrays (k, 2) of corners x, y in pixels, in the order of `MDMO_NAMES`.

    Raises
    ------
    InputError
        Where `points` is not (68, 2).

    Notes
    -----
    Deviations and readings: the paper draws its regions on 66 landmarks of another model. The corners here are our own
    reading: 16 on each half of the face and 4 on its midline, cut along brows, lids, nose, nasolabial fold and lips.
    """
    array = _checked(points)
    up = upward(array)
    halves = (*_MDMO_HALF.values(), *map(_mirrored, _MDMO_HALF.values()))
    return tuple(_polygon(array, up, shape) for shape in (*halves, *_MDMO_CENTRE.values()))


def signal_regions(points: Points) -> dict[str, Polygon]:
    """Return the regions of the motion signal as polygons, by the names of `records.REGIONS`.

    Keys are in drawing order: where two regions overlap, the later one owns the pixels.

    Raises
    ------
    InputError
        Where `points` is not (68, 2).
    """
    array = _checked(points)
    up = upward(array)
    shapes: dict[str, _Shape] = {}
    for name in ("cheek", "brow"):
        shapes |= {f"right_{name}": _SIGNAL_HALF[name], f"left_{name}": _mirrored(_SIGNAL_HALF[name])}
    shapes |= _SIGNAL_CENTRE
    for name in ("lid", "mouth_corner"):
        shapes |= {f"right_{name}": _SIGNAL_HALF[name], f"left_{name}": _mirrored(_SIGNAL_HALF[name])}
    return {name: _polygon(array, up, shape) for name, shape in shapes.items()}


def fill(polygon: Polygon, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the pixels of an image of shape (h, w) that a polygon covers, as (h, w) bool."""
    canvas = np.zeros(shape, np.uint8)
    _draw(canvas, polygon, 1)
    return canvas.astype(bool)


def _draw(canvas: npt.NDArray[np.uint8], polygon: Polygon, value: int) -> None:
    # Four fractional bits: corners keep a sixteenth of a pixel.
    cv2.fillPoly(canvas, [np.rint(polygon * 16).astype(np.int32)], value, lineType=cv2.LINE_8, shift=4)


def label_map(polygons: tuple[Polygon, ...], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return which polygon covers each pixel.

    Parameters
    ----------
    polygons
        Corners in pixels; a later one is drawn over an earlier one.
    shape
        (h, w) of the image.

    Returns
    -------
    (h, w) uint8
        0 for no region, else 1 + the polygon's place in `polygons`.
    """
    labels = np.zeros(shape, np.uint8)
    for i, polygon in enumerate(polygons):
        _draw(labels, polygon, i + 1)
    return labels


@lru_cache(maxsize=8)
def signal_map(width: int = CANONICAL_WIDTH) -> npt.NDArray[np.uint8]:
    """Return the regions of the motion signal on the canonical crop of a width.

    Returns
    -------
    (h, w) uint8, read-only
        0 for no region, else 1 + the region's place in `records.REGIONS`.
    """
    shape = crop_size(width)
    labels = np.zeros(shape, np.uint8)
    for name, polygon in signal_regions(canonical_points(width)).items():
        labels[fill(polygon, shape)] = REGIONS.index(name) + 1
    labels.setflags(write=False)
    return labels


@lru_cache(maxsize=8)
def signal_weights(width: int = CANONICAL_WIDTH) -> npt.NDArray[np.float32]:
    """Return averaging weights of the motion signal's regions on the canonical crop.

    Returns
    -------
    (r, h * w) float32, read-only
        One row per region of `records.REGIONS`, each summing to 1: ``signal_weights(w) @ flow.reshape(-1, 2)`` is the
        mean flow (r, 2) of every region.
    """
    labels = signal_map(width).reshape(-1)
    weights = np.stack([(labels == i + 1) for i in range(len(REGIONS))]).astype(np.float32)
    weights /= weights.sum(1, keepdims=True)
    weights.setflags(write=False)
    return weights


@lru_cache(maxsize=8)
def stable_weights(width: int = CANONICAL_WIDTH) -> npt.NDArray[np.float32]:
    """Return how rigid each pixel of the canonical crop is, for `head_motion.estimate_similarity`.

    Nose bridge and forehead centre count 1, the temples a half, all else 0.

    Returns
    -------
    (h, w) float32, read-only.
    """
    points, shape = canonical_points(width), crop_size(width)
    up = upward(points)
    weights = np.zeros(shape, np.float32)
    for weight, corners in _STABLE:
        for side in (corners, _mirrored(corners)):
            weights[fill(_polygon(points, up, side), shape)] = weight
    weights.setflags(write=False)
    return weights
