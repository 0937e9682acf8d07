"""Long films with their marked intervals, from the manifests of data sets.

A film is a source video of the manifest. Its frames are those of the data set: the number of an image minus that of
frame 0. A folder whose images begin later, or hold every second frame only, is placed by the numbers of its images; in
a video file the first frame is frame 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.datasets.manifest import Manifest, ManifestRow
from fleeting.datasets.registry import named_data, people_of
from fleeting.datasets.samples import Samples
from fleeting.errors import DataError
from fleeting.evaluation.benchmark.data import BenchmarkData, benchmark_data
from fleeting.evaluation.benchmark.leakage import require_disjoint
from fleeting.evaluation.megc import KINDS, Marked
from fleeting.video.folder import numbered_images


@dataclass(frozen=True, slots=True)
class LongFilm:
    """One film.

    Attributes
    ----------
    id
        ``dataset/source_video``, unique.
    dataset, source
        Name of the data set, and name under which its data was given.
    person
        ``dataset/subject``; of ``samm-lv`` ``samm/subject``, since the people are the same.
    path
        Folder of images, or video file.
    fps
        Frames per second of the images on disk; a video file states its own.
    first, step
        Data set's frame of the first image, and frames from one image to the next.
    rows
        Marked movements, in frames of the data set, by onset.
    """

    id: str
    dataset: str
    source: str
    person: str
    path: Path
    fps: float
    first: int
    step: int
    rows: tuple[ManifestRow, ...]

    def marked(self) -> list[Marked]:
        """Return the marked micro- and macro-expressions."""
        return [
            Marked(self.person, self.id, row.onset, row.offset, row.emotion, row.type)
            for row in self.rows
            if row.type in KINDS and row.onset is not None and row.offset is not None
        ]

    def files(self) -> list[Path]:
        """Return the images in order, or the video file."""
        return numbered_images(self.path) if self.path.is_dir() else [self.path]

    def image(self, frame: int) -> int:
        """Place of the image that shows a frame of the data set; negative before the first."""
        return round((frame - self.first) / self.step)

    def frame(self, image: int) -> int:
        """Frame of the data set that an image shows."""
        return self.first + self.step * image


def read_films(texts: Sequence[str], *, test: Sequence[str] = ()) -> tuple[tuple[LongFilm, ...], BenchmarkData]:
    """Read data sets that are given as ``NAME=PATH``.

    Parameters
    ----------
    texts
        What is trained on, and tested fold by fold unless `test` names data.
    test
        What is only tested on.

    Returns
    -------
    films
        Sorted by id.
    data
        One row per film, in the same order, without pictures: folds are made of it.

    Raises
    ------
    SettingsError
        For a text that is no ``NAME=PATH``, or an unknown name.
    DataError
        Where a data set cannot be read, holds no long films, or lacks some.
    LeakageError
        For a film on both sides.
    """
    counts: Counter[str] = Counter()
    parts: list[tuple[str, list[LongFilm]]] = []
    for text in (*texts, *test):
        data = named_data(text)
        counts[data.label] += 1
        source = data.label if counts[data.label] == 1 else f"{data.label} {counts[data.label]}"
        parts.append((source, films_of(data.read(), source)))
    sides = [[film.id for _, some in side for film in some] for side in (parts[: len(texts)], parts[len(texts) :])]
    require_disjoint(*sides, what="film", sides=("the training data", "the test data"))
    films = sorted((film for _, some in parts for film in some), key=lambda film: film.id)
    held_out = [source for source, _ in parts[len(texts) :]]
    return tuple(films), benchmark_data([(source, _samples(some)) for source, some in parts], held_out=held_out)


def films_of(manifest: Manifest, source: str) -> list[LongFilm]:
    """Return the films of a manifest, sorted by id.

    Raises
    ------
    DataError
        Where films are missing, cut to clips, shared by several people, or of unknown rate.
    """
    absent = {row.path for row in manifest.missing()}
    if absent:
        raise DataError(
            f"the films of '{source}'",
            f"{len(absent)} that are not there, such as {min(absent)}",
            "Unpack them, or leave their rows out of the table.",
        )
    by_film = sorted((r for r in manifest.rows if r.onset is not None), key=_film_key)
    films = [_film(list(rows), source) for _, rows in groupby(by_film, key=_film_key)]
    if not any(film.marked() for film in films):
        raise DataError(f"marked micro- or macro-expressions in '{source}'", "none", "Check the column of the type.")
    return films


def _film_key(row: ManifestRow) -> tuple[str, str]:
    return row.dataset, row.source_video


def _film(rows: list[ManifestRow], source: str) -> LongFilm:
    one = rows[0]
    name = f"{one.dataset}/{one.source_video}"
    people = sorted({f"{people_of(row.dataset)}/{row.subject}" for row in rows})
    if len(people) > 1:
        raise DataError(f"one person in film '{name}'", ", ".join(people), "Correct the table.")
    paths = sorted({row.path for row in rows})
    if len(paths) > 1:
        raise DataError(
            f"film '{name}' in one place",
            f"{len(paths)} places, such as {paths[0]} and {paths[1]}",
            "Spotting needs the whole recordings, not clips that were cut from them.",
        )
    if not one.fps > 0:
        raise DataError(f"frames per second of '{name}'", f"{one.fps}", "Add them to the table.")
    path, first, step = Path(one.path), 0, 1
    if path.is_dir():
        numbers = [int(re.findall(r"\d+", image.stem)[-1]) for image in numbered_images(path)[:2]]
        first, step = numbers[0] - one.first_number, numbers[1] - numbers[0]
    ordered = tuple(sorted(rows, key=lambda row: (row.onset or 0, row.offset or 0, row.clip)))
    return LongFilm(name, one.dataset, source, people[0], path, one.fps / step, first, step, ordered)


def _samples(films: Sequence[LongFilm]) -> Samples:
    def text(values: list[str]) -> npt.NDArray[np.str_]:
        return np.array(values, np.str_)

    return Samples(
        clip=text([f.id for f in films]),
        subject=text([f.person for f in films]),
        dataset=text([f.dataset for f in films]),
        source_video=text([f.id for f in films]),
        label=np.zeros(len(films), np.int64),
        classes=("film",),
        flow=np.zeros((len(films), 1, 1, 3), np.uint8),
    )
