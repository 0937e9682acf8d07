"""The expression of every face in pictures and videos: `fleeting emotion`.

A picture's faces are found and read one by one; a video's faces are followed, so that each keeps its number. Faces are
cut as in an analysis (`naming.expression_net`), so what is measured there holds here.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import FleetingWarning, InputError, NoFaceError, VideoError
from fleeting.expressions.readings import Emotions, Reading, Source
from fleeting.faces import looks
from fleeting.faces.crop import points_box
from fleeting.faces.cuts import CutFinder
from fleeting.faces.detect import FaceDetector
from fleeting.faces.track import Tracker
from fleeting.faces.turn import turn_of_picture
from fleeting.faces.upright import open_upright, turned
from fleeting.naming.expression_net import MOST_YAW_DEG, ExpressionNet, expression_crop
from fleeting.naming.whole_face import ExpressionMeter
from fleeting.records import FaceBox
from fleeting.settings import FaceSettings
from fleeting.video import trouble
from fleeting.video.folder import StoredPicture, files_below
from fleeting.video.orientation import Orientation

Progress = Callable[[int, int | None], None]
"""Called with the frames (of a folder: the files) done so far and the number to be done, None where unknown."""


def read_emotions(
    path: str | Path,
    *,
    per_second: float | None = None,
    fps: float | None = None,
    without: Path | None = None,
    progress: Progress | None = None,
) -> Emotions:
    """Read the expressions of all faces in a picture, a video, or a folder of both.

    Parameters
    ----------
    path
        The file or folder. A folder is searched to its bottom; with `fps` it is one clip of numbered images instead.
    per_second
        Readings of each face of a video a second, at most; None reads every frame.
    fps
        Frames per second of a clip of numbered images, or of a camera that stores a slower rate.
    without
        A folder that is left out of the search, such as the one of the results.
    progress
        Called now and then.

    Returns
    -------
    Emotions
        In a folder, what could not be read is among the sources with its error.

    Raises
    ------
    InputError
        Where a single input cannot be read, or a folder holds no picture or video.
    NoFaceError
        Where a single input shows no face.
    WeightsError
        Where the network is missing.
    """
    path = Path(path)
    trouble.check_rate(fps)
    trouble.check_path(path)
    reader = _Reader(per_second=per_second, fps=fps)
    if path.is_dir() and fps is None:
        return Emotions(path.resolve().name, tuple(_folder(path, reader, without, progress)), True, reader.card)
    source = reader.read(path, path.name, progress)
    if not source.readings:
        seen = f"{path}, in which no face was found" + (f" in {source.frames} frames" if source.video else "")
        raise NoFaceError(
            "a face", seen, "Show the face from the front, upright, with at least 24 px between the eyes."
        )
    return Emotions(path.resolve().name if path.is_dir() else path.stem, (source,), False, reader.card)


def _folder(path: Path, reader: _Reader, without: Path | None, progress: Progress | None) -> Iterator[Source]:
    files = media_files(path, without=without)
    if not files:
        raise InputError("a folder of pictures or videos", f"{path}, which holds none", "Check the path.")
    for place, file in enumerate(files):
        name = file.relative_to(path).as_posix()
        try:
            yield reader.read(file, name, None)
        except InputError as error:
            yield Source(file, name, not is_picture(file), error=str(error))
        if progress is not None:
            progress(place + 1, len(files))


def media_files(folder: Path, *, without: Path | None = None) -> list[Path]:
    """Return all pictures and videos below a folder, by name; hidden files and folders are left out."""
    return files_below(folder, trouble.IMAGE_SUFFIXES | trouble.VIDEO_SUFFIXES, without=without)


def is_picture(path: Path) -> bool:
    """Whether a path is a picture by its suffix."""
    return path.suffix.lower() in trouble.IMAGE_SUFFIXES and not path.is_dir()


def read_picture(path: Path, *, turn: int = 0) -> npt.NDArray[np.uint8]:
    """Return a picture as (h, w, 3) uint8 RGB, turned as its EXIF entry says, alpha dropped, 16 bits scaled to 8.

    It is then turned clockwise by `turn` degrees: 0, 90, 180 or 270.

    Raises
    ------
    VideoError
        Where it cannot be read.
    """
    trouble.check_path(path)
    return StoredPicture(path, orientation=Orientation.clockwise(turn)).rgb()


class _Reader:
    """The networks, opened once for all files."""

    def __init__(self, *, per_second: float | None, fps: float | None) -> None:
        self._network = ExpressionNet()
        self._detector = FaceDetector()
        self._per_second, self._fps = per_second, fps
        self.card = self._network.card

    def read(self, path: Path, name: str, progress: Progress | None) -> Source:
        return self._picture(path, name) if is_picture(path) else self._video(path, name, progress)

    def _picture(self, path: Path, name: str) -> Source:
        grey = np.asarray(cv2.cvtColor(read_picture(path), cv2.COLOR_RGB2GRAY), np.uint8)
        turn = turn_of_picture(grey, self._detector) or 0
        if turn:
            grey = Orientation.clockwise(turn).apply(grey)
            warnings.warn(turned(name, turn), FleetingWarning, stacklevel=2)
        found = self._detector(grey)
        readable = [abs(float(seen.pose[0])) <= MOST_YAW_DEG for _, seen in found]
        crops = [expression_crop(grey, seen.points) for (_, seen), good in zip(found, readable, strict=True) if good]
        answers = iter(self._network(np.stack(crops)) if crops else ())
        readings = tuple(
            Reading(0, math.nan, face, box, float(seen.pose[0]), next(answers) if good else None)
            for face, ((box, seen), good) in enumerate(zip(found, readable, strict=True))
        )
        return Source(path, name, False, 1, math.nan, readings, turn=turn)

    def _video(self, path: Path, name: str, progress: Progress | None) -> Source:
        meter = ExpressionMeter(self._network, per_second=self._per_second)
        due: list[tuple[int, float, int, FaceBox, float]] = []
        frames = 0
        try:
            with open_upright(path, fps=self._fps, detect=self._detector) as video:
                tracker = Tracker(FaceSettings(), detector=self._detector)
                for frame, seen in looks.sightings(video, tracker, cuts=CutFinder(self._detector)):
                    frames = frame.index + 1
                    for one in meter.add(frame, seen):
                        box = points_box(one.landmarks.points, score=one.landmarks.score)
                        due.append((frame.index, frame.time_s, one.track, box, float(one.landmarks.pose[0])))
                    if progress is not None and frame.index % 16 == 0:
                        progress(frames, video.info.frame_count)
                rate, turn = video.info.fps, video.info.turn
        finally:
            curves = meter.curves()
        if not frames:
            raise VideoError("a video with frames", f"{path} without any", "Check the file in a player.")
        if progress is not None:
            progress(frames, frames)
        known = {
            (track, int(frame)): row
            for track, curve in curves.items()
            for frame, row in zip(curve.frame, curve.probabilities, strict=True)
        }
        readings = [Reading(f, t, track, box, yaw, known.get((track, f))) for f, t, track, box, yaw in due]
        return Source(path, name, True, frames, rate, tuple(readings), turn=turn)


def shown_at(readings: Sequence[Reading], *, held_s: float) -> Callable[[float], list[Reading]]:
    """Return a function from a time, in rising order, to each face's last reading that is at most `held_s` old."""
    place = 0
    last: dict[int, Reading] = {}

    def at(time_s: float) -> list[Reading]:
        nonlocal place
        while place < len(readings) and readings[place].time_s <= time_s + 1e-6:
            last[readings[place].face] = readings[place]
            place += 1
        return [r for r in last.values() if time_s - r.time_s <= held_s + 1e-6]

    return at
