"""The manifest: one table for all data sets, and the list of what was corrected to make it.

Frames in it count from 0 within the source video, both ends included (`records`). A data set's own numbers are
converted by its reader; ``first_number`` keeps the number that the data set gives to frame 0, so that numbered images
are found again: image number = frame + first_number. The clip's path may hold only a part of the source video.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from fleeting.datasets.people import WHY, spellings
from fleeting.errors import DataError
from fleeting.records import EVENT_KINDS
from fleeting.records.action_units import ActionUnit


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One annotated clip.

    Attributes
    ----------
    dataset, subject, clip
        Names; the subject is unique within its data set, the clip within data set and subject.
    source_video
        The recording that the clip was cut from, unique within its data set; the clip itself where that is not known.
    path
        Folder of numbered images, or video file; ``FILE#ROW`` for a row of a file of pictures. It may be missing.
    fps
        Frames per second of the recording; 0 for pictures without a movement.
    onset, apex, offset
        Frames from 0 within the source video. The apex is None where the data set gives none or an impossible one;
        onset and offset are None for pictures.
    action_units
        As coded.
    emotion
        The data set's own word in small letters; empty where it gives none.
    type
        ``micro``, ``macro``, ``blink``, ``wink``, or empty for pictures.
    first_number
        What the data set calls frame 0.
    """

    dataset: str
    subject: str
    clip: str
    source_video: str
    path: str
    fps: float
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    action_units: tuple[ActionUnit, ...] = ()
    emotion: str = ""
    type: str = "micro"
    first_number: int = 0

    def __post_init__(self) -> None:
        onset, offset = self.onset, self.offset
        if (onset is None) != (offset is None):
            raise ValueError(f"Expected both onset and offset, or neither; got {onset} and {offset}.")
        if onset is not None and offset is not None:
            apex = onset if self.apex is None else self.apex
            if not 0 <= onset <= apex <= offset:
                raise ValueError(f"Expected 0 <= onset <= apex <= offset; got {onset}, {self.apex}, {offset}.")
        if self.type and self.type not in EVENT_KINDS:
            raise ValueError(f"Expected a type of {', '.join(EVENT_KINDS)}; got {self.type!r}.")

    @property
    def id(self) -> str:
        """``dataset/subject/clip``, unique: the key by which predictions are joined."""
        return f"{self.dataset}/{self.subject}/{self.clip}"


@dataclass(frozen=True, slots=True)
class Correction:
    """One thing that was wrong in the data set's annotations, and what was done.

    Attributes
    ----------
    where
        The clip as ``subject/clip``, or the row of the table where there is no clip yet.
    column
        Column of the data set's table.
    was
        What it said.
    now
        What is used instead: a value, "unknown", or "left out" for a row that is not in the manifest.
    why
        In a sentence.
    """

    where: str
    column: str
    was: str
    now: str
    why: str


COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(ManifestRow))
CORRECTION_COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(Correction))


@dataclass(frozen=True, slots=True)
class Manifest:
    """All clips of one or several data sets.

    Attributes
    ----------
    rows
        One per clip.
    corrections
        What the readers repaired.
    source
        The tables or files that were read.
    """

    rows: tuple[ManifestRow, ...]
    corrections: tuple[Correction, ...] = ()
    source: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def subjects(self) -> tuple[str, ...]:
        """``dataset/subject`` of everybody, sorted."""
        return tuple(sorted({f"{r.dataset}/{r.subject}" for r in self.rows}))

    def counts(self) -> dict[str, int]:
        """Clips per raw emotion, the most frequent first."""
        return dict(Counter(r.emotion for r in self.rows).most_common())

    def missing(self) -> tuple[ManifestRow, ...]:
        """Rows whose folder, video or file does not exist."""
        known: dict[str, bool] = {}
        for row in self.rows:
            place = row.path.partition("#")[0]
            if place not in known:
                known[place] = bool(place) and Path(place).exists()
        return tuple(r for r in self.rows if not known[r.path.partition("#")[0]])


def checked(rows: Iterable[ManifestRow], corrections: Sequence[Correction], source: Sequence[str | Path]) -> Manifest:
    """Return a manifest whose ids are unique; a row that only repeats another is left out, visibly.

    Subjects of one data set whose names differ only in case, blanks or leading zeros become one person, visibly too.

    Raises
    ------
    DataError
        Where nothing is left, or two different rows have one id.
    """
    given = list(rows)
    listed = list(corrections)
    kept: dict[str, tuple[ManifestRow, ManifestRow]] = {}
    for before, row in zip(given, _spelled_alike(given, listed), strict=True):
        first, other = kept.get(row.id, (before, None))
        if other is None:
            kept[row.id] = before, row
        elif other == row:
            listed.append(Correction(f"{row.subject}/{row.clip}", "(row)", "twice", "left out", "It repeats a row."))
        elif first.subject != before.subject:
            raise DataError(
                f"one spelling for each person of '{row.dataset}'",
                f"'{first.subject}' and '{before.subject}', who both have a clip '{row.clip}', and not the same",
                "Spell the subject alike and rename one clip; if they are two people, give them different names.",
            )
        else:
            differing = [n for n in COLUMNS if getattr(row, n) != getattr(other, n)]
            raise DataError(
                "one row for each clip",
                f"two of '{row.id}' that differ in {', '.join(differing)}",
                "Rename one clip or remove one row.",
            )
    names = ", ".join(map(str, source))
    if not kept:
        raise DataError("at least one clip", f"none in {names}", "Check that this is the right table.")
    return Manifest(tuple(row for _, row in kept.values()), tuple(listed), tuple(map(str, source)))


def _spelled_alike(rows: Sequence[ManifestRow], listed: list[Correction]) -> list[ManifestRow]:
    """Rows with one spelling for each data set and, in it, each person; pictures (without a type) name nobody."""
    sets = spellings(r.dataset for r in rows)
    alike = [replace(r, dataset=sets[r.dataset]) if r.dataset in sets else r for r in rows]
    usual = {
        (dataset, name): other
        for dataset in dict.fromkeys(r.dataset for r in alike)
        for name, other in spellings(r.subject for r in alike if r.dataset == dataset and r.type).items()
    }
    listed += [Correction("(table)", "dataset", was, now, WHY) for was, now in sets.items()]
    listed += [Correction(f"(all of {d})", "subject", was, now, WHY) for (d, was), now in usual.items()]
    return [_as_person(r, usual.get((r.dataset, r.subject), r.subject)) if r.type else r for r in alike]


def _as_person(row: ManifestRow, subject: str) -> ManifestRow:
    if subject == row.subject:
        return row
    # Recordings that are named after the person would tell the spellings apart again.
    video = row.source_video
    if video.startswith(f"{row.subject}/"):
        video = subject + video[len(row.subject) :]
    return replace(row, subject=subject, source_video=video)


def with_absolute_paths(manifest: Manifest) -> Manifest:
    """Return the manifest with paths that hold wherever it is read."""
    rows = tuple(replace(r, path=os.path.abspath(r.path) if r.path else "") for r in manifest.rows)
    return replace(manifest, rows=rows)


def joined(parts: Sequence[Manifest]) -> Manifest:
    """Return several manifests as one.

    Raises
    ------
    DataError
        Where two different rows have one id.
    """
    rows = [row for part in parts for row in part.rows]
    return checked(rows, [c for p in parts for c in p.corrections], [s for p in parts for s in p.source])
