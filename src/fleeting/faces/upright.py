"""A video opened with its faces upright: what `probe`, `analyse`, `live` and `emotion` look at."""

from __future__ import annotations

from pathlib import Path

from fleeting.faces.track import Detector
from fleeting.faces.turn import turn_of_film
from fleeting.settings import FaceSettings, LimitSettings
from fleeting.video.orientation import TURNS_TEXT
from fleeting.video.reader import open_video
from fleeting.video.stream import VideoReader


def open_upright(
    path: str | Path,
    *,
    fps: float | None = None,
    settings: FaceSettings | None = None,
    detect: Detector | None = None,
    limits: LimitSettings | None = None,
) -> VideoReader:
    """Open a video, and turn it where its faces lie on their side or stand on their head.

    Parameters
    ----------
    path, fps, limits
        As for `video.reader.open_video`.
    settings
        ``turn`` says how far to turn; ``auto``, which is the default, asks the faces.
    detect
        Finds the faces of a grey picture; the shipped networks where None.

    Raises
    ------
    VideoError
        Where the path is no usable video.

    Warns
    -----
    FleetingWarning
        Where the faces say that the picture has to be turned.
    """
    reader = open_video(path, fps=fps, limits=limits)
    make_upright(reader, settings or FaceSettings(), detect)
    return reader


def make_upright(reader: VideoReader, settings: FaceSettings, detect: Detector | None = None) -> None:
    """Turn a video that is open; see `open_upright`."""
    if settings.turn != "auto":
        reader.turn(int(settings.turn))
        return
    frames = iter(reader)
    turn = turn_of_film(frames, detect or shipped_detector(settings))
    reader.close()
    if turn:
        reader.turn(turn, why=turned(reader.path.name, turn))


def turned(name: str, turn: int) -> str:
    """Return what the user is told of a picture that was turned."""
    how = "stands on its head" if turn == 180 else "lies on its side"
    return (
        f"{name}: the face {how}, so the picture was turned by {TURNS_TEXT[turn]}. "
        'To take it as it is: faces.turn = "0" (--turn 0).'
    )


def shipped_detector(settings: FaceSettings) -> Detector:
    """Return what finds faces by these settings."""
    if settings.landmarker == "mediapipe":
        from fleeting.faces.mediapipe_landmarks import MediaPipeLandmarker

        return MediaPipeLandmarker()
    from fleeting.faces.detect import FaceDetector

    return FaceDetector()
