"""The head's own motion in a flow on the canonical crop: similarity, and the parallax of turning and nodding.

A similarity (`motion.head_motion`) leaves what a small turn of the head does: near parts (nose) move further than far
ones (temples). To first order that is a displacement in proportion to depth, along x for yaw and along y for pitch. The
six coefficients are fitted over the whole face, robustly, because an expression moves only parts of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.align import CANONICAL_WIDTH, canonical_points, crop_size
from fleeting.motion.regions import fill, signal_map, stable_weights
from fleeting.records import REGIONS

_GRID = 6
"""Distance in pixels (at a width of 140) between the places where the flow is read."""

_PRIOR = {"left_lid": 0.05, "right_lid": 0.05, "upper_lip": 0.15, "lower_lip": 0.1, "chin": 0.1}
_PRIOR |= {"left_mouth_corner": 0.15, "right_mouth_corner": 0.15, "left_brow": 0.3, "right_brow": 0.3}
_PRIOR |= {"between_brows": 0.4, "left_cheek": 0.5, "right_cheek": 0.5, "nose": 1.0}
_TUKEY = 4.685
_FINEST_PX = 0.03


@dataclass(frozen=True, slots=True)
class RigidMotion:
    """Motion of the head between two canonical crops.

    Attributes
    ----------
    coefficients
        (6,) shift x, shift y in pixels; zoom, turn as in `head_motion.Similarity`; yaw and pitch parallax in pixels at
        the depth of the nose tip.
    residual_px
        Median distance between flow and model.
    """

    coefficients: npt.NDArray[np.float64]
    residual_px: float

    def similarity(self, width: int = CANONICAL_WIDTH) -> npt.NDArray[np.float64]:
        """Return the part that a (2, 3) matrix can undo, which maps points of the first crop to the second."""
        shift_x, shift_y, zoom, turn = self.coefficients[:4]
        cx, cy = _centre(width)
        linear = np.array([[1 + zoom, -turn], [turn, 1 + zoom]])
        offset = np.array([cx + shift_x, cy + shift_y]) - linear @ np.array([cx, cy])
        return np.hstack([linear, offset[:, None]])

    def displacement(self, width: int = CANONICAL_WIDTH) -> npt.NDArray[np.float32]:
        """Motion of every pixel of the crop, (h, w, 2) float32 pixels."""
        return np.asarray(np.tensordot(dense_basis(width), self.coefficients.astype(np.float32), axes=1), np.float32)


def depth(width: int = CANONICAL_WIDTH) -> npt.NDArray[np.float32]:
    """Depth of a generic head on the canonical crop, 0 at the rim to 1 at the tip of the nose, (h, w) float32.

    An ellipsoid with a ridge for the nose: a deliberate simplification, since the fit needs its shape only.
    """
    points = canonical_points(width)
    height, _ = crop_size(width)
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    half = (points[16, 0] - points[0, 0]) / 2
    middle = (points[27, 1] + points[33, 1]) / 2
    bowl = np.sqrt(np.clip(1 - ((x - points[27, 0]) / half) ** 2 - ((y - middle) / (1.5 * half)) ** 2, 0.02, None))
    along = np.clip((y - points[27, 1]) / (points[30, 1] - points[27, 1]), 0, None)
    ridge = np.where(along <= 1, along, np.clip(1 - (along - 1) / 0.35, 0, None))
    nose = ridge * np.exp(-(((x - points[30, 0]) / (0.11 * half)) ** 2) / 2 * 0.35)
    return np.asarray(0.72 * bowl + 0.28 * nose, np.float32)


def _centre(width: int) -> tuple[float, float]:
    points = canonical_points(width)
    return float(points[27, 0]), float((points[27, 1] + points[33, 1]) / 2)


@lru_cache(maxsize=8)
def dense_basis(width: int) -> npt.NDArray[np.float32]:
    """Motion of every pixel of the crop for each coefficient of `RigidMotion`, (h, w, 2, 6) float32."""
    height, _ = crop_size(width)
    cx, cy = _centre(width)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32) - cx, np.arange(height, dtype=np.float32) - cy)
    z, one, zero = depth(width), np.ones_like(x), np.zeros_like(x)
    basis = np.stack(
        [np.stack([one, zero, x, -y, z, zero], -1), np.stack([zero, one, y, x, zero, z], -1)],
        axis=2,
    )
    return np.asarray(basis, np.float32)


@dataclass(frozen=True, slots=True)
class _Samples:
    """The n places where a flow is read.

    Attributes
    ----------
    places
        (n,) index of each pixel, row by row.
    prior
        (n,) weights.
    basis
        (2 n, 6), u and v of each place in turn.
    products
        (n, 36) of each place's basis with itself, summed over u and v: its share of the normal equations.
    """

    places: npt.NDArray[np.intp]
    prior: npt.NDArray[np.float64]
    basis: npt.NDArray[np.float64]
    products: npt.NDArray[np.float64]


@lru_cache(maxsize=8)
def _samples(width: int) -> _Samples:
    height, _ = crop_size(width)
    points = canonical_points(width)
    outline = np.concatenate([points[:17], points[26:16:-1] - [0, 0.05 * width]]).astype(np.float32)
    inside = fill(outline, (height, width))
    labels = signal_map(width)
    prior = np.where(labels > 0, 0.3, 0.4).astype(np.float64)
    for name, weight in _PRIOR.items():
        prior[labels == REGIONS.index(name) + 1] = weight
    prior = np.maximum(prior * inside, stable_weights(width))
    step = max(2, round(_GRID * width / CANONICAL_WIDTH))
    rows, columns = np.nonzero(prior)
    on_grid = (rows % step == step // 2) & (columns % step == step // 2)
    rows, columns = rows[on_grid], columns[on_grid]
    basis = dense_basis(width)[rows, columns].astype(np.float64)
    products = np.einsum("nij,nik->njk", basis, basis).reshape(-1, 36)
    return _Samples(rows * width + columns, prior[rows, columns], basis.reshape(-1, 6), products)


def estimate_rigid(flow: npt.NDArray[np.float32], *, iterations: int = 4) -> RigidMotion:
    """Fit the head's motion to a flow on the canonical crop.

    Iteratively reweighted least squares, Tukey's biweight on the length of the residual, prior weights low where
    muscles move the skin most (lids, mouth) and high on the nose, the forehead and the cheeks.

    Parameters
    ----------
    flow
        (h, w, 2) float32 pixels; the shape of a canonical crop of any width.
    """
    samples = _samples(flow.shape[1])
    smooth = cv2.blur(flow, (5, 5))
    target = smooth.reshape(-1, 2)[samples.places].astype(np.float64)
    weight: npt.NDArray[np.float64] = samples.prior
    coefficients: npt.NDArray[np.float64] = np.zeros(6)
    middle = 0.0
    for _ in range(iterations):
        normal = (weight @ samples.products).reshape(6, 6)
        normal.flat[::7] += _RIDGE * normal.flat[::7]
        pull = (target * weight[:, None]).reshape(-1) @ samples.basis
        coefficients = np.asarray(cv2.solve(normal, pull[:, None])[1][:, 0], np.float64)
        left = target - (samples.basis @ coefficients).reshape(-1, 2)
        squared = left[:, 0] ** 2 + left[:, 1] ** 2
        middle = _median_root(squared)
        scale = max(middle / 1.1774, _FINEST_PX)
        weight = samples.prior * np.maximum(1.0 - squared / (_TUKEY * scale) ** 2, 0.0) ** 2
    return RigidMotion(coefficients, middle)


def _median_root(squared: npt.NDArray[np.float64]) -> float:
    """Median of the square roots; numpy's own median would cost as much as the rest of an iteration."""
    half = len(squared) // 2
    parts = np.partition(squared, (half - 1, half))
    low, high = math.sqrt(parts[half - 1]), math.sqrt(parts[half])
    return high if len(squared) % 2 else (low + high) / 2


_RIDGE = np.array([0.0, 0.0, 0.0, 0.0, 0.02, 0.02])
"""Yaw and pitch are told from shifts by the nose and the rim alone, so they are held back slightly."""
