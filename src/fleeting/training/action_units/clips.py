"""Coded clips: flow images of a composite file with the units of a table beside it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fleeting.datasets import composite
from fleeting.datasets.tables import Table
from fleeting.errors import DataError
from fleeting.naming.action_units import UNITS
from fleeting.records.action_units import ActionUnit, parse
from fleeting.training.action_units.movements import UNKNOWN

COLUMNS = ("dataset", "clip", "action_units")


class CodedClips(NamedTuple):
    """Clips that somebody coded.

    Attributes
    ----------
    images
        (n, 28, 28, 3) uint8.
    truth
        (n, units, 2) int64 of `naming.action_units.UNITS`, left and right, as `movements.Movement.truth`; a unit of
        which the coders were not sure is `UNKNOWN`.
    subject
        (n,) text ``dataset/subject``.
    """

    images: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.int64]
    subject: npt.NDArray[np.str_]

    def select(self, rows: npt.NDArray[np.int64]) -> CodedClips:
        """Return some of the clips."""
        return CodedClips(self.images[rows], self.truth[rows], self.subject[rows])


def read_clips(flow: Path, table: Path) -> CodedClips:
    """Read the clips of a composite file that a table codes.

    Raises
    ------
    DataError
        Where a file cannot be read, a clip stands twice in the table, or no clip of the file is coded.
    """
    images, coded = composite.read(flow), Table.of_csv(table)
    coded.require(*COLUMNS)
    units: dict[str, tuple[ActionUnit, ...]] = {}
    for number, cells in zip(coded.numbers, coded.records, strict=True):
        name = f"{cells['dataset'].strip()}/{cells['clip'].strip()}"
        if name in units:
            raise DataError(f"every clip once in {table}", f"'{name}' again in row {number}", "Remove one of the rows.")
        units[name] = parse(cells["action_units"]).units
    rows = np.array([i for i, clip in enumerate(images.clip) if units.get(str(clip))], np.int64)
    if not len(rows):
        raise DataError(f"clips of {flow} in {table}", "none", "Name dataset and clip as the file does.")
    truth = np.stack([truth_of(units[str(images.clip[i])]) for i in rows])
    return CodedClips(images.flow[rows], truth, images.subject[rows])


def truth_of(units: tuple[ActionUnit, ...]) -> npt.NDArray[np.int64]:
    """Return (units, 2) of `UNITS` for what a coder wrote; what the face showed at rest did not move."""
    truth = np.zeros((len(UNITS), 2), np.int64)
    for unit in units:
        if unit.name not in UNITS or unit.at_rest:
            continue
        row = truth[UNITS.index(unit.name)]
        if unit.doubtful:
            row[row == 0] = UNKNOWN
        else:
            row[{"left": slice(0, 1), "right": slice(1, 2)}.get(unit.side, slice(None))] = 1
    return truth
