"""Each film is looked at once, and what was measured is kept: all spotters and folds read the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.datasets.contents import Contents
from fleeting.errors import DataError, NoFaceError, VideoError
from fleeting.evaluation.benchmark.code_of import code_outside, modules_behind
from fleeting.evaluation.benchmark.spotting.films import LongFilm
from fleeting.scale.executor import Engine, Outcome, results_of, run
from fleeting.scale.job import Job, Result, fingerprint, source_fingerprint
from fleeting.scale.store import ResultStore
from fleeting.spotting.cells import CELL_REGION
from fleeting.spotting.measurements import Measurements

TASK = "film"
INDEX = "contents.json"
BINS = 64
"""Stretches of time of `motion_picture`."""


class Measure(Protocol):
    """Measures the face of a video, given its path and the frames per second of an image folder.

    A function of a module, so that other processes find it; the command passes the shipped one.
    """

    def __call__(self, path: str | Path, *, fps: float | None = None) -> Measurements:
        """Return the measurements of the face that is analysed."""
        ...


@dataclass(frozen=True, slots=True)
class MeasuredFilms:
    """Films with the jobs whose results hold their measurements; small, so that it can be sent to every process.

    Attributes
    ----------
    films
        Sorted by id.
    jobs
        By id of the film.
    folder
        Of the results.
    failed
        Why a film could not be measured, by id.
    """

    films: tuple[LongFilm, ...]
    jobs: Mapping[str, Job]
    folder: Path
    failed: Mapping[str, str]

    def of(self, film: LongFilm) -> Measurements | None:
        """Return the measurements of a film; None where it could not be measured.

        Raises
        ------
        DataError
            Where they were removed meanwhile.
        """
        if film.id in self.failed:
            return None
        stored = ResultStore(self.folder).read(self.jobs[film.id])
        if stored is None:
            raise DataError(f"the measurements of {film.id}", f"none in {self.folder}", "Run the benchmark again.")
        return Measurements(**{f.name: stored[f.name] for f in fields(Measurements)})


def film_jobs(films: Sequence[LongFilm], measure: Measure, *, folder: Path) -> tuple[dict[str, Job], list[list[str]]]:
    """Return a job for each film, and the groups of films whose pictures are the same, byte for byte.

    All pictures are read for it, once: what is known of them stays in the folder.

    Raises
    ------
    DataError
        Where the pictures cannot be read.
    """
    contents = Contents(folder / INDEX)
    module = str(getattr(measure, "__module__", type(measure).__module__))
    code = fingerprint(source_fingerprint(modules_behind([module])), *code_outside(module))
    networks = [weights.card(name)["sha256"] for name in ("face_finder", "landmarks")]
    jobs: dict[str, Job] = {}
    same: dict[str, list[str]] = {}
    for film in films:
        pictures = contents.digest(film.files())
        same.setdefault(pictures, []).append(film.id)
        decides = {"pictures": pictures, "fps": float(film.fps), "networks": networks, "code": code, "film": film.id}
        jobs[film.id] = Job(TASK, decides, film.id)
    contents.save()
    return jobs, [names for names in same.values() if len(names) > 1]


def measure_films(
    films: Sequence[LongFilm],
    jobs: Mapping[str, Job],
    measure: Measure,
    *,
    folder: Path,
    engine: Engine | None = None,
    on_done: Callable[[Outcome], None] | None = None,
) -> MeasuredFilms:
    """Measure every film that is not measured yet.

    Raises
    ------
    JobsError
        Where a film ended the work on it with anything but "no usable video" or "no face".
    OutputError
        Where the disk refuses.
    """
    by_job = {jobs[film.id].id: film for film in films}
    done = run(
        list(jobs.values()),
        partial(measure_job, measure=measure),
        store=ResultStore(folder),
        engine=engine,
        shared=by_job,
        on_done=None if on_done is None else lambda outcome: on_done(_without_arrays(outcome)),
    )
    results = results_of(done)
    failed = {film: result["error"] for film, result in zip(jobs, results, strict=True) if "error" in result}
    return MeasuredFilms(tuple(films), dict(jobs), folder, failed)


def _without_arrays(outcome: Outcome) -> Outcome:
    return Outcome(outcome.job, None, outcome.error, outcome.kept)


def measure_job(job: Job, films: Mapping[str, LongFilm], *, measure: Measure) -> Result:
    """Measure one film; ``error`` says why it cannot be."""
    film = films[job.id]
    try:
        found = measure(film.path, fps=film.fps if film.path.is_dir() else None)
    except (VideoError, NoFaceError) as error:
        return {"error": str(error)}
    return {f.name: getattr(found, f.name) for f in fields(Measurements)}


def motion_picture(measured: Measurements | None) -> npt.NDArray[np.uint8]:
    """Return the motion of a film as a picture, by which copies of it are found (`duplicates.near_duplicates`).

    Returns
    -------
    (BINS, cells, 3) uint8
        Over time and cells: size, downward and rightward displacement. Constant where nothing was measured.
    """
    if measured is None:
        return np.zeros((BINS, len(CELL_REGION), 3), np.uint8)
    moved = np.nan_to_num(measured.displacement).astype(np.float32)
    size = np.linalg.norm(moved, axis=2, keepdims=True)
    whole = np.concatenate([size, moved[..., ::-1]], axis=2)
    small = cv2.resize(whole, (whole.shape[1], BINS), interpolation=cv2.INTER_AREA)
    largest = float(np.abs(small).max())
    return np.asarray(np.rint(127.5 + 127.5 * small / max(largest, 1e-9)), np.uint8)


def digest(measured: MeasuredFilms) -> str:
    """Return the fingerprint of all that is trained on or scored: what was measured, and what is marked."""
    return fingerprint(
        *(
            [film.id, film.person, film.first, film.step, measured.jobs[film.id].id, film.id in measured.failed]
            + [[row.type, row.onset, row.apex, row.offset] for row in film.rows]
            for film in measured.films
        )
    )
