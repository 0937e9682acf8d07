"""What is measured of one face in every frame, collected over a video."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt

from fleeting.faces.landmarks import Landmarks
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


@dataclass(slots=True)
class MeasurementLog:
    """Collects `Measurements` while a video streams by; about 450 bytes a frame."""

    face: int
    frames: list[int] = field(default_factory=list)
    rows: list[npt.NDArray[np.float32]] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)

    def add(self, frame: int, landmarks: Landmarks, sample: RegionSample) -> None:
        """Note one frame."""
        self.frames.append(frame)
        self.runs.append(sample.run)
        self.held.append(sample.held)
        self.rows.append(
            np.concatenate(
                [
                    sample.displacement.reshape(-1),
                    sample.transform.reshape(-1),
                    [sample.residual_px],
                    landmarks.eye_opening,
                    [landmarks.mouth_opening],
                    landmarks.pose,
                ]
            ).astype(np.float32)
        )

    def drop(self, first: int, end: int) -> None:
        """Forget what was noted of the frames from `first` to before `end`."""
        gone = slice(bisect.bisect_left(self.frames, first), bisect.bisect_left(self.frames, end))
        for values in (self.frames, self.rows, self.runs, self.held):
            del values[gone]

    def since(self, frame: int) -> MeasurementLog:
        """Return what was noted from a frame on, as if the video began with it."""
        start = bisect.bisect_left(self.frames, frame)
        frames = [f - frame for f in self.frames[start:]]
        return MeasurementLog(self.face, frames, self.rows[start:], self.runs[start:], self.held[start:])

    def collect(self, time_s: Array) -> Measurements:
        """Return what was noted, on all frames of the video, whose times are given.

        The motion in frames whose sample was held lies on the line between the measured ones around them.
        """
        n, c = len(time_s), len(CELL_REGION)
        table = np.full((n, 2 * c + 6 + 1 + 2 + 1 + 3), np.nan, np.float32)
        run = np.full(n, -1, np.int32)
        if self.frames:
            table[self.frames] = self._between(np.stack(self.rows), np.asarray(time_s)[self.frames])
            run[self.frames] = self.runs
        parts = np.split(table, np.cumsum([2 * c, 6, 1, 2, 1]), axis=1)
        return Measurements(
            face=self.face,
            time_s=np.asarray(time_s, np.float64),
            run=run,
            displacement=parts[0].reshape(n, c, 2),
            transform=parts[1].reshape(n, 2, 3).astype(np.float64),
            residual_px=parts[2][:, 0],
            eye_opening=parts[3],
            mouth_opening=parts[4][:, 0],
            pose=parts[5],
        )

    def _between(self, rows: npt.NDArray[np.float32], time_s: Array) -> npt.NDArray[np.float32]:
        held, run = np.array(self.held, bool), np.array(self.runs)
        if not held.any():
            return rows
        known = np.flatnonzero(~held)
        places = np.flatnonzero(held)
        after = np.searchsorted(known, places)
        inside = (after > 0) & (after < len(known))
        places, after = places[inside], after[inside]
        first, last = known[after - 1], known[after]
        same = run[first] == run[last]
        places, first, last = places[same], first[same], last[same]
        share = ((time_s[places] - time_s[first]) / (time_s[last] - time_s[first])).astype(np.float32)[:, None]
        moved = slice(0, 2 * len(CELL_REGION) + 7)
        rows[places, moved] = rows[first, moved] + share * (rows[last, moved] - rows[first, moved])
        return rows
