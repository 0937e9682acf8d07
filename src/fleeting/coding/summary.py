"""A study in one table: how many events a codable minute, by condition.

Conventions
-----------
- A minute is codable where an analysed face is in view and the coder did not call it uncodable; each face counts.
- An event that lies for more than half in an uncodable stretch is left out, as in `agreement`.
- The rate of a condition is all its events over all its codable minutes.
- Its 95 % interval is the percentile interval of that rate over bootstrap samples of people: events and films of one
  person are alike. A film without a person counts as a person of its own; below `LEAST_PEOPLE` there is no interval.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fleeting.coding.agreement import Coded, film_name, read_side
from fleeting.coding.coders import MACHINE, coders_of, films_in, unknown_coder
from fleeting.coding.films import Film
from fleeting.errors import DataError, InputError
from fleeting.export.events_csv import table_text
from fleeting.files import write_text
from fleeting.records import EVENT_KINDS, is_hidden

DRAWS = 2000
LEAST_PEOPLE = 3
GROUP_COLUMNS = ("person", "condition")
COLUMNS = ("film", *GROUP_COLUMNS, "minutes", *EVENT_KINDS)
"""Columns of ``summary.csv``."""

Groups = dict[str, dict[str, str]]
"""By film its ``person`` and ``condition``, empty where they were not told."""


@dataclass(frozen=True, slots=True)
class FilmRow:
    """One film of a study: codable minutes and events by kind."""

    film: str
    person: str
    condition: str
    minutes: float
    counts: Mapping[str, int]


def parse_groups(text: str) -> Groups:
    """Read a table (csv) with the columns film, person and condition; one of the last two may be missing.

    Raises
    ------
    InputError
        Where a column is missing, or a film is there twice.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    names = reader.fieldnames or []
    if "film" not in names or not {*GROUP_COLUMNS} & {*names}:
        got = ", ".join(map(str, names)) or "no column"
        raise InputError("a table with the columns film, person and condition", got, "Name the columns so.")
    groups: Groups = {}
    for row in reader:
        film = (row["film"] or "").strip()
        if film in groups:
            raise InputError("each film once", f"'{film}' in two rows", "Remove one.")
        if film:
            groups[film] = {column: (row.get(column) or "").strip() for column in GROUP_COLUMNS}
    return groups


def film_row(name: str, side: Coded, group: Mapping[str, str]) -> FilmRow:
    """Count one film."""
    film = side.film
    lasts = np.diff(film.time_s, append=film.timeline.duration_s)
    faces = {s.face for s in film.timeline.signals} or {t.id for t in film.timeline.tracks} or {0}
    seconds = 0.0
    for face in faces:
        open_to_view = film.seen(face)
        for span in side.uncodable:
            if span.face == face:
                open_to_view[span.onset_frame : span.offset_frame + 1] = False
        seconds += float(lasts[open_to_view].sum())
    kept = [e for e in side.events if not is_hidden(e.face, e.interval, side.uncodable)]
    counts = {str(kind): sum(e.kind == kind for e in kept) for kind in EVENT_KINDS}
    return FilmRow(name, group.get("person", ""), group.get("condition", ""), seconds / 60, counts)


def summarise(rows: Sequence[FilmRow], *, draws: int = DRAWS, seed: int = 0) -> dict[str, Any]:
    """Return by condition ``films``, ``people``, ``minutes``, and by kind ``events``, ``per_minute``, ``interval``."""
    found: dict[str, Any] = {}
    for condition in sorted({row.condition for row in rows}):
        here = [row for row in rows if row.condition == condition]
        people = sorted({_person(row) for row in here})
        minutes = np.array([sum(r.minutes for r in here if _person(r) == p) for p in people])
        kinds = {}
        for kind in EVENT_KINDS:
            events = np.array([sum(r.counts[kind] for r in here if _person(r) == p) for p in people])
            total = float(minutes.sum())
            kinds[kind] = {
                "events": int(events.sum()),
                "per_minute": float(events.sum()) / total if total else None,
                "interval": _interval(events, minutes, draws, seed),
            }
        found[condition] = {"films": len(here), "people": len(people), "minutes": float(minutes.sum()), **kinds}
    return found


def summarise_results(results: str | Path, groups: Groups, coder: str = MACHINE) -> tuple[list[FilmRow], list[str]]:
    """Return the films of a folder of results that a coder has coded, and the names of those that have no group.

    Raises
    ------
    InputError
        For a coder who has coded nothing there, or groups that name no film of the folder.
    DataError
        Where there are no results, or a timeline cannot be read.
    """
    rows, alone = [], []
    folders = films_in(results)
    for folder in folders:
        side = read_side(Film.open(folder), coder)
        if side is None:
            continue
        name = film_name(folder)
        video = side.film.timeline.video
        group = next((groups[n] for n in (name, video.name, Path(video.path).name) if n in groups), None)
        if group is None:
            alone.append(name)
        rows.append(film_row(name, side, group or {}))
    if not rows:
        raise unknown_coder(coder, Path(results), tuple(sorted({c for f in folders for c in coders_of(f)})))
    if groups and len(alone) == len(rows):
        raise InputError(f"films of {results} in the groups", ", ".join(sorted(groups)), "Name films as their folders.")
    return rows, alone


def read_groups(path: str | Path) -> Groups:
    """Read a file for `parse_groups`.

    Raises
    ------
    DataError
        Where it cannot be read.
    InputError
        As `parse_groups`.
    """
    try:
        return parse_groups(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("a table in UTF-8", f"{path} ({error})", "Check the file.") from error


def csv_text(rows: Sequence[FilmRow]) -> str:
    """Return a row for each film, with `COLUMNS`."""
    cells = (
        [r.film, r.person, r.condition, f"{r.minutes:.4f}", *(str(r.counts[k]) for k in EVENT_KINDS)] for r in rows
    )
    return table_text(COLUMNS, cells)


def write(rows: Sequence[FilmRow], out: str | Path) -> list[Path]:
    """Write ``summary.csv`` (a row for each film) and ``summary.json`` (`summarise`).

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    folder = Path(out)
    text = json.dumps(summarise(rows), ensure_ascii=False, indent=1)
    return [write_text(folder / "summary.csv", csv_text(rows)), write_text(folder / "summary.json", text + "\n")]


def _person(row: FilmRow) -> tuple[str, str]:
    return (row.person, "") if row.person else ("", row.film)


def _interval(events: Any, minutes: Any, draws: int, seed: int) -> list[float] | None:
    if len(events) < LEAST_PEOPLE or not minutes.all():
        return None
    drawn = np.random.default_rng(seed).integers(0, len(events), (draws, len(events)))
    low, high = np.quantile(events[drawn].sum(axis=1) / minutes[drawn].sum(axis=1), (0.025, 0.975))
    return [float(low), float(high)]
