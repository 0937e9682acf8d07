"""Events side by side: annotation tools allow no overlap within one tier or one behaviour."""

from __future__ import annotations

from collections.abc import Sequence

from fleeting.records import EVENT_KINDS, UNCODABLE, Event, EventKind, Timeline


def kinds_of(timeline: Timeline) -> tuple[EventKind, ...]:
    """Return the kinds that have a tier or a behaviour of their own: all, and ``uncodable`` where a coder used it."""
    return (*EVENT_KINDS, UNCODABLE) if any(e.kind == UNCODABLE for e in timeline.events) else EVENT_KINDS


def lanes(events: Sequence[Event]) -> list[tuple[Event, int]]:
    """Give every event the lowest lane, counted from 0, in which it neither overlaps nor touches another in time.

    Times are compared in whole milliseconds, as the annotation tools store them.

    Returns
    -------
    Events in order of onset, each with its lane; all 0 where no two events overlap.
    """
    ends: list[int] = []
    placed = []
    for event in sorted(events, key=lambda e: (e.onset_s, e.offset_s)):
        onset, offset = round(1000 * event.onset_s), round(1000 * event.offset_s)
        lane = next((i for i, end in enumerate(ends) if onset > end), len(ends))
        ends[lane : lane + 1] = [max(offset, onset + 1)]
        placed.append((event, lane))
    return placed
