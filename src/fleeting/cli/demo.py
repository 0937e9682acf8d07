"""``fleeting demo``: a film whose movements are known, analysed, and what was found beside what was put in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleeting.labels import class_text

if TYPE_CHECKING:
    from fleeting.evaluation.spotting import Match
    from fleeting.records import Timeline


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the film, its truth and the results.")] = Path(
        "fleeting-demo"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found and missed as JSON.")] = False,
) -> None:
    """Film a portrait with known micro-expressions, analyse the film, and compare.

    Needs the extra demo: pip install 'fleeting[demo]'. The exit status is 0 if every micro- and macro-expression was
    found (IoU of at least 0.5) and nothing else was taken for one.

    Example: fleeting demo --out demo
    """
    from fleeting.api import analyse
    from fleeting.cli.frame_progress import FrameProgress
    from fleeting.evaluation.spotting import match_events
    from fleeting.records import EVENT_KINDS, LID_KINDS
    from fleeting.synthesis.demo import make_demo
    from fleeting.synthesis.truth import read_truth

    video, truth_path = make_demo(out, progress=FrameProgress("filming", quiet=as_json))
    timeline = analyse(video, out=out, progress=FrameProgress("analysing", quiet=as_json))
    truth = read_truth(truth_path)
    matches: list[Match] = []
    for kind in EVENT_KINDS:
        matches += match_events(
            video.name, [r for r in truth if r.kind == kind], [e for e in timeline.events if e.kind == kind]
        )
    matches.sort(key=_begin)
    clean = all(m.truth is not None and m.event is not None for m in matches if _kind(m) not in LID_KINDS)
    if as_json:
        _print_json(matches, passed=clean)
    else:
        _print_table(matches, timeline, out / video.stem)
    if not clean:
        raise typer.Exit(1)


def _begin(match: Match) -> int:
    if match.truth is not None:
        return match.truth.onset
    return match.event.onset_frame if match.event is not None else 0


def _kind(match: Match) -> str:
    if match.truth is not None:
        return match.truth.kind
    return match.event.kind if match.event is not None else ""


def _cells(match: Match) -> list[str]:
    from fleeting.records import LID_KINDS

    put, found = match.truth, match.event
    return [
        _kind(match),
        "-" if put is None else f"{put.emotion or put.kind}{'' if put.side == 'both' else f' ({put.side})'}",
        "-" if put is None else f"{put.onset_s:.2f}-{put.apex_s:.2f}-{put.offset_s:.2f}",
        "-" if put is None else f"{put.peak_percent_iod:.1f}",
        "-" if found is None else f"{found.onset_s:.2f}-{found.apex_s:.2f}-{found.offset_s:.2f}",
        "-" if found is None or found.kind in LID_KINDS else f"{found.displacement_percent_iod:.1f}",
        (found is not None and class_text(found.emotion, found.probability)) or "-",
        f"{match.iou:.2f}" if put is not None and found is not None else ("missed" if put is not None else "false"),
    ]


_HEADER = ("kind", "put in", "onset-apex-offset s", "%", "found onset-apex-offset s", "%", "recognised", "IoU")


def _print_table(matches: list[Match], timeline: Timeline, folder: Path) -> None:
    from fleeting.records import EVENT_KINDS

    rows = [list(_HEADER), *(_cells(m) for m in matches)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for kind in EVENT_KINDS:
        of_kind = [m for m in matches if _kind(m) == kind]
        put = [m for m in of_kind if m.truth is not None]
        hits = sum(m.event is not None for m in put)
        false = len(of_kind) - len(put)
        typer.echo(f"{kind}: {hits} of {len(put)} found, {false} found that was not there")
    typer.echo(
        "Found means IoU >= 0.5. % of the eye distance: put in, the largest of any point of the skin; found, the"
    )
    typer.echo("largest of a region's mean, which is smaller.")
    for text in timeline.warnings:
        typer.echo(f"warning: {text}", err=True)
    typer.echo(f"report: {folder / 'report.html'}")


def _print_json(matches: list[Match], *, passed: bool) -> None:
    import json
    from dataclasses import asdict

    rows = [
        {
            "kind": _kind(m),
            "put_in": None if m.truth is None else asdict(m.truth),
            "found": None if m.event is None else asdict(m.event),
            "iou": m.iou,
        }
        for m in matches
    ]
    typer.echo(json.dumps({"passed": passed, "events": rows}))
