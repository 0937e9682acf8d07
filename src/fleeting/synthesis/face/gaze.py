"""Eyes that look elsewhere: the iris moves behind the lids, which stay, and nothing else moves.

Like a closing lid, this is a layer and no field of the skin: within the opening of the eye the eyeball is drawn anew,
shifted where the iris is and less and less towards the corners, so that the white of the eye is stretched on one side
and pressed together on the other. What had been behind a lid is continued from the visible part next to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.synthesis.face.blink import Lid

Floats = npt.NDArray[np.float64]

IRIS = 0.07
"""Radius of the iris in inter-ocular distances (outer corners): 5.9 mm of about 90 mm, and a little more."""

LID_FOLLOWS = 0.7
"""Share of the eye's vertical movement that the upper lid goes along with: C. Evinger, K. A. Manning and P. A. Sibony,
"Eyelid movements: mechanisms and normal data", IOVS 32(2), 1991."""

_CORNER = 0.06
_FOLD = 2.7  # the shift keeps below 1 / 2.7 of the room, so that the white of the eye does not fold


@dataclass(frozen=True, slots=True)
class Eyeball:
    """One eye behind its lids.

    Attributes
    ----------
    lid
        Coordinates of the eye, and the curves of both lids.
    iris
        Place of the middle of the iris between the corners, 0 outer to 1 inner.
    radius
        Of the iris, in eye widths.
    """

    lid: Lid
    iris: float
    radius: float

    def _curves(self, s: Floats) -> tuple[Floats, Floats]:
        bow = np.clip(s, 0, 1) * (1 - np.clip(s, 0, 1))
        upper, lower = self.lid.upper, self.lid.lower
        return bow * (upper[0] + upper[1] * s), bow * (lower[0] + lower[1] * s)

    def opening(self, xy: npt.NDArray[Any]) -> Floats:
        """How much of the eyeball is seen at pixels (..., 2) of the neutral portrait, 0 to 1, soft at the lids."""
        local = self.lid.local(xy)
        s, down = local[..., 0], local[..., 1]
        upper, lower = self._curves(s)
        width = float(np.hypot(*self.lid.along))
        inside = np.minimum(down - upper, lower - down)
        return np.clip(inside * width / 1.5, 0, 1) * ((s > 0) & (s < 1))

    def source(self, xy: npt.NDArray[Any], shift: Floats) -> Floats:
        """Where in the neutral portrait the eyeball that is seen at pixels (..., 2) comes from.

        Parameters
        ----------
        xy
            Pixels of the neutral portrait.
        shift
            (2,) pixels by which the iris has moved.
        """
        width2 = float(self.lid.along @ self.lid.along)
        move = np.array([shift @ self.lid.along, shift @ self.lid.down]) / width2
        room = min(self.iris - self.radius, 1 - self.iris - self.radius) - _CORNER
        move[0] = np.clip(move[0], -max(room, 0) / _FOLD, max(room, 0) / _FOLD)
        local = self.lid.local(xy)
        s = local[..., 0]
        middle, half = self.iris + move[0] / 2, self.radius + abs(move[0]) / 2
        outer = _smooth((s - _CORNER) / max(middle - half - _CORNER, 1e-6))
        inner = _smooth((1 - _CORNER - s) / max(1 - _CORNER - middle - half, 1e-6))
        weight = outer * inner
        across = s - move[0] * weight
        down = local[..., 1] - move[1] * weight
        upper, lower = self._curves(across)
        # The rows beside the lids hold lashes and their shadow, which do not belong to the eyeball.
        edge = 0.03 * min(1.0, float(np.abs(move).max()) / 0.02)
        middle_row = (upper + lower) / 2
        down = np.clip(down, np.minimum(upper + edge, middle_row), np.maximum(lower - edge, middle_row))
        return self.lid.pixels(np.stack([across, down], axis=-1))


def eyeball(lid: Lid, picture: npt.NDArray[np.uint8], *, scale: float, offset: float, iod: float) -> Eyeball:
    """Find the iris of an eye, which is its darkest part.

    Parameters
    ----------
    lid
        Of the eye.
    picture
        (h, w, 3) the portrait; position ``p`` of the lid's pixels lies at ``(p + offset) * scale`` in it.
    scale, offset
        See there.
    iod
        Inter-ocular distance in the lid's pixels.
    """
    s = np.linspace(0.15, 0.85, 71)
    bow = s * (1 - s)
    upper, lower = (bow * (c[0] + c[1] * s) for c in (lid.upper, lid.lower))
    rows = upper + (lower - upper) * np.linspace(0.3, 0.8, 9)[:, None]
    xy = lid.pixels(np.stack([np.broadcast_to(s, rows.shape), rows], axis=-1))
    at = np.ascontiguousarray((xy + offset) * scale, np.float32)
    grey = cv2.cvtColor(np.asarray(cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR)), cv2.COLOR_RGB2GRAY)
    radius = IRIS * iod / float(np.hypot(*lid.along))
    span = max(int(2 * radius / (s[1] - s[0])), 1)
    column = np.asarray(grey, np.float64).mean(axis=0)
    darkness = np.convolve(column.max() - column, np.ones(span) / span, mode="same")
    # Eyes of a portrait look at the camera or nearly so: the middle is likelier than the corners.
    place = float(s[np.argmax(darkness * np.exp(-0.5 * ((s - 0.5) / 0.15) ** 2))])
    return Eyeball(lid, place, radius)


def _smooth(t: Floats) -> Floats:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
