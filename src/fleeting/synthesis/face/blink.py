"""Lids that close over the eyes.

A closing lid hides the eye instead of squeezing it, so it cannot be a smooth field: it is a layer. The upper lid's edge
travels from where it rests down to the lower lid; the skin between lid and brow stretches after it, and the eye behind
it does not move. The edge carries the lashes with it. What the stretched skin shows is the person's own upper lid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.synthesis.face.frame import Grid, Points, check_points, face_frame

_EYES = {
    "right": (36, 37, 38, 39, 40, 41, (17, 18, 19, 20, 21)),
    "left": (45, 44, 43, 42, 47, 46, (26, 25, 24, 23, 22)),
}
_LASHES = 0.05
"""How far below the landmarks of the lid its lashes reach, in eye widths; they travel with the lid."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lid:
    """Upper lid of one eye, in coordinates of its own: along the eye (0 outer, 1 inner corner) and down, in eye widths.

    Attributes
    ----------
    corner
        (2,) pixel of the outer corner.
    along, down
        (2,) axes in pixels, each one eye width long.
    upper, lower
        Curves of the lids: ``s (1 - s) (a + b s)``.
    crease
        Height of skin above the edge that stretches, in eye widths.
    """

    corner: Floats
    along: Floats
    down: Floats
    upper: tuple[float, float]
    lower: tuple[float, float]
    crease: float

    def local(self, xy: npt.NDArray[Any]) -> Floats:
        """Pixels (..., 2) to coordinates of the eye (..., 2)."""
        width2 = float(self.along @ self.along)
        return (np.asarray(xy, np.float64) - self.corner) @ np.stack([self.along, self.down], axis=1) / width2

    def pixels(self, local: Floats) -> Floats:
        """Coordinates of the eye (..., 2) to pixels (..., 2)."""
        return self.corner + local @ np.stack([self.along, self.down])

    def corners(self) -> Floats:
        """Corners (4, 2) in pixels of a box that holds all that the lid can change."""
        top = min(self.upper[0], self.upper[0] + self.upper[1], 0) / 4 - self.crease
        bottom = max(self.lower[0], self.lower[0] + self.lower[1], 0) / 4 + _LASHES
        return self.pixels(np.array([[-0.05, top], [1.05, top], [-0.05, bottom], [1.05, bottom]]))

    def _edge_and_drop(self, s: Floats, closure: float) -> tuple[Floats, Floats]:
        inside = np.clip(s, 0, 1)
        bow = inside * (1 - inside)
        upper = bow * (self.upper[0] + self.upper[1] * inside)
        lower = bow * (self.lower[0] + self.lower[1] * inside)
        return upper, np.maximum(lower - upper, 0) * closure

    def opening(self) -> float:
        """Largest distance from the upper to the lower lid in pixels: how far the lid travels in a full blink."""
        _, drop = self._edge_and_drop(np.linspace(0, 1, 101), 1.0)
        return float(drop.max() * np.hypot(*self.along))

    def forward(self, xy: npt.NDArray[Any], closure: float) -> Floats:
        """Where skin of the lid at ``xy`` (..., 2) goes when the eye closes by ``closure`` (0 open, 1 closed)."""
        local = self.local(xy)
        edge, drop = self._edge_and_drop(local[..., 0], closure)
        return self.pixels(local + _down(drop * self._share(edge - local[..., 1])))

    def backward(self, xy: npt.NDArray[Any], closure: float) -> tuple[Floats, npt.NDArray[np.float64]]:
        """Where on the open lid the skin that is seen at ``xy`` comes from, and how much of the lid is seen there.

        Parameters
        ----------
        xy
            (..., 2) pixels of the neutral portrait.
        closure
            0 open, 1 closed.

        Returns
        -------
        source
            (..., 2) pixels of the neutral portrait.
        cover
            (...) 0 to 1: 1 where lid, 0 where eye or lower face, between them over a pixel or so.
        """
        local = self.local(xy)
        edge, drop = self._edge_and_drop(local[..., 0], closure)
        low, high = local[..., 1] - drop, local[..., 1].copy()
        for _ in range(24):  # bisection: the share falls monotonically with height
            middle = (low + high) / 2
            beyond = middle + drop * self._share(edge - middle) > local[..., 1]
            high, low = np.where(beyond, middle, high), np.where(beyond, low, middle)
        source = local.copy()
        source[..., 1] = (low + high) / 2
        softness = 0.8 / float(np.hypot(*self.along))
        # The lash line is drawn with the lid, but at the resting edge the picture is left as it was.
        lashes = _LASHES * np.minimum(drop / 0.05, 1) * np.clip(8 * local[..., 0] * (1 - local[..., 0]), 0, 1)
        cover = np.clip(0.5 + (edge + drop + lashes - local[..., 1]) / softness, 0, 1)
        cover = np.where(drop > 0, cover, 0.0)
        return self.pixels(source), cover

    def is_skin(self, xy: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Whether pixels (..., 2) of the neutral portrait belong to the open upper lid or the skin above it."""
        local = self.local(xy)
        edge, drop = self._edge_and_drop(local[..., 0], 1.0)
        return np.asarray((drop > 0) & (local[..., 1] <= edge), np.bool_)

    def _share(self, above: Floats) -> Floats:
        """Share of the drop that skin takes part in, by its height above the resting edge."""
        q = np.clip(above / self.crease, 0, 1)
        return 1 - q * q * (3 - 2 * q)


def _down(amount: Floats) -> Floats:
    return np.stack([np.zeros_like(amount), amount], axis=-1)


def lids(points: Points) -> tuple[Lid, Lid]:
    """Right and left upper lid of a face from its 68 landmarks."""
    checked = check_points(points)
    right, left = (_lid(checked, side) for side in ("right", "left"))
    return right, left


def _lid(points: Floats, side: str) -> Lid:
    outer, upper_outer, upper_inner, inner, lower_inner, lower_outer, brow = _EYES[side]
    # The lids meet a little beyond the landmarks of the corners, most of all the outer one, where lashes overhang.
    reach = points[inner] - points[outer]
    corner = points[outer] - 0.14 * reach
    along = points[inner] + 0.04 * reach - corner
    down = np.array([-along[1], along[0]])
    if down @ face_frame(points).down < 0:
        down = -down
    lid = Lid(corner, along, down, (0, 0), (0, 0), 1.0)
    upper = _curve(lid.local(points[[upper_outer, upper_inner]]))
    lower = _curve(lid.local(points[[lower_outer, lower_inner]]))
    gap = -float(np.median(lid.local(points[list(brow)])[:, 1])) + float(upper[0] / 4 + upper[1] / 8)
    # Most of the skin up to the brow stretches; the brow itself stays.
    return Lid(corner, along, down, upper, lower, max(0.75 * gap, 0.05))


def _curve(local: Floats) -> tuple[float, float]:
    s = np.clip(local[:, 0], 0.1, 0.9)
    s = s if abs(s[1] - s[0]) > 0.05 else np.array([0.33, 0.67])
    heights = local[:, 1] / (s * (1 - s))
    slope = (heights[1] - heights[0]) / (s[1] - s[0])
    return float(heights[0] - slope * s[0]), float(slope)


def draw_lid(below: Grid, above: Grid, cover: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Lay the lid (h, w, 3) over the eye (h, w, 3) by its cover (h, w)."""
    mixed = below + (above - below) * cover[..., None].astype(np.float32)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
