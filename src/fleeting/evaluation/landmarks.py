"""Measure found faces and their landmarks on labelled pictures.

Task: a picture shows one labelled face (68 points); a detector returns any number of faces with 68 points each.

Conventions: an image counts as found where a returned face's box (of its 68 points) overlaps the box of the labelled
points with an intersection over union of at least `SAME_FACE`; of several, the best overlap counts. The normalised mean
error (NME) of a face is the mean Euclidean distance of its points, divided by the labelled inter-ocular distance (outer
eye corners, points 36 and 45), in percent; ``nme68`` over all points, ``nme51`` without the jaw line (points 17 to 67).
Both are averaged over found images; images that are not found are counted, not scored. Returned faces that overlap no
labelled one are ``extra``: they are false, or faces that nobody labelled.
"""

from __future__ import annotations

import csv
import io
import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import DataError, FleetingWarning
from fleeting.faces.crop import points_box
from fleeting.faces.ibug import INNER_FACE, inter_ocular_distance
from fleeting.faces.landmarks import Landmarks
from fleeting.files import write_text
from fleeting.reading import Arrays, reading
from fleeting.records import FaceBox
from fleeting.training.people import digest_of
from fleeting.video.declared import decoded
from fleeting.weights import card

Detect = Callable[[npt.NDArray[np.uint8]], Sequence[tuple[FaceBox, Landmarks]]]

SAME_FACE = 0.4
"""Smallest intersection over union of the boxes of the points that makes a returned face the labelled one."""

COLUMNS = ("image", "person", "found", "iou", "nme68", "nme51", "score", "iod_px", "extra")


@dataclass(frozen=True, slots=True)
class FaceRow:
    """What was measured on one image; NaN where the face was not found."""

    image: int
    person: str
    found: bool
    iou: float
    nme68: float
    nme51: float
    score: float
    iod_px: float
    extra: int


def overlap(first: FaceBox, second: FaceBox) -> float:
    """Intersection over union of two boxes."""
    width = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    height = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / max(first.width * first.height + second.width * second.height - shared, 1e-9)


def measure_face(
    faces: Sequence[tuple[FaceBox, Landmarks]], truth: npt.NDArray[np.floating], *, image: int = 0, person: str = ""
) -> FaceRow:
    """Compare the returned faces of one image with its labelled (68, 2) points."""
    iod = inter_ocular_distance(truth)
    box = points_box(truth)
    overlaps = [overlap(points_box(landmarks.points), box) for _, landmarks in faces]
    best = int(np.argmax(overlaps)) if overlaps else -1
    extra = sum(o < SAME_FACE for o in overlaps)
    if best < 0 or overlaps[best] < SAME_FACE:
        return FaceRow(image, person, False, max(overlaps, default=0.0), np.nan, np.nan, np.nan, iod, extra)
    landmarks = faces[best][1]
    distance = np.linalg.norm(landmarks.points - truth, axis=1) / iod * 100
    return FaceRow(
        image=image,
        person=person,
        found=True,
        iou=overlaps[best],
        nme68=float(distance.mean()),
        nme51=float(distance[INNER_FACE].mean()),
        score=landmarks.score,
        iod_px=iod,
        extra=extra,
    )


def summarise(rows: Sequence[FaceRow], *, seconds: float) -> dict[str, Any]:
    """Figures over rows; NaN where no face was found."""
    found = [r for r in rows if r.found]
    nme68 = np.array([r.nme68 for r in found])
    figures = {
        "images": len(rows),
        "found": len(found),
        "found_share": len(found) / max(len(rows), 1),
        "nme68": float(nme68.mean()) if found else float("nan"),
        "nme51": float(np.mean([r.nme51 for r in found])) if found else float("nan"),
        "nme68_median": float(np.median(nme68)) if found else float("nan"),
        "nme68_worst_percent": float(np.percentile(nme68, 99)) if found else float("nan"),
        "extra_faces": sum(r.extra for r in rows),
        "images_per_s": len(rows) / max(seconds, 1e-9),
    }
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    needed = ("jpeg", "offsets", "landmarks")
    hint = "The layout is described in docs/how-to/evaluate.md."
    with reading(path, "an .npz file with labelled faces", hint), Arrays(path) as stored:
        values = stored.all()
    missing = [key for key in needed if key not in values]
    if missing:
        raise DataError(
            f"the arrays {', '.join(needed)} in {path.name}",
            f"none named {', '.join(missing)}",
            hint,
        )
    count = len(values["landmarks"])
    if values["landmarks"].shape != (count, 68, 2) or len(values["offsets"]) != count + 1:
        raise DataError(
            "landmarks (n, 68, 2) and offsets (n + 1,)",
            f"{values['landmarks'].shape} and {values['offsets'].shape} in {path.name}",
            hint,
        )
    return values


def evaluate_landmarks(path: Path, *, out: Path, detect: Detect | None = None) -> dict[str, Any]:
    """Measure a detector on a file of labelled faces, and write ``metrics.json`` and ``images.csv``.

    Parameters
    ----------
    path
        ``.npz`` with ``jpeg`` uint8 (all pictures one after the other), ``offsets`` int64 (n + 1,), ``landmarks``
        float32 (n, 68, 2) in pixels, and optionally ``person`` (n,) str.
    out
        Folder of the results.
    detect
        Returns the faces of a (h, w) uint8 picture; by default the shipped `faces.detect.FaceDetector` on one thread.

    Returns
    -------
    dict
        As in ``metrics.json``: ``images``, ``found``, ``found_share``, ``nme68``, ``nme51`` and others of `summarise`;
        ``images_per_s`` is the detector's own time, without decoding; ``trained_on_images`` counts images of people
        whom the shipped network was trained on (None where the file names nobody).

    Raises
    ------
    DataError
        Where the file cannot be read or a picture in it is damaged.
    OutputError
        Where results cannot be written.
    """
    values = _read(path)
    if detect is None:
        from fleeting.faces.detect import FaceDetector

        detect = FaceDetector()
    people = values.get("person")
    rows: list[FaceRow] = []
    seconds = 0.0
    for i, truth in enumerate(values["landmarks"]):
        data = values["jpeg"][values["offsets"][i] : values["offsets"][i + 1]]
        with reading(path, f"a picture at index {i}", "Fetch the file again."):
            grey = decoded(data, cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise DataError(
                f"a picture at index {i} of {path.name}", "bytes that are no image", "Fetch the file again."
            )
        begun = time.perf_counter()
        faces = detect(grey.astype(np.uint8, copy=False))
        seconds += time.perf_counter() - begun
        rows.append(measure_face(faces, truth, image=i, person="" if people is None else str(people[i])))
    metrics = summarise(rows, seconds=seconds)
    metrics["trained_on_images"] = None if people is None else _trained_on(rows)
    _write(rows, metrics, out)
    return metrics


def _trained_on(rows: Sequence[FaceRow]) -> int:
    trained = set(card("landmarks").get("trained_on", ()))
    count = sum(digest_of(r.person) in trained for r in rows)
    if count:
        warnings.warn(
            f"{count} of {len(rows)} images show people whom the landmark network was trained on: "
            "these figures are better than those on new people.",
            FleetingWarning,
            stacklevel=3,
        )
    return count


def _write(rows: Sequence[FaceRow], metrics: dict[str, Any], out: Path) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in rows:
        values = [getattr(row, c) for c in COLUMNS]
        table.writerow([f"{v:.4f}" if isinstance(v, float) else v for v in values])
    write_text(out / "images.csv", text.getvalue())
    write_text(out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
