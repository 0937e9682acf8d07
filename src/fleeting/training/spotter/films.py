"""Measured films: synthetic ones whose movements are known, and real people, in whom nobody marked any."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fleeting.errors import DataError
from fleeting.spotting.measurements import Measurements
from fleeting.synthesis.truth import TruthRow, read_truth

Times = tuple[float, float, float]

SPEECH_KINDS = ("speech", "hands")
"""Kinds of real films in which somebody talks: a short movement of the mouth there is a syllable."""

GRIMACES = "grimaces"
"""Kind of real films in which a fast movement may be a micro-expression by its duration."""


@dataclass(frozen=True, slots=True)
class MeasuredFilm:
    """A film's measurements, its truth, and where it is from.

    Attributes
    ----------
    number, kind, fps, person
        As in the table of films; the kind of a real film says what is seen in it.
    measured
        Of the largest face.
    truth
        Movements that are known.
    real
        Name of the real film whose motion is in it, empty for none.
    talks
        Stretches in seconds in which somebody really talks.
    """

    number: str
    kind: str
    fps: float
    person: str
    measured: Measurements
    truth: tuple[TruthRow, ...]
    real: str = ""
    talks: tuple[tuple[float, float], ...] = ()

    def spans(self, kind: str) -> list[tuple[float, float]]:
        """Onset and offset in seconds of all movements of a kind."""
        return [(r.onset_s, r.offset_s) for r in self.truth if r.kind == kind]

    def micro(self) -> list[Times]:
        """Onset, apex and offset in seconds of all micro-expressions."""
        return [(r.onset_s, r.apex_s, r.offset_s) for r in self.truth if r.kind == "micro"]


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


def load_real(path: Path) -> list[MeasuredFilm]:
    """Read the measured motion of real people, ``real_backgrounds.npz``.

    Raises
    ------
    DataError
        Where the file cannot be read or an array is missing.
    """
    names = [name for name in Measurements.__dataclass_fields__ if name != "face"]
    films = []
    try:
        with np.load(path, allow_pickle=False) as stored:
            for place, kind in enumerate(stored["kind"].tolist()):
                number = f"{place:02d}"
                measured = Measurements(face=0, **{name: stored[f"{number}_{name}"] for name in names})
                end = float(measured.time_s[-1])
                talks = ((0.0, end),) if kind in SPEECH_KINDS else ()
                fps = float(stored[f"{number}_fps"])
                films.append(MeasuredFilm(number, kind, fps, f"real/{number}", measured, (), number, talks))
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            "measured motion of real films", f"{path} ({error})", "Leave `real` empty to do without."
        ) from error
    return films
