"""The recogniser on movements whose action units are known: ``python benchmarks/studies/recogniser_transfer.py``.

The recogniser learned from flow images that others made. Here it gets flow images of this package's own pipeline:
faces with labelled landmarks are cut to the canonical crop, moved by the displacement field of an emotion's action
units, given sensor noise, and measured with head motion removed, by the method of the analysis and by its former one.
One face per person, of validation people: the method was chosen here. The movements are synthetic, and the recogniser
started from other people who were moved by such units too: so this shows that the pipeline feeds the recogniser what it
expects, not how well it reads people. Writes ``results/recogniser_transfer.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fleeting.errors import SettingsError
from fleeting.faces.align import align, crop_size, crop_transform, to_crop
from fleeting.labels import THREE_CLASSES
from fleeting.motion.flow_image import expression_flow, flow_image
from fleeting.naming.recogniser import Recogniser
from fleeting.settings import FlowMethod
from fleeting.synthesis.face.action_units import displacement_field
from fleeting.synthesis.face.emotions import EMOTION_ACTION_UNITS, ONE_SIDED, activations_of, three_class
from fleeting.synthesis.face.warp import invert, sample_picture
from fleeting.training.people import part_of

BENCHMARKS = Path(__file__).resolve().parents[1]
DATA = BENCHMARKS.parent.parent / "shared" / "data" / "landmarks68.npz"
PEAKS = (0.7, 1.5)
NOISE = 1.0


METHODS: tuple[FlowMethod, ...] = ("learned", "dis")
"""The first is what the analysis measures the flow image of an event by."""


def faces(path: Path, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Canonical grey crops and their landmarks: each validation person's largest face, the largest people first."""
    with np.load(path) as stored:
        jpeg, offsets, landmarks, person = (stored[k] for k in ("jpeg", "offsets", "landmarks", "person"))
    size = np.linalg.norm(landmarks[:, 36] - landmarks[:, 45], axis=1)
    largest = [
        max(np.flatnonzero(person == p), key=size.__getitem__) for p in np.unique(person) if part_of(p) == "validation"
    ]
    found = []
    for i in sorted(largest, key=lambda i: -size[i])[:count]:
        picture = cv2.imdecode(jpeg[offsets[i] : offsets[i + 1]], cv2.IMREAD_GRAYSCALE)
        transform = crop_transform(landmarks[i])
        found.append((align(picture, transform), to_crop(landmarks[i], transform)))
    return found


def cases() -> Iterator[tuple[str, int, str]]:
    for emotion, sets in EMOTION_ACTION_UNITS.items():
        for variant in range(len(sets)):
            yield from ((emotion, variant, s) for s in (("left",) if emotion in ONE_SIDED else ("both", "left")))


def images(people: list[Any], case: tuple[str, int, str], peak: float, method: FlowMethod) -> np.ndarray:
    emotion, variant, side = case
    moving = activations_of(emotion, variant=variant, side=side)  # type: ignore[arg-type]
    rng = np.random.default_rng(3)
    height, width = crop_size()
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    found = []
    for neutral, points in people:
        field = displacement_field(points, (height, width), moving, peak_percent_iod=peak)
        try:
            moved = sample_picture(neutral, grid + invert(field))
        except SettingsError:  # a turned face squeezes one half of the field until it folds
            continue
        pictures = (np.clip(np.rint(p + rng.normal(0, NOISE, p.shape)), 0, 255) for p in (neutral, moved))
        flow, _ = expression_flow(*(p.astype(np.uint8) for p in pictures), method=method)
        found.append(flow_image(flow))
    return np.stack(found)


def answered(recogniser: Recogniser, people: list[Any], case: tuple[str, int, str], method: FlowMethod) -> Any:
    """Ask the recogniser about one movement of all people."""
    row: dict[str, Any] = {
        "emotion": case[0],
        "action_units": "+".join(EMOTION_ACTION_UNITS[case[0]][case[1]]),
        "side": case[2],
        "class": three_class(case[0]),
    }
    for peak in PEAKS:
        answer = recogniser(images(people, case, peak, method))
        row[f"{peak}"] = {
            "right": round(float((answer.argmax(1) == THREE_CLASSES.index(row["class"])).mean()), 3),
            "unsure": round(float((answer.max(1) < recogniser.threshold).mean()), 3),
            "mean": [round(float(p), 3) for p in answer.mean(0)],
            "faces": len(answer),
        }
    return row


def shares(found: dict[str, float]) -> str:
    """Return both shares as a cell."""
    return f"{found['right']:.0%} ({found['unsure']:.0%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "results")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    recogniser, people = Recogniser(), faces(options.data, options.people)
    results: dict[str, Any] = {}
    for method in METHODS:
        results[method] = {"rows": (rows := [answered(recogniser, people, case, method) for case in cases()])}
        for peak in PEAKS:
            count = np.array([r[f"{peak}"]["faces"] for r in rows])
            share = {k: np.array([r[f"{peak}"][k] for r in rows]) for k in ("right", "unsure")}
            results[method][f"{peak}"] = {k: round(float(v @ count / count.sum()), 4) for k, v in share.items()}
        print(method, {k: v for k, v in results[method].items() if k != "rows"}, flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "recogniser_transfer.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    lines = [
        "# The recogniser on synthetic movements of real faces",
        "",
        f"Share of {len(people)} validation people whose most probable class is the right one, in brackets the share"
        " called unsure; the peak of the movement in percent of the inter-ocular distance. The recogniser started"
        " from people moved by such units too: this checks the pipeline, not how well people are read.",
        "",
        "Over all movements, by the method of flow:",
        "",
        "| flow | " + " | ".join(f"peak {p} %" for p in PEAKS) + " |",
        "|---" * (1 + len(PEAKS)) + "|",
        *("| " + m + " | " + " | ".join(shares(results[m][f"{p}"]) for p in PEAKS) + " |" for m in METHODS),
        "",
        f"By `{METHODS[0]}`, as an analysis does:",
        "",
        "| emotion | action units | side | class | " + " | ".join(f"peak {p} %" for p in PEAKS) + " |",
        "|---" * (4 + len(PEAKS)) + "|",
    ]
    for row in results[METHODS[0]]["rows"]:
        found = " | ".join(shares(row[f"{p}"]) for p in PEAKS)
        lines.append(f"| {row['emotion']} | {row['action_units']} | {row['side']} | {row['class']} | {found} |")
    text = "\n".join(lines) + "\n"
    (options.out / "recogniser_transfer.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
