"""What surrounds the movements: films that are mixed, played at another speed, cut to an instant, talked over.

A small set of films shows few combinations of what disturbs; sums, other speeds and other sizes of them show many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fleeting.spotting.measurements import Measurements
from fleeting.training.spotter.films import MeasuredFilm
from fleeting.training.spotter.patterns import MIRROR_CELLS

Floats = npt.NDArray[np.float64]
TimeMap = Callable[[Floats], Floats]

SPEED = (0.75, 1.35)
SIZE = (0.5, 1.6)
"""Bounds of what a real film's speed and the size of its motion are multiplied by."""

RATES = (25.0, 30.0, 50.0, 60.0, 100.0)
KEEPS_RATE = 0.5
LEAST_SECONDS, MOST_SECONDS = 3.0, 14.0

PIECE_S = (0.25, 0.8)
STILL_S = (0.5, 2.0)
"""A clip that is cut to one movement, with its first picture before it and its last one after it."""

STILL_NOISE = 0.04
MOST_DRAWS = 20


def _values(measured: Measurements, at: Floats) -> dict[str, npt.NDArray[np.float64]]:
    """Return all that is measured, at other instants, by linear interpolation."""
    names = ("displacement", "transform", "residual_px", "eye_opening", "mouth_opening", "pose")
    found = {}
    for name in names:
        values = getattr(measured, name)
        flat = values.reshape(len(values), -1).astype(np.float64)
        columns = [np.interp(at, measured.time_s, column) for column in flat.T]
        found[name] = np.stack(columns, axis=1).reshape(len(at), *values.shape[1:])
    return found


def _seen(film: MeasuredFilm) -> bool:
    """Whether one run covers the film: what is added where no face is seen would be lost."""
    run = film.measured.run
    return bool((run >= 0).all() and (run == run[0]).all())


def mixed(film: MeasuredFilm, other: MeasuredFilm, rng: np.random.Generator) -> MeasuredFilm:
    """Let two films happen at once: what moves and disturbs in the other one is added, mirrored or backwards or not."""
    if (film.measured.run < 0).any() or (other.measured.run < 0).any():
        return film
    last = float(other.measured.time_s[-1])
    backwards, flip = rng.random() < 0.5, rng.random() < 0.5

    def at(time_s: Floats) -> Floats:
        return np.clip(last - time_s if backwards else time_s, 0, last)

    rows = other.truth
    if backwards:
        rows = tuple(
            replace(r, onset_s=last - r.offset_s, apex_s=last - r.apex_s, offset_s=last - r.onset_s) for r in rows
        )
    return replace(_sum(film, other, at, flip=flip), truth=film.truth + rows)


def talked_over(film: MeasuredFilm, real: MeasuredFilm, rng: np.random.Generator) -> MeasuredFilm:
    """Put a real film's motion on top for a while, at another speed, forth and back where it is too short."""
    if (film.measured.run < 0).any() or not _seen(real):
        return film
    last, end = float(real.measured.time_s[-1]), float(film.measured.time_s[-1])
    speed, size = (float(np.exp(rng.uniform(*np.log(bounds)))) for bounds in (SPEED, SIZE))
    lasts = float(rng.uniform(0.3, 1.0)) * end
    first = float(rng.uniform(0, end - lasts))
    phase = float(rng.uniform(0, 2 * last))

    def at(time_s: Floats) -> Floats:
        turned = np.mod(phase + speed * np.clip(time_s - first, 0, lasts), 2 * last)
        return np.minimum(turned, 2 * last - turned)

    talks = ((first - 0.3, first + lasts + 0.3),) if real.talks else ()
    shown = _sum(film, real, at, flip=rng.random() < 0.5, size=size)
    return replace(shown, real=real.real, talks=film.talks + talks, kind=real.kind)


def _sum(film: MeasuredFilm, other: MeasuredFilm, at: TimeMap, *, flip: bool, size: float = 1.0) -> MeasuredFilm:
    own, theirs = film.measured, other.measured
    brought = _values(theirs, at(own.time_s))
    moved = size * (brought["displacement"] - np.median(theirs.displacement, axis=0))
    opening = brought["eye_opening"] / np.maximum(np.median(theirs.eye_opening, axis=0), 0.05)
    pose = brought["pose"] - np.median(theirs.pose, axis=0)
    if flip:
        moved = moved[:, MIRROR_CELLS] * np.array([-1.0, 1.0])
        opening, pose = opening[:, ::-1], pose * np.array([-1.0, 1.0, -1.0])
    mouth = own.mouth_opening + size * (brought["mouth_opening"] - np.median(theirs.mouth_opening))
    measured = replace(
        own,
        displacement=(own.displacement + moved).astype(np.float32),
        eye_opening=(own.eye_opening * opening).astype(np.float32),
        mouth_opening=mouth.astype(np.float32),
        pose=(own.pose + pose).astype(np.float32),
        residual_px=np.maximum(own.residual_px, brought["residual_px"]).astype(np.float32),
    )
    return replace(film, measured=measured)


def varied(film: MeasuredFilm, rng: np.random.Generator) -> MeasuredFilm:
    """Play a real film at another speed, size and rate, perhaps forth and back, with a little noise."""
    if not _seen(film):
        return film
    own = film.measured
    last = float(own.time_s[-1])
    speed, size = (float(np.exp(rng.uniform(*np.log(bounds)))) for bounds in (SPEED, SIZE))
    rate = film.fps if rng.random() < KEEPS_RATE else float(rng.choice(RATES))
    longest = min(MOST_SECONDS, (3.0 if rng.random() < 0.4 else 1.0) * last / speed)
    seconds = max(longest, LEAST_SECONDS) if rng.random() < 0.5 else longest
    phase = float(rng.uniform(0, 2 * last)) if rng.random() < 0.7 else 0.0
    time_s = np.arange(max(round(seconds * rate), 8)) / rate
    turned = np.mod(phase + speed * time_s, 2 * last)
    values = _values(own, np.minimum(turned, 2 * last - turned))
    moved = size * values["displacement"]
    noise = float(np.exp(rng.uniform(np.log(0.01), np.log(0.12))))
    moved += rng.normal(0, noise, moved.shape)
    mouth = size * (values["mouth_opening"] - np.median(own.mouth_opening)) + np.median(own.mouth_opening)
    measured = Measurements(
        face=0,
        time_s=time_s,
        run=np.zeros(len(time_s), np.int32),
        displacement=moved.astype(np.float32),
        transform=values["transform"],
        residual_px=values["residual_px"].astype(np.float32),
        eye_opening=values["eye_opening"].astype(np.float32),
        mouth_opening=mouth.astype(np.float32),
        pose=values["pose"].astype(np.float32),
    )
    talks = ((-1.0, float(time_s[-1]) + 1.0),) if film.talks else ()
    return replace(film, fps=rate, measured=measured, talks=talks)


def cut(film: MeasuredFilm, rng: np.random.Generator, *, share: float = 0.67) -> MeasuredFilm:
    """Cut a clip as data sets publish them: one movement, or none, its first and its last picture held still.

    A movement is shown with a probability of `share`, where there is one; else any instant.
    """
    if not _seen(film):
        return film
    own, micro = film.measured, film.micro()
    last = float(own.time_s[-1])
    if micro and rng.random() < share:
        onset, _, offset = micro[int(rng.integers(len(micro)))]
        first, end = onset - float(rng.uniform(0, 0.12)), offset + float(rng.uniform(0, 0.12))
    else:
        for _ in range(MOST_DRAWS):
            first = float(rng.uniform(0, max(last - PIECE_S[1], 0.01)))
            end = first + float(rng.uniform(*PIECE_S))
            # What the cut runs through is neither there nor not there.
            if not any(a < border < b for a, _, b in micro for border in (first, end)):
                break
    first, end = max(first, 0.0), min(end, last)
    before, after = (float(rng.uniform(*STILL_S)) for _ in range(2))
    period = float(np.median(np.diff(own.time_s)))
    time_s = np.arange(max(round((before + end - first + after) / period), 8), dtype=np.float64) * period
    values = _values(own, np.clip(time_s - before + first, first, end))
    noise = float(rng.uniform(0, STILL_NOISE))
    moved = values["displacement"] + rng.normal(0, noise, values["displacement"].shape)
    measured = Measurements(
        face=0,
        time_s=time_s,
        run=np.zeros(len(time_s), np.int32),
        displacement=moved.astype(np.float32),
        transform=values["transform"],
        residual_px=values["residual_px"].astype(np.float32),
        eye_opening=values["eye_opening"].astype(np.float32),
        mouth_opening=values["mouth_opening"].astype(np.float32),
        pose=values["pose"].astype(np.float32),
    )
    shift = before - first
    rows = tuple(
        replace(r, onset_s=r.onset_s + shift, apex_s=r.apex_s + shift, offset_s=r.offset_s + shift)
        for r in film.truth
        if first <= r.onset_s and r.offset_s <= end
    )
    return replace(film, measured=measured, truth=rows, talks=tuple((a + shift, b + shift) for a, b in film.talks))
