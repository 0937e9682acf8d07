"""A portrait placed in a picture, and what moves there: canvases, lids, displacement fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.align import crop_transform
from fleeting.motion.flow_image import SIZE
from fleeting.synthesis.face.frame import face_frame, pixel_grid
from fleeting.synthesis.flow.portrait import SIDE, STEP, FlowPortrait

FINE = 4
"""Pixels of the canvas per pixel of a picture, along each axis."""

MARGIN = 14
"""Pixels of a picture by which the canvas reaches over each side."""

Floats = npt.NDArray[np.float32]
Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PairSettings:
    """How pairs are drawn. Lengths in pixels of the pictures, brightness in grey levels of 256.

    Attributes
    ----------
    side
        Height and width of the pictures.
    peak
        Smallest and largest length of a movement, drawn evenly on a logarithmic scale.
    iod
        Smallest and largest inter-ocular distance.
    blink
        Probability that the lids move.
    noise
        Largest standard deviation of the sensor's noise.
    noisy, light, compressed
        Probabilities of noise, of a change of light, and of compression.
    """

    side: int = 96
    peak: tuple[float, float] = (0.05, 9.0)
    iod: tuple[float, float] = (58.0, 115.0)
    blink: float = 0.15
    noise: float = 3.0
    noisy: float = 0.6
    light: float = 0.3
    compressed: float = 0.25


@dataclass(frozen=True, slots=True)
class Scene:
    """A portrait placed in the picture: canvases before and after a blink, the map to the portrait, and what moves.

    Attributes
    ----------
    open, closed
        Canvases, float32.
    to_portrait
        (2, 3) from pixels of the picture to those of the portrait.
    lid
        Displacement (h, w, 2) of the lids, margin included; None without a blink.
    portrait
        Whom it shows.
    side
        Of the picture.
    """

    open: Floats
    closed: Floats
    to_portrait: npt.NDArray[np.float64]
    lid: Floats | None
    portrait: FlowPortrait
    side: int


def place(portrait: FlowPortrait, settings: PairSettings, rng: np.random.Generator) -> Scene:
    """Put a portrait somewhere, turned a little, of some size and contrast, with some fine texture on top."""
    side = settings.side
    low, high = settings.iod
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high)))) / face_frame(portrait.points).iod
    angle = float(rng.normal(0, 5)) + (180 if rng.random() < 0.05 else 0)
    mirror = -1 if rng.random() < 0.5 else 1
    # The middle of the picture lies somewhere on the face.
    at = portrait.points[int(rng.integers(68))] + rng.normal(0, 6, 2)
    middle = np.clip(at, SIDE * 0.2, SIDE * 0.8)
    c, s = np.cos(np.radians(angle)) / scale, np.sin(np.radians(angle)) / scale
    turn = np.array([[c * mirror, -s], [s * mirror, c]])
    to_portrait = np.column_stack([turn, middle - turn @ np.full(2, (side - 1) / 2)])
    contrast, brightness = float(rng.uniform(0.5, 1.25)), float(rng.normal(0, 20))
    texture = _texture(rng, FINE * (side + 2 * MARGIN)) if rng.random() < 0.5 else np.float32(0)
    blink = rng.random() < settings.blink

    def canvas(grey: Grey) -> Floats:
        drawn = enlarged(grey, to_portrait, side)
        return np.asarray((drawn - 128) * contrast + 128 + brightness + texture, np.float32)

    opened = canvas(portrait.grey)
    if not blink:
        return Scene(opened, opened, to_portrait, None, portrait, side)
    grid = pixel_grid((side + 2 * MARGIN, side + 2 * MARGIN), left=-MARGIN, top=-MARGIN)
    lid = through(portrait.lid.astype(np.float32), to_portrait, grid, cv2.INTER_NEAREST)
    return Scene(opened, canvas(portrait.blinked), to_portrait, lid, portrait, side)


def enlarged(grey: Grey, to_portrait: npt.NDArray[np.float64], side: int) -> Floats:
    """Canvas of a portrait: `FINE` times as fine as the picture, with a margin on all sides."""
    scale = 1 / float(np.sqrt(abs(np.linalg.det(to_portrait[:, :2]))))
    source = grey.astype(np.float32)
    if scale < 1:
        source = blurred(source, 0.5 * float(np.sqrt(1 / scale**2 - 1)) + 1e-3)
    # Canvas pixel f shows the picture's position (f + 0.5) / FINE - 0.5 - MARGIN.
    linear = to_portrait[:, :2] / FINE
    shift = to_portrait[:, :2] @ np.full(2, 0.5 / FINE - 0.5 - MARGIN) + to_portrait[:, 2]
    size = FINE * (side + 2 * MARGIN)
    return np.asarray(
        cv2.warpAffine(
            source,
            np.column_stack([linear, shift]),
            (size, size),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )


def _texture(rng: np.random.Generator, size: int) -> Floats:
    """Pores and hair, which small portraits have lost: noise of a random fineness."""
    quarter = rng.standard_normal((size // 2, size // 2)).astype(np.float32)
    soft = blurred(quarter, float(rng.uniform(1.2, 4.0)))
    return cv2.resize(soft * np.float32(rng.uniform(0.5, 6.0) / soft.std()), (size, size)).astype(np.float32)


def draw_field(scene: Scene, movements: Floats, peak: float, rng: np.random.Generator) -> Floats:
    """Draw a displacement field (side, side, 2) whose largest length is `peak`: expressions, real flow, the head."""
    grid = pixel_grid((scene.side, scene.side))
    kind = rng.choice(["units", "real", "smooth", "none"], p=[0.4, 0.25, 0.25, 0.1])
    kind = "units" if kind == "real" and not len(movements) else kind
    if kind == "units":
        fields = scene.portrait.fields
        kept = fields[int(rng.integers(len(fields)))].astype(np.float32)
        matrix = scaled(scene.to_portrait, 1 / STEP)
        field = turned(through(kept, matrix, grid, cv2.INTER_CUBIC), scene.to_portrait)
    elif kind == "real":
        field = turned(_real(scene, movements, grid, rng), scene.to_portrait)
    elif kind == "smooth":
        noise = rng.standard_normal((scene.side, scene.side, 2)).astype(np.float32)
        field = blurred(noise, float(np.exp(rng.uniform(np.log(5), np.log(30)))))
    else:
        field = np.zeros_like(grid)
    field = field / max(longest(field), 1e-6) if kind != "none" else field
    if kind == "none" or rng.random() < 0.5:
        head = _head(scene, grid, rng)
        part = float(rng.uniform(0, 3)) if kind != "none" else 1.0
        field = field + part * head / max(longest(head), 1e-6)
    # A field that folds shows nothing that a face can do: what is steeper is made smaller.
    field = field * (peak / max(longest(field), 1e-6))
    steepest = max(float(np.abs(np.diff(field, axis=k)).max()) for k in (0, 1))
    return np.asarray(field * min(1.0, 0.6 / max(steepest, 1e-6)), np.float32)


def _real(scene: Scene, movements: Floats, grid: Floats, rng: np.random.Generator) -> Floats:
    """Two real movements together, so that no one's is learned by heart; in the directions of the portrait."""
    chosen = movements[rng.integers(len(movements), size=2)]
    weights = rng.normal(size=2).astype(np.float32)
    flow = np.tensordot(weights, chosen, 1)
    flow = blurred(flow.astype(np.float32), float(rng.uniform(0.4, 1.5)))
    matrix = crop_transform(scene.portrait.points)
    whole = np.vstack([scene.to_portrait, [0, 0, 1]])
    # Crop of 140 x 170 to flow image, whose pixels are 5 x 6.07 of the crop's.
    to_image = np.array([SIZE / 140, SIZE / 170])[:, None] * (matrix @ whole)
    to_image[:, 2] += 0.5 * np.array([SIZE / 140, SIZE / 170]) - 0.5
    # Beyond the crop the movement goes on as at its border: an edge in the flow would be no movement of a face.
    at = np.clip(mapped(to_image, grid), 0, SIZE - 1).astype(np.float32)
    return sampled(flow, at, cv2.INTER_CUBIC)


def _head(scene: Scene, grid: Floats, rng: np.random.Generator) -> Floats:
    """Shift, turn, zoom and parallax of the head, which ends somewhere; the room behind it stays."""
    side = scene.side
    x = (grid - (side - 1) / 2) / side
    linear = rng.normal(0, 0.35, (2, 2)) * rng.random() + rng.normal(0, 0.5) * np.array([[0, -1], [1, 0]])
    head = rng.normal(0, 1, 2) + x @ linear.T
    frame = face_frame(scene.portrait.points)
    face = frame.coordinates(mapped(scene.to_portrait, grid)) - (0, 0.35)
    distance = np.hypot(face[..., 0] / 1.25, face[..., 1] / 1.6)
    if rng.random() < 0.3:  # a turn: what is nearer moves more
        head = head + rng.normal(0, 1, 2) * np.clip(1 - distance**2, 0, None)[..., None]
    if rng.random() < 0.6:
        t = np.clip((1.5 - distance) / rng.uniform(0.2, 0.6), 0, 1)
        head = head * (t * t * (3 - 2 * t))[..., None]
    return np.asarray(head, np.float32)


def mapped(matrix: npt.NDArray[np.float64], xy: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Points (..., 2) under a map (2, 3)."""
    return np.asarray(xy @ matrix[:, :2].T + matrix[:, 2], np.float64)


def scaled(matrix: npt.NDArray[np.float64], factor: float) -> npt.NDArray[np.float64]:
    """Map (2, 3) to pixels of which `factor` fit into one; pixel centres lie at whole numbers."""
    result = matrix * factor
    result[:, 2] += 0.5 * factor - 0.5
    return result


def through(field: Floats, matrix: npt.NDArray[np.float64], grid: Floats, flags: int) -> Floats:
    """Read a field at the places to which a map takes a grid; 0 outside."""
    return sampled(field, mapped(matrix, grid).astype(np.float32), flags)


def sampled(field: Floats, xy: Floats, flags: int) -> Floats:
    """Read a field at positions (h, w, 2), by one of OpenCV's interpolations; 0 outside."""
    return np.asarray(cv2.remap(field, xy, None, flags, borderMode=cv2.BORDER_CONSTANT), np.float32)  # type: ignore[call-overload]


def turned(field: Floats, to_portrait: npt.NDArray[np.float64]) -> Floats:
    """Displacements in pixels of the portrait as such of the picture."""
    return np.asarray(field @ np.linalg.inv(to_portrait[:, :2]).T, np.float32)


def longest(field: Floats) -> float:
    """Length of the longest vector."""
    return float(np.hypot(field[..., 0], field[..., 1]).max())


def blurred(field: Floats, sigma: float) -> Floats:
    """Return a Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)
