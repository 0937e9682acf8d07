"""Speed and error of every flow method on canonical crops: ``python benchmarks/flow.py``.

Error: mean end-point error in px on smooth random fields of a given peak, warped onto a synthetic skin-like texture of
140 x 170 px with sensor noise of 1.5 grey levels; a border of 10 px is left out. Speed: median milliseconds of one core
per pair (processor time, so that other work on the machine counts less).
Writes ``results/flow.json`` and ``results/flow.md``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from fleeting.faces.align import crop_size
from fleeting.motion.flow import METHODS, dense_flow

PEAKS = (0.1, 0.3, 1.0, 3.0)
PAIRS = 12
NOISE = 1.5
BORDER = 10
SHAPE = crop_size()


def smooth_field(rng: np.random.Generator, peak: float) -> np.ndarray:
    field = cv2.GaussianBlur(rng.normal(size=(*SHAPE, 2)), (0, 0), 15)
    return (field * peak / np.linalg.norm(field, axis=-1).max()).astype(np.float32)


def texture(rng: np.random.Generator) -> np.ndarray:
    # Shading, features and pores: three scales, amplitudes falling with frequency as on skin.
    layers = [a * _unit(cv2.GaussianBlur(rng.normal(size=SHAPE), (0, 0), s)) for a, s in ((28, 16), (12, 4), (5, 1.2))]
    return 128 + np.sum(layers, axis=0)


def _unit(layer: np.ndarray) -> np.ndarray:
    return layer / layer.std()


def pair(rng: np.random.Generator, peak: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two noisy pictures and the flow between them; the first is sampled through the field, so the field is exact."""
    field = smooth_field(rng, peak)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    second = texture(rng).astype(np.float32)
    # first(x) = second(x + field(x)). OpenCV rounds positions to 1/32 px, so the picture is enlarged first: the warp's
    # own error is then below 0.01 px.
    large = cv2.resize(second, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    x, y = ((columns + field[..., 0] + 0.5) * 4 - 0.5), ((rows + field[..., 1] + 0.5) * 4 - 0.5)
    first = cv2.remap(large, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    still = cv2.remap(large, (columns + 0.5) * 4 - 0.5, (rows + 0.5) * 4 - 0.5, cv2.INTER_CUBIC)
    noisy = [np.clip(np.rint(p + rng.normal(0, NOISE, SHAPE)), 0, 255).astype(np.uint8) for p in (first, still)]
    return noisy[0], noisy[1], field


def measure(method: str) -> dict[str, object]:
    errors, times = {}, []
    for peak in PEAKS:
        rng = np.random.default_rng(7)
        found = []
        for _ in range(PAIRS):
            first, second, truth = pair(rng, peak)
            began = time.process_time()
            flow = dense_flow(first, second, method=method)  # type: ignore[arg-type]
            times.append((time.process_time() - began) * 1000)
            error = np.linalg.norm(flow - truth, axis=-1)
            found.append(error[BORDER:-BORDER, BORDER:-BORDER].mean())
        errors[str(peak)] = round(float(np.mean(found)), 4)
    return {"ms": round(float(np.median(times)), 2), "end_point_error_px": errors}


def nothing() -> dict[str, object]:
    errors = {}
    for peak in PEAKS:
        rng = np.random.default_rng(7)
        lengths = [np.linalg.norm(pair(rng, peak)[2], axis=-1)[BORDER:-BORDER, BORDER:-BORDER] for _ in range(PAIRS)]
        errors[str(peak)] = round(float(np.mean(lengths)), 4)
    return {"ms": 0.0, "end_point_error_px": errors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    results = {"no motion": nothing()} | {method: measure(method) for method in METHODS}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "flow.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    lines = [
        "# Dense flow on canonical crops",
        "",
        f"Mean end-point error in px on {PAIRS} smooth random fields per peak, sensor noise {NOISE} grey levels;"
        " milliseconds of one core per pair of 140 x 170 px.",
        "",
        "| method | " + " | ".join(f"peak {p} px" for p in PEAKS) + " | ms |",
        "|---" * (len(PEAKS) + 2) + "|",
    ]
    for name, result in results.items():
        errors = " | ".join(f"{e:.3f}" for e in result["end_point_error_px"].values())  # type: ignore[attr-defined]
        lines.append(f"| {name} | {errors} | {result['ms']} |")
    text = "\n".join(lines) + "\n"
    (options.out / "flow.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
