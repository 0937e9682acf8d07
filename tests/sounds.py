"""Sounds made by rule, and films that have them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 48_000
FORMANTS = ((700.0, 90.0), (1200.0, 110.0), (2600.0, 160.0))
"""Hertz and bandwidth of the vowel of "father"."""


def voice(seconds: float, *, pitch: float = 120.0, syllables: float = 4.0) -> np.ndarray:
    """Syllables of one vowel: a train of pulses through the formants of a vowel, (n,) float in -1..1 at `RATE`."""
    n = round(seconds * RATE)
    time_s = np.arange(n) / RATE
    beat = np.cumsum(pitch * (1 + 0.05 * np.sin(2 * np.pi * 1.3 * time_s))) / RATE
    pulses = np.diff(np.floor(beat), prepend=0.0)
    lasts = np.arange(round(0.05 * RATE)) / RATE
    vowel = sum(np.exp(-np.pi * width * lasts) * np.sin(2 * np.pi * hertz * lasts) for hertz, width in FORMANTS)
    sung = np.convolve(pulses, vowel)[:n] * (0.1 + 0.9 * np.sin(np.pi * syllables * time_s) ** 2)
    return 0.5 * sung / np.abs(sung).max()


def hiss(seconds: float, *, loud: float = 0.02, seed: int = 0) -> np.ndarray:
    """White noise."""
    return loud * np.random.default_rng(seed).normal(size=round(seconds * RATE))


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE))


def write_film(
    path: Path,
    images: Sequence[np.ndarray],
    sound: np.ndarray | None,
    *,
    rate: int = 25,
    starts_s: float = 0.0,
    pictures_start_s: float = 0.0,
    codec: str = "pcm_s16le",
) -> Path:
    """Write a film whose sound, if any, starts `starts_s` seconds after the clock of the file, and its pictures too."""
    with av.open(str(path), "w") as container:
        film: Any = container.add_stream("libx264", rate=rate, options={"crf": "18"})
        film.height, film.width = images[0].shape[:2]
        film.pix_fmt = "yuv420p"
        film.codec_context.max_b_frames = 0
        track: Any = None if sound is None else container.add_stream(codec, rate=RATE, layout="mono")
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index + round(pictures_start_s * rate), Fraction(1, rate)
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
        if sound is not None:
            for first in range(0, len(sound), 1024):
                part = np.clip(32767 * sound[first : first + 1024], -32768, 32767).astype(np.int16)
                heard = av.AudioFrame.from_ndarray(part[None], format="s16", layout="mono")
                heard.sample_rate = RATE
                heard.pts, heard.time_base = first + round(starts_s * RATE), Fraction(1, RATE)
                container.mux(track.encode(heard))
            container.mux(track.encode(None))
    return path
