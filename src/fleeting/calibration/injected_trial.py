"""One movement of known size put into a recording: drawn into the frames, measured, and looked for.

The frames around the movement are decoded again, the movement is drawn into the grey pictures that the analysis sees,
and faces and motion are measured in them as an analysis measures them. What comes out takes the place of what was
measured there before, so that the spotter sees the whole recording with this one movement in it: its noise and its
thresholds are those of the recording.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.faces import looks
from fleeting.faces.crop import points_box
from fleeting.faces.landmarks import Landmarks
from fleeting.faces.track import Follower, Sighting, Tracker
from fleeting.records import LID_KINDS, Cut, Event, FaceBox, Interval
from fleeting.settings import AnalyseSettings
from fleeting.spotting.measurements import MeasurementLog, Measurements
from fleeting.spotting.region_motion import RegionMotion
from fleeting.synthesis.face.carried_movement import CarriedMovement
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import START
from fleeting.video.frame import Frame
from fleeting.video.stream import VideoReader

LEAD_S = (0.3, 0.8)
"""Seconds that are measured before a movement, drawn evenly: an analysis takes a new reference every second, and a
movement may begin at any place between two."""

TAIL_S = 0.3
"""Seconds that are measured after a movement."""

FOUND_IOU = 0.5
"""As in the MEGC challenges (`evaluation.spotting`)."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that was measured once, as it is.

    Attributes
    ----------
    reader
        Its frames.
    measured
        The face over the whole recording.
    points
        (n, 68, 2) float32 landmarks in every frame; NaN where the face was not seen.
    settings
        As for an analysis.
    follower
        Finds landmarks where earlier ones are known.
    """

    reader: VideoReader
    measured: Measurements
    points: npt.NDArray[np.float32]
    settings: AnalyseSettings
    follower: Follower


@dataclass(frozen=True, slots=True)
class Window:
    """Frames that are measured anew for a movement, both ends included.

    Attributes
    ----------
    first, last
        Of the whole window.
    moving
        Of the movement itself, from its first trace to its last.
    truth
        Its onset and offset, by the convention of `synthesis.face.profile`.
    """

    first: int
    last: int
    moving: Interval
    truth: Interval


def window_of(time_s: npt.NDArray[np.float64], movement: Movement, *, run: slice, lead_s: float) -> Window:
    """Frames around a movement.

    Parameters
    ----------
    time_s
        (n,) seconds of every frame.
    movement
        On the clock of the recording; at least one frame must show it.
    run
        Frames of the run that holds it, which the window does not leave.
    lead_s
        Seconds before it.
    """
    profile = movement.profile
    moving = np.flatnonzero((time_s > profile.first_s) & (time_s < profile.last_s))
    # A frame at the very instant of the onset belongs to the movement; 1e-9 undoes rounding.
    strong = moving[[profile(float(t)) >= START - 1e-9 for t in time_s[moving]]]
    first = max(int(np.searchsorted(time_s, profile.first_s - lead_s)), run.start)
    last = min(int(np.searchsorted(time_s, profile.last_s + TAIL_S, side="right")), run.stop) - 1
    return Window(
        first,
        max(last, int(moving[-1])),
        Interval(int(moving[0]), int(moving[-1])),
        Interval(int(strong[0]), int(strong[-1])),
    )


class _KnownFace:
    """Follows one face without searching for it: where it is, is known from the first look at the recording."""

    def __init__(self, recording: Recording) -> None:
        self._follower, self._points = recording.follower, recording.points
        self._tracker = Tracker(recording.settings.faces, detector=self._find, follower=recording.follower)
        self._index = 0

    def update(self, index: int, time_s: float, grey: npt.NDArray[np.uint8]) -> list[Sighting]:
        """See `faces.track.Tracker.update`."""
        self._index = index
        return self._tracker.update(index, time_s, grey)

    def cut(self, cut: Cut) -> None:
        """See `faces.track.Tracker.cut`."""
        self._tracker.cut(cut)

    def _find(self, grey: npt.NDArray[np.uint8]) -> Sequence[tuple[FaceBox, Landmarks]]:
        found = self._follower.from_points(grey, [self._points[self._index]])[0]
        return [(points_box(found.points, score=found.score), found)]


def measure(recording: Recording, movement: Movement, window: Window) -> Measurements | None:
    """Measure the frames of a window with the movement drawn into them.

    Parameters
    ----------
    recording, movement, window
        See there.

    Returns
    -------
    Measurements or None
        Of the window's frames alone; None where the face was lost in them.
    """
    frames = slice(window.first, window.last + 1)
    moving = slice(window.moving.onset, window.moving.offset + 1)
    time_s = recording.measured.time_s
    drawn = CarriedMovement(movement, recording.points[moving], time_s[moving])
    motion = RegionMotion(recording.settings.motion)
    log = MeasurementLog(recording.measured.face)

    def pictures() -> Generator[Frame]:
        for frame in recording.reader.frames(window.first, window.last):
            inside = moving.start <= frame.index < moving.stop
            grey = drawn.draw(frame.grey, frame.index - moving.start) if inside else frame.grey
            yield Frame(frame.index, frame.time_s, grey)

    for frame, seen in looks.sightings(pictures(), _KnownFace(recording)):
        for sighting in seen[:1]:
            sample = motion.update(frame.time_s, frame.grey, sighting.landmarks, sighting.segment)
            log.add(frame.index - window.first, sighting.landmarks, sample)
    there = log.collect(time_s[frames])
    return there if (there.run == 0).all() else None


def put_in(measured: Measurements, there: Measurements, window: Window) -> Measurements:
    """Return the measurements of a recording with those of a window in their place.

    Displacements count from the beginning of a run, which the window does not share: its own are shifted so that they
    meet the recording's before the movement, and the rest of the run is shifted to meet them after it.
    """
    inside = slice(window.first, window.last + 1)
    before = slice(0, max(window.moving.onset - window.first, 1))
    after = slice(min(window.moving.offset - window.first + 1, len(there.run) - 1), len(there.run))
    old = measured.displacement[inside].astype(np.float64)
    new = there.displacement.astype(np.float64)
    new = new + (old[before] - new[before]).mean(axis=0)
    whole = measured.displacement.astype(np.float64)
    rest = np.flatnonzero(measured.run == measured.run[window.first])
    rest = rest[rest > window.last]
    whole[rest] += (new[after] - old[after]).mean(axis=0)
    whole[inside] = new

    def joined(name: str) -> Any:
        values = getattr(measured, name).copy()
        values[inside] = getattr(there, name)
        return values

    residual = joined("residual_px")
    # The first frame of a measurement has no misfit; in the recording it is no first frame.
    residual[window.first] = measured.residual_px[window.first]
    return replace(
        measured,
        displacement=whole.astype(np.float32),
        residual_px=residual,
        transform=joined("transform"),
        eye_opening=joined("eye_opening"),
        mouth_opening=joined("mouth_opening"),
        pose=joined("pose"),
    )


def judge(events: Sequence[Event], window: Window, apex_frame: int) -> tuple[bool, bool]:
    """Whether the movement of a window was found, and whether it was noticed at all (see `CalibrationTrial`)."""
    found = any(e.kind == "micro" and e.interval.iou(window.truth) >= FOUND_IOU for e in events)
    noticed = any(e.kind not in LID_KINDS and e.onset_frame <= apex_frame <= e.offset_frame for e in events)
    return found, found or noticed
