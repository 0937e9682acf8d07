"""From the cells of an annotation table to rows of the manifest: the same repairs for all data sets, each listed.

What is repaired, and how:

- onset missing: the row is left out; onset 0 where frames count from 1: the first frame;
- offset missing (empty, "/", 0, -1) or before the onset: the apex ends the clip, as MEGC 2020 does; without an apex the
  row is left out;
- apex missing, on the onset, or outside of the clip: unknown (`datasets.prepare` says what is then done);
- a fractional frame: rounded to the nearest;
- one emotion in several spellings ("Others" beside "others"): the more frequent one;
- words among the action units: remarks; a side or strength in doubt: the unit goes without.

An emotion that is no known word is never guessed: it is an error in a table of one's own, which can be mended, and an
unknown emotion in a published one. So is a unit that is none, which a published table goes without.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from fleeting.datasets.manifest import Correction, Manifest, ManifestRow, checked
from fleeting.errors import DataError
from fleeting.labels import WORDS
from fleeting.records import EVENT_KINDS, action_units
from fleeting.settings import nearest

UNKNOWN = "unknown"
LEFT_OUT = "left out"
_NOTHING = frozenset({"", "/", "-", "-1", "nan", "none", "n/a", "?"})


@dataclass(frozen=True, slots=True)
class RawClip:
    """A clip as its table has it: frames, emotion, units and type as text.

    Attributes
    ----------
    number
        Row of the table, for messages.
    subject, clip, source_video, path, fps
        As `ManifestRow`; the source video is the clip where it is empty.
    onset, apex, offset
        In the data set's numbering; the apex is None where the table has no such column.
    emotion, units, type
        As the table has them.
    first_number
        What the table calls frame 0.
    first_image
        Number of the image that is frame 0, where it is another one.
    """

    number: int
    subject: str
    clip: str
    path: str
    fps: float
    onset: str
    apex: str | None
    offset: str
    emotion: str = ""
    units: str = ""
    type: str = "micro"
    source_video: str = ""
    first_number: int = 0
    first_image: int | None = None


class Rows:
    """Collects the rows of one data set.

    Parameters
    ----------
    dataset
        Its name.
    table
        For messages.
    several_per_video
        Whether clips are named after their video, so that a second one of a name gets a number.
    mend_words
        Whether an emotion that is no known word, or a unit that is none, is an error, as in a table that its user can
        mend; else it is listed and the clip goes without.
    """

    def __init__(self, dataset: str, table: Path, *, several_per_video: bool = False, mend_words: bool = False) -> None:
        self._mend_words = mend_words
        self.dataset, self.table = dataset, table
        self.corrections: list[Correction] = []
        self._rows: list[ManifestRow] = []
        self._several = several_per_video
        self._ids: dict[str, list[ManifestRow]] = defaultdict(list)
        self._spellings: dict[str, list[tuple[str, str]]] = defaultdict(list)

    def correct(self, where: str, column: str, was: str, now: str, why: str) -> None:
        """List a correction."""
        self.corrections.append(Correction(where, column, was, now, why))

    def add(self, raw: RawClip) -> None:
        """Take a row over, repaired; or leave it out, listed.

        Raises
        ------
        DataError
            For an unknown type, a frame that is no number, or (`mend_words`) an unknown emotion or unit.
        """
        where = f"{raw.subject}/{raw.clip}"
        frames = self._frames(raw, where)
        if frames is None:
            return
        onset, apex, offset = frames
        units = self._units(raw)
        for said, why in ((units.remarks, "No unit"), (units.dropped, "Side or strength in doubt")):
            if said:
                read = action_units.as_text(units.units)
                self.correct(where, "action units", raw.units, read, f"{why}: {', '.join(said)}.")
        row = ManifestRow(
            dataset=self.dataset,
            subject=raw.subject,
            clip=raw.clip,
            source_video=raw.source_video or where,
            path=raw.path,
            fps=raw.fps,
            onset=onset,
            apex=apex,
            offset=offset,
            action_units=units.units,
            emotion=self._emotion(raw, where),
            type=_type(raw, self.table),
            first_number=raw.first_number if raw.first_image is None else raw.first_image,
        )
        self._rows.append(self._numbered(row))

    def manifest(self, *sources: Path) -> Manifest:
        """Return all rows.

        Raises
        ------
        DataError
            Where there is none, or two differ under one id.
        """
        for word, uses in self._spellings.items():
            usual = Counter(spelling for spelling, _ in uses).most_common(1)[0][0]
            for spelling, where in uses:
                if spelling != usual:
                    self.correct(where, "emotion", spelling, word, f"Mostly spelled '{usual}'.")
        return checked(self._rows, self.corrections, sources or (self.table,))

    def _numbered(self, row: ManifestRow) -> ManifestRow:
        before = self._ids[row.id]
        before.append(row)
        if not self._several or len(before) == 1 or row in before[:-1]:
            return row
        return replace(row, clip=f"{row.clip}_{len(before)}")

    def _units(self, raw: RawClip) -> action_units.ActionUnits:
        if self._mend_words:
            try:
                action_units.parse_strictly(raw.units)
            except ValueError as error:
                raise DataError(
                    f"action units such as 4+L12B in row {raw.number} of {self.table}", str(error), "Correct the cell."
                ) from error
        return action_units.parse(raw.units)

    def _frames(self, raw: RawClip, where: str) -> tuple[int, int | None, int] | None:
        onset = self._frame(raw, where, "onset", raw.onset)
        apex = None if raw.apex is None else self._frame(raw, where, "apex", raw.apex)
        offset = self._frame(raw, where, "offset", raw.offset)
        if onset == -1 and offset is not None and offset >= 0:
            first = str(raw.first_number)
            self.correct(where, "onset", raw.onset, first, f"Frames count from {first}: it began before the recording.")
            onset = 0
        if onset is None or onset < 0:
            self.correct(where, "onset", raw.onset, LEFT_OUT, "Without an onset there is no clip.")
            return None
        if offset is None or offset < onset:
            if apex is None or apex < onset:
                self.correct(where, "offset", raw.offset, LEFT_OUT, "Neither offset nor apex lies after the onset.")
                return None
            self.correct(where, "offset", raw.offset, str(apex + raw.first_number), "Unknown: the apex ends the clip.")
            return onset, apex, apex
        if raw.apex is None:
            return onset, None, offset
        if apex is None:
            self.correct(where, "apex", raw.apex, UNKNOWN, "The table does not know it.")
        elif not onset <= apex <= offset:
            span = f"{onset + raw.first_number} to {offset + raw.first_number}"
            self.correct(where, "apex", raw.apex, UNKNOWN, f"It lies outside of the clip ({span}).")
            apex = None
        elif apex == onset < offset:
            self.correct(where, "apex", raw.apex, UNKNOWN, "It is the onset, where nothing has moved yet.")
            apex = None
        return onset, apex, offset

    def _frame(self, raw: RawClip, where: str, column: str, text: str) -> int | None:
        """Frame from 0; None where the cell says nothing or 0 cannot be meant."""
        cell = text.strip().lower()
        if cell in _NOTHING:
            return None
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(
                f"a frame number as {column} of {where}",
                f"'{text}' in row {raw.number} of {self.table}",
                "Correct the cell.",
            )
        if column != "onset" and value == 0:
            return None
        frame = math.floor(value + 0.5)
        if frame != value:
            self.correct(where, column, text, str(frame), "A fraction: the nearest frame.")
        return frame - raw.first_number

    def _emotion(self, raw: RawClip, where: str) -> str:
        word = raw.emotion.strip().lower()
        parts = [p.strip() for p in word.replace("/", "+").replace("&", "+").replace(",", "+").split("+")]
        for part in parts:
            if part and part not in WORDS and not self._mend_words:
                self.correct(where, "emotion", raw.emotion, UNKNOWN, f"No known word. {nearest(part, sorted(WORDS))}")
                return ""
            if part and part not in WORDS:
                raise DataError(
                    f"an emotion ({', '.join(sorted(WORDS))})",
                    f"'{raw.emotion}' in row {raw.number} of {self.table}",
                    nearest(part, sorted(WORDS)),
                )
        joined = "+".join(p for p in parts if p)
        if joined:
            self._spellings[joined].append((raw.emotion, where))
        return joined


def _type(raw: RawClip, table: Path) -> str:
    word = raw.type.strip().lower()
    if word in ("me", "mae"):
        return "micro" if word == "me" else "macro"
    for kind in EVENT_KINDS:
        if word.startswith(kind):
            return kind
    raise DataError(
        "a type (micro or macro)", f"'{raw.type}' in row {raw.number} of {table}", "Correct the cell or the column."
    )
