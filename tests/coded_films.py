"""Films with results to code, made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from timelines import make_timeline

from fleeting.coding.films import Film
from fleeting.coding.log import CodingLog
from fleeting.export.timeline_json import write_timeline
from fleeting.records import CodedEvent, EventKind, Timeline


def make_film(folder: Path, *, faces: int = 1, uneven: bool = False, timeline: Timeline | None = None) -> Film:
    """A film of 15 s at 200 frames/s in a folder of results; `uneven` gives its frames times of no constant rate."""
    timeline = timeline or make_timeline(faces=faces, name=folder.name)
    if uneven:
        gaps = np.random.default_rng(3).uniform(3, 9, timeline.frame_count).round() / 1000
        time_s = np.cumsum(gaps) - gaps[0]
        timeline = replace(timeline, signals=tuple(replace(s, time_s=time_s) for s in timeline.signals))
        timeline = replace(timeline, duration_s=float(time_s[-1] + gaps[-1]), events=())
    write_timeline(timeline, folder / "timeline.json")
    return Film.open(folder)


def code(film: Film, coder: str, *rows: tuple[EventKind, int, int | None, int], **said: str) -> tuple[CodedEvent, ...]:
    """Put events of kind, onset, apex, offset into a coder's log."""
    return CodingLog(film, coder).put(*(replace(film.new_event(*row), **said) for row in rows))  # type: ignore[arg-type]
