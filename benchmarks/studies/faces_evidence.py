"""Fit `fleeting.faces.detect.EVIDENCE` on validation people: ``python benchmarks/studies/faces_evidence.py``.

Run it again after a training of either network. It collects the three answers for labelled faces and for proposals in
face-free pictures, fits a logistic regression, and prints, for a range of constants, which share of the faces is kept
in each set and how many false faces are left; the constant is chosen from that table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression

from fleeting.faces.crop import points_box
from fleeting.faces.detect import EVIDENCE, FaceDetector, log_odds
from fleeting.faces.finder import COARSE_PIXELS, FINE_PIXELS, box_iou
from fleeting.training.backgrounds import natural_pictures
from fleeting.training.face_finder.scenes import SceneMaker, SceneSettings
from fleeting.training.landmarks.labels import FaceSample, labelled_faces, of_part, portraits

sys.path.append(str(Path(__file__).resolve().parents[1]))
from face_finder import face_free, in_frames, plain

SEED = 20_040_229
SHAPES = ((240, 240), (180, 320), (360, 640))


def answers(detector: FaceDetector, grey: Any, truth: Any = None) -> list[list[float]]:
    """Log-odds of the three answers: of the true face in the first search that shows it, or of all proposals."""
    rows = []
    for pixels in (COARSE_PIXELS, FINE_PIXELS) if grey.size > COARSE_PIXELS else (COARSE_PIXELS,):
        for box, _, (proposed, seen, again) in detector.candidates(grey, pixels=pixels):
            if truth is None or box_iou(box, truth) >= 0.5:
                rows.append([log_odds(proposed), log_odds(seen), again])
        if rows and truth is not None:
            break
    return rows


def empty_pictures(faces: list[FaceSample], data: Path, scenes: int) -> Iterator[Any]:
    yield from (g for name, g in face_free(faces, data / "videos" / "no_face.mp4", seed=SEED) if "anim" not in name)
    maker = SceneMaker(faces, natural_pictures(), settings=SceneSettings(empty_share=1.0), erased=150, seed=SEED)
    for i in range(scenes):
        yield maker(np.random.default_rng([SEED, i]), SHAPES[i % len(SHAPES)]).grey


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--teacher", type=Path, default=Path("runs/teacher"))
    parser.add_argument("--scenes", type=int, default=900)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    detector = FaceDetector()
    crops = of_part(labelled_faces(options.data), "validation")
    prints = of_part(portraits(options.data, options.teacher), "validation")
    sets: dict[str, Any] = {"crops": plain(crops), "portraits": plain(prints[::2])}
    sets |= {f"{s} px": in_frames(crops, size=s, roll=15, seed=SEED + s, count=80) for s in (24, 32, 48, 128)}
    sets["40 deg"] = in_frames(crops, size=96, roll=40, seed=SEED, count=80)
    kept = {name: [answers(detector, g, points_box(p)) for g, p in rows] for name, rows in sets.items()}
    empty = [answers(detector, grey) for grey in empty_pictures(prints, options.data, options.scenes)]
    positive = np.array([row for rows in kept.values() for found in rows for row in found])
    negative = np.array([row for rows in empty for row in rows])
    print(f"{len(positive)} proposals on faces, {len(negative)} in {len(empty)} face-free pictures")
    fitted = LogisticRegression(C=1.0, class_weight="balanced").fit(
        np.concatenate([positive, negative]), np.repeat([1, 0], [len(positive), len(negative)])
    )
    weights = np.maximum(fitted.coef_[0], 0.0)
    print("fitted:", np.round(fitted.intercept_, 3), np.round(weights, 3), "shipped:", EVIDENCE)
    print("constant", *(f"{name:>10}" for name in kept), f"  false in {len(empty)}")
    for constant in np.arange(fitted.intercept_[0] - 4, fitted.intercept_[0] + 1.1, 0.5):
        shares = [
            100 * np.mean([any(np.dot(weights, row) + constant >= 0 for row in found) for found in rows])
            for rows in kept.values()
        ]
        false = sum(int(np.dot(weights, row) + constant >= 0) for rows in empty for row in rows)
        print(f"{constant:8.2f}", *(f"{s:10.2f}" for s in shares), f"{false:6d}")


if __name__ == "__main__":
    main()
