"""Benchmarks side by side: scores with intervals, and paired tests against the first.

Conventions
-----------
- The first run is the one that all others are tested against.
- Differences are those of means over seeds; p of the permutation over subjects (`significance.permutation_test`).
  McNemar's test takes one answer per clip: the class with the highest probability averaged over seeds.
- Runs on other clips or with other truths are listed, but not tested.
- A leaky run gives two entries: the honest one of its last epoch, and one that is marked, is never the best and is
  never tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleeting.errors import InputError
from fleeting.evaluation.benchmark.files import Run, read_run
from fleeting.evaluation.benchmark.protocols import LEAKY
from fleeting.evaluation.benchmark.scores import SCORES, subject_counts
from fleeting.evaluation.comparison.significance import mcnemar, permutation_test

if TYPE_CHECKING:
    import pandas as pd

MARK = "LEAKY"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a comparison.

    Attributes
    ----------
    name
        Unique; says so where the figures are leaky.
    run
        The benchmark.
    metrics
        Its scores (`benchmark_scores.benchmark_scores`): the marked ones where `leaky`.
    leaky
        Whether something was chosen on test clips.
    tests
        Against the first entry: per score ``difference`` and ``p``, and ``mcnemar``; None where it cannot be tested.
    subjects
        Share of right answers (mean over seeds) and number of clips by subject.
    """

    name: str
    run: Run
    metrics: dict[str, Any]
    leaky: bool
    tests: dict[str, Any] | None
    subjects: dict[str, tuple[float, int]]

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as plain values for JSON."""
        return {
            "name": self.name,
            "folder": str(self.run.folder),
            "model": self.run.metrics["model"],
            "protocol": self.run.metrics["protocol"],
            "leaky": self.leaky,
            "seeds": self.run.metrics["seeds"],
            **{key: self.metrics[key] for key in (*SCORES, "clips", "confusion", "calibration")},
            "tests": self.tests,
            "subjects": {name: {"right": right, "clips": clips} for name, (right, clips) in self.subjects.items()},
        }


def compare(folders: Sequence[str | Path], *, draws: int = 10_000) -> list[Entry]:
    """Read benchmarks and test each against the first.

    Parameters
    ----------
    folders
        Folders of finished benchmarks (``fleeting benchmark --out``).
    draws
        Number of random swaps of the permutation test.

    Returns
    -------
    list of Entry
        One per folder: ``name``, ``metrics`` (as in ``metrics.json``), ``tests`` against the first.

    Raises
    ------
    InputError
        For no folder, or one that is named twice.
    DataError
        If a folder holds no finished benchmark.
    """
    paths = [Path(folder) for folder in folders]
    if not paths or len({p.resolve() for p in paths}) != len(paths):
        raise InputError("one or several runs, each once", ", ".join(map(str, paths)) or "none", "Change the list.")
    runs = [read_run(path) for path in paths]
    first = runs[0].predictions()
    entries: list[Entry] = []
    for name, run in zip(_names(runs), runs, strict=True):
        table = first if run is runs[0] else run.predictions()
        tests = None if run is runs[0] else _tests(table, first, run, runs[0], draws=draws)
        entries.append(Entry(name, run, run.metrics, False, tests, _subjects(table)))
        if run.metrics["leaky"]:
            chosen = run.predictions(leaky=True)
            marked = f"{name} {MARK}: best test epoch"
            entries.append(Entry(marked, run, run.metrics[LEAKY], True, None, _subjects(chosen)))
    return entries


def _names(runs: Sequence[Run]) -> list[str]:
    """Return the models, with protocol and folder where these are needed to tell the runs apart."""
    model = [str(run.metrics["model"]) for run in runs]
    names = model
    for more in (
        [run.metrics["protocol"] for run in runs],
        [run.folder.name for run in runs],
        [run.folder for run in runs],
    ):
        if len(set(names)) == len(names):
            break
        names = [f"{name} ({word})" for name, word in zip(model, more, strict=True)]
    return names


def _tests(table: pd.DataFrame, first: pd.DataFrame, run: Run, first_run: Run, *, draws: int) -> dict[str, Any] | None:
    classes = first_run.metrics["confusion"]["classes"]
    if run.metrics["confusion"]["classes"] != classes or not _truths(table).equals(_truths(first)):
        return None
    (names, counts), (others, first_counts) = (subject_counts(t, classes) for t in (table, first))
    if names != others:
        return None
    right, first_right = (_right(t, classes) for t in (table, first))
    return {
        **permutation_test(counts, first_counts, draws=draws),
        "mcnemar": mcnemar(right, first_right),
    }


def _truths(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop_duplicates("clip").sort_values("clip")[["clip", "subject", "truth"]].reset_index(drop=True)


def _right(table: pd.DataFrame, classes: Sequence[str]) -> Any:
    mean = table.groupby("clip", sort=True)[[f"p_{c}" for c in classes]].mean()
    truth = table.drop_duplicates("clip").set_index("clip")["truth"].reindex(mean.index)
    return np.array(classes)[mean.to_numpy().argmax(1)] == truth.to_numpy()


def _subjects(table: pd.DataFrame) -> dict[str, tuple[float, int]]:
    right = (table["truth"] == table["predicted"]).groupby(table["subject"]).mean()
    clips = table.groupby("subject")["clip"].nunique()
    return {str(name): (float(right[name]), int(clips[name])) for name in sorted(right.index)}
