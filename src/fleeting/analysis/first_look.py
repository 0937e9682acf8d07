"""The first look at a video: every frame once, and only numbers are kept of it, on the disk.

Three stages work side by side, each a few frames ahead of the next: decoding, faces, motion. What they give does not
depend on that: the stages hand frames on in order and share nothing else.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.analysis.kept_look import KeptPart
from fleeting.analysis.portraits import Portraits
from fleeting.faces import looks
from fleeting.faces.cuts import CutFinder
from fleeting.faces.track import Sighting, Tracker
from fleeting.naming.whole_face import ExpressionMeter
from fleeting.quality.meter import QualityMeter
from fleeting.records import FaceTrack
from fleeting.settings import AnalyseSettings
from fleeting.spotting.measurements import MeasurementLog
from fleeting.spotting.region_motion import RegionMotion
from fleeting.video.ahead import ahead
from fleeting.video.frame import Frame
from fleeting.video.stream import VideoReader

SIDE_BY_SIDE = 3
"""Most faces whose motion is measured at once while it is not yet known which is the largest."""

CODING_NOISE = 12
"""Grey levels by which compression lets the frames of a still picture differ; a living face differs by far more."""

AHEAD_BYTES = 48_000_000
"""Memory for the frames that wait between two stages."""

MOST_AHEAD = 16

Progress = Callable[[int, int | None], None]
"""Called with the frames done so far and the number to be done (None where the video does not say)."""


class FirstLook:
    """Measures every frame and face.

    Attributes
    ----------
    times
        Seconds of every frame.
    logs
        Measurements by track.
    tracks
        All faces, once `finish` was called.
    brightness
        Largest mean grey level of a frame, of every tenth.
    changes
        Whether frames differ by more than compression would let them.
    expressions
        Reads the whole faces; None where nobody does.
    portraits
        A picture of each face, by track.
    """

    def __init__(
        self,
        settings: AnalyseSettings,
        meter: QualityMeter,
        *,
        expressions: ExpressionMeter | None = None,
        kept: KeptPart | None = None,
        folder: Path | None = None,
    ) -> None:
        self._folder = folder
        self.times = array("d")
        self.logs: dict[int, MeasurementLog] = {}
        self.tracks: tuple[FaceTrack, ...] = ()
        self.brightness = 0.0
        self.changes = False
        self.tracker = Tracker(settings.faces)
        self._kept = kept
        if kept is not None:
            self.tracker.detector = kept.detector(self.tracker.detector)
            self.tracker.follower = kept.follower(self.tracker.follower)
        self.expressions = expressions
        self._settings, self._meter = settings, meter
        self.portraits = Portraits()
        self._motion: dict[int, RegionMotion] = {}
        self._cuts = 0
        self._first: npt.NDArray[np.uint8] | None = None

    @property
    def time_s(self) -> npt.NDArray[np.float64]:
        """(n,) seconds of every frame."""
        return np.array(self.times, np.float64)

    def add(self, frame: Frame, seen: list[Sighting]) -> None:
        """Measure the next frame with the faces seen in it."""
        self.judge(frame, seen)
        self.follow(frame, seen)

    def judge(self, frame: Frame, seen: list[Sighting]) -> None:
        """Take the quality of the next frame and a picture of each face; needs nothing of `follow`."""
        grey = frame.grey
        self._meter.add(frame, [s.landmarks for s in seen])
        if not self.changes:
            first = self._first = grey if self._first is None else self._first
            self.changes = first.shape != grey.shape or cv2.norm(first, grey, cv2.NORM_INF) > CODING_NOISE
        if frame.index % 10 == 0:
            self.brightness = max(self.brightness, float(grey[::8, ::8].mean()))
        self.portraits.add(frame, seen)

    def follow(self, frame: Frame, seen: list[Sighting]) -> None:
        """Measure the motion of the next frame's faces."""
        grey = frame.grey
        self.times.append(frame.time_s)
        self._forget_dissolves(frame.index)
        seen = self._measured(seen)
        if self.expressions is not None:
            self.expressions.add(frame, seen)
        for one in seen:
            if one.track not in self._motion:
                remember = None if self._kept is None else self._kept.steps(one.track)
                self._motion[one.track] = RegionMotion(self._settings.motion, remember=remember)
            motion = self._motion[one.track]
            log = self.logs.setdefault(one.track, MeasurementLog(one.track, folder=self._folder))
            log.add(frame.index, one.landmarks, motion.update(frame.time_s, grey, one.landmarks, one.segment))

    def _measured(self, seen: list[Sighting]) -> list[Sighting]:
        faces = self._settings.faces
        if faces.all_faces:
            return seen
        if faces.face >= 0:
            return [s for s in seen if s.track == faces.face]
        seen = sorted(seen, key=lambda s: -float(s.landmarks.iod))
        return [s for s in seen if s.landmarks.iod > 0.6 * seen[0].landmarks.iod][:SIDE_BY_SIDE]

    def _forget_dissolves(self, index: int) -> None:
        """Drop what was measured in pictures that mix two shots, once it is known that they do."""
        # The tracker may be some frames ahead.
        while self._cuts < len(self.tracker.cuts) and self.tracker.cuts[self._cuts].frame <= index:
            cut = self.tracker.cuts[self._cuts]
            for log in self.logs.values():
                log.drop(cut.onset_frame, cut.frame)
            if self.expressions is not None:
                self.expressions.drop(cut.onset_frame, cut.frame)
            self._cuts += 1

    def finish(self) -> None:
        """Take the tracks over, now that all frames were seen."""
        self.tracks = self.tracker.tracks()


def first_look(
    reader: VideoReader,
    settings: AnalyseSettings,
    meter: QualityMeter,
    progress: Progress | None = None,
    *,
    expressions: ExpressionMeter | None = None,
    kept: KeptPart | None = None,
    folder: Path | None = None,
) -> FirstLook:
    """Look at all frames of a video.

    Parameters
    ----------
    reader
        The video.
    settings
        See `settings.AnalyseSettings`.
    meter
        Is fed every frame.
    progress
        Called now and then.
    expressions
        Is fed every frame too.
    kept
        What the networks and the flow have answered before, and where their new answers go; None keeps nothing.
    folder
        As for `rows.Rows`.
    """
    look = FirstLook(settings, meter, expressions=expressions, kept=kept, folder=folder)
    depth = depth_for(reader.info.width, reader.info.height)
    with one_opencv_thread(), closing(staged(reader, look.tracker, depth=depth, each=look.judge)) as steps:
        for frame, seen in steps:
            look.follow(frame, seen)
            if progress is not None and frame.index % 16 == 0:
                progress(frame.index + 1, reader.info.frame_count)
    if progress is not None:
        progress(len(look.times), len(look.times))
    look.finish()
    return look


def staged(
    frames: Iterable[Frame],
    tracker: Tracker,
    *,
    depth: int,
    each: Callable[[Frame, list[Sighting]], None] | None = None,
) -> Generator[tuple[Frame, list[Sighting]]]:
    """Yield frames with their faces, both made ahead in threads of their own.

    Parameters
    ----------
    frames
        In order.
    tracker
        Finds the faces.
    depth
        Most frames that wait behind each of the two stages.
    each
        Called with every frame and its faces, in the thread that found them.
    """
    decoded = ahead(_decoded(frames), depth=depth)
    seen = looks.sightings(decoded, tracker, cuts=CutFinder(tracker.detector))
    return ahead(_closing(seen if each is None else _each(seen, each), decoded), depth=depth)


def _each(
    steps: Iterable[tuple[Frame, list[Sighting]]], call: Callable[[Frame, list[Sighting]], None]
) -> Generator[tuple[Frame, list[Sighting]]]:
    for frame, seen in steps:
        call(frame, seen)
        yield frame, seen


def _decoded(frames: Iterable[Frame]) -> Generator[Frame]:
    for frame in frames:
        # Asked for here, so that the values are made in this thread.
        _ = frame.grey
        yield frame


def _closing(items: Iterable[Any], before: Generator[Any]) -> Generator[Any]:
    """End the stage before together with this one."""
    with closing(before):
        yield from items


def depth_for(width: int, height: int) -> int:
    """How many frames may wait between two stages: a frame is held with its decoded picture, 2.5 bytes a pixel."""
    return int(np.clip(AHEAD_BYTES / (2.5 * width * height), 2, MOST_AHEAD))


@contextmanager
def one_opencv_thread() -> Generator[None]:
    """Keep OpenCV from splitting small pictures over threads, which costs more than it gains beside other stages."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
