"""What a camera adds to a scene: sensor noise and the flicker of lamps."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
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
    readout_ms
        Time between the exposure of the first and of the last row (rolling shutter), by which lamps that flicker show
        as bands; 0 of a global shutter.
    """

    read_noise: float = 0.8
    shot_noise: float = 1.0
    flicker_percent: float = 0.0
    flicker_hz: float = 100.0
    readout_ms: float = 0.0


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
    noise = rng.standard_normal(picture.shape[:2], dtype=np.float32)
    if s.flicker_percent == 0:
        # The picture is of whole grey levels, so the noise may be rounded by itself, which is several times faster.
        noise *= cv2.LUT(picture[..., 1], _sigma(s, 1.0))
        whole = np.rint(noise, out=noise).astype(np.int16)
        added = cv2.add(picture, cv2.merge([whole] * 3), dtype=cv2.CV_8U)
        return np.asarray(added, np.uint8)
    rows_s = time_s + np.linspace(0, s.readout_ms / 1000, picture.shape[0])
    gain = (1 + s.flicker_percent / 100 * np.sin(2 * np.pi * s.flicker_hz * rows_s)).astype(np.float32)
    noise *= cv2.LUT(picture[..., 1], _sigma(s, float(gain.mean())))
    exposed = picture * gain[:, None, None]
    exposed += noise[..., None]
    return np.clip(np.rint(exposed, out=exposed), 0, 255, out=exposed).astype(np.uint8)


def _sigma(s: CameraSettings, gain: float) -> npt.NDArray[np.float32]:
    """Return the standard deviation of the noise at every grey level (256)."""
    levels = np.arange(256, dtype=np.float32) * np.float32(gain)
    return np.asarray(np.sqrt(s.read_noise**2 + s.shot_noise**2 * levels / 128), np.float32)


def frame_rng(seed: int, index: int) -> np.random.Generator:
    """Source of the noise of one frame, so that frames can be drawn in any order."""
    return np.random.Generator(np.random.SFC64([seed, 2, index]))
