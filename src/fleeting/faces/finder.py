"""Find faces in a whole frame with the shipped one-shot network.

The frame is shrunk to a fixed number of pixels, so that a search costs the same for any video; only where that shows no
face is it searched again, finer, for small ones. A box is the bounding box of the 68 iBUG points: brows to chin, no
forehead.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.faces.crop import MARGIN, cut, points_transform
from fleeting.records import FaceBox

STRIDE = 8
ALIGNMENT = 32

COARSE_PIXELS = 320 * 180
"""Pixels of the first search: in 640x360 it finds faces from about 24 px, in 1280x720 from about 48 px."""

FINE_PIXELS = 640 * 360
"""Pixels of the second search."""

LARGEST_ENLARGEMENT = 4.0
"""Small pictures are enlarged up to this factor; beyond it there is nothing more to see."""

SAME_FACE_IOU = 0.4
"""Of two boxes that overlap by more than this, the one with the lower score is dropped."""

FLAT = 8
"""Grey levels between darkest and brightest below which the network need not look: black, a covered lens."""

AGAIN_SIZE = 128
AGAIN_FACE = 64
"""The second look: side of the crop, and longer side of the face's box in it, in pixels."""

Grey = npt.NDArray[np.uint8]


def scaled(grey: Grey, *, pixels: int) -> tuple[Grey, tuple[float, float]]:
    """Scale a picture to about `pixels` pixels, with sides that are multiples of 32.

    Nothing is filled up: that would draw edges that no camera makes. So width and height are scaled by slightly
    different factors, as faces are stretched a little in training.

    Returns
    -------
    picture, scale
        (h, w) uint8; factors from the width and the height of `grey` to its own.
    """
    height, width = grey.shape
    factor = min(float(np.sqrt(pixels / (height * width))), LARGEST_ENLARGEMENT)
    size = tuple(max(round(s * factor / ALIGNMENT), 1) * ALIGNMENT for s in (width, height))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(grey, size, interpolation=how).astype(np.uint8, copy=False), (size[0] / width, size[1] / height)


def decode(
    heat: npt.NDArray[np.float32],
    sides: npt.NDArray[np.float32],
    *,
    threshold: float,
    scale: tuple[float, float] = (1.0, 1.0),
) -> list[FaceBox]:
    """Turn the maps of one picture into boxes.

    Parameters
    ----------
    heat
        (h, w) logits that a face is centred here.
    sides
        (4, h, w) distances from the middle of each place to the left, top, right and bottom side, pixels of the input.
    threshold
        Smallest probability of a face.
    scale
        Factors from the picture's width and height to the input's.

    Returns
    -------
    list of FaceBox
        In pixels of the picture, the largest first; overlapping ones removed.
    """
    peaks = (heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))) & (heat >= np.log(threshold / (1 - threshold)))
    rows, columns = np.nonzero(peaks)
    score = 1.0 / (1.0 + np.exp(-heat[rows, columns].astype(np.float64)))
    left, top, right, bottom = sides[:, rows, columns].astype(np.float64)
    x, y = (columns + 0.5) * STRIDE - 0.5, (rows + 0.5) * STRIDE - 0.5
    table = np.stack([x - left, y - top, left + right, top + bottom], 1)
    # Pixel centres: x + 1/2 = scale * (x of the picture + 1/2).
    table = np.concatenate([(table[:, :2] + 0.5) / np.array(scale) - 0.5, table[:, 2:] / np.array(scale)], 1)
    return distinct([FaceBox(*row) for row in np.column_stack([table, score]).tolist()])


def box_iou(first: FaceBox, second: FaceBox) -> float:
    """Intersection over union of two boxes."""
    width = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    height = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / max(first.width * first.height + second.width * second.height - shared, 1e-9)


def distinct(boxes: list[FaceBox]) -> list[FaceBox]:
    """Drop boxes that overlap a better one by more than `SAME_FACE_IOU`; the largest first."""
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda b: -b.score):
        if all(box_iou(box, other) <= SAME_FACE_IOU for other in kept):
            kept.append(box)
    return sorted(kept, key=lambda b: -b.width * b.height)


class FaceFinder:
    """Finds faces from about 12 px upwards, upright or turned by up to 40 degrees.

    Parameters
    ----------
    threads
        Threads of ONNX Runtime.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._session = weights.session("face_finder", threads=threads)
        self.threshold = float(weights.card("face_finder")["threshold"])

    def __call__(self, grey: Grey) -> list[FaceBox]:
        """Find the faces of a frame.

        Parameters
        ----------
        grey
            (h, w) uint8, any size.

        Returns
        -------
        list of FaceBox
            In pixels of the frame, the largest first; boxes may reach beyond the frame where a face is cut by it.
        """
        found = self.search(grey, pixels=COARSE_PIXELS)
        # Where the first search saw every pixel, a finer one shows nothing new.
        return found if found or grey.size <= COARSE_PIXELS else self.search(grey, pixels=FINE_PIXELS)

    def search(self, grey: Grey, *, pixels: int, threshold: float | None = None) -> list[FaceBox]:
        """Search once, at a given number of pixels; `threshold` is the one of the card where not given."""
        if grey.size == 0:
            return []
        picture, scale = scaled(grey, pixels=pixels)
        if np.ptp(picture) < FLAT:
            return []
        heat, sides = self._session.run(None, {"grey": picture[None, None].astype(np.float32)})
        least = self.threshold if threshold is None else threshold
        return decode(heat[0, 0], sides[0], threshold=least, scale=scale)

    def again(self, grey: Grey, points: npt.NDArray[np.floating]) -> float:
        """Look once more at a face whose points are known.

        What looks like a face by chance seldom does so again when it is turned level, brought to one size and mirrored.

        Parameters
        ----------
        grey
            (h, w) uint8.
        points
            (68, 2) in pixels of the frame.

        Returns
        -------
        float
            Log-odds of a face in the middle of the level crop, mean of the crop and its mirror image.
        """
        inner = round(AGAIN_FACE * MARGIN)
        transform = points_transform(points, size=inner)[0]
        transform[:, 2] += (AGAIN_SIZE - inner) / 2
        crop = cut(grey, transform, size=AGAIN_SIZE)
        both = np.stack([crop, crop[:, ::-1]])[:, None].astype(np.float32)
        heat = self._session.run(("heat",), {"grey": both})[0][:, 0]
        middle = slice(AGAIN_SIZE // STRIDE // 2 - 2, AGAIN_SIZE // STRIDE // 2 + 2)
        return float(heat[:, middle, middle].max((1, 2)).mean())
