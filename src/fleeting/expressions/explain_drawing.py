"""An explanation as a picture: the face, its probabilities, and a tinted face for each class with its parts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.expressions.explanation import ClassMap, Explanation
from fleeting.files import write_bytes

PAPER, INK, DIM, BAR = (252, 251, 250), (35, 30, 33), (115, 108, 112), (200, 120, 90)
"""Colours in OpenCV's order, blue first."""

FOR_BGR, AGAINST_BGR = (40, 90, 255), (235, 130, 40)
"""Tints: red where the place speaks for the class, blue where it speaks against it."""

GAP, LINE, FOOT = 16, 22, 178
FONT = cv2.FONT_HERSHEY_SIMPLEX

MEANING = {
    "occlusion": "Red: covering it lowers the probability. Blue: covering it raises it.",
    "gradients": "Red: adds to the probability. Blue: takes from it.",
}
SMOOTHED_PX = {"occlusion": 0.0, "gradients": 1.5}
"""Standard deviation by which a map is smoothed for the eye, pixels of 48: gradients differ from pixel to pixel."""

Canvas = npt.NDArray[np.uint8]


def write_picture(found: Explanation, path: Path) -> Path:
    """Draw an explanation and write it as PNG, whole or not at all.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    done, data = cv2.imencode(".png", draw(found))
    if not done:
        raise ValueError("Expected a picture that PNG can hold.")
    return write_bytes(path, data.tobytes())


def draw(found: Explanation) -> Canvas:
    """Return the drawing, (h, w, 3) uint8 in OpenCV's order of colours."""
    side = found.crop.shape[0]
    count = 1 + len(found.maps)
    canvas = np.full((side + 2 * GAP + LINE + FOOT + LINE, count * (side + GAP) + GAP, 3), PAPER, np.uint8)
    top = GAP + LINE
    face = np.asarray(cv2.cvtColor(found.crop, cv2.COLOR_RGB2BGR), np.uint8)
    _panel(canvas, face, GAP, top, "the face" if found.faces == 1 else f"face {found.face} (of {found.faces})")
    rows = sorted(found.probabilities.items(), key=lambda item: -item[1])
    _bars(canvas, [(name, p, f"{p:.0%}") for name, p in rows], (GAP, top + side + 12), side)
    grey = np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), np.uint8)
    for place, one in enumerate(found.maps):
        left = GAP + (place + 1) * (side + GAP)
        _panel(canvas, tinted(grey, one, found.method), left, top, f"{one.name} {one.probability:.0%}")
        parts = [(name, part.share, f"{part.density:.1f} x") for name, part in one.parts.items()]
        _bars(canvas, parts, (left, top + side + 12), side)
        if parts:
            text = "share of the red, and how dense it is there"
            _write(canvas, text, (left, top + side + 12 + (len(parts) + 1) * LINE), 0.42, DIM)
    _write(canvas, f"{found.network}, {found.method}. {MEANING[found.method]}", (GAP, canvas.shape[0] - 12), 0.45, DIM)
    return canvas


def tinted(grey: Canvas, one: ClassMap, method: str) -> Canvas:
    """Return a grey face (h, h) tinted by a map, (h, h, 3) in OpenCV's order of colours."""
    values = one.values
    if SMOOTHED_PX[method]:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), SMOOTHED_PX[method]), np.float32)
    large = cv2.resize(values, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    largest = max(float(np.abs(large).max()), 1e-9)
    canvas = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.float32) * 0.8 + 25
    for sign, colour in ((1, FOR_BGR), (-1, AGAINST_BGR)):
        share = 0.75 * (np.clip(sign * large / largest, 0, 1) ** 0.8)[..., None]
        canvas = canvas * (1 - share) + np.array(colour, np.float32) * share
    return np.asarray(np.clip(canvas, 0, 255), np.uint8)


def _panel(canvas: Canvas, picture: Canvas, left: int, top: int, title: str) -> None:
    height, width = picture.shape[:2]
    canvas[top : top + height, left : left + width] = picture
    _write(canvas, title, (left, top - 8), 0.55, INK)


def _bars(canvas: Canvas, rows: list[tuple[str, float, str]], place: tuple[int, int], width: int) -> None:
    left, top = place
    names, numbers = 92, 58
    for i, (name, share, text) in enumerate(rows):
        base = top + (i + 1) * LINE
        _write(canvas, name, (left, base - 5), 0.45, INK)
        long = round((width - names - numbers) * min(max(share, 0.0), 1.0))
        cv2.rectangle(canvas, (left + names, base - 15), (left + names + max(long, 1), base - 5), BAR, -1)
        _write(canvas, text, (left + width - numbers + 8, base - 5), 0.45, INK)


def _write(canvas: Canvas, text: str, place: tuple[int, int], size: float, colour: tuple[int, int, int]) -> None:
    cv2.putText(canvas, text, place, FONT, size, colour, 1, cv2.LINE_AA)
