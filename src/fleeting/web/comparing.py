"""``agreement`` and ``machine``: how far two coders agree, and how good the machine is on these films."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from fleeting.coding.agreement import Agreement, Coded, Pair, compare, read_side
from fleeting.coding.agreement_files import heading, sections
from fleeting.coding.coders import MACHINE, coder_key, coders_of
from fleeting.coding.log import CodingLog
from fleeting.coding.machine import how_good, review
from fleeting.errors import DataError, InputError
from fleeting.records import Event
from fleeting.web.film_library import FilmFile, Library, LibraryOf
from fleeting.web.lanes import shown_event

Iou = Annotated[float, Query(gt=0, le=1)]

router = APIRouter(prefix="/api")


@router.get("/films/{film}/agreement")
def of_film(film: str, library: LibraryOf, a: str, b: str, iou: Iou = 0.5) -> dict[str, Any]:
    """Compare two coders on one film."""
    return _compared(library, [library.film(film)], a, b, iou)


@router.get("/agreement")
def of_all(library: LibraryOf, a: str, b: str, iou: Iou = 0.5) -> dict[str, Any]:
    """Compare two coders on all films that both have coded."""
    return _compared(library, list(library.films().values()), a, b, iou)


@router.get("/machine")
def machine(library: LibraryOf, coder: str, precision: Annotated[float, Query(gt=0, le=1)] = 0.9) -> dict[str, Any]:
    """Return what a coder's decisions say of the machine's proposals."""
    reviews = []
    for film in library.films().values():
        if film.results is not None and film.is_analysed and coder_key(coder) in coders_of(film.results):
            reviews.append(review(CodingLog(library.coded(film), coder)))
    if not reviews:
        raise InputError("a coder who has coded a film of the folder", f"'{coder}'", "Open a film as that coder.")
    return how_good(reviews, precision=precision)


def _compared(library: Library, films: list[FilmFile], a: str, b: str, iou: float) -> dict[str, Any]:
    names = [c if c == MACHINE else coder_key(c) for c in (a, b)]
    if names[0] == names[1]:
        raise InputError("two coders", f"{names[0]} twice", "Name another one.")
    both: list[tuple[str, Coded, Coded]] = []
    alone = []
    for film in films:
        if film.results is None or not film.is_analysed:
            continue
        there = [name for name in names if name == MACHINE or name in coders_of(film.results)]
        if len(there) < 2:
            alone += [film.name] if set(there) - {MACHINE} else []
            continue
        try:
            known = library.coded(film)
        except DataError:
            alone.append(film.name)
            continue
        one, other = (read_side(known, name) for name in names)
        if one is not None and other is not None:
            both.append((film.id, one, other))
    if not both:
        raise InputError(f"a film that both {names[0]} and {names[1]} have coded", "none", "Code the same film first.")
    found = compare(names[0], names[1], both, iou=iou)
    found.metrics["films_left_out"] = alone
    return _told(found, {film.id: film.name for film in films})


def _told(found: Agreement, names: dict[str, str]) -> dict[str, Any]:
    return {
        "a": found.first,
        "b": found.second,
        "heading": heading(found),
        "metrics": found.metrics,
        "sections": [
            {"title": s.title, "note": s.note, "header": list(s.header), "rows": [list(row) for row in s.rows]}
            for s in sections(found)
        ],
        "disagreements": [_apart(p, names) for p in found.pairs if p.first is None or p.second is None],
        "matched": [
            {"film": p.film, "a": shown_event(p.first), "b": shown_event(p.second)}
            for p in found.pairs
            if p.first is not None and p.second is not None
        ],
        "films_left_out": found.metrics["films_left_out"],
    }


def _apart(pair: Pair, names: dict[str, str]) -> dict[str, Any]:
    event = pair.first or pair.second
    assert event is not None
    return {
        "film": pair.film,
        "name": names[pair.film],
        "face": event.face,
        "kind": event.kind,
        "a": _plain(pair.first),
        "b": _plain(pair.second),
        "at_frame": event.onset_frame,
        "at_s": event.onset_s,
    }


def _plain(event: Event | None) -> dict[str, Any] | None:
    return None if event is None else shown_event(event)
