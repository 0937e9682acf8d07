"""How well the looks of an aligned face tell people apart: for `SAME_PERSON` and `SAME_AFTER_CUT` of `faces.track`.

    python benchmarks/studies/identity.py --data ../shared/data

Likeness of the templates of `faces.shots` between pictures of training people (landmarks68, labelled points): the
share of pairs of one person that pass a threshold, and of pairs of strangers that do. The pictures of one person come
from different videos, so a face that returns within one recording is easier than this. Writes
``benchmarks/results/identity.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from fleeting.faces.landmarks import Landmarks
from fleeting.faces.shots import template
from fleeting.faces.track import SAME_AFTER_CUT, SAME_PERSON
from fleeting.training.people import part_of

PICTURES = 900


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure how well aligned faces tell people apart.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/identity.json"))
    options = parser.parse_args()
    faces = np.load(options.data / "landmarks68.npz", allow_pickle=True)
    people, jpeg, offsets, labels = (faces[name] for name in ("person", "jpeg", "offsets", "landmarks"))
    train = [i for i, person in enumerate(people) if part_of(str(person)) == "train"]
    chosen = np.random.default_rng(0).permutation(train)[:PICTURES]
    rows = []
    for i in chosen:
        grey = cv2.imdecode(jpeg[offsets[i] : offsets[i + 1]], cv2.IMREAD_GRAYSCALE)
        blank = np.zeros(3, np.float32)
        rows.append(template(grey, Landmarks(labels[i], 1.0, blank, blank[:2], 0.0)).reshape(-1))
    table = np.array(rows)
    likeness = table @ table.T / table.shape[1]
    names = people[chosen]
    pairs = np.triu_indices(len(chosen), 1)
    same = (names[:, None] == names[None])[pairs]
    values = likeness[pairs]
    results = {
        "used": SAME_PERSON,
        "used_after_a_cut": SAME_AFTER_CUT,
        "pairs_of_one_person": int(same.sum()),
        "thresholds": [],
    }
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9):
        row = {
            "threshold": threshold,
            "same_person_passes": round(float((values[same] >= threshold).mean()), 4),
            "strangers_pass": round(float((values[~same] >= threshold).mean()), 6),
        }
        results["thresholds"].append(row)
        print(row)
    options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
