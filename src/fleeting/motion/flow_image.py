"""The flow image: the recogniser's input, in the form of the public composite set (MEGC 2019).

Liong et al., "Shallow triple stream three-dimensional CNN (STSTNet) for micro-expression recognition", FG 2019: flow
from onset to apex on a face crop of 170 x 140 pixels, with u, v and optical strain as the three channels of a 28 x 28
image. In the stored images channel 0 is strain, 1 is v, 2 is u, and every channel of every image reaches from exactly 0
to exactly 255: so the range is stretched after the image is made small, and no motion is not 128 but differs per image.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError
from fleeting.faces.align import crop_size
from fleeting.motion.flow import dense_flow
from fleeting.motion.rigid_motion import RigidMotion, estimate_rigid
from fleeting.motion.strain import optical_strain
from fleeting.settings import FlowMethod

SIZE = 28
CHANNELS: tuple[str, ...] = ("strain", "v", "u")


def flow_image(flow: npt.NDArray[np.float32], *, size: int = SIZE) -> npt.NDArray[np.uint8]:
    """Return a flow on the canonical crop as a flow image.

    Parameters
    ----------
    flow
        (h, w, 2) float32 pixels, onset to apex, head motion removed (`expression_flow`).
    size
        Side of the image in pixels.

    Returns
    -------
    (size, size, 3) uint8
        Channels as in `CHANNELS`, averaged over the pixels that fall together, then each stretched to 0..255. A channel
        without any motion is all 0.

    Raises
    ------
    InputError
        Where `flow` is no (h, w, 2) array, is smaller than the image, or holds values that are not finite.
    """
    if flow.ndim != 3 or flow.shape[2] != 2 or min(flow.shape[:2]) < size or not np.isfinite(flow).all():
        raise InputError(
            f"a finite flow (h, w, 2) of at least {size} x {size}",
            f"shape {flow.shape}" + ("" if np.isfinite(flow).all() else " with values that are not finite"),
            "Pass the output of dense_flow on a canonical crop.",
        )
    channels = (optical_strain(flow), flow[..., 1], flow[..., 0])
    return np.stack([_stretched(cv2.resize(c, (size, size), interpolation=cv2.INTER_AREA)) for c in channels], -1)


def _stretched(channel: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    low, high = float(channel.min()), float(channel.max())
    if high - low < 1e-9:
        return np.zeros(channel.shape, np.uint8)
    stretched: npt.NDArray[np.uint8] = np.rint((channel - low) * (255.0 / (high - low))).astype(np.uint8)
    return stretched


def mirrored(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the flow images of the mirrored faces.

    The picture is flipped and u changes its sign. Since every channel reaches from 0 to 255, the opposite of u is
    255 - u, whatever value stands for no motion.

    Parameters
    ----------
    images
        (..., h, w, 3) uint8, channels as in `CHANNELS`.
    """
    flipped = np.array(images[..., :, ::-1, :])
    flipped[..., 2] = 255 - flipped[..., 2]
    return flipped


def expression_flow(
    onset: npt.NDArray[np.uint8], apex: npt.NDArray[np.uint8], *, method: FlowMethod = "dis"
) -> tuple[npt.NDArray[np.float32], RigidMotion]:
    """Return the flow between two canonical crops without the head's motion, and that motion.

    Parameters
    ----------
    onset, apex
        (h, w) grey canonical crops (`faces.align.align`), both cut with the same transform: a second fit to raw
        landmarks would add their jitter to the motion.
    method
        As for `dense_flow`.

    Returns
    -------
    flow
        (h, w, 2) float32 pixels of the crop.
    head
        The motion that was taken away, as `motion.registration` does in the analysis of a video.

    Raises
    ------
    InputError
        As `dense_flow`; and where the crop is not of the canonical proportions.
    """
    height, width = onset.shape[:2]
    if crop_size(width)[0] != height:
        raise InputError(
            f"a canonical crop, {crop_size(width)[0]} px high at a width of {width}",
            f"{height} px",
            "Cut it with faces.align.align.",
        )
    flow = dense_flow(onset, apex, method=method)
    head = estimate_rigid(flow)
    return np.asarray(flow - head.displacement(width), np.float32), head


def standardised(images: npt.NDArray[np.uint8], *, limit: float = 3.0) -> npt.NDArray[np.float32]:
    """Return flow images without the accidents of their stretching.

    Per image and channel: minus the median (what no motion became), divided by the standard deviation, cut off at
    `limit` so that a few wild flow vectors at the border of a face do not count for more than its expression.

    Parameters
    ----------
    images
        (n, h, w, 3) uint8.
    limit
        In standard deviations.

    Returns
    -------
    (n, h, w, 3) float32
        A channel without motion is all 0.
    """
    centred = images.astype(np.float32) - np.median(images, axis=(1, 2), keepdims=True).astype(np.float32)
    spread = centred.std(axis=(1, 2), keepdims=True)
    return np.asarray(np.clip(centred / np.maximum(spread, 1e-3), -limit, limit), np.float32)
