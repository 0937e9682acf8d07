"""Pairs of pictures of a face with the exact flow between them, drawn without end.

The second picture shows a portrait (perhaps with lowered lids), the first one the same portrait seen through a
displacement field g: ``first(x) = portrait(x + g(x))``. So the flow from the first to the second is g itself, exactly
and at every pixel, and nothing needs to be inverted; where a lid moved meanwhile, its own displacement is added. Both
pictures are sampled from the same canvas, four times as fine as they are, so that neither is blurred more.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from fleeting.synthesis.face.frame import pixel_grid
from fleeting.synthesis.flow.portrait import FlowPortrait
from fleeting.synthesis.flow.scene import (
    FINE,
    MARGIN,
    Floats,
    Grey,
    PairSettings,
    Scene,
    blurred,
    draw_field,
    place,
    sampled,
    turned,
)
from fleeting.video.writer import repeatable_x264

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two grey pictures (h, w) uint8 and the flow (h, w, 2) float32 from the first to the second, in pixels."""

    first: Grey
    second: Grey
    flow: Floats


@dataclass(frozen=True, slots=True)
class Pool:
    """Many pairs: pictures (n, 2, h, w) uint8 and flow (n, 2, h, w) float16, u then v, in pixels."""

    pictures: Grey
    flow: npt.NDArray[np.float16]


def draw_pair(
    portraits: Sequence[FlowPortrait], movements: Floats, settings: PairSettings, rng: np.random.Generator
) -> Pair:
    """Draw one pair.

    Parameters
    ----------
    portraits
        To choose from.
    movements
        (n, 28, 28, 2) real flow, of any length, no motion at 0; none are drawn where n is 0.
    settings
        How.
    rng
        What is drawn depends on its state alone.
    """
    portrait = portraits[int(rng.integers(len(portraits)))]
    scene = place(portrait, settings, rng)
    low, high = settings.peak
    field = draw_field(scene, movements, float(np.exp(rng.uniform(np.log(low), np.log(high)))), rng)
    return film_pair(scene, field, draw_damage(settings, rng), rng)


@dataclass(frozen=True, slots=True)
class Damage:
    """What a camera and a file do to two pictures.

    Attributes
    ----------
    noise
        Standard deviation of the sensor's noise, grey levels.
    light
        As for `film_of`.
    crf
        Constant-rate factor of H.264; None for no film.
    frames
        Pictures of that film, of which the first and the last are the pair.
    jpeg
        Quality; None for none.
    """

    noise: float = 0.0
    light: tuple[Floats, Floats, float] | None = None
    crf: float | None = None
    frames: int = 6
    jpeg: int | None = None


def draw_damage(settings: PairSettings, rng: np.random.Generator) -> Damage:
    """Draw what happens to a pair."""
    kind = rng.integers(3) if rng.random() < settings.compressed else None
    return Damage(
        noise=float(rng.uniform(0.2, settings.noise)) if rng.random() < settings.noisy else 0.0,
        light=draw_light(settings.side, rng) if rng.random() < settings.light else None,
        crf=float(rng.uniform(14, 31)) if kind in (0, 1) else None,
        frames=int(rng.integers(3, 8)),
        jpeg=int(rng.integers(50, 98)) if kind == 2 else None,
    )


def film_pair(scene: Scene, field: Floats, damage: Damage, rng: np.random.Generator) -> Pair:
    """Show a movement in two pictures; the noise is drawn from `rng`."""
    frames = damage.frames if damage.crf is not None else 2
    film = [p + rng.normal(0, damage.noise, p.shape) for p in film_of(scene, field, frames, damage.light)]
    grey = [np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in film]
    if damage.crf is not None:
        grey = compressed(grey, crf=damage.crf)
    elif damage.jpeg is not None:
        grey = [_jpeg(g, damage.jpeg) for g in grey]
    return Pair(grey[0], grey[-1], total_flow(scene, field))


def film_of(
    scene: Scene, field: Floats, frames: int, light: tuple[Floats, Floats, float] | None = None
) -> list[Floats]:
    """Pictures of a movement that runs evenly to its end, float grey levels.

    Parameters
    ----------
    scene
        What is seen.
    field
        Displacement (side, side, 2) from the first picture to the last.
    frames
        Number of pictures.
    light
        Factor (side, side), offset (side, side) and gamma that the last picture gets; the others a share.
    """
    pictures = []
    for share in np.linspace(1, 0, frames):
        xy = (pixel_grid((scene.side, scene.side)) + np.float32(share) * field + MARGIN + 0.5) * FINE - 0.5
        seen = cv2.remap(scene.open if share > 0.5 else scene.closed, xy, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
        if light is not None and share < 1:
            factor, offset, gamma = light
            done = np.float32(1 - share)
            lit = 255 * np.clip(seen / 255, 0, 1) ** np.float32(1 + done * (gamma - 1))
            seen = lit * (1 + done * (factor - 1)) + done * offset
        pictures.append(seen)
    return pictures


def total_flow(scene: Scene, field: Floats) -> Floats:
    """Flow (side, side, 2) from the first picture to the last: the field, and what lids do at its end."""
    if scene.lid is None:
        return field
    at = pixel_grid((scene.side, scene.side)) + field + MARGIN
    lid = sampled(scene.lid, at, cv2.INTER_LINEAR)
    return np.asarray(field + turned(lid, scene.to_portrait), np.float32)


def draw_light(side: int, rng: np.random.Generator) -> tuple[Floats, Floats, float]:
    """Draw a change of light: a factor and an offset with gradients, a soft shadow, a gamma."""
    x = (pixel_grid((side, side)) / side - 0.5).astype(np.float32)
    factor = 1 + rng.normal(0, 0.08) + x @ rng.normal(0, 0.08, 2)
    if rng.random() < 0.4:
        shadow = blurred(rng.standard_normal((side, side)).astype(np.float32), side / 6)
        factor = factor * (1 + rng.normal(0, 0.08) * shadow / np.abs(shadow).max())
    offset = rng.normal(0, 6) + x @ rng.normal(0, 6, 2)
    return factor.astype(np.float32), offset.astype(np.float32), float(np.exp(rng.normal(0, 0.1)))


def compressed(pictures: Sequence[Grey], *, crf: float) -> list[Grey]:
    """Write pictures as H.264 at a rate factor, in memory, and read them again."""
    height, width = pictures[0].shape
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.thread_count = Fraction(1, 100), 1
    encoder.options = {"crf": f"{crf:.1f}", "preset": "veryfast"} | repeatable_x264()
    packets = []
    for index, picture in enumerate(pictures):
        # The grey plane goes in and comes out as it is, without a conversion of colours.
        frame = av.VideoFrame.from_ndarray(_planes(picture), format="yuv420p")
        frame.pts = index
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    decoder: Any = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    seen = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return [f.to_ndarray(format="yuv420p")[:height].copy() for f in sorted(seen, key=lambda f: f.pts)]


def _planes(picture: Grey) -> Grey:
    return np.concatenate([picture, np.full((picture.shape[0] // 2, picture.shape[1]), 128, np.uint8)])


def _jpeg(picture: Grey, quality: int) -> Grey:
    _, stored = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE), np.uint8)


def draw_pool(
    portraits: Sequence[FlowPortrait], movements: Floats, settings: PairSettings, *, count: int, seed: int
) -> Pool:
    """Draw many pairs; pair ``i`` depends on the seed and ``i`` alone."""
    side = settings.side
    pictures = np.empty((count, 2, side, side), np.uint8)
    flow = np.empty((count, 2, side, side), np.float16)
    for i in range(count):
        pair = draw_pair(portraits, movements, settings, np.random.default_rng([seed, i]))
        pictures[i] = pair.first, pair.second
        flow[i] = np.moveaxis(pair.flow, -1, 0)
        if (i + 1) % 1000 == 0:
            log.info("%d of %d pairs drawn", i + 1, count)
    return Pool(pictures, flow)
