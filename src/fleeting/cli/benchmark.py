"""``fleeting benchmark``: models on labelled data, by a protocol that cannot leak; each task has a row in `_task`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleeting.cli.frame_progress import CLEAR
from fleeting.errors import FleetingError, SettingsError

if TYPE_CHECKING:
    from fleeting.scale.executor import Outcome

PROTOCOLS = ("loso", "cde", "hde", "kfold", "leaky-best-epoch")
"""`fleeting.evaluation.benchmark.protocols.PROTOCOLS`, here so that the help needs no import."""

TASKS = ("recognition", "action-units", "spotting")


def benchmark(
    model: Annotated[
        list[str],
        typer.Option(
            "--model", "-m", help="Name of a model, or MODULE:CLASS; repeat for more, which get OUT/MODEL/ each."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results; a stopped run resumes there.")],
    task: Annotated[str, typer.Option(help="Task: " + ", ".join(TASKS) + ".")] = "recognition",
    data: Annotated[list[str] | None, typer.Option("--data", help="NAME=PATH of a data set; repeat for more.")] = None,
    train: Annotated[list[str] | None, typer.Option("--train", help="NAME=PATH to train on, for a hold-out.")] = None,
    test: Annotated[list[str] | None, typer.Option("--test", help="NAME=PATH to test on, for a hold-out.")] = None,
    protocol: Annotated[str, typer.Option(help="How people are held out: " + ", ".join(PROTOCOLS) + ".")] = "loso",
    seeds: Annotated[int, typer.Option(help="Number of repetitions, with the seeds 0, 1, ...")] = 1,
    folds: Annotated[int, typer.Option(help="Number of folds of the protocol kfold.")] = 5,
    validation: Annotated[
        float, typer.Option(help="Share of training subjects to hold out for validation, from 0 to 1.")
    ] = 0.0,
    classes: Annotated[int, typer.Option(help="Number of classes: 3, or 4, 5, 7 if the data set has them.")] = 3,
    units: Annotated[
        Path | None,
        typer.Option(help="Csv with the columns dataset, subject, clip, action_units, for flow images without units."),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of prepared clips; for spotting, of the measured films.")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="Where to run the jobs: in-process, processes or ray.  [default: in-process, or processes with --jobs]"
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", help="Number of jobs to run at the same time.  [default: 1, or all cores with --engine]"
        ),
    ] = None,
    address: Annotated[str | None, typer.Option(help="Address of a Ray cluster.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Train and test models fold by fold, and write honest scores (needs the extra 'research').

    Run the same command again to resume a stopped benchmark.

    With --task spotting, the models are shipped, retrained and feature-difference, and the data are long films.

    Example: fleeting benchmark --data composite=flow.npz -m linear-svm -o runs/svm
    """
    from fleeting.scale.engines import make_engine

    work = _task(task, out, units)
    if any(":" in name for name in model):
        # A module of one's own lies where one works; the processes of the engines get the same path.
        sys.path.append(str(Path.cwd()))
    where = make_engine(engine, workers=jobs, address=address)
    plans = work.settings_for(
        model,
        data=data or (),
        train=train or (),
        test=test or (),
        protocol=protocol,
        numbers={"seeds": seeds, "folds": folds, "classes": classes},
        validation=validation,
    )
    found: dict[str, Any] = {}
    failed = False
    for plan in plans:
        folder = out if len(plans) == 1 else out / plan.model.replace(":", ".")
        display = _Display(plan.model, quiet=as_json)
        display.begin(folder)
        try:
            found[plan.model] = work.benchmark(
                plan, out=folder, cache=cache or work.cache, engine=where, on_done=display
            )
        except FleetingError as error:
            if len(plans) == 1:
                raise
            # The other models are measured all the same.
            typer.echo(f"error: {plan.model}: {error}", err=True)
            failed = True
            continue
        finally:
            display.end()
        if not as_json:
            typer.echo(work.summary(found[plan.model], folder))
    if as_json:
        typer.echo(json.dumps(next(iter(found.values())) if len(plans) == 1 else found))
    if failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Task:
    """What the command calls for a task; `cache` is where it keeps what it prepares, unless ``--cache`` says so."""

    settings_for: Callable[..., list[Any]]
    benchmark: Callable[..., dict[str, Any]]
    summary: Callable[[dict[str, Any], Path], str]
    cache: Path | None = None


def _task(name: str, out: Path, units: Path | None) -> _Task:
    from fleeting.settings import nearest

    if units is not None and name != "action-units":
        raise SettingsError("--units with --task action-units", f"--task {name}", "Leave it out, or change the task.")
    if name == "recognition":
        from fleeting.evaluation.benchmark import benchmark as recognition

        return _Task(recognition.settings_for, recognition.benchmark, summary)
    if name == "spotting":
        from fleeting.analysis.measure import measure_video
        from fleeting.evaluation.benchmark.spotting import benchmark as spotting

        measured = partial(spotting.benchmark, measure=measure_video)
        return _Task(spotting.settings_for, measured, spotting_summary, out / spotting.FILMS)
    if name == "action-units":
        from fleeting.evaluation.benchmark import action_units

        asked = partial(action_units.settings_for, table=units or "")
        return _Task(asked, action_units.benchmark, action_units.summary)
    raise SettingsError("a known task", repr(name), nearest(name, TASKS))


class _Display:
    """Says which job has ended: a line that rewrites itself on a terminal, plain lines in a log."""

    def __init__(self, model: str, *, quiet: bool) -> None:
        self._model, self._quiet, self._live = model, quiet, sys.stderr.isatty()
        self._done, self._open = 0, False

    def begin(self, folder: Path) -> None:
        """Say what is about to be done: a job that trains many folds at once takes its time."""
        if not self._quiet:
            typer.echo(f"{self._model}: reading and checking the data, then training; results in {folder}", err=True)

    def __call__(self, outcome: Outcome, count: int) -> None:
        self._done += 1
        state = " (was done before)" if outcome.kept else f" FAILED: {outcome.error}" if outcome.error else ""
        if self._quiet:
            return
        text = f"{self._model}: {self._done} of {count}, {outcome.job.label}{state}"
        if self._live and not outcome.error:
            typer.echo(CLEAR + text[:100], err=True, nl=False)
            self._open = True
        else:
            self.end()
            typer.echo(text, err=True)

    def end(self) -> None:
        """Close the line that rewrites itself."""
        if self._open:
            typer.echo("", err=True)
            self._open = False


def summary(metrics: dict[str, Any], folder: Path) -> str:
    """Return the scores as lines for the terminal."""
    from fleeting.evaluation.benchmark.protocols import LEAKY

    seeds = f"{metrics['seeds']} seed{'s' if metrics['seeds'] > 1 else ''}"
    lines = [
        f"{metrics['model']}, {metrics['protocol']}: {metrics['clips']} clips of {metrics['subjects']} subjects, "
        f"{metrics['folds']} folds, {seeds}"
    ]
    columns = [("", metrics)]
    if metrics["leaky"]:
        columns = [("honest: last epoch", metrics), ("LEAKY: best test epoch", metrics[LEAKY])]
        lines.append(" " * 22 + "".join(f"{head:<28}" for head, _ in columns).rstrip())
    for name, title in (("uf1", "UF1"), ("uar", "UAR"), ("accuracy", "accuracy")):
        lines.append(_row(title, [found[name] for _, found in columns], more=metrics["seeds"] > 1))
        sets = metrics[name]["per_data_set"]
        if len(sets) > 1:
            for part in sets:
                lines.append(_row(f"  {part}", [f[name]["per_data_set"][part] for _, f in columns], more=False))
    lines.append(f"  results: {folder}")
    return "\n".join(lines)


def _row(title: str, scores: list[dict[str, Any]], *, more: bool) -> str:
    cells = []
    for score in scores:
        span = "" if score["interval"] is None else " [{:.3f}, {:.3f}]".format(*score["interval"])
        cells.append(f"{score['pooled']:.3f}" + (f" +- {score['spread']:.3f}" if more else "") + span)
    return f"  {title:<20}" + "".join(f"{cell:<28}" for cell in cells).rstrip()


def spotting_summary(metrics: dict[str, Any], folder: Path) -> str:
    """Return the scores of spotting as lines for the terminal."""
    from fleeting.evaluation.benchmark.spotting.page import score_text
    from fleeting.evaluation.benchmark.spotting.scores import ALL

    lines = [
        f"{metrics['model']}, {metrics['protocol']}: {metrics['films']} films of {metrics['people']} people, "
        f"{metrics['minutes']:.1f} minutes, {metrics['folds']} folds",
        f"  {'F1':<20}{'right':<28}as the public script has it",
    ]
    for kind in ALL:
        right, public = (score_text(metrics[name][kind]) for name in ("right", "public_script"))
        lines.append(f"  {kind:<20}{right:<28}{public}".replace("±", "+-"))
    if metrics["failed"]:
        lines.append(f"  not analysed, so missed: {', '.join(metrics['failed'])}")
    return "\n".join([*lines, f"  results: {folder}"])
