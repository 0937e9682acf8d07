"""Examples for the judge of candidates: measured films whose movements are known, and movements put on top of them.

Filming is slow, so each film is used many times: the displacement that an expression gave the cells of another face is
added, with another size, side and course in time, to the measured motion. What surrounds it (noise, blinks, speech,
turns of the head) stays as it was measured, of synthetic films and of real people. Of real people it is not known what
they showed: a syllable is no micro-expression, a fast grimace may be one and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fleeting.settings import SpottingSettings
from fleeting.spotting.blinks import find_closings
from fleeting.spotting.candidates import Candidate, find_candidates
from fleeting.spotting.cells import CELL_REGION
from fleeting.spotting.run_signals import Runs, RunSignals, noise_of
from fleeting.synthesis.truth import TruthRow
from fleeting.training.spotter.courses import draw_course
from fleeting.training.spotter.films import GRIMACES, MeasuredFilm, Times
from fleeting.training.spotter.patterns import LOWER, Pattern, drawn
from fleeting.training.spotter.surroundings import cut, mixed, talked_over, varied

NOTHING, MICRO, BLINK, LEFT_OUT = 0, 1, 2, -1

EDGE_SHARE = 0.15
"""A candidate shows a micro-expression where its apex lies in it, but not in this share of it at either end: there it
is left out."""

BLINK_IOU = 0.3
GAP_S = 0.25
"""Between a movement that is put on top and the ones that are there."""

MIXED = 0.6
"""Share of the variants in which two films are mixed,"""

TALKED_OVER = 0.5
"""in which the second one is a real film, where there are any,"""

CUT = 0.25
"""and which are cut to one movement."""

PEAK_PERCENT = (0.5, 5.0)
MOST_ADDED = 4
ADDED_PER_S = 0.6

SURELY_LONG_S = 0.8
"""A grimace that lasts so long is no micro-expression."""

LOWER_REGIONS = frozenset(name for name, lower in zip(CELL_REGION, LOWER, strict=True) if lower)
LIDS = ("left_lid", "right_lid")


@dataclass(frozen=True, slots=True)
class Examples:
    """Candidates with their classes.

    Attributes
    ----------
    window, scalars
        Of `spotting.candidates.Candidate`, stacked; float16 and float32.
    label
        (n,) int64: 0 nothing, 1 micro-expression, 2 blink.
    times
        (n, 3) float32 seconds from the candidate's apex to onset, apex and offset of the micro-expression; NaN where
        it is none.
    real
        (n,) name of the real film whose motion is in it, empty for none.
    """

    window: npt.NDArray[np.float16]
    scalars: npt.NDArray[np.float32]
    label: npt.NDArray[np.int64]
    times: npt.NDArray[np.float32]
    real: npt.NDArray[np.str_]

    def select(self, rows: npt.NDArray[np.bool_]) -> Examples:
        """Those rows alone."""
        return Examples(self.window[rows], self.scalars[rows], self.label[rows], self.times[rows], self.real[rows])


def with_movements(
    film: MeasuredFilm, patterns: Sequence[Pattern], rng: np.random.Generator
) -> tuple[MeasuredFilm, list[Times]]:
    """Put micro-expressions on top of a film; returns it, and when they are.

    Where somebody really talks the mouth shows none: whoever codes speech leaves it out.
    """
    time_s = film.measured.time_s
    taken = film.spans("micro") + film.spans("macro")
    displacement = film.measured.displacement.astype(np.float64)
    added: list[Times] = []
    most = min(MOST_ADDED, max(1, round(ADDED_PER_S * float(time_s[-1]))))
    for _ in range(int(rng.integers(most + 1))):
        if time_s[-1] < 1.4:
            break
        course = draw_course(rng, onset_s=float(rng.uniform(0.4, time_s[-1] - 0.9)))
        onset, _, offset = course.times
        pattern = drawn(patterns, rng)
        if any(a - GAP_S < offset and onset < b + GAP_S for a, b in taken):
            continue
        if pattern.lower and any(a < offset and onset < b for a, b in film.talks):
            continue
        peak = float(np.exp(rng.uniform(*np.log(PEAK_PERCENT))))
        displacement += peak * course(time_s)[:, None, None] * pattern.cells
        taken.append((onset, offset))
        added.append(course.times)
    measured = replace(film.measured, displacement=displacement.astype(np.float32))
    return replace(film, measured=measured), added


def candidates_of(film: MeasuredFilm, settings: SpottingSettings) -> list[tuple[RunSignals, Candidate]]:
    """All candidates of a film with their runs."""
    runs = Runs(film.measured, settings)
    noise = noise_of(runs)
    return [(run, c) for run in runs for c in find_candidates(run, noise, settings)]


def iou(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Intersection over union of two stretches of time."""
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / max(a[1] - a[0] + b[1] - b[0] - shared, 1e-9)


def span_of(run: RunSignals, candidate: Candidate) -> tuple[float, float]:
    """Onset and offset of a candidate in seconds."""
    last = len(run.grid) - 1
    return float(run.grid[candidate.movement.onset]), float(run.grid[min(candidate.movement.offset, last)])


def label_of(
    apex_s: float, span: tuple[float, float], micro: Sequence[Times], blinks: Sequence[tuple[float, float]]
) -> tuple[int, Times | None]:
    """Class of a candidate and the micro-expression that it shows; `LEFT_OUT` where that is doubtful.

    Parameters
    ----------
    apex_s, span
        The candidate's.
    micro
        Onset, apex and offset in seconds of all micro-expressions.
    blinks
        Onset and offset of all blinks.
    """
    for times in micro:
        onset, _, offset = times
        if onset <= apex_s <= offset:
            edge = EDGE_SHARE * (offset - onset)
            return (MICRO, times) if onset + edge <= apex_s <= offset - edge else (LEFT_OUT, None)
    return (BLINK if any(iou(span, b) >= BLINK_IOU for b in blinks) else NOTHING), None


def label_in_real(
    label: int, apex_s: float, span: tuple[float, float], regions: tuple[str, ...], film: MeasuredFilm
) -> int:
    """Class of a candidate where real motion is in the film, of which nobody marked anything.

    Parameters
    ----------
    label
        Of `label_of`, by the movements that are known.
    apex_s, span, regions
        The candidate's.
    film
        With what is real in it.
    """
    if not film.real:
        return label
    first = "".join(regions[:1])
    talking = any(a < apex_s < b for a, b in film.talks)
    if label == MICRO:
        # A candidate of the mouth, at the same time as a movement elsewhere, may as well be a syllable.
        return LEFT_OUT if talking and first in LOWER_REGIONS else MICRO
    if label == NOTHING and film.kind == GRIMACES and span[1] - span[0] < SURELY_LONG_S:
        return LEFT_OUT
    return label


def closings_of(run: RunSignals) -> list[tuple[float, float]]:
    """Onset and offset in seconds of what looks like a blink by the eyes' own opening."""
    last = len(run.grid) - 1
    return [
        (float(run.grid[c.onset]), float(run.grid[min(c.offset, last)]))
        for c in find_closings(run.shut, run.quick, run.period)
    ]


def variants_of(
    film: MeasuredFilm,
    films: Sequence[MeasuredFilm],
    real: Sequence[MeasuredFilm],
    patterns: Sequence[Pattern],
    rng: np.random.Generator,
) -> tuple[MeasuredFilm, list[Times]]:
    """Give a film other surroundings and more movements; returns it, and when the movements are."""
    shown = varied(film, rng) if film.real else film
    if rng.random() < MIXED and films:
        if real and not film.real and rng.random() < TALKED_OVER:
            shown = talked_over(shown, real[int(rng.integers(len(real)))], rng)
        elif not film.real:
            shown = mixed(shown, films[int(rng.integers(len(films)))], rng)
    shown, added = with_movements(shown, patterns, rng)
    if rng.random() < CUT and not shown.talks:
        rows = tuple(TruthRow("", 0, 0, 0, "micro", "", *times, "", "both", 0.0) for times in added)
        return cut(replace(shown, truth=shown.truth + rows), rng), []
    return shown, added


def examples_of(
    films: Sequence[MeasuredFilm],
    patterns: Sequence[Pattern],
    *,
    variants: int,
    seed: int,
    settings: SpottingSettings,
    real: Sequence[MeasuredFilm] = (),
    real_variants: int = 0,
) -> Examples:
    """Collect the candidates of every film as it is, and of variants with more movements.

    Parameters
    ----------
    films
        Synthetic ones.
    patterns
        Of what is put on top.
    variants, real_variants
        How often each film of both sorts is used with movements put on top, beside once as it is.
    seed
        Of all that is drawn.
    settings
        Of the spotter.
    real
        Real ones.
    """
    windows, scalars, labels, times, names = [], [], [], [], []
    for place, film in enumerate([*films, *real]):
        for variant in range((real_variants if film.real else variants) + 1):
            shown, added = film, list[Times]()
            if variant and patterns:
                shown, added = variants_of(film, films, real, patterns, np.random.default_rng([seed, place, variant]))
            micro, blinks = shown.micro() + added, shown.spans("blink")
            runs = Runs(shown.measured, settings)
            noise = noise_of(runs)
            for run in runs:
                closed = blinks + (closings_of(run) if shown.real else [])
                for candidate in find_candidates(run, noise, settings):
                    apex_s, span = float(run.grid[candidate.movement.apex]), span_of(run, candidate)
                    label, truth = label_of(apex_s, span, micro, closed)
                    label = label_in_real(label, apex_s, span, candidate.movement.regions, shown)
                    if label != LEFT_OUT:
                        windows.append(candidate.window.astype(np.float16))
                        scalars.append(candidate.scalars)
                        labels.append(label)
                        times.append([t - apex_s for t in truth] if truth else [np.nan] * 3)
                        names.append(shown.real)
    return Examples(
        np.stack(windows),
        np.stack(scalars),
        np.array(labels, np.int64),
        np.array(times, np.float32).reshape(-1, 3),
        np.array(names, str),
    )
