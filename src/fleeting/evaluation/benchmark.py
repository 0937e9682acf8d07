"""`fleeting benchmark` from Python: data by name and path, model by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fleeting.errors import SettingsError
from fleeting.evaluation.benchmark_data import read_data
from fleeting.evaluation.protocols import HOLDOUT
from fleeting.evaluation.run_benchmark import BenchmarkSettings, run_benchmark
from fleeting.scale.executor import Engine, Outcome
from fleeting.training.recogniser_registry import recogniser


def benchmark(
    settings: BenchmarkSettings,
    *,
    out: str | Path,
    engine: Engine | None = None,
    on_done: Callable[[Outcome, int], None] | None = None,
) -> dict[str, Any]:
    """Read the data, make the model, run the benchmark.

    Parameters
    ----------
    settings
        Names, paths, protocol, seeds.
    out, engine, on_done
        As for `run_benchmark`.

    Returns
    -------
    dict
        The content of ``metrics.json``.

    Raises
    ------
    SettingsError
        For an unknown model or protocol, data without a name, or a hold-out without one of its sides.
    DataError, LeakageError, JobsError, OutputError, MissingExtraError
        As `run_benchmark`.
    """
    if settings.test and not settings.data:
        raise SettingsError("data to train on", "none", "Name it with --train NAME=PATH.")
    plan = replace(settings, protocol=HOLDOUT) if settings.test else settings
    model = recogniser(plan.model)
    data = read_data([*plan.data, *plan.test])
    return run_benchmark(data, model, plan, out=out, engine=engine, on_done=on_done)
