"""How good and how quick the landmark network is, on people whom nothing was trained or chosen on.

    python benchmarks/landmarks.py --data ../shared/data

writes ``landmarks.json`` and ``landmarks.md`` to ``benchmarks/results``. Where the extra ``mediapipe`` is installed,

    python benchmarks/landmarks.py --data ../shared/data --mediapipe

adds MediaPipe's figures on the same pictures to them.

Error: percent of the inter-ocular distance, as `fleeting.evaluation.landmarks` says. Speed: one thread, the crop
included, faces per second of processor time (what one core does when nothing else runs on it) and of wall time; both
are the median of many calls.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fleeting.evaluation.landmarks import evaluate_landmarks
from fleeting.faces.crop import points_box
from fleeting.training.people import part_of

RESULTS = Path(__file__).parent / "results"
CALLS = 300


def test_file(data: Path, folder: Path) -> Path:
    """Copy the pictures of test people out of ``landmarks68.npz`` into a file of the same layout."""
    with np.load(data / "landmarks68.npz", allow_pickle=False) as stored:
        jpeg, offsets, points, person = (stored[k] for k in ("jpeg", "offsets", "landmarks", "person"))
    chosen = [i for i, p in enumerate(person) if part_of(str(p)) == "test"]
    pieces = [jpeg[offsets[i] : offsets[i + 1]] for i in chosen]
    path = folder / "test.npz"
    np.savez(
        path,
        jpeg=np.concatenate(pieces),
        offsets=np.cumsum([0, *map(len, pieces)]),
        landmarks=points[chosen],
        person=person[chosen],
    )
    return path


def read(path: Path) -> list[tuple[Any, Any]]:
    """Grey pictures and points of a file."""
    with np.load(path, allow_pickle=False) as stored:
        jpeg, offsets, points = stored["jpeg"], stored["offsets"], stored["landmarks"]
    return [
        (cv2.imdecode(jpeg[offsets[i] : offsets[i + 1]], cv2.IMREAD_GRAYSCALE), truth) for i, truth in enumerate(points)
    ]


def timed(call: Callable[[int], Any], *, faces: int) -> dict[str, float]:
    """Faces per second of processor and of wall time, from the median of `CALLS` calls."""
    for i in range(20):
        call(i)
    own, wall = [], []
    for i in range(CALLS):
        a, b = time.process_time(), time.perf_counter()
        call(i)
        own.append(time.process_time() - a)
        wall.append(time.perf_counter() - b)
    return {
        "faces_per_s_of_processor_time": round(faces / float(np.median(own)), 1),
        "faces_per_s_of_wall_time": round(faces / float(np.median(wall)), 1),
        "ms_per_face": round(1000 * float(np.median(own)) / faces, 3),
    }


def shipped(path: Path) -> dict[str, Any]:
    """Error and speed of the shipped network."""
    from fleeting import weights
    from fleeting.faces.landmarks import LandmarkNet

    pictures = read(path)
    net = LandmarkNet(threads=1)
    boxes = [points_box(truth) for _, truth in pictures]

    def error(follow: bool) -> dict[str, float]:
        rows = []
        for (grey, truth), box in zip(pictures, boxes, strict=True):
            (seen,) = net.from_points(grey, [truth]) if follow else net(grey, [box])
            distance = np.linalg.norm(seen.points - truth, axis=1) / np.linalg.norm(truth[36] - truth[45])
            rows.append(100 * distance)
        table = np.array(rows)
        return {"nme68": round(float(table.mean()), 3), "nme51": round(float(table[:, 17:].mean()), 3)}

    def followed(i: int) -> Any:
        grey, truth = pictures[i % len(pictures)]
        return net.from_points(grey, [truth])

    def single(i: int) -> Any:
        k = i % len(pictures)
        return net(pictures[k][0], [boxes[k]])

    def sixteen(i: int) -> Any:
        k = i % len(pictures)
        return net(pictures[k][0], [boxes[k]] * 16)

    with tempfile.TemporaryDirectory() as folder:
        detected = evaluate_landmarks(path, out=Path(folder))
    return {
        "file_mb": round((weights.folder() / "landmarks.onnx").stat().st_size / 1e6, 3),
        "detected": detected,
        "from_labelled_box": error(False),
        "from_labelled_points": error(True),
        "speed": {
            "box, one face a call": timed(single, faces=1),
            "points, one face a call": timed(followed, faces=1),
            "box, sixteen faces a call": timed(sixteen, faces=16),
        },
    }


def mediapipe(path: Path) -> dict[str, Any]:
    """Error of MediaPipe's landmarker: detected on whole pictures, as the shipped detector is."""
    from fleeting.faces.mediapipe_landmarks import MediaPipeLandmarker

    with tempfile.TemporaryDirectory() as folder:
        return evaluate_landmarks(path, out=Path(folder), detect=MediaPipeLandmarker())


def table(results: dict[str, Any]) -> str:
    """Results as Markdown."""
    own = results["fleeting"]
    lines = [
        "# Landmarks on people not trained on",
        "",
        f"{own['detected']['images']} pictures of test people of landmarks68 (`people.part_of`); percent of the "
        "inter-ocular distance. Made by `python benchmarks/landmarks.py --data ../shared/data`.",
        "",
        "| | found | 68 points | 51 inner points |",
        "|---|---|---|---|",
    ]
    rows = [("FaceDetector (finder, then landmarks)", own["detected"])]
    if "mediapipe" in results:
        rows.append(("MediaPipe face landmarker, nearest points of its mesh", results["mediapipe"]))
    lines += [f"| {n} | {r['found']} of {r['images']} | {r['nme68']:.2f} | {r['nme51']:.2f} |" for n, r in rows]
    for name, key in (("LandmarkNet, labelled box", "from_labelled_box"),):
        lines.append(f"| {name} | - | {own[key]['nme68']:.2f} | {own[key]['nme51']:.2f} |")
    lines += ["", "| one thread, crop included | faces/s (processor time) | faces/s (wall time) |", "|---|---|---|"]
    lines += [
        f"| {name} | {s['faces_per_s_of_processor_time']:.0f} | {s['faces_per_s_of_wall_time']:.0f} |"
        for name, s in own["speed"].items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--mediapipe", action="store_true", help="measure MediaPipe and add it to the results")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    stored = RESULTS / "landmarks.json"
    results: dict[str, Any] = json.loads(stored.read_text()) if stored.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        path = test_file(options.data, Path(folder))
        if options.mediapipe:
            results["mediapipe"] = mediapipe(path)
        else:
            results["fleeting"] = shipped(path)
    stored.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if "fleeting" in results:
        (RESULTS / "landmarks.md").write_text(table(results), encoding="utf-8")


if __name__ == "__main__":
    main()
