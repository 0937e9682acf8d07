"""Functions that the tests of `fleeting.scale` give to engines: processes elsewhere import them from here."""

from __future__ import annotations

import os
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fleeting.errors import DataError, FleetingWarning
from fleeting.scale.job import Job


def square(job: Job, shared: Any) -> dict[str, Any]:
    x = job.content["x"]
    return {"x": x, "square": x * x, "row": np.arange(x, dtype=np.float32)}


def plus_shared(job: Job, shared: Any) -> dict[str, Any]:
    return {"sum": job.content["x"] + int(shared["big"].sum()), "process": os.getpid()}


def sometimes(job: Job, shared: Any) -> dict[str, Any]:
    """Fails in a way of its own for x = 1, 2, 3, 4, 5."""
    x = job.content["x"]
    if x == 1:
        raise DataError("a clip", "none", "Check the path.")
    if x == 2:
        raise ZeroDivisionError("x is 2")
    if x == 3:
        return {"function": lambda: None}  # cannot be kept, nor sent to another process
    if x == 4:
        raise MemoryError
    if x == 5:
        raise SystemExit(3) if shared == "processes" else ValueError("x is 5")
    return {"x": x}


def dying(job: Job, shared: Any) -> dict[str, Any]:
    if job.content["x"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"x": job.content["x"]}


def warning(job: Job, shared: Any) -> dict[str, Any]:
    warnings.warn("the clip is short", FleetingWarning, stacklevel=1)
    warnings.warn("of no interest", DeprecationWarning, stacklevel=1)
    return {}


def threads(job: Job, shared: Any) -> dict[str, Any]:
    return {"threads": os.environ["OMP_NUM_THREADS"]}


def diary(job: Job, shared: Any) -> dict[str, Any]:
    """Write down, in a file that all machines share, that and where a job begins and ends.

    The first job of a machine waits for the other machine to begin too, and takes its time.
    """
    import ray

    node = ray.get_runtime_context().get_node_id()
    x, path = job.content["x"], Path(shared)
    first = not path.exists() or node not in path.read_text()
    note(shared, f"begin {x} {node}")
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and len({line.split()[2] for line in path.read_text().splitlines()}) < 2:
        time.sleep(0.02)
    time.sleep(2.0 if first else 0.1)
    note(shared, f"end {x} {node}")
    return {"square": x * x, "row": np.full(30_000, x)}


def forever(job: Job, shared: Any) -> dict[str, Any]:
    note(shared, f"begin {job.content['x']} {os.getpid()}")
    time.sleep(600)
    return {}


def note(path: str, text: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text + "\n")


def sleep_for_an_hour(job: Job, shared: Any) -> dict[str, Any]:
    """Write the number of this process into the job's file, then sleep."""
    Path(job.content["file"]).write_text(str(os.getpid()))
    time.sleep(3600)
    return {}
