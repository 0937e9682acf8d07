"""`fleeting benchmark` from Python: data by name and path, model by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fleeting.errors import SettingsError
from fleeting.evaluation.benchmark.data import read_data
from fleeting.evaluation.benchmark.named_model import named_model
from fleeting.evaluation.benchmark.protocols import HOLDOUT, PROTOCOLS
from fleeting.evaluation.benchmark.run import run_benchmark
from fleeting.evaluation.benchmark.settings import BenchmarkSettings
from fleeting.scale.executor import Engine, Outcome
from fleeting.settings import nearest


def benchmark(
    settings: BenchmarkSettings,
    *,
    out: str | Path,
    cache: str | Path | None = None,
    engine: Engine | None = None,
    on_done: Callable[[Outcome, int], None] | None = None,
) -> dict[str, Any]:
    """Read the data, make the model, run the benchmark.

    Parameters
    ----------
    settings
        Names of model and data, protocol, seeds.
    cache
        Cache folder of ``fleeting prepare``, for data sets of frames; its usual place if None.
    out, engine, on_done
        As for `run_benchmark`.

    Returns
    -------
    dict
        The content of ``metrics.json``.

    Raises
    ------
    DataError, SettingsError, LeakageError, JobsError, OutputError, MissingExtraError
        As `named_model` and `run_benchmark`.
    """
    plan = replace(settings, protocol=HOLDOUT) if settings.test else settings
    model = named_model(plan.model)
    data = read_data(plan.data, test=plan.test, classes=plan.classes, cache=cache)
    return run_benchmark(data, model, plan, out=out, engine=engine, on_done=on_done)


def settings_for(
    models: Sequence[str],
    *,
    data: Sequence[str] = (),
    train: Sequence[str] = (),
    test: Sequence[str] = (),
    protocol: str = "loso",
    numbers: Mapping[str, int] | None = None,
    validation: float = 0.0,
    known: Callable[[str], object] = named_model,
) -> list[BenchmarkSettings]:
    """Return the settings of a benchmark per model, all of which are checked before any is run.

    Parameters
    ----------
    models
        Names of recognisers, or ``MODULE:CLASS`` (`named_model`).
    data
        ``NAME=PATH`` of what is both trained on and tested, fold by fold.
    train, test
        ``NAME=PATH`` of both sides of a hold-out; the protocol then does not count.
    protocol
        One of `protocols.PROTOCOLS`.
    numbers
        ``seeds``, ``folds`` and ``classes``, where not the defaults.
    validation
        Share of the training subjects to validate on.
    known
        Raises for the name of a model that the task does not know.

    Raises
    ------
    SettingsError
        For no or an unknown model or one that is named twice, an unknown protocol, no data, or a hold-out without one
        of its sides.
    """
    if not models or len(set(models)) != len(models):
        raise SettingsError("one or several models, each once", ", ".join(models) or "none", "Change --model.")
    for name in models:
        known(name)
    if protocol not in PROTOCOLS:
        raise SettingsError("a known protocol", repr(protocol), nearest(protocol, PROTOCOLS))
    if bool(train) != bool(test) or bool(data) == bool(train):
        raise SettingsError(
            "either --data, or both --train and --test",
            f"{len(data)} x --data, {len(train)} x --train, {len(test)} x --test",
            "Name data sets as NAME=PATH.",
        )
    return [
        BenchmarkSettings(
            model=name,
            protocol=HOLDOUT if test else protocol,
            validation=validation,
            data=(*data, *train),
            test=tuple(test),
            **(numbers or {}),
        )
        for name in models
    ]
