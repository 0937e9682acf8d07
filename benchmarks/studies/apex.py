"""How far the apex that `datasets.clip_motion` finds is from the true one, beside the middle frame.

    python benchmarks/studies/apex.py --data ../shared/data

Films of validation people (100 frames/s, inter-ocular distance 80 pixels) with one micro-expression each, cut from
onset to offset as published clips are. For either rule: the distance to the true apex in ms (0 within its hold), and
the correlation of the flow image with that of the true apex, mean over the channels. Writes
``benchmarks/results/apex.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cv2
import numpy as np

from fleeting.datasets.clip_motion import clip_motion
from fleeting.errors import NoFaceError
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.plan import PlanSettings, plan

sys.path.append(str(Path(__file__).resolve().parents[1]))
from sitters import sitters

FPS = 100.0
SECONDS = 1.6
CLIPS = 60


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure how well an unknown apex is found.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/apex.json"))
    options = parser.parse_args()
    people = sitters(options.data, "validation")
    settings = ClipSettings(fps=FPS, seconds=SECONDS, width=320, height=240, iod_px=80)
    drawn = PlanSettings(events=1, kind="micro", blinks_per_minute=0.0, single_units=0.3)
    rows: dict[str, list[tuple[float, float]]] = {"largest_movement": [], "middle_frame": []}
    without_face = 0
    for seed in range(CLIPS):
        sitter = people[seed % len(people)]
        movements = plan(drawn, seconds=SECONDS, seed=seed)
        (profile,) = (m.profile for m in movements if m.kind == "micro")
        onset, apex, offset = (round(t * FPS) for t in (profile.onset_s, profile.apex_s, profile.offset_s))
        clip = PortraitClip(sitter.picture, sitter.points, movements=movements, settings=settings, seed=seed)
        frames = [
            np.asarray(cv2.cvtColor(clip.frame(i), cv2.COLOR_RGB2GRAY), np.uint8) for i in range(onset, offset + 1)
        ]
        try:
            true = clip_motion(frames, fps=FPS, apex=apex - onset)
        except NoFaceError:
            without_face += 1
            continue
        held = (apex - onset, round((profile.apex_s + profile.hold_s) * FPS) - onset)
        found = clip_motion(frames, fps=FPS)
        middle = clip_motion(frames, fps=FPS, apex=len(frames) // 2)
        for name, made in (("largest_movement", found), ("middle_frame", middle)):
            away = max(held[0] - made.apex, made.apex - held[1], 0)
            rows[name].append((1000 * away / FPS, _likeness(made.flow, true.flow)))
    results = {"people": len(people), "clips": CLIPS, "without_face": without_face, "fps": FPS}
    print(json.dumps(results | {name: _row(values) for name, values in rows.items()}, indent=2))
    options.out.write_text(json.dumps(results | {n: _row(v) for n, v in rows.items()}, indent=2) + "\n")


def _likeness(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.mean([np.corrcoef(first[..., c].ravel(), second[..., c].ravel())[0, 1] for c in range(3)]))


def _row(values: list[tuple[float, float]]) -> dict[str, float]:
    away, likeness = np.array(values).T
    return {
        "median_ms": round(float(np.median(away)), 1),
        "p90_ms": round(float(np.percentile(away, 90)), 1),
        "mean_likeness": round(float(likeness.mean()), 3),
        "p10_likeness": round(float(np.percentile(likeness, 10)), 3),
    }


if __name__ == "__main__":
    main()
