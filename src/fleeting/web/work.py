"""What a process does with a job, by the code of the command line; and the jobs that nobody has to ask for.

Films that were not analysed yet are probed one after the other, while nothing else runs.
"""

from __future__ import annotations

import json
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fleeting import api, batch
from fleeting.files import write_text
from fleeting.quality.probe import probe
from fleeting.settings import AnalyseSettings, from_dict
from fleeting.web.browser_copy import make_copy
from fleeting.web.film_library import STATE, FilmFile, Library
from fleeting.web.job_queue import WAITING, JobQueue, WebJob

TELL_S = 0.25
"""How often the progress of a job is told."""

PAUSE_S = 10.0
"""How often it looks for films that came in otherwise."""


def work_on(job: WebJob, sender: Connection) -> None:
    """Do a job where it runs; the last thing that is sent is the problem, empty where there was none.

    Raises
    ------
    FleetingError
        As the function of the command line.
    """
    tell = _Teller(sender)
    video, folder = Path(job.video), Path(job.folder)
    if job.kind == "copy":
        make_copy(video, folder, fps=job.fps, turn=job.turn, progress=tell)
        sender.send("")
        return
    if job.kind == "probe":
        probe_to(video, folder, fps=job.fps)
        sender.send("")
        return
    settings = from_dict(AnalyseSettings, job.settings) if job.settings else None
    if job.kind == "analyse":
        outcome = batch.analyse_to(video, folder, settings=settings, fps=job.fps, force=True, progress=tell)
        sender.send(outcome.error or "")
        return
    api.calibrate(video, out=folder.parent, folder=folder, settings=settings, fps=job.fps, progress=tell)
    sender.send("")


class _Teller:
    """Sends the progress of a job now and then."""

    def __init__(self, sender: Connection) -> None:
        self._sender, self._last = sender, 0.0

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._last >= TELL_S:
            self._last = now
            self._sender.send(min(done / total, 1.0) if total else None)


def probe_to(video: Path, target: Path, *, fps: float | None) -> None:
    """Probe a film and keep what the list of films says of it.

    Raises
    ------
    VideoError
        Where it is no usable film.
    OutputError
        Where the disk refuses.
    """
    found = probe(video, fps=fps).quality
    notes = [
        f"{name.replace('_', ' ')}: {measure['advice']}"
        for name, measure in found.to_dict().items()
        if measure["verdict"] in ("fair", "poor")
    ]
    write_text(target, json.dumps({"verdict": found.verdict, "notes": notes}, ensure_ascii=False) + "\n")


def probed(library: Library, film: FilmFile) -> dict[str, Any] | None:
    """Return what `probe_to` has kept of a film as it is now; None where it was not probed."""
    try:
        values = json.loads(_path(library, film).read_text(encoding="utf-8"))
        return {"verdict": str(values["verdict"]), "notes": [str(note) for note in values["notes"]]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_probing(library: Library, queue: JobQueue) -> threading.Thread:
    """Start the thread that puts a probe into the queue whenever the queue is empty; it ends with the queue."""
    thread = threading.Thread(target=_work, args=(library, queue), name="fleeting-probes", daemon=True)
    thread.start()
    return thread


def _work(library: Library, queue: JobQueue) -> None:
    tried: set[str] = set()
    seen = -1
    while not queue.closed:
        if not any(job.state in WAITING for job in queue.jobs()):
            for film in library.films().values():
                if film.path is not None and film.path.is_file() and not film.is_analysed and film.id not in tried:
                    tried.add(film.id)
                    if probed(library, film) is None:
                        queue.add(film.id, "probe", video=film.path, folder=_path(library, film))
                        break
        seen = queue.wait(seen, PAUSE_S)


def _path(library: Library, film: FilmFile) -> Path:
    assert film.path is not None
    return library.output / STATE / "probes" / f"{film.id}-{film.path.stat().st_mtime_ns:x}.json"
