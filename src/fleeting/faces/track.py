"""Faces over time: each face gets a track with an id and keeps it through blinks, short occlusions and absences.

Landmarks of the last frame place the crop of the next one, so the whole frame is searched only now and then (for new
faces) and when a face is lost. Where a face is not seen there are no values: its track goes on with a new segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fleeting.faces.crop import points_box
from fleeting.faces.landmarks import Landmarks
from fleeting.faces.shots import likeness, template
from fleeting.records import Cut, FaceBox, FaceSegment, FaceTrack
from fleeting.settings import FaceSettings

KEEP_SCORE = 0.3
"""A face that was seen in the last frame needs less evidence than a new one: hands and blinks lower the score."""

SAME_PERSON = 0.8
"""Smallest likeness of two aligned faces that counts as the same person after a long absence: to give one person two
tracks is better than to mix two people in one (``benchmarks/studies/identity.py``)."""

SAME_AFTER_CUT = 0.9
SURE_IOD_PX = 40.0
"""The same after a cut, where another person in the same place is the rule; smaller faces all look alike."""

SEARCH_EMPTY_S = 0.1
"""Seconds between searches of the whole frame while no face is in view."""


class Detector(Protocol):
    """Finds all faces of a frame; `faces.detect.FaceDetector` is the shipped one."""

    def __call__(self, grey: npt.NDArray[np.uint8]) -> Sequence[tuple[FaceBox, Landmarks]]:
        """Return box and landmarks of each face of a (h, w) uint8 frame."""


class Follower(Protocol):
    """Finds landmarks where earlier ones are known; `faces.landmarks.LandmarkNet` is the shipped one."""

    def from_points(self, grey: npt.NDArray[np.uint8], points: Sequence[npt.NDArray[Any]]) -> Sequence[Landmarks]:
        """Return new landmarks for each of the given ones, (68, 2) in pixels of the frame."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One face in one frame.

    Attributes
    ----------
    track
        Id of the track.
    segment
        Counts the stretches in which the track's face was seen without a gap, from 0.
    landmarks
        Its landmarks in pixels of the frame.
    """

    track: int
    segment: int
    landmarks: Landmarks


@dataclass(slots=True)
class _Track:
    id: int
    landmarks: Landmarks
    seen_frame: int
    seen_s: float
    template: npt.NDArray[np.float32]
    active: bool = True
    cut: bool = False
    unconfirmed: int = 0
    segments: list[list[int]] = field(default_factory=list)
    iods: list[float] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)


def area_over_time(track: FaceTrack) -> float:
    """Squared inter-ocular distance times the frames in view: what the largest face has most of."""
    return track.median_iod_px**2 * track.frame_count


def box_iou(a: FaceBox, b: FaceBox) -> float:
    """Intersection over union of two boxes."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(width, 0.0) * max(height, 0.0)
    total = a.width * a.height + b.width * b.height - shared
    return shared / total if total > 0 else 0.0


class Tracker:
    """Follows all faces of a video, frame by frame.

    Parameters
    ----------
    settings
        See `settings.FaceSettings`.
    detector, follower
        The networks; the shipped ones where None.
    """

    def __init__(
        self,
        settings: FaceSettings | None = None,
        *,
        detector: Detector | None = None,
        follower: Follower | None = None,
    ) -> None:
        self.settings = settings = settings or FaceSettings()
        if settings.landmarker == "mediapipe" and (detector is None or follower is None):
            from fleeting.faces.mediapipe_landmarks import MediaPipeLandmarker

            landmarker = MediaPipeLandmarker()
            detector, follower = detector or landmarker, follower or landmarker
        if detector is None:
            from fleeting.faces.detect import FaceDetector

            detector = FaceDetector()
        if follower is None:
            from fleeting.faces.landmarks import LandmarkNet

            follower = LandmarkNet()
        self.detector, self.follower = detector, follower
        self.cuts: list[Cut] = []
        self._tracks: list[_Track] = []
        self._next_search_s = -np.inf
        self._last_index = -1

    def update(self, index: int, time_s: float, grey: npt.NDArray[np.uint8]) -> list[Sighting]:
        """Take the next frame and return the faces seen in it, by track id.

        Parameters
        ----------
        index, time_s
            Number and time of the frame; both must grow. Numbers may be left out (see `faces.looks`): segments go on
            over them.
        grey
            (h, w) uint8.
        """
        self._follow(index, time_s, grey)
        lost_now = any(not t.active and t.seen_frame == self._last_index for t in self._tracks)
        if lost_now or time_s >= self._next_search_s:
            self._search(index, time_s, grey)
            anyone = any(t.active for t in self._tracks)
            self._next_search_s = time_s + (self.settings.find_interval_s if anyone else SEARCH_EMPTY_S)
        self._last_index = index
        return [Sighting(t.id, len(t.segments) - 1, t.landmarks) for t in self._tracks if t.active]

    def cut(self, cut: Cut) -> None:
        """End all tracks where a shot ends; the next frame is that of the new shot.

        A face of the new shot has a track of its own, unless it looks the same as an earlier one beyond doubt.
        """
        self.cuts.append(cut)
        for track in self._tracks:
            track.active, track.cut = False, True
            for segment in track.segments:
                segment[1] = min(segment[1], cut.onset_frame - 1)
        self._next_search_s = -np.inf

    def tracks(self) -> tuple[FaceTrack, ...]:
        """All tracks so far, with their segments."""
        return tuple(
            FaceTrack(
                id=t.id,
                segments=tuple(FaceSegment(a, b) for a, b in t.segments if b >= a),
                median_iod_px=float(np.median(t.iods)),
                median_box=FaceBox(*(float(v) for v in np.median(np.array(t.boxes), axis=0))),
            )
            for t in self._tracks
            if any(b >= a for a, b in t.segments)
        )

    def _follow(self, index: int, time_s: float, grey: npt.NDArray[np.uint8]) -> None:
        active = [t for t in self._tracks if t.active]
        if not active:
            return
        found = self.follower.from_points(grey, [t.landmarks.points for t in active])
        for track, landmarks in zip(active, found, strict=True):
            if _plausible(landmarks, track.landmarks, grey.shape):
                self._see(track, index, time_s, landmarks)
            else:
                track.active = False
        for track in active:
            twins = [t for t in active if t.id < track.id and t.active]
            box = points_box(track.landmarks.points)
            if track.active and any(box_iou(box, points_box(t.landmarks.points)) > 0.5 for t in twins):
                self._forget(track, index)

    def _search(self, index: int, time_s: float, grey: npt.NDArray[np.uint8]) -> None:
        waiting = [t for t in self._tracks if t.active]
        for box, landmarks in self.detector(grey):
            here = max(waiting, key=lambda t: box_iou(box, points_box(t.landmarks.points)), default=None)
            if here is not None and box_iou(box, points_box(here.landmarks.points)) > 0.3:
                here.unconfirmed = 0
                here.template += 0.1 * (template(grey, here.landmarks) - here.template)
                waiting.remove(here)
                continue
            if any(box_iou(box, points_box(t.landmarks.points)) > 0.3 for t in self._tracks if t.active):
                continue
            looks = template(grey, landmarks)
            track = self._returning(landmarks, looks, time_s)
            if track is None:
                track = _Track(len(self._tracks), landmarks, index, time_s, looks)
                self._tracks.append(track)
            track.active, track.cut, track.unconfirmed = True, False, 0
            track.segments.append([index, index - 1])
            self._see(track, index, time_s, landmarks)
        for track in waiting:
            track.unconfirmed += 1
            # The landmark network alone may cling to a background; the finder must agree now and then.
            if track.unconfirmed >= 3 and track.landmarks.score < 0.9:
                self._forget(track, index)

    def _see(self, track: _Track, index: int, time_s: float, landmarks: Landmarks) -> None:
        track.landmarks, track.seen_frame, track.seen_s = landmarks, index, time_s
        track.segments[-1][1] = index
        if len(track.iods) < 2000 or index % 16 == 0:
            track.iods.append(float(landmarks.iod))
            track.boxes.append(points_box(landmarks.points)[:4])

    def _forget(self, track: _Track, index: int) -> None:
        """End a segment in this frame, which does not show the face after all."""
        track.active = False
        if track.segments[-1][1] == index:
            track.segments[-1][1] = track.seen_frame = self._last_index

    def _returning(self, landmarks: Landmarks, looks: npt.NDArray[np.float32], time_s: float) -> _Track | None:
        """Find the lost track that this face continues: the same place soon after, or the same looks at any time."""
        best: tuple[float, _Track] | None = None
        for track in self._tracks:
            if track.active:
                continue
            ratio = float(landmarks.iod) / max(float(track.landmarks.iod), 1e-6)
            distance = np.linalg.norm(landmarks.points.mean(0) - track.landmarks.points.mean(0))
            near = distance < 1.5 * float(track.landmarks.iod) and 0.6 < ratio < 1.7
            alike = likeness(looks, track.template)
            soon = time_s - track.seen_s <= self.settings.max_gap_s and not track.cut
            same = alike >= SAME_PERSON
            if track.cut:
                same = alike >= SAME_AFTER_CUT and min(track.landmarks.iod, landmarks.iod) >= SURE_IOD_PX
            rank = alike + (1.0 if near and soon else 0.0)
            if ((near and soon) or same) and (best is None or rank > best[0]):
                best = (rank, track)
        return best[1] if best else None


def _plausible(now: Landmarks, before: Landmarks, shape: tuple[int, ...]) -> bool:
    """Whether landmarks found from the last frame's may be the same face."""
    ratio = float(now.iod) / max(float(before.iod), 1e-6)
    centre = now.points.mean(axis=0)
    inside = 0 <= centre[0] < shape[1] and 0 <= centre[1] < shape[0]
    return bool(now.score >= KEEP_SCORE and inside and 0.7 < ratio < 1.4)
