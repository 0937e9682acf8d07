"""A texture that sways by a known subpixel amplitude, and a measure of how much it does."""

from __future__ import annotations

import cv2
import numpy as np

FPS = 60.0
HZ = 3.0


def texture() -> np.ndarray:
    """Random and periodic, so that it can be shifted in the Fourier domain."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(96), np.fft.fftfreq(96)))
    noise = np.fft.fft2(np.random.default_rng(0).normal(size=(96, 96))) * np.exp(-2 * (np.pi * 3 * frequency) ** 2)
    return cv2.normalize(np.fft.ifft2(noise).real, None, 40, 215, cv2.NORM_MINMAX)


def swaying(amplitude: float, hz: float = HZ, frames: int = 60, noise: float = 0.5) -> np.ndarray:
    """The texture moved to and fro by exact subpixel shifts: interpolation would err by more than it moves."""
    spectrum, frequency = np.fft.fft2(texture()), np.fft.fftfreq(96)[None]
    rng = np.random.default_rng(1)
    shifts = amplitude * np.sin(2 * np.pi * hz * np.arange(frames) / FPS)
    pictures = [np.fft.ifft2(spectrum * np.exp(-2j * np.pi * frequency * s)).real for s in shifts]
    return np.stack([np.clip(np.rint(p + rng.normal(0, noise, p.shape)), 0, 255) for p in pictures]).astype(np.uint8)


def sway(clip: np.ndarray, hz: float = HZ) -> float:
    """Amplitude of the horizontal movement at a frequency, by flow against the texture at rest, in pixels."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    rest = texture().astype(np.uint8)
    moved = [np.median(dis.calc(rest, picture, None)[16:-16, 16:-16, 0]) for picture in clip]
    wave = np.exp(-2j * np.pi * hz * np.arange(len(clip)) / FPS)
    return float(2 * abs((np.array(moved) * wave).mean()))
