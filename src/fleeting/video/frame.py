"""One picture of a video."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


class Picture(Protocol):
    """A stored picture that can be turned into grey and colour values."""

    def grey(self) -> Image:
        """(h, w) uint8, as shown."""
        ...

    def rgb(self) -> Image:
        """(h, w, 3) uint8 RGB, as shown."""
        ...


class ArrayPicture:
    """A picture that is already an array: (h, w) grey or (h, w, 3) RGB, uint8."""

    def __init__(self, image: Image) -> None:
        self._image = image

    def grey(self) -> Image:
        """(h, w) uint8; luma of BT.601 for colour."""
        return self._image if self._image.ndim == 2 else _uint8(cv2.cvtColor(self._image, cv2.COLOR_RGB2GRAY))

    def rgb(self) -> Image:
        """(h, w, 3) uint8."""
        return self._image if self._image.ndim == 3 else np.repeat(self._image[:, :, None], 3, axis=2)


class Frame:
    """One presented picture with its place in time.

    Its values are computed when they are first asked for, and kept. A frame holds its own decoded picture and nothing
    else of the decoder, so memory grows only with the frames that are kept.

    Attributes
    ----------
    index
        Counted from 0 in order of presentation.
    time_s
        Seconds from the first presented frame.
    """

    __slots__ = ("_grey", "_picture", "_rgb", "index", "time_s")

    def __init__(self, index: int, time_s: float, picture: Picture | Image) -> None:
        self.index = index
        self.time_s = time_s
        self._picture: Picture = ArrayPicture(picture) if isinstance(picture, np.ndarray) else picture
        self._grey: Image | None = None
        self._rgb: Image | None = None

    @property
    def grey(self) -> Image:
        """(h, w) uint8 grey, 0 black to 255 white, turned as shown."""
        if self._grey is None:
            self._grey = self._picture.grey()
        return self._grey

    @property
    def rgb(self) -> Image:
        """(h, w, 3) uint8 RGB, turned as shown."""
        if self._rgb is None:
            self._rgb = self._picture.rgb()
        return self._rgb

    def __repr__(self) -> str:
        return f"Frame(index={self.index}, time_s={self.time_s:.6f})"


def _uint8(image: object) -> Image:
    return np.asarray(image, np.uint8)
