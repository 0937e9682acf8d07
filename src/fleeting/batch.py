"""Many videos: each analysed apart from the others, here, in several processes, or on a cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleeting import results
from fleeting.api import (
    TIMELINE_NAME,
    Progress,
    add_formats,
    analyse_into,
    chosen_formats,
    describe,
    files_of_formats,
)
from fleeting.errors import FleetingError, OutputError
from fleeting.records import Timeline
from fleeting.scale import executor
from fleeting.scale.executor import Engine
from fleeting.scale.job import Job
from fleeting.settings import AnalyseSettings, from_dict, to_dict

log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class _Video:
    path: Path
    folder: Path
    settings: AnalyseSettings | None
    fps: float | None
    formats: tuple[str, ...]
    force: bool


def analyse_many(
    paths: Iterable[str | Path],
    *,
    out: str | Path,
    settings: AnalyseSettings | None = None,
    fps: float | None = None,
    formats: Sequence[str] | None = None,
    force: bool = False,
    engine: Engine | None = None,
    on_start: Callable[[Path, int, int], None] | None = None,
    progress: Progress | None = None,
    on_done: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Analyse several videos. One that fails does not stop the others. Finished ones are skipped.

    A video is finished when its folder holds results of the same version, made with the same settings from a video of
    the same name, size and time of change. Missing formats are written from its timeline; only for a missing report is
    the video analysed again. Parameters as for `api.analyse`, and:

    Parameters
    ----------
    force
        Analyse finished videos again, and replace results of another video of the same name.
    engine
        Where to analyse the videos (`scale.engines.make_engine`). If None, one after the other in this process. The
        machines of a cluster must see the videos and `out` under the same paths.
    on_start
        Called before each video with its position and the number of videos. Like `progress`, not used with an engine.
    on_done
        Called after each video with its outcome, in the order in which the videos end.

    Returns
    -------
    list of Outcome
        One per path, in the order of `paths`: ``path``, ``folder``, ``skipped``, ``error``.

    Raises
    ------
    OutputError, SettingsError
        For what would make every video fail.
    """
    named = [Path(p) for p in paths]
    chosen = chosen_formats(formats)
    results.check_writable(out)
    names = results.result_names(named)
    videos = [_Video(p, Path(out) / name, settings, fps, chosen, force) for p, name in zip(named, names, strict=True)]
    if engine is not None:
        return _elsewhere(videos, engine, on_done)
    outcomes: list[Outcome] = []
    for place, video in enumerate(videos):
        if on_start is not None:
            on_start(video.path, place, len(videos))
        outcomes.append(_one(video, progress))
        if on_done is not None:
            on_done(outcomes[-1])
    return outcomes


def analyse_to(
    path: Path,
    folder: Path,
    *,
    settings: AnalyseSettings | None = None,
    fps: float | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Analyse one video into a folder of its own, as `analyse_many` does each of many; the outcome says what failed."""
    return _one(_Video(path, folder, settings, fps, chosen_formats(None), force), progress)


def _one(video: _Video, progress: Progress | None) -> Outcome:
    """Analyse one video of a batch, which must not stop at it."""
    path, folder = video.path, video.folder
    try:
        with results.claimed(folder):
            return _alone(video, progress)
    except FleetingError as error:
        return Outcome(path, folder, error=str(error))
    except MemoryError:
        return Outcome(path, folder, error="The memory of this machine is full. Close other programs or cut the video.")
    except Exception as error:
        # The trace goes to the log for whoever mends it; it need not stop a batch that runs over a night.
        log.info("analysis of %s failed", path, exc_info=True)
        return Outcome(
            path,
            folder,
            error=f"An error in Fleeting itself ({type(error).__name__}: {error}). Say 'fleeting -v analyse' for more.",
        )


def _alone(video: _Video, progress: Progress | None) -> Outcome:
    """Analyse one video whose folder of results is this run's alone."""
    path, folder = video.path, video.folder
    run = describe(path, video.settings, video.fps, video.formats)
    if run is not None:
        results.settle(folder)
        missing = None if video.force else results.missing_formats(folder, run, files_of_formats())
        if missing is not None and "report" not in missing:  # a report needs the pictures of an analysis
            if missing:
                add_formats(folder, missing)
            return Outcome(path, folder, skipped=True)
        results.check_place(folder, run, force=video.force)
    return Outcome(path, folder, timeline=analyse_into(folder, path, run, settings=video.settings, progress=progress))


def _elsewhere(videos: Sequence[_Video], engine: Engine, on_done: Callable[[Outcome], None] | None) -> list[Outcome]:
    """Analyse videos on an engine. Their folders of results are what is kept, so there is no other store."""
    jobs = [_job(video) for video in videos]
    by_id = {job.id: video for job, video in zip(jobs, videos, strict=True)}
    outcomes: dict[str, Outcome] = {}

    def done(ended: executor.Outcome) -> None:
        outcome = outcomes[ended.job.id] = _told(by_id[ended.job.id], ended)
        if on_done is not None:
            on_done(outcome)

    executor.run(jobs, analyse_job, engine=engine, on_done=done)
    return [outcomes[job.id] for job in jobs]


def _job(video: _Video) -> Job:
    content = {
        "video": str(video.path.absolute()),
        "folder": str(video.folder.absolute()),
        "settings": None if video.settings is None else to_dict(video.settings),
        "fps": video.fps,
        "formats": list(video.formats),
        "force": video.force,
    }
    return Job("video", content, name=video.path.name)


def analyse_job(job: Job, shared: None) -> dict[str, Any]:
    """Analyse one video where the job runs; its timeline is in the folder of its results."""
    told = job.content
    video = _Video(
        Path(told["video"]),
        Path(told["folder"]),
        None if told["settings"] is None else from_dict(AnalyseSettings, told["settings"]),
        told["fps"],
        tuple(told["formats"]),
        told["force"],
    )
    outcome = _one(video, None)
    return {"error": outcome.error, "skipped": outcome.skipped}


def _told(video: _Video, ended: executor.Outcome) -> Outcome:
    """Return the outcome that a job tells of, with the paths as the user named them."""
    from fleeting.export.timeline_json import read_timeline

    result = ended.result or {"error": ended.error, "skipped": False}
    if result["error"] is not None or result["skipped"]:
        return Outcome(video.path, video.folder, error=result["error"], skipped=result["skipped"])
    try:
        timeline = read_timeline(video.folder / TIMELINE_NAME)
    except FleetingError as error:
        missing = OutputError(
            f"the results of {video.path.name} in {video.folder}",
            f"none that this machine can read ({error})",
            "Choose an --out that all machines of the cluster see under the same path.",
        )
        return Outcome(video.path, video.folder, error=str(missing))
    return Outcome(video.path, video.folder, timeline=timeline)
