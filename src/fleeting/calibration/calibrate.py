"""How small a movement a recording can show.

Micro-expressions of known size are put into the recording itself, at moments in which nothing else happens, far apart
from each other, and the same spotter looks for them (`calibration.injected_trial`). How often it finds each size
gives a detection curve of this recording (`calibration.psychometric`). Half of the trials are spread over all sizes,
the other half over those in which a first fit says that detection becomes reliable.

What it does not know: the movements are drawn into the decoded pictures, so the camera's noise and compression are
those of the recording, but a movement that the compression would have swallowed is not swallowed here. And how many of
the events that are reported without any injection are false cannot be known from a recording that nobody has coded.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.analysis.first_look import Progress, one_opencv_thread
from fleeting.calibration import plan, words
from fleeting.calibration.quiet_moments import Quiet, find_quiet
from fleeting.calibration.trials import Told, Trials, measured_once
from fleeting.errors import FleetingWarning, InputError, NoFaceError, SettingsError, VideoError
from fleeting.metrics import wilson
from fleeting.records import Calibration, CalibrationTrial, Event, FaceTrack, Signals, Timeline
from fleeting.settings import AnalyseSettings, from_dict
from fleeting.spotting.spot import spot
from fleeting.threads import one_blas_thread
from fleeting.video.reader import open_video
from fleeting.video.stream import VideoReader

TRIALS = 120
FEWEST_TRIALS = 20
"""Fewer say next to nothing of a rate of nine in ten."""

SLOWEST_FPS = 12.0
"""Frames per second below which a short movement may fall between two frames."""

LITTLE_QUIET_S = 5.0
CURVE_POINTS = 40
BINS = 8
LEVEL = 0.9


def calibrate_video(
    path: str | Path,
    timeline: Timeline,
    *,
    trials: int = TRIALS,
    seed: int = 0,
    fps: float | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Measure how often movements of each size are found in a recording.

    Parameters
    ----------
    path
        The video that was analysed: a file, or a folder of numbered images.
    timeline
        Its analysis; the largest analysed face is calibrated, with the settings of the analysis.
    trials
        Movements to put in, one at a time.
    seed
        Of their draw. Same recording, same seed, same result.
    fps
        As for the analysis.
    progress
        Called now and then.

    Raises
    ------
    VideoError
        Where the path is no usable video, or one of too few frames a second.
    NoFaceError
        Where the analysed face is not in view.
    InputError
        Where no moment is quiet for long enough.
    SettingsError
        For fewer than `FEWEST_TRIALS` trials, or a negative seed.
    """
    check_trials(trials, seed)
    settings = from_dict(AnalyseSettings, timeline.settings)
    track = _largest(timeline, path)
    # What the reader says of the file, the analysis has said.
    with warnings.catch_warnings(action="ignore", category=FleetingWarning), _opened(path, fps) as reader:
        reader.turn(timeline.video.turn)
        told = Told(progress, timeline.frame_count, trials, reader.info.fps)
        recording = measured_once(reader, settings, track, told)
        events, signals = spot(recording.measured, settings.spotting)
        quiet = find_quiet(recording.measured, events, iod_px=track.median_iod_px)
        note = _check_quiet(quiet, recording.measured.time_s, path)
        rng = np.random.default_rng([seed, 11])
        tried = Trials(recording, quiet, rng, told)
        first = plan.log_even(*plan.PERCENT, trials - trials // 2, rng)
        tried.run(plan.draw_movements(first, rng))
        again = plan.informative(tried.fit(), plan.PERCENT)
        tried.run(plan.draw_movements(plan.log_even(*again, trials // 2, rng), rng))
    told.finish()
    if note:
        warnings.warn(note, FleetingWarning, stacklevel=2)
    found = _result(tried, timeline, track, events, signals, seed)
    return replace(found, limits=(*found.limits, note)) if note else found


@contextmanager
def _opened(path: str | Path, fps: float | None) -> Iterator[VideoReader]:
    with open_video(path, fps=fps) as reader, one_opencv_thread(), one_blas_thread():
        if reader.info.fps < SLOWEST_FPS:
            raise VideoError(
                f"at least {SLOWEST_FPS:.0f} frames/s to put short movements in",
                f"{path} with {reader.info.fps:.3g}",
                "Film at 100 frames/s or more.",
            )
        yield reader


def check_trials(trials: int, seed: int) -> None:
    """Make sure that a calibration can say something.

    Raises
    ------
    SettingsError
        For fewer than `FEWEST_TRIALS` trials, or a negative seed.
    """
    if trials < FEWEST_TRIALS or seed < 0:
        raise SettingsError(
            f"at least {FEWEST_TRIALS} trials and a seed of 0 or more", f"{trials} and {seed}", "Correct the number."
        )


def _largest(timeline: Timeline, path: str | Path) -> FaceTrack:
    analysed = {s.face for s in timeline.signals}
    tracks = [t for t in timeline.tracks if t.id in analysed]
    if not tracks:
        raise NoFaceError("a face that was analysed", f"none in the timeline of {path}", "Analyse the video again.")
    return max(tracks, key=lambda t: t.median_iod_px**2 * t.frame_count)


def _check_quiet(quiet: Quiet, time_s: npt.NDArray[np.float64], path: str | Path) -> str:
    """Return what to say where there is little quiet; raise where there is none."""
    longest = max((time_s[b] - time_s[a] for a, b in quiet.stretches), default=0.0)
    # Strictly more: a movement must have more than one place to be.
    if longest < plan.longest_s() + 0.05:
        raise InputError(
            f"a moment of {plan.longest_s() + 0.05:.2f} s in which the face is in view, still, and nothing happens",
            f"{path}, whose longest is {longest:.2f} s",
            "Choose a longer recording, or one in which the person listens for a while.",
        )
    together = sum(time_s[b] - time_s[a] for a, b in quiet.stretches)
    if together >= LITTLE_QUIET_S:
        return ""
    return (
        f"Only {together:.1f} s of the recording are quiet enough to put movements in. The trials share these few "
        "moments, so the interval says little of others. A recording of half a minute or more is better."
    )


def _result(
    tried: Trials, timeline: Timeline, track: FaceTrack, events: list[Event], signals: Signals, seed: int
) -> Calibration:
    fit, spotting = tried.fit(), tried.recording.settings.spotting
    low, high = plan.PERCENT
    level, least, most = fit.level(LEVEL)
    reached = level <= high
    level = max(level, low) if reached else np.nan
    interval = (least if low <= least <= high else np.nan, most if most <= high else np.nan)
    half = fit.level(0.5)[0]
    minutes = timeline.duration_s / 60
    per_minute = sum(e.kind == "micro" for e in events) / minutes
    sizes = np.geomspace(low, high, CURVE_POINTS)
    band = fit.band(sizes)
    rows = zip(sizes, fit.rate(sizes), *band, strict=True)
    return Calibration(
        face=track.id,
        summary=words.summary(level, interval, plan.PERCENT, per_minute),
        percent_found_9_in_10=float(level),
        interval_percent=(float(interval[0]), float(interval[1])),
        percent_found_half=float(max(half, low)) if half <= high else np.nan,
        lapse=fit.lapse,
        tried_percent=plan.PERCENT,
        curve=tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in rows),
        bins=count_bins(tried.done),
        reported_micro_per_minute=per_minute,
        quiet_share=tried.quiet.share,
        limits=words.limits(timeline.quality, signals, spotting, tried.quiet, iod_px=track.median_iod_px),
        trials=tuple(tried.done),
        seed=seed,
    )


def count_bins(trials: list[CalibrationTrial]) -> tuple[tuple[float, float, int, int, int, float, float], ...]:
    """Count trials by size, with Wilson intervals, for `Calibration.bins`; bins without trials are left out."""
    edges = np.geomspace(*plan.PERCENT, BINS + 1)
    rows = []
    for place, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        last = place == BINS - 1
        inside = [t for t in trials if low <= t.percent < high or (last and t.percent >= high)]
        if inside:
            hits = sum(t.found for t in inside)
            noticed = sum(t.noticed for t in inside)
            rows.append((float(low), float(high), len(inside), hits, noticed, *wilson(hits, len(inside))))
    return tuple(rows)
