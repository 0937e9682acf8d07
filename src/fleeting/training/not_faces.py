"""Crops that show no face, or no face that the landmark network should answer for.

They come from face-free pictures (textures, patterns, pictures of things that scikit-image and scikit-learn bring, an
animation, portraits whose face is erased), from portraits cropped beside or far too wide or too close around the face,
and from faces cut into shuffled tiles. All functions are deterministic in their ``numpy.random.Generator``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fleeting.faces.crop import MARGIN, SIZE, cut, points_box, square_transform
from fleeting.training.backgrounds import Grey, natural_pictures
from fleeting.training.landmarks.augment import degrade
from fleeting.training.landmarks.labels import FaceSample

log = logging.getLogger(__name__)

SCIKIT_IMAGE = [
    "brick.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "chessboard_GRAY.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "color.png",
    "grass.png",
    "gravel.png",
    "horse.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "microaneurysms.png",
    "moon.png",
    "motorcycle_left.png",
    "page.png",
    "phantom.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
]
"""Pictures of scikit-image without a face that is large enough to be one; ``camera`` is cropped to its background."""


def erase_face(sample: FaceSample, rng: np.random.Generator) -> Grey:
    """Fill the face of a picture with what lies around it, so that hair, clothes and background stay."""
    grey = sample.grey.copy()
    box = points_box(sample.points)
    centre = (box.x + box.width / 2, box.y + box.height * 0.42)
    mask = np.zeros(grey.shape, np.uint8)
    cv2.ellipse(mask, (centre, (box.width * 1.15, box.height * 1.5), 0.0), 255, -1)
    scale = 64 / max(grey.shape)
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small_mask = cv2.resize(mask, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_NEAREST)
    filled = cv2.inpaint(small, small_mask, 3, cv2.INPAINT_TELEA)
    filled = cv2.resize(filled, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    filled = filled + np.asarray(rng.normal(0, rng.uniform(0, 6), filled.shape), np.float32)
    soft = cv2.GaussianBlur(mask, (0, 0), max(box.width / 30, 0.5)).astype(np.float32) / 255
    mixed: Grey = np.clip(grey * (1 - soft) + filled * soft, 0, 255).astype(np.uint8)
    return mixed


def pattern(rng: np.random.Generator, *, size: int = 160) -> Grey:
    """Draw a procedural picture: noise at some scale, a gradient, stripes, checks, blobs, strokes or writing."""
    kind = int(rng.integers(7))
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    low, high = sorted(rng.uniform(0, 255, 2))
    if kind == 0:
        cells = int(np.exp(rng.uniform(np.log(3), np.log(size))))
        noise = rng.uniform(0, 1, (cells, cells)).astype(np.float32)
        field = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    elif kind == 1:
        a = rng.uniform(0, 2 * np.pi)
        field = (np.cos(a) * x + np.sin(a) * y) / size
    elif kind == 2:
        a, wave = rng.uniform(0, np.pi), rng.uniform(4, 60)
        field = 0.5 + 0.5 * np.sin((np.cos(a) * x + np.sin(a) * y) * 2 * np.pi / wave)
    elif kind == 3:
        step = rng.uniform(6, 50)
        field = ((x // step + y // step) % 2).astype(np.float32)
    else:
        canvas = np.full((size, size), rng.uniform(0, 255), np.uint8)
        for _ in range(int(rng.integers(3, 40))):
            _mark(canvas, kind, rng)
        return np.clip(canvas + rng.normal(0, rng.uniform(0, 10), canvas.shape), 0, 255).astype(np.uint8)
    drawn = low + (high - low) * np.asarray(field, np.float64) + rng.normal(0, rng.uniform(0, 12), (size, size))
    picture: Grey = np.clip(drawn, 0, 255).astype(np.uint8)
    return picture


def _mark(canvas: Grey, kind: int, rng: np.random.Generator) -> None:
    size = canvas.shape[0]
    at = tuple(int(v) for v in rng.integers(0, size, 2))
    shade = float(rng.uniform(0, 255))
    if kind == 4:
        axes = tuple(float(v) for v in rng.uniform(4, size / 2, 2))
        cv2.ellipse(canvas, (at, axes, float(rng.uniform(0, 180))), shade, -1)
    elif kind == 5:
        end = tuple(int(v) for v in rng.integers(0, size, 2))
        cv2.line(canvas, at, end, shade, int(rng.integers(1, 8)))
    else:
        letters = "".join(chr(int(c)) for c in rng.integers(33, 126, 9))
        cv2.putText(
            canvas, letters, at, int(rng.integers(0, 8)), float(rng.uniform(0.4, 2)), shade, 1 + int(rng.integers(3))
        )


def face_free_pictures(
    data: Path, samples: Sequence[FaceSample], rng: np.random.Generator, *, patterns: int = 400
) -> list[Grey]:
    """Collect grey pictures without a face: shipped ones, frames of an animation, erased portraits, patterns.

    Of ``videos/no_face.mp4`` only the first half is read; the second is left for measuring. What is not installed or
    not there is left out, and logged.
    """
    pictures = [pattern(rng) for _ in range(patterns)]
    chosen = [samples[i] for i in rng.permutation(len(samples))[:500]]
    pictures += [erase_face(s, rng) for s in chosen if s.source != "fer2013"]
    pictures += [picture for picture in natural_pictures(SCIKIT_IMAGE) for _ in range(3)]
    video = cv2.VideoCapture(str(data / "videos" / "no_face.mp4"))
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    for index in range(count // 2):
        read, frame = video.read()
        if read and index % 8 == 0:
            grey = cv2.cvtColor(cv2.resize(frame, None, fx=0.5, fy=0.5), cv2.COLOR_BGR2GRAY)
            pictures.append(grey.astype(np.uint8, copy=False))
    video.release()
    log.info("%d face-free pictures", len(pictures))
    return pictures


def _random_square(picture: Grey, rng: np.random.Generator) -> Grey:
    height, width = picture.shape
    side = float(np.exp(rng.uniform(np.log(24), np.log(max(min(height, width), 32)))))
    centre = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
    return cut(picture, square_transform(centre, side, angle=float(rng.uniform(-30, 30))))


def _misplaced(sample: FaceSample, rng: np.random.Generator) -> Grey:
    """Crop a face picture with a wrong box: the face is under half in the crop, far too small or far too large."""
    box = points_box(sample.points)
    side = MARGIN * max(box.width, box.height)
    centre = np.array([box.x + box.width / 2, box.y + box.height / 2])
    kind = rng.random()
    if kind < 0.5:
        scale = float(np.exp(rng.uniform(np.log(0.6), np.log(1.4))))
        away = rng.uniform(0, 2 * np.pi)
        reach = rng.uniform(0.55, 1.1) * max(1.0, scale)
        centre = centre + reach * side / MARGIN * np.array([np.cos(away), np.sin(away)])
    elif kind < 0.75:
        scale = float(rng.uniform(2.1, 4.0))
        centre = centre + rng.uniform(-0.4, 0.4, 2) * side
    else:
        scale = float(rng.uniform(0.2, 0.48))
        centre = centre + rng.uniform(-0.35, 0.35, 2) * side
    angle = float(rng.uniform(-40, 40))
    return cut(sample.grey, square_transform((float(centre[0]), float(centre[1])), side * scale, angle=angle))


def _shuffled(sample: FaceSample, rng: np.random.Generator) -> Grey:
    box = points_box(sample.points)
    centre = (box.x + box.width / 2, box.y + box.height / 2)
    crop = cut(sample.grey, square_transform(centre, MARGIN * max(box.width, box.height)))
    tiles = int(rng.choice([2, 4, 5, 8]))
    edge = SIZE // tiles
    order = rng.permutation(tiles * tiles)
    while tiles == 2 and np.sum(order == np.arange(4)) > 1:
        order = rng.permutation(4)
    shuffled = np.empty_like(crop)
    for to, origin in enumerate(order):
        (y, x), (v, u) = divmod(to, tiles), divmod(int(origin), tiles)
        shuffled[y * edge : (y + 1) * edge, x * edge : (x + 1) * edge] = crop[
            v * edge : (v + 1) * edge, u * edge : (u + 1) * edge
        ]
    return shuffled


def not_face_crop(samples: Sequence[FaceSample], pictures: Sequence[Grey], rng: np.random.Generator) -> Grey:
    """Make one (80, 80) uint8 crop without a face (well placed) in it, from face-free pictures or wrongly cut faces."""
    kind = rng.random()
    if kind < 0.45:
        crop = _random_square(pictures[int(rng.integers(len(pictures)))], rng)
    elif kind < 0.87:
        crop = _misplaced(samples[int(rng.integers(len(samples)))], rng)
    else:
        crop = _shuffled(samples[int(rng.integers(len(samples)))], rng)
    if rng.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, ::-1])
    return degrade(crop, rng) if rng.random() < 0.6 else crop
