"""Preparing data sets: every clip once to its flow image and its sequence, kept under what they were made from.

A clip's key is made of its pictures' content, its place in them, the settings, the networks that find the face, and the
source code of all that is used; so whatever changes, nothing old is taken for new. A file's content is read once, and
again where its size or time of change differ.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.datasets.clip_motion import clip_motion
from fleeting.datasets.contents import Contents
from fleeting.datasets.frames import Place
from fleeting.datasets.manifest import Manifest, ManifestRow
from fleeting.errors import DataError, FleetingError, SettingsError
from fleeting.files import write_text
from fleeting.scale.executor import Engine, Outcome, run
from fleeting.scale.job import Job, Result, source_fingerprint
from fleeting.scale.store import ResultStore
from fleeting.settings import FLOW_METHODS, FlowMethod, MotionSettings
from fleeting.video.folder import StoredPicture
from fleeting.video.reader import open_video

log = logging.getLogger(__name__)

TASK = "clip"
ROOMS = ("faces", "motion", "video", "datasets.clip_motion", "datasets.frames", "datasets.prepare")
"""Rooms whose source code decides about the result."""

_INDEX = "contents.json"
_SETTINGS = "settings.json"


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """How clips are prepared.

    Attributes
    ----------
    flow
        Method of the optical flow that holds the head still and finds an apex that is not labelled.
    event_flow
        Method of the optical flow from onset to apex, which becomes the flow image.
    frames
        Frames of each sequence; 0 makes flow images alone.
    width
        Width of the sequence's crops in pixels; their height is 170/140 of it.
    """

    flow: FlowMethod = "dis"
    event_flow: FlowMethod = "learned"
    frames: int = 10
    width: int = 140

    def __post_init__(self) -> None:
        for flow in (self.flow, self.event_flow):
            if flow not in FLOW_METHODS:
                raise SettingsError(f"a flow method ({', '.join(FLOW_METHODS)})", f"'{flow}'", "Choose one of them.")
        if self.frames < 0 or self.frames == 1 or self.width < 28:
            raise SettingsError(
                "2 or more frames (or 0 for none) at a width of at least 28",
                f"{self.frames} and {self.width}",
                "Change --frames or --width.",
            )


@dataclass(frozen=True, slots=True)
class Prepared:
    """What became of a data set.

    Attributes
    ----------
    rows
        Clips that are prepared, and `results` their results.
    failed
        Id and reason of each clip that could not be prepared.
    kept
        How many results were there already.
    """

    rows: tuple[ManifestRow, ...]
    results: tuple[Result, ...]
    failed: tuple[tuple[str, str], ...] = ()
    kept: int = 0


def default_cache() -> Path:
    """``$FLEETING_CACHE``, else ``$XDG_CACHE_HOME/fleeting``, else ``~/.cache/fleeting``; in it ``prepared``."""
    given = os.environ.get("FLEETING_CACHE")
    if given:
        return Path(given) / "prepared"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fleeting" / "prepared"


def prepare(
    manifest: Manifest,
    *,
    cache: str | Path,
    settings: PrepareSettings | None = None,
    engine: Engine | None = None,
    on_done: Callable[[int, int, Outcome | None], None] | None = None,
) -> Prepared:
    """Prepare all clips of a manifest; what is in the cache already is not made again.

    Parameters
    ----------
    manifest
        Rows with onset and offset; rows without (pictures) are left out.
    cache
        Folder of the results: one file per clip, written whole or not at all.
    settings
        See `PrepareSettings`.
    engine
        Where the clips are worked on (`scale.engines`); one after the other where None.
    on_done
        Told the clips done, all clips, and what became of the last one (None where it could not even be found).

    Raises
    ------
    OutputError
        Where the cache cannot be written, or another run is at work there.
    """
    settings = settings or PrepareSettings()
    rows = [r for r in manifest.rows if r.onset is not None]
    jobs, places, failed = _jobs(rows, Path(cache), settings)
    write_text(Path(cache) / _SETTINGS, json.dumps(asdict(settings), indent=1) + "\n")
    done = len(failed)
    if on_done is not None and failed:
        on_done(done, len(rows), None)

    def tell(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        if on_done is not None:
            on_done(done, len(rows), outcome)

    store = ResultStore(cache)
    shared = {"places": places, "settings": asdict(settings)}
    outcomes = run(list(jobs.values()), prepare_job, store=store, engine=engine, shared=shared, on_done=tell)
    by_id = {outcome.job.id: outcome for outcome in outcomes}
    made = [(row, by_id[jobs[row.id].id]) for row in rows if row.id in jobs]
    failed |= {row.id: outcome.error or "" for row, outcome in made if outcome.result is None}
    good = [(row, outcome.result) for row, outcome in made if outcome.result is not None]
    return Prepared(
        rows=tuple(row for row, _ in good),
        results=tuple(result for _, result in good),
        failed=tuple(failed.items()),
        kept=sum(outcome.kept for outcome in outcomes),
    )


def read_prepared(manifest: Manifest, *, cache: str | Path, settings: PrepareSettings | None = None) -> Prepared:
    """Return what `prepare` has left in the cache; clips that are not there are among `Prepared.failed`.

    Parameters
    ----------
    settings
        Those of the last `prepare` into this cache where None.
    """
    settings = settings or last_settings(cache)
    rows = [r for r in manifest.rows if r.onset is not None]
    if not (Path(cache) / _SETTINGS).exists():
        # To read all pictures would take minutes and change nothing.
        return Prepared((), (), tuple((r.id, f"Nothing was ever prepared in {cache}.") for r in rows))
    jobs, _, failed = _jobs(rows, Path(cache), settings)
    store = ResultStore(cache)
    good: list[tuple[ManifestRow, Result]] = []
    for row in rows:
        result = store.read(jobs[row.id]) if row.id in jobs else None
        if result is not None:
            good.append((row, result))
        else:
            failed.setdefault(row.id, "It is not prepared, or was prepared from other pictures, settings or code.")
    return Prepared(tuple(r for r, _ in good), tuple(r for _, r in good), tuple(failed.items()), kept=len(good))


def last_settings(cache: str | Path) -> PrepareSettings:
    """Return the settings of the last `prepare` into a cache; the defaults where there was none."""
    try:
        return PrepareSettings(**json.loads((Path(cache) / _SETTINGS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return PrepareSettings()


def prepare_job(job: Job, shared: Mapping[str, Any]) -> Result:
    """Prepare one clip: the work of a job, wherever it runs.

    Raises
    ------
    DataError
        Where the pictures are not those of the clip.
    VideoError
        Where they cannot be read.
    NoFaceError
        Where none shows a face.
    """
    where: Located = shared["places"][job.id]
    how = shared["settings"]
    frames = [StoredPicture(Path(p)).grey() for p in where.images] if where.images else _of_video(where)
    sizes = {f.shape for f in frames}
    if len(sizes) > 1:
        raise DataError(f"images of one size in {where.path}", f"{len(sizes)} sizes", "Remove those of other clips.")
    place = where.place
    made = clip_motion(
        frames,
        fps=where.fps,
        apex=None if place.apex is None else place.apex - place.onset,
        length=how["frames"],
        width=how["width"],
        motion=MotionSettings(flow=how["flow"], event_flow=how["event_flow"]),
    )
    notes = [note for note in (place.note, *made.notes) if note]
    result: Result = {"flow": made.flow, "apex": made.apex, "notes": notes}
    return result if made.sequence is None else result | {"sequence": made.sequence}


@dataclass(frozen=True, slots=True)
class Located:
    """Where a clip's pictures are.

    Attributes
    ----------
    path, fps
        As in the manifest.
    place
        Its frames in the folder or the video.
    images
        Its images from onset to offset; none for a video.
    """

    path: str
    fps: float
    place: Place
    images: tuple[str, ...] = ()


def _of_video(where: Located) -> list[npt.NDArray[np.uint8]]:
    with open_video(where.path) as reader:
        try:
            return [frame.grey for frame in reader.frames(where.place.onset, where.place.offset)]
        except ValueError as error:
            raise DataError(
                f"frames {where.place.onset} to {where.place.offset} of {where.path}",
                "a video that ends before",
                "Correct the table.",
            ) from error


def _jobs(
    rows: Sequence[ManifestRow], cache: Path, settings: PrepareSettings
) -> tuple[dict[str, Job], dict[str, Located], dict[str, str]]:
    """Job by clip id, where it is by job id, and why a clip cannot be found by clip id."""
    code = source_fingerprint(ROOMS)
    networks = [weights.card(name)["sha256"] for name in ("face_finder", "landmarks", "micro_flow")]
    contents = Contents(cache / _INDEX)
    jobs: dict[str, Job] = {}
    places: dict[str, Located] = {}
    failed: dict[str, str] = {}
    for row in rows:
        try:
            place, files, content = contents.of(row)
        except FleetingError as error:
            failed[row.id] = str(error)
            continue
        decides = {
            "clip": row.id,
            "pictures": content,
            "frames": [place.onset, place.apex, place.offset],
            "fps": float(row.fps),
            "settings": asdict(settings),
            "networks": networks,
            "code": code,
        }
        job = jobs[row.id] = Job(TASK, decides, name=row.id)
        images = tuple(map(str, files)) if Path(row.path).is_dir() else ()
        places[job.id] = Located(row.path, row.fps, place, images)
    contents.save()
    return jobs, places, failed


def arrays_of(prepared: Prepared) -> dict[str, np.ndarray[Any, Any]]:
    """Return the results as arrays of one row per clip: ``flow``, and ``sequence`` where it was made."""
    found = {"flow": np.stack([r["flow"] for r in prepared.results])}
    if all("sequence" in r for r in prepared.results):
        found["sequence"] = np.stack([r["sequence"] for r in prepared.results])
    return found
