"""What each part of the spotter gives: ``python benchmarks/studies/spotting_variants.py``.

Films of validation people are measured once (``benchmarks/spotting_measurements.py --part validation``); every variant
spots in the same measurements, so all that differs is the variant. The test people are never seen. Metric as in
``benchmarks/spotting.py``: IoU >= 0.5, micro-expressions, counts pooled; false ones a minute in films without
expressions. Writes ``results/spotting_variants.md`` and ``.json``.

- *as shipped*: physical criteria find candidates, a 1-D network judges them and places their borders.
- *criteria alone*: a movement of 0.06 to 0.5 s that rises above a threshold in units of the noise and is seen to begin
  and to end; outside blinks. The threshold is the best one on these very films, in its favour.
- *one noise for the face*: the median over the cells instead of each cell's own.
- *whole face alone*: candidates are not also sought in each part of the face.
- *no smoothing in time*: of the displacement before anything is read off.
- *borders of the course*, *borders of the judge*: one of the two for all events, instead of the course's where a
  movement stands far out of the noise and the judge's elsewhere.
- *template*: candidates of the criteria, scored by the correlation of their course with a raised cosine instead of by
  the network, at the best threshold on these films.
- *rest over 3 s*: the running median that is taken for rest is wider than the shipped 1.3 s.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fleeting.records import Event, Interval
from fleeting.settings import SpottingSettings
from fleeting.spotting import candidates, macro, run_signals, spot
from fleeting.spotting.blinks import find_closings
from fleeting.spotting.movements import Movement, find_movements
from fleeting.spotting.run_signals import Runs, RunSignals, noise_of
from fleeting.training.spotter.films import MeasuredFilm, load_films

Spotter = Callable[[MeasuredFilm], list[Interval]]
SETTINGS = SpottingSettings()
THRESHOLDS = (4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 16.0, 20.0)
CORRELATIONS = (0.7, 0.8, 0.85, 0.9, 0.94, 0.97)
IOU = 0.5


def micro(events: list[Event]) -> list[Interval]:
    return [e.interval for e in events if e.kind == "micro"]


def shipped(film: MeasuredFilm, settings: SpottingSettings = SETTINGS) -> list[Interval]:
    return micro(spot.spot(film.measured, settings)[0])


@contextmanager
def instead(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Replace an attribute for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def with_instead(owner: Any, name: str, value: Any) -> Spotter:
    def run(film: MeasuredFilm) -> list[Interval]:
        with instead(owner, name, value):
            return shipped(film)

    return run


def one_noise(runs: Runs) -> np.ndarray:
    noise = noise_of(runs)
    return np.full_like(noise, np.nanmedian(noise))


def borders_of_course(run: RunSignals, movement: Movement, times: Any, settings: SpottingSettings) -> Movement | None:
    least, most = settings.min_duration_s / run.period, settings.max_micro_s / run.period + 2
    return movement if movement.begins and movement.ends and least <= len(movement) <= most else None


def by_criteria(film: MeasuredFilm, threshold: float, least_correlation: float = -1.0) -> list[Interval]:
    runs = Runs(film.measured, SETTINGS)
    noise = noise_of(runs)
    found = []
    for run in runs:
        moved = find_movements(
            run.quick,
            noise * run.unrest[:, None],
            period_s=run.period,
            threshold=threshold,
            min_peak=SETTINGS.min_displacement_percent_iod,
            open_to=macro.open_to_macro(run, find_closings(run.shut, run.quick, run.period)),
        )
        for movement in moved:
            if (
                borders_of_course(run, movement, None, SETTINGS) is not None
                and likeness(run, movement) >= least_correlation
            ):
                found.append(Interval(run.frame(movement.onset), run.frame(movement.offset)))
    return found


def likeness(run: RunSignals, movement: Movement) -> float:
    """Correlation of a movement's course, a quarter second around it, with a raised cosine of its borders."""
    margin = round(0.25 / run.period)
    span = np.arange(max(movement.onset - margin, 0), min(movement.offset + margin + 1, len(run.grid)))
    at_apex = run.quick[movement.apex]
    course = np.einsum("nci,ci->n", run.quick[span], at_apex)
    rise = np.clip((span - movement.onset) / max(movement.apex - movement.onset, 1), 0, 1)
    fall = np.clip((movement.offset - span) / max(movement.offset - movement.apex, 1), 0, 1)
    template = np.where(span <= movement.apex, 0.5 - 0.5 * np.cos(np.pi * rise), 0.5 - 0.5 * np.cos(np.pi * fall))
    return float(np.corrcoef(course, template)[0, 1]) if len(span) > 3 else 0.0


def counts(films: list[MeasuredFilm], spotter: Spotter) -> dict[str, list[float]]:
    """By kind of film: found, false, missed, false ones without expressions, minutes without expressions."""
    total: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0, 0, 0.0])
    for film in films:
        row, found = total[film.kind], spotter(film)
        truth = [Interval(r.onset, r.offset) for r in film.truth if r.kind == "micro"]
        left = list(found)
        for true in truth:
            best = max(left, key=lambda f: f.iou(true), default=None)
            if best is not None and best.iou(true) >= IOU:
                left.remove(best)
                row[0] += 1
            else:
                row[2] += 1
        row[1] += len(left)
        if not truth:
            row[3] += len(left)
            row[4] += len(film.measured.time_s) / film.fps / 60
    return total


def f1(row: list[float]) -> float:
    return 2 * row[0] / max(2 * row[0] + row[1] + row[2], 1)


def pooled(total: dict[str, list[float]]) -> list[float]:
    return [sum(row[i] for row in total.values()) for i in range(5)]


def best(films: list[MeasuredFilm], spotters: dict[str, Spotter]) -> tuple[str, dict[str, list[float]]]:
    """Of several settings the one with the best pooled F1, and its counts."""
    tried = {name: counts(films, spotter) for name, spotter in spotters.items()}
    name = max(tried, key=lambda n: f1(pooled(tried[n])))
    return name, tried[name]


def run(films: list[MeasuredFilm]) -> dict[str, Any]:
    plain: dict[str, Spotter] = {
        "as shipped": shipped,
        "one noise for the face": with_instead(spot, "noise_of", one_noise),
        "whole face alone": with_instead(candidates, "_PARTS", candidates._PARTS[:1]),
        "no smoothing in time": lambda film: shipped(film, replace(SETTINGS, smoothing_s=0.0)),
        "borders of the course": with_instead(spot, "_placed", borders_of_course),
        "borders of the judge": with_instead(spot, "CLEAR", np.inf),
        "rest over 3 s": with_instead(run_signals, "MICRO_REST_S", 3.0),
    }
    rows: dict[str, dict[str, list[float]]] = {name: counts(films, spotter) for name, spotter in plain.items()}
    name, row = best(films, {f"{t:g}": lambda film, t=t: by_criteria(film, t) for t in THRESHOLDS})
    rows[f"criteria alone, threshold {name}"] = row
    name, row = best(films, {f"{c:g}": lambda film, c=c: by_criteria(film, 4.0, c) for c in CORRELATIONS})
    rows[f"template, correlation {name}"] = row
    return {
        "command": "python benchmarks/studies/spotting_variants.py",
        "films": {kind: sum(f.kind == kind for f in films) for kind in sorted({f.kind for f in films})},
        "people": len({f.person for f in films}),
        "variants": {
            name: {kind: dict(zip(KEYS, total[kind], strict=True)) | {"f1": f1(total[kind])} for kind in sorted(total)}
            for name, total in rows.items()
        },
    }


KEYS = ("found", "false", "missed", "false_without_events", "minutes_without_events")


def text(result: dict[str, Any]) -> str:
    kinds = list(result["films"])
    films = ", ".join(f"{count} {kind}" for kind, count in result["films"].items())
    lines = [
        "# What the parts of the spotter give",
        "",
        f"`{result['command']}`: films of {result['people']} validation people ({films}); settings were chosen on "
        "these people, so the figures compare, they do not promise. F1 of micro-expressions at IoU 0.5 (found, false, "
        "missed; false a minute in films without expressions).",
        "",
        "| variant | " + " | ".join(kinds) + " |",
        "|---" * (len(kinds) + 1) + "|",
    ]
    for name, rows in result["variants"].items():
        cells = []
        for kind in kinds:
            r = rows[kind]
            rate = r["false_without_events"] / r["minutes_without_events"] if r["minutes_without_events"] else np.nan
            cells.append(f"{r['f1']:.2f} ({r['found']:g}, {r['false']:g}, {r['missed']:g}; {rate:.1f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=Path, default=Path("runs/spotting_validation"))
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "results")
    options = parser.parse_args()
    result = run(load_films(options.films))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "spotting_variants.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    (options.out / "spotting_variants.md").write_text(text(result), encoding="utf-8")
    print(text(result))


if __name__ == "__main__":
    main()
