"""The layout of a published data set as a table of its columns, and the one reader of all sets that have one.

A data set's own file says how its table is called, how its columns are spelled and where its frames lie; what is
peculiar to it is a function of a few lines (`Layout.mend`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleeting.datasets.folders import FrameFolders, find_table, root_of
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import RawClip, Rows
from fleeting.datasets.tables import Table, read_headerless, read_table
from fleeting.errors import DataError

Cells = dict[str, str]
"""The cells of one row, by the names of `Layout.columns`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a data set writes down its clips, one row each.

    Templates such as ``{subject}_{video}`` are filled with the cells of a row, stripped.

    Attributes
    ----------
    dataset
        Its name.
    tables
        Names of its table, the most wanted first, as for `folders.find_table`.
    columns
        By our name, the spellings of each column that has to be there: ``subject``, ``onset``, ``apex`` and ``offset``,
        and where the set has them ``clip``, ``units``, ``emotion``, ``type`` and ``fps``.
    optional
        As `columns`, for those that may be missing.
    sheets
        Sheets of a workbook to look in; all where none of them is there.
    header
        Whether the table has a header; without one its columns are `columns` in this order.
    fps
        Frames per second; those of the column ``fps`` where None.
    first_number
        What the data set calls frame 0.
    spelled
        By column, how a cell is spelled: ``sub01`` for 1. Subject and clip are stripped before.
    clip, source_video
        Templates; the clip is its own source video where that is empty.
    places
        Templates of the folders in which a clip's frames may lie, the most wanted first.
    prefer
        As for `folders.FrameFolders`.
    several_per_video
        As for `rows.Rows`.
    is_clip
        Whether a row is a clip at all; every row is where None.
    mend
        Changes or adds cells, and lists what it corrected, before a row is taken over. A cell ``path`` that it adds is
        where the frames are.
    check
        Lists what else is odd, after it.
    """

    dataset: str
    tables: Sequence[str]
    columns: Mapping[str, Sequence[str]]
    optional: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sheets: Sequence[str] = ()
    header: bool = True
    fps: float | None = None
    first_number: int = 0
    spelled: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    clip: str = "{clip}"
    source_video: str = ""
    places: Sequence[str] = ("{subject}/{clip}",)
    prefer: Sequence[str] = ("raw",)
    several_per_video: bool = False
    is_clip: Callable[[Cells], bool] | None = None
    mend: Callable[[Rows, Cells], None] | None = None
    check: Callable[[Rows, Cells], None] | None = None

    def read(self, path: Path) -> Manifest:
        """Read the table, or the folder that holds it and the frames.

        Raises
        ------
        DataError
            As `folders.find_table`, `tables.read_table`, `tables.read_headerless` and `rows.Rows`; for a rate that is
            no number.
        """
        return self.manifest(self.table(find_table(path, self.tables)), root_of(path))

    def table(self, file: Path) -> Table:
        """Read a table, with our names for its columns."""
        if not self.header:
            return read_headerless(file, tuple(self.columns), sheets=self.sheets)
        found = read_table(file, needs=list(self.columns.values()), sheets=self.sheets)
        return found.renamed({**self.columns, **self.optional}, optional=self.optional)

    def manifest(self, table: Table, root: Path) -> Manifest:
        """Return the clips of a table, whose frames lie somewhere below `root`."""
        rows = Rows(self.dataset, table.path, several_per_video=self.several_per_video)
        folders = FrameFolders(root, prefer=self.prefer)
        for number, record in zip(table.numbers, table.records, strict=True):
            if self.is_clip is not None and not self.is_clip(record):
                continue
            cells = dict(record)
            for name in ("subject", "clip"):
                if name in cells:
                    cells[name] = cells[name].strip()
            for name, spell in self.spelled.items():
                cells[name] = spell(cells[name])
            if self.mend is not None:
                self.mend(rows, cells)
            words = {name: cell.strip() for name, cell in cells.items()}
            cells["clip"] = self.clip.format_map(words)
            # A blank or a slash in a cell is part of a folder's name.
            places = [[part.format_map(words) for part in place.split("/")] for place in self.places]
            rows.add(
                RawClip(
                    number=number,
                    subject=cells["subject"],
                    clip=cells["clip"],
                    path=cells.get("path") or str(folders.first(*places)),
                    fps=rate(cells["fps"], number, table.path) if self.fps is None else self.fps,
                    onset=cells["onset"],
                    apex=cells["apex"],
                    offset=cells["offset"],
                    emotion=cells.get("emotion", ""),
                    units=cells.get("units", ""),
                    # An empty cell of a column that has to be there is an error.
                    type=cells["type"] if "type" in self.columns else cells.get("type") or "micro",
                    source_video=self.source_video.format_map(words),
                    first_number=self.first_number,
                )
            )
            if self.check is not None:
                self.check(rows, cells)
        return rows.manifest()


def rate(text: str, number: int, table: Path) -> float:
    """Return the frames per second that a cell states.

    Raises
    ------
    DataError
        Where it is no positive number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise DataError("frames per second", f"'{text}' in row {number} of {table}", "Correct the cell.")
    return value
