"""What one job of a spotting benchmark does: prepare one person for training, or fit a fold and spot its test films."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from fleeting.errors import DataError
from fleeting.evaluation.benchmark.splits import Fold
from fleeting.evaluation.benchmark.spotting.films import LongFilm
from fleeting.evaluation.benchmark.spotting.measured import MeasuredFilms
from fleeting.evaluation.benchmark.spotting.spotters import Spotter, TrainingFilm
from fleeting.evaluation.megc import KINDS
from fleeting.scale.job import Job, Result
from fleeting.scale.store import ResultStore

PERSON, FOLD = "person", "fold"
COLUMNS = ("film", "kind", "onset", "apex", "offset", "confidence")
"""Of what was spotted: one row each."""


@dataclass(frozen=True, slots=True)
class SpottingWork:
    """What all jobs of one spotter share.

    Attributes
    ----------
    films
        All films, measured.
    spotter
        Before training.
    folds
        By seed; rows are places in the films.
    people
        Job that prepares a person, by person; none for a spotter that does not learn.
    store
        Where these jobs' results are.
    """

    films: MeasuredFilms
    spotter: Spotter
    folds: Mapping[int, tuple[Fold, ...]]
    people: Mapping[str, Job]
    store: ResultStore

    def films_of(self, person: str) -> list[LongFilm]:
        """Return all films of a person."""
        return [film for film in self.films.films if film.person == person]


def run_job(job: Job, work: SpottingWork) -> Result:
    """Do one job.

    Returns
    -------
    dict
        Of a person `Spotter.prepare`. Of a fold ``film``, ``kind``, ``onset``, ``apex``, ``offset`` (frames of the data
        set) and ``confidence`` of everything spotted in the test films, and ``chosen``, what was chosen in training.
    """
    if job.task == PERSON:
        seen = [(film, work.films.of(film)) for film in work.films_of(str(job.content["person"]))]
        return work.spotter.prepare([TrainingFilm(film, measured) for film, measured in seen if measured is not None])
    seed, name = int(job.content["seed"]), job.content["fold"]
    fold = next(f for f in work.folds[seed] if f.id == name)
    train, validation = (_prepared(work, rows) for rows in (fold.train, fold.validation))
    spot, chosen = work.spotter.fit(train, validation, seed=seed)
    found: dict[str, list[str | int | float]] = {name: [] for name in COLUMNS}
    for row in fold.test:
        film = work.films.films[row]
        measured = work.films.of(film)
        for event in [] if measured is None else spot(measured):
            if event.kind in KINDS:
                frames = (film.frame(i) for i in (event.onset_frame, event.apex_frame, event.offset_frame))
                for column, value in zip(found.values(), (film.id, event.kind, *frames, event.confidence), strict=True):
                    column.append(value)
    kinds = {"film": np.str_, "kind": np.str_, "confidence": np.float64}
    return {n: np.array(column, kinds.get(n, np.int64)) for n, column in found.items()} | {"chosen": chosen}


def _prepared(work: SpottingWork, rows: Iterable[int]) -> dict[str, Result]:
    if not work.people:
        return {}
    people = sorted({work.films.films[row].person for row in rows})
    found = {}
    for person in people:
        result = work.store.read(work.people[person])
        if result is None:
            raise DataError(f"what training needs of {person}", f"none in {work.store.folder}", "Run it again.")
        found[person] = result
    return found
