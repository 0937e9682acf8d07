"""``timeline.npz``: the curves of a timeline, beside its ``timeline.json``.

A numpy archive, neither compressed nor with pickles, so that each array in it can be mapped: of a long film only what
is looked at is read. For face 0 it holds ``0/time_s``, ``0/motion`` and the other arrays of `records.Signals`, and
``expressions/0/frame``, ``expressions/0/time_s`` and ``expressions/0/probabilities`` of `records.ExpressionCurve`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.files import atomic_path
from fleeting.reading import Arrays
from fleeting.records import Timeline

AT_ONCE = 4096
"""Rows that are written at once."""

SIGNALS = {
    "time_s": "<f8",
    **dict.fromkeys(("motion", "eye_opening", "mouth_opening", "pose", "noise", "speaking", "place"), "<f4"),
}
EXPRESSIONS = {"frame": "<i4", "time_s": "<f8", "probabilities": "<f4"}

Curves = dict[str, npt.NDArray[Any]]


def curves_path(timeline: str | Path) -> Path:
    """Return where the curves of a ``timeline.json`` are."""
    return Path(timeline).with_suffix(".npz")


def write_curves(timeline: Timeline, path: Path) -> Path:
    """Write the curves of a timeline, whole or not at all.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, array in _named(timeline):
            add_array(archive, name, array)
    return path


def _named(timeline: Timeline) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for records, prefix, dtypes in (
        (timeline.signals, "", SIGNALS),
        (timeline.expressions, "expressions/", EXPRESSIONS),
    ):
        for record in records:
            for name, dtype in dtypes.items():
                array = getattr(record, name)
                if array is not None:
                    yield f"{prefix}{record.face}/{name}", np.asanyarray(array, dtype)


def read_curves(path: Path, *, most: int, limit: str) -> Curves:
    """Map the curves that `write_curves` wrote, by name; call it within `reading.reading`.

    Raises
    ------
    ValueError
        Where something else lies there.
    """
    with Arrays(path, most=most, limit=limit) as arrays:
        found = {name: arrays.mapped(name) for name in arrays.files}
    for name, array in found.items():
        known = EXPRESSIONS if name.startswith("expressions/") else SIGNALS
        if array.dtype != known.get(name.rpartition("/")[2], array.dtype):
            raise ValueError(f"{name} holds {array.dtype}")
    return found


def curves_of(curves: Curves, prefix: str) -> Curves:
    """Return the arrays of one face by the names of their attributes."""
    return {name.removeprefix(prefix): array for name, array in curves.items() if name.startswith(prefix)}


def add_array(archive: zipfile.ZipFile, name: str, array: npt.NDArray[Any]) -> None:
    """Add an array to a numpy archive, some rows at a time; the same arrays give the same bytes."""
    header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
        np.lib.format.write_array_header_1_0(entry, header)
        if array.ndim == 0:
            entry.write(array.tobytes())
        for first in range(0, len(array) if array.ndim else 0, AT_ONCE):
            entry.write(array[first : first + AT_ONCE].tobytes())
