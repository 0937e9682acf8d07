"""Local binary patterns on three orthogonal planes (LBP-TOP): the texture of a clip in space and in time.

Zhao, Pietikäinen, "Dynamic texture recognition using local binary patterns with an application to facial expressions",
IEEE TPAMI 29(6), 915-928, 2007; uniform patterns after Ojala, Pietikäinen, Mäenpää, IEEE TPAMI 24(7), 971-987, 2002.

Deviations and readings
- Neighbours lie on an ellipse of the two radii of a plane, the first one along the plane's first axis, counted from its
  first axis towards its second; between pixels and frames they are interpolated bilinearly. Neighbours that equal the
  centre count as larger. The paper fixes no start and sense of rotation; they only permute patterns.
- All three planes are read at the same places: where every neighbour of every plane lies inside the clip.
- Blocks divide the whole crop evenly in x and y, without overlap (the paper's overlap by 70 % is not done); a place
  belongs to the block in which it lies, and every block spans the whole clip. Each histogram is divided by its sum.
- Defaults: 8 neighbours and uniform patterns as in the paper; 5 x 5 blocks and radii of 1 pixel as reported of the
  baseline of CASME II (Yan et al., PLoS ONE 9(1), e86041, 2014). Its radius of 4 frames belongs to clips of some 70
  frames; of clips of ten (`fleeting prepare`) it would leave two, so here it is 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError, SettingsError

PLANES: tuple[str, ...] = ("xy", "xt", "yt")
"""Order of the histograms of a block."""

_EQUAL = 1e-6
"""Grey levels: what interpolation loses of a flat surface."""


@dataclass(frozen=True, slots=True)
class LbpTopSettings:
    """How a clip is read.

    Attributes
    ----------
    rows, columns
        Blocks of the crop.
    radius_x, radius_y, radius_t
        In pixels, pixels and frames.
    neighbours
        Per plane, 4 to 12.
    uniform
        Count every pattern with more than two changes around the circle in one common bin.
    """

    rows: int = 5
    columns: int = 5
    radius_x: int = 1
    radius_y: int = 1
    radius_t: int = 2
    neighbours: int = 8
    uniform: bool = True

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "radius_x", "radius_y", "radius_t"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} of at least 1", str(getattr(self, name)), "Correct it.")
        if not 4 <= self.neighbours <= 12:
            raise SettingsError("4 to 12 neighbours", str(self.neighbours), "Correct it.")

    @property
    def bins(self) -> int:
        """Number of bins of one histogram: P (P - 1) + 3 of uniform patterns, else 2^P."""
        return self.neighbours * (self.neighbours - 1) + 3 if self.uniform else 2**self.neighbours

    @property
    def length(self) -> int:
        """Number of values of a clip."""
        return self.rows * self.columns * len(PLANES) * self.bins


def lbp_top(clip: npt.NDArray[np.uint8], settings: LbpTopSettings | None = None) -> npt.NDArray[np.float32]:
    """Return the histograms of a clip.

    Parameters
    ----------
    clip
        (frames, h, w) uint8 grey crops.
    settings
        Those of `LbpTopSettings` where None.

    Returns
    -------
    (rows * columns * 3 * bins,) float32
        Blocks from left to right and from top to bottom; of each, the planes in the order of `PLANES`; of each, the
        share of every bin, which sum to 1.

    Raises
    ------
    InputError
        Where the clip is not of this form, or too small or too short for radii and blocks.
    """
    chosen = settings or LbpTopSettings()
    _check(clip, chosen)
    radii = (chosen.radius_t, chosen.radius_y, chosen.radius_x)
    volume = clip.astype(np.float64)
    centre = _shifted(volume, (0.0, 0.0, 0.0), radii)
    block = _blocks(clip.shape[1:], chosen)
    table = _bins(chosen.neighbours, chosen.uniform)
    count = chosen.rows * chosen.columns
    histograms = np.empty((count, len(PLANES), chosen.bins))
    for plane, offsets in enumerate(_offsets(chosen)):
        code = np.zeros(centre.shape, np.int64)
        for bit, offset in enumerate(offsets):
            code |= (_shifted(volume, offset, radii) >= centre - _EQUAL).astype(np.int64) << bit
        found = np.bincount((block * chosen.bins + table[code]).ravel(), minlength=count * chosen.bins)
        histograms[:, plane] = found.reshape(count, chosen.bins)
    histograms /= histograms.sum(-1, keepdims=True)
    return histograms.astype(np.float32).ravel()


def _check(clip: npt.NDArray[Any], settings: LbpTopSettings) -> None:
    least = (
        2 * settings.radius_t + 1,
        max(2 * settings.radius_y + 1, settings.rows * (settings.radius_y + 1)),
        max(2 * settings.radius_x + 1, settings.columns * (settings.radius_x + 1)),
    )
    if clip.ndim != 3 or clip.dtype != np.uint8 or any(s < n for s, n in zip(clip.shape, least, strict=True)):
        raise InputError(
            f"a clip (frames, h, w) of uint8, at least {least[0]} frames of {least[1]} x {least[2]} pixels",
            f"{clip.dtype} of shape {clip.shape}",
            "Interpolate the clip to more frames, or choose smaller radii or fewer blocks.",
        )


def _offsets(settings: LbpTopSettings) -> Iterator[list[tuple[float, float, float]]]:
    """Offsets (t, y, x) of the neighbours on each plane."""
    t, y, x = np.eye(3) * (settings.radius_t, settings.radius_y, settings.radius_x)
    for first, second in ((x, y), (x, t), (y, t)):
        turns = [2 * math.pi * p / settings.neighbours for p in range(settings.neighbours)]
        around = [first * math.cos(turn) + second * math.sin(turn) for turn in turns]
        # What cosine and sine leave beside a whole number would be interpolated for nothing.
        yield [tuple(np.where(abs(o - np.rint(o)) < 1e-9, np.rint(o), o).tolist()) for o in around]


def _shifted(
    volume: npt.NDArray[np.float64], offset: tuple[float, float, float], margin: tuple[int, int, int]
) -> npt.NDArray[np.float64]:
    """Return the volume without its margin, read at an offset, interpolated linearly along the axes that need it."""
    result = volume
    for axis, (step, edge) in enumerate(zip(offset, margin, strict=True)):
        low = math.floor(step)
        length = volume.shape[axis] - 2 * edge
        near = result.take(range(edge + low, edge + low + length), axis)
        share = step - low
        if share:
            far = result.take(range(edge + low + 1, edge + low + 1 + length), axis)
            near = near * (1 - share) + far * share
        result = near
    return result


def _blocks(shape: tuple[int, ...], settings: LbpTopSettings) -> npt.NDArray[np.int64]:
    """(h - 2 radius_y, w - 2 radius_x) place of the block of every pixel that is read."""
    row = np.arange(settings.radius_y, shape[0] - settings.radius_y) * settings.rows // shape[0]
    column = np.arange(settings.radius_x, shape[1] - settings.radius_x) * settings.columns // shape[1]
    return np.asarray(row[:, None] * settings.columns + column, np.int64)


@lru_cache(maxsize=8)
def _bins(neighbours: int, uniform: bool) -> npt.NDArray[np.int64]:
    """(2^P,) bin of every pattern; of uniform ones in the order of their codes, all others in the last."""
    codes = np.arange(2**neighbours)
    if not uniform:
        return codes
    rotated = (codes >> 1) | ((codes & 1) << (neighbours - 1))
    changes = np.array([int(c).bit_count() for c in codes ^ rotated])
    few = changes <= 2
    return np.where(few, np.cumsum(few) - 1, few.sum())
