"""``fleeting benchmark --task spotting``: films measured once, spotted under every fold, scored by MEGC's rules.

What it writes into its folder, each file whole or not at all:

- ``settings.toml``, ``environment.json``: what was asked, and where it ran;
- ``films/``: the measurements of every film; ``jobs/``: every person and fold that is done;
- ``splits.json``: who was trained on, validated on and tested, by seed and fold;
- ``predictions.csv`` and ``truth.csv``: the spotted and the marked intervals, as ``fleeting evaluate megc`` reads them;
- ``metrics.json``: the scores; ``report.html``: the same to look at.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fleeting.errors import SettingsError
from fleeting.evaluation.benchmark import benchmark as recognition
from fleeting.evaluation.benchmark import files
from fleeting.evaluation.benchmark.code_of import modules_behind
from fleeting.evaluation.benchmark.data import BenchmarkData
from fleeting.evaluation.benchmark.fold_checks import SIDES, require_honest
from fleeting.evaluation.benchmark.leakage import require_no_pair_across
from fleeting.evaluation.benchmark.protocols import HOLDOUT, LEAKY
from fleeting.evaluation.benchmark.run import planned_folds
from fleeting.evaluation.benchmark.settings import BenchmarkSettings
from fleeting.evaluation.benchmark.splits import Fold
from fleeting.evaluation.benchmark.spotting.films import LongFilm, read_films
from fleeting.evaluation.benchmark.spotting.fold_jobs import COLUMNS, FOLD, PERSON, SpottingWork, run_job
from fleeting.evaluation.benchmark.spotting.measured import (
    Measure,
    MeasuredFilms,
    digest,
    film_jobs,
    measure_films,
    motion_picture,
)
from fleeting.evaluation.benchmark.spotting.page import page
from fleeting.evaluation.benchmark.spotting.scores import spotting_metrics
from fleeting.evaluation.benchmark.spotting.spotters import Spotter, spotter
from fleeting.evaluation.megc import KINDS, Marked
from fleeting.files import write_text
from fleeting.scale.executor import Engine, Outcome, results_of, run
from fleeting.scale.job import Job, Result, fingerprint, source_fingerprint
from fleeting.scale.store import ResultStore

FILMS, SPLITS, TRUTH, PREDICTIONS, REPORT = "films", "splits.json", "truth.csv", "predictions.csv", "report.html"

settings_for = partial(recognition.settings_for, known=spotter)
"""As for recognition; the models are the names of `spotters.SPOTTERS`."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """What the checks of the folds and the folder of the results ask of a model."""

    model: Spotter
    needs: Literal["flow", "sequence"] = "flow"

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def subjects_seen(self) -> tuple[str, ...]:
        return tuple(getattr(self.model, "subjects_seen", ()))

    def settings(self) -> dict[str, Any]:
        return {"task": "spotting", **self.model.settings()}


def benchmark(
    settings: BenchmarkSettings,
    *,
    measure: Measure,
    out: str | Path,
    cache: str | Path | None = None,
    engine: Engine | None = None,
    on_done: Callable[[Outcome, int], None] | None = None,
) -> dict[str, Any]:
    """Measure the films, train and spot every fold with every seed, and write the results.

    Parameters
    ----------
    settings
        Names, paths, protocol, seeds; `classes` does not count.
    measure
        Measures one film (`analysis.measure.measure_video`).
    out
        Folder of the results. What is done and lies there is not done again.
    cache
        Folder of the measurements, which several runs may share; ``films`` in `out` where None.
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
        For a person or film on two sides of a fold, a film that is there twice, a person of two names, and a person
        whom the spotter was trained on before.
    DataError, SettingsError
        Where data or settings do not fit.
    JobsError
        Where a job failed; what is done is kept.
    OutputError
        Where the results cannot be written.
    """
    plan = replace(settings, protocol=HOLDOUT) if settings.test else settings
    if plan.protocol == LEAKY:
        raise SettingsError("a protocol for spotting", f"'{LEAKY}'", "Use loso, cde, hde or kfold.")
    place = Path(out)
    model = spotter(plan.model)
    films, data = read_films(plan.data, test=plan.test)
    folds = planned_folds(data, plan)
    every = [fold for some in folds.values() for fold in some]
    require_honest(data, every, _Checked(model))
    kept = place / FILMS if cache is None else Path(cache)
    looks, same = film_jobs(films, measure, folder=kept)
    _require_no_copy_across(data, every, same)
    files.start(place, plan, _Checked(model))
    people = sorted({film.person for film in films}) if model.learns else []
    count = len(looks) + len(people) + len(every)

    def tell(outcome: Outcome) -> None:
        if on_done is not None:
            on_done(outcome, count)

    measured = measure_films(films, looks, measure, folder=kept, engine=engine, on_done=tell)
    seconds, pictures = _looked_at(measured)
    seen = replace(data, samples=replace(data.samples, flow=pictures))
    require_honest(seen, every, _Checked(model))
    work, done = _trained(measured, model, folds, people, place, engine, tell)
    truth = [m for film in films for m in film.marked()]
    table = _table(films, done)
    found = _metrics(work, plan, truth, table, seconds) | {"chosen": _chosen(done)}
    write_text(place / SPLITS, json.dumps(_splits(films, folds), indent=1) + "\n")
    write_text(place / TRUTH, _csv([_row(m) for m in truth]))
    write_text(place / PREDICTIONS, _csv(table))
    write_text(place / REPORT, page(found, films, table, seconds))
    files.write_metrics(found, place)
    return found


def _require_no_copy_across(data: BenchmarkData, folds: Sequence[Fold], same: Sequence[Sequence[str]]) -> None:
    row = {str(name): i for i, name in enumerate(data.samples.clip)}
    pairs = np.array([[row[a], row[b]] for names in same for a, b in combinations(names, 2)], np.int64).reshape(-1, 2)
    for fold in folds:
        rows = [(side, getattr(fold, side)) for side in SIDES]
        for (one, its), (other, theirs) in combinations(rows, 2):
            require_no_pair_across(pairs, its, theirs, ids=data.samples.clip, sides=(one, other))


def _looked_at(measured: MeasuredFilms) -> tuple[dict[str, float], np.ndarray[Any, np.dtype[np.uint8]]]:
    """Seconds of every film, and the motion of all as pictures."""
    seconds, pictures = {}, []
    for film in measured.films:
        one = measured.of(film)
        seconds[film.id] = 0.0 if one is None else float(one.time_s[-1])
        pictures.append(motion_picture(one))
    return seconds, np.stack(pictures)


def _trained(
    measured: MeasuredFilms,
    model: Spotter,
    folds: Mapping[int, tuple[Fold, ...]],
    people: Sequence[str],
    place: Path,
    engine: Engine | None,
    tell: Callable[[Outcome], None],
) -> tuple[SpottingWork, list[tuple[Job, Result]]]:
    code = source_fingerprint(modules_behind([type(model).__module__, run_job.__module__]))
    base = fingerprint(digest(measured), model.name, model.settings(), code)
    prepared = {p: Job(PERSON, {"benchmark": base, "person": p}, f"examples of {p}") for p in people}
    work = SpottingWork(measured, model, folds, prepared, ResultStore(place / files.JOBS))
    jobs = [
        Job(
            FOLD,
            {"benchmark": base, "seed": seed, "fold": fold.id, "rows": fingerprint(fold.train, fold.validation)},
            f"seed {seed}, fold {fold.id}",
        )
        for seed, some in folds.items()
        for fold in some
    ]
    results: list[Result] = []
    for some in (list(prepared.values()), jobs):  # a fold reads what was prepared of its people
        outcomes = run(some, run_job, store=work.store, engine=engine, shared=work, on_done=tell)
        results = results_of(outcomes)
    return work, list(zip(jobs, results, strict=True))


Row = dict[str, Any]


def _row(one: Marked) -> Row:
    return {
        "subject": one.subject,
        "video": one.video,
        "onset": one.onset,
        "offset": one.offset,
        "emotion": one.emotion,
        "type": one.kind,
    }


def _table(films: Sequence[LongFilm], done: Sequence[tuple[Job, Result]]) -> list[Row]:
    """Everything spotted, one row each, of the kinds that its data set marks."""
    by_id = {film.id: film for film in films}
    marked: dict[str, set[str]] = {}
    for film in films:
        marked.setdefault(film.dataset, set()).update(m.kind for m in film.marked())
    rows: list[Row] = []
    for job, result in done:
        columns = (result[name].tolist() for name in COLUMNS)
        for name, kind, onset, apex, offset, confidence in zip(*columns, strict=True):
            film = by_id[name]
            if kind in marked[film.dataset]:
                one = _row(Marked(film.person, name, onset, offset, "", kind))
                where = {"seed": job.content["seed"], "fold": job.content["fold"], "data_set": film.dataset}
                rows.append(where | one | {"apex": apex, "confidence": round(confidence, 4)})
    return sorted(rows, key=lambda r: (r["seed"], r["video"], r["onset"], r["offset"], r["type"]))


def _metrics(
    work: SpottingWork,
    plan: BenchmarkSettings,
    truth: Sequence[Marked],
    table: Sequence[Row],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    films = work.films.films

    def scores(dataset: str = "") -> dict[str, Any]:
        of = {film.id for film in films if not dataset or film.dataset == dataset}
        spotted = {seed: [_marked(r) for r in table if r["seed"] == seed and r["video"] in of] for seed in work.folds}
        return spotting_metrics([m for m in truth if m.video in of], spotted, draws=plan.draws)

    datasets = sorted({film.dataset for film in films})
    found = scores()
    tested = {films[row].id for some in work.folds.values() for fold in some for row in fold.test}
    minutes = sum(seconds[name] for name in tested) / 60
    false = [row["false_positives"] for row in found["right"]["micro"]["per_seed"].values()]
    return {
        "task": "spotting",
        "model": plan.model,
        "protocol": plan.protocol,
        "leaky": False,
        "selection": "nothing chosen on test films",
        "seeds": plan.seeds,
        "folds": len(work.folds[0]),
        "films": len(films),
        "people": len({film.person for film in films}),
        "minutes": round(minutes, 3),
        "data_sets": {name: sum(film.dataset == name for film in films) for name in datasets},
        "marked": {kind: Counter(m.kind for m in truth)[kind] for kind in KINDS},
        **found,
        "false_micro_per_minute": sum(false) / len(false) / minutes if minutes else None,
        "per_data_set": {name: scores(name) for name in datasets} if len(datasets) > 1 else {},
        "failed": dict(work.films.failed),
        "remarks": _remarks(work.films),
    }


def _marked(row: Row) -> Marked:
    return Marked(row["subject"], row["video"], row["onset"], row["offset"], "", row["type"])


def _remarks(measured: MeasuredFilms) -> list[str]:
    """Say which marked intervals lie outside of their film, where they can only be missed."""
    said = []
    for film in measured.films:
        one = measured.of(film)
        if one is None:
            continue
        first, last = film.frame(0), film.frame(len(one.time_s) - 1)
        out = sum(m.offset < first or m.onset > last for m in film.marked())
        if out:
            said.append(f"{film.id}: {out} marked outside of its frames {first} to {last}.")
    return said


def _chosen(done: Sequence[tuple[Job, Result]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for job, result in done:
        if result["chosen"]:
            found.setdefault(str(job.content["seed"]), {})[job.content["fold"]] = result["chosen"]
    return found


def _splits(films: Sequence[LongFilm], folds: Mapping[int, tuple[Fold, ...]]) -> dict[str, Any]:
    return {
        str(seed): {
            fold.id: {side: sorted({films[row].person for row in getattr(fold, side)}) for side in SIDES}
            for fold in some
        }
        for seed, some in folds.items()
    }


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    first = ("seed", "fold", "data_set", "subject", "video", "type", "onset", "apex", "offset", "emotion", "confidence")
    columns = [name for name in first if any(name in row for row in rows)] if rows else list(first)
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
