"""Measurements of many films whose movements are known, so that the spotter can be developed without filming again.

    nice -n 10 python benchmarks/spotting_measurements.py --part train --clips 120 --out runs/spotting_train

Of four clips one is clean, one severe and two varied; frame rates, sizes and people are drawn. Every film is deleted
as soon as it has been measured; with ``--keep-films`` it stays. What is left of film 17:

- ``0017.npz``: the `Measurements` of the largest face, one array for each of their fields, and ``fps``. Read it with
  `load_measurements`.
- ``0017.csv``: its truth, as `synthesis.truth.read_truth` reads it (frames, times, kind, emotion, action units, peak).
- ``0017.disturbances.csv``: what disturbs, as `synthesis.sets.read_disturbances` reads it; no rows where nothing does.
- a line of ``films.csv``: number, kind, fps, person, inter-ocular distance, H.264's rate factor, quiet or not.

Numbers that are there already are left as they are, so that the command continues where it stopped, and several may run
beside each other with ``--first``. ``--measure-only`` measures kept films anew after the measurement has changed.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from sitters import sitters

from fleeting.analysis.first_look import first_look
from fleeting.errors import FleetingError, NoFaceError
from fleeting.quality.meter import QualityMeter
from fleeting.settings import AnalyseSettings
from fleeting.spotting.measurements import Measurements
from fleeting.synthesis import render
from fleeting.synthesis.film_plan import SET_KINDS, SetSettings, Sitter, draw_draft
from fleeting.synthesis.sets import PRESET, write_disturbances
from fleeting.synthesis.truth import write_truth
from fleeting.video.reader import open_video

RATES = (25.0, 30.0, 30.0, 50.0, 60.0, 60.0, 100.0, 200.0)
SECONDS = 10.0
IOD_PX = (60.0, 150.0)
KINDS = ("clean", "varied", "severe", "varied")
FIRST_SEED = {"train": 100_000, "validation": 200_000}


@dataclass(frozen=True)
class Film:
    """One film of the set: everything follows from its number."""

    number: int
    sitter: Sitter
    settings: SetSettings
    quiet: bool

    @property
    def seed(self) -> int:
        """Seed of the film."""
        return self.settings.seed + self.number


def film_of(number: int, people: list[Sitter], *, first_seed: int, kind: str | None = None) -> Film:
    """Draw rate and person of a number, and the kind where none is given."""
    rng = np.random.default_rng([first_seed, number])
    kind = kind or KINDS[number % len(KINDS)]
    settings = SetSettings(
        kind=kind,  # type: ignore[arg-type]
        fps=float(rng.choice(RATES)),
        seconds=SECONDS,
        seed=first_seed,
        iod_px=IOD_PX,
    )
    return Film(number, people[int(rng.integers(len(people)))], settings, quiet=bool(rng.random() < 0.25))


def measure(path: Path) -> Measurements:
    """Measure the largest face of a film, as `analysis.analyse` does.

    Raises
    ------
    FleetingError
        Where no face is seen.
    """
    settings = AnalyseSettings()
    with open_video(path) as reader:
        look = first_look(reader, settings, QualityMeter(reader.info, settings=settings.faces))
    if not look.logs:
        raise NoFaceError("a face", f"none in {path}", "Leave this person out.")
    largest = max(look.tracks, key=lambda t: t.median_iod_px**2 * t.frame_count)
    return look.logs[largest.id].collect(look.time_s)


def save_measurements(path: Path, measured: Measurements, *, fps: float) -> None:
    """Write all fields of the measurements and the frame rate."""
    np.savez(path, fps=fps, **{f.name: getattr(measured, f.name) for f in fields(Measurements)})


def load_measurements(path: Path) -> Measurements:
    """Read what `save_measurements` wrote."""
    with np.load(path) as stored:
        arrays = {f.name: stored[f.name] for f in fields(Measurements)}
    return Measurements(**{**arrays, "face": int(arrays["face"])})


def make(film: Film, out: Path, *, keep: bool) -> None:
    """Film, measure, store."""
    name = f"{film.number:04d}"
    path = out / f"{name}.mp4"
    draft = draw_draft(film.settings, seed=film.seed, quiet=film.quiet)
    rows = render.render_clip(draft.film(film.sitter, seed=film.seed), path, crf=draft.crf, preset=PRESET)
    write_truth(out / f"{name}.csv", rows)
    write_disturbances(out / f"{name}.disturbances.csv", [(path.name, span) for span in draft.spans])
    save_measurements(out / f"{name}.npz", measure(path), fps=film.settings.fps)
    if not keep:
        path.unlink()
    with (out / "films.csv").open("a", newline="", encoding="utf-8") as table:
        settings = film.settings
        row = [name, settings.kind, settings.fps, film.sitter.name, round(draft.clip.iod_px, 1), draft.crf, film.quiet]
        csv.writer(table).writerow(row)


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--part", choices=sorted(FIRST_SEED), default="train", help="never the test people")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kind", choices=SET_KINDS, help="all films of one kind")
    parser.add_argument("--out", type=Path, default=Path("runs/spotting_train"))
    parser.add_argument("--keep-films", action="store_true")
    parser.add_argument("--measure-only", action="store_true", help="measure kept films anew")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    render.DRAWING_THREADS = 1
    options.out.mkdir(parents=True, exist_ok=True)
    if not (options.out / "films.csv").exists():
        (options.out / "films.csv").write_text("number,kind,fps,person,iod_px,crf,quiet\n", encoding="utf-8")
    if options.measure_only:
        for path in sorted(options.out.glob("*.mp4")):
            with np.load(path.with_suffix(".npz")) as stored:
                fps = float(stored["fps"])
            save_measurements(path.with_suffix(".npz"), measure(path), fps=fps)
        return
    people = sitters(options.data, options.part, congress=100 if options.part == "train" else 0)
    for number in range(options.first, options.first + options.clips):
        if (options.out / f"{number:04d}.npz").exists():
            continue
        began = time.perf_counter()
        film = film_of(number, people, first_seed=FIRST_SEED[options.part], kind=options.kind)
        try:
            make(film, options.out, keep=options.keep_films)
        except FleetingError as error:
            print(f"{number:04d} left out: {error}", flush=True)
            continue
        about = f"{film.settings.kind} {film.settings.fps:g} frames/s {film.sitter.name}"
        print(f"{number:04d} {about}: {time.perf_counter() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
