"""Pictures of an event as data URIs and SVG paths, so that the page needs no other file."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.records import EventMedia

SKETCH_SIZE = (140, 170)
"""Width and height of the coordinates in which arrows are drawn, whatever the size of the crop."""

ARROW_SPACING = 9.0
LONGEST_ARROW = 13.0
SMALLEST_SHARE = 0.22
"""Arrows shorter than this share of the longest are left out; they would hide the movement."""

HEAT_BGR = (40, 90, 255)
TINT_FROM = 0.12
"""Share of the largest flow from which the picture is tinted."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The loop as one picture with all its frames, row by row.

    Attributes
    ----------
    uri
        Data URI of the picture.
    columns, count
        Frames in a row, and in all.
    width, height
        Size of one frame in pixels.
    fps
        Frames per second at which it is played.
    """

    uri: str
    columns: int
    count: int
    width: int
    height: int
    fps: float


@dataclass(frozen=True, slots=True)
class Arrows:
    """The flow as an SVG path in a field of `SKETCH_SIZE`.

    Attributes
    ----------
    path
        The arrows; empty where nothing moves.
    gain
        Factor by which the arrows are longer than the movement.
    longest_px
        Longest displacement, in pixels of a crop of width 140.
    """

    path: str
    gain: float
    longest_px: float


def quality_for(count: int) -> tuple[int, int]:
    """Width and WebP quality of an event's pictures that keep a page with this many events small."""
    if count <= 16:
        return 210, 78
    return (140, 68) if count <= 40 else (105, 60)


def picture_uri(picture: npt.NDArray[np.uint8], *, quality: int) -> str:
    """Return an RGB picture as a data URI of a WebP file."""
    return _uri(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR), quality)


def at_most(picture: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
    """Return a picture of at most this width, its proportions kept."""
    height_px, width_px = picture.shape[:2]
    if width_px <= width:
        return picture
    size = (width, max(round(height_px * width / width_px), 1))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def sheet(media: EventMedia, *, width: int, quality: int) -> Sheet | None:
    """Put the frames of a loop side by side in one picture; None for an empty loop."""
    loop = media.loop
    if len(loop) == 0:
        return None
    frames = np.stack([at_most(frame, width) for frame in loop])
    count, height, width = frames.shape[:3]
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    field = np.zeros((rows * columns, height, width, 3), np.uint8)
    field[:count] = frames
    whole = field.reshape(rows, columns, height, width, 3).transpose(0, 2, 1, 3, 4)
    uri = picture_uri(whole.reshape(rows * height, columns * width, 3), quality=quality)
    fps = media.loop_fps if math.isfinite(media.loop_fps) and media.loop_fps > 0 else 15.0
    return Sheet(uri, columns, count, width, height, fps)


def heat_uri(media: EventMedia, *, width: int, quality: int) -> str:
    """Return the apex in grey, tinted where the flow is large."""
    grey = cv2.cvtColor(np.ascontiguousarray(at_most(media.apex, width)), cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    size = cv2.resize(_lengths(media.flow), (width, height), interpolation=cv2.INTER_LINEAR)
    largest = float(size.max())
    # The cut keeps noise clear.
    relative = np.clip(size / largest - TINT_FROM, 0, None) / (1 - TINT_FROM) if largest > 0 else 0 * size
    return _uri(_tinted(grey, relative), quality)


def saliency_uri(media: EventMedia, *, quality: int) -> str | None:
    """Return the whole face in grey, tinted where covering it costs its expression most; None where it was not read."""
    if media.face is None or media.saliency is None:
        return None
    grey = cv2.cvtColor(np.ascontiguousarray(media.face), cv2.COLOR_RGB2GRAY)
    # Linear between the places of the map, which is far coarser than the picture.
    fall = cv2.resize(np.maximum(media.saliency, 0), grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    largest = float(fall.max())
    return _uri(_tinted(grey, fall / largest if largest > 0 else 0 * fall), quality)


def _tinted(grey: npt.NDArray[Any], relative: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Tint a picture (h, w) by shares (h, w) of 0..1, as BGR."""
    # The power shows what is weak too; the tint is never full, so the face stays visible.
    share = 0.7 * relative[..., None] ** 0.7
    base = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.float32) * 0.85 + 20
    tinted = base * (1 - share) + np.array(HEAT_BGR, np.float32) * share
    return np.clip(tinted, 0, 255).astype(np.uint8)


def arrows(flow: npt.NDArray[np.float32]) -> Arrows:
    """Draw a flow field as arrows on a regular grid, the longest of a fixed length."""
    clean = np.nan_to_num(flow, nan=0.0, posinf=0.0, neginf=0.0)
    height, width = clean.shape[:2]
    scale = SKETCH_SIZE[0] / width
    xs = np.arange(ARROW_SPACING / 2, SKETCH_SIZE[0], ARROW_SPACING)
    ys = np.arange(ARROW_SPACING / 2, SKETCH_SIZE[1], ARROW_SPACING)
    # Means over cells, so that no arrow hangs on one pixel's noise.
    smooth = cv2.blur(clean.astype(np.float32), (max(round(ARROW_SPACING / scale), 1),) * 2)
    columns = np.clip((xs / scale).astype(int), 0, width - 1)
    rows = np.clip((ys * height / SKETCH_SIZE[1]).astype(int), 0, height - 1)
    moves = smooth[np.ix_(rows, columns)] * scale
    length = np.linalg.norm(moves, axis=2)
    longest = float(length.max()) if length.size else 0.0
    if longest < 1e-3:
        return Arrows("", 1.0, longest)
    gain = LONGEST_ARROW / longest
    parts = [
        _arrow(float(xs[j]), float(ys[i]), *(gain * moves[i, j]).tolist())
        for i, j in zip(*np.nonzero(length > SMALLEST_SHARE * longest), strict=True)
    ]
    return Arrows("".join(parts), gain, longest)


def _arrow(x: float, y: float, dx: float, dy: float) -> str:
    length = math.hypot(dx, dy)
    head = min(3.2, 0.45 * length)
    ux, uy = dx / length, dy / length
    tip_x, tip_y = x + dx, y + dy
    left = (tip_x - head * (ux + 0.6 * uy), tip_y - head * (uy - 0.6 * ux))
    right = (tip_x - head * (ux - 0.6 * uy), tip_y - head * (uy + 0.6 * ux))
    points = (x, y, tip_x, tip_y, *left, tip_x, tip_y, *right)
    a = [f"{p:.1f}" for p in points]
    return f"M{a[0]} {a[1]}L{a[2]} {a[3]}M{a[4]} {a[5]}L{a[6]} {a[7]}L{a[8]} {a[9]}"


def _lengths(flow: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    clean = np.nan_to_num(flow, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(np.linalg.norm(clean, axis=2), np.float32)


def _uri(bgr: npt.NDArray[Any], quality: int) -> str:
    done, data = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not done:
        raise ValueError(f"Expected a picture that WebP can hold; got shape {bgr.shape}.")
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode("ascii")
