"""Annotations of csv and Excel tables: the project's own, BIDS', and one's own.

Columns in any order and spelling: the kind (``kind``, ``type``, ``trial_type``, ``label``), onset and offset as frames
(``onset_frame``, ``onset``) or seconds (``onset_s``), the apex likewise; a table with a column ``duration`` is one of
BIDS, whose ``onset`` is in seconds. ``file`` or ``vid`` names the film, ``face`` the face; the columns of
`records.CODED_COLUMNS` are read where they are there.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path, PurePath

from fleeting.coding import from_boris
from fleeting.coding.raw import Raw
from fleeting.datasets.tables import Table, read_table
from fleeting.errors import DataError
from fleeting.files import from_cell
from fleeting.records import CODED_COLUMNS

KIND = ("kind", "type", "trial_type", "label", "event")
ONSET = ("onset_frame", "onset", "pred_onset", "onset_s", "start")
FRAMES = {
    "onset": ("onset_frame", "onset", "pred_onset"),
    "apex": ("apex_frame", "apex"),
    "offset": ("offset_frame", "offset", "pred_offset"),
}
SECONDS = {"onset_s": ("onset_s", "start"), "apex_s": ("apex_s",), "offset_s": ("offset_s", "end", "stop")}
SAID = ("emotion", "regions", *CODED_COLUMNS)
OTHER = {
    "kind": KIND,
    "film": ("file", "film", "vid", "video"),
    "face": ("face",),
    "duration": ("duration",),
    **{name: (name,) for name in SAID},
}
MEGC = {"me": "micro", "mae": "macro"}
EMPTY = ("n/a", "nan")


def read_rows(path: Path) -> list[Raw]:
    """Read a table of events.

    Raises
    ------
    DataError
        Where it cannot be read, lacks a column, or a cell is no number.
    MissingExtraError
        For Excel without openpyxl.
    """
    try:
        table = _as_written(read_table(path, needs=from_boris.NEEDED))
    except DataError:
        table = _as_written(read_table(path, needs=(KIND, ONSET)))
    else:
        return from_boris.read_events(table)
    is_bids = table.has("duration") and table.has("trial_type")
    names = {**({} if is_bids else FRAMES), **SECONDS, **OTHER}
    if is_bids:
        names["onset_s"] = ("onset",)
    known = table.renamed(names, optional=[n for n in names if n != "kind"])
    return [_row(known, number, cells) for number, cells in zip(known.numbers, known.records, strict=True)]


def _as_written(table: Table) -> Table:
    """Return a table with the text of which its cells were made (`files.cell_text`)."""
    return replace(table, records=tuple({k: from_cell(v) for k, v in row.items()} for row in table.records))


def _row(table: Table, number: int, cells: dict[str, str]) -> Raw:
    where = f"row {number}"
    cells = {name: "" if text.strip().lower() in EMPTY else text for name, text in cells.items()}
    times = {name: _number(cells.get(name, ""), where, table.path) for name in (*FRAMES, *SECONDS)}
    duration = _number(cells["duration"], where, table.path)
    if times["offset_s"] is None and duration is not None and times["onset_s"] is not None:
        times["offset_s"] = times["onset_s"] + duration
    frames = {name: None if times[name] is None else _whole(times[name], where, table.path) for name in FRAMES}
    kind = cells["kind"].strip()
    face = _number(cells["face"], where, table.path)
    return Raw(
        where=where,
        label=MEGC.get(kind.lower(), kind),
        onset=frames["onset"],
        apex=frames["apex"],
        offset=frames["offset"],
        onset_s=times["onset_s"],
        apex_s=times["apex_s"],
        offset_s=times["offset_s"],
        film=PurePath(cells["film"].strip()).name,
        face=None if face is None else _whole(face, where, table.path),
        said={name: cells[name] for name in SAID},
    )


def _number(text: str, where: str, path: Path) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"a number in {where} of {path}", f"'{text}'", "Correct the cell.")
    return value


def _whole(value: float | None, where: str, path: Path) -> int:
    if value is None or value != int(value) or value < 0:
        hint = "Frames count from 0; name columns with seconds onset_s, apex_s, offset_s."
        raise DataError(f"a whole number from 0 in {where} of {path}", str(value), hint)
    return int(value)
