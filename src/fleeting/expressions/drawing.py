"""Boxes, names and bars on a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.expressions.readings import Reading
from fleeting.labels import SEVEN_CLASSES

SMALLEST_SIDE = 360
"""Pictures with a shorter side are enlarged by a whole number before they are drawn on, so that text can be read."""

LARGEST_FACTOR = 8

COLOURS: dict[str, tuple[int, int, int]] = {
    "angry": (229, 72, 77), "disgust": (139, 141, 46), "fear": (142, 78, 198), "happy": (70, 167, 88),
    "sad": (62, 99, 221), "surprise": (247, 107, 21), "neutral": (139, 141, 152),
}  # fmt: skip
"""RGB of every class."""

NOT_READ = (139, 141, 152)
FONT = cv2.FONT_HERSHEY_SIMPLEX

Picture = npt.NDArray[np.uint8]


def enlargement(height: int, width: int) -> int:
    """Return the whole number by which a picture is enlarged before it is drawn on."""
    return int(np.clip(-(-SMALLEST_SIDE // max(min(height, width), 1)), 1, LARGEST_FACTOR))


def drawn(picture: Picture, readings: Sequence[Reading], *, factor: int = 1) -> Picture:
    """Return a copy of a picture with a box around each face, its expression, and a bar for every class.

    Parameters
    ----------
    picture
        (h, w, 3) uint8 RGB.
    readings
        Of its faces.
    factor
        Of `enlargement`.

    Returns
    -------
    (factor * h, factor * w, 3) uint8 RGB
    """
    canvas = picture.copy()
    if factor > 1:
        size = (picture.shape[1] * factor, picture.shape[0] * factor)
        canvas = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    for reading in readings:
        _draw(canvas, reading, factor)
    return canvas


def _draw(canvas: Picture, reading: Reading, factor: int) -> None:
    height, width = canvas.shape[:2]
    x, y, w, h = (round(v * factor) for v in reading.box[:4])
    unit = max(min(height, width) / 360, 1.0)
    line = max(round(1.5 * unit), 1)
    colour = COLOURS.get(reading.expression or "", NOT_READ)
    cv2.rectangle(canvas, (x, y), (x + w, y + h), colour, line, cv2.LINE_AA)
    text = f"{reading.face}: turned too far"
    if reading.expression is not None and reading.probability is not None:
        text = f"{reading.face}: {reading.expression} {reading.probability:.0%}"
    (long, tall), _ = cv2.getTextSize(text, FONT, 0.5 * unit, line)
    left = int(np.clip(x, 0, max(width - long - 6, 0)))
    top = max(y - tall - 8, 0)
    cv2.rectangle(canvas, (left, top), (left + long + 6, top + tall + 8), colour, -1)
    cv2.putText(canvas, text, (left + 3, top + tall + 3), FONT, 0.5 * unit, (255, 255, 255), line, cv2.LINE_AA)
    if reading.probabilities is not None:
        _bars(canvas, reading, (x, y, w), unit)


def _bars(canvas: Picture, reading: Reading, place: tuple[int, int, int], unit: float) -> None:
    """Draw a bar for every class beside the box; over it where there is no room."""
    assert reading.probabilities is not None
    height, width = canvas.shape[:2]
    step, long, names = round(13 * unit), round(60 * unit), round(54 * unit)
    panel = (names + long + 8, 7 * step + 6)
    x, y, w = place
    left = x + w + 4
    if left + panel[0] > width:
        left = x - panel[0] - 4 if x - panel[0] - 4 >= 0 else max(width - panel[0], 0)
    top = int(np.clip(y, 0, max(height - panel[1], 0)))
    behind = canvas[top : top + panel[1], left : left + panel[0]]
    behind[:] = (behind * 0.35).astype(np.uint8)  # so that white text stands out
    for i, (name, p) in enumerate(zip(SEVEN_CLASSES, reading.probabilities, strict=True)):
        base = top + 3 + (i + 1) * step
        cv2.putText(
            canvas, name, (left + 3, base - round(3 * unit)), FONT, 0.36 * unit, (255, 255, 255), 1, cv2.LINE_AA
        )
        start = (left + names, base - step + round(3 * unit))
        cv2.rectangle(canvas, start, (start[0] + max(round(long * float(p)), 1), base - 1), COLOURS[name], -1)
