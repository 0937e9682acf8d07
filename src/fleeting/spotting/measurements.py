"""What is measured of one face in every frame, collected over a video."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.faces.landmarks import Landmarks
from fleeting.records import Event
from fleeting.rows import Rows
from fleeting.spotting.blinks import least_opening
from fleeting.spotting.cells import CELL_REGION
from fleeting.spotting.region_motion import RegionSample

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measurements:
    """One face over all frames of a video; NaN (and run -1) where it was not seen.

    Attributes
    ----------
    face
        Id of the track.
    time_s
        (n,) seconds of every frame of the video.
    run
        (n,) int; displacements can be compared within a run only.
    displacement
        (n, c, 2) right and down, percent of the inter-ocular distance, cells as `cells.CELL_REGION`.
    transform
        (n, 2, 3) from the frame to the canonical crop.
    residual_px
        (n,) misfit of the head's motion in crop pixels.
    eye_opening, mouth_opening, pose
        As in `faces.landmarks.Landmarks`: (n, 2), (n,) and (n, 3).
    """

    face: int
    time_s: Array
    run: npt.NDArray[np.int32]
    displacement: npt.NDArray[np.float32]
    transform: Array
    residual_px: npt.NDArray[np.float32]
    eye_opening: npt.NDArray[np.float32]
    mouth_opening: npt.NDArray[np.float32]
    pose: npt.NDArray[np.float32]

    def runs(self) -> Iterator[slice]:
        """Slices of consecutive frames of one run, in order."""
        edges = np.flatnonzero(np.diff(self.run)) + 1
        for first, last in zip([0, *edges], [*edges, len(self.run)], strict=True):
            if last > first and self.run[first] >= 0:
                yield slice(int(first), int(last))

    def least_opening(self) -> Array:
        """`blinks.least_opening` of all frames."""
        return least_opening(self.eye_opening)

    def part(self, frames: slice) -> Measurements:
        """Return the same of some frames alone."""
        return replace(self, **{f.name: getattr(self, f.name)[frames] for f in fields(self) if f.name != "face"})


VALUES = 2 * len(CELL_REGION) + 6 + 1 + 2 + 1 + 3
"""Numbers of a row: displacement, transform, residual, eyes, mouth, pose."""

ROW = np.dtype([("frame", "<i4"), ("run", "<i4"), ("held", "?"), ("values", "<f4", VALUES)])


class MeasurementLog:
    """Collects `Measurements` while a video streams by: 430 bytes a frame, on the disk.

    Parameters
    ----------
    face
        Id of the track.
    folder
        As for `rows.Rows`.
    """

    def __init__(self, face: int, *, folder: Path | None = None) -> None:
        self.face, self.rows = face, Rows(ROW, folder=folder)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def last_frame(self) -> int:
        """The frame that was noted last; -1 before there is one."""
        return int(self.rows[-1:]["frame"][0]) if len(self) else -1

    def add(self, frame: int, landmarks: Landmarks, sample: RegionSample) -> None:
        """Note one frame."""
        values = np.concatenate(
            [
                sample.displacement.reshape(-1),
                sample.transform.reshape(-1),
                [sample.residual_px],
                landmarks.eye_opening,
                [landmarks.mouth_opening],
                landmarks.pose,
            ]
        )
        self.rows.append((frame, sample.run, sample.held, values.astype(np.float32)))

    def place(self, frame: int) -> int:
        """Return how many rows are noted of the frames before this one."""
        return bisect.bisect_left(range(len(self)), frame, key=lambda i: int(self.rows[i : i + 1]["frame"][0]))

    def drop(self, first: int, end: int) -> None:
        """Forget what was noted of the frames from `first` to before `end`."""
        gone = self.rows.cut(self.place(first))
        self.rows.extend(gone[gone["frame"] >= end])

    def since(self, frame: int) -> MeasurementLog:
        """Return what was noted from a frame on, as if the video began with it."""
        later = MeasurementLog(self.face)
        rows = self.rows[self.place(frame) :]
        rows["frame"] -= frame
        later.rows.extend(rows)
        return later

    def collect(self, time_s: Array) -> Measurements:
        """Return what was noted, on all frames of the video, whose times are given.

        The motion in frames whose sample was held lies on the line between the measured ones around them.
        """
        return StoredMeasurements(self, np.asarray(time_s, np.float64)).part(slice(0, len(time_s)))


class StoredMeasurements:
    """The `Measurements` of a log, of which a part at a time is read.

    Parameters
    ----------
    log
        To which nothing is added any more.
    time_s
        (n,) seconds of every frame of the video.
    """

    def __init__(self, log: MeasurementLog, time_s: Array) -> None:
        self.face, self.time_s, self._log = log.face, time_s, log

    def runs(self) -> Iterator[slice]:
        """Slices of consecutive frames of one run, in order."""
        first, before, run = 0, -2, -1
        for place in range(0, len(self._log), BLOCK):
            rows = self._log.rows[place : place + BLOCK]
            for at in np.flatnonzero(
                (np.diff(rows["frame"], prepend=before) != 1) | (np.diff(rows["run"], prepend=run) != 0)
            ).tolist():
                last = int(rows["frame"][at - 1]) if at else before
                if run >= 0:
                    yield slice(first, last + 1)
                first, run = int(rows["frame"][at]), int(rows["run"][at])
            before = int(rows["frame"][-1])
        if run >= 0:
            yield slice(first, before + 1)

    def least_opening(self) -> Array:
        """`blinks.least_opening` of all frames."""
        places = range(0, len(self._log), BLOCK)
        return least_opening(np.concatenate([self._log.rows[i : i + BLOCK]["values"][:, _EYES] for i in places]))

    def part(self, frames: slice) -> Measurements:
        """Return the measurements of some frames."""
        first, stop, _ = frames.indices(len(self.time_s))
        rows = self._log.rows
        a, b = self._log.place(first), self._log.place(stop)
        low, high = max(a - 1, 0), min(b + 1, len(rows))
        while low > 0 and rows[low : low + 1]["held"][0]:
            low -= 1
        while high < len(rows) and rows[high - 1 : high]["held"][0]:
            high += 1
        noted = rows[low:high]
        values = _between(noted, self.time_s)[a - low : len(noted) - (high - b)]
        noted = noted[a - low : len(noted) - (high - b)]
        n, c = stop - first, len(CELL_REGION)
        table = np.full((n, VALUES), np.nan, np.float32)
        run = np.full(n, -1, np.int32)
        table[noted["frame"] - first], run[noted["frame"] - first] = values, noted["run"]
        parts = np.split(table, np.cumsum([2 * c, 6, 1, 2, 1]), axis=1)
        return Measurements(
            face=self.face,
            time_s=self.time_s[frames],
            run=run,
            displacement=parts[0].reshape(n, c, 2),
            transform=parts[1].reshape(n, 2, 3).astype(np.float64),
            residual_px=parts[2][:, 0],
            eye_opening=parts[3],
            mouth_opening=parts[4][:, 0],
            pose=parts[5],
        )


class Places:
    """Where the face of an event is: for every frame (2, 3) from it to the crop, NaN where it was not seen in that run.

    Another run may be another shot: its frames are no part of the event. Frames more than `NEAR_S` before or after it
    are NaN too; they are not read.
    """

    def __init__(self, measured: StoredMeasurements, event: Event) -> None:
        self._count = len(measured.time_s)
        reach = (measured.time_s[event.onset_frame] - NEAR_S, measured.time_s[event.offset_frame] + NEAR_S)
        self._first, stop = np.searchsorted(measured.time_s, reach).tolist()
        part = measured.part(slice(self._first, stop))
        same_run = part.run == part.run[event.onset_frame - self._first]
        self._transforms = np.where(same_run[:, None, None], part.transform, np.nan)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, frame: int) -> Array:
        if 0 <= frame - self._first < len(self._transforms):
            return np.asarray(self._transforms[frame - self._first])
        return np.full((2, 3), np.nan)


NEAR_S = 2.0
_EYES = slice(VALUES - 6, VALUES - 4)
BLOCK = 4096
"""Rows that are read at once."""


def _between(noted: npt.NDArray[Any], time_s: Array) -> npt.NDArray[np.float32]:
    """Return the values of rows, those that were held on the line between the measured ones around them."""
    values = np.array(noted["values"])
    held, run, times = noted["held"], noted["run"], time_s[noted["frame"]]
    if not held.any():
        return values
    known = np.flatnonzero(~held)
    places = np.flatnonzero(held)
    after = np.searchsorted(known, places)
    inside = (after > 0) & (after < len(known))
    places, after = places[inside], after[inside]
    first, last = known[after - 1], known[after]
    same = run[first] == run[last]
    places, first, last = places[same], first[same], last[same]
    share = ((times[places] - times[first]) / (times[last] - times[first])).astype(np.float32)[:, None]
    moved = slice(0, 2 * len(CELL_REGION) + 7)
    values[places, moved] = values[first, moved] + share * (values[last, moved] - values[first, moved])
    return values
