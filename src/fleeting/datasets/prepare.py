"""Preparing data sets: every clip once to its flow image and its sequence, kept under what they were made from.

A clip's key is made of its pictures' content, its place in them, the settings, the networks that find the face, and the
source code of all that is used; so whatever changes, nothing old is taken for new. A file's content is read once, and
again where its size or time of change differ.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fleeting import weights
from fleeting.datasets.clip_motion import clip_motion
from fleeting.datasets.frames import Place, image_number, place_in
from fleeting.datasets.manifest import Manifest, ManifestRow
from fleeting.errors import DataError, FleetingError, SettingsError, VideoError
from fleeting.files import write_text
from fleeting.scale.executor import Engine, Outcome, run
from fleeting.scale.job import Job, Result, fingerprint, source_fingerprint
from fleeting.scale.store import ResultStore
from fleeting.settings import FLOW_METHODS, FlowMethod
from fleeting.video.folder import numbered_images
from fleeting.video.reader import open_video

log = logging.getLogger(__name__)

TASK = "clip"
ROOMS = ("faces", "motion", "video", "datasets.clip_motion", "datasets.frames")
"""Rooms whose source code decides about the result."""

_INDEX = "contents.json"
_SETTINGS = "settings.json"


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """How clips are prepared.

    Attributes
    ----------
    flow
        Method of the optical flow.
    frames
        Frames of each sequence; 0 makes flow images alone.
    width
        Width of the sequence's crops in pixels; their height is 170/140 of it.
    """

    flow: FlowMethod = "dis"
    frames: int = 10
    width: int = 140

    def __post_init__(self) -> None:
        if self.flow not in FLOW_METHODS:
            raise SettingsError(f"a flow method ({', '.join(FLOW_METHODS)})", f"'{self.flow}'", "Choose one of them.")
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
    path, fps, onset, apex, offset = shared["places"][job.id]
    how = shared["settings"]
    with open_video(path, fps=fps if Path(path).is_dir() else None) as reader:
        try:
            frames = [frame.grey for frame in reader.frames(onset, offset)]
        except ValueError as error:
            raise DataError(
                f"frames {onset} to {offset} of {path}", "a video that ends before", "Correct the table."
            ) from error
    made = clip_motion(
        frames,
        fps=fps,
        apex=None if apex is None else apex - onset,
        length=how["frames"],
        width=how["width"],
        method=how["flow"],
    )
    result: Result = {"flow": made.flow, "apex": made.apex, "notes": list(made.notes)}
    return result if made.sequence is None else result | {"sequence": made.sequence}


Located = tuple[str, float, int, int | None, int]
"""Path, frames per second, and onset, apex, offset as frames of the opened video."""


def _jobs(
    rows: Sequence[ManifestRow], cache: Path, settings: PrepareSettings
) -> tuple[dict[str, Job], dict[str, Located], dict[str, str]]:
    """Job by clip id, where it is by job id, and why a clip cannot be found by clip id."""
    code = source_fingerprint(ROOMS)
    networks = [weights.card(name)["sha256"] for name in ("face_finder", "landmarks")]
    contents = _Contents(cache / _INDEX)
    jobs: dict[str, Job] = {}
    places: dict[str, Located] = {}
    failed: dict[str, str] = {}
    for row in rows:
        try:
            place, content = contents.of(row)
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
        places[job.id] = (row.path, row.fps, place.onset, place.apex, place.offset)
    contents.save()
    return jobs, places, failed


class _Contents:
    """Fingerprints of clips' pictures; files that look unchanged (name, size, time) are not read again.

    Parameters
    ----------
    index
        File that keeps them from run to run.
    """

    def __init__(self, index: Path) -> None:
        self._index = index
        self._changed = False
        self._folders: dict[str, list[Path]] = {}
        try:
            self._known: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def of(self, row: ManifestRow) -> tuple[Place, str]:
        """Return where a clip lies in its pictures and the fingerprint of these.

        Raises
        ------
        VideoError
            Where there are no pictures.
        DataError
            Where they are not those of the clip, or its rate is unknown.
        """
        path = Path(row.path)
        if path.is_dir():
            if not row.fps > 0:
                raise DataError(f"frames per second of {row.id}", f"{row.fps}", "Add them to the table.")
            files = self._images(path)
            place = place_in(row, [image_number(p) for p in files])
            files = files[place.onset : place.offset + 1]
        elif path.is_file():
            place, files = place_in(row, None), [path]
        else:
            raise VideoError(f"the frames of {row.id}", f"nothing at {row.path}", "Check the path of the data set.")
        return place, self._content(files)

    def save(self) -> None:
        """Keep what was read, whole or not at all."""
        if self._changed:
            write_text(self._index, json.dumps(self._known) + "\n")
            self._changed = False

    def _images(self, folder: Path) -> list[Path]:
        # Long videos hold many clips.
        if str(folder) not in self._folders:
            self._folders = {str(folder): numbered_images(folder)}
        return self._folders[str(folder)]

    def _content(self, files: Sequence[Path]) -> str:
        stats = [(str(p.resolve()), s.st_size, s.st_mtime_ns) for p in files for s in (p.stat(),)]
        looks = fingerprint([list(s) for s in stats])
        if looks not in self._known:
            digest = hashlib.sha256()
            for file in files:
                with file.open("rb") as opened:
                    digest.update(hashlib.file_digest(opened, "sha256").digest())
            self._known[looks] = digest.hexdigest()
            self._changed = True
        return self._known[looks]


def arrays_of(prepared: Prepared) -> dict[str, np.ndarray[Any, Any]]:
    """Return the results as arrays of one row per clip: ``flow``, and ``sequence`` where it was made."""
    found = {"flow": np.stack([r["flow"] for r in prepared.results])}
    if all("sequence" in r for r in prepared.results):
        found["sequence"] = np.stack([r["sequence"] for r in prepared.results])
    return found
