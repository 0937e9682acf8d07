"""How well near-duplicate clips are told from others: ``python benchmarks/studies/near_duplicates.py``.

Two questions about the perceptual hash of `evaluation.benchmark.duplicates`, on the flow images of real people: how
close are two clips of different people (a hit among them would be false), and which changed copies of a clip are
still caught. Writes ``results/near_duplicates.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fleeting.datasets import composite
from fleeting.datasets.samples import from_flow_images
from fleeting.evaluation.benchmark.duplicates import CORRELATION, SHARE, correlation, near_duplicates, perceptual_hash
from fleeting.motion.flow_image import mirrored

BENCHMARKS = Path(__file__).resolve().parents[1]
DATA = BENCHMARKS.parent.parent / "shared" / "data" / "composite_flow_casme2_smic.npz"


def noise(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(images: np.ndarray) -> np.ndarray:
        drawn = np.random.default_rng(0).normal(0, sigma, images.shape)
        return np.clip(images + drawn, 0, 255).astype(np.uint8)

    return change


def jpeg(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(images: np.ndarray) -> np.ndarray:
        stored = (cv2.imencode(".jpg", i, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for i in images)
        return np.stack([cv2.imdecode(s, cv2.IMREAD_COLOR) for s in stored])

    return change


def each(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: np.stack([function(i) for i in images])


def scaled(image: np.ndarray) -> np.ndarray:
    matrix = np.array([[1.04, 0, -0.54], [0, 1.04, -0.54]], np.float32)
    return cv2.warpAffine(image, matrix, (28, 28), borderMode=cv2.BORDER_REPLICATE)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda images: images,
    "mirrored": mirrored,
    "noise of 4 grey levels": noise(4),
    "noise of 10 grey levels": noise(10),
    "stored at twice the size and back": each(
        lambda i: cv2.resize(cv2.resize(i, (56, 56), interpolation=cv2.INTER_CUBIC), (28, 28), interpolation=3)
    ),
    "smoothed by 0.7 px": each(lambda i: cv2.GaussianBlur(i, (0, 0), 0.7)),
    "contrast 0.8, brighter by 20": lambda images: (images * 0.8 + 20).astype(np.uint8),
    "enlarged by 4 %": each(scaled),
    "JPEG quality 90": jpeg(90),
    "JPEG quality 50": jpeg(50),
    "shifted by a pixel": lambda images: np.roll(images, 1, 2),
}


def differing(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the number of differing bits of all pairs."""
    signs = [np.where(bits, 1.0, -1.0) for bits in (one, other)]
    return np.rint((one.shape[1] - signs[0] @ signs[1].T) / 2).astype(int)


def most_alike(images: np.ndarray, apart: np.ndarray) -> float:
    """Return the largest correlation of two clips of different people, mirrored or not."""

    def rows(of: np.ndarray) -> np.ndarray:
        centred = of - of.mean((1, 2), keepdims=True)
        return (centred / np.maximum(centred.std((1, 2), keepdims=True), 1e-9)).reshape(len(of), -1)

    own = rows(images.astype(float))
    return max(float((rows(v.astype(float)) @ own.T / own.shape[1])[apart].max()) for v in (images, mirrored(images)))


def measure(data: Path) -> dict[str, Any]:
    clips = from_flow_images(composite.read(data))
    assert clips.flow is not None
    bits = perceptual_hash(clips.flow)
    apart = clips.subject[:, None] != clips.subject[None]
    allowed = int(bits.shape[1] * SHARE)
    pairs = near_duplicates(clips)
    found: dict[str, Any] = {
        "clips": len(clips),
        "people": len(np.unique(clips.subject)),
        "pairs_of_different_people": int(apart.sum() // 2),
        "bits": int(bits.shape[1]),
        "allowed": allowed,
        "correlation": CORRELATION,
        "most_alike_of_different_people": most_alike(clips.flow, apart),
        "closest_of_different_people": int(differing(bits, bits)[apart].min()),
        "closest_when_one_is_mirrored": int(differing(perceptual_hash(mirrored(clips.flow)), bits)[apart].min()),
        "false_hits_between_people": int((clips.subject[pairs[:, 0]] != clips.subject[pairs[:, 1]]).sum()),
        "copies": {},
    }
    for name, change in CHANGES.items():
        copy = change(clips.flow)
        versions = (copy, mirrored(copy))
        apart_by = np.stack([np.diag(differing(perceptual_hash(v), bits)) for v in versions])
        alike = np.array([[correlation(*pair) for pair in zip(v, clips.flow, strict=True)] for v in versions])
        caught = ((apart_by <= allowed) & (alike >= CORRELATION)).any(0)
        found["copies"][name] = {
            "caught": float(caught.mean()),
            "median_bits": float(np.median(apart_by.min(0))),
            "median_correlation": float(np.median(alike.max(0))),
        }
    return found


def table(found: dict[str, Any]) -> str:
    lines = [
        "# Near-duplicate clips",
        "",
        f"{found['clips']} flow images of {found['people']} people, hashes of {found['bits']} bits; clips are"
        f" near-duplicates where at most {found['allowed']} bits differ and the pixels correlate by at least"
        f" {found['correlation']}. The closest two of different people differ in {found['closest_of_different_people']}"
        f" bits ({found['closest_when_one_is_mirrored']} when one is mirrored), the most alike correlate by"
        f" {found['most_alike_of_different_people']:.2f}: {found['false_hits_between_people']} false hits among"
        f" {found['pairs_of_different_people']:,} pairs.",
        "",
        "| a copy that was changed | caught | bits that differ, median | correlation, median |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {c['caught']:.0%} | {c['median_bits']:.0f} | {c['median_correlation']:.2f} |"
        for name, c in found["copies"].items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "results")
    options = parser.parse_args()
    found = measure(options.data)
    (options.out / "near_duplicates.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    text = table(found)
    (options.out / "near_duplicates.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
