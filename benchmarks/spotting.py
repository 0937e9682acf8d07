"""Spotting on films of portraits whose movements are known.

    python benchmarks/spotting.py --part validation --rates 30,60      # development: writes under runs/ only
    python benchmarks/spotting.py                                      # the figures of the documentation

Four kinds of film: *clean*, *hard*, *severe*, and *real*: real surroundings, of which `spotting_surroundings` speaks.

Of the first three the people are those of one part of `training.people`: no network was trained on the test people, and
no setting was chosen on them; their names are in the results. The films are those of `synthesis.film_plan`, each kind
at several frame rates; the movements of film 3 are the same at every rate, and every second film holds no expression.
The analysis sees the film alone, through `analysis.analyse`, as `fleeting analyse` does. Beside it stands
`spotting_baseline`, a simple spotter, on the same films. Films are kept under ``runs/`` and made once.

Metric: that of the MEGC challenges (`evaluation.spotting`): IoU >= 0.5, counts pooled over films and rates. Intervals:
95 % of bootstrap samples of the people, as the films of one person at several rates are no independent films.
Results: ``spotting.json``, ``spotting.md`` and ``spotting.png`` (detection rate by size of the movement).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sitters import sitters
from spotting_baseline import spot_simply
from spotting_figure import AMPLITUDES, detection_table, draw_detection
from spotting_surroundings import run_real, write_real

from fleeting.analysis.analyse import analyse_video
from fleeting.evaluation.false_alarms import explain_false_alarms
from fleeting.evaluation.spotting import Match, evaluate_spotting, summarise
from fleeting.records import Timeline
from fleeting.synthesis import render
from fleeting.synthesis.film_plan import SetSettings
from fleeting.synthesis.sets import DISTURBANCES_NAME, make_set, read_disturbances

SEED = {"validation": 5_000, "test": 1_000}
METHODS = ("fleeting", "baseline")
CLIPS = {"clean": 16, "hard": 16, "severe": 8}
REAL = "real"
DRAWS = 2000


def analyse(path: Path, fps: float | None) -> Timeline:
    """Run the shipped analysis, without the pictures of the events."""
    return analyse_video(path, fps=fps, pictures=False).timeline


def measure(folder: Path, method: str) -> tuple[list[Match], dict[str, Any]]:
    """Spot on all films of a set."""
    result = evaluate_spotting(folder, analyse if method == "fleeting" else spot_simply)
    return result.matches, result.metrics


def pooled(matches: list[Match], metrics: list[dict[str, Any]], causes: list[dict[str, int]]) -> dict[str, Any]:
    """One row: the metrics of several sets together."""
    minutes = sum(m["minutes"] for m in metrics)
    row = summarise(matches, seconds=60 * minutes)
    quiet = {key: sum(m["videos_without_micro"][key] for m in metrics) for key in ("minutes", "false_micro")}
    quiet["false_micro_per_minute"] = quiet["false_micro"] / quiet["minutes"] if quiet["minutes"] else None
    together: dict[str, int] = {}
    for counted in causes:
        for cause, count in counted.items():
            together[cause] = together.get(cause, 0) + count
    failed = {name: why for m in metrics for name, why in m["failed"].items()}
    ordered = dict(sorted(together.items(), key=lambda item: -item[1]))
    return row | {"minutes": minutes, "videos_without_micro": quiet, "false_alarm_causes": ordered, "failed": failed}


def interval(matches: list[Match]) -> list[float | None]:
    """95 % interval of the F1 of micro-expressions over bootstrap samples of the films' people, None without any."""
    counts: dict[str, list[int]] = {}
    for match in matches:
        kind = match.truth.kind if match.truth else match.event.kind if match.event else None
        if kind == "micro":
            count = counts.setdefault(Path(match.file).stem, [0, 0])
            hit = match.truth is not None and match.event is not None
            count[0] += 2 * hit
            count[1] += 2 if hit else 1
    if not counts:
        return [None, None]
    found = np.array(list(counts.values()), float)
    drawn = found[np.random.default_rng(0).integers(len(found), size=(DRAWS, len(found)))].sum(1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    return [round(float(low), 3), round(float(high), 3)]


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Film what is missing, spot, compare."""
    clips = {kind: options.clips or CLIPS[kind] for kind in options.kinds.split(",") if kind != REAL}
    people = sitters(options.data, options.part)[: max(clips.values())]
    rates = [float(rate) for rate in options.rates.split(",")]
    results: dict[str, Any] = {
        "command": " ".join(["python benchmarks/spotting.py", *sys.argv[1:]]),
        "part": options.part,
        "people": [sitter.name for sitter in people],
        "clips_per_rate": clips,
        "rows": [],
        "detection": {},
    }
    for kind, count in clips.items():
        gathered: dict[str, list[Any]] = {method: [] for method in METHODS}
        for fps in rates:
            folder = options.films / f"{options.part}_{kind}_{fps:g}"
            settings = SetSettings(kind=kind, fps=fps, clips=count, seed=SEED[options.part])
            make_set(folder, people[:count], settings, on_film=lambda path, name, _: print(path, name, flush=True))
            if options.film_only:
                continue
            spans = read_disturbances(folder / DISTURBANCES_NAME)
            for method in METHODS:
                matches, metrics = measure(folder, method)
                causes = explain_false_alarms(matches, spans)
                gathered[method].append((fps, matches, metrics, causes))
                row = pooled(matches, [metrics], [causes])
                results["rows"].append({"method": method, "set": kind, "fps": fps} | row)
                print(f"{kind} {fps:g} frames/s {method}: {row['micro']}", flush=True)
        if options.film_only:
            continue
        for method, parts in gathered.items():
            # Films of the same number at two rates are different films of the same movements.
            matches = [match for part in parts for match in part[1]]
            row = pooled(matches, [part[2] for part in parts], [part[3] for part in parts])
            results["rows"].append({"method": method, "set": kind, "fps": "all", "interval": interval(matches)} | row)
        results["detection"][kind] = {
            f"{fps:g}": detection_table(matches) for fps, matches, _, _ in gathered["fleeting"]
        }
    return results


def table(results: dict[str, Any]) -> str:
    """Markdown tables of the results."""
    lines = [
        "# Spotting",
        "",
        f"Command: `{results['command']}`. Films of 10 s, per frame rate "
        f"{', '.join(f'{count} {kind}' for kind, count in results['clips_per_rate'].items())}, "
        f"every second one without expressions; people of the {results['part']} part: {', '.join(results['people'])}.",
        "IoU >= 0.5, counts pooled (see `evaluation/spotting.py`); in brackets: 95 % of bootstrap samples of people. "
        "Baseline: `benchmarks/spotting_baseline.py`.",
        "",
        "| method | set | frames/s | micro found | false | F1 | false/min without events | macro F1 | blink F1 "
        "| onset, apex, offset error in ms: median (90 %) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        micro, timing = row["micro"], row["timing_error_ms"]
        errors = ", ".join(f"{t['median']:.0f} ({t['p90']:.0f})" for t in timing.values()) if timing else "-"
        marked = micro["true_positives"] + micro["false_negatives"]
        lines.append(
            f"| {row['method']} | {row['set']} | {row['fps'] if row['fps'] == 'all' else format(row['fps'], 'g')} "
            f"| {micro['true_positives']} of {marked} | {micro['false_positives']} "
            f"| {_score(micro['f1'])}{_between(row.get('interval'))} "
            f"| {_score(row['videos_without_micro']['false_micro_per_minute'])} | {_score(row['macro']['f1'])} "
            f"| {_score(row['blink']['f1'])} | {errors} |"
        )
    lines += ["", "Causes that false micro-expressions coincide with, all frame rates (one may have several):", ""]
    for row in results["rows"]:
        if row["fps"] == "all":
            causes = ", ".join(f"{name} {count}" for name, count in row["false_alarm_causes"].items()) or "none"
            lines.append(f"- {row['method']}, {row['set']} ({row['micro']['false_positives']} false): {causes}")
    lines += [
        "",
        "Detection rate (95 % interval) by the peak of the movement, percent of the inter-ocular distance:",
        "",
    ]
    edges = [f"{low:g} to {high:g}" for low, high in zip(AMPLITUDES, AMPLITUDES[1:], strict=False)]
    lines += ["| set | frames/s | " + " | ".join(edges) + " |", "|---" * (len(edges) + 2) + "|"]
    for kind, by_rate in results["detection"].items():
        for fps, bins in by_rate.items():
            cells = [
                f"{b['found']} of {b['events']} ({b['low']:.2f}-{b['high']:.2f})" if b["events"] else "-" for b in bins
            ]
            lines.append(f"| {kind} | {fps} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _between(bounds: list[float | None] | None) -> str:
    return f" ({bounds[0]:.2f}-{bounds[1]:.2f})" if bounds and bounds[0] is not None else ""


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def main() -> None:
    """Film, spot, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--films", type=Path, default=Path("runs/spotting"))
    parser.add_argument("--part", choices=sorted(SEED), default="test")
    parser.add_argument("--kinds", default="clean,hard,severe,real")
    parser.add_argument("--clips", type=int, help=f"films of a set at a frame rate, half of them quiet; else {CLIPS}")
    parser.add_argument("--rates", default="30,60,100,200")
    parser.add_argument("--film-only", action="store_true", help="make the films and stop")
    parser.add_argument("--judges", type=Path, default=Path("runs/spotter"), help="judges without each real film")
    parser.add_argument("--measured", type=Path, default=Path("runs/spotting_validation"), help="films for clips")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results for the test people, else under --films")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    render.DRAWING_THREADS = 1
    out = options.out or (Path("benchmarks/results") if options.part == "test" else options.films / "validation")
    out.mkdir(parents=True, exist_ok=True)
    kinds = options.kinds.split(",")
    if REAL in kinds and not options.film_only:
        write_real(run_real(options), options, out)
    if kinds == [REAL]:
        return
    results = run(options)
    if options.film_only:
        return
    (out / "spotting.json").write_text(json.dumps(results, indent=2, default=_plain) + "\n", encoding="utf-8")
    (out / "spotting.md").write_text(table(results), encoding="utf-8")
    draw_detection(results["detection"], out / "spotting.png")
    print(table(results))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


if __name__ == "__main__":
    main()
