"""How a stored picture is turned to be shown: the display matrix of phones and cameras."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TURNS_TEXT = {90: "90 degrees clockwise", 180: "180 degrees", 270: "90 degrees counter-clockwise"}
"""Turns in words, by degrees clockwise."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways to lay a picture down: transposed first, then flipped.

    Attributes
    ----------
    transpose
        Whether rows become columns.
    flip_x, flip_y
        Whether the (transposed) picture is then mirrored left to right, top to bottom.
    """

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def from_display_matrix(cls, data: bytes) -> Orientation:
        """Read FFmpeg's display matrix (nine int32; ISO/IEC 14496-12, 6.2.2 and 8.5.2.2).

        A stored point (x, y) is shown at (a x + c y, b x + d y), moved into the picture. Angles between the quarter
        turns, which no camera writes, are taken to the nearest one.
        """
        a, b, _, c, d = struct.unpack("=5i", data[:20])
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    @classmethod
    def clockwise(cls, degrees: int) -> Orientation:
        """Return the turn by 0, 90, 180 or 270 degrees."""
        return cls(degrees % 180 == 90, degrees in (90, 180), degrees in (180, 270))

    def then(self, other: Orientation) -> Orientation:
        """Return the one orientation that does what this one does, and then the other."""
        flip_x, flip_y = (self.flip_y, self.flip_x) if other.transpose else (self.flip_x, self.flip_y)
        return Orientation(self.transpose ^ other.transpose, flip_x ^ other.flip_x, flip_y ^ other.flip_y)

    @property
    def rotation(self) -> int:
        """Degrees clockwise: 0, 90, 180 or 270 (of a mirrored picture: before it was mirrored left to right)."""
        if self.transpose:
            return 270 if self.flip_y else 90
        return 180 if self.flip_y else 0

    @property
    def mirrored(self) -> bool:
        """Whether the picture is also mirrored, as some front cameras store it."""
        return self.transpose ^ self.flip_x ^ self.flip_y

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as shown."""
        return (height, width) if self.transpose else (width, height)

    def apply(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Turn a picture (h, w) or (h, w, 3); the result is contiguous."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        if self.flip_y:
            image = image[::-1]
        if self.flip_x:
            image = image[:, ::-1]
        return np.ascontiguousarray(image)
