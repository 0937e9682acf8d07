"""``/api/films/ID/coders``: what people say of a film, edit by edit."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from fleeting.coding.coders import coder_key, coders_of, log_path
from fleeting.coding.films import Film
from fleeting.coding.log import CodingLog
from fleeting.coding.proposals import Proposal, accepted, proposals, refused
from fleeting.errors import InputError
from fleeting.records import UNCODABLE, CodedEvent, Event, EventKind
from fleeting.web.film_library import Library, LibraryOf
from fleeting.web.lanes import shown_event
from fleeting.web.refusals import heard, refuse

LONGEST_NOTE = 10_000

DECIDED = ("accepted", "corrected", "refused")

router = APIRouter(prefix="/api/films/{film}/coders")


class Draft(BaseModel):
    """What a page says of an event; times, origin and who follow from it."""

    model_config = ConfigDict(extra="forbid")

    kind: EventKind
    face: int = Field(0, ge=0, le=10_000)
    onset_frame: int = Field(ge=0)
    apex_frame: int | None = None
    offset_frame: int = Field(ge=0)
    emotion: str | None = Field(None, max_length=100)
    scheme: str = Field("", max_length=100)
    action_units: str = Field("", max_length=500)
    certainty: Literal["", "certain", "likely", "doubtful"] = ""
    note: str = Field("", max_length=LONGEST_NOTE)


class EditAsked(BaseModel):
    """One edit: `id` is an event of the coder, `proposal` the key of one of the machine's.

    `seq` is that of the state that the page shows. Where another page, or another program, has changed more since,
    nothing is done.
    """

    model_config = ConfigDict(extra="forbid")

    action: Literal["put", "remove", "accept", "refuse", "undo", "redo"]
    id: str = ""
    event: Draft | None = None
    proposal: str = ""
    seq: int | None = None


class CoderAsked(BaseModel):
    """A coder who opens a film; a blind one sees neither the machine's proposals nor what others say."""

    model_config = ConfigDict(extra="forbid")

    name: str
    blind: bool = False


class Desks:
    """What must not be forgotten between two requests of one coder: a lock, and which proposals were new at opening."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self.news: dict[tuple[str, str], frozenset[str]] = {}
        self.blind: set[tuple[str, str]] = set()

    @contextmanager
    def alone(self, film: str, coder: str) -> Iterator[tuple[str, str]]:
        """Keep other requests for this coder's log waiting; gives its key."""
        key = (film, coder_key(coder))
        with self._guard:
            lock = self._locks[key]
        with lock:
            yield key


def desks_of(request: Request) -> Desks:
    """Return the desks of the application that was asked."""
    desks: Desks = request.app.state.desks
    return desks


DesksOf = Annotated[Desks, Depends(desks_of)]


@router.get("")
def coders(film: str, library: LibraryOf) -> list[dict[str, Any]]:
    """Return who has coded a film, and how far they are."""
    known = library.coded(film)
    return [coder_summary(known, name) for name in coders_of(known.folder)]


@router.post("")
def begin(film: str, asked: CoderAsked, library: LibraryOf, desks: DesksOf) -> JSONResponse:
    """Open a film as a coder: the log is made where there is none."""
    with desks.alone(film, asked.name) as key:
        log, notes = opened(library, film, asked.name)
        log.begin()
        desks.blind.discard(key)
        if asked.blind:
            desks.blind.add(key)
        else:
            desks.news[key] = frozenset(key_of(p.event) for p in proposals(log) if p.status == "new")
            log.note_proposals(log.film.timeline.events)
        return JSONResponse(_state(log, notes, desks, key))


@router.get("/{coder}")
def coding(film: str, coder: str, library: LibraryOf, desks: DesksOf) -> JSONResponse:
    """Return what a coder says of a film."""
    with desks.alone(film, coder) as key:
        log, notes = opened(library, film, coder)
        if key[1] not in coders_of(log.film.folder):
            raise refuse(404, f"{coder} has not coded this film.")
        return JSONResponse(_state(log, notes, desks, key))


@router.post("/{coder}/edits")
def edit(film: str, coder: str, asked: EditAsked, library: LibraryOf, desks: DesksOf) -> JSONResponse:
    """Do one edit; it is on the disk when this answers."""
    with desks.alone(film, coder) as key:
        log, notes = opened(library, film, coder)
        if asked.seq is not None and asked.seq != len(log.edits):
            said = "Somebody has changed this film's coding since; look at the newer state first."
            return JSONResponse({"error": said} | _state(log, notes, desks, key), 409)
        _do(log, asked)
        return JSONResponse(_state(log, notes, desks, key))


def opened(library: Library, film: str, coder: str) -> tuple[CodingLog, list[str]]:
    """Return a coder's log as it is now, and what its reader warned of."""
    known = library.coded(film)
    with heard(str(log_path(known.folder, coder))) as notes:
        log = CodingLog(known, coder)
    return log, notes


def coder_summary(film: Film, coder: str) -> dict[str, Any]:
    """Return how far a coder is with a film."""
    log = CodingLog(film, coder)
    shown = proposals(log)
    return {
        "name": log.coder,
        "events": len(log.events),
        "done": sum(p.status in DECIDED for p in shown),
        "total": len(shown),
        "last_edit": log.edits[-1].at if log.edits else None,
    }


def key_of(event: Event) -> str:
    """Return the name of a proposal, the same as long as the analysis makes it."""
    return f"{event.face}-{event.kind}-{event.onset_frame}-{event.apex_frame}-{event.offset_frame}"


def _state(log: CodingLog, notes: list[str], desks: Desks, key: tuple[str, str]) -> dict[str, Any]:
    new = desks.news.get(key, frozenset())
    shown = () if key in desks.blind else proposals(log)
    return {
        "events": [shown_event(e) for e in log.items if not e.refused],
        "proposals": [_proposal(p, new) for p in shown],
        "can_undo": log.can_undo,
        "can_redo": log.can_redo,
        "notes": notes,
        "seq": len(log.edits),
    }


def _proposal(proposal: Proposal, new: frozenset[str]) -> dict[str, Any]:
    name = key_of(proposal.event)
    state = "new" if proposal.status == "open" and name in new else proposal.status
    decision = None if proposal.decision is None else proposal.decision.id
    return {"key": name, "event": shown_event(proposal.event), "state": state, "id": decision}


def _do(log: CodingLog, asked: EditAsked) -> None:
    if asked.action == "undo":
        log.undo()
    elif asked.action == "redo":
        log.redo()
    elif asked.action == "remove":
        log.remove(asked.id)
    elif asked.action == "put":
        log.put(_put(log, asked))
    else:
        found = _asked_proposal(log, asked.proposal)
        made = (accepted if asked.action == "accept" else refused)(found.event)
        if found.decision is not None:  # another word on the same proposal, not a second one
            made = replace(made, id=found.decision.id)
        log.put(made)


def _put(log: CodingLog, asked: EditAsked) -> CodedEvent:
    draft = asked.event
    if draft is None:
        raise InputError("an event to put", "none", "Send it as 'event'.")
    if asked.id:
        former = next((e for e in log.items if e.id == asked.id), None)
        if former is None:
            raise InputError("the id of an event", f"'{asked.id}'", "It was removed meanwhile, or never there.")
    elif asked.proposal:
        found = _asked_proposal(log, asked.proposal)
        former = found.decision or accepted(found.event)
    else:
        former = log.film.new_event(draft.kind, draft.onset_frame, draft.apex_frame, draft.offset_frame)
    said = draft.model_dump(exclude={"onset_frame", "apex_frame", "offset_frame"})
    apex = None if draft.kind == UNCODABLE else draft.apex_frame
    placed = log.film.placed(former, draft.onset_frame, apex, draft.offset_frame)
    return replace(placed, **said, refused=False)


def _asked_proposal(log: CodingLog, key: str) -> Proposal:
    found = next((p for p in proposals(log) if key_of(p.event) == key), None)
    if found is None:
        raise InputError("a proposal of the machine", f"'{key}'", "A newer analysis no longer makes it.")
    return found
