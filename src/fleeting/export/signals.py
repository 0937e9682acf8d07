"""The curves behind the events: ``signals.csv.gz``; ``signals.csv`` and ``signals.parquet`` hold the same.

One row per face and frame: ``face, frame, time_s``, then the displacement of every region of `records.REGIONS` (percent
of the inter-ocular distance), ``left_eye_opening, right_eye_opening`` (lid distance over eye width),
``mouth_opening`` (inner lip distance over mouth width), ``yaw, pitch, roll`` (degrees), ``speaking`` (1 where the face
speaks, else 0), and the probability of every class of the whole face (``p_angry`` and so on) in the frames in which it
was read. Where the face was not seen or not
read, values are missing (null in parquet, empty in csv).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fleeting.files import atomic_path, require_parquet
from fleeting.labels import SEVEN_CLASSES
from fleeting.records import REGIONS, ExpressionCurve, Signals, Timeline

COLUMNS: tuple[str, ...] = (
    "face",
    "frame",
    "time_s",
    *REGIONS,
    "left_eye_opening",
    "right_eye_opening",
    "mouth_opening",
    "yaw",
    "pitch",
    "roll",
    "speaking",
    *(f"p_{name}" for name in SEVEN_CLASSES),
)
UNITS = {
    "time_s": "s",
    **dict.fromkeys(REGIONS, "percent of the inter-ocular distance"),
    **dict.fromkeys(("yaw", "pitch", "roll"), "degree"),
}

ROWS = 4096
"""Rows that become text at once."""

_FORMS = {
    **dict.fromkeys(("face", "frame"), "%d"),
    "speaking": "%.0f",
    "time_s": "%.9g",
    **dict.fromkeys(REGIONS, "%.3f"),
    **dict.fromkeys(("yaw", "pitch", "roll"), "%.2f"),
}
"""As many digits as `records.digits` keeps; four for what is not named."""


def signals_table(timeline: Timeline) -> Any:
    """Return the signals of all faces as a ``pyarrow.Table`` with `COLUMNS`; each column's unit is in its metadata."""
    import pyarrow as pa

    read = {curve.face: curve for curve in timeline.expressions}
    columns = [_columns(s, read.get(s.face)) for s in timeline.signals] or [_columns(_EMPTY, None)]
    fields, arrays = [], []
    for name in COLUMNS:
        values = np.concatenate([c[name] for c in columns])
        array = _array(values)
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata={"unit": UNITS[name]} if name in UNITS else None))
    about = {"fleeting_version": timeline.version, "video": timeline.video.name}
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=about))


def write_signals(timeline: Timeline, folder: Path) -> list[Path]:
    """Write ``signals.csv.gz``.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    path = folder / "signals.csv.gz"
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as raw,
        # Neither name nor time in the file: the same timeline gives the same bytes.
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as file,
    ):
        file.writelines(part.encode() for part in _csv(timeline))
    return [path]


def write_signals_csv(timeline: Timeline, folder: Path) -> list[Path]:
    """Write ``signals.csv``.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    path = folder / "signals.csv"
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.writelines(_csv(timeline))
    return [path]


def write_signals_parquet(timeline: Timeline, folder: Path) -> list[Path]:
    """Write ``signals.parquet``; each column's unit is in its metadata.

    Raises
    ------
    MissingExtraError
        Without the extra ``parquet``.
    OutputError
        Where the disk refuses.
    """
    require_parquet()
    import pyarrow.parquet as pq

    path = folder / "signals.parquet"
    with atomic_path(path) as temporary:
        pq.write_table(signals_table(timeline), temporary, compression="zstd")
    return [path]


def _csv(timeline: Timeline) -> Iterator[str]:
    """Yield the table as text, many rows at a time."""
    yield ",".join(COLUMNS) + "\n"
    read = {curve.face: curve for curve in timeline.expressions}
    form = ",".join(_FORMS.get(name, "%.4f") for name in COLUMNS) + "\n"
    for signals in timeline.signals:
        columns = _columns(signals, read.get(signals.face))
        for first in range(0, len(signals.time_s), ROWS):
            rows = np.column_stack([columns[name][first : first + ROWS].astype(np.float64) for name in COLUMNS])
            yield "".join(form % tuple(row) for row in rows.tolist()).replace("nan", "")


def _array(values: Any) -> Any:
    """Arrow array of a numpy array, missing where it is NaN; ``pyarrow.array`` would import pandas, which is slow."""
    import pyarrow as pa

    there = None
    if values.dtype.kind == "f" and np.isnan(values).any():
        there = pa.py_buffer(np.packbits(~np.isnan(values), bitorder="little").tobytes())
    data = pa.py_buffer(np.ascontiguousarray(values).tobytes())
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [there, data])


def _columns(signals: Signals, read: ExpressionCurve | None) -> dict[str, Any]:
    n = len(signals.time_s)
    shown = np.full((n, len(SEVEN_CLASSES)), np.nan, np.float32)
    if read is not None:
        shown[read.frame] = read.probabilities
    return {
        "face": np.full(n, signals.face, np.int32),
        "frame": np.arange(n, dtype=np.int32),
        "time_s": signals.time_s,
        **{name: signals.motion[:, i] for i, name in enumerate(REGIONS)},
        "left_eye_opening": signals.eye_opening[:, 0],
        "right_eye_opening": signals.eye_opening[:, 1],
        "mouth_opening": signals.mouth_opening,
        **{name: signals.pose[:, i] for i, name in enumerate(("yaw", "pitch", "roll"))},
        "speaking": np.full(n, np.nan, np.float32) if signals.speaking is None else signals.speaking,
        **{f"p_{name}": shown[:, i] for i, name in enumerate(SEVEN_CLASSES)},
    }


_EMPTY = Signals(
    face=0,
    time_s=np.zeros(0),
    motion=np.zeros((0, len(REGIONS)), np.float32),
    eye_opening=np.zeros((0, 2), np.float32),
    mouth_opening=np.zeros(0, np.float32),
    pose=np.zeros((0, 3), np.float32),
    noise=np.zeros(len(REGIONS), np.float32),
)
