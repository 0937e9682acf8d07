"""Choose the two thresholds of `FaceDetector` on validation people: ``python benchmarks/faces_thresholds.py``.

For a grid of (propose, confirm) it prints the share of faces found, as they are and pasted into frames, and the false
faces in face-free pictures. Every picture is looked at once with all proposals; the grid is read from the kept scores.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from faces import SEED, best, face_free, in_frames, plain

from fleeting.faces.crop import points_box
from fleeting.faces.finder import COARSE_PIXELS, FINE_PIXELS, FaceFinder, distinct
from fleeting.faces.landmarks import LandmarkNet
from fleeting.training.face_pictures import labelled_faces, of_part, portraits

PROPOSE = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
CONFIRM = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)


class Proposal(NamedTuple):
    """One place: the finder's score, and the box of the second look with the landmark network's score."""

    finder: float
    box: Any


def look(finder: FaceFinder, landmarks: LandmarkNet, grey: Any) -> list[list[Proposal]]:
    passes = []
    for pixels in (COARSE_PIXELS, FINE_PIXELS):
        boxes = finder.search(grey, pixels=pixels, threshold=min(PROPOSE))
        first = landmarks(grey, boxes)
        second = landmarks.from_points(grey, [seen.points for seen in first])
        passes.append(
            [Proposal(b.score, points_box(s.points, score=s.score)) for b, s in zip(boxes, second, strict=True)]
        )
    return passes


def decide(passes: list[list[Proposal]], propose: float, confirm: float) -> list[Any]:
    for proposals in passes:
        found = distinct([p.box for p in proposals if p.finder >= propose and p.box.score >= confirm])
        if found:
            return [(box, None) for box in found]
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--teacher", type=Path, default=Path("runs/teacher"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cv2.setNumThreads(1)
    networks = FaceFinder(), LandmarkNet()
    crops = of_part(labelled_faces(options.data), "validation")
    prints = of_part(portraits(options.data, options.teacher), "validation")
    sets = {"crops": list(plain(crops)), "portraits": list(plain(prints))}
    sets |= {f"{s} px": list(in_frames(crops, size=s, roll=15, seed=SEED + s, count=80)) for s in (24, 48, 128)}
    sets["40 deg"] = list(in_frames(crops, size=96, roll=40, seed=SEED + 1, count=80))
    looked = {name: [(look(*networks, grey), points_box(p)) for grey, p in rows] for name, rows in sets.items()}
    film = options.data / "videos" / "no_face.mp4"
    empty = [look(*networks, grey) for name, grey in face_free(prints, film, seed=SEED + 2) if "animation" not in name]
    print("propose confirm", *(f"{name:>10}" for name in looked), f"  false in {len(empty)}")
    for propose in PROPOSE:
        for confirm in CONFIRM:
            shares = [
                100 * np.mean([best(decide(passes, propose, confirm), truth)[0] >= 0.5 for passes, truth in rows])
                for rows in looked.values()
            ]
            false = sum(len(decide(passes, propose, confirm)) for passes in empty)
            print(f"{propose:7.2f} {confirm:7.2f}", *(f"{s:10.2f}" for s in shares), f"{false:6d}")


if __name__ == "__main__":
    main()
