"""A portrait's canonical crop, filmed while one displacement field comes and goes.

What recognisers of sequences see is a face that was aligned before: canonical crops, the head held still but for what
the registration left. So the film is drawn in the crop itself: the movement, a remaining drift of the head, the
sensor's noise, and JPEG, the form in which the data sets hand out their frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError, SettingsError
from fleeting.faces.align import CANONICAL_IOD, CANONICAL_WIDTH, crop_size, crop_transform
from fleeting.synthesis.camera import CameraSettings, expose, frame_rng
from fleeting.synthesis.face.frame import Grid, check_points, pixel_grid
from fleeting.synthesis.face.profile import Profile
from fleeting.synthesis.face.warp import remap, sample_field, trace_back

Grey = npt.NDArray[np.uint8]

OVERSAMPLING = 2
"""Pixels of the plate per pixel of the crop, along each axis."""

LEVELS = 8
"""Strengths between rest and apex at which the field is inverted; between them the inverse is interpolated linearly, to
0.02 pixels where a field of 3 pixels changes by 0.8 of a pixel per pixel."""

MARGIN = 0.1
"""By how much the plate reaches over the crop on each side, as a share of the crop's width."""


@dataclass(frozen=True, slots=True)
class CropFilmSettings:
    """How a crop is filmed.

    Attributes
    ----------
    width
        Of the crop in pixels; its height is 170/140 of it.
    drift_percent_iod
        Standard deviation over time of the shift that the registration of the head leaves, percent of the inter-ocular
        distance.
    drift_deg
        The same of the turn in the picture plane, degrees.
    read_noise, shot_noise
        As `camera.CameraSettings`, in grey levels; each film draws a factor between a half and 1.5 for both.
    jpeg
        Lowest and highest quality, drawn for each film.
    """

    width: int = 112
    drift_percent_iod: float = 0.25
    drift_deg: float = 0.1
    read_noise: float = 0.8
    shot_noise: float = 1.0
    jpeg: tuple[int, int] = (80, 95)

    def __post_init__(self) -> None:
        if self.width < 28:
            raise SettingsError("a width of at least 28 pixels", f"{self.width}", "Change width.")
        if not 1 <= self.jpeg[0] <= self.jpeg[1] <= 100:
            raise SettingsError("1 <= lowest <= highest JPEG quality <= 100", f"{self.jpeg}", "Change jpeg.")
        for name in ("drift_percent_iod", "drift_deg", "read_noise", "shot_noise"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} of 0 or more", f"{getattr(self, name)}", "Correct the value.")


@dataclass(frozen=True, slots=True)
class Plate:
    """A portrait in the canonical crop, finer and larger than the crop.

    Attributes
    ----------
    grey
        (h, w) uint8: `OVERSAMPLING` pixels per pixel of the crop, with `margin` pixels of the crop on each side.
    margin
        In pixels of the crop.
    width
        Of the crop.
    points
        (68, 2) landmarks in pixels of the crop.
    """

    grey: Grey
    margin: int
    width: int
    points: npt.NDArray[np.float64]


def make_plate(portrait: Grey, points: npt.NDArray[np.floating], *, width: int = 112) -> Plate:
    """Cut the canonical crop of a portrait.

    Parameters
    ----------
    portrait
        (h, w) uint8 grey.
    points
        (68, 2) landmarks in its pixels.
    width
        Of the crop in pixels.

    Raises
    ------
    InputError
        For a portrait that is no grey picture, or landmarks that are none of a face.
    """
    if portrait.dtype != np.uint8 or portrait.ndim != 2:
        raise InputError("a portrait (h, w) uint8, grey", f"{portrait.dtype} {portrait.shape}", "Convert it.")
    points = check_points(points)
    height, margin = crop_size(width)[0], round(MARGIN * width)
    matrix = crop_transform(points, width=width)
    fine = matrix * OVERSAMPLING
    # Fine pixel f shows the crop's position (f + 0.5) / OVERSAMPLING - 0.5 - margin.
    fine[:, 2] += (margin + 0.5) * OVERSAMPLING - 0.5
    size = ((width + 2 * margin) * OVERSAMPLING, (height + 2 * margin) * OVERSAMPLING)
    if math.hypot(matrix[0, 0], matrix[1, 0]) * OVERSAMPLING < 0.7:  # average first, so that nothing aliases
        grey = cv2.GaussianBlur(portrait, (0, 0), 0.35 / (math.hypot(matrix[0, 0], matrix[1, 0]) * OVERSAMPLING))
        portrait = np.asarray(grey, np.uint8)
    plate = cv2.warpAffine(portrait, fine, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    placed = points @ matrix[:, :2].T + matrix[:, 2]
    return Plate(np.asarray(plate, np.uint8), margin, width, placed)


def film_crop(
    plate: Plate, field: Grid, profile: Profile, *, fps: float, settings: CropFilmSettings, seed: int
) -> tuple[Grey, int]:
    """Film the plate from the onset to the offset of a movement.

    Parameters
    ----------
    plate
        Of the width of the settings.
    field
        (h, w, 2) float32 pixels of the crop: what is at ``x`` at rest is at ``x + field(x)`` at the apex.
    profile
        Course of the movement.
    fps
        Frames per second.
    settings
        What disturbs.
    seed
        Of drift, noise and compression. Same seed, same film.

    Returns
    -------
    frames
        (t, h, w) uint8 grey from the onset frame to the offset frame, both included.
    apex
        Place of the apex frame in it.

    Raises
    ------
    InputError
        Where plate or field do not fit the settings.
    SettingsError
        Where the field folds, or no frame falls into the movement.
    """
    shape = crop_size(settings.width)
    if plate.width != settings.width or field.shape != (*shape, 2):
        raise InputError(
            f"a plate and a field of width {settings.width}",
            f"{plate.width} and {field.shape}",
            "Make both with the width of the settings.",
        )
    rng = np.random.default_rng([seed, 4])
    camera = CameraSettings(
        read_noise=settings.read_noise * rng.uniform(0.5, 1.5), shot_noise=settings.shot_noise * rng.uniform(0.5, 1.5)
    )
    quality = int(rng.integers(settings.jpeg[0], settings.jpeg[1] + 1))
    drift = _Drift(settings, rng)
    onset, apex, offset = profile.frames(fps)
    grid, backward = pixel_grid(shape), _inverses(field)
    frames = np.empty((offset - onset + 1, *shape), np.uint8)
    for index in range(onset, offset + 1):
        time_s = index / fps
        here = drift.undone(grid, time_s)
        source = here + sample_field(_between(backward, profile(time_s)), here)
        frame = np.repeat(_sampled(plate, source)[..., None], 3, axis=2)
        grey = expose(frame, camera, time_s=time_s, rng=frame_rng(seed, index))[..., 0]
        frames[index - onset] = _stored(grey, quality)
    return frames, apex - onset


def _inverses(field: Grid) -> Grid:
    """Backward fields (`LEVELS` + 1, h, w, 2) at evenly spaced strengths from 0 to 1."""
    grid = pixel_grid((field.shape[0], field.shape[1]))
    # Beyond the crop the skin goes on moving: a field that ended at the border would tear it there.
    around = round(MARGIN * field.shape[1])
    wide = np.asarray(cv2.copyMakeBorder(field, around, around, around, around, cv2.BORDER_REPLICATE), np.float32)
    strengths = np.arange(LEVELS + 1, dtype=np.float32) / LEVELS
    inverted = [trace_back(wide * s, grid, left=-around, top=-around) - grid for s in strengths[1:]]
    return np.stack([np.zeros_like(grid), *inverted])


def _between(backward: Grid, strength: float) -> Grid:
    level = min(int(strength * LEVELS), LEVELS - 1)
    share = np.float32(strength * LEVELS - level)
    return np.asarray(backward[level] * (1 - share) + backward[level + 1] * share, np.float32)


class _Drift:
    """What is left of the head's motion: sums of slow sinusoids with random phases."""

    _HZ = (0.4, 1.1, 2.7)

    def __init__(self, settings: CropFilmSettings, rng: np.random.Generator) -> None:
        iod = CANONICAL_IOD / CANONICAL_WIDTH * settings.width
        self._size = np.array([settings.drift_percent_iod / 100 * iod] * 2 + [math.radians(settings.drift_deg)])
        self._phase = rng.uniform(0, 2 * np.pi, (3, len(self._HZ)))
        self._middle = (np.array(crop_size(settings.width)[::-1]) - 1) / 2

    def undone(self, grid: Grid, time_s: float) -> Grid:
        waves = np.sin(2 * np.pi * np.array(self._HZ) * time_s + self._phase)
        x, y, turn = self._size * waves.sum(axis=1) * math.sqrt(2 / len(self._HZ))
        c, s = math.cos(turn), math.sin(turn)
        matrix = np.array([[c, s], [-s, c]])
        shift = self._middle - matrix @ (self._middle + (x, y))
        return np.asarray(cv2.transform(grid, np.column_stack([matrix, shift])), np.float32)


def _sampled(plate: Plate, source: Grid) -> Grey:
    fine = source * np.float32(OVERSAMPLING) + np.float32((plate.margin + 0.5) * OVERSAMPLING - 0.5)
    return np.asarray(remap(plate.grey, fine, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _stored(grey: Grey, quality: int) -> Grey:
    _, coded = cv2.imencode(".jpg", np.ascontiguousarray(grey), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
