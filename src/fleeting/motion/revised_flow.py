"""The revised flow of a clip: what a whole film of flow says, in a few numbers.

After Li, Yu, Kurihara, Zhang, Zhan, "Deep convolutional neural network with optical flow for facial micro-expression
recognition", J. Circuits, Systems and Computers 29(1), 2050006, 2019: the flow of a clip is large and redundant, so it
is revised into a short feature.

Deviations and readings
- The paper does not print its feature. Here the head's motion is taken away (`motion.rigid_motion`), the face is
  divided into the 36 regions of MDMO (`motion.regions.mdmo_regions`), the main direction of each is kept
  (`motion.mdmo`), and the vectors are averaged from the onset to the apex.
- Of a clip up to `FRAMES` frames are looked at, evenly spread: flow from the first one to each of the others.
- Where the apex is not known it is the frame in which the regions moved furthest.
- Lengths are divided by the longest of the clip, as in MDMO: who films larger does not mean another emotion.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError, SettingsError
from fleeting.faces.align import crop_size
from fleeting.motion.flow import dense_flow
from fleeting.motion.mdmo import main_directions, region_weights
from fleeting.motion.rigid_motion import estimate_rigid
from fleeting.settings import FlowMethod

Layout = Literal["regions", "grid"]
Flow = npt.NDArray[np.float32]
Vectors = npt.NDArray[np.float32]

FRAMES = 9
GRID = (6, 6)
"""Rows and columns of the layout ``grid``: as many cells as there are regions."""

SHRINK = 2
"""Flow is measured at full resolution and kept, averaged, at a half of it where that is at least `LEAST_WIDTH` wide."""

LEAST_WIDTH = 56


def clip_flow(clip: npt.NDArray[np.uint8], *, method: FlowMethod = "dis", frames: int = FRAMES) -> Flow:
    """Flow from the first frame of a clip to later ones.

    Parameters
    ----------
    clip
        (t, h, w) uint8 grey canonical crops, of which the first shows the face before the movement.
    method
        As for `motion.flow.dense_flow`.
    frames
        How many frames are looked at, the first one included.

    Returns
    -------
    (frames - 1, h', w', 2) float32
        Pixels of the kept resolution; fewer where the clip has fewer frames.

    Raises
    ------
    InputError
        For fewer than two frames, or crops that are not of the canonical proportions.
    SettingsError
        For fewer than two frames asked for.
    """
    if clip.ndim != 3 or len(clip) < 2:
        raise InputError("a clip (t, h, w) of at least 2 frames", f"shape {clip.shape}", "Cut it longer.")
    if frames < 2:
        raise SettingsError("at least 2 frames", f"{frames}", "Raise frames.")
    height, width = clip.shape[1:]
    if crop_size(width)[0] != height:
        raise InputError(
            f"a canonical crop, {crop_size(width)[0]} px high at a width of {width}",
            f"{height} px",
            "Cut it with align.",
        )
    chosen = np.unique(np.linspace(0, len(clip) - 1, min(frames, len(clip))).round().astype(int))[1:]
    kept = width // SHRINK if width // SHRINK >= LEAST_WIDTH else width
    size = crop_size(kept)
    flows = []
    for index in chosen:
        flow = dense_flow(clip[0], clip[index], method=method)
        flows.append(cv2.resize(flow, size[::-1], interpolation=cv2.INTER_AREA) * np.float32(kept / width))
    return np.asarray(flows, np.float32)


def without_head(flows: Flow) -> Flow:
    """Flow (t, h, w, 2) of canonical crops without the head's own motion in each frame."""
    width = flows.shape[2]
    return np.stack([flow - estimate_rigid(flow).displacement(width) for flow in flows]).astype(np.float32)


def region_vectors(flows: Flow, *, layout: Layout = "regions") -> Vectors:
    """Mean flow of each region in its main direction.

    Parameters
    ----------
    flows
        (t, h, w, 2) of canonical crops, or of flow images.
    layout
        ``regions``: the 36 of MDMO. ``grid``: as many equal cells.

    Returns
    -------
    (t, 36, 2) float32
        Unit of `flows`.
    """
    shape = (flows.shape[1], flows.shape[2])
    weights = region_weights(shape) if layout == "regions" else grid_weights(shape)
    return np.stack([main_directions(flow, weights) for flow in flows]).astype(np.float32)


def grid_weights(shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Cells (36, h, w) of a grid over the whole crop, 0 or 1."""
    rows = np.minimum(np.arange(shape[0]) * GRID[0] // shape[0], GRID[0] - 1)
    columns = np.minimum(np.arange(shape[1]) * GRID[1] // shape[1], GRID[1] - 1)
    cell = rows[:, None] * GRID[1] + columns[None, :]
    return np.asarray(np.arange(GRID[0] * GRID[1])[:, None, None] == cell, np.float32)


def towards_apex(vectors: Vectors, *, apex: int | None = None) -> Vectors:
    """Mean over the frames from the onset to the apex, lengths divided by the longest.

    Parameters
    ----------
    vectors
        (t, regions, 2).
    apex
        Place of the apex; the frame of the longest vectors in sum where None.

    Returns
    -------
    (regions, 2) float32
        The longest has length 1; all 0 where nothing moved.
    """
    if apex is None:
        apex = int(np.linalg.norm(vectors, axis=-1).sum(1).argmax())
    mean = vectors[: apex + 1].mean(0)
    longest = float(np.linalg.norm(mean, axis=-1).max())
    return np.asarray(mean / longest if longest > 1e-6 else np.zeros_like(mean), np.float32)
