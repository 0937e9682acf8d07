"""The truth file beside synthetic clips: one row per movement that was put in.

A csv table in UTF-8 with the columns of `COLUMNS`, of which the first six are required when a file is read. Frames are
counted from 0, both ends included; ``file`` is relative to the folder of the truth file.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from fleeting.errors import DataError
from fleeting.files import csv_text, write_text
from fleeting.reading import reading
from fleeting.records import EVENT_KINDS, EventKind, Interval
from fleeting.synthesis.face.movement import Movement


@dataclass(frozen=True, slots=True)
class TruthRow:
    """One movement of one clip.

    Attributes
    ----------
    file
        Video or image folder, relative to the truth file's folder.
    onset, apex, offset
        Frames; the apex is None where a table does not know it.
    kind
        ``micro``, ``macro``, ``blink`` or ``wink``.
    emotion
        Its word, or empty.
    onset_s, apex_s, offset_s
        Times of these frames in seconds; NaN where a table does not know them.
    action_units
        Joined by "+".
    side
        ``both``, ``left`` or ``right``: the person's own.
    peak_percent_iod
        Largest displacement at the apex, percent of the inter-ocular distance; NaN where unknown.
    face
        Id of the face, counted from 0.
    fps
        Frames per second, for image folders, which do not say it themselves; NaN where not given.
    """

    file: str
    onset: int
    apex: int | None
    offset: int
    kind: EventKind
    emotion: str = ""
    onset_s: float = math.nan
    apex_s: float = math.nan
    offset_s: float = math.nan
    action_units: str = ""
    side: str = "both"
    peak_percent_iod: float = math.nan
    face: int = 0
    fps: float = math.nan

    def __post_init__(self) -> None:
        if self.kind not in EVENT_KINDS:
            raise ValueError(f"Expected a kind of {', '.join(EVENT_KINDS)}; got {self.kind!r}.")
        apex = self.onset if self.apex is None else self.apex
        if not 0 <= self.onset <= apex <= self.offset:
            raise ValueError(f"Expected 0 <= onset <= apex <= offset; got {self.onset}, {self.apex}, {self.offset}.")

    @property
    def interval(self) -> Interval:
        """The frames of the movement."""
        return Interval(self.onset, self.offset)


COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(TruthRow))
REQUIRED: tuple[str, ...] = COLUMNS[:6]
_TIMES = ("onset_s", "apex_s", "offset_s")
_LONG = (*_TIMES, "fps")


def truth_row(
    movement: Movement, *, file: str, fps: float, face: int = 0, peak_percent_iod: float | None = None
) -> TruthRow:
    """Row of a movement in a film of constant frame rate.

    Parameters
    ----------
    movement
        What was drawn.
    file
        Name of the clip.
    fps
        Its frames per second.
    face
        Id of the face.
    peak_percent_iod
        In place of the movement's own, for blinks and winks, whose size the eye decides.
    """
    onset, apex, offset = movement.profile.frames(fps)
    return TruthRow(
        file=file,
        onset=onset,
        apex=apex,
        offset=offset,
        kind=movement.kind,
        emotion=movement.emotion,
        onset_s=onset / fps,
        apex_s=apex / fps,
        offset_s=offset / fps,
        action_units=movement.action_units,
        side=movement.side,
        peak_percent_iod=movement.peak_percent_iod if peak_percent_iod is None else peak_percent_iod,
        face=face,
        fps=fps,
    )


def write_truth(path: str | Path, rows: Sequence[TruthRow]) -> Path:
    """Write a truth file; unknown values stay empty.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    return write_text(path, csv_text(COLUMNS, ([_cell(n, getattr(row, n)) for n in COLUMNS] for row in rows)))


def _cell(name: str, value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.6f}" if name in _LONG else f"{value:.4f}"
    return str(value)


def read_truth(path: str | Path) -> list[TruthRow]:
    """Read a truth file.

    Columns may be in any order; unknown ones are passed over; those beyond `REQUIRED` may be missing.

    Raises
    ------
    DataError
        Where the file is missing, is no such table, or a row makes no sense; the message names the line.
    """
    path = Path(path)
    with reading(path, "a readable truth file", "Save it as UTF-8 csv."):
        return _rows(path, path.read_text(encoding="utf-8-sig"))


def _rows(path: Path, text: str) -> list[TruthRow]:
    table = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    header = [name.strip() for name in table.fieldnames or ()]
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise DataError(
            f"the columns {', '.join(REQUIRED)} in {path.name}",
            f"a table without {', '.join(missing)}",
            "Give the file a header line with these names.",
        )
    table.fieldnames = header
    return [_row(path, table.line_num, cells) for cells in table]


def _row(path: Path, line: int, cells: dict[str, str | None]) -> TruthRow:
    cell = {name: (cells.get(name) or "").strip() for name in COLUMNS}
    try:
        return TruthRow(
            file=_named(cell["file"]),
            onset=int(cell["onset"]),
            apex=int(cell["apex"]) if cell["apex"] else None,
            offset=int(cell["offset"]),
            kind=cell["kind"],  # type: ignore[arg-type]  # checked by TruthRow
            emotion=cell["emotion"],
            action_units=cell["action_units"],
            side=cell["side"] or "both",
            face=int(cell["face"] or 0),
            peak_percent_iod=float(cell["peak_percent_iod"] or math.nan),
            fps=float(cell["fps"] or math.nan),
            **{name: float(cell[name] or math.nan) for name in _TIMES},
        )
    except ValueError as error:
        raise DataError(
            f"a row of a truth file in line {line} of {path.name}",
            ",".join(cell[name] for name in REQUIRED),
            f"{str(error)[0].upper()}{str(error)[1:]}",
        ) from error


def _named(file: str) -> str:
    if not file:
        raise ValueError("the file's name is missing.")
    return file
