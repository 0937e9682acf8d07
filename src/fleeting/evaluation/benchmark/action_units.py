"""`fleeting benchmark --task action-units`: which units moved, by the protocols and checks of recognition.

Clips that nobody coded are left out, and that is said. Emotions play no part. ``hde`` leaves one data set out at a time
and pools the predictions of all, as CD6ME does on six (Varanka et al., IEEE Trans. Affective Computing, 2023); its two
metrics are under ``cd6me`` in ``metrics.json`` (`evaluation.unit_scores`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.datasets.load import Wanted
from fleeting.errors import SettingsError
from fleeting.evaluation.benchmark import benchmark as recognition
from fleeting.evaluation.benchmark import files
from fleeting.evaluation.benchmark.code_of import code_outside, modules_behind
from fleeting.evaluation.benchmark.data import BenchmarkData, read_data
from fleeting.evaluation.benchmark.fold_checks import require_honest
from fleeting.evaluation.benchmark.fold_jobs import FOLD, blind
from fleeting.evaluation.benchmark.named_model import named_model
from fleeting.evaluation.benchmark.protocols import HOLDOUT, LEAKY
from fleeting.evaluation.benchmark.run import planned_folds
from fleeting.evaluation.benchmark.settings import BenchmarkSettings
from fleeting.evaluation.benchmark.splits import Fold
from fleeting.evaluation.unit_scores import CD6ME, UnitPredictions, mean_f1_of, unit_scores
from fleeting.recognisers.unit_models import UNIT_MODELS, UnitModel
from fleeting.scale.executor import Engine, Outcome, results_of, run
from fleeting.scale.job import Job, Result, fingerprint, source_fingerprint
from fleeting.scale.store import ResultStore

if TYPE_CHECKING:
    import pandas as pd

UNITS: tuple[str, ...] = (*CD6ME, "AU20")
"""Units that are learned and scored."""


@dataclass(frozen=True, slots=True)
class UnitBenchmarkSettings(BenchmarkSettings):
    """What is asked of a benchmark of action units.

    Attributes
    ----------
    task
        Of this benchmark.
    table
        Csv of the units of flow images, where these have none; empty for none.
    """

    task: str = "action-units"
    table: str = ""


@dataclass(frozen=True, slots=True)
class UnitWork:
    """What all jobs share: clips, the model before training, and folds by seed."""

    data: BenchmarkData
    model: UnitModel
    folds: Mapping[int, tuple[Fold, ...]]


def named_unit_model(name: str) -> UnitModel:
    """Return one of `UNIT_MODELS`, or what ``MODULE:CLASS`` gives; raises as `named_model.named_model`."""
    model: UnitModel = named_model(name, known=UNIT_MODELS)
    return model


def settings_for(models: Sequence[str], *, table: str | Path = "", **asked: Any) -> list[UnitBenchmarkSettings]:
    """Return the settings of a benchmark per model, all of which are checked before any is run.

    Parameters
    ----------
    models
        Names of `UNIT_MODELS`, or ``MODULE:CLASS``.
    table
        Csv of the units of flow images.
    asked
        As `benchmark.settings_for`.

    Raises
    ------
    SettingsError
        As `benchmark.settings_for`, and for the protocol that leaks, or another number of classes.
    """
    if asked.get("protocol") == LEAKY:
        raise SettingsError("an honest protocol for action units", LEAKY, "It is there for recognition, as a warning.")
    plans = recognition.settings_for(models, known=named_unit_model, **asked)
    return [UnitBenchmarkSettings(**asdict(plan), table=str(table)) for plan in plans]


def benchmark(
    settings: UnitBenchmarkSettings,
    *,
    out: str | Path,
    cache: str | Path | None = None,
    engine: Engine | None = None,
    on_done: Callable[[Outcome, int], None] | None = None,
) -> dict[str, Any]:
    """Read the data, make the model, run the benchmark; as `benchmark.benchmark`.

    Returns
    -------
    dict
        The content of ``metrics.json``.

    Raises
    ------
    DataError, SettingsError, LeakageError, JobsError, OutputError, MissingExtraError
        As for recognition; DataError also where no clip has action units.
    """
    plan = replace(settings, protocol=HOLDOUT) if settings.test else settings
    model = named_unit_model(plan.model)
    wanted = Wanted(units=UNITS, table=Path(plan.table) if plan.table else None)
    data = read_data(plan.data, test=plan.test, cache=cache, wanted=wanted)
    return run_units(data, model, plan, out=out, engine=engine, on_done=on_done)


def run_units(
    data: BenchmarkData,
    model: UnitModel,
    settings: BenchmarkSettings,
    *,
    out: str | Path,
    engine: Engine | None = None,
    on_done: Callable[[Outcome, int], None] | None = None,
) -> dict[str, Any]:
    """Train and test every fold with every seed, and write the results; as `run.run_benchmark`.

    Raises
    ------
    DataError, SettingsError, LeakageError, JobsError, OutputError
        As `benchmark`.
    """
    folds = planned_folds(data, settings)
    require_honest(data, [f for one in folds.values() for f in one], model)
    place = Path(out)
    files.start(place, settings, model)
    module = type(model).__module__
    code = source_fingerprint([*modules_behind([module]), "evaluation.benchmark.action_units"])
    base = fingerprint(data.digest, model.name, model.settings(), code, *code_outside(module))
    jobs = [_job(base, seed, fold) for seed, several in folds.items() for fold in several]
    outcomes = run(
        jobs,
        run_unit_job,
        store=ResultStore(place / files.JOBS),
        engine=engine,
        shared=UnitWork(data, model, folds),
        on_done=None if on_done is None else lambda outcome: on_done(outcome, len(jobs)),
    )
    made = [(int(job.content["seed"]), result) for job, result in zip(jobs, results_of(outcomes), strict=True)]
    table = prediction_table(data, made)
    files.write_predictions(table, place / files.PREDICTIONS)
    found: dict[str, Any] = {
        "task": "action-units",
        "model": settings.model,
        "protocol": settings.protocol,
        "selection": "nothing chosen on test clips",
        "seeds": settings.seeds,
        "folds": len(made) // settings.seeds,
        "training_seconds": float(sum(result["seconds"] for _, result in made)),
    } | _scores(table, data.samples.units, draws=settings.draws)
    files.write_metrics(found, place)
    return found


def _job(base: str, seed: int, fold: Fold) -> Job:
    rows = fingerprint(*(a.astype(np.int64) for a in (fold.train, fold.validation, fold.test)))
    content = {"benchmark": base, "seed": seed, "fold": fold.id, "rows": rows}
    return Job(FOLD, content, f"seed {seed}, fold {fold.id}")


def run_unit_job(job: Job, work: UnitWork) -> Result:
    """Train on one fold and look at its test rows.

    Returns
    -------
    dict
        One entry per test clip in ``fold``, ``clip``, ``probabilities`` and ``predicted`` (n, units); ``seconds``.
    """
    started = time.perf_counter()
    seed, samples = int(job.content["seed"]), work.data.samples
    fold = next(f for f in work.folds[seed] if f.id == job.content["fold"])
    validation = samples.select(fold.validation) if len(fold.validation) else None
    fitted = work.model.fit(samples.select(fold.train), validation, seed=seed)
    test = samples.select(fold.test)
    probabilities = np.asarray(fitted.probabilities(blind(test)), np.float64)
    predicted = probabilities >= np.asarray(fitted.thresholds)
    # Its shape and range are checked where the training can still be named.
    UnitPredictions(samples.units, test.coded_units(), probabilities, predicted, test.subject)
    return {
        "fold": np.full(len(test), fold.id),
        "clip": test.clip,
        "probabilities": probabilities,
        "predicted": predicted,
        "seconds": time.perf_counter() - started,
    }


def prediction_table(data: BenchmarkData, made: Sequence[tuple[int, Result]]) -> pd.DataFrame:
    """Return one row per prediction, joined with truth by clip id and sorted by seed and clip.

    Columns ``seed``, ``fold``, ``data_set``, ``subject``, ``clip``, and for each unit ``truth_AU01`` (1, 0, or -1 where
    the coders were not sure), ``p_AU01`` and ``said_AU01``.
    """
    import pandas as pd

    samples = data.samples
    units = samples.units
    parts = []
    for seed, result in made:
        said = {f"p_{u}": result["probabilities"][:, i] for i, u in enumerate(units)}
        said |= {f"said_{u}": result["predicted"][:, i] for i, u in enumerate(units)}
        parts.append(pd.DataFrame({"seed": seed, "fold": result["fold"], "clip": result["clip"], **said}))
    truth = {f"truth_{u}": samples.coded_units()[:, i] for i, u in enumerate(units)}
    rows = pd.DataFrame({"clip": samples.clip, "data_set": samples.dataset, "subject": samples.subject, **truth})
    table = pd.concat(parts, ignore_index=True).merge(rows, on="clip", how="left", validate="many_to_one")
    first = ["seed", "fold", "data_set", "subject", "clip"]
    ordered = [f"{kind}_{unit}" for unit in units for kind in ("truth", "p", "said")]
    return table[first + ordered].sort_values(["seed", "clip"], ignore_index=True)


def _scores(table: pd.DataFrame, units: tuple[str, ...], *, draws: int) -> dict[str, Any]:
    one = table[table["seed"] == table["seed"].min()]
    sets = sorted(map(str, one["data_set"].unique()))
    seeds = {str(seed): _predictions(rows, units) for seed, rows in table.groupby("seed")}
    values = {seed: mean_f1_of(rows) for seed, rows in seeds.items()}
    found: dict[str, Any] = {
        "clips": len(one),
        "subjects": int(one["subject"].nunique()),
        "data_sets": {name: int((one["data_set"] == name).sum()) for name in sets},
        **unit_scores(list(seeds.values()), draws=draws),
        "per_seed": values,
        "spread": float(np.std(list(values.values()), ddof=1)) if len(values) > 1 else 0.0,
        "per_data_set": {},
    }
    for name in sets if len(sets) > 1 else ():
        part = [_predictions(rows, units) for _, rows in table[table["data_set"] == name].groupby("seed")]
        found["per_data_set"][name] = unit_scores(part, draws=draws)
    return found


def _predictions(rows: pd.DataFrame, units: tuple[str, ...]) -> UnitPredictions:
    truth, probabilities, said = (rows[[f"{k}_{u}" for u in units]].to_numpy() for k in ("truth", "p", "said"))
    return UnitPredictions(
        units,
        truth.astype(np.int8),
        probabilities.astype(np.float64),
        said.astype(bool),
        rows["subject"].to_numpy(str),
    )


def summary(metrics: dict[str, Any], folder: Path) -> str:
    """Return the scores as lines for the terminal."""
    lines = [
        f"{metrics['model']}, {metrics['protocol']}: action units of {metrics['clips']} clips of "
        f"{metrics['subjects']} subjects, {metrics['folds']} folds",
        f"  {'':<10}{'F1':<24}{'macro F1':<10}{'AUC':<24}{'AP':<8}clips",
    ]
    for name, unit in metrics["units"].items():
        if unit["count"]:
            lines.append(_line(name, unit, ("f1", "macro_f1", "auc", "average_precision")) + str(unit["count"]))
    lines.append(_line("mean", metrics, ("mean_f1", "mean_macro_f1", "mean_auc", "mean_average_precision")).rstrip())
    for name, part in metrics["per_data_set"].items():
        lines.append(_line(name, part, ("mean_f1", "mean_macro_f1", "mean_auc", "mean_average_precision")).rstrip())
    cd6me = metrics["cd6me"]
    lines.append(_line("CD6ME", cd6me, ("f1", "macro_f1")).rstrip() + f"  over {len(cd6me['units'])} of its 12 units")
    return "\n".join([*lines, f"  results: {folder}"])


def _line(title: str, scores: Mapping[str, Any], names: Sequence[str]) -> str:
    cells = []
    for name, width in zip(names, (24, 10, 24, 8), strict=False):
        span = scores.get(f"{name}_interval") if width > 10 else None
        text = "-" if scores[name] is None else f"{scores[name]:.3f}"
        cells.append(f"{text}{'' if span is None else ' [{:.3f}, {:.3f}]'.format(*span)}".ljust(width))
    return f"  {title:<10}" + "".join(cells)
