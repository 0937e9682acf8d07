"""The learned flow beside the others, on people nothing was trained or chosen on: ``python benchmarks/micro_flow.py``.

Synthetic pairs of 160 x 160 px (`synthesis.flow.grid`: five sizes, four conditions) of the test people of the sets,
with the real movements of test subjects of the composite set: end-point error and error of strain
(`evaluation.flow_error`), and milliseconds of one core per pair, all methods in one run. Then real films
(``../shared/data/videos``), whose flow is not known: what is left of the brightness after warping, and how far a point
ends from where it began when it goes forth by the one flow and back by the other.
Writes ``results/micro_flow.json``, ``results/micro_flow.md`` and ``results/micro_flow.png``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from flow_panels import panels_of

from fleeting.evaluation.flow_error import BORDER, NOTHING, grid_of, measure, method_of
from fleeting.faces.align import align, crop_transform
from fleeting.faces.detect import FaceDetector
from fleeting.motion.flow import METHODS
from fleeting.synthesis.face.frame import pixel_grid
from fleeting.synthesis.flow.grid import CONDITIONS, PEAKS
from fleeting.training.micro_flow.portraits import read_portraits, real_movements
from fleeting.video.reader import open_video

Flow = np.ndarray
Method = Callable[[np.ndarray, np.ndarray], Flow]

PRESETS = {"ultrafast": 0, "fast": 1, "medium": 2}
STEPS = (1, 3, 6)
"""Frames between the two pictures of a real pair."""
VIDEOS = ("single_face.mp4", "face_noface.mov")


def methods() -> dict[str, Method]:
    """Every method of the package, what says that nothing moved, and OpenCV's presets of DIS."""
    found: dict[str, Method] = {name: method_of(name) for name in (NOTHING, *METHODS)}
    for name, number in PRESETS.items():
        dis = cv2.DISOpticalFlow.create(number)
        found[f"dis {name} preset"] = lambda a, b, dis=dis: dis.calc(a, b, None)  # type: ignore[misc]
    return found


def real_pairs(data: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Canonical crops of real faces a few frames apart, both cut with the transform of the first."""
    pairs, detect = [], FaceDetector()
    for name in VIDEOS:
        with open_video(data / "videos" / name) as reader:
            frames = [frame.grey for frame in reader.frames(0, 71)]
        for first in range(0, len(frames) - max(STEPS), 24):
            faces = detect(frames[first])
            if not faces:
                continue
            transform = crop_transform(faces[0][1].points)
            before = align(frames[first], transform)
            pairs += [(before, align(frames[first + step], transform)) for step in STEPS]
    return pairs


def on_real(method: Method, pairs: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Mean brightness left after warping, grey levels, and mean distance after there and back, pixels."""
    left, apart = [], []
    inner = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    for first, second in pairs:
        forth, back = method(first, second), method(second, first)
        at = pixel_grid(first.shape) + forth.astype(np.float32)
        seen = cv2.remap(second.astype(np.float32), at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        left.append(np.abs(seen - first)[inner].mean())
        wide = np.concatenate([back, np.zeros_like(back)], -1).astype(np.float32)
        returned = forth + cv2.remap(wide, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[..., :2]
        apart.append(np.hypot(returned[..., 0], returned[..., 1])[inner].mean())
    return {"brightness_left": round(float(np.mean(left)), 3), "there_and_back_px": round(float(np.mean(apart)), 4)}


def table(results: dict[str, Any]) -> str:
    """Markdown of the results."""
    lines = [
        "# The learned flow",
        "",
        f"`python benchmarks/micro_flow.py`: {results['pairs']} pairs of each size and condition, 160 x 160 px, of "
        f"{results['people']} test people, with movements of {results['movements']} clips of test subjects; "
        "milliseconds of one core, median.",
        "",
    ]
    lines += ["".join(f"- {name}: {what}\n" for name, what in CONDITIONS.items())]
    for title, key, digits in (
        ("Mean end-point error, px", "end_point_error_px", 3),
        ("Mean error of the optical strain, %", "strain_error_percent", 2),
    ):
        lines += [f"## {title}", "", "| condition | method | " + " | ".join(f"{p:g} px" for p in PEAKS) + " | ms |"]
        lines.append("|---" * (len(PEAKS) + 3) + "|")
        for condition in CONDITIONS:
            for name, found in results["methods"].items():
                cells = " | ".join(f"{e:.{digits}f}" for e in found[key][condition].values())
                lines.append(f"| {condition} | {name} | {cells} | {found['ms']:g} |")
        lines.append("")
    lines += [f"## Real films: {results['real_pairs']} pairs 1, 3 and 6 frames apart", ""]
    lines += ["| method | brightness left after warping, grey levels | there and back, px |", "|---|---|---|"]
    for name, found in results["real"].items():
        lines.append(f"| {name} | {found['brightness_left']:.3f} | {found['there_and_back_px']:.3f} |")
    return "\n".join(lines) + "\n"


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw error against time, a panel for each condition: the mean over sizes of error over that of no motion."""
    nothing = results["methods"][NOTHING]["end_point_error_px"]
    about = {"x": "ms per pair of 160 x 160 px", "y": "error, in errors of 'no motion'"}
    with panels_of(CONDITIONS, path, legend_size=7, **about) as panels:
        for panel, condition in panels:
            for name, found in results["methods"].items():
                if name == NOTHING:
                    continue
                errors = found["end_point_error_px"][condition]
                share = float(np.exp(np.mean([np.log(errors[p] / nothing[condition][p]) for p in errors])))
                learned = name == "learned"
                panel.plot(found["ms"], share, "*" if learned else "o", markersize=13 if learned else 6, label=name)
            panel.axhline(1, color="black", linestyle=":", linewidth=1)


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path(__file__).resolve().parent
    parser.add_argument("--data", type=Path, default=here.parent.parent / "shared" / "data")
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--out", type=Path, default=here / "results")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    portraits = read_portraits(options.data, options.part, seed=2, per_person=1)
    movements = real_movements(options.data, options.part)
    grid = grid_of(portraits, movements, pairs=options.pairs)
    real = real_pairs(options.data)
    results: dict[str, Any] = {
        "part": options.part,
        "pairs": options.pairs,
        "people": len({p.person for p in portraits[: options.pairs]}),  # the same in every size and condition
        "movements": len(movements),
        "methods": {},
        "real_pairs": len(real),
        "real": {},
    }
    for name, method in methods().items():
        results["methods"][name] = measure(method, grid)
        results["real"][name] = on_real(method, real)
        print(name, results["methods"][name], results["real"][name], flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "micro_flow.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (options.out / "micro_flow.md").write_text(table(results), encoding="utf-8")
    draw(results, options.out / "micro_flow.png")
    print(table(results))


if __name__ == "__main__":
    main()
