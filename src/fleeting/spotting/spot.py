"""Spotting: from the measurements of one face to its micro-expressions, macro-expressions and blinks.

The physical criteria: a movement is local (the head's motion is removed), stands out of this recording's own noise,
returns to rest, and lasts at most half a second (micro-expression) or longer (macro-expression). All settings are in
seconds, in units of the noise, or in percent of the inter-ocular distance, so that they hold at any frame rate and
face size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleeting.records import REGIONS, Event, EventKind, Signals
from fleeting.settings import SpottingSettings
from fleeting.spotting.blinks import closure, find_blinks
from fleeting.spotting.cells import CELL_REGION, cells_of
from fleeting.spotting.events import Movement, find_movements
from fleeting.spotting.measurements import Measurements
from fleeting.spotting.rest import Array, resample, robust_deviation, running_median, smooth, uniform_times

MICRO_REST_S = 1.3
"""Window of the rest position for micro-expressions: more than twice the longest one."""

NOISE_FLOOR = 0.04
"""Percent of the inter-ocular distance: no flow is more exact than this, however quiet the recording."""

SLOW_NOISE = 3.0
SLOW_NOISE_FLOOR = 0.25
"""Percent of the inter-ocular distance: what is left of the turns of the head over some seconds."""

BEGINNING_S = 0.2
"""Of a recording too short for a running median, the beginning is taken for rest: so clips of expressions are cut."""

BLINK_MARGIN_S = 0.08
LIDS = [c for name in ("left_lid", "right_lid") for c in cells_of(name)]
NEAR_EYES = [
    c
    for name in ("left_brow", "right_brow", "between_brows", "nose", "left_cheek", "right_cheek")
    for c in cells_of(name)
]


class _Run:
    """Evenly spaced signals of one run."""

    def __init__(self, measured: Measurements, frames: slice, settings: SpottingSettings) -> None:
        self.first = frames.start
        self.time_s = measured.time_s[frames]
        self.grid = uniform_times(self.time_s)
        self.period = float(np.median(np.diff(self.time_s)))
        sigma = settings.smoothing_s / self.period
        place = resample(measured.displacement[frames], self.time_s, self.grid)
        self.place = smooth(place, sigma)
        self.quick = self.place - running_median(self.place, self.period, MICRO_REST_S)
        self.slow = self.place - _long_rest(self.place, self.period, 2 * settings.max_macro_s)
        eyes = resample(measured.eye_opening[frames], self.time_s, self.grid)
        self.closed = smooth(closure(eyes, self.period), sigma / 2)
        lids = [self.quick[:, cells_of(name), 1].mean(axis=1) for name in ("left_lid", "right_lid")]
        self.blinks = find_blinks(self.closed, np.stack(lids, axis=1), self.period)
        residual = resample(measured.residual_px[frames], self.time_s, self.grid)
        usual = max(float(np.median(residual)), 0.02)
        self.unrest = np.maximum(1.0, residual / (1.5 * usual))

    def frame(self, sample: int) -> int:
        """Frame of the video that is nearest in time to a sample."""
        return int(self.first + np.argmin(np.abs(self.time_s - self.grid[min(sample, len(self.grid) - 1)])))

    def open_to(self) -> npt.NDArray[np.float64]:
        """(n, c) how far each cell may raise an event: a blink moves the lids and drags the skin around them."""
        allowed = np.ones((len(self.grid), len(CELL_REGION)))
        margin = round(BLINK_MARGIN_S / self.period)
        lids = np.linalg.norm(self.quick[:, LIDS], axis=2).max(axis=1)
        for onset, _, offset in self.blinks:
            span = slice(max(0, onset - margin), offset + margin + 1)
            allowed[span, LIDS] = 0.0
            dragged = np.linalg.norm(self.quick[span][:, NEAR_EYES], axis=2) < 0.6 * lids[span].max()
            block = allowed[span]
            block[:, NEAR_EYES] = np.where(dragged, 0.0, 1.0)
        return allowed


def spot(measured: Measurements, settings: SpottingSettings | None = None) -> tuple[list[Event], Signals]:
    """Find all events of one face.

    Parameters
    ----------
    measured
        The face over the whole video.
    settings
        See `settings.SpottingSettings`.

    Returns
    -------
    events
        In order of onset; emotion not yet recognised.
    signals
        Curves of the report.
    """
    settings = settings or SpottingSettings()
    runs = [_Run(measured, s, settings) for s in measured.runs() if s.stop - s.start >= 4]
    runs = [r for r in runs if r.grid[-1] - r.grid[0] >= 2 * settings.min_duration_s]
    noise = _noise([r.quick for r in runs])
    # Rest itself wanders over seconds; how far cannot be read from the signal, where expressions last as long.
    slow_noise = np.maximum(SLOW_NOISE * noise, SLOW_NOISE_FLOOR)
    events: list[Event] = []
    motion = np.full((len(measured.time_s), len(REGIONS)), np.nan, np.float32)
    for run in runs:
        shown = resample(_of_regions(np.linalg.norm(run.slow, axis=2)), run.grid, run.time_s)
        motion[run.first : run.first + len(run.time_s)] = shown
        for kind, movement in _movements(run, noise, slow_noise, settings):
            events.append(_event(measured, run, kind, movement, settings))
        events += [_blink(measured, run, blink) for blink in run.blinks]
    events.sort(key=lambda e: (e.onset_frame, e.offset_frame))
    signals = Signals(
        face=measured.face,
        time_s=measured.time_s,
        motion=motion,
        eye_opening=measured.eye_opening,
        mouth_opening=measured.mouth_opening,
        pose=measured.pose,
        noise=_of_regions(noise[None])[0].astype(np.float32),
    )
    return events, signals


def _of_regions(values: Array) -> Array:
    """Largest value of each region's cells, (n, c) to (n, r)."""
    return np.stack([values[:, cells_of(name)].max(axis=1) for name in REGIONS], axis=1)


def _long_rest(place: Array, period_s: float, window_s: float) -> Array:
    """Rest for macro-expressions: the running median where the run is long enough to know it, else its beginning."""
    if len(place) * period_s >= window_s:
        return running_median(place, period_s, window_s)
    first = place[: max(1, round(BEGINNING_S / period_s))]
    return np.broadcast_to(np.median(first, axis=0), place.shape)


def _noise(deviations: list[Array]) -> Array:
    """(c,) the recording's own noise of one component of each cell, over all runs together."""
    if not deviations:
        return np.full(len(CELL_REGION), np.nan)
    together = np.concatenate(deviations)
    return np.asarray(np.maximum(robust_deviation(together).mean(axis=1), NOISE_FLOOR), np.float64)


def _movements(
    run: _Run, noise: Array, slow_noise: Array, settings: SpottingSettings
) -> list[tuple[EventKind, Movement]]:
    open_to = run.open_to()
    limits = {
        "period_s": run.period,
        "threshold": settings.threshold,
        "min_peak": settings.min_displacement_percent_iod,
    }
    quick = find_movements(run.quick, noise * run.unrest[:, None], open_to=open_to, **limits)
    slow = find_movements(run.slow, slow_noise * run.unrest[:, None], open_to=open_to, **limits)
    least = settings.min_duration_s / run.period
    # Half a second at 30 frames/s is 15 periods; an event's frames may round to one more.
    most = settings.max_micro_s / run.period + 1
    # Of a movement that the recording cuts off, the duration is not known: it may be called long, never short.
    micro = [m for m in quick if least <= len(m) <= most + 1 and m.begins and m.ends]
    macro = [m for m in slow if most + 1 < len(m) <= settings.max_macro_s / run.period and m.begins]
    long = [m for m in quick if most + 1 < len(m) and m.begins and m.ends]
    macro += [m for m in long if not any(m.overlap(a) for a in macro)]
    return _told_apart(micro, macro)


def _told_apart(micro: list[Movement], macro: list[Movement]) -> list[tuple[EventKind, Movement]]:
    """Report what was found on both scales of time once."""
    # A long movement that peaks in a short one is that one, on top of a wandering rest.
    macro = [a for a in macro if not any(m.onset <= a.apex <= m.offset and m.peak >= 0.5 * a.peak for m in micro)]
    # A short one within a long, larger one is an unevenness of it.
    micro = [m for m in micro if not any(m.overlap(a) > 0.5 * len(m) and m.peak < 0.7 * a.peak for a in macro)]
    found: list[tuple[EventKind, Movement]] = [("micro", m) for m in micro]
    return [*found, *(("macro", a) for a in macro)]


def _event(measured: Measurements, run: _Run, kind: EventKind, movement: Movement, settings: SpottingSettings) -> Event:
    onset, apex, offset = (run.frame(s) for s in (movement.onset, movement.apex, movement.offset))
    time_s = measured.time_s
    ratio = (movement.score / settings.threshold) ** 2
    return Event(
        face=measured.face,
        kind=kind,
        onset_frame=onset,
        apex_frame=apex,
        offset_frame=offset,
        onset_s=float(time_s[onset]),
        apex_s=float(time_s[apex]),
        offset_s=float(time_s[offset]),
        regions=movement.regions,
        displacement_percent_iod=movement.peak,
        confidence=ratio / (1.0 + ratio),
    )


def _blink(measured: Measurements, run: _Run, samples: tuple[int, int, int]) -> Event:
    onset, apex, offset = (run.frame(s) for s in samples)
    time_s = measured.time_s
    lids = np.linalg.norm(run.quick[samples[0] : samples[2] + 1][:, LIDS], axis=2)
    return Event(
        face=measured.face,
        kind="blink",
        onset_frame=onset,
        apex_frame=apex,
        offset_frame=offset,
        onset_s=float(time_s[onset]),
        apex_s=float(time_s[apex]),
        offset_s=float(time_s[offset]),
        regions=("left_lid", "right_lid"),
        displacement_percent_iod=float(lids.max()),
        confidence=float(np.clip(run.closed[samples[1]].min(), 0.0, 1.0)),
    )
