"""``fleeting analyse``: from videos to timelines, reports and files."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleeting.cli.frame_progress import FrameProgress
from fleeting.cli.said_once import begin_anew
from fleeting.errors import InputError, SettingsError
from fleeting.files import printable
from fleeting.labels import class_text, counted
from fleeting.settings import FLOW_DEFAULT, FLOW_METHODS, AnalyseSettings

if TYPE_CHECKING:
    from fleeting.batch import Outcome
    from fleeting.records import Event, Timeline


PICTURES = {"clearest": 400, "all": 1_000_000}
"""Values of ``--pictures``, and how many events get some."""

TURN_HELP = (
    "Degrees by which to turn the picture clockwise: 0, 90, 180, 270, or auto to follow the faces.  [default: auto]"
)


def analyse(
    videos: Annotated[
        list[str],
        typer.Argument(
            help="Videos, patterns such as 'films/*.mp4', folders of numbered images, or folders of videos."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results; each video gets OUT/NAME/.")] = Path(
        "fleeting-output"
    ),
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Files to write, separated by commas: report, csv, json, signals, elan, bids, boris, megc (these by "
            "default), signals-csv, signals-parquet.",
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames per second of image folders, or at which a slow-motion film was shot."),
    ] = None,
    all_faces: Annotated[bool, typer.Option("--all-faces", help="Analyse every face, not only the largest.")] = False,
    face: Annotated[int | None, typer.Option(help="Analyse only the face with this number in the report.")] = None,
    flow: Annotated[
        str | None, typer.Option(help=f"Flow method: {', '.join(FLOW_METHODS)}. Default: {FLOW_DEFAULT}.")
    ] = None,
    turn: Annotated[str | None, typer.Option(help=TURN_HELP)] = None,
    pictures: Annotated[
        str | None,
        typer.Option(
            help="Events with pictures: the 400 clearest, or all, on pages beside the report if it is full.  "
            "[default: clearest]"
        ),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(
            help="System that names events: flow (our own), flow-svm, dsticnn, macro-to-micro, or all side by side.  "
            "[default: flow]"
        ),
    ] = None,
    own_weights: Annotated[
        Path | None, typer.Option("--weights", help="Folder of your own networks for --system.")
    ] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="TOML file of settings.")] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="Where to analyse the videos: in-process, processes or ray.  "
            "[default: in-process, or processes with --jobs]"
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            help="Number of videos to analyse at the same time.  [default: 1, or all cores with --engine]",
        ),
    ] = None,
    address: Annotated[str | None, typer.Option(help="Address of a Ray cluster.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Analyse finished videos again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line per video.")] = False,
) -> None:
    """Find the micro-expressions of videos, and write a report, a table and annotation files for each.

    Run the same command again to resume a stopped batch; finished videos are skipped. The exit status is 0 only if
    every video was analysed.

    Example: fleeting analyse interview.mp4 --out results
    """
    from fleeting.analysis.chosen_faces import check_faces
    from fleeting.batch import Outcome, analyse_many
    from fleeting.naming.systems import wanted_systems
    from fleeting.scale.engines import make_engine
    from fleeting.scale.executor import InProcess

    where = make_engine(engine, workers=jobs, address=address)
    settings = _settings(
        settings_file,
        all_faces=all_faces,
        face=face,
        flow=flow,
        turn=turn,
        pictures=pictures,
        system=system,
        folder=own_weights,
    )
    check_faces(settings.faces)  # as the systems, or every video would fail for the same reason
    wanted_systems(settings.recognition)
    display = _Display(as_json=as_json)
    paths, unmatched = _expand(videos, out, fps)
    display.expect(len(paths) + len(unmatched))
    outcomes = [Outcome(Path(u), out, error=_no_match(u)) for u in unmatched]
    for outcome in outcomes:
        display.done(outcome)
    try:
        outcomes += analyse_many(
            paths,
            out=out,
            settings=settings,
            fps=fps,
            formats=None if formats is None else [f.strip() for f in formats.split(",") if f.strip()],
            force=force,
            engine=None if isinstance(where, InProcess) else where,  # here, there is progress to be shown
            on_start=display.start,
            progress=display.progress,
            on_done=display.done,
        )
    except KeyboardInterrupt:
        display.stopped(len(paths))
        raise
    failed = [o for o in outcomes if o.error is not None]
    if failed:
        typer.echo(f"{len(failed)} of {len(outcomes)} failed:", err=True)
        for outcome in failed:
            typer.echo(f"  {_shown(outcome.path)}: {outcome.error}", err=True)
        raise typer.Exit(1)


def _settings(
    path: Path | None,
    *,
    all_faces: bool,
    face: int | None = None,
    flow: str | None,
    turn: str | None = None,
    pictures: str | None = None,
    system: str | None = None,
    folder: Path | None = None,
) -> AnalyseSettings:
    from fleeting.settings import from_dict, load, to_dict

    values = to_dict(load(AnalyseSettings, path) if path is not None else AnalyseSettings())
    if all_faces:
        values["faces"]["all_faces"] = True
    if face is not None:
        values["faces"]["face"] = face
    if turn is not None:
        values["faces"]["turn"] = turn
    if pictures is not None:
        if pictures not in PICTURES:
            raise SettingsError(f"--pictures {' or '.join(PICTURES)}", f"'{pictures}'", "Choose one of them.")
        values["limits"]["pictured_events"] = PICTURES[pictures]
    if flow is not None:
        values["motion"] |= {"flow": flow, "event_flow": flow}
    if system is not None:
        values["recognition"]["system"] = system
    if folder is not None:
        values["recognition"]["folder"] = str(folder.resolve())
    return from_dict(AnalyseSettings, values)


def _expand(patterns: list[str], out: Path, fps: float | None) -> tuple[list[Path], list[str]]:
    """Paths that the arguments name, each once, and patterns without a match.

    Patterns are expanded here too, and a folder of videos stands for the videos in it.
    """
    from fleeting.video.folder import videos_in

    paths: list[Path] = []
    unmatched: list[str] = []
    for pattern in patterns:
        if not any(c in pattern for c in "*?[") or Path(pattern).exists():
            paths.append(Path(pattern))
            continue
        found = sorted(glob.glob(pattern, recursive=True))
        paths += [Path(p) for p in found]
        unmatched += [] if found else [pattern]
    for folder in [p for p in paths if fps is None and p.is_dir()]:
        inside = videos_in(folder, without=out)
        if inside:
            typer.echo(f"{folder}: a folder of {counted(len(inside), 'video')}; each is analysed.", err=True)
            paths[paths.index(folder) : paths.index(folder) + 1] = inside
    unique: dict[str, Path] = {}
    for path in paths:
        true = os.path.realpath(path)  # a link that leads to itself has one too
        if true == os.path.realpath(out):
            typer.echo(f"warning: {path} is the folder of the results; it is left out.", err=True)
        elif unique.setdefault(true, path) != path or paths.count(path) > 1:
            typer.echo(f"warning: {path} is named more than once; it is analysed once.", err=True)
    return list(unique.values()), unmatched


def _no_match(pattern: str) -> str:
    return str(InputError(f"files that match '{pattern}'", "none", "Check the path."))


class _Display:
    """What the user sees of a batch: lines on the standard error, results (or JSON) on the standard output."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._frames: FrameProgress | None = None
        self._finished, self._count = 0, 1

    def expect(self, count: int) -> None:
        self._count = count

    def start(self, path: Path, place: int, count: int) -> None:
        begin_anew()
        self._frames = FrameProgress(f"[{place + 1}/{count}] {printable(path.name)}", quiet=self._json)
        self._frames.begin()

    def progress(self, done: int, total: int | None) -> None:
        if self._frames is not None:
            self._frames(done, total)

    def done(self, outcome: Outcome) -> None:
        self._finished += outcome.error is None
        if self._frames is not None:
            self._frames.end()
        if self._json:
            typer.echo(_json_line(outcome))
        elif outcome.skipped:
            typer.echo(
                f"{_shown(outcome.path)}: finished before, see {outcome.folder} (--force analyses it again)", err=True
            )
        elif outcome.error is not None and self._count > 1:  # the list at the end says it of a single one
            typer.echo(f"error: {_shown(outcome.path)}: {outcome.error}", err=True)
        elif outcome.timeline is not None:
            _summary(outcome)

    def stopped(self, count: int) -> None:
        if self._frames is not None:
            self._frames.end()
        typer.echo(
            f"{self._finished} of {count} videos are finished; the same command goes on with the others.", err=True
        )


def _shown(path: Path) -> str:
    """Return a path as a terminal can show it: a name may hold line ends and bytes that are no text."""
    return printable(str(path))


def _summary(outcome: Outcome) -> None:
    from fleeting.quality.meter import quality_rows
    from fleeting.records import LID_KINDS

    timeline = outcome.timeline
    assert timeline is not None
    typer.echo(f"{_shown(outcome.path)}: {found_text(timeline)}")
    for event in timeline.events:
        if event.kind not in LID_KINDS:
            named = class_text(event.emotion, event.probability)
            typer.echo(
                f"  {event.kind} {event.onset_s:.3f} - {event.apex_s:.3f} - {event.offset_s:.3f} s, "
                f"{(named + units_text(event)).removeprefix(', ')}{', ' if named or event.action_units else ''}"
                f"{event.displacement_percent_iod:.1f} % of the eye distance, {', '.join(event.regions[:3])}"
            )
    for name, value, verdict, said in quality_rows(timeline.quality):
        told = name == "frame rate" and verdict == "poor"  # in a warning
        if verdict in ("fair", "poor") and not told:
            typer.echo(f"  {name}: {value}, {verdict}. {said}")
    report = outcome.folder / "report.html"
    typer.echo(f"  results: {_shown(report if report.exists() else outcome.folder)}")


def units_text(event: Event) -> str:
    """Return an event's action units after a comma; nothing where there are none."""
    return ", " + "+".join(map(str, event.action_units)) if event.action_units else ""


def found_text(timeline: Timeline) -> str:
    """Return how many events of each kind a timeline holds."""
    from fleeting.records import EVENT_KINDS

    nouns = {"micro": "micro-expression", "macro": "macro-expression"}
    counts = [counted(len(timeline.of_kind(kind)), nouns.get(kind, kind)) for kind in EVENT_KINDS]
    return f"{', '.join(counts)} in {timeline.duration_s:.1f} s"


def _json_line(outcome: Outcome) -> str:
    import json

    from fleeting.records import EVENT_KINDS

    row: dict[str, object] = {"path": str(outcome.path), "folder": str(outcome.folder), "skipped": outcome.skipped}
    row["error"] = outcome.error
    if outcome.timeline is not None:
        row["warnings"] = list(outcome.timeline.warnings)
        row["events"] = {k: len(outcome.timeline.of_kind(k)) for k in EVENT_KINDS}
    return json.dumps(row)
