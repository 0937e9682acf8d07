"""Examples for the judge of candidates: measured films whose movements are known, and movements put on top of them.

Filming is slow, so each film is used many times: the displacement that an expression gave the cells of another film's
face is added, with another size, side and course in time, to the measured motion. What surrounds it (noise, blinks,
speech, turns of the head) stays as it was measured.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.errors import DataError
from fleeting.records import REGIONS
from fleeting.settings import SpottingSettings
from fleeting.spotting.candidates import Candidate, find_candidates
from fleeting.spotting.cells import CELL_REGION, cells_of, columns_and_rows
from fleeting.spotting.measurements import Measurements
from fleeting.spotting.run_signals import RunSignals, noise_of, runs_of
from fleeting.synthesis.face import profile
from fleeting.synthesis.truth import TruthRow, read_truth

Times = tuple[float, float, float]

NOTHING, MICRO, BLINK, LEFT_OUT = 0, 1, 2, -1

EDGE_SHARE = 0.15
"""A candidate shows a micro-expression where its apex lies in it, but not in this share of it at either end: there it
is left out."""

BLINK_IOU = 0.3
CLEAR = 10.0
"""An expression serves as a pattern where it stood out of the noise so far."""

GAP_S = 0.25
"""Between a movement that is put on top and the ones that are there."""

MIXED = 0.6
"""Share of the variants in which two films are mixed."""

PEAK_PERCENT = (0.6, 5.0)
MOST_ADDED = 4


@dataclass(frozen=True, slots=True)
class MeasuredFilm:
    """A film's measurements, its truth, and where it is from."""

    number: str
    kind: str
    fps: float
    person: str
    measured: Measurements
    truth: tuple[TruthRow, ...]

    def spans(self, kind: str) -> list[tuple[float, float]]:
        """Onset and offset in seconds of all movements of a kind."""
        return [(r.onset_s, r.offset_s) for r in self.truth if r.kind == kind]

    def micro(self) -> list[Times]:
        """Onset, apex and offset in seconds of all micro-expressions."""
        return [(r.onset_s, r.apex_s, r.offset_s) for r in self.truth if r.kind == "micro"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Displacement (c, 2) of every cell per unit of an expression's peak, percent of the inter-ocular distance."""

    cells: npt.NDArray[np.float64]

    def mirrored(self) -> Pattern:
        """Return the pattern of the other side of the face."""
        flipped = self.cells[MIRROR_CELLS] * np.array([-1.0, 1.0])
        return Pattern(flipped)


@dataclass(frozen=True, slots=True)
class Examples:
    """Candidates with their classes.

    Attributes
    ----------
    window, scalars
        Of `spotting.candidates.Candidate`, stacked.
    label
        (n,) int64: 0 nothing, 1 micro-expression, 2 blink.
    times
        (n, 3) float32 seconds from the candidate's apex to onset, apex and offset of the micro-expression; NaN where
        it is none.
    """

    window: npt.NDArray[np.float32]
    scalars: npt.NDArray[np.float32]
    label: npt.NDArray[np.int64]
    times: npt.NDArray[np.float32]


def load_films(folder: Path) -> list[MeasuredFilm]:
    """Read what ``benchmarks/spotting_measurements.py`` has written."""
    table = folder / "films.csv"
    if not table.exists():
        raise DataError(
            f"measured films in {folder}",
            "no films.csv",
            f"Make them first: python benchmarks/spotting_measurements.py --out {folder}",
        )
    films = []
    with table.open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            path = folder / f"{row['number']}.npz"
            with np.load(path) as stored:
                fields = {name: stored[name] for name in Measurements.__dataclass_fields__}
            measured = Measurements(**{**fields, "face": int(fields["face"])})
            truth = tuple(read_truth(folder / f"{row['number']}.csv"))
            films.append(MeasuredFilm(row["number"], row["kind"], float(row["fps"]), row["person"], measured, truth))
    return sorted(films, key=lambda f: f.number)


def patterns_of(films: Sequence[MeasuredFilm], settings: SpottingSettings) -> list[Pattern]:
    """Take a pattern from every micro-expression that is seen clearly."""
    found = []
    for film in films:
        rows = [r for r in film.truth if r.kind == "micro" and r.peak_percent_iod > 0]
        runs = runs_of(film.measured, settings) if rows else []
        noise = noise_of(runs)
        for row in rows:
            for run in runs:
                at = int(np.argmin(np.abs(run.grid - row.apex_s)))
                blinks = any(a < row.offset_s and row.onset_s < b for a, b in film.spans("blink"))
                if not run.grid[0] <= row.onset_s <= row.offset_s <= run.grid[-1] or blinks:
                    continue
                moved = run.quick[at]
                if (np.linalg.norm(moved, axis=1) / noise).max() >= CLEAR:
                    found.append(Pattern(moved / row.peak_percent_iod))
    return found


def with_movements(
    film: MeasuredFilm, patterns: Sequence[Pattern], rng: np.random.Generator
) -> tuple[MeasuredFilm, list[Times]]:
    """Put micro-expressions on top of a film; returns it, and when they are."""
    time_s = film.measured.time_s
    taken = film.spans("micro") + film.spans("macro")
    displacement = film.measured.displacement.astype(np.float64)
    added: list[Times] = []
    for _ in range(int(rng.integers(MOST_ADDED + 1))):
        drawn = profile.draw("micro", rng, onset_s=float(rng.uniform(0.4, time_s[-1] - 0.9)), range_s=(0.15, 0.5))
        if any(a - GAP_S < drawn.offset_s and drawn.onset_s < b + GAP_S for a, b in taken):
            continue
        pattern = patterns[int(rng.integers(len(patterns)))]
        pattern = pattern.mirrored() if rng.random() < 0.5 else pattern
        peak = float(np.exp(rng.uniform(*np.log(PEAK_PERCENT))))
        course = np.array([drawn(float(t)) for t in time_s])
        displacement += peak * course[:, None, None] * pattern.cells
        taken.append((drawn.onset_s, drawn.offset_s))
        added.append((drawn.onset_s, drawn.apex_s, drawn.offset_s))
    measured = replace(film.measured, displacement=displacement.astype(np.float32))
    return replace(film, measured=measured), added


def mixed(film: MeasuredFilm, other: MeasuredFilm, rng: np.random.Generator) -> MeasuredFilm:
    """Let two films happen at once: what moves and disturbs in the other one is added, perhaps mirrored or backwards.

    A small set of films shows few combinations of what disturbs; sums of two show many.
    """
    own, theirs = film.measured, other.measured
    if not np.array_equal(own.run >= 0, np.ones(len(own.run), bool)) or (theirs.run < 0).any():
        return film  # somewhere no face is seen: what is added there would be lost
    last = float(theirs.time_s[-1])
    backwards, flip = rng.random() < 0.5, rng.random() < 0.5
    at = last - own.time_s if backwards else own.time_s

    def brought(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        flat = values.reshape(len(values), -1).astype(np.float64)
        columns = [np.interp(np.clip(at, 0, last), theirs.time_s, column) for column in flat.T]
        return np.stack(columns, axis=1).reshape(len(at), *values.shape[1:])

    moved = brought(theirs.displacement)
    opening = brought(theirs.eye_opening / np.maximum(np.median(theirs.eye_opening, axis=0), 0.05))
    pose = brought(theirs.pose - np.median(theirs.pose, axis=0))
    if flip:
        moved = moved[:, MIRROR_CELLS] * np.array([-1.0, 1.0])
        opening, pose = opening[:, ::-1], pose * np.array([-1.0, 1.0, -1.0])
    measured = replace(
        own,
        displacement=(own.displacement + moved).astype(np.float32),
        eye_opening=(own.eye_opening * opening).astype(np.float32),
        mouth_opening=(own.mouth_opening + brought(theirs.mouth_opening - np.median(theirs.mouth_opening))).astype(
            np.float32
        ),
        pose=(own.pose + pose).astype(np.float32),
        residual_px=np.maximum(own.residual_px, brought(theirs.residual_px)).astype(np.float32),
    )
    rows = other.truth
    if backwards:
        rows = tuple(
            replace(r, onset_s=last - r.offset_s, apex_s=last - r.apex_s, offset_s=last - r.onset_s) for r in rows
        )
    return replace(film, measured=measured, truth=film.truth + rows)


def candidates_of(film: MeasuredFilm, settings: SpottingSettings) -> list[tuple[RunSignals, Candidate]]:
    """All candidates of a film with their runs."""
    runs = runs_of(film.measured, settings)
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


def examples_of(
    films: Sequence[MeasuredFilm], patterns: Sequence[Pattern], *, variants: int, seed: int, settings: SpottingSettings
) -> Examples:
    """Collect the candidates of every film as it is, and of variants with more movements."""
    windows, scalars, labels, times = [], [], [], []
    for place, film in enumerate(films):
        for variant in range(variants + 1):
            shown, added = film, list[Times]()
            if variant and patterns:
                rng = np.random.default_rng([seed, place, variant])
                if rng.random() < MIXED:
                    shown = mixed(film, films[int(rng.integers(len(films)))], rng)
                shown, added = with_movements(shown, patterns, rng)
            micro, blinks = shown.micro() + added, shown.spans("blink")
            for run, candidate in candidates_of(shown, settings):
                apex_s = float(run.grid[candidate.movement.apex])
                label, truth = label_of(apex_s, span_of(run, candidate), micro, blinks)
                if label != LEFT_OUT:
                    windows.append(candidate.window)
                    scalars.append(candidate.scalars)
                    labels.append(label)
                    times.append([t - apex_s for t in truth] if truth else [np.nan] * 3)
    return Examples(
        np.stack(windows), np.stack(scalars), np.array(labels, np.int64), np.array(times, np.float32).reshape(-1, 3)
    )


def _mirror_cells() -> list[int]:
    """Cell of the mirrored face for each cell: columns of a region are numbered from the picture's left."""
    swap = {"left": "right", "right": "left"}
    order = [0] * len(CELL_REGION)
    for name in REGIONS:
        side, _, rest = name.partition("_")
        other = f"{swap[side]}_{rest}" if side in swap else name
        columns, rows = columns_and_rows(name)
        own, theirs = cells_of(name), cells_of(other)
        for column in range(columns):
            for row in range(rows):
                order[own[column * rows + row]] = theirs[(columns - 1 - column) * rows + row]
    return order


MIRROR_CELLS = _mirror_cells()
