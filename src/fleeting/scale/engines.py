"""Engines by name, as ``--engine`` spells them."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from fleeting.errors import SettingsError
from fleeting.scale.executor import Engine, InProcess
from fleeting.scale.process_pool import ProcessPool
from fleeting.scale.ray_cluster import RayCluster


def _here(workers: int | None, address: str | None) -> Engine:
    if workers not in (None, 1):
        raise SettingsError("one job at a time in one process", f"--jobs {workers}", "Choose --engine processes.")
    return InProcess()


ENGINES: dict[str, Callable[[int | None, str | None], Engine]] = {
    "in-process": _here,
    "processes": lambda workers, _: ProcessPool(workers=workers),
    "ray": lambda workers, address: RayCluster(address=address, workers=workers),
}
"""Takes the most jobs at the same time and the address of a cluster."""


def make_engine(name: str | None = None, *, workers: int | None = None, address: str | None = None) -> Engine:
    """Return an engine.

    Parameters
    ----------
    name
        One of `ENGINES`. Where None: ``ray`` with an address, ``processes`` for more than one job at a time, else
        ``in-process``.
    workers
        Most jobs at the same time; as many as there are cores where None (but one in one process).
    address
        Of a Ray cluster (`ray_cluster.RayCluster`).

    Raises
    ------
    SettingsError
        For an unknown engine, an address without Ray, or several jobs at a time in one process.
    InputError
        For fewer than one job at a time.
    """
    if name is None:
        name = "ray" if address else "processes" if workers not in (None, 1) else "in-process"
    if name not in ENGINES:
        near = difflib.get_close_matches(name, ENGINES, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "Choose one of them."
        raise SettingsError(f"an engine of {', '.join(ENGINES)}", f"'{name}'", hint)
    if address is not None and name != "ray":
        raise SettingsError("an address only with the engine ray", f"--engine {name}", "Choose --engine ray.")
    return ENGINES[name](workers, address)
