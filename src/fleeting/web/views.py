"""A frame as it is shown: whole, the face upright and held still, or the face with its movements enlarged."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.align import CANONICAL_HEIGHT, CANONICAL_WIDTH, align, crop_size
from fleeting.motion.magnification import Magnifier
from fleeting.motion.registration import compose
from fleeting.video.stream import VideoReader

QUALITY = 90
"""Of the JPEG pictures that are sent."""

AROUND = 1.45
"""Width of the face view over that of the canonical crop, so that hair, ears and chin are in it."""

FACE_WIDTH = 420
"""Pixels of the face view."""

ENLARGED_WIDTH = 280
"""Pixels of the enlarged view; its time to be made grows with the square."""

BLOCK_S, WARM_S = 1.0, 0.5
"""Movements are enlarged in blocks of so long, each begun so much earlier, so that a frame looks the same however it
was reached."""

BAND_HZ = (0.5, 10.0)

FACTORS = (2.0, 20.0)
"""Least and most enlargement."""

NEAR_S = 0.5
"""Where a face is out of sight, its place of so long ago still holds."""

Picture = npt.NDArray[np.uint8]
Places = npt.NDArray[np.floating]


def encode(picture: Picture) -> bytes:
    """Return a (h, w, 3) RGB picture as a JPEG file."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"Expected a picture that JPEG can hold; got shape {picture.shape}.")
    return bytes(data)


def whole(picture: Picture, width: int | None) -> Picture:
    """Return a frame at most so wide."""
    if width is None or width >= picture.shape[1]:
        return picture
    size = (width, max(round(picture.shape[0] * width / picture.shape[1]), 1))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def padded(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return a picture of exactly this width and height: its last row and column are repeated where it is smaller."""
    down, right = size[1] - picture.shape[0], size[0] - picture.shape[1]
    return np.ascontiguousarray(np.pad(picture, ((0, max(down, 0)), (0, max(right, 0)), (0, 0)), mode="edge"))


def place_at(places: Places, index: int, fps: float) -> Places | None:
    """Return (2, 3) where a face is in a frame, or was within `NEAR_S` of it; None where it is nowhere near."""
    near = max(round(NEAR_S * fps), 1)
    first = max(index - near, 0)
    seen = np.flatnonzero(np.isfinite(places[first : index + near + 1, 0, 0])) + first
    return None if len(seen) == 0 else np.asarray(places[seen[np.argmin(np.abs(seen - index))]], np.float64)


def face(picture: Picture, place: Places, crop_width: int, *, width: int = FACE_WIDTH) -> Picture:
    """Return the face of a frame, upright and where it stands in all frames.

    Parameters
    ----------
    picture
        (h, w, 3) RGB.
    place
        (2, 3) from the frame to the canonical crop.
    crop_width
        Of that crop, in pixels.
    width
        Of the result; its height is 170/140 of it.
    """
    scale = width / (crop_width * AROUND)
    height = crop_size(width)[0]
    tall = crop_width * CANONICAL_HEIGHT / CANONICAL_WIDTH
    # Forehead and hair need more room than the chin.
    wider = np.array([[scale, 0, 0.5 * (width - scale * crop_width)], [0, scale, 0.58 * (height - scale * tall)]])
    return align(picture, compose(wider, place), width=width)


@dataclass(slots=True)
class _Block:
    frames: Iterator[tuple[int, Picture]]
    done: dict[int, Picture]


class Enlarged:
    """The enlarged views of one film and face: a decoder of its own, which goes through a block once.

    Parameters
    ----------
    open_reader
        Opens the film.
    places
        (n, 2, 3) from every frame to the canonical crop.
    crop_width
        Of that crop.
    factor
        How many times larger a movement gets.
    """

    def __init__(
        self, open_reader: Callable[[], VideoReader], places: Places, *, crop_width: int, factor: float
    ) -> None:
        self._open, self._places = open_reader, places
        self._crop_width, self._factor = crop_width, factor
        self._lock = threading.Lock()
        self._blocks: OrderedDict[int, _Block] = OrderedDict()
        self._reader: VideoReader | None = None

    def get(self, index: int) -> Picture | None:
        """Return the view of a frame; None where the face is not seen."""
        with self._lock:
            if self._reader is None:
                self._reader = self._open()
            fps = self._reader.info.fps
            length = max(round(BLOCK_S * fps), 1)
            number = index // length
            if number not in self._blocks:
                self._blocks[number] = _Block(self._frames(number * length, length, fps), {})
                while len(self._blocks) > 3:
                    self._blocks.popitem(last=False)
            self._blocks.move_to_end(number)
            block = self._blocks[number]
            while index not in block.done:
                try:
                    at, picture = next(block.frames)
                except StopIteration:
                    return None
                block.done[at] = picture
            return block.done[index]

    def close(self) -> None:
        """Let the decoder go."""
        with self._lock:
            self._blocks.clear()
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _frames(self, start: int, length: int, fps: float) -> Iterator[tuple[int, Picture]]:
        assert self._reader is not None
        first, last = max(start - round(WARM_S * fps), 0), min(start + length, len(self._places)) - 1
        magnifier: Magnifier | None = None
        for frame in self._reader.frames(first, last):
            place = np.asarray(self._places[frame.index], np.float64)
            if not np.isfinite(place[0, 0]):
                magnifier = None  # another look at the face begins
                continue
            crop = face(frame.rgb, place, self._crop_width, width=ENLARGED_WIDTH)
            if magnifier is None:
                low, high = (min(hz, 0.45 * fps) for hz in BAND_HZ)
                magnifier = Magnifier(fps, factor=self._factor, low_hz=min(low, 0.5 * high), high_hz=high)
            enlarged = magnifier.step(crop)
            if frame.index >= start:
                yield frame.index, enlarged
