"""Finding the edges of the lids to a fraction of what general landmarks tell.

Landmark networks place the lids within a few percent of the inter-ocular distance; an eye is hardly wider open than
twice that, so a blink that trusts them stops half-way. Each lid's curve is therefore moved up and down, as a whole, to
where the picture changes most along it: from skin to lashes or eye at the upper lid, from eye to skin at the lower one.
This is the one-dimensional case of the integro-differential operator of J. Daugman, "High confidence visual recognition
of persons by a test of statistical independence", IEEE TPAMI 15(11), 1993, equation 2.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.synthesis.face.blink import Lid, lids
from fleeting.synthesis.face.frame import Points, check_points

_UPPER, _LOWER = ((37, 38), (43, 44)), ((40, 41), (46, 47))
_REACH = 0.2
"""Farthest move of a lid, in eye widths: networks err by placing the upper lid too low, hardly ever otherwise."""

_PRIOR = 0.15
"""Standard deviation, in eye widths, by which the landmarks are believed."""


def refine_lids(grey: npt.NDArray[np.uint8], points: Points) -> npt.NDArray[np.float64]:
    """Return landmarks whose lids lie on the lids' edges.

    Parameters
    ----------
    grey
        (h, w) uint8 picture.
    points
        (68, 2) landmarks in its pixels; all but the eight of the lids are returned as they are.
    """
    refined = check_points(points).copy()
    for side, lid in enumerate(lids(points)):
        width = float(np.hypot(*lid.along))
        smooth = np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), max(0.03 * width, 0.6)), np.float32)
        upper = _best_move(smooth, lid, lid.upper, falling=True, low=-_REACH, high=0.3 * _REACH)
        # The lower lid is sought below the upper one.
        lower = _best_move(smooth, lid, lid.lower, falling=False, low=max(-0.3 * _REACH, upper), high=0.35 * _REACH)
        for indices, move in ((_UPPER[side], upper), (_LOWER[side], lower)):
            refined[list(indices)] += move * lid.down
    return refined


def _best_move(
    picture: npt.NDArray[np.float32], lid: Lid, curve: tuple[float, float], *, falling: bool, low: float, high: float
) -> float:
    """Shift of a lid's curve, in eye widths, along which grey levels fall (or rise) most from above to below."""
    s = np.linspace(0.25, 0.75, 21)
    height = s * (1 - s) * (curve[0] + curve[1] * s)
    moves = np.arange(low, high, 0.01)
    step = 0.02
    # The curve's ends are pinned to the corners, so that a move bends it: full in the middle, less to the sides.
    shape = 4 * s * (1 - s)
    down = height + moves[:, None] * shape
    below, above = (_read(picture, lid, s, down + d) for d in (step, -step))
    change = (above - below if falling else below - above).mean(axis=1) / (2 * step)
    return float(moves[np.argmax(change * np.exp(-0.5 * (moves / _PRIOR) ** 2))])


def _read(
    picture: npt.NDArray[np.float32], lid: Lid, s: npt.NDArray[np.float64], down: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    local = np.stack([np.broadcast_to(s, down.shape), down], axis=-1)
    xy = lid.pixels(local).astype(np.float32)
    sampled = cv2.remap(picture, np.ascontiguousarray(xy[..., 0]), np.ascontiguousarray(xy[..., 1]), cv2.INTER_LINEAR)
    return np.asarray(sampled, np.float32)
