"""The places where motion is read: each face region cut into a few cells.

A muscle may move a part of a region only; the mean over the whole region would dilute it. Cells hold equal shares of
their region's pixels, so each has enough of them to be quiet, whatever the region's shape in this face.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.motion.regions import label_map, signal_regions
from fleeting.records import REGIONS

_CUTS: dict[str, tuple[int, int]] = {
    "left_brow": (3, 1),
    "right_brow": (3, 1),
    "between_brows": (1, 2),
    "left_lid": (2, 1),
    "right_lid": (2, 1),
    "nose": (1, 2),
    "left_cheek": (2, 3),
    "right_cheek": (2, 3),
    "left_mouth_corner": (2, 2),
    "right_mouth_corner": (2, 2),
    "upper_lip": (3, 1),
    "lower_lip": (3, 1),
    "chin": (3, 2),
}
"""Columns and rows that each region is cut into."""

CELL_REGION: tuple[str, ...] = tuple(name for name in REGIONS for _ in range(_CUTS[name][0] * _CUTS[name][1]))
"""(c,) region of each cell, in the order of `records.REGIONS`."""


def cells_of(region: str) -> list[int]:
    """Return the cells of a region."""
    return [i for i, name in enumerate(CELL_REGION) if name == region]


def columns_and_rows(region: str) -> tuple[int, int]:
    """How a region is cut: its cells go down each column, the columns from the picture's left to its right."""
    return _CUTS[region]


def cell_places(points: npt.NDArray[Any], shape: tuple[int, int]) -> list[npt.NDArray[np.intp]]:
    """Return the pixels of every cell, counted row by row; none where a cell lies outside the crop.

    Parameters
    ----------
    points
        (68, 2) landmarks in pixels of the crop.
    shape
        (h, w) of the crop.
    """
    polygons = signal_regions(points)
    labels = label_map(tuple(polygons.values()), shape)
    order = {name: i + 1 for i, name in enumerate(polygons)}
    inside = np.flatnonzero(labels)
    region = labels.reshape(-1)[inside]
    places: list[npt.NDArray[np.intp]] = []
    for name in REGIONS:
        columns, rows = _CUTS[name]
        y, x = np.divmod(inside[region == order[name]], shape[1])
        for column in _shares(x, columns):
            for cell in _shares(y[column], rows):
                chosen = column[cell]
                places.append(y[chosen] * shape[1] + x[chosen])
    return places


def cell_weights(points: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return averaging weights of all cells.

    Parameters
    ----------
    points, shape
        As for `cell_places`.

    Returns
    -------
    (c, h * w) float32
        Rows sum to 1, or to 0 where a cell lies outside the crop: ``cell_weights(...) @ flow.reshape(-1, 2)`` is the
        mean flow (c, 2) of every cell.
    """
    weights = np.zeros((len(CELL_REGION), shape[0] * shape[1]), np.float32)
    for row, places in zip(weights, cell_places(points, shape), strict=True):
        row[places] = 1.0 / max(len(places), 1)
    return weights


def _shares(values: npt.NDArray[Any], count: int) -> list[npt.NDArray[np.intp]]:
    """Cut places into `count` groups of equal size, in ascending order of their values."""
    # Of 16 bits, so that numpy sorts them by their digits.
    order = np.argsort(values.astype(np.int16), kind="stable")
    least, more = divmod(len(order), count)
    edges = [least * i + min(i, more) for i in range(count + 1)]
    return [order[first:last] for first, last in zip(edges, edges[1:], strict=False)]
