"""How well faces are found: people that nothing was trained or chosen on, face-free pictures, sizes, turns, speed.

    python benchmarks/face_finder.py --data ../shared/data --teacher runs/teacher

writes ``face_finder.json``, ``.md`` and ``.png`` to ``benchmarks/results``. ``--part validation`` measures the people
on whom thresholds may be chosen, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fleeting.faces.crop import points_box
from fleeting.faces.detect import FaceDetector
from fleeting.faces.finder import COARSE_PIXELS, FaceFinder, box_iou
from fleeting.training.backgrounds import PATTERNS, erase_face, pattern, scramble
from fleeting.training.landmarks.labels import FaceSample, labelled_faces, of_part, portraits

log = logging.getLogger("faces")

SIZES_PX = (24, 32, 48, 64, 96, 128, 160, 200)
ROLLS = (0, 10, 20, 30, 40)
FRAME = (360, 640)
PER_CELL = 150
SEED = 20_030_925

Detect = Callable[[Any], list[Any]]


def best(found: list[Any], truth: Any) -> tuple[float, Any]:
    """Largest IoU with the true box, and the landmarks of that face."""
    return max(((box_iou(box, truth), seen) for box, seen in found), key=lambda pair: pair[0], default=(0.0, None))


def measure(detect: Detect, pictures: Iterator[tuple[Any, Any]]) -> dict[str, float]:
    """Found share (IoU >= 0.5 with the box of the true points), other boxes, and the error of the points found."""
    overlaps, errors, extra = [], [], 0
    for grey, points in pictures:
        found = detect(grey)
        overlap, seen = best(found, points_box(points))
        overlaps.append(overlap)
        extra += len(found) - (overlap >= 0.5)
        if overlap >= 0.5:
            iod = np.linalg.norm(points[36] - points[45])
            errors.append(float(np.linalg.norm(seen.points - points, axis=1).mean() / iod))
    count = len(overlaps)
    return {
        "pictures": count,
        "found": sum(o >= 0.5 for o in overlaps),
        "found_percent": round(100 * float(np.mean([o >= 0.5 for o in overlaps])), 2),
        "mean_iou_of_found": round(float(np.mean([o for o in overlaps if o >= 0.5] or [0.0])), 3),
        "other_boxes": extra,
        "nme68_percent": round(100 * float(np.mean(errors or [np.nan])), 2),
    }


def in_frames(
    faces: list[FaceSample], *, size: float, roll: float, seed: int, count: int = PER_CELL
) -> Iterator[tuple[Any, Any]]:
    """Faces with their surroundings, `size` px (longer side of the box) and turned, pasted into 640x360 frames."""
    rng = np.random.default_rng(seed)
    for i in rng.permutation(len(faces))[:count]:
        face = faces[i]
        low, high = face.points.min(0), face.points.max(0)
        scale = size / float((high - low).max())
        angle = np.deg2rad(roll * rng.choice([-1, 1]))
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = (low + high) / 2
        place = np.array([rng.uniform(0.75 * size, s - 0.75 * size) for s in FRAME[::-1]])
        transform = np.column_stack([linear, place - linear @ middle])
        frame = pattern(rng, FRAME, kind=str(rng.choice(["soft_noise", "gradient", "shapes", "mosaic"])))
        # Averaged down first, as a camera does: a bare warp to 24 px would alias.
        ratio = min(scale * 1.5, 1.0)
        small = cv2.resize(face.grey, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
        ratios = np.array(small.shape[::-1]) / face.grey.shape[::-1]
        shrunk = np.column_stack([linear / ratios, transform[:, 2] + (linear / ratios) @ (0.5 - 0.5 * ratios)])
        over = cv2.warpAffine(small, shrunk, FRAME[::-1], flags=cv2.INTER_LINEAR)
        mask = cv2.warpAffine(np.full_like(small, 255), shrunk, FRAME[::-1], flags=cv2.INTER_LINEAR) / 255.0
        yield (frame + mask * (over.astype(float) - frame)).astype(np.uint8), face.points @ linear.T + transform[:, 2]


def face_free(faces: list[FaceSample], film: Path, *, seed: int = SEED) -> Iterator[tuple[str, Any]]:
    """Pictures without a face, always the same: patterns, the end of an animation, erased and scrambled faces."""
    rng = np.random.default_rng(seed)
    for i in range(210):
        kind = list(PATTERNS)[i % len(PATTERNS)]
        yield f"pattern {kind} {i}", pattern(rng, FRAME, kind=kind)
    chosen = rng.permutation(len(faces))[:300]
    for i in chosen[:150]:
        yield f"erased {faces[i].person} {i}", erase_face(faces[i].grey, faces[i].points)
    for i in chosen[150:]:
        cells = int(rng.integers(6, 10))
        yield f"scrambled {faces[i].person} {i}", scramble(rng, faces[i].grey, cells=cells)
    yield from film_end(film)


def film_end(path: Path) -> Iterator[tuple[str, Any]]:
    film, frames = cv2.VideoCapture(str(path)), []
    while True:
        read, frame = film.read()
        if not read:
            break
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
    for i in range((len(frames) + 1) // 2, len(frames)):
        yield f"animation {i}", frames[i]


def false_faces(detect: Detect, pictures: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    count, rows = 0, []
    for name, grey in pictures:
        count += 1
        rows += [(name, [round(float(v), 2) for v in box]) for box, _ in detect(grey)]
    return {"pictures": count, "false_faces": len(rows), "which": rows}


def speed(face: FaceSample) -> dict[str, dict[str, float]]:
    """Median milliseconds of processor time per frame; one thread."""
    detector, finder = FaceDetector(), FaceFinder()
    result = {}
    for height, width in ((360, 640), (720, 1280)):
        rng = np.random.default_rng(SEED)
        empty = pattern(rng, (height, width), kind="soft_noise")
        frame = empty.copy()
        side = height * 4 // 5
        frame[height // 10 : height // 10 + side, 50 : 50 + side] = cv2.resize(face.grey, (side, side))
        tasks: dict[str, Callable[[], Any]] = {
            "finder": lambda f=frame: finder.search(f, pixels=COARSE_PIXELS),
            "detector": lambda f=frame: detector(f),
            "detector_no_face": lambda f=empty: detector(f),
        }
        result[f"{width}x{height}"] = {name: round(_median_ms(task), 2) for name, task in tasks.items()}
    return result


def _median_ms(task: Callable[[], Any], *, repeats: int = 40) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        task()
        times.append(time.process_time() - start)
    return 1000 * float(np.median(times[5:]))


def plain(faces: list[FaceSample]) -> Iterator[tuple[Any, Any]]:
    return ((f.grey, f.points) for f in faces)


def run(data: Path, teacher: Path, part: Any, *, per_cell: int) -> dict[str, Any]:
    detect = FaceDetector()
    crops = of_part(labelled_faces(data), part)
    prints = of_part(portraits(data, teacher), part)
    result: dict[str, Any] = {"part": part, "people": len({f.person for f in crops + prints})}
    result["crops"] = measure(detect, plain(crops))
    log.info("crops %s", result["crops"])
    result["portraits"] = measure(detect, plain(prints))
    log.info("portraits %s", result["portraits"])
    result["no_face"] = false_faces(detect, face_free(prints, data / "videos" / "no_face.mp4"))
    log.info("no face %s", result["no_face"])
    for name, cells in (("by_size", [(s, 0) for s in SIZES_PX]), ("by_roll", [(96, r) for r in ROLLS])):
        result[name] = {}
        for size, roll in cells:
            pictures = in_frames(crops, size=size, roll=roll, seed=SEED, count=per_cell)
            result[name][str(size if name == "by_size" else roll)] = row = measure(detect, pictures)
            log.info("%s %d px %d degrees %s", name, size, roll, row)
    result["ms_per_frame"] = speed(crops[0])
    log.info("ms %s", result["ms_per_frame"])
    return result


def table(rows: dict[str, dict[str, Any]], head: str) -> str:
    keys = ("pictures", "found", "found_percent", "mean_iou_of_found", "other_boxes", "nme68_percent")
    lines = [f"| {head} | " + " | ".join(keys).replace("_", " ") + " |", "|" + "---|" * (len(keys) + 1)]
    return "\n".join(lines + [f"| {name} | " + " | ".join(str(r[k]) for k in keys) + " |" for name, r in rows.items()])


def write(result: dict[str, Any], out: Path) -> None:
    (out / "face_finder.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    whole = {"landmarks68, crops as they are": result["crops"], "portraits": result["portraits"]}
    empty = result["no_face"]
    speeds = "\n".join(
        f"| {frame} | {ms['finder']} | {ms['detector']} | {ms['detector_no_face']} |"
        for frame, ms in result["ms_per_frame"].items()
    )
    text = f"""# Finding faces

`python benchmarks/face_finder.py --data ../shared/data --teacher runs/teacher`:
{result["people"]} people that no network was trained on and no threshold was chosen on
({result["part"]} part of `training/people.py`). A face is found where a box
of `FaceDetector` has IoU >= 0.5 with the box of the true 68 points; "other boxes" are all the rest (some pictures show
a second person who is not labelled); the error of the points is the mean over the faces found, in percent of the
inter-ocular distance. The points of the portraits are the teacher's, so their error is a distance between two machines.

{table(whole, "test people")}

**False faces: {empty["false_faces"]} in {empty["pictures"]} pictures without a face** (210 drawn patterns, 150
portraits of test people with the face painted over, 150 with their tiles shuffled, the second half of an animation).

Pasted with their surroundings into 640x360 frames, upright, by the longer side of the face's box in pixels:

{table(result["by_size"], "size px")}

96 px, by degrees of roll:

{table(result["by_roll"], "roll")}

Milliseconds of processor time per frame, one thread (median): first search alone, with landmarks, and no face (two
searches).

| frame | finder | detector | detector, no face |
|---|---|---|---|
{speeds}

![found share and error by size and roll](face_finder.png)
"""
    (out / "face_finder.md").write_text(text, encoding="utf-8")
    plot(result, out / "face_finder.png")


def plot(result: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), constrained_layout=True)
    names = (("by_size", "face size in a 640x360 frame, px"), ("by_roll", "roll, degrees (96 px)"))
    for axis, (name, label) in zip(axes, names, strict=True):
        x = [int(k) for k in result[name]]
        axis.plot(x, [r["found_percent"] for r in result[name].values()], "o-", color="#1f6f8b", label="found, %")
        axis.set(xlabel=label, ylabel="found, %", ylim=(50, 101))
        axis.grid(alpha=0.3)
        other = axis.twinx()
        other.plot(x, [r["nme68_percent"] for r in result[name].values()], "s--", color="#c8553d")
        other.set(ylabel="error of the points, % of eye distance", ylim=(0, 20))
        other.yaxis.label.set_color("#c8553d")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--teacher", type=Path, default=Path("runs/teacher"))
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    parser.add_argument("--per-cell", type=int, default=PER_CELL, help="faces per size and per roll")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cv2.setNumThreads(1)
    result = run(options.data, options.teacher, options.part, per_cell=options.per_cell)
    if options.part == "test":
        write(result, options.out)


if __name__ == "__main__":
    main()
