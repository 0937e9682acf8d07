"""``/api/films/ID/lanes`` and ``machine``: what the analysis measured and found, thinned to what a screen can show."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Query

from fleeting.export.timeline_json import event_json
from fleeting.records import REGIONS, Event, Signals, Timeline
from fleeting.report.curves import ROWS, SIDES, floors, pack_expressions
from fleeting.report.wording import words
from fleeting.web.film_library import LibraryOf

MOST_POINTS = 8000

router = APIRouter(prefix="/api/films/{film}")


@router.get("/lanes")
def lanes(
    film: str,
    library: LibraryOf,
    first: Annotated[int, Query(ge=0)] = 0,
    last: int | None = None,
    points: Annotated[int, Query(ge=2, le=MOST_POINTS)] = 2000,
    face: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """Return the curves of a face from frame `first` to `last`: the least and the largest value of each point."""
    timeline = library.coded(film).timeline
    signals = next((s for s in timeline.signals if s.face == face), None)
    shown: dict[str, Any] = {"time": [], "rows": [], "eyes": None, "expressions": None, "speaking": []}
    if signals is None:
        return shown
    stop = len(signals.time_s) if last is None else min(last + 1, len(signals.time_s))
    starts = _starts(first, stop, points)
    if len(starts) == 0:
        return shown
    low, high = _thinned(signals, starts, stop)
    names = (*REGIONS, *SIDES)
    for (title, members), floor in zip(ROWS.items(), floors(signals, timeline), strict=True):
        places = [names.index(name) for name in members]
        curves = [{"name": words(names[i]), "low": _plain(low[i]), "high": _plain(high[i])} for i in places]
        if members == SIDES:
            shown["eyes"] = {"curves": curves}
        else:
            shown["rows"].append({"title": title, "floor": floor, "curves": curves})
    curve = next((e for e in timeline.expressions if e.face == face), None)
    return shown | {
        "time": np.round(signals.time_s[starts], 6).tolist(),
        "expressions": None if curve is None else pack_expressions(curve),
        "speaking": signals.speaking_spans,
    }


@router.get("/machine")
def machine(film: str, library: LibraryOf) -> dict[str, Any]:
    """Return what the analysis found."""
    return {"events": machine_events(library.coded(film).timeline)}


def machine_events(timeline: Timeline) -> list[dict[str, Any]]:
    """Return the events of an analysis with their place in ``timeline.json``."""
    return [shown_event(event) | {"index": index} for index, event in enumerate(timeline.events)]


def shown_event(event: Event) -> dict[str, Any]:
    """Return an event for the page: as ``timeline.json`` has it, but with its units in the text form of coders."""
    return event_json(event) | {"action_units": event.action_units_text}


def _starts(first: int, stop: int, points: int) -> npt.NDArray[np.int64]:
    """First frames of the stretches that one point stands for; the same frame begins one however the view is moved."""
    step = max(-(-(stop - first) // points), 1)
    starts = np.arange(first - first % step, stop, step)
    return np.maximum(starts, first) if len(starts) else starts


def _thinned(
    signals: Signals, starts: npt.NDArray[np.int64], stop: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    values = np.concatenate([signals.motion.T, signals.eye_opening.T]).astype(np.float64)[:, :stop]
    return np.fmin.reduceat(values, starts, axis=1), np.fmax.reduceat(values, starts, axis=1)


def _plain(row: npt.NDArray[np.float64]) -> list[float | None]:
    return [round(v, 4) if v == v else None for v in row.tolist()]
