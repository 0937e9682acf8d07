"""From a portrait or a video on disk to clips with their truth on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError, NoFaceError, SettingsError
from fleeting.files import make_folder
from fleeting.reading import reading
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.face.disturbances import NO_DISTURBANCES, Span
from fleeting.synthesis.face.lid_edges import refine_lids
from fleeting.synthesis.film_plan import draw_disturbances, draw_hard_camera, spans_of
from fleeting.synthesis.inject import PointSource, inject
from fleeting.synthesis.plan import PlanSettings, plan
from fleeting.synthesis.render import DEFAULT_CRF, Progress, render_clip
from fleeting.synthesis.sets import DISTURBANCES_NAME, read_disturbances, write_disturbances
from fleeting.synthesis.truth import TruthRow, read_truth, write_truth
from fleeting.video.declared import decoded

TRUTH_NAME = "truth.csv"

_Maker = Callable[[Path, int], tuple[list[TruthRow], Sequence[Span]]]


@dataclass(frozen=True, slots=True)
class SynthesisSettings:
    """What is drawn and how it is stored.

    Attributes
    ----------
    plan
        Which movements.
    clip
        How a portrait is filmed; a video stays as it was filmed.
    clips
        Clips per portrait or video, each with its own plan.
    crf
        Constant-rate factor of H.264, lower is better.
    pictures
        Write folders of numbered png pictures instead of mp4 files; for portraits only.
    hard
        Whether a portrait's film is disturbed as the hard films of `synthesis.film_plan` are: gaze, turns, speech,
        swallowing, focus, frames that are lost or come twice, a noisier sensor, lamps that flicker. What disturbs is
        listed in ``disturbances.csv``.
    seed
        Of the first clip; each further one adds 1.
    """

    plan: PlanSettings = field(default_factory=PlanSettings)
    clip: ClipSettings = field(default_factory=ClipSettings)
    clips: int = 1
    crf: float = DEFAULT_CRF
    pictures: bool = False
    hard: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.clips < 1:
            raise SettingsError("at least one clip", f"{self.clips}", "Correct the number.")
        if self.seed < 0:
            raise SettingsError("a seed of 0 or more", f"{self.seed}", "Correct the seed.")


def is_picture(path: str | Path) -> bool:
    """Whether a path is a still picture, as against a video or a folder."""
    path = Path(path)
    return path.is_file() and path.suffix.lower() != ".gif" and bool(cv2.haveImageReader(str(path)))


def read_portrait(path: str | Path) -> npt.NDArray[np.uint8]:
    """Read a picture as (h, w, 3) uint8 RGB, turned as its EXIF data say.

    Raises
    ------
    InputError
        Where it cannot be read.
    """
    with reading(path, "a picture of a face", "Give a png or jpeg file.", error=InputError):
        stored: Any = decoded(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if stored is None:
        raise InputError("a picture of a face", f"{path}, which cannot be read", "Give a png or jpeg file.")
    return np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB), np.uint8)


def find_points(portrait: npt.NDArray[np.uint8], *, name: str) -> npt.NDArray[np.floating]:
    """Landmarks (68, 2) of the largest face of a picture (h, w, 3) RGB, by the shipped networks; lids made exact.

    Raises
    ------
    NoFaceError
        Where there is none.
    """
    from fleeting.faces.detect import FaceDetector

    grey = np.asarray(cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY), np.uint8)
    found = FaceDetector()(grey)
    if not found:
        raise NoFaceError(f"a face in {name}", "a picture without one", "Give a portrait seen from the front.")
    return refine_lids(grey, found[0][1].points)


def synthesise(
    source: str | Path,
    out: str | Path,
    *,
    settings: SynthesisSettings | None = None,
    points: npt.NDArray[np.floating] | PointSource | None = None,
    fps: float | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Make clips of a portrait, or put expressions into a video, and enter them in ``truth.csv``.

    Rows that the truth file has for other clips stay; those of a clip that is made anew are replaced. A video stays as
    long and as fast as it is, and gets no blinks.

    Parameters
    ----------
    source
        A picture, a video, or a folder of numbered images.
    out
        Folder for the clips and the truth file.
    settings
        What to draw.
    points
        Landmarks (68, 2) of the portrait, or what finds them in the video; the shipped networks where None.
    fps
        Frames per second of an image folder.
    progress
        Told the number of frames done, and of all frames, for each clip.

    Returns
    -------
    list of Path
        The clips.

    Raises
    ------
    InputError
        Where the source cannot be used: `VideoError`, `NoFaceError`, `SettingsError`, `DataError`.
    OutputError
        Where the disk refuses.
    """
    settings = settings or SynthesisSettings()
    source, out = Path(source), make_folder(out)
    truth = out / TRUTH_NAME
    rows = read_truth(truth) if truth.exists() else []
    make: _Maker
    if is_picture(source):
        if callable(points):
            raise SettingsError("landmarks (68, 2) for a picture", "a function", "Give an array, or None.")
        make = _portrait_maker(source, settings, points, progress)
    else:
        if points is not None and not callable(points):
            raise SettingsError("a function of frames for a video", "an array", "Give a function, or None.")
        make = _video_maker(source, settings, points, fps, progress)
    clips = []
    for index in range(settings.clips):
        clip = out / _name(source, settings, index)
        if source.exists() and clip.resolve() == source.resolve():
            raise InputError("another folder than that of the video", f"{out}", "Choose another --out.")
        made, spans = make(clip, settings.seed + index)
        rows = [r for r in rows if r.file != clip.name] + made
        clips.append(clip)
        write_truth(truth, rows)
        _list_disturbances(out / DISTURBANCES_NAME, clip.name, spans)
    return clips


def _list_disturbances(path: Path, file: str, spans: Sequence[Span]) -> None:
    """Enter what disturbs a clip beside what disturbs others; no table where nothing ever did."""
    others = read_disturbances(path) if path.exists() else {}
    if spans or file in others:
        listed = others | {file: [*spans]}
        write_disturbances(path, [(name, span) for name, found in listed.items() for span in found])


def _name(source: Path, settings: SynthesisSettings, index: int) -> str:
    stem = source.name if source.is_dir() else source.stem
    number = f"_{index:0{len(str(settings.clips - 1))}d}" if settings.clips > 1 else ""
    return f"{stem}{number}{'' if settings.pictures else '.mp4'}"


def _portrait_maker(
    source: Path,
    settings: SynthesisSettings,
    points: npt.NDArray[np.floating] | None,
    progress: Progress | None,
) -> _Maker:
    portrait = read_portrait(source)
    placed = find_points(portrait, name=source.name) if points is None else points

    def make(path: Path, seed: int) -> tuple[list[TruthRow], Sequence[Span]]:
        movements = plan(settings.plan, seconds=settings.clip.seconds, seed=seed)
        how, disturbances = settings.clip, NO_DISTURBANCES
        if settings.hard:
            rng = np.random.default_rng([seed, 5])
            disturbances = draw_disturbances(rng, movements, seconds=how.seconds, fps=how.fps)
            how = replace(how, camera=draw_hard_camera(rng))
            if settings.pictures:
                # Numbered pictures have no times in which a gap could show.
                disturbances = replace(disturbances, dropped=frozenset())
        clip = PortraitClip(portrait, placed, movements=movements, settings=how, disturbances=disturbances, seed=seed)
        return render_clip(clip, path, crf=settings.crf, progress=progress), spans_of(disturbances, how)

    return make


def _video_maker(
    source: Path,
    settings: SynthesisSettings,
    points: PointSource | None,
    fps: float | None,
    progress: Progress | None,
) -> _Maker:
    from fleeting.video.reader import open_video

    if settings.pictures:
        raise SettingsError("an mp4 file for a video", "a folder of pictures", "Leave out --pictures.")
    if settings.hard:
        raise SettingsError("a portrait for a hard film", f"{source}", "Leave out --hard: a real video has its own.")

    def make(path: Path, seed: int) -> tuple[list[TruthRow], Sequence[Span]]:
        with open_video(source, fps=fps) as reader:
            last_s = 0.0
            for frame in reader:
                last_s = frame.time_s
            movements = plan(replace(settings.plan, blinks_per_minute=0.0), seconds=last_s, seed=seed)
            return inject(reader, path, movements, points=points, crf=settings.crf, progress=progress), ()

    return make


def expected_names(sources: Sequence[str | Path], settings: SynthesisSettings) -> list[str]:
    """Names of the clips that several sources give, in order.

    Raises
    ------
    InputError
        Where two sources would give the same name.
    """
    names = [_name(Path(s), settings, i) for s in sources for i in range(settings.clips)]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError("sources with different names", f"two that give {twice[0]}", "Rename one, or run them apart.")
    return names
