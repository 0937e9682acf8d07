"""``timeline.json``: a whole `Timeline` in one file, read back exactly.

The layout is ``fleeting-timeline/1``; its JSON schema lies beside this module (``timeline.schema.json``) and is
explained in ``docs/formats.md``. Within version 1 keys may be added, never changed: the reader ignores keys that it
does not know and takes the default for keys that are missing. JSON knows no NaN: a number without a value is null.
Arrays are stored as base64 of their zlib-compressed little-endian bytes, since ten minutes at 200 frames/s are two
million numbers; ``signals.csv.gz`` has them as a table.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt

from fleeting.errors import DataError
from fleeting.files import write_text
from fleeting.labels import SEVEN_CLASSES
from fleeting.records import (
    Calibration,
    CalibrationTrial,
    Cut,
    Event,
    ExpressionCurve,
    FaceBox,
    FaceSegment,
    FaceTrack,
    Signals,
    SystemAnswer,
    Timeline,
    UnitAnswer,
    VideoInfo,
)

SCHEMA = "fleeting-timeline/1"
_DTYPES = {"float32": "<f4", "float64": "<f8", "int32": "<i4"}

T = TypeVar("T")


def write_timeline(timeline: Timeline, path: str | Path) -> Path:
    """Write a timeline as JSON, whole or not at all.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    text = json.dumps(to_json(timeline), ensure_ascii=False, indent=1, allow_nan=False)
    return write_text(path, text + "\n")


def to_json(timeline: Timeline) -> dict[str, Any]:
    """Return a timeline as plain dictionaries, lists, strings, finite numbers and None."""
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
        "signals": [_plain(s) for s in timeline.signals],
        "cuts": [_plain(c) for c in timeline.cuts],
        "expressions": [_plain(e) | {"classes": list(SEVEN_CLASSES)} for e in timeline.expressions],
    }


def read_timeline(path: str | Path) -> Timeline:
    """Read a timeline that `write_timeline` wrote.

    In ``quality``, ``models`` and ``settings``, which have no fixed layout, tuples come back as lists, keys as strings
    and numbers without a value as None; all else is equal to what was written.

    Raises
    ------
    DataError
        Where the file is missing, is no such file, is of an unknown version, or lacks something.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError("a timeline file", f"{path} ({error.strerror})", "Check the path.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError("a timeline file", f"{path}, which is no JSON ({error})", _AGAIN) from error
    schema = values.get("schema") if isinstance(values, dict) else None
    if schema != SCHEMA:
        hint = "Read it with the version of Fleeting that wrote it, or analyse the video again."
        raise DataError(f"a timeline of the layout {SCHEMA}", f"{path} with schema {schema!r}", hint)
    try:
        return from_json(values)
    except (KeyError, TypeError, ValueError, AttributeError, zlib.error, binascii.Error) as error:
        raise DataError("a whole timeline file", f"{path}, which is damaged ({error!r})", _AGAIN) from error


_AGAIN = "Run 'fleeting analyse' on the video again."


def calibration_json(calibration: Calibration) -> dict[str, Any]:
    """Return a calibration as ``timeline.json`` has it."""
    plain: dict[str, Any] = _plain(calibration)
    return plain


def from_json(values: dict[str, Any]) -> Timeline:
    """Build a timeline from what `to_json` gave.

    Raises
    ------
    KeyError, TypeError, ValueError
        Where something is missing or of the wrong kind.
    """
    return Timeline(
        video=_record(VideoInfo, values["video"]),
        frame_count=int(values["frame_count"]),
        duration_s=float(values["duration_s"]),
        tracks=tuple(_track(v) for v in values["tracks"]),
        events=tuple(_event(v) for v in values["events"]),
        signals=tuple(_signals(v) for v in values["signals"]),
        quality=dict(values["quality"]),
        warnings=tuple(values["warnings"]),
        models=dict(values["models"]),
        settings=dict(values["settings"]),
        version=str(values["version"]),
        calibration=_calibration(values.get("calibration")),
        expressions=tuple(_expressions(v) for v in values.get("expressions", ())),
        cuts=tuple(_record(Cut, v) for v in values.get("cuts", ())),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _pack(value)
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


def _pack(array: npt.NDArray[Any]) -> dict[str, Any]:
    raw = np.ascontiguousarray(array, dtype=_DTYPES[array.dtype.name]).tobytes()
    data = base64.b64encode(zlib.compress(raw, 9)).decode("ascii")
    return {"dtype": array.dtype.name, "shape": list(array.shape), "zlib_base64": data}


def _unpack(packed: dict[str, Any]) -> npt.NDArray[Any]:
    raw = zlib.decompress(base64.b64decode(packed["zlib_base64"], validate=True))
    array = np.frombuffer(raw, dtype=_DTYPES[packed["dtype"]]).reshape(packed["shape"])
    return array.astype(packed["dtype"])  # native byte order, and writable


def _record(kind: type[T], values: dict[str, Any]) -> T:
    """Build a flat dataclass: unknown keys ignored, missing ones defaulted, null as NaN where a float is asked for."""
    hints = get_type_hints(kind)
    built = {}
    for f in fields(kind):  # type: ignore[arg-type]
        if f.name not in values:
            if f.default is MISSING and f.default_factory is MISSING:
                raise KeyError(f.name)
            continue
        value = values[f.name]
        if hints[f.name] is float:
            value = math.nan if value is None else float(value)
        built[f.name] = value
    return kind(**built)


def _event(values: dict[str, Any]) -> Event:
    systems = tuple(_record(SystemAnswer, said) for said in values.get("systems", ()))
    units = tuple(_record(UnitAnswer, said) for said in values.get("action_units", ()))
    regions = tuple(values.get("regions", ()))
    return _record(Event, {**values, "regions": regions, "systems": systems, "action_units": units})


def _track(values: dict[str, Any]) -> FaceTrack:
    box = {k: math.nan if v is None else float(v) for k, v in values["median_box"].items() if k in FaceBox._fields}
    segments = tuple(_record(FaceSegment, s) for s in values["segments"])
    return _record(FaceTrack, {**values, "segments": segments, "median_box": FaceBox(**box)})


def _calibration(values: dict[str, Any] | None) -> Calibration | None:
    if values is None:
        return None
    pairs = {k: tuple(_number(v) for v in values[k]) for k in ("interval_percent", "tried_percent")}
    tables = {k: tuple(tuple(row) for row in values[k]) for k in ("curve", "bins")}
    trials = tuple(_record(CalibrationTrial, t) for t in values["trials"])
    return _record(Calibration, {**values, **pairs, **tables, "trials": trials, "limits": tuple(values["limits"])})


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _signals(values: dict[str, Any]) -> Signals:
    return Signals(face=values["face"], **_arrays(Signals, values))


def _expressions(values: dict[str, Any]) -> ExpressionCurve:
    return ExpressionCurve(face=values["face"], **_arrays(ExpressionCurve, values))


def _arrays(kind: type[Any], values: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Unpack what a record of one face has beside the face's number."""
    return {f.name: _unpack(values[f.name]) for f in fields(kind) if f.name != "face"}
