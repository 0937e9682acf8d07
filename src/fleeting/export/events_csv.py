r"""``events.csv``: one row per event, with the columns of `records.EVENT_COLUMNS`.

Comma separated, UTF-8, a header without blanks, ``\n`` line ends, a point as decimal sign whatever the locale. Regions
are joined by ``+``, the strongest first; action units and their probabilities too, the most probable first. A cell is
empty where there is no value. Rounded: seconds to microseconds, probability and confidence to 4 digits, displacement to
3. A coder's events have `records.CODED_COLUMNS` too.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fleeting.files import cell_text, write_text
from fleeting.records import CODED_COLUMNS, EVENT_COLUMNS, CodedEvent, Event, Timeline

DIGITS = {
    "onset_s": 6,
    "apex_s": 6,
    "offset_s": 6,
    "duration_s": 6,
    "probability": 4,
    "displacement_percent_iod": 3,
    "confidence": 4,
    "surrounding_probability": 4,
    "action_unit_probabilities": 4,
}
"""Decimal digits of each column in all tables."""


def cell(value: object, column: str = "", *, missing: str = "") -> str:
    """Return a table cell: rounded by its column, regions joined, `missing` for None, NaN and infinity."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return missing
    if isinstance(value, float):
        text = f"{value:.{DIGITS[column]}f}" if column in DIGITS else repr(value)
        return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
    if isinstance(value, (tuple, list)):
        return "+".join(cell(v, column) for v in value) or missing
    return str(value)


def event_cells(event: Event, columns: Sequence[str], *, missing: str = "") -> list[str]:
    """Return an event's attributes of these names as cells."""
    return [cell(_value(event, column), column, missing=missing) for column in columns]


def with_coding(columns: Sequence[str], timeline: Timeline) -> tuple[str, ...]:
    """Return the columns, and those of coders (`CODED_COLUMNS`) where the events are a coder's."""
    is_coded = any(isinstance(event, CodedEvent) for event in timeline.events)
    return tuple(dict.fromkeys((*columns, *(CODED_COLUMNS if is_coded else ()))))


def _value(event: Event, column: str) -> object:
    """Return an attribute; None for the apex where the coder set none."""
    if column in ("apex_frame", "apex_s") and isinstance(event, CodedEvent) and not event.apex_known:
        return None
    return getattr(event, column)


def table_text(header: Sequence[str], rows: Iterable[Sequence[str]], *, separator: str = ",") -> str:
    r"""Return rows as separated text with a header and ``\n`` line ends; cells are quoted where they must be."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([cell_text(text) for text in row] for row in rows)
    return buffer.getvalue()


def write_events_csv(timeline: Timeline, folder: Path) -> list[Path]:
    """Write ``events.csv``.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    columns = with_coding(EVENT_COLUMNS, timeline)
    rows = (event_cells(event, columns) for event in timeline.events)
    return [write_text(folder / "events.csv", table_text(columns, rows))]
