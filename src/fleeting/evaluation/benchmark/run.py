"""Run a benchmark: folds times seeds, one row per prediction, scores of the whole table.

``run_benchmark`` writes into its folder, each file whole or not at all:

- ``settings.toml``: what was asked for and the resolved settings of the model;
- ``environment.json``: versions and machine;
- ``jobs/``: the result of every finished job, from which a stopped run goes on;
- ``predictions.parquet``: one row per prediction; ``metrics.json``: the scores;
- for a model of several answers ``answers.parquet``, the same rows for each of them;
- for ``leaky-best-epoch`` also ``leaky-predictions.parquet``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.errors import FleetingWarning, SettingsError
from fleeting.evaluation.benchmark import files
from fleeting.evaluation.benchmark.code_of import code_outside, modules_behind
from fleeting.evaluation.benchmark.data import BenchmarkData
from fleeting.evaluation.benchmark.fold_checks import require_honest
from fleeting.evaluation.benchmark.fold_jobs import ANSWER, CHECK, FOLD, MANY_FOLDS, FoldWork, run_job
from fleeting.evaluation.benchmark.protocols import HOLDOUT, LEAKY, holdout_fold, make_folds
from fleeting.evaluation.benchmark.scores import SCORES, benchmark_scores
from fleeting.evaluation.benchmark.settings import BenchmarkSettings
from fleeting.evaluation.benchmark.splits import Fold
from fleeting.recognisers.contract import Epochs, ManyFolds, ManyFoldsEpochs, Recogniser
from fleeting.scale.executor import Engine, Outcome, results_of, run
from fleeting.scale.job import Job, Result, fingerprint, source_fingerprint
from fleeting.scale.store import ResultStore

if TYPE_CHECKING:
    import pandas as pd

LEAKY_WARNING = (
    "LEAKY: for each subject the epoch was chosen by its own test clips, as many published figures were. "
    "These figures say nothing about new people; the honest ones are those of the last epoch."
)


def run_benchmark(
    data: BenchmarkData,
    model: Recogniser,
    settings: BenchmarkSettings,
    *,
    out: str | Path,
    engine: Engine | None = None,
    on_done: Callable[[Outcome, int], None] | None = None,
) -> dict[str, Any]:
    """Train and test every fold with every seed, and write the results.

    Parameters
    ----------
    data
        All clips, those of a hold-out included.
    model
        The recogniser before training.
    settings
        Protocol, seeds and the rest.
    out
        Folder of the results. Finished jobs that lie there are not done again.
    engine
        Where the jobs run; in this process where None.
    on_done
        Called after each job with its outcome and the number of all jobs.

    Returns
    -------
    dict
        The content of ``metrics.json``.

    Raises
    ------
    LeakageError
        Where training could see something of a test clip (`evaluation.benchmark.fold_checks`).
    DataError, SettingsError
        Where data or settings do not fit.
    JobsError
        Where the training of a fold failed; what is done is kept.
    OutputError
        Where the results cannot be written.
    """
    folds = planned_folds(data, settings)
    leaky = settings.protocol == LEAKY
    if leaky and not isinstance(model, (Epochs, ManyFoldsEpochs)):
        raise SettingsError(
            f"a model that is trained in epochs for {LEAKY}",
            f"'{model.name}', which is not",
            "Choose another model, or the protocol loso.",
        )
    require_honest(data, [f for one in folds.values() for f in one], model)
    files.start(Path(out), settings, model)
    jobs = planned_jobs(data, model, folds, leaky=leaky)
    work = FoldWork(data, model, folds, leaky)
    results: list[Result] = []
    # The check comes first: a model that leaks is not worth the training of all its folds.
    for some in ([j for j in jobs if j.task == CHECK], [j for j in jobs if j.task != CHECK]):
        outcomes = run(
            some,
            run_job,
            store=ResultStore(Path(out) / files.JOBS),
            engine=engine,
            shared=work,
            on_done=None if on_done is None else lambda outcome: on_done(outcome, len(jobs)),
        )
        results += results_of(outcomes)
    found = _scores(data, settings, list(zip(jobs, results, strict=True)), Path(out))
    files.write_metrics(found, Path(out))
    return found


def planned_folds(data: BenchmarkData, settings: BenchmarkSettings) -> dict[int, tuple[Fold, ...]]:
    """Return the folds of every seed.

    Raises
    ------
    SettingsError, DataError
        As `protocols.make_folds`, and for less than one seed.
    """
    if settings.seeds < 1:
        raise SettingsError("at least 1 seed", f"{settings.seeds}", "Change --seeds.")
    if settings.test:
        return {seed: holdout_fold(data, validation=settings.validation, seed=seed) for seed in range(settings.seeds)}
    if settings.protocol == HOLDOUT:
        raise SettingsError("test data for a hold-out", "none", "Name it with --test NAME=PATH.")
    return {
        seed: make_folds(data, settings.protocol, folds=settings.folds, validation=settings.validation, seed=seed)
        for seed in range(settings.seeds)
    }


def planned_jobs(
    data: BenchmarkData, model: Recogniser, folds: dict[int, tuple[Fold, ...]], *, leaky: bool
) -> list[Job]:
    """Return the jobs: one per fold and seed, or one per seed for a recogniser that trains many folds at once.

    The latter is also checked for independence of the clips that a fold holds out: on the fold with the most, trained
    beside another that trains on these clips, since a leak may need the company of other folds.
    """
    # Other models may change without a result of this one being thrown away.
    module = type(model).__module__
    code = source_fingerprint([*modules_behind([module]), "evaluation.benchmark.fold_jobs"])
    base = fingerprint(data.digest, model.name, model.settings(), code, leaky, *code_outside(module))
    batched = isinstance(model, ManyFoldsEpochs if leaky else ManyFolds)
    jobs: list[Job] = []
    if isinstance(model, ManyFolds):  # first, so that nothing else is trained where it fails
        largest = max(folds[0], key=lambda f: (len(f.test), f.id))
        others = [f for f in folds[0] if np.intersect1d(f.train, largest.test).size]
        jobs.append(_job(CHECK, base, 0, [largest, *others[:1]], f"independence of fold {largest.id}"))
    for seed, several in folds.items():
        if batched:
            jobs.append(_job(MANY_FOLDS, base, seed, several, f"seed {seed}, {len(several)} folds"))
        else:
            jobs += [_job(FOLD, base, seed, [fold], f"seed {seed}, fold {fold.id}") for fold in several]
    return jobs


def _job(task: str, base: str, seed: int, folds: Sequence[Fold], name: str) -> Job:
    rows = fingerprint(*(a.astype(np.int64) for f in folds for a in (f.train, f.validation, f.test)))
    return Job(task, {"benchmark": base, "seed": seed, "folds": [f.id for f in folds], "rows": rows}, name)


def _scores(
    data: BenchmarkData, settings: BenchmarkSettings, done: Sequence[tuple[Job, Result]], out: Path
) -> dict[str, Any]:
    classes = data.samples.classes
    made = [(int(job.content["seed"]), result) for job, result in done if job.task != CHECK]
    checks = [result for job, result in done if job.task == CHECK]
    leaky = settings.protocol == LEAKY
    table = prediction_table(data, made)
    files.write_predictions(table, out / files.PREDICTIONS)
    found: dict[str, Any] = {
        "model": settings.model,
        "protocol": settings.protocol,
        "leaky": False,
        "selection": "last epoch, nothing chosen on test clips" if leaky else "nothing chosen on test clips",
        "seeds": settings.seeds,
        "folds": len(table[["seed", "fold"]].drop_duplicates()) // settings.seeds,
        "training_seconds": float(sum(r["seconds"] for _, r in made)),
        "independence": [{"fold": r["fold"], "largest_change": r["largest_change"]} for r in checks],
    } | benchmark_scores(table, classes, draws=settings.draws)
    names = [key.removeprefix(ANSWER) for key in made[0][1] if key.startswith(ANSWER)]
    if names:
        tables = {name: prediction_table(data, made, answer=name) for name in names}
        files.write_predictions(_stacked(tables), out / files.ANSWERS)
        found["answers"] = {
            name: {score: benchmark_scores(one, classes, draws=0)[score]["pooled"] for score in SCORES}
            for name, one in tables.items()
        }
    if leaky:
        chosen = prediction_table(data, made, prefix="best_")
        files.write_predictions(chosen, out / files.LEAKY_PREDICTIONS)
        found |= {"leaky": True, "warning": LEAKY_WARNING}
        found[LEAKY] = {
            "leaky": True,
            "warning": LEAKY_WARNING,
            "selection": "LEAKY: the epoch that is best on the test clips of each subject",
            "epochs": int(max(r["epochs"] for _, r in made)),
        } | benchmark_scores(chosen, classes, draws=settings.draws)
        warnings.warn(LEAKY_WARNING, FleetingWarning, stacklevel=3)
    return found


def _stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([table.assign(answer=name) for name, table in tables.items()], ignore_index=True)


def prediction_table(
    data: BenchmarkData, made: Sequence[tuple[int, Result]], *, prefix: str = "", answer: str = ""
) -> pd.DataFrame:
    """Return one row per prediction, joined with truth by clip id and sorted by seed and clip.

    Parameters
    ----------
    data
        All clips.
    made
        Seed and result of every job (`fold_jobs.run_job`).
    prefix
        ``best_`` for what a leaky run chose; the rows then say so in ``selection``.
    answer
        Which answer, of a model that has several; that of the model where empty.
    """
    import pandas as pd

    samples = data.samples
    parts = []
    for seed, result in made:
        part = pd.DataFrame({"fold": result["fold"], "clip": result["clip"]})
        part.insert(0, "seed", seed)
        key = ANSWER + answer if answer else f"{prefix}probabilities"
        probabilities = np.asarray(result[key])
        part["predicted"] = np.array(samples.classes)[probabilities.argmax(1)]
        part["answered"] = result[f"{prefix}answered"]
        part[[f"p_{c}" for c in samples.classes]] = probabilities
        if prefix:
            part["selection"] = "LEAKY best test epoch"
            part["epoch"] = result[f"{prefix}epoch"]
        parts.append(part)
    truth = pd.DataFrame(
        {
            "clip": samples.clip,
            "data_set": samples.dataset,
            "subject": samples.subject,
            "truth": np.array(samples.classes)[samples.label],
        }
    )
    table = pd.concat(parts, ignore_index=True).merge(truth, on="clip", how="left", validate="many_to_one")
    first = ["seed", "fold", "data_set", "subject", "clip", "truth"]
    table = table[[*first, *(c for c in table.columns if c not in first)]]
    return table.sort_values(["seed", "clip"], ignore_index=True)
