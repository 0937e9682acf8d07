"""What a camera adds to a scene: sensor noise and the flicker of lamps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """A camera.

    Attributes
    ----------
    read_noise
        Standard deviation of the noise that does not depend on the light, in grey levels of 255.
    shot_noise
        Standard deviation, at grey level 128, of the noise whose variance grows with the light.
    flicker_percent
        Amplitude of the brightness over time, percent.
    flicker_hz
        Its frequency: twice that of the mains.
    """

    read_noise: float = 0.8
    shot_noise: float = 1.0
    flicker_percent: float = 0.0
    flicker_hz: float = 100.0


PERFECT = CameraSettings(read_noise=0.0, shot_noise=0.0)
"""A camera that only rounds to whole grey levels."""


def expose(
    picture: npt.NDArray[np.uint8], settings: CameraSettings, *, time_s: float, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Take one picture (h, w, 3).

    The noise is the same in all three channels: after colour filters, denoising and 4:2:0 coding it is the luminance
    noise that is left. Affine variance model of A. Foi et al., "Practical Poissonian-Gaussian noise modeling and
    fitting for single-image raw-data", IEEE TIP 17(10), 2008, equation 3.
    """
    s = settings
    if s.read_noise == s.shot_noise == s.flicker_percent == 0:
        return picture
    gain = 1 + s.flicker_percent / 100 * math.sin(2 * math.pi * s.flicker_hz * time_s)
    levels = np.arange(256, dtype=np.float32) * np.float32(gain)
    sigma = np.sqrt(s.read_noise**2 + s.shot_noise**2 * levels / 128).astype(np.float32)
    noise = rng.standard_normal(picture.shape[:2], dtype=np.float32)
    noise *= sigma[picture[..., 1]]
    exposed = picture * np.float32(gain)
    exposed += noise[..., None]
    return np.clip(np.rint(exposed, out=exposed), 0, 255, out=exposed).astype(np.uint8)


def frame_rng(seed: int, index: int) -> np.random.Generator:
    """Source of the noise of one frame, so that frames can be drawn in any order."""
    return np.random.Generator(np.random.SFC64([seed, 2, index]))
