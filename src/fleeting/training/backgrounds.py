"""Grey pictures without a face: drawn patterns, natural photographs, and face pictures whose face is gone.

A finder is only as good as what it has learned to refuse, so the patterns lean towards what looks like a face at a
glance: ovals with dark spots, text, stripes, soft blobs.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

log = logging.getLogger(__name__)

Grey = npt.NDArray[np.uint8]

SKIMAGE_PICTURES = (
    "brick.png",
    "chessboard_GRAY.png",
    "coffee.png",
    "grass.png",
    "horse.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
)
"""Pictures of scikit-image to learn from. Its others stay unseen: astronaut and camera show people, and cat (chelsea),
clock, cell, coins (with heads), gravel, moon, text are for measuring or unfit."""

SKLEARN_PICTURES = ("china.jpg", "flower.jpg")


def natural_pictures(skimage: Sequence[str] = SKIMAGE_PICTURES) -> list[Grey]:
    """Return pictures of scikit-image, and the photographs of scikit-learn, grey; none where not installed."""
    pictures: list[Grey] = []
    for package, inside, names in (("skimage", "data", skimage), ("sklearn", "datasets/images", SKLEARN_PICTURES)):
        spec = importlib.util.find_spec(package)  # only the folder is needed: importing takes seconds
        if spec is None or spec.origin is None:
            log.warning("%s is not installed: its pictures are missing from the backgrounds", package)
            continue
        for name in names:
            picture = cv2.imread(str(Path(spec.origin).parent / inside / name), cv2.IMREAD_GRAYSCALE)
            if picture is not None:
                pictures.append((picture[:, 320:] if name == "camera.png" else picture).astype(np.uint8))
    return pictures


def video_frames(path: Path, *, first_share: float = 0.5, step: int = 5) -> list[Grey]:
    """Return every `step`-th frame of the first part of a video, grey, half size; the rest is left for measuring."""
    film, kept = cv2.VideoCapture(str(path)), []
    while True:
        read, frame = film.read()
        if not read:
            break
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        kept.append(cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8))
    return kept[: int(first_share * len(kept)) : step]


def _shades(rng: np.random.Generator, count: int) -> list[int]:
    return [int(v) for v in rng.integers(0, 256, count)]


def _clipped(values: npt.NDArray[np.floating]) -> Grey:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _soft_noise(rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
    """Noise of several grain sizes, coarse ones stronger: clouds, skin, cloth."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(int(rng.integers(2, 6))):
        cells = 2 ** (octave + 1)
        grain = rng.standard_normal((min(cells, height), min(cells, width))).astype(np.float32)
        total += cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC) * rng.uniform(0.4, 0.9) ** octave
    return _clipped(rng.uniform(40, 215) + total * rng.uniform(8, 60))


def _gradient(rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    angle, low, high = rng.uniform(0, 2 * np.pi), rng.uniform(0, 255), rng.uniform(0, 255)
    ramp = np.cos(angle) * x / shape[1] + np.sin(angle) * y / shape[0]
    ramp = (ramp - ramp.min()) / max(float(np.ptp(ramp)), 1e-6)
    return _clipped(low + (high - low) * ramp ** rng.uniform(0.5, 2))


def _waves(rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
    """Stripes, checks and rings, bent a little."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    total = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        angle, period = rng.uniform(0, np.pi), rng.uniform(4, 80)
        along = np.cos(angle) * x + np.sin(angle) * y + rng.uniform(0, 10) * np.sin(y / rng.uniform(8, 60))
        if rng.random() < 0.3:
            along = np.hypot(x - rng.uniform(0, shape[1]), y - rng.uniform(0, shape[0]))
        total += np.sin(2 * np.pi * along / period)
    if rng.random() < 0.5:
        total = np.sign(total)
    return _clipped(rng.uniform(60, 195) + rng.uniform(10, 90) * total)


def _shapes(rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
    """Polygons, lines, rectangles and ellipses on a soft ground."""
    picture = _gradient(rng, shape) if rng.random() < 0.5 else _soft_noise(rng, shape)
    height, width = shape
    for _ in range(int(rng.integers(2, 25))):
        shade, thick = _shades(rng, 1)[0], int(rng.choice([-1, -1, 1, 2, 4]))
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        size = int(np.exp(rng.uniform(np.log(4), np.log(max(height, 8)))))
        kind = rng.integers(0, 4)
        if kind == 0:
            cv2.rectangle(picture, (x, y), (x + size, y + int(size * rng.uniform(0.2, 2))), shade, thick)
        elif kind == 1:
            axes = (max(size // 2, 1), max(int(size * rng.uniform(0.3, 1.2)) // 2, 1))
            cv2.ellipse(picture, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, shade, thick)
        elif kind == 2:
            corners = np.stack([x + rng.integers(-size, size, 5), y + rng.integers(-size, size, 5)], 1)
            cv2.fillPoly(picture, [corners.astype(np.int32)], shade)
        else:
            end = (x + int(rng.integers(-size, size + 1)), y + int(rng.integers(-size, size + 1)))
            cv2.line(picture, (x, y), end, shade, max(thick, 1))
    return picture


def _ovals(rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
    """Ovals with a few spots at random places: face-like at a glance, but no face."""
    picture = _soft_noise(rng, shape)
    for _ in range(int(rng.integers(1, 6))):
        height = int(np.exp(rng.uniform(np.log(14), np.log(shape[0]))))
        width, tilt = max(int(height * rng.uniform(0.5, 1.0)), 4), float(rng.uniform(-60, 60))
        x, y = int(rng.integers(0, shape[1])), int(rng.integers(0, shape[0]))
        ground = int(rng.integers(30, 230))
        cv2.ellipse(picture, (x, y), (width // 2, height // 2), tilt, 0, 360, ground, -1)
        for _ in range(int(rng.integers(0, 9))):
            spot = (x + int(rng.uniform(-0.4, 0.4) * width), y + int(rng.uniform(-0.4, 0.4) * height))
            axes = (max(int(width * rng.uniform(0.03, 0.2)), 1), max(int(height * rng.uniform(0.02, 0.12)), 1))
            shade = int(np.clip(ground + rng.integers(-120, 90), 0, 255))
            cv2.ellipse(picture, spot, axes, tilt + float(rng.uniform(-90, 90)), 0, 360, shade, -1)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 3)).astype(np.uint8)


def _text(rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
    picture = _gradient(rng, shape) if rng.random() < 0.7 else _soft_noise(rng, shape)
    letters = [chr(c) for c in range(33, 127)]
    for _ in range(int(rng.integers(1, 12))):
        word = "".join(rng.choice(letters, int(rng.integers(1, 14))))
        place = (int(rng.integers(-20, shape[1])), int(rng.integers(0, shape[0] + 20)))
        scale = float(np.exp(rng.uniform(np.log(0.25), np.log(5))))
        thick = max(int(scale * rng.uniform(0.5, 4)), 1)
        cv2.putText(picture, word, place, int(rng.integers(0, 8)), scale, _shades(rng, 1)[0], thick, cv2.LINE_AA)
    return picture


def _mosaic(rng: np.random.Generator, shape: tuple[int, int]) -> Grey:
    """Flat or noisy cells: walls, screens, woven cloth."""
    cells = rng.integers(0, 256, (int(rng.integers(2, 24)), int(rng.integers(2, 24)))).astype(np.uint8)
    how = int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_NEAREST, cv2.INTER_CUBIC]))
    picture = cv2.resize(cells, shape[::-1], interpolation=how).astype(np.float32)
    return _clipped(picture + rng.normal(0, rng.uniform(0, 25), shape))


PATTERNS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Grey]] = {
    "soft_noise": _soft_noise,
    "gradient": _gradient,
    "waves": _waves,
    "shapes": _shapes,
    "ovals": _ovals,
    "text": _text,
    "mosaic": _mosaic,
}


def pattern(rng: np.random.Generator, shape: tuple[int, int], *, kind: str | None = None) -> Grey:
    """Draw a (h, w) uint8 picture of one of `PATTERNS`, by chance where `kind` is not given."""
    return PATTERNS[kind or str(rng.choice(list(PATTERNS)))](rng, shape)


def cut(rng: np.random.Generator, picture: Grey, shape: tuple[int, int]) -> Grey:
    """Cut a random part of a picture at a random scale, flipped at random, as a (h, w) uint8 picture."""
    height, width = shape
    limit = min(picture.shape[0] / height, picture.shape[1] / width)
    scale = np.exp(rng.uniform(np.log(limit * 0.2), np.log(limit)))
    part_height, part_width = max(int(height * scale), 2), max(int(width * scale), 2)
    top = int(rng.integers(0, picture.shape[0] - part_height + 1))
    left = int(rng.integers(0, picture.shape[1] - part_width + 1))
    part = picture[top : top + part_height, left : left + part_width]
    fit = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
    flips = int(rng.integers(-1, 3))
    return np.ascontiguousarray(fit if flips == 2 else cv2.flip(fit, flips)).astype(np.uint8)


def erase_face(picture: Grey, points: npt.NDArray[np.float32]) -> Grey:
    """Paint over a face from what surrounds it (Telea, "An image inpainting technique", 2004); (h, w) uint8.

    The mask is the hull of the 68 points, enlarged so that brows and forehead go too.
    """
    middle = points.mean(0)
    hull = cv2.convexHull(((points - middle) * [1.25, 1.6] + middle).astype(np.int32))
    mask = np.zeros(picture.shape, np.uint8)
    cv2.fillConvexPoly(mask, hull, 255)
    return cv2.inpaint(picture, mask, 3, cv2.INPAINT_TELEA).astype(np.uint8)


def scramble(rng: np.random.Generator, picture: Grey, *, cells: int) -> Grey:
    """Cut a picture into ``cells x cells`` tiles and lay them out anew at random, so that no face is left whole."""
    height, width = picture.shape[0] // cells, picture.shape[1] // cells
    tiles = picture[: height * cells, : width * cells].reshape(cells, height, cells, width).swapaxes(1, 2)
    shuffled = rng.permutation(tiles.reshape(-1, height, width)).reshape(cells, cells, height, width)
    return np.ascontiguousarray(shuffled.swapaxes(1, 2).reshape(height * cells, width * cells))
