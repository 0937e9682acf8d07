"""From a decoded picture to grey and RGB values.

Grey is the luma plane itself, widened to full range (ITU-R BT.601-7 and BT.709-6: 8-bit black at 16, white at 235); a
way through RGB would cost several times as much and add roundings. Deeper samples are rounded to 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.video.orientation import Orientation

Image = npt.NDArray[np.uint8]

UNSPECIFIED, LIMITED, FULL = 0, 1, 2
"""FFmpeg's numbers of colour ranges."""

BT709, BT601, UNSPECIFIED_SPACE = 1, 5, 2
"""FFmpeg's numbers of colour spaces."""

EXACT_CONVERSION = 0x2 | 0x2000 | 0x40000
"""FFmpeg's bilinear scaling with colour at full width and exact rounding; its quick way is darker by a grey level."""

LUMA_FIRST = ("yuv4", "yuvj4", "yuva4", "nv12", "nv21", "nv16", "nv24", "gray")
"""Pixel formats whose first plane is luma alone."""

NOT_LUMA = ("gray16be", "grayf32le", "grayf32be", "grayf16le", "grayf16be")


@dataclass(frozen=True, slots=True)
class Display:
    """How the pictures of a stream are to be shown.

    Attributes
    ----------
    width, height
        Pixels to which stored pictures are scaled before they are turned; other than stored where pixels are not
        square or where the size changes within the stream.
    orientation
        The turn.
    """

    width: int
    height: int
    orientation: Orientation


class DecodedPicture:
    """A picture that FFmpeg has decoded.

    Parameters
    ----------
    frame
        An ``av.VideoFrame``.
    display
        How it is to be shown.
    """

    def __init__(self, frame: Any, display: Display) -> None:
        self._frame, self._display = frame, display

    def grey(self) -> Image:
        """(h, w) uint8, as shown."""
        luma = luma_plane(self._frame)
        if luma is None:
            return self._shown(np.asarray(cv2.cvtColor(to_rgb(self._frame), cv2.COLOR_RGB2GRAY), np.uint8))
        return self._shown(luma)

    def rgb(self) -> Image:
        """(h, w, 3) uint8 RGB, as shown."""
        return self._shown(to_rgb(self._frame))

    def _shown(self, image: Image) -> Image:
        size = (self._display.width, self._display.height)
        if image.shape[1::-1] != size:
            shrinks = image.shape[1] > size[0]
            resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
            image = np.asarray(resized, np.uint8)
        return self._display.orientation.apply(image)


def luma_plane(frame: Any) -> Image | None:
    """Return the luma of a decoded picture as (h, w) uint8 of full range, or None where no plane is luma alone."""
    name = frame.format.name
    if not name.startswith(LUMA_FIRST) or name in NOT_LUMA or name.endswith("be"):
        return None
    bits = frame.format.components[0].bits
    plane = frame.planes[0]
    sample = np.dtype(np.uint8 if bits <= 8 else "<u2")
    rows = np.frombuffer(plane, sample).reshape(-1, plane.line_size // sample.itemsize)
    stored: npt.NDArray[Any] = rows[: frame.height, : frame.width]
    table = _to_full_range(bits, _is_full_range(frame))
    if table is None:
        return np.ascontiguousarray(stored)
    if bits <= 8:
        return np.asarray(cv2.LUT(stored, table), np.uint8)
    return np.asarray(table[stored], np.uint8)


def _is_full_range(frame: Any) -> bool:
    name = frame.format.name
    if name.startswith("yuvj"):
        return True
    if frame.color_range == UNSPECIFIED:
        return bool(name.startswith("gray"))
    return bool(frame.color_range == FULL)


@lru_cache(maxsize=8)
def _to_full_range(bits: int, full: bool) -> Image | None:
    """Table from stored samples to 0..255; None where they are that already."""
    if bits == 8 and full:
        return None
    samples = np.arange(1 << bits, dtype=np.float64)
    low, span = (0.0, (1 << bits) - 1.0) if full else (16.0 * 2 ** (bits - 8), 219.0 * 2 ** (bits - 8))
    return np.clip(np.rint((samples - low) * 255.0 / span), 0, 255).astype(np.uint8)


def to_rgb(frame: Any) -> Image:
    """Return a decoded picture as (h, w, 3) uint8 RGB; YUV without a named colour space is BT.709 from 720 lines on."""
    space: int | None = None
    if frame.format.name.startswith(("yuv", "nv", "p0")) and frame.colorspace == UNSPECIFIED_SPACE:
        space = BT709 if frame.height >= 720 else BT601
    converted = frame.reformat(
        format="rgb24", src_colorspace=space, dst_color_range=FULL, interpolation=EXACT_CONVERSION
    )
    plane = converted.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return np.ascontiguousarray(rows[: frame.height, : frame.width * 3].reshape(frame.height, frame.width, 3))
