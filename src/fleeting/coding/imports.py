"""Files of other programs, and the project's own, read into a coder's log."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from fleeting.coding import from_boris, from_elan, from_tables
from fleeting.coding.checks import checked, is_word
from fleeting.coding.coders import films_in
from fleeting.coding.films import Film, new_id
from fleeting.coding.log import CodingLog
from fleeting.coding.proposals import accepted
from fleeting.coding.raw import Raw
from fleeting.errors import DataError, FleetingWarning, InputError
from fleeting.export.timeline_json import from_json
from fleeting.records import CODED_KINDS, UNCODABLE, CodedEvent, Event, EventKind
from fleeting.settings import nearest

WORDS: dict[str, EventKind] = {
    "me": "micro",
    "microexpression": "micro",
    "mae": "macro",
    "macroexpression": "macro",
    "notcodable": UNCODABLE,
    "cannotbecoded": UNCODABLE,
    **{kind: kind for kind in CODED_KINDS},
}
"""What files call the kinds, without blanks and punctuation."""

SAME = ("kind", "face", "onset_frame", "apex_frame", "offset_frame", "apex_known", "emotion", "action_units", "note")
"""What makes two events the same, so that a file read twice is not there twice."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file in one film: events put into the log, and those that were there already."""

    film: str
    added: int
    known: int


def import_file(
    path: str | Path,
    results: str | Path,
    coder: str,
    *,
    kinds: Mapping[str, str] | None = None,
    film: str = "",
    face: int = 0,
) -> list[Imported]:
    """Read a file of annotations into a coder's log, as one edit for each film.

    Parameters
    ----------
    path
        ``.eaf`` (ELAN), ``.boris`` or ``.json`` (a project of BORIS, our ``timeline.json``), a table (csv, tsv, Excel):
        BORIS' events, BIDS' events, our ``events.csv`` and ``truth.csv``, MEGC's, or one's own (`from_tables`).
    results
        A film's folder of results, or a folder of such folders: then the file says which film each event is of.
    coder
        Into whose log.
    kinds
        By the name of a tier, a behaviour or a word of the file the kind that it is, or nothing to leave it out. Names
        such as ``micro``, ``face1_blink`` or ``micro-expression`` are known.
    film
        Name of the one film of the file that is meant, as the file has it.
    face
        Of events for which the file does not say it.

    Raises
    ------
    DataError, InputError
        Where the file cannot be read, nothing in it has a kind, or an event does not fit the film. Nothing is written.
    OutputError
        Where the disk refuses.
    """
    source, folders = Path(path), films_in(results)
    rows = _read(source)
    films = [Film.open(folder) for folder in folders]
    places = _by_film(source, rows, films, film)
    named = _named(source, [raw for here in places.values() for raw in here if isinstance(raw, Raw)], kinds or {})
    ready = []
    for number, here in places.items():
        events = []
        for raw in here:
            if isinstance(raw, Event):
                events.append(_taken(films[number], raw, source))
            elif (kind := named[raw.label]) is not None:
                events.append(_built(films[number], raw, kind, face, source))
        ready.append((CodingLog(films[number], coder), events))
    done = []
    for log, events in ready:
        fresh = _fresh(log, events)
        log.begin()
        log.put(*fresh)
        done.append(Imported(log.film.timeline.video.name, len(fresh), len(events) - len(fresh)))
    return done


def kind_of(label: str) -> EventKind | None:
    """Return the kind that a tier, a behaviour or a word stands for; None where it is no name of one."""
    words = [WORDS.get(re.sub(r"[^a-z]", "", part)) for part in (label.lower(), *re.split(r"[_\s]+", label.lower()))]
    return next((word for word in words if word is not None), None)


def face_of(label: str) -> int | None:
    """Return the face that a name such as ``face1_micro`` tells; None where it tells none."""
    found = re.search(r"(?:^|[_\s])face[_\s]?(\d+)(?:$|[_\s])", label, re.I)
    return int(found[1]) if found else None


def _read(path: Path) -> Sequence[Raw | Event]:
    suffix = path.suffix.lower()
    if suffix == ".eaf":
        return from_elan.read_elan(path)
    if suffix not in (".boris", ".json"):
        return from_tables.read_rows(path)
    values = from_boris.load_json(path)
    if from_boris.is_project(values):
        return from_boris.read_project(path, values)
    try:
        return from_json(values).events
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError("a project of BORIS, or a timeline.json", f"{path} ({error!r})", "Check the file.") from error


def _by_film(
    source: Path, rows: Sequence[Raw | Event], films: Sequence[Film], wanted: str
) -> dict[int, list[Raw | Event]]:
    """Rows by the place of their film; a file that names no film is of the one film that there is."""
    told = {raw.film for raw in rows if isinstance(raw, Raw) and raw.film}
    if wanted and not any(_stem(name) == _stem(wanted) for name in told):
        raise InputError(f"a film of {source}", f"'{wanted}'", nearest(wanted, sorted(told)))
    stems: dict[str, int] = {}
    for number, film in enumerate(films):
        for name in (film.folder.resolve().name, film.timeline.video.name, Path(film.timeline.video.path).name):
            stems.setdefault(_stem(name), number)
    places: dict[int, list[Raw | Event]] = {}
    elsewhere: set[str] = set()
    for raw in rows:
        name = raw.film if isinstance(raw, Raw) else ""
        if wanted and name and _stem(name) != _stem(wanted):
            continue
        is_only = len(films) == 1 and (bool(wanted) or not name)
        number = 0 if is_only else stems.get(_stem(name), -1)
        if number < 0:
            elsewhere.add(name)
        else:
            places.setdefault(number, []).append(raw)
    if not rows and len(films) == 1:
        return {0: []}
    if not places:
        got = f"{source}, which names " + (", ".join(sorted(elsewhere - {""})) or "no film")
        hint = "Give the folder of the one film" + (", and name its film in the file with --film." if told else ".")
        raise InputError(f"events of {', '.join(sorted(f.folder.name for f in films))}", got, hint)
    if elsewhere:
        left = ", ".join(sorted(elsewhere - {""}) or ["events without a film"])
        warnings.warn(f"{source}: left out, no results of that name are there: {left}.", FleetingWarning, stacklevel=3)
    return places


def _stem(name: str) -> str:
    return re.sub(r"\.\w{1,4}$", "", name).casefold()


def _named(source: Path, rows: Sequence[Raw], kinds: Mapping[str, str]) -> dict[str, EventKind | None]:
    """Kind of every label of the file; None where it is left out."""
    labels = list(dict.fromkeys(raw.label for raw in rows))
    for label, kind in kinds.items():
        if label not in labels:
            raise InputError(f"a tier, behaviour or kind of {source}", f"'{label}'", nearest(label, labels))
        if kind and kind not in CODED_KINDS:
            raise InputError(f"a kind for '{label}'", f"'{kind}'", nearest(kind, CODED_KINDS))
    asked: dict[str, EventKind | None] = {label: WORDS.get(kind) for label, kind in kinds.items()}
    named = {label: asked[label] if label in asked else kind_of(label) for label in labels}
    unknown = [label for label, kind in named.items() if kind is None and label not in asked]
    hint = f"Say what it is, such as --kind '{unknown[0]}=micro'; kinds: {', '.join(CODED_KINDS)}." if unknown else ""
    if unknown and not any(named.values()):
        raise InputError(f"names of kinds in {source}", ", ".join(f"'{u}'" for u in unknown), hint)
    if unknown:
        counts = Counter(raw.label for raw in rows)
        left = ", ".join(f"'{label}' ({counts[label]})" for label in unknown)
        warnings.warn(f"{source}: left out, no kinds: {left}. {hint}", FleetingWarning, stacklevel=3)
    return named


def _built(film: Film, raw: Raw, kind: EventKind, face: int, source: Path) -> CodedEvent:
    known = {f.name for f in fields(CodedEvent)} - {"regions", "emotion", "coder", "changed"}
    said: dict[str, Any] = {n: text.strip() for n, text in raw.said.items() if n in known and text.strip()}
    emotion = raw.said.get("emotion", "").strip()
    told = face_of(raw.label) if raw.face is None else raw.face
    regions = tuple(r for r in raw.said.get("regions", "").split("+") if r)
    try:
        onset, apex, offset = (
            getattr(raw, mark)
            if getattr(raw, mark) is not None or getattr(raw, f"{mark}_s") is None
            else film.frame_at(getattr(raw, f"{mark}_s"))
            for mark in ("onset", "apex", "offset")
        )
        if onset is None or offset is None:
            raise InputError("an onset and an offset", "a row that lacks one", "Complete it.")
        event = film.new_event(kind, onset, apex, offset, face=face if told is None else told)
        if emotion and kind_of(emotion) != kind:
            if is_word(emotion):
                said["emotion"] = emotion
            else:  # a sentence, such as ELAN's annotations may hold
                said["note"] = "\n".join(t for t in (emotion, said.get("note", "")) if t)
        return checked(replace(event, regions=regions, **said))
    except (InputError, ValueError) as error:
        raise DataError(f"an event in {raw.where} of {source}", str(error), "Correct it, or leave it out.") from error


def _taken(film: Film, event: Event, source: Path) -> CodedEvent:
    """Return an event of a timeline: a coder's as it is, the machine's as one that was accepted."""
    coded = event if isinstance(event, CodedEvent) else accepted(event)
    apex = coded.apex_frame if coded.apex_known else None
    try:
        return checked(film.placed(coded, coded.onset_frame, apex, coded.offset_frame))
    except InputError as error:
        raise DataError(
            f"an event that fits the film in {source}", str(error), "Check that it is the same film."
        ) from error


def _fresh(log: CodingLog, events: Sequence[CodedEvent]) -> list[CodedEvent]:
    """Return events that the log has not yet, or has otherwise; each id once."""
    have = {item.id: item for item in log.items}
    same = {tuple(getattr(item, name) for name in SAME) for item in log.items if not item.refused}
    fresh: list[CodedEvent] = []
    for event in events:
        if tuple(getattr(event, name) for name in SAME) in same:
            continue
        former = have.get(event.id)
        if former is not None and event.proposal is None:
            event = replace(event, proposal=former.proposal)
        fresh.append(replace(event, id=event.id or new_id()))
    return fresh
