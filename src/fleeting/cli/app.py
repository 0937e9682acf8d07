"""The commands of ``fleeting`` and how their errors reach the user.

One module of this package per command, with a function of the command's name. Modules import typer and the light rooms
(`errors`, `records`, `settings`) at their top; numpy, OpenCV and all else are imported inside the function, so that
``fleeting --help`` stays quick.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer
import typer.core

from fleeting.cli.analyse import analyse
from fleeting.cli.benchmark import benchmark
from fleeting.cli.calibrate import calibrate
from fleeting.cli.coding import agree, export, import_file, summarise
from fleeting.cli.compare import compare
from fleeting.cli.data import data
from fleeting.cli.demo import demo
from fleeting.cli.emotion import emotion
from fleeting.cli.evaluate import evaluate
from fleeting.cli.explain import explain
from fleeting.cli.flow import flow
from fleeting.cli.frame_progress import CLEAR
from fleeting.cli.live import live
from fleeting.cli.magnify import magnify
from fleeting.cli.prepare import prepare
from fleeting.cli.probe import probe
from fleeting.cli.report import methods, report
from fleeting.cli.said_once import begin_anew, is_new
from fleeting.cli.serve import serve
from fleeting.cli.synthesise import synthesise
from fleeting.cli.train import train
from fleeting.errors import FleetingError, FleetingWarning

log = logging.getLogger(__name__)

GROUPS: dict[str, dict[str, tuple[Callable[..., None] | typer.Typer, str]]] = {
    "For recordings": {
        "serve": (serve, "Open the workbench in a browser: see, correct, code, compare."),
        "analyse": (analyse, "Find micro-expressions: a timeline, a report and files."),
        "probe": (probe, "Check whether a recording is good enough."),
        "calibrate": (calibrate, "Measure how small a movement a recording can show."),
        "live": (live, "Report micro-expressions while they happen."),
        "emotion": (emotion, "Read the expression of every face, frame by frame."),
        "explain": (explain, "Show where the expression network looks in a face."),
        "magnify": (magnify, "Enlarge the small movements of a video."),
        "flow": (flow, "Measure the motion between two pictures, in pixels."),
        "report": (report, "Build a report again from its timeline."),
        "methods": (methods, "Print the methods paragraph of a paper."),
        "demo": (demo, "Film a portrait with known movements and analyse it."),
    },
    "For coders": {
        "import": (import_file, "Read ELAN, BORIS or a table as a coder's events."),
        "agree": (agree, "Compare two coders, or a coder and the machine."),
        "export": (export, "Write a coder's events for other programs."),
        "summarise": (summarise, "Count events per minute by condition of a study."),
    },
    "For data sets": {
        "data": (data, "Check labelled data sets and list what was repaired."),
        "prepare": (prepare, "Make flow images and sequences of labelled clips."),
        "synthesise": (synthesise, "Make clips whose every movement is known."),
        "benchmark": (benchmark, "Train and test models with people held out."),
        "compare": (compare, "Compare benchmarks: intervals and paired tests."),
    },
    "For networks": {
        "evaluate": (evaluate, "Measure the shipped networks on labelled data."),
        "train": (train, "Train a network from its recipe."),
    },
}
"""All commands as ``fleeting --help`` lists them, each with a line that fits 80 columns."""

ALIASES: dict[str, Callable[..., None]] = {"analyze": analyse, "summarize": summarise, "synthesize": synthesise}


class _Grouped(typer.core.TyperGroup):
    """Lists the commands under the headings of `GROUPS`."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one section for each group."""
        for heading, commands in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])


app = typer.Typer(
    name="fleeting",
    cls=_Grouped,
    help="Find and recognise facial micro-expressions: from a video to a timeline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _commands in GROUPS.values():
    for _name, (_command, _) in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name)
        else:
            app.command(_name)(_command)
for _name, _same in ALIASES.items():
    app.command(_name, hidden=True)(_same)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"fleeting {version('fleeting')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show more of what is going on.")] = False,
) -> None:
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s: %(message)s")


def _show_warning(message: Warning | str, category: type[Warning], *args: object) -> None:
    if issubclass(category, FleetingWarning):
        if not is_new(str(message)):
            return
        start = CLEAR if sys.stderr.isatty() else ""  # a line of progress may stand there
        typer.echo(f"{start}warning: {message}", err=True)
    else:
        log.info("%s: %s", category.__name__, message)


_STOPPED = (130, 143)


def _stop(number: int, _: object) -> None:
    """Let a stop from outside run the same clearing up as one from the keyboard."""
    raise SystemExit(128 + number)


def run(application: typer.Typer) -> int:
    """Run the application and return its exit status; errors of the package are printed in one line, without a trace.

    Exit status 1: an input failed or results could not be written. 2: the command line itself is wrong.
    130: stopped from the keyboard. 143: told to stop by the system.
    """
    # A library may be silenced by its user; a command has none but the one who reads its output.
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    warnings.simplefilter("always", FleetingWarning)
    begin_anew()
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be set
        return _run(application)
    former = signal.signal(signal.SIGTERM, _stop)
    try:
        return _run(application)
    finally:
        signal.signal(signal.SIGTERM, former)


def _run(application: typer.Typer) -> int:
    try:
        application(standalone_mode=True)
    except FleetingError as error:
        typer.echo(f"error: {error}", err=True)
        return 1
    except SystemExit as stop:
        if stop.code in _STOPPED:
            typer.echo("stopped.", err=True)
        return stop.code if isinstance(stop.code, int) else 1
    except KeyboardInterrupt:
        typer.echo("stopped.", err=True)
        return 130
    except Exception as error:
        log.info("the trace", exc_info=True)
        typer.echo(f"error: in Fleeting itself ({type(error).__name__}: {error}); 'fleeting -v' shows more.", err=True)
        return 1
    return 0
