"""One video in, the measurements of its largest face out: what `spotting.spot` reads, to be kept and spotted again."""

from __future__ import annotations

from pathlib import Path

from fleeting.analysis.analyse import chosen_faces_in
from fleeting.faces.upright import open_upright
from fleeting.settings import AnalyseSettings
from fleeting.spotting.measurements import Measurements
from fleeting.threads import one_blas_thread


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
        (track,), seen, _, _ = chosen_faces_in(reader, settings)
    return seen.logs[track.id].collect(seen.time_s)
