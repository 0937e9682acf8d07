"""From the crops of a clip to what networks of sequences read: one length, square pictures, grey or flow, 8 bits.

Training and the analysis of a video both come through here.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError, SettingsError
from fleeting.faces.align import crop_size
from fleeting.motion.flow import dense_flow
from fleeting.motion.interpolation import interpolate
from fleeting.settings import FlowMethod

KINDS: tuple[str, ...] = ("grey", "change", "flow")
"""``change`` is stored as ``grey`` is: the network takes the difference."""

CROP_WIDTH = 112
"""Largest width of the crops that a clip is made of."""


def clip_input(
    crops: npt.NDArray[np.uint8],
    *,
    kind: str,
    length: int,
    side: int,
    width: int = CROP_WIDTH,
    method: FlowMethod = "dis",
) -> npt.NDArray[np.uint8]:
    """Return a clip as networks of sequences read it.

    Parameters
    ----------
    crops
        (t, h, w) uint8 grey canonical crops from onset to offset, the head held still.
    kind
        One of `KINDS`.
    length
        Frames wanted, by temporal interpolation.
    side
        Height and width of the pictures; the crop of 170 x 140 is squeezed to a square.
    width
        Wider crops are reduced to this, also before flow is measured: a network must be given crops of the width that
        it was trained on, for small crops show less of a small movement.
    method
        Of the flow from the onset to each frame.

    Returns
    -------
    (channels, length, side, side) uint8
        ``grey``, ``change``: the pictures. ``flow``: u and v, 128 for no motion, 127 steps for the clip's largest
        displacement (its 99.9th percentile).

    Raises
    ------
    InputError
        For a clip without frames, of another type, or not of the canonical proportions.
    SettingsError
        For an unknown kind.
    """
    if kind not in KINDS:
        raise SettingsError(f"a kind of input ({', '.join(KINDS)})", repr(kind), "Choose one of them.")
    if crops.dtype != np.uint8 or crops.ndim != 3 or not len(crops) or crop_size(crops.shape[2])[0] != crops.shape[1]:
        raise InputError(
            "canonical crops (t, h, w) uint8, at least 1",
            f"{crops.dtype} {crops.shape}",
            "Cut them with faces.align.align.",
        )
    if crops.shape[2] > width:
        size = crop_size(width)[::-1]
        crops = np.stack([cv2.resize(c, size, interpolation=cv2.INTER_AREA) for c in crops]).astype(np.uint8)
    frames = np.clip(np.rint(interpolate(crops, length)), 0, 255).astype(np.uint8)
    return _flow(frames, side, method) if kind == "flow" else _square(frames, side)[None]


def _square(frames: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    shrink = side < frames.shape[2]
    how = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    return np.stack([cv2.resize(f, (side, side), interpolation=how) for f in frames]).astype(np.uint8)


def _flow(frames: npt.NDArray[np.uint8], side: int, method: FlowMethod) -> npt.NDArray[np.uint8]:
    still = np.zeros((*frames.shape[1:], 2), np.float32)
    flows = [still, *(dense_flow(frames[0], frame, method=method) for frame in frames[1:])]
    return coded_flow(np.stack([cv2.resize(f, (side, side), interpolation=cv2.INTER_AREA) for f in flows]))


def coded_flow(flow: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Return flow (t, h, w, 2) as 8-bit channels (2, t, h, w), see `clip_input`."""
    largest = max(float(np.percentile(np.abs(flow), 99.9)), 1e-6)
    coded = np.clip(np.rint(128 + 127 * flow / largest), 1, 255).astype(np.uint8)
    return np.asarray(coded.transpose(3, 0, 1, 2))
