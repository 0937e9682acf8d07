"""Main directional mean optical flow (MDMO): how each region of the face moves, in two numbers.

Liu, Zhang, Yan, Wang, Zhao, Fu, "A main directional mean optical flow feature for spontaneous micro-expression
recognition", IEEE TAC 7(4), 299-310, 2016. Of each of 36 regions the flow vectors fall into eight bins of direction;
the mean of those in the fullest bin, as length and angle, stands for the region. Averaged over the clip and with
lengths divided by the longest: 36 x 2 = 72 numbers.

Deviations and readings
- Flow runs from the first frame of the clip to each later one, by the package's own method; head motion is taken away
  by `motion.rigid_motion`, where the paper aligns frames by the flow of its own stable regions.
- Regions lie where they are on the canonical crop (`motion.regions.mdmo_regions`), not on landmarks of each clip.
- The bins are centred on right, down-right, down, ... so that a motion along an axis falls into one bin. Vectors of no
  length fall into none. Of two bins that are equally full, the one whose vectors are longer in sum is the main one.
- The mean over frames is that of the vectors, not of their angles: the mean of the angles 179 and -179 degrees is 0.
- The paper weighs lengths against angles; here the recogniser scales every number on its training rows instead.
- `Encoding` ``cartesian`` gives the same vectors as x and y, without the jump of the angle.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError
from fleeting.faces.align import CANONICAL_WIDTH, canonical_points, crop_size
from fleeting.motion.flow_image import CHANNELS, SIZE, expression_flow, standardised
from fleeting.motion.regions import MDMO_NAMES, fill, mdmo_regions
from fleeting.settings import FlowMethod

Encoding = Literal["polar", "cartesian"]

BINS = 8
_STILL = 1e-6
"""Pixels, or standard deviations: shorter vectors have no direction."""


def mdmo(
    clip: npt.NDArray[np.uint8], *, encoding: Encoding = "polar", method: FlowMethod = "dis"
) -> npt.NDArray[np.float32]:
    """Return the feature of a clip.

    Parameters
    ----------
    clip
        (frames, h, w) uint8 grey canonical crops, of which the first shows the face before the movement.
    encoding
        ``polar``: the 36 lengths (the longest is 1), then the 36 angles in radians, 0 to the right of the picture and
        pi / 2 down. ``cartesian``: 36 x, then 36 y.
    method
        As for `motion.flow.dense_flow`.

    Returns
    -------
    (72,) float32
        Regions in the order of `motion.regions.MDMO_NAMES`. A face without any motion is all 0.

    Raises
    ------
    InputError
        For fewer than two frames, or crops that are not of the canonical proportions.
    """
    if clip.ndim != 3 or len(clip) < 2:
        raise InputError("a clip (frames, h, w) of at least 2 frames", f"shape {clip.shape}", "Cut it longer.")
    weights = region_weights(clip.shape[1:3])
    flows = (expression_flow(clip[0], frame, method=method)[0] for frame in clip[1:])
    return encoded(np.mean([main_directions(flow, weights) for flow in flows], axis=0), encoding)


def main_directions(
    flow: npt.NDArray[Any], weights: npt.NDArray[np.float32], *, bins: int = BINS, centred: bool = True
) -> npt.NDArray[np.float64]:
    """Return the mean flow of each region over the vectors in its main direction.

    Parameters
    ----------
    flow
        (h, w, 2) x, y.
    weights
        (regions, h, w), how much of each pixel lies in each region, 0..1.
    bins
        Number of bins of direction.
    centred
        Whether a bin is centred on the direction to the right, or begins there.

    Returns
    -------
    (regions, 2) float64
        Unit of `flow`; 0 for a region without motion.
    """
    vectors = np.asarray(flow, np.float64).reshape(-1, 2)
    length = np.hypot(vectors[:, 0], vectors[:, 1])
    turn = np.arctan2(vectors[:, 1], vectors[:, 0]) / (2 * np.pi) * bins + (0.5 if centred else 0.0)
    member = np.zeros((len(vectors), bins))
    moving = np.flatnonzero(length > _STILL)
    member[moving, np.floor(turn[moving]).astype(int) % bins] = 1
    flat = weights.reshape(len(weights), -1).astype(np.float64)
    count = flat @ member
    summed = flat @ (member * length[:, None])
    # Fullest first, then longest; float sums of equal weights may differ in the last digits.
    fullest = count >= count.max(1, keepdims=True) * (1 - 1e-9)
    main = np.where(fullest, summed, -1.0).argmax(1)
    chosen = np.arange(len(weights))
    total = np.stack([(flat @ (member * vectors[:, i : i + 1]))[chosen, main] for i in range(2)], 1)
    return np.asarray(total / np.maximum(count[chosen, main], 1e-12)[:, None], np.float64)


def encoded(vectors: npt.NDArray[np.float64], encoding: Encoding) -> npt.NDArray[np.float32]:
    """Return the (72,) feature of (36, 2) mean vectors, the longest made 1 long."""
    length = np.hypot(vectors[:, 0], vectors[:, 1])
    longest = float(length.max())
    if longest <= _STILL:
        return np.zeros(2 * len(vectors), np.float32)
    if encoding == "cartesian":
        return np.asarray(vectors.T / longest, np.float32).ravel()
    angle = np.where(length > _STILL, np.arctan2(vectors[:, 1], vectors[:, 0]), 0.0)
    return np.concatenate([length / longest, angle]).astype(np.float32)


def flow_image_directions(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the like of MDMO for a flow image, whose u and v have lost their zero and their scale.

    Each channel of a flow image was stretched to 0..255 by itself. Its median stands for no motion; but u and v were
    stretched differently, so an angle is lost, and only its quadrant is left: a motion that was up and to the right
    still is. So the main direction is one of four, and the mean of u and of v in it, each in standard deviations of its
    channel over the image, stands for the region.

    Parameters
    ----------
    image
        (28, 28, 3) uint8 (`motion.flow_image`).

    Returns
    -------
    (72,) float32
        36 times u, then 36 times v.

    Raises
    ------
    InputError
        For another shape.
    """
    if image.shape != (SIZE, SIZE, 3):
        raise InputError(f"a flow image ({SIZE}, {SIZE}, 3)", f"shape {image.shape}", "Make it with flow_image.")
    values = standardised(image[None])[0]
    flow = values[..., [CHANNELS.index("u"), CHANNELS.index("v")]]
    vectors = main_directions(flow, region_weights((SIZE, SIZE)), bins=4, centred=False)
    return np.asarray(vectors.T, np.float32).ravel()


@lru_cache(maxsize=4)
def region_weights(shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return how much of each pixel lies in each of the 36 regions.

    Parameters
    ----------
    shape
        (h, w) of a canonical crop, or of a flow image, to which the crop was squeezed.

    Returns
    -------
    (36, h, w) float32, read-only
        0 or 1 on a crop; shares on a flow image, where some regions are smaller than a pixel.

    Raises
    ------
    InputError
        For other proportions.
    """
    squeezed = tuple(shape) == (SIZE, SIZE)
    width = CANONICAL_WIDTH if squeezed else shape[1]
    size = crop_size(width)
    if not squeezed and size != tuple(shape):
        raise InputError(
            f"a canonical crop, {size[0]} px high at a width of {width}", f"{shape[0]} px", "Cut it with align."
        )
    weights = np.stack([fill(p, size) for p in mdmo_regions(canonical_points(width))]).astype(np.float32)
    if squeezed:
        weights = np.stack([cv2.resize(w, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for w in weights])
    if not weights.reshape(len(MDMO_NAMES), -1).any(1).all():
        raise InputError("a crop large enough for every region", f"{shape[1]} px wide", "Cut it larger.")
    weights.setflags(write=False)
    return weights
