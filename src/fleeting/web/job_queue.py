"""Analyses and calibrations in processes of their own: a queue, progress, cancelling, going on after a restart.

The queue is a file in the folder of results, written with each change of a job's state; what was waiting or running
when the server ended is begun again by the next one. A job runs the code of the command line.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import secrets
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

from fleeting.errors import FleetingError
from fleeting.files import write_text

log = logging.getLogger(__name__)

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
JobKind = Literal["analyse", "calibrate", "copy", "probe"]
SILENT: tuple[JobKind, ...] = ("copy", "probe")
"""Kinds that nobody has asked for, and of which no page is told."""

WAITING: tuple[JobState, ...] = ("queued", "running")

KEPT = 200
"""Ended jobs that are remembered."""


@dataclass(frozen=True, slots=True)
class WebJob:
    """One job.

    Attributes
    ----------
    id, film, kind, state
        Its id, the film's id, what is to be done and how far that is.
    progress
        0 to 1; None where it is not known.
    problem
        Why it failed; None where it did not.
    video, folder
        The film, and the folder of its results (of a copy: the file).
    settings
        Other than the defaults, as plain values.
    fps
        Frames per second that were given.
    turn
        Of a copy: degrees clockwise.
    """

    id: str
    film: str
    kind: JobKind
    video: str
    folder: str
    state: JobState = "queued"
    progress: float | None = None
    problem: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    fps: float | None = None
    turn: int = 0

    def told(self) -> dict[str, Any]:
        """Return what a page is told."""
        return {name: getattr(self, name) for name in ("id", "film", "kind", "state", "progress", "problem")}


class JobQueue:
    """Runs jobs one after the other, `workers` at a time. Threads may share it.

    Parameters
    ----------
    path
        Of the file that keeps the queue.
    root
        The folder of films: a job of the file that leads out of it is left out.
    work
        What a process does with a job: the last thing that it sends is the problem, empty where there was none; numbers
        are its progress, 0 to 1 or None.
    workers
        Jobs at the same time.
    """

    def __init__(self, path: Path, *, root: Path, work: Callable[[WebJob, Connection], None], workers: int = 1) -> None:
        self._path, self._work = path, work
        self._news = threading.Condition()
        self._jobs: dict[str, WebJob] = {job.id: job for job in _read(path, root)}
        self._processes: dict[str, Any] = {}
        self._closed = False
        self.version = 0
        self._threads = [threading.Thread(target=self._run, name="fleeting-jobs", daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def jobs(self) -> list[WebJob]:
        """Return all jobs, the first one first."""
        with self._news:
            return list(self._jobs.values())

    def of(self, film: str, kind: JobKind | None = None) -> WebJob | None:
        """Return the last job of a film."""
        return next((j for j in reversed(self.jobs()) if j.film == film and kind in (None, j.kind)), None)

    def add(
        self,
        film: str,
        kind: JobKind,
        *,
        video: Path,
        folder: Path,
        settings: dict[str, Any] | None = None,
        fps: float | None = None,
        turn: int = 0,
    ) -> WebJob:
        """Put a job at the end of the queue; the one that waits already where it is the same."""
        with self._news:
            for job in self._jobs.values():
                if (job.film, job.kind) == (film, kind) and job.state in WAITING:
                    return job
            made = WebJob(
                id=secrets.token_hex(6),
                film=film,
                kind=kind,
                video=str(video),
                folder=str(folder),
                settings=settings or {},
                fps=fps,
                turn=turn,
            )
            self._jobs[made.id] = made
            ended = [j for j in self._jobs.values() if j.state not in WAITING]
            for job in ended[: max(len(ended) - KEPT, 0)]:
                del self._jobs[job.id]
            self._changed(keep=True)
            return made

    def cancel(self, job: str) -> WebJob | None:
        """Take a job out of the queue, or stop it; None where there is none."""
        with self._news:
            found = self._jobs.get(job)
            if found is not None and found.state in WAITING:
                found = self._jobs[job] = replace(found, state="cancelled", progress=None)
                self._changed(keep=True)
            process = self._processes.get(job)
        if process is not None:
            _stop(process)
        return found

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until something has changed since a version, and return the version of now."""
        with self._news:
            self._news.wait_for(lambda: self.version != seen or self._closed, timeout)
            return self.version

    @property
    def closed(self) -> bool:
        """Whether the server ends."""
        return self._closed

    def close(self) -> None:
        """Stop all; what was not finished goes on with the next server."""
        with self._news:
            self._closed = True
            processes = list(self._processes.values())
            self._news.notify_all()
        for process in processes:
            _stop(process)
        for thread in self._threads:
            thread.join(10)

    def _changed(self, *, keep: bool = False) -> None:
        self.version += 1
        if keep:
            kept = [asdict(job) for job in self._jobs.values()]
            try:
                write_text(self._path, json.dumps(kept, ensure_ascii=False, indent=1) + "\n")
            except FleetingError:
                log.warning("the queue could not be kept", exc_info=True)
        self._news.notify_all()

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._closed or self._next() is not None)
                if self._closed:
                    return
                job = self._next()
                assert job is not None
                self._jobs[job.id] = job = replace(job, state="running", progress=0.0)
                self._changed(keep=True)
                context = multiprocessing.get_context("spawn")
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_in_process, args=(self._work, job, sender), daemon=True)
                process.start()
                sender.close()
                self._processes[job.id] = process
            said = self._follow(job, receiver)
            process.join()
            with self._news:
                del self._processes[job.id]
                if not self._closed and self._jobs[job.id].state == "running":
                    if said is None:
                        said = f"The process ended with {process.exitcode}: it may have run out of memory. Try again."
                    ended = {"state": "failed", "problem": said} if said else {"state": "done", "progress": 1.0}
                    self._jobs[job.id] = replace(self._jobs[job.id], **ended)
                    self._changed(keep=True)

    def _next(self) -> WebJob | None:
        queued = [job for job in self._jobs.values() if job.state == "queued"]
        return min(queued, key=lambda job: job.kind == "probe", default=None)

    def _follow(self, job: WebJob, receiver: Connection) -> str | None:
        """Note the progress; return the last word: empty where all went well, None where there was none."""
        said: str | None = None
        with suppress(EOFError, OSError):
            while True:
                told = receiver.recv()
                if isinstance(told, str):
                    said = told
                    continue
                with self._news:
                    if self._jobs[job.id].state == "running":
                        self._jobs[job.id] = replace(self._jobs[job.id], progress=told)
                        self._changed()
        receiver.close()
        return said


def _in_process(work: Callable[[WebJob, Connection], None], job: WebJob, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to answer
    threading.Thread(target=_leave_with_server, daemon=True).start()
    if job.kind == "probe" and hasattr(os, "nice"):
        os.nice(10)
    try:
        work(job, sender)
    except FleetingError as error:
        sender.send(str(error))
    except MemoryError:
        sender.send("The memory of this machine is full. Close other programs or cut the film.")
    except Exception as error:
        log.info("job failed", exc_info=True)
        sender.send(f"An error in Fleeting itself ({type(error).__name__}: {error}).")


def _leave_with_server() -> None:
    """End this process where the server was killed: the next one begins the job again."""
    server = multiprocessing.parent_process()
    if server is not None:
        wait([server.sentinel])
        os._exit(1)


def _stop(process: Any) -> None:
    process.terminate()
    process.join(5)
    if process.is_alive():
        process.kill()


def _read(path: Path, root: Path) -> list[WebJob]:
    """Return the jobs of the last server; what was running waits again."""
    try:
        jobs = [WebJob(**values) for values in json.loads(path.read_text(encoding="utf-8"))]
        jobs = [j for j in jobs if all(Path(p).resolve().is_relative_to(root) for p in (j.video, j.folder))]
    except (OSError, ValueError, TypeError):
        return []
    return [replace(j, state="queued", progress=None) if j.state == "running" else j for j in jobs]
