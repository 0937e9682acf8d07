"""Which events of a report have a card, and in which file: a page stays under 30 MB, however many events there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fleeting.analysis.pictures import MOST_PICTURED, pictured
from fleeting.records import LID_KINDS, EventMedia, Timeline

PICTURES = ("onset", "apex", "offset", "movement", "loop", "face")
MOST_BYTES, CARD_BYTES = 22_000_000, 25_000
"""Of the cards of a page together, and of one without its pictures."""


def pages_of(timeline: Timeline, media: Mapping[int, EventMedia]) -> list[frozenset[int]]:
    """Return the places of the events with a card on each page.

    The clearest are on the report itself. Those beyond that have pictures are on further pages.
    """
    places = [i for i, e in enumerate(timeline.events) if e.kind not in LID_KINDS]
    ranked = pictured(timeline.events, places, most=len(places))
    pages = [_fitting(ranked[:MOST_PICTURED], media)]
    left = [place for place in ranked if place in media and place not in pages[0]]
    while left:
        pages.append(_fitting(left, media))
        left = [place for place in left if place not in pages[-1]]
    return pages


def page_path(path: Path, number: int) -> Path:
    """Return where a page is: the report is number 0."""
    return path.with_name(f"{path.stem}_{number + 1}{path.suffix}") if number else path


def _fitting(ranked: Sequence[int], media: Mapping[int, EventMedia]) -> frozenset[int]:
    left, fitting = MOST_BYTES, list(ranked[:1])
    for place in ranked:
        one = media.get(place)
        left -= CARD_BYTES + (0 if one is None else 4 * sum(len(getattr(one, name)) for name in PICTURES) // 3)
        if left < 0:
            break
        fitting.append(place)
    return frozenset(fitting)
