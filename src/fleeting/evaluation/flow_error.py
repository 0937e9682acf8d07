"""How far methods of flow are from the truth: ``fleeting evaluate flow``.

Task: from two grey pictures the flow of every pixel. Pairs are those of `synthesis.flow.grid`: movements of five sizes
in four conditions, whose flow is known exactly.

Conventions
- End-point error: length of the difference of two vectors (Baker et al., IJCV 92(1), 2011, section 4.1), in pixels,
  the mean over all pixels and pairs; a border of `BORDER` pixels is left out.
- Error of strain: mean absolute difference of the optical strain (`motion.strain`) of flow and truth, in percent.
- ``none`` is a method that says that nothing moved: who errs more knows nothing of the movement.
- Time: median of the processor's milliseconds for a pair, on one core, the first one left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import SettingsError
from fleeting.files import make_folder, write_text
from fleeting.motion.flow import METHODS, dense_flow
from fleeting.motion.strain import optical_strain
from fleeting.synthesis.flow.grid import CONDITIONS, PEAKS, grid_pairs
from fleeting.synthesis.flow.pairs import Pair
from fleeting.synthesis.flow.portrait import FlowPortrait, flow_portrait

BORDER = 10
NOTHING = "none"
Flow = npt.NDArray[np.float32]
Method = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.uint8]], Flow]


def pair_errors(flow: Flow, truth: Flow) -> tuple[float, float]:
    """End-point error in pixels and error of strain in percent of one flow (h, w, 2)."""
    inner = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    gap = np.hypot(*np.moveaxis(flow - truth, -1, 0))[inner]
    strain = np.abs(optical_strain(flow) - optical_strain(truth))[inner]
    return float(gap.mean()), 100 * float(strain.mean())


def measure(method: Method, grid: Mapping[tuple[str, float], Sequence[Pair]]) -> dict[str, Any]:
    """Errors of a method by condition and size, and its time.

    Parameters
    ----------
    method
        Two pictures (h, w) uint8 to a flow.
    grid
        Pairs by condition and size.

    Returns
    -------
    dict
        ``ms`` (median per pair), ``end_point_error_px`` and ``strain_error_percent``: by condition, then by size.
    """
    times: list[float] = []
    errors: dict[str, dict[str, float]] = {}
    strains: dict[str, dict[str, float]] = {}
    for (condition, peak), pairs in grid.items():
        found = []
        for pair in pairs:
            began = time.process_time()
            flow = method(pair.first, pair.second)
            times.append((time.process_time() - began) * 1000)
            found.append(pair_errors(flow, pair.flow))
        gap, strain = np.mean(found, axis=0)
        errors.setdefault(condition, {})[f"{peak:g}"] = round(float(gap), 4)
        strains.setdefault(condition, {})[f"{peak:g}"] = round(float(strain), 4)
    milliseconds = round(float(np.median(times[1:] or times)), 2)
    return {"ms": milliseconds, "end_point_error_px": errors, "strain_error_percent": strains}


def no_motion(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> Flow:
    """Say that nothing moved."""
    return np.zeros((*first.shape, 2), np.float32)


def method_of(name: str) -> Method:
    """Return a method by name: those of `motion.flow.METHODS`, and ``none``.

    Raises
    ------
    SettingsError
        For an unknown name.
    """
    if name == NOTHING:
        return no_motion
    if name not in METHODS:
        raise SettingsError(f"a flow method ({', '.join(METHODS)})", f"'{name}'", "Choose one of them.")
    return lambda first, second: dense_flow(first, second, method=name)  # type: ignore[arg-type]


def grid_of(
    portraits: Sequence[FlowPortrait], movements: Flow, *, pairs: int, side: int = 160
) -> dict[tuple[str, float], list[Pair]]:
    """Pairs of every condition and size."""
    return {
        (condition, peak): list(
            grid_pairs(portraits, movements, peak=peak, condition=condition, count=pairs, side=side)
        )
        for condition in CONDITIONS
        for peak in PEAKS
    }


def evaluate_flow(method: str, *, pairs: int = 4, out: str | Path | None = None) -> dict[str, Any]:
    """Measure a method on pairs that the package makes of the portrait of its demonstration.

    Nothing was trained on this portrait, but it is one face alone; ``benchmarks/micro_flow.py`` measures on many.

    Parameters
    ----------
    method
        As for `motion.flow.dense_flow`.
    pairs
        Pairs of each condition and size.
    out
        Folder for ``metrics.json``; nothing is written where None.

    Returns
    -------
    dict
        As `measure`, with ``method``, ``pairs`` and, as ``none_px``, the errors of saying that nothing moved.

    Raises
    ------
    SettingsError
        For an unknown method, or no pairs.
    MissingExtraError
        Without scikit-image, whose portrait it is (extra ``demo``).
    OutputError
        Where the disk refuses.
    """
    from fleeting.synthesis import demo

    if pairs < 1:
        raise SettingsError("at least one pair", f"{pairs}", "Raise --pairs.")
    run = method_of(method)
    grey = np.asarray(cv2.cvtColor(demo.portrait(), cv2.COLOR_RGB2GRAY), np.uint8)
    portrait = flow_portrait(grey, demo.PORTRAIT_POINTS, "astronaut", fields=6, seed=(0,))
    grid = grid_of([portrait], np.zeros((0, 28, 28, 2), np.float32), pairs=pairs)
    metrics = {"method": method, "pairs": pairs, **measure(run, grid)}
    metrics["none_px"] = measure(no_motion, grid)["end_point_error_px"]
    if out is not None:
        write_text(make_folder(out) / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


def error_table(metrics: dict[str, Any]) -> str:
    """Lines of text: end-point error by condition and size, the error of saying that nothing moved, and the time."""
    heads = " ".join(f"{f'{p:g} px':>8}" for p in PEAKS)
    lines = [f"{'end-point error, px':22}{heads}"]
    for condition, row in metrics["end_point_error_px"].items():
        lines.append(f"{condition:22}" + " ".join(f"{e:8.3f}" for e in row.values()))
    lines.append(f"{'no motion (clean)':22}" + " ".join(f"{e:8.3f}" for e in metrics["none_px"]["clean"].values()))
    lines += ["", f"{'error of strain, %':22}{heads}"]
    for condition, row in metrics["strain_error_percent"].items():
        lines.append(f"{condition:22}" + " ".join(f"{e:8.3f}" for e in row.values()))
    return "\n".join([*lines, "", f"{metrics['method']}: {metrics['ms']:g} ms per pair of 160 x 160 px on one core"])
