"""Speed and error of every flow method on canonical crops: ``python benchmarks/flow.py``.

Error: mean end-point error in px on smooth random fields of a given peak, warped onto a synthetic skin-like texture of
140 x 170 px; a border of 10 px is left out. Four conditions: ``clean`` (rounding to whole grey levels alone),
``noise`` (sensor noise of 1.5 grey levels), ``h264 weak`` and ``h264 strong`` (the same noise, then H.264 at a rate
factor of 18 or 28, as the first and the last picture of a film in which the movement grows over six frames). Speed:
median milliseconds of one core per pair (processor time, so that other work on the machine counts less).
Writes ``results/flow.json``, ``results/flow.md`` and ``results/flow.png``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from flow_panels import panels_of

from fleeting.faces.align import crop_size
from fleeting.motion.flow import METHODS, dense_flow
from fleeting.video.reader import open_video
from fleeting.video.writer import VideoWriter

PEAKS = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0)
RATE_FACTORS = {"clean": None, "noise": None, "h264 weak": 18, "h264 strong": 28}
CONDITIONS = tuple(RATE_FACTORS)
GROWTH = 6  # frames of the film that is compressed
PAIRS = 12
NOISE = 1.5
BORDER = 10
NOTHING = "no motion"
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


def film(rng: np.random.Generator, peak: float, shares: Sequence[float]) -> tuple[list[np.ndarray], np.ndarray]:
    """Pictures (h, w) float of a moving texture, and the flow from the first to the last.

    Shares of the movement run from 1 to 0: the texture at rest comes last, and every other picture is sampled through
    its share of the field, so the field is exact.
    """
    field = smooth_field(rng, peak)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    rest = texture(rng).astype(np.float32)
    # first(x) = rest(x + field(x)). OpenCV rounds positions to 1/32 px, so the picture is enlarged first: the warp's
    # own error is then below 0.01 px.
    large = cv2.resize(rest, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    pictures = []
    for share in shares:
        x = (columns + share * field[..., 0] + 0.5) * 4 - 0.5
        y = (rows + share * field[..., 1] + 0.5) * 4 - 0.5
        pictures.append(cv2.remap(large, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))
    return pictures, field


def pairs(peak: float, condition: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Two pictures (h, w) uint8 and the flow between them; textures and flows are the same in every condition."""
    rng, sensor = np.random.default_rng(7), np.random.default_rng(8)
    for _ in range(PAIRS):
        shares = np.linspace(1, 0, GROWTH).tolist() if RATE_FACTORS[condition] else (1.0, 0.0)
        pictures, field = film(rng, peak, shares)
        noise = 0.0 if condition == "clean" else NOISE
        seen = [np.clip(np.rint(p + sensor.normal(0, noise, SHAPE)), 0, 255).astype(np.uint8) for p in pictures]
        factor = RATE_FACTORS[condition]
        if factor is not None:
            seen = compressed(seen, factor)
        yield seen[0], seen[-1], field


def compressed(pictures: list[np.ndarray], rate_factor: int) -> list[np.ndarray]:
    """Write pictures as a film and read them again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        with VideoWriter(path, fps=100, size=SHAPE[::-1], crf=rate_factor) as writer:
            for picture in pictures:
                writer.write(picture)
        with open_video(path) as reader:
            return [frame.grey.copy() for frame in reader]


def measure(method: str) -> dict[str, Any]:
    """Errors by condition and peak, and milliseconds."""
    times: list[float] = []
    errors: dict[str, dict[str, float]] = {}
    for condition in CONDITIONS:
        for peak in PEAKS:
            found = []
            for first, second, truth in pairs(peak, condition):
                began = time.process_time()
                flow = np.zeros_like(truth) if method == NOTHING else dense_flow(first, second, method=method)  # type: ignore[arg-type]
                times.append((time.process_time() - began) * 1000)
                found.append(np.linalg.norm(flow - truth, axis=-1)[BORDER:-BORDER, BORDER:-BORDER].mean())
            errors.setdefault(condition, {})[str(peak)] = round(float(np.mean(found)), 4)
        print(method, condition, errors[condition], flush=True)
    return {"ms": round(float(np.median(times)), 2) if method in METHODS else 0.0, "end_point_error_px": errors}


def table(results: dict[str, Any]) -> str:
    """Markdown of the results."""
    lines = [
        "# Dense flow on canonical crops",
        "",
        f"`python benchmarks/flow.py`: mean end-point error in px on {PAIRS} smooth random fields per peak; "
        f"sensor noise {NOISE} grey levels but in `clean`; H.264 at a rate factor of 18 (weak) or 28 (strong); "
        "milliseconds of one core per pair of 140 x 170 px.",
        "",
        "| condition | method | " + " | ".join(f"peak {p} px" for p in PEAKS) + " | ms |",
        "|---" * (len(PEAKS) + 3) + "|",
    ]
    for condition in CONDITIONS:
        for name, result in results.items():
            errors = " | ".join(f"{e:.3f}" for e in result["end_point_error_px"][condition].values())
            lines.append(f"| {condition} | {name} | {errors} | {result['ms']} |")
    return "\n".join(lines) + "\n"


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw the error against the peak, a panel for each condition."""
    about = {"x": "peak of the motion, px", "y": "mean end-point error, px"}
    with panels_of(CONDITIONS, path, legend_size=8, **about) as panels:
        for panel, condition in panels:
            for name, result in results.items():
                style = {"color": "black", "linestyle": ":"} if name == NOTHING else {"marker": "o", "markersize": 4}
                panel.plot(PEAKS, list(result["end_point_error_px"][condition].values()), label=name, **style)
            panel.set_xticks(PEAKS, [f"{p:g}" for p in PEAKS])
            panel.minorticks_off()


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results")
    parser.add_argument("--only", choices=METHODS, help="measure this method anew and keep the others' figures")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    stored = options.out / "flow.json"
    kept = json.loads(stored.read_text(encoding="utf-8")) if options.only else {}
    names = [name for name in (NOTHING, *METHODS) if name not in kept or name == options.only]
    results = kept | {name: measure(name) for name in names}
    stored.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (options.out / "flow.md").write_text(table(results), encoding="utf-8")
    draw(results, options.out / "flow.png")
    print(table(results))


if __name__ == "__main__":
    main()
