"""Jobs in several processes of this machine.

Not `concurrent.futures`, nor joblib's loky: there, one process that dies (a crash in a library, the system short of
memory) fails every job that waits, nobody is told how it ended, a job that runs cannot be stopped, and processes whose
parent was killed may wait for ever. Here each process has a line of its own to the one that deals out the jobs: a death
is told of the very job that died, the others go on, and a line that closes ends the process.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from fleeting.errors import InputError, JobsError
from fleeting.scale.executor import Attempt, Attempts, Work, attempt_apart
from fleeting.scale.job import Job

_READY = b"ready"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    line: Connection
    place: int | None = None
    """The job that it does."""
    ready: bool = False


class ProcessPool:
    """Some processes, each doing one job at a time.

    Processes are started anew (spawned), not forked: libraries with threads of their own do not survive a fork. A
    script that uses them needs the usual ``if __name__ == "__main__":``.

    Parameters
    ----------
    workers
        Number of processes; the number of cores where None. Numerical libraries get an equal share of the cores,
        unless the environment says otherwise (``OMP_NUM_THREADS``).

    Raises
    ------
    InputError
        For fewer than one process.
    """

    def __init__(self, *, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise InputError("at least 1 job at a time", str(workers), "Change --jobs.")
        self.workers = workers or cores()

    def attempts(self, jobs: Sequence[Job], function: Work, shared: Any) -> Attempts:
        """Give each job's place and attempt as they end.

        Raises
        ------
        InputError
            For a function or shared data that cannot be sent to another process.
        JobsError
            Where a process cannot be started.
        """
        waiting = deque(range(len(jobs)))
        if not waiting:
            return
        message = _packed(function, shared)
        workers: list[_Worker] = []
        try:
            workers += [self._started() for _ in range(min(self.workers, len(jobs)))]
            while waiting or any(w.place is not None for w in workers):
                for line in wait([w.line for w in workers]):
                    worker = next(w for w in workers if w.line is line)
                    made = _heard(worker, message)
                    place = worker.place
                    if made is not None and place is not None:
                        worker.place = None
                        yield place, made
                    if worker.process.exitcode is not None:
                        workers.remove(worker)
                        worker.line.close()
                        if waiting:
                            workers.append(self._started())
                    elif waiting and worker.place is None:
                        worker.place = waiting.popleft()
                        with contextlib.suppress(OSError):  # its death is heard next
                            worker.line.send(jobs[worker.place])
        finally:
            _end(workers)

    def _started(self) -> _Worker:
        context = get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(there,), name="fleeting-worker")
        with _share_of_cores(self.workers):
            process.start()
        there.close()  # or its end could not be heard
        return _Worker(process, here)


def _heard(worker: _Worker, message: bytes) -> Attempt | None:
    """Return what a worker says of its job; None where it is ready, and then gets the function and shared data."""
    try:
        said = worker.line.recv_bytes()
    except (EOFError, OSError):
        worker.process.join()
        if not worker.ready:
            raise JobsError(
                "processes that start",
                f"one that ended at once with status {worker.process.exitcode}",
                "In a script of yours, put the call below 'if __name__ == \"__main__\":'.",
            ) from None
        return Attempt(error=f"its process ended without an answer ({_end_of(worker.process.exitcode)})")
    if said == _READY:
        worker.ready = True
        with contextlib.suppress(OSError):  # where it died meanwhile, that is heard next
            worker.line.send_bytes(message)
        return None
    made: Attempt = pickle.loads(said)
    return made


def _packed(function: Work, shared: Any) -> bytes:
    try:
        return pickle.dumps((function, shared), protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise InputError(
            "a function of a module and shared data that can be sent to another process",
            str(error),
            "Move the function to the top of a module, or run in this process.",
        ) from error


@contextlib.contextmanager
def _share_of_cores(workers: int) -> Iterator[None]:
    """Let processes that start meanwhile use their share of the cores, since libraries read this when they load."""
    # Set by the user, the first one says so for all.
    added = [name for name in _THREADS if name not in os.environ and _THREADS[0] not in os.environ]
    share = str(max(1, cores() // workers))
    try:
        os.environ.update(dict.fromkeys(added, share))
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _work(line: Connection) -> None:
    """Do jobs until the line is closed; this is the whole life of a process."""
    # Ctrl-C reaches every process of the terminal; the one that deals out the jobs ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, name="fleeting-parent", daemon=True).start()
    try:
        line.send_bytes(_READY)
        function, shared, broken = _unpacked(line.recv_bytes())
        while True:
            job = line.recv()
            made = Attempt(error=broken) if function is None else attempt_apart(job, function, shared)
            line.send_bytes(_bytes_of(made))
    except (EOFError, OSError):
        return


def _end_with_parent() -> None:
    """End this process at once when the one that started it has ended, however: nobody is left to take the result."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _leave(number: int, _: object) -> None:
    """Let a job that is stopped clear up behind it."""
    raise SystemExit(128 + number)


def _unpacked(message: bytes) -> tuple[Work | None, Any, str]:
    try:
        function, shared = pickle.loads(message)
    except Exception as error:  # whatever an import raises
        return None, None, f"its process cannot load the function ({type(error).__name__}: {error})"
    return function, shared, ""


def _bytes_of(made: Attempt) -> bytes:
    try:
        return pickle.dumps(made, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # whatever an object's own pickling raises
        return pickle.dumps(Attempt(error=f"its result cannot be sent back ({type(error).__name__}: {error})"))


def _end_of(status: int | None) -> str:
    if status is None or status >= 0:
        return f"exit status {status}"
    name = signal.Signals(-status).name
    return f"{name}: perhaps the system was short of memory" if name == "SIGKILL" else name


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.line.close()
        if worker.place is not None or not worker.ready:
            worker.process.terminate()
    for worker in workers:
        worker.process.join(5)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
