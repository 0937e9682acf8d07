"""One video in, the measurements of its largest face out: what `spotting.spot` reads, to be kept and spotted again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fleeting.analysis.chosen_faces import analysed_tracks, fully_measured
from fleeting.analysis.first_look import FirstLook, first_look
from fleeting.errors import VideoError
from fleeting.faces.upright import open_upright
from fleeting.quality.meter import QualityMeter
from fleeting.settings import AnalyseSettings
from fleeting.spotting.measurements import Measurements
from fleeting.threads import one_blas_thread
from fleeting.video.stream import VideoReader


@one_blas_thread()
def measure_video(path: str | Path, *, fps: float | None = None) -> Measurements:
    """Measure the face that `analyse.analyse_video` would analyse, with the default settings.

    Parameters
    ----------
    path
        A video file, or a folder of numbered images.
    fps
        Frames per second of an image folder.

    Raises
    ------
    VideoError, NoFaceError
        As `analyse.analyse_video`.
    """
    settings = AnalyseSettings()
    with open_upright(path, fps=fps, settings=settings.faces) as reader:
        seen = _looked(reader, settings)
        if not seen.times:
            raise VideoError("a video with frames", f"{path} without any", "Check the file in a player.")
        (track,) = analysed_tracks(seen, settings, str(path))
        if not fully_measured(seen, track):
            # Another face was larger for a while, so this one was left out there.
            seen = _looked(reader, replace(settings, faces=replace(settings.faces, face=track.id)))
    return seen.logs[track.id].collect(seen.time_s)


def _looked(reader: VideoReader, settings: AnalyseSettings) -> FirstLook:
    return first_look(reader, settings, QualityMeter(reader.info, settings=settings.faces))
