"""Jobs on a Ray cluster.

Moritz et al., "Ray: a distributed framework for emerging AI applications", OSDI 2018. Ray starts a job again where the
machine that did it is lost; results come back to this process, which alone writes them, so that a job is recorded once
however often it was begun. Ray is imported when an engine is used, not before.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import secrets
import signal
import socket
import sys
import threading
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fleeting.errors import FleetingWarning, InputError, MissingExtraError
from fleeting.scale.executor import Attempt, Attempts, Work, attempt_apart
from fleeting.scale.job import Job, package_fingerprint

log = logging.getLogger(__name__)

RETRIES = 5
"""How often a job is begun again because the machine that did it was lost."""

_NOWHERE = "http://127.0.0.1:9"
"""Port 9 discards what it gets, and nothing listens there."""

_ALONE = {
    "RAY_AUTH_TOKEN": secrets.token_hex(32),  # else Ray keeps one in the user's home
    "http_proxy": _NOWHERE,  # with its reports off, Ray still asks which cloud it runs in
    "https_proxy": _NOWHERE,
    "no_proxy": "127.0.0.1,localhost",
}
"""Environment of a Ray that is started for one run: it talks to nobody but itself."""

_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Lets Ray listen to this machine alone, as it does on Windows. It is read when Ray is imported."""


class RayCluster:
    """Jobs of one core each, on the machines of a cluster.

    Parameters
    ----------
    address
        As for ``ray.init``: ``auto`` or ``HOST:6379`` on a machine of the cluster, ``ray://HOST:10001`` from outside.
        Where None: the cluster of ``RAY_ADDRESS`` if that is set, else a Ray of its own on this machine, which ends
        with the run. Where the program is connected to Ray already, that connection is used and left as it is.
    workers
        Most jobs at the same time; as many as the cluster has cores where None.

    Raises
    ------
    InputError
        For fewer than one job at a time.
    """

    def __init__(self, *, address: str | None = None, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise InputError("at least 1 job at a time", str(workers), "Change --jobs.")
        self.address, self.workers = address, workers

    def attempts(self, jobs: Sequence[Job], function: Work, shared: Any) -> Attempts:
        """Give each job's place and attempt as they end.

        Raises
        ------
        MissingExtraError
            Without Ray.
        InputError
            Where there is no cluster at the address, or the function cannot be sent there.
        """
        if not jobs:
            return
        address = self.address or os.environ.get("RAY_ADDRESS") or "local"
        with _variables(_quiet(address)):
            try:
                import ray
            except ImportError as error:
                raise MissingExtraError("research", "jobs on a Ray cluster") from error
            own = not ray.is_initialized()
            with _stop_as_before():
                if own:
                    _forget_token()
                    self._connect(ray, address)
                try:
                    yield from self._dealt(ray, jobs, function, shared)
                finally:
                    if own:
                        ray.shutdown()
                        _forget_token()

    def _connect(self, ray: Any, address: str) -> None:
        more = {"num_cpus": self.workers, "include_dashboard": False} if address == "local" else {}
        try:
            _knock(address)
            stop = signal.getsignal(signal.SIGTERM)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **more)
            if _in_main_thread():
                signal.signal(signal.SIGTERM, stop)  # Ray has set its own
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            text = str(error).strip().splitlines()
            raise InputError(
                f"a Ray cluster at {address}",
                text[0] if text else type(error).__name__,
                "Start one with 'ray start --head', and give its address on a machine of the cluster.",
            ) from error

    def _dealt(self, ray: Any, jobs: Sequence[Job], function: Work, shared: Any) -> Attempts:
        try:
            load = ray.put((function, shared))
            done = ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=False)(_done_there)
        except TypeError as error:
            raise InputError(
                "a function and shared data that can be sent to another machine",
                str(error).splitlines()[0],
                "Move the function to the top of a module, or run in this process.",
            ) from error
        code = package_fingerprint()
        waiting, pending = deque(range(len(jobs))), dict[Any, int]()
        told: set[str] = set()
        try:
            while waiting or pending:
                while waiting and len(pending) < self._room(ray):
                    place = waiting.popleft()
                    pending[done.remote(jobs[place], load, code)] = place
                ready, _ = ray.wait(list(pending), num_returns=1, timeout=60)
                if not ready:
                    log.info("%d jobs wait for the cluster, which has %s", len(pending), ray.available_resources())
                for reference in ready:
                    made, elsewhere = _answer(ray, reference)
                    if elsewhere and elsewhere not in told:
                        told.add(elsewhere)
                        _warn_of_other_code(elsewhere)
                    yield pending.pop(reference), made
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)

    def _room(self, ray: Any) -> int:
        """Return how many jobs may be on their way; twice the cores, so that none waits for the next job."""
        return self.workers or max(2, 2 * int(ray.cluster_resources().get("CPU", 0)))


def _quiet(address: str) -> dict[str, str]:
    """Return the variables with which Ray reports nothing to its makers, whatever the user's environment says."""
    reports = {"RAY_USAGE_STATS_ENABLED": "0"}
    if address != "local":
        return reports
    return reports | _ALONE | (_LOOPBACK if "ray" not in sys.modules else {})


def _forget_token() -> None:
    """Let Ray read its token anew: that of another cluster does not open this one."""
    with contextlib.suppress(ImportError, KeyError):  # versions without tokens
        from ray import _raylet

        vars(_raylet)["AuthenticationTokenLoader"].instance().reset_cache()


@contextmanager
def _variables(values: dict[str, str]) -> Iterator[None]:
    """Change the environment, which Ray's processes inherit, while the block lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _knock(address: str) -> None:
    """Make sure that something listens at HOST:PORT, since Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


@contextmanager
def _stop_as_before() -> Iterator[None]:
    """Let SIGTERM do what it did before: Ray would end the program with a status of its own, or lose that of others."""
    if not _in_main_thread():  # where signals cannot be set, by Ray neither
        yield
        return
    former = signal.getsignal(signal.SIGTERM)
    told: list[int] = []

    def stop(number: int, _: object) -> None:
        told.append(number)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except SystemExit as error:
        # What a handler raises while Ray waits comes out as SystemExit(1).
        if told and callable(former):
            former(told[0], None)
        raise SystemExit(128 + told[0] if told else error.code) from error
    finally:
        signal.signal(signal.SIGTERM, former)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _done_there(job: Job, load: tuple[Work, Any], code: str) -> tuple[Attempt, str]:
    """Do one job on a machine of the cluster; also return the machine's name where it holds other code than `code`."""
    function, shared = load
    made = attempt_apart(job, function, shared)
    return made, "" if package_fingerprint() == code else platform.node()


def _answer(ray: Any, reference: Any) -> tuple[Attempt, str]:
    lost = (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.ObjectLostError)
    try:
        made, elsewhere = ray.get(reference)
    except ray.exceptions.RayError as error:  # not of the job itself, whose exceptions are in its attempt
        text = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        if isinstance(error, (*lost, ray.exceptions.OutOfMemoryError)):
            return Attempt(error=f"the process or machine that did it was lost {RETRIES + 1} times ({text})"), ""
        return Attempt(error=f"it could not be sent to or from the cluster ({text})", trace=str(error)), ""
    return made, elsewhere


def _warn_of_other_code(machine: str) -> None:
    warnings.warn(
        f"{machine} holds another version of Fleeting's code than this machine: results may differ. "
        "Install the same one on every machine of the cluster.",
        FleetingWarning,
        stacklevel=4,
    )
