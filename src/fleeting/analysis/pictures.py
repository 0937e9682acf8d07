"""Pictures of an event as the report shows them, each compressed once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.ibug import (
    INNER_LIPS,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    NOSE_BASE,
    NOSE_BRIDGE,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
)
from fleeting.records import Event, EventMedia

SKETCH_SIZE = (140, 170)
"""Width and height of the coordinates in which arrows are drawn, whatever the size of the crop."""

ARROW_SPACING = 9.0
LONGEST_ARROW = 13.0
SMALLEST_SHARE = 0.22
"""Arrows shorter than this share of the longest are left out; they would hide the movement."""

HEAT_BGR = (40, 90, 255)
TINT_FROM = 0.12
"""Share of the largest flow from which the picture is tinted."""

DEFAULT_LOOP_FPS = 15.0

MOST_PICTURED = 400
"""Events with a card in a report; the least clear ones beyond have a row in it."""

MOST_MAPPED = 16
"""Events whose card shows what the network reads in the whole face, of those that get pictures: the clearest ones."""

EFFORT = 2
"""Of WebP, 0 to 6; OpenCV takes 4."""

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Format:
    """Size of an event's pictures: width of the crops in pixels, WebP quality, and most frames of the loop."""

    width: int
    quality: int
    frames: int


@dataclass(frozen=True, slots=True)
class Views:
    """What is shown of one event, before it is compressed; all pictures are uint8 RGB.

    Attributes
    ----------
    onset, apex, offset
        (h, w, 3) canonical crops (`faces.align`) at these frames.
    loop
        (t, h, w, 3) the event with its motion magnified; t may be 0.
    loop_fps
        Frames per second at which the loop is shown.
    flow
        (h, w, 2) flow onset -> apex in pixels of a crop of any width, head motion removed.
    magnification
        Factor by which the loop's motion is enlarged.
    face
        (h, h, 3) the whole face at the apex, framed as the expression network sees it; None where it was not read.
    saliency
        (48, 48) float32: by how much the probability of `expression` falls when a place of `face` is covered; None
        likewise.
    expression, expression_probability
        Most probable expression at the apex, and its probability.
    landmarks
        (68, 2) at onset, apex and offset, in pixels of a crop of width 140; empty where they are not known.
    """

    onset: Picture
    apex: Picture
    offset: Picture
    loop: Picture
    loop_fps: float
    flow: npt.NDArray[np.float32]
    magnification: float
    face: Picture | None = None
    saliency: npt.NDArray[np.float32] | None = None
    expression: str = ""
    expression_probability: float = math.nan
    landmarks: tuple[npt.NDArray[np.floating], ...] = ()


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


def format_for(count: int) -> Format:
    """Return the size of an event's pictures that keeps a page with so many events small."""
    if count <= 16:
        return Format(210, 78, 24)
    return Format(140, 68, 20) if count <= 40 else Format(105, 60, 16)


def pictured(events: Sequence[Event], places: Sequence[int], *, most: int) -> list[int]:
    """Return the places of so many of the clearest events: micro-expressions first, then by confidence."""
    ranked = sorted(places, key=lambda i: (events[i].kind != "micro", -np.nan_to_num(events[i].confidence)))
    return ranked[:most]


def compressed(views: Views, *, quality: int) -> EventMedia:
    """Return the pictures of an event as WebP files of a quality of 1 to 100."""
    stills = {name: webp(getattr(views, name), quality=quality + 5) for name in ("onset", "apex", "offset")}
    drawn = arrows(views.flow)
    count, height, width = views.loop.shape[:3]
    columns = math.ceil(math.sqrt(count))
    mapped = b"" if views.face is None or views.saliency is None else _map(views.face, views.saliency, quality)
    known = math.isfinite(views.loop_fps) and views.loop_fps > 0
    return EventMedia(
        **stills,
        movement=_heat(views.apex, views.flow, quality),
        arrows=drawn.path,
        gain=drawn.gain,
        loop=webp(_side_by_side(views.loop, columns), quality=quality) if count else b"",
        columns=columns,
        count=count,
        width=width,
        height=height,
        loop_fps=views.loop_fps if known else DEFAULT_LOOP_FPS,
        magnification=views.magnification,
        face=mapped,
        expression=views.expression,
        expression_probability=views.expression_probability,
        outlines=tuple(outline(points) for points in views.landmarks),
    )


def outline(points: npt.NDArray[np.floating]) -> str:
    """Return (68, 2) landmarks of a crop of width 140 as an SVG path: a drawing of the face that shows nobody."""
    lines = [(part, False) for part in (JAW, RIGHT_BROW, LEFT_BROW, NOSE_BRIDGE, NOSE_BASE)]
    lines += [(part, True) for part in (RIGHT_EYE, LEFT_EYE, OUTER_LIPS, INNER_LIPS)]
    path = ""
    for part, closed in lines:
        path += "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points[part].tolist()) + ("Z" if closed else "")
    return path


def webp(picture: Picture, *, quality: int) -> bytes:
    """Return an RGB picture as a WebP file."""
    return _encoded(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR), quality)


def _encoded(bgr: npt.NDArray[Any], quality: int) -> bytes:
    # FFmpeg's door to libwebp has a quicker effort: less than half the time for a twentieth more bytes.
    if quality <= 100 and "libwebp" in av.codecs_available:
        return _quick(bgr, quality)
    done, data = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not done:
        raise ValueError(f"Expected a picture that WebP can hold; got shape {bgr.shape}.")
    return data.tobytes()


def _quick(bgr: npt.NDArray[Any], quality: int) -> bytes:
    context: Any = av.CodecContext.create("libwebp", "w")
    context.height, context.width = bgr.shape[:2]
    context.pix_fmt, context.time_base = "bgra", Fraction(1)
    context.options = {"quality": str(quality), "compression_level": str(EFFORT)}
    opaque = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2BGRA), np.uint8)
    picture = av.VideoFrame.from_ndarray(opaque, format="bgra")
    return b"".join(bytes(packet) for packet in (*context.encode(picture), *context.encode(None)))


def _side_by_side(loop: Picture, columns: int) -> Picture:
    """Put the frames of a loop into one picture, row by row."""
    count, height, width = loop.shape[:3]
    rows = math.ceil(count / columns)
    field = np.zeros((rows * columns, height, width, 3), np.uint8)
    field[:count] = loop
    whole = field.reshape(rows, columns, height, width, 3).transpose(0, 2, 1, 3, 4)
    return whole.reshape(rows * height, columns * width, 3)


def _heat(apex: Picture, flow: npt.NDArray[np.float32], quality: int) -> bytes:
    """Return the apex in grey, tinted where the flow is large."""
    grey = cv2.cvtColor(np.ascontiguousarray(apex), cv2.COLOR_RGB2GRAY)
    size = cv2.resize(_lengths(flow), grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    largest = float(size.max())
    # The cut keeps noise clear.
    relative = np.clip(size / largest - TINT_FROM, 0, None) / (1 - TINT_FROM) if largest > 0 else 0 * size
    return _encoded(_tinted(grey, relative), quality)


def _map(face: Picture, saliency: npt.NDArray[np.float32], quality: int) -> bytes:
    """Return the whole face in grey, tinted where covering it costs its expression most."""
    grey = cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY)
    # Linear between the places of the map, which is far coarser than the picture.
    fall = cv2.resize(np.maximum(saliency, 0), grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    largest = float(fall.max())
    return _encoded(_tinted(grey, fall / largest if largest > 0 else 0 * fall), quality)


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
