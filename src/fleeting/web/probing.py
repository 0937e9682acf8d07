"""Whether films that were not analysed yet are good enough: `probe`, one after the other, while nothing else runs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from fleeting.files import write_text
from fleeting.quality.probe import probe
from fleeting.web.job_queue import WAITING, JobQueue
from fleeting.web.library import FilmFile, Library

PAUSE_S = 10.0
"""How often it looks for films that came in otherwise."""


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
    return library.output / ".workbench" / "probes" / f"{film.id}-{film.path.stat().st_mtime_ns:x}.json"
