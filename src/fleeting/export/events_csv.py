r"""``events.csv``: one row per event, with the columns of `records.EVENT_COLUMNS`.

Comma separated, UTF-8, a header without blanks, ``\n`` line ends, a point as decimal sign whatever the locale. Regions
are joined by ``+``, the strongest first; action units and their probabilities too, the most probable first. A cell is
empty where there is no value. Rounded: seconds to microseconds, probability and confidence to 4 digits, displacement to
3.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fleeting.files import write_text
from fleeting.records import EVENT_COLUMNS, Event, Timeline

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
    return [cell(getattr(event, column), column, missing=missing) for column in columns]


def table_text(header: Sequence[str], rows: Iterable[Sequence[str]], *, separator: str = ",") -> str:
    r"""Return rows as separated text with a header and ``\n`` line ends; cells are quoted where they must be."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def write_events_csv(timeline: Timeline, folder: Path) -> list[Path]:
    """Write ``events.csv``.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    rows = (event_cells(event, EVENT_COLUMNS) for event in timeline.events)
    return [write_text(folder / "events.csv", table_text(EVENT_COLUMNS, rows))]
