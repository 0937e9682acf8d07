"""Rigid head motion in a flow: estimated on parts of the face that no muscle moves, and taken away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError

_TUKEY = 4.685  # 95 % efficient under normal noise (Huber, "Robust statistics", 1981)
_FINEST_PX = 0.01  # flow is not known better than this, so residuals below it are all equally good
_MIN_PIXELS = 12


@dataclass(frozen=True, slots=True)
class Similarity:
    """A small similarity motion of the image plane, as displacement about a centre.

    A pixel at (x, y) moves by ``u = shift_x + zoom * (x - centre_x) - turn * (y - centre_y)`` and
    ``v = shift_y + turn * (x - centre_x) + zoom * (y - centre_y)``.

    Attributes
    ----------
    shift_x, shift_y
        Displacement of the centre in pixels.
    zoom
        ``s * cos(angle) - 1`` of the similarity with scale s.
    turn
        ``s * sin(angle)``; positive turns clockwise as seen on the screen (y points down).
    centre_x, centre_y
        Pixels: the weighted centre of the pixels that were used.
    residual_px
        Median distance between the flow and the model on the pixels of the mask.
    support
        Share of the mask's weight, 0..1, that agrees with the model (Tukey weight above a half). Low where the
        supposedly rigid part moved in itself.
    """

    shift_x: float
    shift_y: float
    zoom: float
    turn: float
    centre_x: float
    centre_y: float
    residual_px: float = 0.0
    support: float = 1.0

    def displacement(self, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
        """Return the motion of every pixel of an image of shape (h, w), as (h, w, 2) float32 pixels."""
        x = np.arange(shape[1], dtype=np.float32)[None, :] - np.float32(self.centre_x)
        y = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(self.centre_y)
        field = np.empty((*shape, 2), np.float32)
        field[..., 0] = self.shift_x + self.zoom * x - self.turn * y
        field[..., 1] = self.shift_y + self.turn * x + self.zoom * y
        return field


def estimate_similarity(
    flow: npt.NDArray[np.float32], mask: npt.NDArray[Any], *, max_iterations: int = 20
) -> Similarity:
    """Fit the head's similarity motion to a flow on stable pixels, robustly.

    Iteratively reweighted least squares with Tukey's biweight, started at the median flow, the scale being the median
    residual: up to nearly half of the mask may move otherwise (a frown that reaches the nose bridge, background at the
    temples) without pulling the estimate along.

    Parameters
    ----------
    flow
        (h, w, 2) float32 pixels.
    mask
        (h, w) bool, or weights >= 0: where the face is rigid (`regions.stable_weights`).
    max_iterations
        Upper bound; it stops once no parameter changes by more than a thousandth of a pixel over the mask.

    Raises
    ------
    InputError
        Where shapes disagree or the mask has fewer than 12 pixels.
    """
    if flow.ndim != 3 or flow.shape[2] != 2 or mask.shape != flow.shape[:2]:
        raise InputError("a flow (h, w, 2) and a mask (h, w)", f"{flow.shape} and {mask.shape}", "Use the same crop.")
    rows, columns = np.nonzero(mask)
    if len(rows) < _MIN_PIXELS:
        raise InputError(f"a mask of at least {_MIN_PIXELS} pixels", f"{len(rows)}", "Use a larger crop or mask.")
    prior = mask[rows, columns].astype(np.float64)
    u = flow[rows, columns, 0].astype(np.float64)
    v = flow[rows, columns, 1].astype(np.float64)
    x = columns - np.average(columns, weights=prior)
    y = rows - np.average(rows, weights=prior)
    radius = math.sqrt(float(np.average(x * x + y * y, weights=prior))) or 1.0

    model = np.array([np.median(u), np.median(v), 0.0, 0.0])
    agreement = np.ones_like(prior)
    distance = np.zeros_like(prior)
    for _ in range(max_iterations):
        distance = np.hypot(u - model[0] - model[2] * x + model[3] * y, v - model[1] - model[3] * x - model[2] * y)
        # The median length of a 2-D normal error is 1.1774 of its standard deviation.
        scale = max(float(np.median(distance)) / 1.1774, _FINEST_PX)
        agreement = np.clip(1.0 - (distance / (_TUKEY * scale)) ** 2, 0.0, None) ** 2
        previous, model = model, _weighted_fit(x, y, u, v, prior * agreement)
        if np.abs((model - previous) * (1.0, 1.0, radius, radius)).max() < 1e-3:
            break
    return Similarity(
        shift_x=float(model[0]),
        shift_y=float(model[1]),
        zoom=float(model[2]),
        turn=float(model[3]),
        centre_x=float(np.average(columns, weights=prior)),
        centre_y=float(np.average(rows, weights=prior)),
        residual_px=float(np.median(distance)),
        support=float(prior[agreement > 0.5].sum() / prior.sum()),
    )


def _weighted_fit(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    u: npt.NDArray[np.float64],
    v: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    # The linear least-squares similarity in closed form, about the weighted centre, then moved back to the origin.
    total = weight.sum()
    mean_x, mean_y = (weight * x).sum() / total, (weight * y).sum() / total
    mean_u, mean_v = (weight * u).sum() / total, (weight * v).sum() / total
    dx, dy = x - mean_x, y - mean_y
    spread = (weight * (dx * dx + dy * dy)).sum()
    zoom = (weight * (dx * u + dy * v)).sum() / spread
    turn = (weight * (dx * v - dy * u)).sum() / spread
    return np.array([mean_u - zoom * mean_x + turn * mean_y, mean_v - turn * mean_x - zoom * mean_y, zoom, turn])


def remove(flow: npt.NDArray[np.float32], motion: Similarity) -> npt.NDArray[np.float32]:
    """Return the flow without the head's motion, (h, w, 2) float32 pixels of the first image's crop."""
    left: npt.NDArray[np.float32] = flow - motion.displacement((flow.shape[0], flow.shape[1]))
    return left
