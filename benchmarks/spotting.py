"""Spotting on films of portraits whose movements are known, and on the real clips.

    python benchmarks/spotting.py --data ../shared/data --clips 4 --rates 30,60,100,200

The portraits are of people of the *test* part of `training.people` (landmarks68): no network was trained on them and no
setting was chosen on them. Set ``clean``: micro-expressions of every emotion's action units (one-sided ones too) with a
peak of 1.8 to 5 % of the inter-ocular distance, blinks, head drift, sensor noise, weak compression.
Every second clip of a rate holds no expression, only blinks and the head's drift: what is found there is false. The
truth's landmarks place the movements; the analysis sees the film alone. Films are kept under ``runs/`` and made once.

Results: ``benchmarks/results/spotting.json`` and ``spotting.md``.
"""

from __future__ import annotations

import argparse
import json
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fleeting.evaluation.spotting import evaluate_spotting
from fleeting.inference.analyse import analyse_video
from fleeting.records import Timeline
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.plan import PlanSettings, plan
from fleeting.synthesis.render import render_clip
from fleeting.synthesis.truth import TruthRow, write_truth
from fleeting.training.people import part_of

SECONDS = 10.0
SIZE = (480, 400)
IOD_PX = (80.0, 130.0)
LEAST_IOD_PX = 34.0  # of the portrait: smaller ones are too coarse to be filmed
MOST_TURNED = 0.12  # of the nose from the middle between the eyes, in eye distances: synthesis is for frontal faces


def portraits(data: Path, part: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """One frontal portrait of each person of a part: name, RGB picture, (68, 2) points."""
    faces = np.load(data / "landmarks68.npz", allow_pickle=True)
    found: dict[str, tuple[float, int]] = {}
    for i, (person, points) in enumerate(zip(faces["person"], faces["landmarks"], strict=True)):
        right, left = points[36:42].mean(0), points[42:48].mean(0)
        across = left - right
        turned = abs((points[30] - right) @ across / (across @ across) - 0.5)
        iod = float(np.linalg.norm(points[45] - points[36]))
        if part_of(str(person)) == part and turned < MOST_TURNED and iod >= LEAST_IOD_PX:
            best = found.get(str(person), (0.0, -1))
            found[str(person)] = max(best, (iod, i))
    chosen = []
    for person in sorted(found, key=lambda name: zlib.crc32(name.encode())):
        i = found[person][1]
        jpeg = faces["jpeg"][faces["offsets"][i] : faces["offsets"][i + 1]]
        picture = cv2.cvtColor(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        chosen.append((person, picture, faces["landmarks"][i].astype(np.float64)))
    return chosen


def make_set(folder: Path, people: list[Any], *, fps: float, clips: int) -> None:
    """Film the clean set at one frame rate, unless it is there already."""
    if (folder / "truth.csv").exists():
        return
    rows: list[TruthRow] = []
    for index in range(clips):
        seed = 1000 + index  # the same movements at every rate
        person, picture, points = people[index % len(people)]
        rng = np.random.default_rng(seed)
        settings = ClipSettings(
            fps=fps, seconds=SECONDS, width=SIZE[0], height=SIZE[1], iod_px=float(rng.uniform(*IOD_PX))
        )
        events = 4 if index % 2 == 0 else 0
        wanted = PlanSettings(events=events, kind="micro", percent=(1.8, 5.0), one_sided=0.25)
        movements = plan(wanted, seconds=SECONDS, seed=seed)
        clip = PortraitClip(picture, points, movements=movements, settings=settings, seed=seed)
        rows += render_clip(clip, folder / f"{index:02d}.mp4")
        print(f"filmed {folder.name}/{index:02d}.mp4 ({person}, {len(movements)} movements)", flush=True)
    write_truth(folder / "truth.csv", rows)


def analyse(path: Path, fps: float | None) -> Timeline:
    """Run the shipped analysis, as `fleeting analyse` does."""
    return analyse_video(path, fps=fps, pictures=False).timeline


def table(results: dict[str, Any]) -> str:
    """Markdown table of the results."""
    lines = [
        "# Spotting",
        "",
        f"Command: `{results['command']}`. IoU >= 0.5, counts pooled (see `evaluation/spotting.py`).",
        "",
        "| set | frames/s | micro found | false | F1 | false/min without events | macro F1 | blink F1 "
        "| onset, apex, offset error, median ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        m = row["metrics"]
        micro, timing = m["micro"], m["timing_error_ms"]
        errors = ", ".join(f"{timing[k]['median']:.0f}" for k in ("onset", "apex", "offset")) if timing else "-"
        marked = micro["true_positives"] + micro["false_negatives"]
        quiet = m["videos_without_micro"]["false_micro_per_minute"]
        lines.append(
            f"| {row['set']} | {row['fps']:g} | {micro['true_positives']} of {marked} | {micro['false_positives']} "
            f"| {_score(micro['f1'])} | {_score(quiet)} | {_score(m['macro']['f1'])} | {_score(m['blink']['f1'])} "
            f"| {errors} |"
        )
    lines += ["", "Real clips without marked events, everything that was reported:", ""]
    for name, events in results["real"].items():
        lines.append(f"- `{name}`: " + ("; ".join(events) or "nothing"))
    return "\n".join(lines) + "\n"


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def main() -> None:
    """Film, analyse, compare, write."""
    parser = argparse.ArgumentParser(description="Measure spotting on films whose movements are known.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--films", type=Path, default=Path("runs/spotting"))
    parser.add_argument("--clips", type=int, default=4, help="clips at each frame rate; every second one is quiet")
    parser.add_argument("--rates", default="30,60,100,200")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    people = portraits(options.data, "test")
    command = f"python benchmarks/spotting.py --clips {options.clips} --rates {options.rates}"
    results: dict[str, Any] = {"command": command, "people": [p[0] for p in people[: options.clips]], "rows": []}
    for fps in (float(r) for r in options.rates.split(",")):
        folder = options.films / f"clean_{fps:g}_{options.clips}"
        make_set(folder, people, fps=fps, clips=options.clips)
        metrics = evaluate_spotting(folder, analyse).metrics
        results["rows"].append({"set": "clean", "fps": fps, "metrics": metrics})
        print(f"{fps:g} frames/s: F1 {metrics['f1']}", flush=True)
    results["real"] = {}
    for path in sorted((options.data / "videos").glob("*.m*")):
        try:
            events = analyse(path, None).events
        except Exception as error:
            results["real"][path.name] = [f"not analysed: {error}"]
            continue
        results["real"][path.name] = [
            f"{e.kind} {e.onset_s:.2f}-{e.apex_s:.2f}-{e.offset_s:.2f} s, {e.displacement_percent_iod:.1f} %, "
            f"{'/'.join(e.regions[:3])}" + (f", {e.emotion} {e.probability:.2f}" if e.probability else "")
            for e in events
        ]
    (options.out / "spotting.json").write_text(json.dumps(results, indent=2) + "\n")
    (options.out / "spotting.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
