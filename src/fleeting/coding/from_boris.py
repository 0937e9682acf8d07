"""Annotations of BORIS: a project, or a table of events (csv, tsv).

A state event is a pair of entries of one subject, behaviour and modifier, the first of which starts and the second of
which stops it; in tables of aggregated events it is one row. Behaviours are kinds (`imports.kind_of`), the first
modifier is the emotion, ``face1`` as subject is face 1. A comment as `export.boris` writes it is taken apart, any other
is the note.
Point events are passed over: a movement lasts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

from fleeting.coding.raw import Raw
from fleeting.datasets.tables import Table
from fleeting.errors import DataError
from fleeting.records import CODED_COLUMNS

NAMES = {
    "film": ("Observation id",),
    "subject": ("Subject",),
    "behaviour": ("Behavior", "Behaviour"),
    "modifier": ("Modifier #1", "Modifiers", "Modifier 1"),
    "type": ("Behavior type", "Behaviour type", "Status"),
    "time": ("Time", "Start (s)"),
    "stop": ("Stop (s)",),
    "comment": ("Comment", "Comment start"),
    "media": ("Media file name", "Media file path", "Media file"),
}
NEEDED = (NAMES["behaviour"], NAMES["time"], NAMES["type"])


@dataclass(frozen=True, slots=True)
class _Entry:
    where: str
    film: str
    subject: str
    behaviour: str
    modifier: str
    time_s: float
    comment: str
    status: str = ""


def read_project(path: Path, values: dict[str, Any]) -> list[Raw]:
    """Read all observations of a project (``.boris``).

    Raises
    ------
    DataError
        Where an event lacks something, or a state has no end.
    """
    entries = []
    for name, observation in values["observations"].items():
        media = [m for files in (observation.get("file") or {}).values() for m in files]
        film = name if not media else _stem(str(media[0]))
        try:
            for number, event in enumerate(observation["events"], start=1):
                time_s, subject, code, modifier, comment = event[:5]
                entries.append(
                    _Entry(f"event {number} of {name}", film, subject, code, _first(modifier), float(time_s), comment)
                )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"events of the observation {name}", f"{error!r} in {path}", "Save it again.") from error
    kinds = {b["code"]: b.get("type", "") for b in values.get("behaviors_conf", {}).values()}
    states = [e for e in entries if "point" not in str(kinds.get(e.behaviour, "")).lower()]
    return _paired(path, states)


def read_events(table: Table) -> list[Raw]:
    """Read a table of events as BORIS exports it, tabular or aggregated.

    Raises
    ------
    DataError
        Where a time is none, or a state has no end.
    """
    known = table.renamed(NAMES, optional=[n for n in NAMES if n not in ("behaviour", "time")])
    entries, rows = [], []
    for number, cells in zip(known.numbers, known.records, strict=True):
        where, film = f"row {number}", cells["film"].strip() or _stem(cells["media"])
        status, modifier = cells["type"].strip().upper(), _first(cells["modifier"])
        if "POINT" in status:
            continue
        start = _seconds(cells["time"], where, table.path)
        entry = _Entry(where, film, cells["subject"], cells["behaviour"], modifier, start, cells["comment"], status)
        if cells["stop"].strip():
            rows.append(_raw(entry, _seconds(cells["stop"], where, table.path)))
        else:
            entries.append(entry)
    return rows + _paired(table.path, entries)


def is_project(values: Any) -> bool:
    """Whether JSON is a project of BORIS."""
    return isinstance(values, dict) and isinstance(values.get("observations"), dict)


def load_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    DataError
        Where it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError("a file that can be read", f"{path} ({error.strerror})", "Check the path.") from error
    except ValueError as error:
        raise DataError(
            "a project of BORIS, or a timeline", f"{path}, which is no JSON ({error})", "Check the file."
        ) from error


def _paired(path: Path, entries: Iterable[_Entry]) -> list[Raw]:
    waiting: dict[tuple[str, str, str], _Entry] = {}
    rows = []
    for entry in sorted(entries, key=lambda e: (e.film, e.time_s)):
        key = (entry.film, entry.subject, entry.behaviour)
        start = waiting.pop(key, None)
        if start is None:
            if entry.status == "STOP":
                raise DataError(
                    f"a start of {entry.behaviour} before its stop", f"none for {entry.where} of {path}", "Mend it."
                )
            waiting[key] = entry
        else:
            rows.append(_raw(start, entry.time_s))
    for entry in waiting.values():
        hint = "Set the stop in BORIS, and save it again."
        raise DataError(f"a stop of {entry.behaviour}", f"none after {entry.where} of {path}", hint)
    return rows


def _raw(entry: _Entry, stop_s: float) -> Raw:
    face = re.fullmatch(r"\s*face\s*_?(\d+)\s*", entry.subject, re.I)
    raw = Raw(
        where=entry.where,
        label=re.sub(r" \d+$", "", entry.behaviour.strip()),
        onset_s=entry.time_s,
        offset_s=stop_s,
        film=entry.film,
        face=int(face[1]) if face else None,
        said={"emotion": entry.modifier},
    )
    _comment(entry.comment or "", raw)
    return raw


def _comment(text: str, raw: Raw) -> None:
    head, found, note = _parted(text)
    apex = re.match(r"apex ([\d.]+) s(?:; )?", head)
    if apex:
        raw.apex_s = float(apex[1])
        head = head[apex.end() :]
    is_ours = apex is not None or bool(found)
    raw.said |= {**found, "note": note if is_ours else text}
    if is_ours and head:
        raw.said["regions"] = head


def _parted(text: str) -> tuple[str, dict[str, str], str]:
    """Return what comes before ``name: value``, these pairs, and the note, which is last and may hold anything."""
    names = "|".join(name for name in CODED_COLUMNS if name != "note")
    note = re.search(r"(?:^|; )note: ", text)
    before, said = (text[: note.start()], text[note.end() :]) if note else (text, "")
    head, found = [], {}
    for part in before.split("; "):
        pair = re.match(rf"({names}): (.*)", part, re.S)
        if pair:
            found[pair[1]] = pair[2]
        elif part:
            head.append(part)
    return "; ".join(head), found, said


def _first(modifier: Any) -> str:
    first = str(modifier or "").split("|")[0].strip()
    return "" if first == "None" else first


def _stem(path: str) -> str:
    name = PureWindowsPath(path).name if "\\" in path else PurePath(path).name
    return PurePath(name).stem


def _seconds(text: str, where: str, path: Path) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"seconds in {where} of {path}", f"'{text}'", "Export the times in seconds.") from error
