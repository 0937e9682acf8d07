"""A first look at a recording: what it is, and whether it is fit for micro-expressions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import FleetingWarning, VideoError
from fleeting.faces import looks
from fleeting.faces.track import Detector, Tracker, area_over_time
from fleeting.faces.upright import open_upright, shipped_detector
from fleeting.quality.meter import Face, Quality, QualityMeter
from fleeting.records import VideoInfo
from fleeting.settings import AnalyseSettings, FaceSettings
from fleeting.video.frame import Frame
from fleeting.video.reader import open_video
from fleeting.video.stream import VideoReader

PROBE_S = 20.0
"""Seconds from the beginning that are looked at: enough for every measure, at any length of video."""

FaceFunction = Callable[[npt.NDArray[np.uint8]], Sequence[Face]]


@dataclass(frozen=True, slots=True)
class Probe:
    """What `probe` found.

    Attributes
    ----------
    video
        What the file says of itself.
    quality
        The measures and verdicts.
    frame_count, duration_s
        Frames that were looked at, and the seconds that they cover.
    complete
        Whether that was the whole video.
    warnings
        What else the user should know.
    """

    video: VideoInfo
    quality: Quality
    frame_count: int
    duration_s: float
    complete: bool
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries for JSON."""
        return {
            "video": asdict(self.video),
            "verdict": self.quality.verdict,
            "quality": self.quality.to_dict(),
            "frame_count": self.frame_count,
            "duration_s": self.duration_s,
            "complete": self.complete,
            "warnings": list(self.warnings),
        }


def probe(
    path: str | Path,
    *,
    fps: float | None = None,
    settings: AnalyseSettings | None = None,
    seconds: float = PROBE_S,
    faces: FaceFunction | None = None,
) -> Probe:
    """Look at the beginning of a video and judge whether it is fit.

    Parameters
    ----------
    path
        A video file, or a folder of numbered images.
    fps
        As in `video.reader.open_video`.
    settings
        For the smallest face that is analysed.
    seconds
        How much of it to look at; infinity for all.
    faces
        Finds the faces of a grey picture, four times a second; None follows them as an analysis does.

    Raises
    ------
    VideoError
        Where the path is no usable video.
    """
    wanted = (settings or AnalyseSettings()).faces
    detect = shipped_detector(wanted) if faces is None else None
    tracker = None if detect is None else Tracker(wanted, detector=detect)
    # Warnings are told as part of the result.
    with (
        warnings.catch_warnings(action="ignore", category=FleetingWarning),
        _opened(path, fps, wanted, detect) as reader,
    ):
        meter = QualityMeter(reader.info, settings=wanted)
        count, last_s, complete = 0, 0.0, True
        for frame, seen in _seen(reader, meter, tracker, faces):
            if frame.time_s > seconds:
                complete = False
                break
            meter.add(frame, seen)
            count, last_s = count + 1, frame.time_s
        if count == 0:
            raise VideoError("a video with frames", f"{path}, of which none can be decoded", "Copy it again.")
        tracks = () if tracker is None else tracker.tracks()
        quality = meter.quality(max(tracks, key=area_over_time, default=None))
        notes = tuple(reader.warnings)
    return Probe(reader.info, quality, count, last_s + 1.0 / reader.info.fps, complete, notes)


def _seen(
    reader: VideoReader, meter: QualityMeter, tracker: Tracker | None, faces: FaceFunction | None
) -> Iterator[tuple[Frame, Sequence[Face]]]:
    """Yield every frame with the faces in it, followed as in an analysis, so that both say the same."""
    if tracker is not None:
        for frame, seen in looks.sightings(reader, tracker):
            yield frame, [s.landmarks for s in seen]
    elif faces is not None:
        for frame in reader:
            yield frame, faces(frame.grey) if meter.wants_faces(frame) else ()


def _opened(path: str | Path, fps: float | None, settings: FaceSettings, detect: Detector | None) -> VideoReader:
    if detect is None:
        return open_video(path, fps=fps)
    return open_upright(path, fps=fps, settings=settings, detect=detect)
