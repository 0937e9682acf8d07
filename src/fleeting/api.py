"""What a program calls: analyse a video (many: `fleeting.batch`), calibrate one, say how it was done.

This is where the layers meet: analysis, report and export below it know nothing of each other.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from fleeting import results
from fleeting.errors import InputError, SettingsError, VideoError
from fleeting.records import Calibration, Timeline
from fleeting.report.references import STYLES, Style
from fleeting.settings import AnalyseSettings, nearest

log = logging.getLogger(__name__)

REPORT_NAME = "report.html"
TIMELINE_NAME = "timeline.json"
MEDIA_NAME = "media.npz"

Progress = Callable[[int, int | None], None]
"""Called with the frames done so far and the number to be done (None where the video does not say)."""


def analyse(
    path: str | Path,
    *,
    out: str | Path | None = None,
    settings: AnalyseSettings | None = None,
    fps: float | None = None,
    formats: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Timeline:
    """Find the micro-expressions, macro-expressions, blinks and winks of a video.

    Parameters
    ----------
    path
        A video file, or a folder of numbered images (then `fps` is needed).
    out
        Folder for the results. The report and the files of `formats` are written to ``out/NAME/``, all or none. They
        replace former results of the same video. Files that a person added or changed there are kept. If None,
        nothing is written.
    settings
        Settings of the analysis; the defaults if None.
    fps
        Frames per second of an image folder, or at which a slow-motion film was shot.
    formats
        Names of the files to write: ``report`` and names of `export.formats.FORMATS`. If None, ``report`` and
        `DEFAULT_FORMATS`. The timeline is always written, and with the report its pictures (``media.npz``).
    progress
        Called now and then with the frames done and the frames to do (None if unknown).

    Returns
    -------
    Timeline
        What was found: ``timeline.events``, ``timeline.to_dataframe()``.

    Raises
    ------
    VideoError, NoFaceError
        If the video cannot be read, or shows no face.
    OutputError
        If the results cannot be written, or something else is in their place.
    SettingsError
        For an unknown format.
    """
    from fleeting.analysis.analyse import analyse_video

    chosen = chosen_formats(formats)
    if out is None:
        return analyse_video(path, settings=settings, fps=fps, progress=progress, pictures=False).timeline
    results.check_writable(out)
    video = Path(path)
    folder = Path(out) / results.result_names([video])[0]
    run = describe(video, settings, fps, chosen)
    with results.claimed(folder):
        if run is not None:
            results.check_place(folder, run)
        return analyse_into(folder, video, run, settings=settings, progress=progress)


def chosen_formats(formats: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the files to write; None stands for the report and the default formats.

    ``json`` is always among them: it marks a video as finished, and a report can be built again from it.

    Raises
    ------
    SettingsError
        For an unknown name.
    MissingExtraError
        For parquet without its extra.
    """
    from fleeting.export import DEFAULT_FORMATS, FORMATS, check_formats

    if formats is None:
        return ("report", *DEFAULT_FORMATS)
    known = ("report", *FORMATS)
    if not formats:
        raise SettingsError(f"at least one format of {', '.join(known)}", "none", "Name one, or leave --format out.")
    for name in formats:
        if name not in (*known, "all"):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else "Choose one of them, or 'all'."
            raise SettingsError(f"a format of {', '.join(known)}", f"'{name}'", hint)
    files = check_formats([name for name in formats if name != "report"])
    return ("report", *files) if "all" in formats else tuple(dict.fromkeys((*formats, "json")))


def files_of_formats() -> dict[str, tuple[str, ...]]:
    """Return the names of the files that each format writes, the report among them."""
    from fleeting.export import FILES

    return {"report": (REPORT_NAME,), **FILES}


def write_results(
    timeline: Timeline,
    media: Any,
    folder: Path,
    formats: Sequence[str],
    run: dict[str, Any],
    *,
    faces: Any = None,
) -> None:
    """Write report and files into a new folder, which then takes the place of `folder` at once.

    `run` is what `results.describe_run` said of the video before it was analysed.
    """
    from fleeting.export import write
    from fleeting.export.media import write_media
    from fleeting.report.build import build_report

    with results.new_folder(folder, run) as partial:
        if "report" in formats:
            build_report(timeline, media, partial / REPORT_NAME, faces=faces)
            if media or faces:
                write_media(media, partial / MEDIA_NAME, faces=faces)
        write(timeline, partial, [name for name in formats if name != "report"])


def add_formats(folder: Path, formats: Sequence[str]) -> None:
    """Write more formats into a folder of results, from the timeline that lies there.

    Raises
    ------
    OutputError
        Where the disk refuses.
    InputError
        Where the timeline cannot be read.
    """
    from fleeting.export import write
    from fleeting.export.timeline_json import read_timeline

    timeline = read_timeline(folder / TIMELINE_NAME)
    with results.changed_folder(folder, add=formats) as partial:
        write(timeline, partial, formats)


def save_live(timeline: Timeline, out: str | Path) -> Path:
    """Write what was seen live into a new folder ``out/live-DATE-TIME/``, and return it; there are no pictures.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    formats = chosen_formats(None)
    name = first = f"live-{datetime.now():%Y%m%d-%H%M%S}"
    count = 1
    while (Path(out) / name).exists():
        count += 1
        name = f"{first}-{count}"
    run = {
        "version": timeline.version,
        "video": {"path": timeline.video.path, "name": name, "bytes": 0, "modified_ns": 0},
        "fps": None,
        "formats": list(formats),
        "settings": timeline.settings,
    }
    write_results(timeline, {}, Path(out) / name, formats, run)
    return Path(out) / name


def describe(
    video: Path, settings: AnalyseSettings | None, fps: float | None, formats: Sequence[str]
) -> dict[str, Any] | None:
    """Return what decides about the results of a video; None for one that cannot be looked at: the reader says more."""
    try:
        return results.describe_run(
            video,
            settings=settings or AnalyseSettings(),
            fps=fps,
            formats=formats,
            version=metadata.version("fleeting"),
        )
    except OSError:
        return None


def analyse_into(
    folder: Path,
    video: Path,
    run: dict[str, Any] | None,
    *,
    settings: AnalyseSettings | None,
    progress: Progress | None,
) -> Timeline:
    """Analyse a video and put the files of its run into the place of `folder`; `run` is what `describe` said of it.

    Where a run of the same was killed, this one goes on from what it has kept of its first look.

    Raises
    ------
    VideoError, NoFaceError
        Where the video cannot be used.
    OutputError
        Where the results cannot be written.
    """
    from fleeting.analysis.analyse import analyse_video
    from fleeting.analysis.kept_look import KeptLook
    from fleeting.scale.job import package_fingerprint
    from fleeting.video.reader import open_video

    if run is None:
        open_video(video).close()
        raise VideoError("a video that can be looked at", f"{video}, which has gone meanwhile", "Try again.")
    about = {name: value for name, value in run.items() if name != "formats"} | {"code": package_fingerprint()}
    kept = KeptLook(results.look_folder(folder), about)
    shown = "report" in run["formats"]
    try:
        with ThreadPoolExecutor(1, "fleeting-report") as early:
            if shown:
                early.submit(_prepare_report)
            analysis = analyse_video(
                video,
                settings=settings,
                fps=run["fps"],
                progress=progress,
                pictures=shown,
                kept=kept,
                folder=folder.parent,
            )
        write_results(
            analysis.timeline,
            analysis.media,
            folder,
            run["formats"],
            run,
            faces=analysis.faces,
        )
    except InputError:  # the film is to blame; after any other trouble the same command goes on
        kept.remove()
        raise
    kept.remove()
    return analysis.timeline


def _prepare_report() -> None:
    from fleeting.report.build import prepare

    prepare()


def calibrate(
    path: str | Path,
    *,
    out: str | Path | None = None,
    trials: int = 120,
    seed: int = 0,
    settings: AnalyseSettings | None = None,
    fps: float | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Measure how small a movement a recording can show.

    Movements of known size are put into the recording, and the analysis looks for them (`docs/how-to/calibrate.md`).

    Parameters
    ----------
    path
        A video file, or a folder of numbered images (then `fps` is needed).
    out
        Folder for the results. The calibration is added to the timeline and the report in ``out/NAME/``. If there are
        no results of these settings, the video is analysed first. If None, nothing is written.
    trials
        Number of movements to put in. More make the interval narrower and take longer.
    seed
        Seed of the random movements. The same video and seed give the same result.
    settings
        Settings of the analysis. If None, those of the results in `out`, else the defaults.
    fps
        Frames per second of an image folder, or at which a slow-motion film was shot.
    folder
        Folder of the video's results, if it is not ``out/NAME``.
    progress
        Called now and then with the frames done and the frames to do, of the analysis (if any) and then of the
        calibration.

    Returns
    -------
    Calibration
        Displacements in percent of the inter-ocular distance, with 95 % intervals.

    Raises
    ------
    VideoError, NoFaceError
        If the video cannot be read, or shows no face.
    InputError
        If no moment of it is quiet for long enough.
    OutputError
        If the results cannot be written, or something else is in their place.
    SettingsError
        For too few trials.
    """
    from fleeting.analysis.analyse import analyse_video
    from fleeting.calibration.calibrate import calibrate_video, check_trials

    check_trials(trials, seed)
    if out is None:
        timeline = analyse_video(path, settings=settings, fps=fps, progress=progress, pictures=False).timeline
        return calibrate_video(path, timeline, trials=trials, seed=seed, fps=fps, progress=progress)
    results.check_writable(out)
    video = Path(path)
    folder = result_folder(video, out) if folder is None else folder
    with results.claimed(folder):
        timeline, fps = _analysed(folder, video, settings, fps, progress)
        found = calibrate_video(video, timeline, trials=trials, seed=seed, fps=fps, progress=progress)
        _add(folder, replace(timeline, calibration=found))
    return found


def result_folder(path: str | Path, out: str | Path) -> Path:
    """Return the folder below `out` in which the results of one video are."""
    return Path(out) / results.result_names([Path(path)])[0]


def _analysed(
    folder: Path, video: Path, settings: AnalyseSettings | None, fps: float | None, progress: Progress | None
) -> tuple[Timeline, float | None]:
    """Return the timeline of a video's results and its rate; where they are not finished, they are made."""
    from fleeting.export.timeline_json import read_timeline
    from fleeting.settings import from_dict

    results.settle(folder)
    stored = results.read_run(folder)
    if stored is not None:
        fps = stored["fps"] if fps is None else fps
        settings = from_dict(AnalyseSettings, stored["settings"]) if settings is None else settings
    run = describe(video, settings, fps, ("json",))
    if run is not None and stored is not None and results.is_finished(folder, run, files_of_formats()):
        return read_timeline(folder / TIMELINE_NAME), fps
    run = describe(video, settings, fps, chosen_formats(None))
    if run is not None:
        results.check_place(folder, run)
    return analyse_into(folder, video, run, settings=settings, progress=progress), fps


def _add(folder: Path, timeline: Timeline) -> None:
    """Put a timeline in the place of the one in a folder of results, and build its report anew."""
    from fleeting.export.media import read_faces, read_media
    from fleeting.export.timeline_json import write_timeline
    from fleeting.report.build import build_report

    with results.changed_folder(folder) as partial:
        write_timeline(timeline, partial / TIMELINE_NAME)
        if (folder / REPORT_NAME).exists():
            store = folder / MEDIA_NAME
            media, faces = (read_media(store), read_faces(store)) if store.exists() else ({}, {})
            build_report(timeline, media, partial / REPORT_NAME, faces=faces)


def methods(results_folder: str | Path, *, style: Style = "text") -> str:
    """Return the methods paragraphs of a paper.

    They name version, recordings, definitions, the settings that differ from the defaults, and each network with its
    SHA-256 and its score on data that it was not trained on.

    Parameters
    ----------
    results_folder
        A film's results, or a folder of such folders.
    style
        ``text`` (with BibTeX below), ``markdown`` or ``latex`` (with keys of citations), or ``bibtex`` alone.

    Returns
    -------
    str
        The text.

    Raises
    ------
    DataError
        If there are no results that can be read.
    SettingsError
        For an unknown style.
    """
    from fleeting.coding.coders import films_in
    from fleeting.export.timeline_json import read_timeline
    from fleeting.report.methods import methods as write

    if style not in STYLES:
        raise SettingsError(f"a style of {', '.join(STYLES)}", f"'{style}'", nearest(style, STYLES))
    # Only what is said of a film: the curves of many films would fill the memory.
    places = (folder / TIMELINE_NAME for folder in films_in(results_folder))
    return write([replace(read_timeline(place), signals=(), expressions=()) for place in places], style)
