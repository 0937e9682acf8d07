"""Blinks and winks: eyes that close and soon open again.

How far an eye is shut is told against how far this person's eyes are open over a minute or so, not over the last two
seconds: who squints, smiles or sleeps for long would otherwise count as open. A closing has to rise out of what is
around it, too, so that eyes that are shut, and stay so, do not blink. What is left is described by a few numbers (how
deep each eye, how long, how fast, what each lid does, what the judge of candidates says), and a logistic model says how
probable a blink, a wink, or neither is. The landmark network reads both eyes alike, so that the side of a wink,
and much of the difference to a squint, is seen in the motion of the upper lids.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fleeting.spotting.cells import cells_of
from fleeting.spotting.rest import Array, Real, robust_deviation

Span = tuple[int, int, int]
"""Onset, apex and offset samples."""

USUAL_PERCENTILE = 90.0
USUAL_WINDOW_S, USUAL_STEP_S = 60.0, 5.0
LEAST_OF_USUAL = 0.6
"""Share of the whole recording's open eye below which no minute's is believed: then the eyes are shut most of it."""

LEAST_USUAL = 0.15
SHUT = 0.07
"""Lid distance over eye width that the landmark network reads from shut eyes (0.05 to 0.1 in real films)."""

LEAST_RISE = 0.1
"""Share of the way from open to shut by which a closing stands out of what is around it."""

LID_UNIT = 5.0
"""Percent of the inter-ocular distance that a lid comes down, give or take, when an eye closes."""

EDGE = 0.15
"""Share of its rise that a closing has reached at onset, and still has at offset."""

AGAIN = 0.3
"""Where a signal has fallen and climbs again by so much of the fall, the next closing begins."""

NEAR_S, NOISE_LAG_S = 0.05, 0.03
LONGEST_S = 0.8
"""A blink takes 0.1 to 0.4 s (Stern et al., "The endogenous eyeblink", Psychophysiology 21, 1984); slow ones twice
that. Longer closures are closed eyes, not blinks."""

RISE_OF_NOISE, DOWN_OF_NOISE = 6.0, 8.0
"""In units of the noise: lids that flutter in the landmarks alone do not blink."""

LEAST_DOWN = 0.8
"""Percent of the inter-ocular distance by which both lids come down, where the eyes close less than `LEAST_RISE`."""

LEAST_PROBABILITY = 0.5
BOTH_SHUT = 0.65
"""A wink leaves the other eye more open than this."""

SURE = 0.5
"""Probability of a blink from which on the judge is a witness."""

_LIDS = [cells_of(name) for name in ("left_lid", "right_lid")]


class _Eyes(NamedTuple):
    """Signals of a run (m, 2): both eyes, both lids downwards; and the noise of each."""

    shut: Array
    lids: Array
    noise: tuple[float, float]

    @property
    def least_down(self) -> float:
        """Percent by which lids come down that are no noise."""
        return max(LEAST_DOWN, DOWN_OF_NOISE * self.noise[1])


class Closing(NamedTuple):
    """A blink, or a wink of the person's left or right eye: samples of its run, and how probable it is."""

    onset: int
    apex: int
    offset: int
    side: Literal["both", "left", "right"]
    confidence: float

    @property
    def lids(self) -> tuple[str, ...]:
        """Regions of the lids that close."""
        return ("left_lid", "right_lid") if self.side == "both" else (f"{self.side}_lid",)


def least_opening(eye_opening: npt.NDArray[np.floating]) -> Array:
    """How far each eye is open at least when it is open, (2,), whatever a minute of the recording shows.

    Parameters
    ----------
    eye_opening
        (n, 2) of all frames of the video; NaN where there is no face.
    """
    opening = eye_opening[np.isfinite(eye_opening).all(axis=1)]
    return np.asarray(np.maximum(LEAST_OF_USUAL * np.percentile(opening, USUAL_PERCENTILE, axis=0), LEAST_USUAL))


def usual_opening(eye_opening: npt.NDArray[np.floating], time_s: Array, at_s: Array, least: Array) -> Array:
    """How far each eye is open when it is open, (m, 2), at instants `at_s`.

    Parameters
    ----------
    eye_opening
        (n, 2) of all frames within half of `USUAL_WINDOW_S` of the instants, or more; NaN where there is no face.
    time_s
        (n,) seconds.
    at_s
        (m,) seconds, at which a face was seen.
    least
        (2,) of `least_opening`.
    """
    seen = np.isfinite(eye_opening).all(axis=1)
    opening, times = np.asarray(eye_opening[seen], np.float64), time_s[seen]
    places = np.arange(at_s[0], at_s[-1] + USUAL_STEP_S, USUAL_STEP_S)
    first = np.searchsorted(times, np.minimum(places, at_s[-1]) - USUAL_WINDOW_S / 2)
    last = np.searchsorted(times, np.minimum(places, at_s[-1]) + USUAL_WINDOW_S / 2, "right")
    known = last > first  # nothing is known in a gap between two frames, as damaged timestamps make them
    places, first, last = places[known], first[known], last[known]
    usual = [np.percentile(opening[a:b], USUAL_PERCENTILE, axis=0) for a, b in zip(first, last, strict=True)]
    between = np.stack([np.interp(at_s, places, column) for column in np.array(usual).T], axis=1)
    return np.asarray(np.maximum(between, least))


def shutness(eye_opening: Real, usual: Array) -> Array:
    """Share of the way from open as usual (0, or less) to shut (1, or more) of each eye, (m, 2)."""
    return np.asarray((usual - eye_opening) / (usual - SHUT))


def find_closings(
    shut: Array, place: Real, period_s: float, judged: Sequence[tuple[Span, float]] = ()
) -> list[Closing]:
    """Find blinks and winks of a run, in order.

    Parameters
    ----------
    shut
        (m, 2) of `shutness`, lightly smoothed.
    place
        (m, c, 2) displacement of every cell against its rest, percent of the inter-ocular distance.
    period_s
        Seconds between samples.
    judged
        The judge's candidates: onset, apex and offset, and the probability of a blink.
    """
    found: list[Closing] = []
    spans, features, more = describe(shut, place, period_s, judged)
    for span, row, chances, left in zip(spans, features, probabilities(features), more, strict=True):
        if row[0] >= BOTH_SHUT:
            chances = np.array([chances[0], chances[1] + chances[2], 0.0])
        kind = int(np.argmax(chances))
        if kind and chances[kind] >= LEAST_PROBABILITY:
            side: Literal["both", "left", "right"] = "both" if kind == 1 else "left" if left > 0 else "right"
            found.append(Closing(*span, side, float(chances[kind])))
    kept: list[Closing] = []
    for closing in sorted(found, key=lambda c: -c.confidence):
        if all(closing.offset < k.onset or k.offset < closing.onset for k in kept):
            kept.append(closing)
    return sorted(kept)


def probabilities(features: Array) -> Array:
    """Probabilities (n, 3) of neither, blink and wink, from the features (n, f) of `describe`."""
    centre, spread, weights, bias = _model()
    logits = ((features - centre) / spread) @ weights + bias
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


@lru_cache(maxsize=1)
def _model() -> tuple[Array, ...]:
    """Centre and spread of the features, weights (f, 3) and bias (3,): ``blinks.json`` says how they were fitted."""
    stored = json.loads(resources.files("fleeting.spotting").joinpath("blinks.json").read_text(encoding="utf-8"))
    return tuple(np.array(stored[name], np.float64) for name in ("centre", "spread", "weights", "bias"))


def describe(
    shut: Array, place: Real, period_s: float, judged: Sequence[tuple[Span, float]] = ()
) -> tuple[list[Span], Array, Array]:
    """Everything that may be a closing, its features (n, f), and how much more the left eye closes (n,)."""
    lids = np.stack([place[:, cells, 1].mean(axis=1) for cells in _LIDS], axis=1).astype(np.float64)
    both, down = shut.mean(axis=1), lids.mean(axis=1)
    eyes = _Eyes(shut, lids, (max(_noise(both, period_s), 1e-3), _noise(down, period_s)))
    signals = (both, shut[:, 0], shut[:, 1], down / LID_UNIT)
    found: list[tuple[Span, list[float], float]] = []
    for spans in ({s for signal in signals for s in _rises(signal, period_s)}, {s for s, p in judged if p >= SURE}):
        free = [s for s in sorted(spans) if all(s[2] < f[0][0] or f[0][2] < s[0] for f in found)]
        for span in free:
            if (span[2] - span[0] + 1) * period_s <= LONGEST_S and span[0] < span[1] < span[2]:
                row = _features(span, eyes, period_s, judged)
                found += [] if row is None else [(span, *row)]
    rows = np.array([row for _, row, _ in found], np.float64).reshape(-1, len(FEATURES))
    return [span for span, _, _ in found], rows, np.array([more for _, _, more in found])


FEATURES = (
    "depth of the less shut eye",
    "depth of the eye with the lower lid beyond the other",
    "rise of the less shut eye",
    "rise of the eye with the lower lid beyond the other",
    "shut before or after",
    "duration",
    "speed",
    "lids down alike",
    "lids apart",
    "judge says blink",
)


def _features(
    span: Span, eyes: _Eyes, period_s: float, judged: Sequence[tuple[Span, float]]
) -> tuple[list[float], float] | None:
    """Features of a span, and by how much the left eye closes more; None where it may be noise."""
    first, apex, last = span
    reach = round(NEAR_S / period_s)
    near = slice(max(apex - reach, first), min(apex + reach, last) + 1)
    depth = eyes.shut[near].max(axis=0)
    borders = np.maximum(eyes.shut[first], eyes.shut[last])
    rise = depth - borders
    part = slice(first, last + 1)
    down = eyes.lids[part].max(axis=0) - np.maximum(eyes.lids[first], eyes.lids[last])
    blink = max((chance for (a, _, b), chance in judged if a <= apex <= b), default=0.0)
    stands_out = rise.mean() >= RISE_OF_NOISE * eyes.noise[0] or down.max() >= eyes.least_down
    # A half blink that the landmarks hardly see needs two other witnesses.
    closes = stands_out if rise.mean() >= LEAST_RISE else down.min() >= eyes.least_down and blink >= SURE
    if not closes:
        return None
    side = 0 if down[0] > down[1] else 1
    row = [
        float(np.clip(depth.min(), -0.5, 1.1)),
        float(np.clip(depth[side] - depth[1 - side], -0.5, 0.5)),
        float(np.clip(rise.min(), -0.5, 1.1)),
        float(np.clip(rise[side] - rise[1 - side], -0.5, 0.5)),
        float(np.clip(borders.mean(), 0, 1.1)),
        float(np.log((last - first) * period_s / 0.25)),
        float(np.clip(rise.mean() / max((apex - first) * period_s, 0.04), 0, 8)),
        float(np.arcsinh(max(down.min(), 0))),
        float(np.arcsinh(np.ptp(down))),
        blink,
    ]
    return row, float(depth[0] - depth[1] + (down[0] - down[1]) / LID_UNIT)


def _noise(signal: Array, period_s: float) -> float:
    """Deviation of a signal's noise, from differences over a short time, since a smile narrows the eyes for seconds."""
    lag = max(1, round(NOISE_LAG_S / period_s))
    return float(robust_deviation(signal[lag:] - signal[:-lag]) / np.sqrt(2)) if len(signal) > lag else 0.0


def _rises(signal: Array, period_s: float) -> list[Span]:
    """Onset, apex and offset of all that rises out of what is before and after it."""
    found = []
    reach, near = round(LONGEST_S / period_s), max(1, round(NEAR_S / period_s))
    for apex in (np.flatnonzero((signal[1:-1] > signal[:-2]) & (signal[1:-1] >= signal[2:])) + 1).tolist():
        if signal[apex] < signal[max(0, apex - near) : apex + near + 1].max():
            continue
        before, after = _foot(signal, apex, -1, reach), _foot(signal, apex, 1, reach)
        if signal[apex] - max(signal[before], signal[after]) >= LEAST_RISE:
            found.append((_edge(signal, apex, before, -1), apex, _edge(signal, apex, after, 1)))
    return found


def _foot(signal: Array, apex: int, step: int, reach: int) -> int:
    """Lowest sample on one side of an apex, before the signal climbs again."""
    lowest = at = apex
    while 0 <= at + step < len(signal) and abs(at + step - apex) <= reach:
        at += step
        if signal[at] < signal[lowest]:
            lowest = at
        fall = signal[apex] - signal[lowest]
        if fall >= LEAST_RISE and signal[at] - signal[lowest] > AGAIN * fall:
            break
    return lowest


def _edge(signal: Array, apex: int, foot: int, step: int) -> int:
    """First sample, seen from the apex, at which the signal is down to its edge."""
    border = signal[foot] + EDGE * (signal[apex] - signal[foot])
    at = apex
    while at != foot and signal[at] > border:
        at += step
    return at
