"""Does a calibration predict what is found? Injected movements against movements that were filmed.

    python benchmarks/calibrate.py --people 3 --films 10

For each person a film without expressions (blinks, head drift and sensor noise alone) is analysed and calibrated:
`calibration.calibrate` draws movements into its decoded pictures. Then films of the same head, light and noise are made
in which `synthesis.clip.PortraitClip` films movements of the same kinds, sizes and durations, clear of blinks: another
path, which moves the portrait before camera and compression do their part. Prediction: the calibration's curve at the
size of each filmed movement. Truth: whether the spotter found it, by the same criterion. Both at two levels of
compression, since a calibration does not compress the movements that it draws.

The portraits are of people of the *validation* part of `training.people` (landmarks68). Films are kept under ``runs/``
and made once. Results: ``benchmarks/results/calibrate.json``, ``calibrate.md``, ``calibrate.png``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fleeting.analysis.analyse import analyse_video
from fleeting.calibration.calibrate import calibrate_video
from fleeting.calibration.injected_trial import FOUND_IOU
from fleeting.calibration.plan import PERCENT, draw_movements, log_even
from fleeting.calibration.psychometric import fit_detection
from fleeting.metrics import wilson
from fleeting.records import Calibration, Interval
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import Profile
from fleeting.synthesis.plan import PlanSettings, plan
from fleeting.training.people import part_of
from fleeting.video.writer import VideoWriter

SECONDS = 24.0
SIZE = (480, 400)
IOD_PX = 90.0
EVENTS = 6
"""Movements in each film: one in four seconds, so that they hardly change the film's noise."""

CRFS = (18, 33)
EDGES = np.geomspace(*PERCENT, 7)
CLEAR_S = 0.35
MOST_TURNED = 0.12

Person = tuple[str, np.ndarray, np.ndarray]


def portraits(data: Path, count: int) -> list[Person]:
    """Frontal portraits of validation people, the largest faces first: name, RGB picture, (68, 2) points."""
    faces = np.load(data / "landmarks68.npz", allow_pickle=True)
    people = [str(p) for p in faces["person"]]
    best: dict[str, tuple[float, int]] = {}
    for i, (person, points) in enumerate(zip(people, faces["landmarks"], strict=True)):
        right, left = points[36:42].mean(0), points[42:48].mean(0)
        across = left - right
        turned = abs((points[30] - right) @ across / (across @ across) - 0.5)
        iod = float(np.linalg.norm(points[45] - points[36]))
        if turned < MOST_TURNED and part_of(person) == "validation":
            best[person] = max(best.get(person, (0.0, -1)), (iod, i))
    chosen = sorted(best, key=lambda name: -best[name][0])[:count]
    found = []
    for person in chosen:
        i = best[person][1]
        jpeg = faces["jpeg"][faces["offsets"][i] : faces["offsets"][i + 1]]
        picture = cv2.cvtColor(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        found.append((person, picture, faces["landmarks"][i].astype(np.float64)))
    return found


def film(person: Person, movements: Sequence[Movement], paths: Sequence[Path], *, fps: float, seed: int) -> None:
    """Film a portrait once and store it at every level of compression, unless it is there."""
    if all(p.exists() for p in paths):
        return
    settings = ClipSettings(fps=fps, seconds=SECONDS, width=SIZE[0], height=SIZE[1], iod_px=IOD_PX)
    clip = PortraitClip(person[1], person[2], movements=movements, settings=settings, seed=seed)
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        films = [
            stack.enter_context(VideoWriter(p, fps=fps, size=SIZE, crf=c)) for p, c in zip(paths, CRFS, strict=True)
        ]
        for picture in clip.frames():
            for one in films:
                one.write(picture)


def placed(drafts: Sequence[Movement], blinks: Sequence[Movement], rng: np.random.Generator) -> list[Movement]:
    """Spread movements over a film, one in each equal part of it, clear of blinks."""
    part = SECONDS / len(drafts)
    movements = []
    for place, draft in enumerate(drafts):
        lasts = draft.profile.last_s - draft.profile.first_s
        for _ in range(200):
            first = place * part + CLEAR_S + float(rng.random()) * (part - lasts - 2 * CLEAR_S)
            last = first + lasts
            if all(last + CLEAR_S < b.profile.first_s or first - CLEAR_S > b.profile.last_s for b in blinks):
                p, shift = draft.profile, first - draft.profile.first_s
                profile = Profile(p.onset_s + shift, p.apex_s + shift, p.offset_s + shift)
                movements.append(replace(draft, profile=profile))
                break
    return movements


def one_person(
    person: Person, *, fps: float, films: int, trials: int, number: int, folder: Path
) -> dict[int, dict[str, Any]]:
    """Calibrate, film, analyse; by level of compression."""
    seed = 400 + number
    blinks = plan(PlanSettings(events=0), seconds=SECONDS, seed=seed)
    names = [folder / f"{fps:g}_{number}_still_crf{c}.mp4" for c in CRFS]
    film(person, blinks, names, fps=fps, seed=seed)
    results: dict[int, dict[str, Any]] = {}
    for crf, path in zip(CRFS, names, strict=True):
        timeline = analyse_video(path, pictures=False).timeline
        began = time.monotonic()
        calibration = calibrate_video(path, timeline, trials=trials)
        results[crf] = {"calibration": calibration, "seconds": time.monotonic() - began, "rows": []}
        print(f"{fps:g} frames/s {person[0]} crf {crf}: {calibration.summary}", flush=True)
    rng = np.random.default_rng(seed)
    drafts = draw_movements(log_even(*PERCENT, films * EVENTS, rng), rng)
    for index in range(films):
        movements = placed(drafts[index * EVENTS : (index + 1) * EVENTS], blinks, rng)
        names = [folder / f"{fps:g}_{number}_{index:02d}_crf{c}.mp4" for c in CRFS]
        film(person, [*blinks, *movements], names, fps=fps, seed=seed)
        for crf, path in zip(CRFS, names, strict=True):
            events = analyse_video(path, pictures=False).timeline.of_kind("micro")
            for m in movements:
                first, _, last = m.profile.frames(fps)
                found = any(e.interval.iou(Interval(first, last)) >= FOUND_IOU for e in events)
                results[crf]["rows"].append((m.peak_percent_iod, found))
        print(f"{fps:g} frames/s {person[0]}: film {index + 1} of {films}", flush=True)
    return results


def predicted(calibration: Calibration, percent: np.ndarray) -> np.ndarray:
    """Rate that a calibration predicts for sizes."""
    curve = np.array(calibration.curve)
    return np.interp(np.log(percent), np.log(curve[:, 0]), curve[:, 1])


def compare(people: list[dict[str, Any]]) -> dict[str, Any]:
    """Pool people at one rate and one level of compression: prediction and truth by size, and their gap."""
    percent = np.array([row[0] for p in people for row in p["rows"]])
    found = np.array([row[1] for p in people for row in p["rows"]], bool)
    expected = np.concatenate([predicted(p["calibration"], np.array([r[0] for r in p["rows"]])) for p in people])
    bins = []
    for low, high in zip(EDGES, EDGES[1:], strict=False):
        inside = (percent >= low) & (percent < high)
        if inside.any():
            hits = int(found[inside].sum())
            bins.append(
                {
                    "from": low,
                    "to": high,
                    "events": int(inside.sum()),
                    "predicted": float(expected[inside].mean()),
                    "found": hits / int(inside.sum()),
                    "found_interval": wilson(hits, int(inside.sum())),
                }
            )
    per_person = []
    for p in people:
        own = fit_detection(np.array([r[0] for r in p["rows"]]), np.array([r[1] for r in p["rows"]]))
        c = p["calibration"]
        per_person.append(
            {
                "person": p["person"],
                "predicted_9_in_10": _finite(c.percent_found_9_in_10),
                "predicted_interval": [_finite(v) for v in c.interval_percent],
                "filmed_9_in_10": [_finite(v) for v in own.level(0.9)],
                "predicted_half": _finite(c.percent_found_half),
                "filmed_half": [_finite(v) for v in own.level(0.5)],
                "calibration_seconds": p["seconds"],
                "reported_micro_per_minute": c.reported_micro_per_minute,
            }
        )
    gap = float(expected.mean() - found.mean())
    # Filmed movements are drawn by chance: the spread of their mean around what the curve says.
    spread = float(np.sqrt((expected * (1 - expected)).sum()) / len(expected))
    return {
        "events": len(percent),
        "predicted": float(expected.mean()),
        "found": float(found.mean()),
        "gap": gap,
        "gap_chance": 1.96 * spread,
        "bins": bins,
        "people": per_person,
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def table(results: dict[str, Any]) -> str:
    """Markdown of the results."""
    lines = [
        "# Does a calibration predict what is found?",
        "",
        f"Command: `{results['command']}`. Validation people {', '.join(results['people'])}.",
        "Predicted: the curve of the calibration of a film without expressions, at the size of each movement. Found:",
        "by the spotter, IoU >= 0.5. Sizes in percent of the inter-ocular distance.",
    ]
    for row in results["rows"]:
        c = row["comparison"]
        lines += [
            "",
            f"## {row['fps']:g} frames/s, crf {row['crf']}",
            "",
            f"{c['events']} filmed movements: predicted {c['predicted']:.3f}, found {c['found']:.3f}; gap "
            f"{c['gap']:+.3f} (by chance alone up to {c['gap_chance']:.3f}, 95 %).",
            "",
            "| size | movements | predicted | found | 95 % interval |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {b['from']:.2f} to {b['to']:.2f} | {b['events']} | {b['predicted']:.2f} | {b['found']:.2f} "
            f"| {b['found_interval'][0]:.2f} to {b['found_interval'][1]:.2f} |"
            for b in c["bins"]
        ]
        lines += [
            "",
            "| person | found 9 in 10: predicted | filmed | half found: predicted | filmed | calibration took |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {p['person']} | {_span(p['predicted_9_in_10'], *p['predicted_interval'])} "
            f"| {_span(*p['filmed_9_in_10'])} | {_cell(p['predicted_half'])} | {_span(*p['filmed_half'])} "
            f"| {p['calibration_seconds']:.0f} s |"
            for p in c["people"]
        ]
    return "\n".join(lines) + "\n"


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _span(value: float | None, low: float | None, high: float | None) -> str:
    return f"{_cell(value)} ({_cell(low)} to {_cell(high)})"


def plot(results: dict[str, Any], people: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Predicted curves and what was found, one panel for each rate and level of compression."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = results["rows"]
    figure, panels = pyplot.subplots(1, len(rows), figsize=(5 * len(rows), 4), sharey=True, squeeze=False)
    for axes, row in zip(panels[0], rows, strict=True):
        for p in people[f"{row['fps']:g} {row['crf']}"]:
            curve = np.array(p["calibration"].curve)
            axes.plot(curve[:, 0], curve[:, 1], color="#6d28d9", alpha=0.5, lw=1.2)
        bins = row["comparison"]["bins"]
        middle = [np.sqrt(b["from"] * b["to"]) for b in bins]
        found = np.array([b["found"] for b in bins])
        span = np.array([b["found_interval"] for b in bins])
        axes.plot(middle, [b["predicted"] for b in bins], "s", color="#6d28d9", label="predicted by calibration")
        axes.errorbar(
            middle,
            found,
            yerr=[found - span[:, 0], span[:, 1] - found],
            fmt="o",
            color="#0f766e",
            label="found",
        )
        axes.axhline(0.9, color="grey", lw=0.8, ls=":")
        axes.set(xscale="log", ylim=(-0.03, 1.03), xlabel="peak displacement, % of the eye distance")
        axes.set_xticks([0.3, 0.5, 1, 2, 3, 6], ["0.3", "0.5", "1", "2", "3", "6"])
        axes.minorticks_off()
        axes.set_title(f"{row['fps']:g} frames/s, crf {row['crf']}")
    panels[0][0].set_ylabel("share found")
    panels[0][0].legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Film, calibrate, analyse, compare, write."""
    parser = argparse.ArgumentParser(description="Compare calibrations with films whose movements are known.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("runs/calibrate"))
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--films", type=int, default=10, help=f"films with {EVENTS} movements each, for each person")
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--rates", default="30")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    chosen = portraits(options.data, options.people)
    command = f"python benchmarks/calibrate.py --people {options.people} --films {options.films}"
    command += f" --trials {options.trials} --rates {options.rates}"
    results: dict[str, Any] = {"command": command, "people": [p[0] for p in chosen], "rows": []}
    people: dict[str, list[dict[str, Any]]] = {}
    for fps in (float(r) for r in options.rates.split(",")):
        for number, person in enumerate(chosen):
            measured = one_person(
                person, fps=fps, films=options.films, trials=options.trials, number=number, folder=options.work
            )
            for crf, row in measured.items():
                people.setdefault(f"{fps:g} {crf}", []).append({"person": person[0], **row})
            # Written after each person, so that a stopped run leaves what it has.
            results["rows"] = [
                {"fps": float(key.split()[0]), "crf": int(key.split()[1]), "comparison": compare(rows)}
                for key, rows in people.items()
            ]
            (options.out / "calibrate.json").write_text(json.dumps(results, indent=2) + "\n")
            (options.out / "calibrate.md").write_text(table(results))
            plot(results, people, options.out / "calibrate.png")
    print(table(results))


if __name__ == "__main__":
    main()
