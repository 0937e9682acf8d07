"""Signals packed for the page: at full resolution, small enough to be embedded.

Ten minutes at 200 frames/s are 120,000 samples of 15 curves. Each curve is rounded to a step far below its noise,
stored as 16-bit differences (the low bytes first, then the high bytes) and compressed with zlib, which browsers undo.
What is drawn is thinned out by the page for the part that is in view, so that zooming in shows every frame. Beyond
`MAX_SAMPLES` per page, curves are first reduced to the least and the largest value of each stretch of frames.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.labels import SEVEN_CLASSES
from fleeting.records import REGIONS, ExpressionCurve, Signals, Timeline
from fleeting.report.wording import words

MAX_SAMPLES = 40_000
GAP = -32768
"""Stands for a frame in which the face was not seen."""

TICKS_PER_S = 10_000
"""Resolution of the times."""

EYE_STEP = 0.002
SIDES = ("left_eye", "right_eye")

ROWS: dict[str, tuple[str, ...]] = {
    "Brows": ("left_brow", "right_brow", "between_brows"),
    "Lids, nose, cheeks": ("left_lid", "right_lid", "nose", "left_cheek", "right_cheek"),
    "Mouth, chin": ("left_mouth_corner", "right_mouth_corner", "upper_lip", "lower_lip", "chin"),
    "Eye opening": SIDES,
}
"""Rows of the plot and the curves in each."""


EXPRESSION_ROWS = ("disgust", "fear", "angry", "sad", "neutral", "surprise", "happy")
"""From the lowest row to the highest: what is pleasant at the top."""


def pack_face(signals: Signals, timeline: Timeline) -> dict[str, Any]:
    """Return one face's curves as a dictionary for JSON.

    ``time`` and ``curves`` are base64 of zlib-compressed bytes: (n,) int32 differences of ticks, and (curves, n) int16
    differences of steps, low bytes before high bytes; ``rows`` names the curves of each row, ``steps`` their unit,
    ``floor`` the displacement that a movement of each row had to exceed; ``speaking`` are the seconds of the first and
    last frame of each stretch of speaking; ``expression`` is that of `pack_expressions`.
    """
    values = np.concatenate([signals.motion.T, signals.eye_opening.T]).astype(np.float64)
    names = (*REGIONS, *SIDES)
    time_s, values = _reduce(
        np.asarray(signals.time_s, np.float64), values, MAX_SAMPLES // max(len(timeline.signals), 1)
    )
    steps = [*(_step(values[i], float(signals.noise[i])) for i in range(len(REGIONS))), EYE_STEP, EYE_STEP]
    codes = np.stack([_codes(row, step) for row, step in zip(values, steps, strict=True)])
    ticks = np.rint(time_s * TICKS_PER_S).astype(np.int64)
    return {
        "face": signals.face,
        "count": len(time_s),
        "names": [words(n) for n in names],
        "steps": [float(f"{s:.6g}") for s in steps],
        "rows": [{"title": title, "curves": [names.index(n) for n in members]} for title, members in ROWS.items()],
        "floor": floors(signals, timeline),
        "time": _squeeze(np.diff(ticks, prepend=0).astype("<i4").tobytes()),
        "curves": _squeeze(_bytes_apart(codes)),
        "ticksPerSecond": TICKS_PER_S,
        "speaking": [[round(t, 3) for t in span] for span in signals.speaking_spans],
        "expression": next((pack_expressions(e) for e in timeline.expressions if e.face == signals.face), None),
    }


def pack_expressions(curve: ExpressionCurve) -> dict[str, Any] | None:
    """Return the expressions of a face for JSON; None where there are fewer than two readings.

    ``time`` are seconds, ``names`` the classes from the lowest row to the highest, and ``percent`` a row for each of
    them; null stands where the face was not read for longer than usual.
    """
    if len(curve.time_s) < 2:
        return None
    step, away = curve.step_s, [False, *curve.absences.tolist()]
    time: list[float] = []
    columns: list[list[int] | None] = []
    order = [SEVEN_CLASSES.index(name) for name in EXPRESSION_ROWS]
    for at, row, absent in zip(curve.time_s.tolist(), curve.probabilities[:, order], away, strict=True):
        if absent:
            time += [time[-1] + step, at - step]
            columns += [None, None]
        time.append(at)
        columns.append(np.rint(100 * row).astype(int).tolist())
    rows = [[None if c is None else c[i] for c in columns] for i in range(len(order))]
    return {"time": [round(t, 3) for t in time], "names": list(EXPRESSION_ROWS), "percent": rows}


def floors(signals: Signals, timeline: Timeline) -> list[float | None]:
    """Smallest displacement that counted as a movement, for the noisiest region of each row; None for the eyes."""
    spotting = timeline.settings.get("spotting", {})
    threshold = spotting.get("threshold") if isinstance(spotting, dict) else None
    least = spotting.get("min_displacement_percent_iod", 0.0) if isinstance(spotting, dict) else 0.0
    floors: list[float | None] = []
    for members in ROWS.values():
        noise = [float(signals.noise[REGIONS.index(n)]) for n in members if n in REGIONS]
        noise = [v for v in noise if np.isfinite(v)]
        known = bool(noise) and isinstance(threshold, (int, float))
        floors.append(round(max(threshold * max(noise), least or 0.0), 4) if known else None)  # type: ignore[operator]
    return floors


def _step(row: npt.NDArray[np.float64], noise: float) -> float:
    """Return a quarter of the noise; more only where the 16 bits would not reach."""
    seen = row[np.isfinite(row)]
    largest = float(np.abs(seen).max()) if len(seen) else 1.0
    fine = noise / 4 if np.isfinite(noise) and noise > 0 else 0.005
    return max(fine, largest / 32000, 1e-4)


def _codes(row: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.int16]:
    seen = np.isfinite(row)
    codes = np.full(len(row), GAP, np.int16)
    codes[seen] = np.clip(np.rint(row[seen] / step), -32767, 32767).astype(np.int16)
    return codes


def _bytes_apart(codes: npt.NDArray[np.int16]) -> bytes:
    """Differences along time, wrapping at 16 bits, low bytes before high bytes: far fewer bytes after zlib."""
    wrapped = codes.view(np.uint16)
    change = wrapped.copy()
    change[:, 1:] -= wrapped[:, :-1]
    return (change & 0xFF).astype(np.uint8).tobytes() + (change >> 8).astype(np.uint8).tobytes()


def _squeeze(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 6)).decode("ascii")


def _reduce(
    time_s: npt.NDArray[np.float64], values: npt.NDArray[np.float64], limit: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Keep the least and the largest value of every stretch of frames, at the stretch's ends, where n > limit."""
    n = len(time_s)
    if n <= limit:
        return time_s, values
    stretch = -(-2 * n // limit)
    stretches = -(-n // stretch)
    padded = np.full((len(values), stretches * stretch), np.nan)
    padded[:, :n] = values
    parts = padded.reshape(len(values), stretches, stretch)
    low = np.fmin.reduce(parts, axis=2)
    high = np.fmax.reduce(parts, axis=2)
    starts = np.arange(stretches) * stretch
    ends = np.minimum(starts + stretch - 1, n - 1)
    times = np.stack([time_s[starts], time_s[ends]], axis=1).ravel()
    return times, np.stack([low, high], axis=2).reshape(len(values), -1)
