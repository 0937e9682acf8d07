"""The first look at a film, kept on disk while it is under way, so that a run that was killed goes on from there.

What costs time in a first look are the answers of the networks and the flow. They are appended to files as they come, a
few seconds behind; all else follows from them and from the frames. The same command reads the frames again from the
beginning and takes the answers from the files as long as there are any, so the results have the same bytes as without
the stop: no state has to be frozen, and none can be forgotten.

Each file holds rows of one size, in order, without any end: a part of it can be mapped or read by itself. Every row
says which picture it answers and has a checksum of its own; the first one that does not fit ends what is taken.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import numpy as np
import numpy.typing as npt

from fleeting.faces.landmarks import Landmarks
from fleeting.faces.track import Detector, Follower
from fleeting.files import write_text
from fleeting.labels import SEVEN_CLASSES
from fleeting.motion.rigid_motion import RigidMotion
from fleeting.records import FaceBox
from fleeting.spotting.cells import CELL_REGION
from fleeting.spotting.region_motion import Step

log = logging.getLogger(__name__)

KEEP_S = 2.0
"""Seconds between two writings: so much of the work is lost at most."""

WINDOW = 256
"""Rows that are read at once."""

ABOUT = "about.json"

Grey = npt.NDArray[np.uint8]
Network = Callable[[Grey], npt.NDArray[np.float32]]
T = TypeVar("T")

_HEAD = [("check", "<u4"), ("seen", "<u4"), ("kind", "<u2"), ("count", "<u2"), ("time_s", "<f8"), ("face", "<i4")]
"""Checksum of the rest; of what was looked at; kind of question; rows of the answer; time and face where there are."""

FACES = np.dtype(
    [
        *_HEAD,
        ("box", "<f8", 5),
        ("points", "<f4", (68, 2)),
        ("score", "<f8"),
        ("pose", "<f4", 3),
        ("eyes", "<f4", 2),
        ("mouth", "<f8"),
    ]
)
MOTION = np.dtype(
    [
        *_HEAD,
        ("transform", "<f8", (2, 3)),
        ("coefficients", "<f8", 6),
        ("residual_px", "<f8"),
        ("means", "<f8", (len(CELL_REGION), 2)),
    ]
)
EXPRESSIONS = np.dtype([*_HEAD, ("probabilities", "<f4", len(SEVEN_CLASSES))])

FOUND, FOLLOWED, MOVED, READ = range(4)
"""Kinds of question: all faces of a frame, faces at known places, a step of the motion, expressions."""


class KeptLook:
    """A folder with the answers of a first look.

    Parameters
    ----------
    folder
        Made when there is something to keep.
    about
        All that decides about the answers; a folder of other ones is removed.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self._folder = folder
        self._about = json.dumps({**about, "rows": [d.itemsize for d in (FACES, MOTION, EXPRESSIONS)]}, sort_keys=True)
        try:
            same = (folder / ABOUT).read_text(encoding="utf-8") == self._about
        except (OSError, ValueError):
            same = False
        if not same:
            self.remove()

    def part(self, number: int) -> KeptPart:
        """Return the answers of one pass over the film, counted from 0."""
        return KeptPart(self._folder, number, self._make)

    def remove(self) -> None:
        """Forget everything."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make(self) -> None:
        self._folder.mkdir(exist_ok=True)
        if not (self._folder / ABOUT).exists():
            write_text(self._folder / ABOUT, self._about)


class KeptPart:
    """The answers of one pass; those who ask are given back with a memory."""

    def __init__(self, folder: Path, number: int, make: Callable[[], None]) -> None:
        self._faces, self._motion, self._expressions = (
            _Rows(folder / f"{name}-{number}.rows", dtype, make)
            for name, dtype in (("faces", FACES), ("motion", MOTION), ("expressions", EXPRESSIONS))
        )

    def detector(self, detect: Detector) -> Detector:
        """Return a finder of faces that remembers."""

        def found(grey: Grey) -> Sequence[tuple[FaceBox, Landmarks]]:
            rows = self._faces.answer(FOUND, _seen(grey), lambda: _faces(detect(grey)))
            return [(FaceBox(*row["box"].tolist()), _landmarks(row)) for row in rows]

        return found

    def follower(self, follow: Follower) -> Follower:
        """Return a follower of faces that remembers."""
        return _Follower(self._faces, follow)

    def steps(self, face: int) -> Callable[[float, Grey, Callable[[], Step]], Step]:
        """Return what remembers the motion of a face."""

        def step(time_s: float, grey: Grey, measured: Callable[[], Step]) -> Step:
            (row,) = self._motion.answer(MOVED, _seen(grey), lambda: _step(measured(), time_s, face))
            rigid = RigidMotion(row["coefficients"].copy(), float(row["residual_px"]))
            return Step(row["transform"].copy(), rigid, row["means"].copy())

        return step

    def network(self, network: Network) -> Network:
        """Return a reader of expressions that remembers."""

        def read(crops: Grey) -> npt.NDArray[np.float32]:
            rows = self._expressions.answer(READ, zlib.crc32(crops.tobytes()), lambda: _readings(network(crops)))
            return np.ascontiguousarray(rows["probabilities"])

        return read

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for rows in (self._faces, self._motion, self._expressions):
            rows.close()


class _Follower:
    def __init__(self, rows: _Rows, follow: Follower) -> None:
        self._rows, self._follow = rows, follow

    def from_points(self, grey: Grey, points: Sequence[npt.NDArray[Any]]) -> Sequence[Landmarks]:
        nowhere = FaceBox(0.0, 0.0, 0.0, 0.0)
        rows = self._rows.answer(
            FOLLOWED, _seen(grey), lambda: _faces([(nowhere, one) for one in self._follow.from_points(grey, points)])
        )
        return [_landmarks(row) for row in rows]


class _Rows:
    """A file of answers: those that it holds are taken first, then new ones are appended; used by one thread."""

    def __init__(self, path: Path, dtype: np.dtype[Any], make: Callable[[], None]) -> None:
        self._path, self._dtype, self._make = path, dtype, make
        self._taken = 0
        """Rows before the present one."""
        self._window = np.zeros(0, dtype)
        self._old: BinaryIO | None = None
        self._new: BinaryIO | None = None
        self._waiting: list[bytes] = []
        self._written_s = time.monotonic()
        self._broken = False
        try:
            self._old = path.open("rb")
        except OSError:
            self._old = None

    def answer(self, kind: int, seen: int, ask: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return the rows of the next answer, from the file or of `ask`."""
        rows = self._next(kind, seen)
        if rows is None:
            rows = ask()
            self._append(kind, seen, rows)
        return rows

    def close(self) -> None:
        """Write what waits, if the film has been going on for long enough for anything to be kept."""
        if self._waiting and self._path.parent.exists():
            self._write()
        for file in (self._old, self._new):
            if file is not None:
                file.close()
        self._old = self._new = None

    def _next(self, kind: int, seen: int) -> npt.NDArray[Any] | None:
        if self._old is None:
            return None
        rows = self._read(1)
        count = int(rows["count"][0]) if len(rows) else 0
        if count > 1:
            rows = self._read(count)
        fits = len(rows) == max(count, 1) and all(
            (r["kind"], r["seen"], r["count"]) == (kind, seen, count) and r["check"] == _check(r) for r in rows
        )
        if not fits:
            self._old.close()
            self._old = None
            return None
        self._taken += len(rows)
        self._window = self._window[len(rows) :]
        return rows[:count]

    def _read(self, count: int) -> npt.NDArray[Any]:
        """Return the next rows, which stay in the window; fewer where the file ends."""
        assert self._old is not None
        if len(self._window) < count:
            self._old.seek((self._taken + len(self._window)) * self._dtype.itemsize)
            data = self._old.read(max(count, WINDOW) * self._dtype.itemsize)
            whole = len(data) // self._dtype.itemsize * self._dtype.itemsize
            self._window = np.concatenate([self._window, np.frombuffer(data[:whole], self._dtype)])
        return self._window[:count]

    def _append(self, kind: int, seen: int, rows: npt.NDArray[Any]) -> None:
        if self._broken:
            return
        kept = rows if len(rows) else np.zeros(1, self._dtype)
        kept["kind"], kept["seen"], kept["count"] = kind, seen, len(rows)
        for row in kept:
            row["check"] = _check(row)
        self._waiting.append(kept.tobytes())
        if time.monotonic() - self._written_s >= KEEP_S:
            self._write()

    def _write(self) -> None:
        self._written_s = time.monotonic()
        data = b"".join(self._waiting)
        self._waiting = []
        try:
            if self._new is None:
                self._make()
                self._new = self._path.open("r+b" if self._path.exists() else "w+b", buffering=0)
                # What did not fit is written over.
                self._new.truncate(self._taken * self._dtype.itemsize)
                self._new.seek(0, 2)
            self._new.write(data)
        except OSError as error:  # the film can be analysed all the same
            log.info("%s is not kept: %s", self._path, error)
            self._broken = True


def _check(row: Any) -> int:
    return zlib.crc32(row.tobytes()[4:])


def _seen(grey: Grey) -> int:
    return zlib.crc32(np.ascontiguousarray(grey[::16, ::16]).tobytes())


def _faces(found: Sequence[tuple[FaceBox, Landmarks]]) -> npt.NDArray[Any]:
    rows = np.zeros(len(found), FACES)
    for row, (box, one) in zip(rows, found, strict=True):
        row["box"], row["points"], row["score"], row["pose"] = box, one.points, one.score, one.pose
        row["eyes"], row["mouth"] = one.eye_opening, one.mouth_opening
    return rows


def _landmarks(row: Any) -> Landmarks:
    return Landmarks(
        points=row["points"].copy(),
        score=float(row["score"]),
        pose=row["pose"].copy(),
        eye_opening=row["eyes"].copy(),
        mouth_opening=float(row["mouth"]),
    )


def _step(step: Step, time_s: float, face: int) -> npt.NDArray[Any]:
    rows = np.zeros(1, MOTION)
    rows["time_s"], rows["face"], rows["transform"], rows["means"] = time_s, face, step.transform, step.means
    rows["coefficients"], rows["residual_px"] = step.rigid.coefficients, step.rigid.residual_px
    return rows


def _readings(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    rows = np.zeros(len(probabilities), EXPRESSIONS)
    rows["probabilities"] = probabilities
    return rows
