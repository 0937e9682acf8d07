"""Moving pictures along displacement fields, and fields along each other.

A forward field says where a point of the neutral picture goes: ``y = x + field(x)``. To draw the moved picture, every
pixel ``y`` must be traced back to its ``x``; `trace_back` solves that equation by fixed-point iteration, which
converges where the field does not fold (its gradient stays below 1).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import SettingsError
from fleeting.synthesis.face.frame import Grid, pixel_grid

remap: Any = cv2.remap
"""OpenCV's own type stubs do not allow the None that its manual asks for as the second map."""

TOLERANCE_PX = 0.002
_CIRCLE_PX = 0.02
_ITERATIONS = 60


def sample_field(field: Grid, xy: Grid, *, left: int = 0, top: int = 0) -> Grid:
    """Read a field (h, w, 2) between its pixels, bilinearly; 0 outside.

    Parameters
    ----------
    field
        (h, w, 2) float32, whose first column and row are pixel ``left`` and ``top`` of the picture.
    xy
        (..., ..., 2) float32 positions in pixels of the picture.
    """
    sampled = _sample_wide(_widen(field), xy - np.array([left, top], np.float32))
    return np.ascontiguousarray(sampled[..., :2])


def _widen(field: Grid) -> Grid:
    # OpenCV 5 interpolates 1, 3 and 4 channels in float, but 2 channels at positions rounded to 1/32 pixel.
    wide = np.zeros((*field.shape[:2], 4), np.float32)
    wide[..., :2] = field
    return wide


def _sample_wide(wide: Grid, xy: Grid) -> Grid:
    sampled: Grid = remap(wide, xy, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0.0)
    return sampled


def trace_back(field: Grid, xy: Grid, *, left: int = 0, top: int = 0) -> Grid:
    """Solve ``x + field(x) = xy`` for x, to `TOLERANCE_PX`.

    Raises
    ------
    SettingsError
        Where the field folds, so that there is no single answer.
    """
    wide, corner = _widen(field), np.array([left, top], np.float32)
    target = np.ascontiguousarray(xy - corner)
    x, new, change = target, np.empty_like(target), np.inf
    for _ in range(_ITERATIONS):
        np.subtract(target, _sample_wide(wide, x)[..., :2], out=new)
        last, change = change, float(cv2.norm(new, x, cv2.NORM_INF)) if new.size else 0.0
        # The two arrays take turns; the first guess is the target itself, which must not be written on.
        x, new = new, np.empty_like(new) if x is target else x
        # OpenCV 4 rounds positions to 1/32 pixel, so that the steps end in a small circle instead of a point.
        if change < TOLERANCE_PX or (last < _CIRCLE_PX and change >= last):
            return x + corner
    raise SettingsError(
        "a displacement that keeps the skin in one piece",
        "movements so large that the field folds over",
        "Lower the peak displacement of the events, or keep large ones apart in time.",
    )


def invert(field: Grid) -> Grid:
    """Backward field of a forward field: ``y + invert(field)(y)`` is the neutral position of what is seen at ``y``."""
    grid = pixel_grid((field.shape[0], field.shape[1]))
    return trace_back(field, grid) - grid


def sample_picture(picture: npt.NDArray[Any], xy: Grid) -> npt.NDArray[np.float32]:
    """Read a picture between its pixels by cubic convolution, in full float precision.

    Kernel with a = -1/2 of R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP
    29(6), 1981. At whole pixels it returns the pixel itself. `cv2.remap` rounds positions to 1/32 pixel for this
    kernel, a third of the smallest movements that are drawn here.

    Parameters
    ----------
    picture
        (h, w) or (h, w, c), any number type; its border is continued outwards.
    xy
        (..., 2) positions in pixels.

    Returns
    -------
    numpy.ndarray
        (..., c) float32 or (...) for a picture without channels.
    """
    height, width = picture.shape[:2]
    corner = np.floor(xy).astype(np.int64)
    t = (xy - corner).astype(np.float32)
    weights = [_keys(t + 1), _keys(t), _keys(1 - t), _keys(2 - t)]
    shape = xy.shape[:-1] + picture.shape[2:]
    total = np.zeros(shape, np.float32)
    for j in range(4):
        rows = np.clip(corner[..., 1] + j - 1, 0, height - 1)
        line = np.zeros(shape, np.float32)
        for i in range(4):
            columns = np.clip(corner[..., 0] + i - 1, 0, width - 1)
            weight = weights[i][..., 0]
            line += picture[rows, columns] * (weight[..., None] if picture.ndim == 3 else weight)
        weight = weights[j][..., 1]
        total += line * (weight[..., None] if picture.ndim == 3 else weight)
    return total


def _keys(distance: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    d = np.abs(distance)
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return np.where(d < 1, near, np.where(d < 2, far, 0)).astype(np.float32)
