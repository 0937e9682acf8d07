"""``timeline.json``: a whole `Timeline`, read back exactly; its curves are in ``timeline.npz`` beside it.

The layout is ``fleeting-timeline/2``; its JSON schema lies beside this module (``timeline.schema.json``) and is
explained in ``docs/reference/formats.md``. Within version 2 keys may be added, never changed: the reader ignores keys
that it does not know and takes the default for keys that are missing. JSON knows no NaN: a number without a value is
null. Files of version 1 hold the curves themselves, as base64 of their zlib-compressed little-endian bytes; they are
read.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from fleeting.errors import DataError
from fleeting.export.curves_file import Curves, curves_of, curves_path, read_curves, write_curves
from fleeting.files import write_text
from fleeting.labels import SEVEN_CLASSES
from fleeting.reading import MOST_BYTES, check_size, inflate, read_json, reading
from fleeting.records import Calibration, CodedEvent, Event, FaceBox, Timeline
from fleeting.settings import LimitSettings

SCHEMA = "fleeting-timeline/2"
SCHEMAS = ("fleeting-timeline/1", SCHEMA)
"""Layouts that are read."""

_ARRAY = get_origin(npt.NDArray[np.float32])
"""What an array's type is made of: ``numpy.ndarray``, or from numpy 2.5 on an alias of its own."""

_DTYPES = {"float32": "<f4", "float64": "<f8", "int32": "<i4"}

T = TypeVar("T")


def write_timeline(timeline: Timeline, path: str | Path) -> Path:
    """Write a timeline as JSON, and its curves beside it; each file whole or not at all.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    text = json.dumps(to_json(timeline), ensure_ascii=False, indent=1, allow_nan=False)
    write_curves(timeline, curves_path(path))
    return write_text(path, text + "\n")


def to_json(timeline: Timeline) -> dict[str, Any]:
    """Return a timeline as plain dictionaries, lists, strings, finite numbers and None, without its curves."""
    return {
        "schema": SCHEMA,
        "version": timeline.version,
        "video": _plain(timeline.video),
        "frame_count": timeline.frame_count,
        "duration_s": timeline.duration_s,
        "tracks": [_plain(t) for t in timeline.tracks],
        "events": [_plain(e) for e in timeline.events],
        "warnings": list(timeline.warnings),
        "quality": _plain(timeline.quality),
        "models": _plain(timeline.models),
        "settings": _plain(timeline.settings),
        "calibration": _plain(timeline.calibration),
        "signals": [{"face": s.face} for s in timeline.signals],
        "cuts": [_plain(c) for c in timeline.cuts],
        "expressions": [{"face": e.face, "classes": list(SEVEN_CLASSES)} for e in timeline.expressions],
    }


def read_timeline(path: str | Path, *, limits: LimitSettings | None = None) -> Timeline:
    """Read a timeline that `write_timeline` wrote; its curves are mapped, and read when they are looked at.

    In ``quality``, ``models`` and ``settings``, which have no fixed layout, tuples come back as lists, keys as strings
    and numbers without a value as None; all else is equal to what was written.

    Parameters
    ----------
    path
        The file.
    limits
        How much it may unpack to.

    Raises
    ------
    DataError
        Where the file is missing, is no such file, is of an unknown version, claims to unpack to more than is allowed,
        lacks something, or holds something of another kind.
    """
    most = int((limits or LimitSettings()).unpacked_mb * 1e6)
    with reading(path, "a timeline file", _AGAIN):
        values = read_json(path, most=most, limit=UNPACKED)
    schema = values.get("schema") if isinstance(values, dict) else None
    if schema not in SCHEMAS:
        hint = "Read it with the version of Fleeting that wrote it, or analyse the video again."
        raise DataError(f"a timeline of the layout {SCHEMA}", f"{path} with schema {schema!r:.60}", hint)
    curves: Curves = {}
    if schema == SCHEMA and (values.get("signals") or values.get("expressions")):
        store = curves_path(path)
        with reading(store, f"the curves of {Path(path).name}", _AGAIN):
            curves = read_curves(store, most=most, limit=UNPACKED)
    with reading(path, "a whole timeline file", _AGAIN):
        return from_json(values, most=most, curves=curves)


UNPACKED = "limits.unpacked_mb in the settings"
_AGAIN = "Run 'fleeting analyse' on the video again."


def calibration_json(calibration: Calibration) -> dict[str, Any]:
    """Return a calibration as ``timeline.json`` has it."""
    plain: dict[str, Any] = _plain(calibration)
    return plain


def event_json(event: Event) -> dict[str, Any]:
    """Return an event, coded or not, as ``timeline.json`` has it."""
    plain: dict[str, Any] = _plain(event)
    return plain


def found_event(values: dict[str, Any]) -> Event:
    """Build an event of an analysis from what `event_json` gave.

    Raises
    ------
    KeyError, TypeError, ValueError
        Where something is missing or of the wrong kind.
    """
    return _Reader(MOST_BYTES).record(Event, values, "event")


def coded_event(values: dict[str, Any]) -> CodedEvent:
    """Build a coded event, with the proposal in it, from what `event_json` gave.

    Raises
    ------
    KeyError, TypeError, ValueError
        Where something is missing or of the wrong kind.
    """
    return _Reader(MOST_BYTES).record(CodedEvent, values, "event")


def from_json(values: dict[str, Any], *, most: int = MOST_BYTES, curves: Curves | None = None) -> Timeline:
    """Build a timeline from what `to_json` gave.

    Parameters
    ----------
    values
        Of any of `SCHEMAS`.
    most
        Bytes to which the curves of a former layout may unpack together.
    curves
        Of `curves_file.read_curves`; the timeline has none where None.

    Raises
    ------
    KeyError, TypeError, ValueError
        Where something is missing or of the wrong kind.
    """
    for name in ("tracks", "events", "signals", "quality", "warnings", "models", "settings", "version"):
        if name not in values:
            raise KeyError(name)
    if values.get("schema") == SCHEMA:
        values = {**values, **_with_curves(values, curves)}
    timeline = _Reader(most).record(Timeline, values, "timeline")
    for curve in timeline.expressions:
        if len(curve.frame) and not 0 <= curve.frame.min() <= curve.frame.max() < timeline.frame_count:
            raise ValueError(f"an expression was read in a frame beyond the {timeline.frame_count} of the video")
    return timeline


def _with_curves(values: dict[str, Any], curves: Curves | None) -> dict[str, Any]:
    if curves is None:
        return {"signals": [], "expressions": []}
    return {
        "signals": [curves_of(curves, f"{entry['face']}/") | entry for entry in values["signals"]],
        "expressions": [
            curves_of(curves, f"expressions/{entry['face']}/") | entry for entry in values.get("expressions", [])
        ],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, FaceBox):
        return {k: _plain(v) for k, v in value._asdict().items()}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)  # paths and the like in free-form parts


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


class _Reader:
    """Builds records from plain values, after the types of their fields.

    Unknown keys are ignored, missing ones defaulted, and null is NaN where a float is asked for.
    """

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def record(self, kind: type[T], values: Any, where: str) -> T:
        """Build a dataclass or named tuple."""
        if not isinstance(values, dict):
            raise TypeError(f"{where} is no table")
        hints = _hints(kind)  # type: ignore[arg-type]  # a class is hashable
        return kind(**{n: self._fitted(h, values[n], f"{where}.{n}") for n, h in hints.items() if n in values})

    def _fitted(self, hint: Any, value: Any, where: str) -> Any:
        kinds = get_args(hint)
        origin = get_origin(hint)
        if origin in (Union, UnionType):
            return None if value is None else self._fitted(kinds[0], value, where)
        if origin is _ARRAY:
            return value if isinstance(value, np.ndarray) else self._unpacked(value, where)
        if origin is tuple and isinstance(value, list):
            each = [kinds[0]] * len(value) if kinds[1:] == (...,) else kinds
            return tuple(self._fitted(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(each, value, strict=True)))
        if origin is dict and isinstance(value, dict):
            return {key: self._fitted(kinds[1], v, f"{where}.{key}") for key, v in value.items()}
        if isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, tuple)):
            coded = hint is Event and isinstance(value, dict) and "origin" in value
            return self.record(CodedEvent if coded else hint, value, where)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if hint is float and (number or value is None):
            return math.nan if value is None else float(value)
        same = hint is Any or (origin is Literal and value in kinds)
        same = same or (origin is None and isinstance(hint, type) and isinstance(value, hint))
        if not same or (hint is int and not number):
            raise TypeError(f"{where} is {value!r:.40}")
        return value

    def _unpacked(self, packed: Any, where: str) -> npt.NDArray[Any]:
        dtype = np.dtype(_DTYPES[packed["dtype"]])
        shape = tuple(int(length) for length in packed["shape"])
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size < 0:
            raise ValueError(f"{where} has the shape {shape}")
        self._left -= size
        check_size(UNPACKED, self._most - self._left, self._most)
        raw = inflate(base64.b64decode(packed["zlib_base64"], validate=True), size)
        return np.frombuffer(raw, dtype=dtype).reshape(shape).astype(packed["dtype"])  # native order, and writable
