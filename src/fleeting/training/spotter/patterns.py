"""Patterns: what a movement does to the cells of a face, from synthetic films and from real micro-expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.datasets import composite
from fleeting.faces.align import CANONICAL_WIDTH, canonical_points, crop_size
from fleeting.motion.image_directions import centred_flow
from fleeting.records import REGIONS
from fleeting.settings import SpottingSettings
from fleeting.spotting.cells import CELL_REGION, cell_weights, cells_of, columns_and_rows
from fleeting.spotting.run_signals import Runs, noise_of
from fleeting.training.people import Part, part_of
from fleeting.training.spotter.films import MeasuredFilm

CLEAR = 10.0
"""An expression serves as a pattern where it stood out of the noise so far."""

LOWER = [name in ("left_mouth_corner", "right_mouth_corner", "upper_lip", "lower_lip", "chin") for name in CELL_REGION]

_LIDS = np.array([name in ("left_lid", "right_lid") for name in CELL_REGION])

FLOW_DATASETS = ("samm", "smic")
"""Not CASME II: its people check the spotter elsewhere."""

STILL = 0.25
"""Of a flow image, what moves less than this share of the strongest cell is taken for its noise."""

ONE_SIDED, MOUTH_ALONE = 0.35, 0.25
"""Share of the draws in which half of a pattern is kept, and in which only its mouth is."""

MIDLINE_SHARE = 0.6
RATIO = 0.4
"""Standard deviation of the logarithm of an error of the size of x against y: the strain tells it roughly."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Displacement (c, 2) of every cell per unit of an expression's peak, percent of the inter-ocular distance."""

    cells: npt.NDArray[np.float64]
    sure: bool = True
    """False where the size of x against y is only known roughly."""

    def mirrored(self) -> Pattern:
        """Return the pattern of the other side of the face."""
        return Pattern(self.cells[MIRROR_CELLS] * np.array([-1.0, 1.0]), self.sure)

    @property
    def lower(self) -> bool:
        """Whether it is the mouth that moves most."""
        size = np.linalg.norm(self.cells, axis=1)
        return bool(LOWER[int(np.argmax(size))])


def patterns_of(films: Sequence[MeasuredFilm], settings: SpottingSettings) -> list[Pattern]:
    """Take a pattern from every micro-expression that is seen clearly."""
    found = []
    for film in films:
        rows = [r for r in film.truth if r.kind == "micro" and r.peak_percent_iod > 0]
        runs = Runs(film.measured, settings)
        noise = noise_of(runs)
        for row in rows:
            for run in runs:
                at = int(np.argmin(np.abs(run.grid - row.apex_s)))
                blinks = any(a < row.offset_s and row.onset_s < b for a, b in film.spans("blink"))
                if not run.grid[0] <= row.onset_s <= row.offset_s <= run.grid[-1] or blinks:
                    continue
                moved = run.quick[at]
                if (np.linalg.norm(moved, axis=1) / noise).max() >= CLEAR:
                    found.append(Pattern(moved / row.peak_percent_iod))
    return found


def flow_patterns(path: Path, part: Part) -> list[Pattern]:
    """Patterns of real micro-expressions from their flow images, the strongest cell 1.

    A flow image has lost its size, its zero and the size of x against y; `motion.image_directions` says how much of
    that can be told.

    Parameters
    ----------
    path
        As `datasets.composite` reads it; clips of `FLOW_DATASETS` are taken.
    part
        Whose: those of training, of validation or of test people.
    """
    images = composite.read(path)
    people = flow_people(images, part)
    patterns = []
    for flow, subject in zip(images.flow, images.subject.tolist(), strict=True):
        if subject not in people:
            continue
        moved = _image_weights() @ centred_flow(flow).reshape(-1, 2).astype(np.float64)
        moved -= np.median(moved, axis=0)
        size = np.linalg.norm(moved, axis=1, keepdims=True)
        # Lids that move more than all else are a blink or a look aside.
        moved[_LIDS] *= np.minimum(1, size[~_LIDS].max() / np.maximum(size[_LIDS], 1e-9))
        size = np.linalg.norm(moved, axis=1, keepdims=True)
        moved *= np.maximum(size - STILL * size.max(), 0) / np.maximum(size, 1e-9)
        patterns.append(Pattern(moved / np.linalg.norm(moved, axis=1).max(), sure=False))
    return patterns


def flow_people(images: composite.FlowImages, part: Part) -> list[str]:
    """Return the subjects of `FLOW_DATASETS` in one part of the people, in order of their names."""
    subjects = set(images.subject.tolist())
    return sorted(s for s in subjects if s.partition("/")[0] in FLOW_DATASETS and part_of(s) == part)


def drawn(patterns: Sequence[Pattern], rng: np.random.Generator) -> Pattern:
    """One of the patterns, perhaps mirrored, perhaps of one side or of the mouth alone."""
    pattern = patterns[int(rng.integers(len(patterns)))]
    pattern = pattern.mirrored() if rng.random() < 0.5 else pattern
    cells = pattern.cells
    if not pattern.sure:
        cells = cells * np.exp(rng.normal(0, RATIO, 2) * np.array([0.5, -0.5]))
    if rng.random() < ONE_SIDED:
        kept = cells * _half()[:, None]
        # Keep the half only where it is the one that moves.
        if np.linalg.norm(kept, axis=1).max() >= 0.5 * np.linalg.norm(cells, axis=1).max():
            cells = kept
    if rng.random() < MOUTH_ALONE:
        kept = cells * np.array(LOWER)[:, None]
        if np.linalg.norm(kept, axis=1).max() >= 0.5 * np.linalg.norm(cells, axis=1).max():
            cells = kept
    if not pattern.sure:
        cells = cells / max(float(np.linalg.norm(cells, axis=1).max()), 1e-9)
    return Pattern(cells, pattern.sure)


@lru_cache(maxsize=1)
def _image_weights() -> npt.NDArray[np.float64]:
    """(c, 28 * 28) weights of the pixels of a flow image, to which the canonical crop was squeezed."""
    shape = crop_size(CANONICAL_WIDTH)
    weights = cell_weights(canonical_points(CANONICAL_WIDTH), shape).reshape(len(CELL_REGION), *shape)
    small = np.stack([cv2.resize(w, (28, 28), interpolation=cv2.INTER_AREA) for w in weights]).astype(np.float64)
    flat = small.reshape(len(small), -1)
    return np.asarray(flat / np.maximum(flat.sum(axis=1, keepdims=True), 1e-12))


@lru_cache(maxsize=1)
def _half() -> npt.NDArray[np.float64]:
    """(c,) 1 on the left of the picture, less at the midline, 0 on the right."""
    points = canonical_points(CANONICAL_WIDTH)
    shape = crop_size(CANONICAL_WIDTH)
    weights = cell_weights(points, shape).reshape(len(CELL_REGION), *shape)
    across = (weights.sum(axis=1) * np.arange(shape[1])).sum(axis=1)
    middle = float(points[27:31, 0].mean())
    width = 0.04 * shape[1]
    return np.asarray(np.clip(0.5 - (across - middle) / (2 * width), 0, 1) ** MIDLINE_SHARE, np.float64)


def _mirror_cells() -> list[int]:
    """Cell of the mirrored face for each cell: columns of a region are numbered from the picture's left."""
    swap = {"left": "right", "right": "left"}
    order = [0] * len(CELL_REGION)
    for name in REGIONS:
        side, _, rest = name.partition("_")
        other = f"{swap[side]}_{rest}" if side in swap else name
        columns, rows = columns_and_rows(name)
        own, theirs = cells_of(name), cells_of(other)
        for column in range(columns):
            for row in range(rows):
                order[own[column * rows + row]] = theirs[(columns - 1 - column) * rows + row]
    return order


MIRROR_CELLS = _mirror_cells()
