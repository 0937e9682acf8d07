"""What the quality measures read when the truth is known: ``python benchmarks/studies/quality.py``.

On portraits (CC0): blur of Gaussian filters, noise that was added, blocks by JPEG quality and by H.264's crf. On a
synthesised 1280 x 720 video at 200 frames/s: milliseconds a frame for decoding, grey, colour and the quality meter.
Writes ``results/quality.json``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fleeting.quality import pictures as measure
from fleeting.quality.meter import QualityMeter
from fleeting.video.reader import open_video
from fleeting.video.stream import VideoReader
from fleeting.video.writer import VideoWriter

BENCHMARKS = Path(__file__).resolve().parents[1]
PORTRAITS = BENCHMARKS.parent.parent / "shared" / "data" / "interfaces_cc0_256.zip"
COUNT = 20


def portraits(path: Path) -> list[np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if n.lower().endswith((".jpg", ".png", ".webp")))[:COUNT]
        pictures = [cv2.imdecode(np.frombuffer(archive.read(n), np.uint8), cv2.IMREAD_GRAYSCALE) for n in names]
    return [np.asarray(p, np.uint8) for p in pictures]


def spread(values: list[float | None]) -> dict[str, float]:
    known = [v for v in values if v is not None]
    low, middle, high = np.percentile(known, [10, 50, 90])
    return {"p10": round(float(low), 3), "median": round(float(middle), 3), "p90": round(float(high), 3)}


def blur(pictures: list[np.ndarray]) -> dict[str, Any]:
    def at(sigma: float) -> list[float | None]:
        return [measure.edge_blur(np.asarray(cv2.GaussianBlur(p, (0, 0), sigma), np.uint8)) for p in pictures]

    return {f"sigma {sigma:g} px": spread(at(sigma)) for sigma in (1, 2, 3, 4, 6)}


def noise(pictures: list[np.ndarray]) -> dict[str, Any]:
    rng = np.random.default_rng(0)

    def pair(picture: np.ndarray, sigma: float) -> np.ndarray:
        noisy = picture + rng.normal(0, sigma, (2, *picture.shape))
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return {
        f"sigma {sigma:g}": spread([measure.temporal_noise(*pair(p, sigma)) for p in pictures])
        for sigma in (1, 2, 3, 5, 8)
    }


def blocks(pictures: list[np.ndarray], folder: Path) -> dict[str, Any]:
    def jpeg(picture: np.ndarray, quality: int) -> float | None:
        stored = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return measure.blockiness(np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE), np.uint8))

    def h264(picture: np.ndarray, crf: float) -> float | None:
        rng = np.random.default_rng(1)
        large = cv2.resize(picture, (640, 640), interpolation=cv2.INTER_CUBIC)
        path = folder / "blocks.mp4"
        with VideoWriter(path, fps=25, size=(640, 640), crf=crf) as writer:
            for shift in range(6):
                moved = np.roll(large, shift, axis=1) + rng.normal(0, 1.5, large.shape)
                writer.write(np.clip(moved, 0, 255).astype(np.uint8))
        with open_video(path) as reader:
            return measure.blockiness(list(reader)[3].grey)

    found: dict[str, Any] = {"original": spread([measure.blockiness(p) for p in pictures])}
    for quality in (95, 80, 60, 40, 30, 20, 10):
        found[f"JPEG quality {quality}"] = spread([jpeg(p, quality) for p in pictures])
    for crf in (18, 23, 28, 33, 38, 43, 48):
        found[f"H.264 crf {crf}"] = spread([h264(p, crf) for p in pictures[:6]])
    return found


def speed(folder: Path) -> dict[str, float]:
    rng = np.random.default_rng(2)
    scene = cv2.GaussianBlur(rng.normal(128, 60, (720, 1280, 3)).astype(np.float32), (0, 0), 3)
    path = folder / "speed.mp4"
    with VideoWriter(path, fps=200, size=(1280, 720)) as writer:
        for i in range(300):
            noisy = np.roll(scene, i // 3, axis=1) + rng.normal(0, 1.5, (720, 1280, 1))
            writer.write(np.clip(noisy, 0, 255).astype(np.uint8))
    reader = open_video(path)

    def metered(reader: VideoReader) -> int:
        meter = QualityMeter(reader.info)
        count = 0
        for frame in reader:
            meter.add(frame)
            count += 1
        return count

    ways: dict[str, Callable[[VideoReader], int]] = {
        "decoding": lambda r: sum(1 for _ in r),
        "decoding and grey": lambda r: sum(f.grey.size > 0 for f in r),
        "decoding and colour": lambda r: sum(f.rgb.size > 0 for f in r),
        "decoding, grey and quality meter": metered,
    }
    found = {}
    for name, way in ways.items():
        start = time.process_time()
        count = way(reader)
        found[f"{name}, ms of processor a frame"] = round(1000 * (time.process_time() - start) / count, 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=PORTRAITS)
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "results" / "quality.json")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = portraits(options.data)
    with tempfile.TemporaryDirectory() as folder:
        results = {
            "command": "python benchmarks/studies/quality.py",
            "pictures": len(pictures),
            "blur_px": blur(pictures),
            "noise_grey_levels": noise(pictures),
            "blockiness": blocks(pictures, Path(folder)),
            "speed_1280x720": speed(Path(folder)),
        }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
