"""How often the face is found in pictures cut as tightly as published frames are, for `datasets.clip_motion`.

    python benchmarks/studies/tight_crops.py --data ../shared/data

Canonical crops of validation people (landmarks68, labelled points): the finder alone, and the crop taken for a face as
`clip_motion.tight_crop` does; with the mean distance, in pixels of the crop, between where the crop of the found points
puts the face and where that of the labelled points does. Beside them smooth noise, in which there is nothing to find.
Writes ``benchmarks/results/tight_crops.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from fleeting.datasets.clip_motion import tight_crop
from fleeting.faces.align import align, crop_transform
from fleeting.faces.detect import FaceDetector
from fleeting.motion.registration import crop_shift
from fleeting.training.people import part_of

NOISE = 200


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure how often faces are found in tight crops.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/tight_crops.json"))
    options = parser.parse_args()
    with np.load(options.data / "landmarks68.npz") as faces:
        people, jpeg, offsets, labels = (faces[name] for name in ("person", "jpeg", "offsets", "landmarks"))
    chosen = [i for i, person in enumerate(people) if part_of(str(person)) == "validation"]
    detector = FaceDetector()
    by_finder, by_crop = [], []
    for i in chosen:
        grey = cv2.imdecode(jpeg[offsets[i] : offsets[i + 1]], cv2.IMREAD_GRAYSCALE)
        crop = align(np.asarray(grey, np.uint8), crop_transform(labels[i]))
        found = detector(crop)
        if found:
            by_finder.append(_shift(max(found, key=lambda face: face[1].iod)[1].points))
        points = tight_crop(crop)
        if points is not None:
            by_crop.append(_shift(points))
    rng = np.random.default_rng(0)
    results = {
        "people": len({str(people[i]) for i in chosen}),
        "crops": len(chosen),
        "finder": _row(by_finder),
        "taken_for_a_crop": _row(by_crop),
        "noise_pictures": NOISE,
        "noise_taken_for_a_crop": sum(tight_crop(_noise(rng)) is not None for _ in range(NOISE)),
    }
    print(json.dumps(results, indent=2))
    options.out.write_text(json.dumps(results, indent=2) + "\n")


def _shift(points: np.ndarray) -> float:
    return crop_shift(crop_transform(points), np.eye(2, 3), width=140)


def _row(shifts: list[float]) -> dict[str, float]:
    median, worst = np.percentile(shifts, [50, 95]) if shifts else (np.nan, np.nan)
    return {"found": len(shifts), "median_shift_px": round(float(median), 2), "p95_shift_px": round(float(worst), 2)}


def _noise(rng: np.random.Generator) -> np.ndarray:
    field = cv2.GaussianBlur(rng.standard_normal((170, 140)).astype(np.float32), (0, 0), float(rng.uniform(1, 12)))
    return np.clip(128 + 50 * field / field.std(), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
