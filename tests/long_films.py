"""Made-up long films in the layouts of SAMM Long Videos, CAS(ME)^2 and CAS(ME)^3: pictures of a few pixels, and beside
them what would be measured in a film of a face (`measure`). No row is a real one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from dataset_tables import LONG, workbook
from test_spotting import measured

from fleeting.errors import NoFaceError
from fleeting.evaluation.benchmark.spotting.spotters import TrainingFilm
from fleeting.records import Event, EventKind
from fleeting.spotting.measurements import Measurements
from fleeting.video.folder import numbered_images

MOVED = "moved.json"
LOOKED_AT = "looked_at.txt"

MICRO_S = (0.0, 0.12, 0.33)
"""Onset, apex and offset of a movement, in seconds after its beginning; as long as the raised cosine of
`test_spotting` is seen to last."""


@dataclass
class Movement:
    """A movement of a film: what moves, from which frame of the data set on, and how long."""

    onset: int
    kind: str = "micro"
    regions: Sequence[str] = ("left_mouth_corner", "right_mouth_corner")
    peak: float = 4.0

    def frames(self, fps: float) -> tuple[int, int, int]:
        times = MICRO_S if self.kind == "micro" else (0.0, 0.4, 1.4)
        onset, apex, offset = (self.onset + round(t * fps) for t in times)
        return onset, apex, offset


def film(
    folder: Path,
    name: str,
    *,
    fps: float,
    movements: Sequence[Movement] = (),
    seconds: float = 4.0,
    first: int = 1,
    seed: int = 0,
    step: int = 1,
) -> Path:
    """Numbered pictures, and what moves in them, counted from the first one."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(first, first + round(seconds * fps), step):
        cv2.imwrite(str(folder / name.format(number)), rng.integers(0, 256, (4, 4)).astype(np.uint8))
    bumps = [
        [*((f - first) / fps for f in m.frames(fps)), list(m.regions), m.peak]
        for m in movements
        if m.kind != "unmarked"
    ]
    (folder / MOVED).write_text(json.dumps({"bumps": bumps, "seed": seed}), encoding="ascii")
    return folder


def measure(path: str | Path, *, fps: float | None = None) -> Measurements:
    """What `film` says, in place of looking at pictures; notes every film that was looked at."""
    assert fps is not None
    folder = Path(path)
    said = json.loads((folder / MOVED).read_text(encoding="ascii"))
    with (folder / LOOKED_AT).open("a", encoding="ascii") as file:
        file.write("once\n")
    if said.get("no_face"):
        raise NoFaceError("a face", "none", "Film one.")
    bumps = tuple((a, b, c, tuple(regions), peak) for a, b, c, regions, peak in said["bumps"])
    count = len(numbered_images(folder))
    return measured(fps=fps, seconds=count / fps, bumps=bumps, noise=0.05, seed=said["seed"])


class Simple:
    """A spotter whose answer can be told in advance: what moves by half a percent more than the rest of the face."""

    name = "simple"
    learns = False

    def settings(self) -> dict[str, Any]:
        return {}

    def prepare(self, films: Sequence[TrainingFilm]) -> dict[str, Any]:
        return {}

    def fit(self, train: Any, validation: Any, *, seed: int) -> tuple[Any, dict[str, Any]]:
        return _simple, {}


def _simple(film: Measurements) -> list[Event]:
    moved = film.displacement[..., 1] - np.median(film.displacement[..., 1], axis=1, keepdims=True)
    above = np.flatnonzero(np.abs(moved).max(axis=1) > 0.5)
    events = []
    for group in np.split(above, np.flatnonzero(np.diff(above) > 3) + 1):
        onset, offset = int(group[0]), int(group[-1])
        times = [float(film.time_s[f]) for f in (onset, onset, offset)]
        kind: EventKind = "micro" if times[2] - times[0] <= 0.5 else "macro"
        events.append(Event(film.face, kind, onset, onset, offset, *times, confidence=1.0))
    return events


def looks(root: Path) -> int:
    """How often any film below a folder was looked at."""
    return sum(len(p.read_text(encoding="ascii").splitlines()) for p in root.rglob(LOOKED_AT))


SAMM_LV = {
    # 006_2 begins at image 401: the numbers of the table are those of its images.
    "006_1": (1, [Movement(120), Movement(450)]),
    "006_2": (401, [Movement(601), Movement(801, "macro")]),
    "007_1": (1, [Movement(300), Movement(500, peak=3.0)]),
    "008_3": (1, [Movement(200, regions=("chin",)), Movement(520)]),
}


def samm_long(root: Path, films: dict[str, tuple[int, list[Movement]]] = SAMM_LV) -> Path:
    """The header stands in row 10, below notes."""
    rows: list[list[Any]] = []
    for place, (name, (first, movements)) in enumerate(films.items()):
        folder = root / "SAMM_longvideos" / name
        film(folder, f"{name}_{{:04d}}.jpg", fps=200, movements=movements, first=first, seed=place)
        for number, m in enumerate(movements, start=1):
            onset, apex, offset = m.frames(200)
            kind = "Macro" if m.kind == "macro" else "Micro - 1/2"
            rows.append([name[:3], f"{name}_{number}", 1, onset, apex, offset, offset - onset + 1, kind, "12", ""])
    notes = [[f"note {i}"] for i in range(9)]
    workbook(root / "SAMM_LongVideos.xlsx", FACS_Movement_Only=[*notes, list(LONG), *rows])
    return root


def casme_sq(root: Path, *, seconds: float = 5.0) -> Path:
    """Three sheets without headers; an offset of 0 is unknown, and the apex then ends the expression."""
    films = {
        ("s15", "15_0401girlcrashing"): (1, "anger1", [Movement(20), Movement(90)]),
        ("s40", "40_0101disgustingteeth"): (22, "disgust1", [Movement(40), Movement(80, "macro")]),
        ("s16", "16_0101disgustingteeth"): (2, "disgust1", [Movement(30)]),
    }
    rows: list[list[Any]] = []
    for place, ((person, name), (number, video, movements)) in enumerate(films.items()):
        film(root / "rawpic" / person / name, "img{}.jpg", fps=30, movements=movements, seconds=seconds, seed=place)
        for count, m in enumerate(movements, start=1):
            onset, apex, offset = m.frames(30)
            unknown = (person, count) == ("s15", 2)
            kind = f"{m.kind}-expression"
            rows.append([number, f"{video}_{count}", onset, apex, 0 if unknown else offset, "12", "others", kind, ""])
    rule1 = [["s15", "s15", 1], ["s16", "s16", 2], ["s40", 40, 22]]
    rule2 = [["0101", "disgust1"], [401, "anger1"]]
    workbook(root / "code_final.xlsx", CASFEcode_final=rows, naming__rule1=rule1, naming__rule2=rule2)
    return root


def casme3(root: Path) -> Path:
    """The sheet of micro-expressions alone: a macro-expression that is seen is neither right nor wrong."""
    head = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    films = {
        ("spNO.1", "a"): (300, [Movement(355), Movement(400, "macro")]),
        ("spNO.2", "b"): (0, [Movement(40)]),
        ("spNO.2", "c"): (0, [Movement(60), Movement(100)]),
    }
    rows: list[list[Any]] = []
    for place, ((person, name), (first, movements)) in enumerate(films.items()):
        folder = root / "part_A" / person.replace("NO", "No") / name / "color"
        film(folder, "{}.jpg", fps=30, movements=movements, seconds=5, first=first, seed=place)
        rows += [
            [person, name, *m.frames(30), "12", "I", "happy"] for m in movements if m.kind == "micro"
        ]  # fmt: skip
    workbook(root / "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", label=[head, *rows])
    return root
