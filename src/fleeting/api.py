"""What a program calls: analyse a video or many, and measure shipped networks on labelled data.

This is where the layers meet: analysis, report and export below it know nothing of each other.
"""

from __future__ import annotations

import difflib
import json
import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleeting.errors import FleetingError, InputError
from fleeting.files import make_folder, output_error
from fleeting.records import Timeline
from fleeting.settings import AnalyseSettings, to_dict

log = logging.getLogger(__name__)

REPORT_NAME = "report.html"
TIMELINE_NAME = "timeline.json"
MEDIA_NAME = "media.npz"


def analyse(
    path: str | Path,
    *,
    out: str | Path | None = None,
    settings: AnalyseSettings | None = None,
    fps: float | None = None,
    formats: Sequence[str] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Timeline:
    """Find the micro-expressions, macro-expressions and blinks of a video.

    Parameters
    ----------
    path
        A video file, or a folder of numbered images (then `fps` is needed).
    out
        Folder for the results: the report and the files of `formats` are written to ``out/NAME/``, whole or not at
        all. Nothing is written where None.
    settings
        See `settings.AnalyseSettings`.
    fps
        Frames per second of an image folder.
    formats
        ``report`` and names of `export.formats.FORMATS`; all but ``signals-csv`` where None. The timeline is always
        written, and the report brings its pictures (``media.npz``).
    progress
        Called now and then with the frames done and the frames to do (None where unknown).

    Returns
    -------
    Timeline
        ``timeline.events``, ``timeline.to_dataframe()``.

    Raises
    ------
    VideoError, NoFaceError
        Where the video cannot be used.
    OutputError
        Where the results cannot be written.
    SettingsError
        For an unknown format.
    """
    from fleeting.inference.analyse import analyse_video

    chosen = chosen_formats(formats)
    if out is not None:
        # A place that cannot be written is found out before the work, not after it.
        _check_writable(make_folder(out))
    with_report = out is not None and "report" in chosen
    analysis = analyse_video(path, settings=settings, fps=fps, progress=progress, pictures=with_report)
    if out is not None:
        write_results(analysis.timeline, analysis.media, Path(out) / analysis.timeline.video.name, chosen)
    return analysis.timeline


def chosen_formats(formats: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the files to write; None stands for the report and every format but the csv signals.

    ``json`` is always among them: it marks a video as finished, and a report can be built again from it.

    Raises
    ------
    SettingsError
        For an unknown name.
    """
    from fleeting.export import DEFAULT_FORMATS, check_formats

    if formats is None:
        return ("report", *DEFAULT_FORMATS)
    files = check_formats([name for name in formats if name != "report"])
    report = ("report",) if "report" in formats or "all" in formats else ()
    return tuple(dict.fromkeys((*report, *files, "json")))


def write_results(timeline: Timeline, media: Any, folder: Path, formats: Sequence[str]) -> None:
    """Write report and files into a new folder, which then takes the place of `folder` at once."""
    from fleeting.export import write
    from fleeting.export.media import write_media
    from fleeting.report.build import build_report

    make_folder(folder.parent)
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name[:80]}.", suffix=".partial", dir=folder.parent))
    except OSError as error:
        raise output_error(folder, error) from error
    try:
        partial.chmod(0o755)
        if "report" in formats:
            build_report(timeline, media, partial / REPORT_NAME)
            if media:
                write_media(media, partial / MEDIA_NAME)
        write(timeline, partial, [name for name in formats if name != "report"])
        former = None
        if folder.exists():
            former = partial.with_suffix(".former")
            folder.rename(former)
        partial.rename(folder)
        if former is not None:
            shutil.rmtree(former, ignore_errors=True)
    except OSError as error:
        raise output_error(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_writable(folder: Path) -> None:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".fleeting-"):
            pass
    except OSError as error:
        raise output_error(folder, error) from error


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one video of a batch.

    Attributes
    ----------
    path, folder
        The video and the folder of its results.
    timeline
        None where it was skipped or failed.
    error
        Why it failed; None where it did not.
    skipped
        Whether finished results were there already.
    """

    path: Path
    folder: Path
    timeline: Timeline | None = None
    error: str | None = None
    skipped: bool = False


def analyse_many(
    paths: Iterable[str | Path],
    *,
    out: str | Path,
    settings: AnalyseSettings | None = None,
    fps: float | None = None,
    formats: Sequence[str] | None = None,
    force: bool = False,
    on_start: Callable[[Path, int, int], None] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    on_done: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Analyse several videos; one that fails does not stop the others, finished ones are skipped.

    A video is finished when its folder holds a ``timeline.json`` of the same version and settings that is newer than
    the video. Parameters as for `analyse`, and:

    Parameters
    ----------
    force
        Analyse finished videos again.
    on_start, on_done
        Called before each video with its place and the number of videos, and after it with its outcome.

    Raises
    ------
    OutputError, SettingsError
        What would fail for every video alike.
    """
    videos = [Path(p) for p in paths]
    chosen_formats(formats)
    _check_writable(make_folder(out))
    outcomes: list[Outcome] = []
    for place, (video, name) in enumerate(zip(videos, result_names(videos), strict=True)):
        folder = Path(out) / name
        if on_start is not None:
            on_start(video, place, len(videos))
        if not force and _finished(folder, video, settings or AnalyseSettings()):
            outcome = Outcome(video, folder, skipped=True)
        else:
            outcome = _one(video, folder, settings=settings, fps=fps, formats=formats, progress=progress)
        outcomes.append(outcome)
        if on_done is not None:
            on_done(outcome)
    return outcomes


def _one(
    video: Path,
    folder: Path,
    *,
    settings: AnalyseSettings | None,
    fps: float | None,
    formats: Sequence[str] | None,
    progress: Callable[[int, int | None], None] | None,
) -> Outcome:
    from fleeting.inference.analyse import analyse_video

    try:
        chosen = chosen_formats(formats)
        analysis = analyse_video(video, settings=settings, fps=fps, progress=progress, pictures="report" in chosen)
        write_results(analysis.timeline, analysis.media, folder, chosen)
    except FleetingError as error:
        return Outcome(video, folder, error=str(error))
    except MemoryError:
        return Outcome(
            video, folder, error="The memory of this machine is full. Close other programs or cut the video."
        )
    except Exception as error:
        # A batch over a night must not stop at one video; the trace goes to the log for whoever mends it.
        log.exception("analysis of %s failed", video)
        return Outcome(video, folder, error=f"An error in Fleeting itself ({type(error).__name__}: {error}).")
    return Outcome(video, folder, timeline=analysis.timeline)


def result_names(videos: Sequence[Path]) -> list[str]:
    """Return a folder name for each video: its stem, with more of its path where stems are the same.

    Raises
    ------
    InputError
        Where one video is named twice.
    """
    resolved = [v.resolve() for v in videos]
    twice = [str(v) for v, count in Counter(resolved).items() if count > 1]
    if twice:
        raise InputError("each video once", f"{twice[0]} more than once", "Remove it from the list.")
    names = [v.name if v.is_dir() else v.stem for v in resolved]
    for longer in (lambda v: v.name, lambda v: f"{v.parent.name}_{v.name}", lambda v: "_".join(v.parts[1:])):
        counts = Counter(names)
        names = [longer(v) if counts[n] > 1 else n for n, v in zip(names, resolved, strict=True)]
    return names


def _finished(folder: Path, video: Path, settings: AnalyseSettings) -> bool:
    import fleeting

    timeline = folder / TIMELINE_NAME
    try:
        stored = json.loads(timeline.read_text(encoding="utf-8"))
        newer = timeline.stat().st_mtime >= video.stat().st_mtime
    except (OSError, ValueError):
        return False
    same = stored.get("version") == fleeting.__version__ and stored.get("settings") == to_dict(settings)
    return bool(newer and same)


def evaluate(
    model: str, data: str | Path, *, out: str | Path | None = None, fps: float | None = None
) -> dict[str, Any]:
    """Measure what is shipped on labelled data.

    Parameters
    ----------
    model
        ``landmarks`` (an npz laid out as docs/evaluate.md says), ``recogniser`` (an npz of flow images) or
        ``spotting`` (a folder of videos with a ``truth.csv``).
    data
        The labelled data.
    out
        Folder for ``metrics.json`` and the rows behind it; nothing is written where None.
    fps
        Frames per second of image folders (spotting), where the truth does not say.

    Returns
    -------
    dict
        The content of ``metrics.json``.

    Raises
    ------
    InputError
        For an unknown model, or data that cannot be used.
    OutputError
        Where the results cannot be written.
    """
    if model not in EVALUATIONS:
        near = difflib.get_close_matches(model, EVALUATIONS, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "Choose one of them."
        raise InputError(f"one of {', '.join(EVALUATIONS)}", f"'{model}'", hint)
    if out is not None:
        _check_writable(make_folder(out))
        return EVALUATIONS[model](Path(data), Path(out), fps)
    with tempfile.TemporaryDirectory(prefix="fleeting-") as folder:
        return EVALUATIONS[model](Path(data), Path(folder), fps)


def _evaluate_landmarks(data: Path, out: Path, fps: float | None) -> dict[str, Any]:
    from fleeting.evaluation.landmarks import evaluate_landmarks

    return evaluate_landmarks(data, out=out)


def _evaluate_recogniser(data: Path, out: Path, fps: float | None) -> dict[str, Any]:
    from fleeting.evaluation.recogniser import evaluate_recogniser

    return evaluate_recogniser(data, out=out)


def _evaluate_spotting(data: Path, out: Path, fps: float | None) -> dict[str, Any]:
    from fleeting.evaluation.spotting import evaluate_spotting, write_spotting
    from fleeting.inference.analyse import analyse_video

    def one(path: Path, own_fps: float | None) -> Timeline:
        return analyse_video(path, fps=own_fps or fps, pictures=False).timeline

    def said(name: str, place: int, count: int) -> None:
        log.info("%d of %d: %s", place + 1, count, name)

    return write_spotting(evaluate_spotting(data, one, on_done=said), out)


EVALUATIONS: dict[str, Callable[[Path, Path, float | None], dict[str, Any]]] = {
    "landmarks": _evaluate_landmarks,
    "recogniser": _evaluate_recogniser,
    "spotting": _evaluate_spotting,
}
"""What can be evaluated: takes the data, the folder for ``metrics.json`` and the rows, and frames per second."""
