"""Tiny videos whose every frame can be told from every other, written with PyAV alone."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

WIDTH, HEIGHT = 64, 48
BITS = 8


def numbered(number: int, *, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A grey-looking RGB picture that shows its number in eight bars; the top left corner is the only white one."""
    image = np.full((height, width, 3), 110, np.uint8)
    bar = width // BITS
    for bit in range(BITS):
        image[height // 2 :, bit * bar : (bit + 1) * bar] = 200 if number >> bit & 1 else 40
    image[: height // 4, : width // 4] = 235
    return image


def number_of(grey: np.ndarray) -> int:
    height, width = grey.shape
    bar = width // BITS
    rows = grey[height * 5 // 8 : height * 7 // 8]
    return sum(1 << bit for bit in range(BITS) if rows[:, bit * bar + 2 : (bit + 1) * bar - 2].mean() > 120)


def write_video(
    path: Path,
    images: Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    rate: Fraction | int = 25,
    ticks: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 1000),
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    b_frames: int | None = None,
    aspect: Fraction | None = None,
    source_format: str = "rgb24",
    full_range: bool | None = None,
) -> Path:
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixel_format
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if full_range is not None:
            stream.codec_context.color_range = 2 if full_range else 1
        if ticks is not None:
            stream.codec_context.time_base = time_base
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format=source_format)
            if frame.format.name != pixel_format:
                frame = frame.reformat(format=pixel_format, dst_color_range=2 if full_range else None)
            if full_range is not None:
                frame.color_range = 2 if full_range else 1
            frame.pts = index if ticks is None else ticks[index]
            frame.time_base = Fraction(1) / rate if ticks is None else time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_numbered(path: Path, count: int, **how: Any) -> Path:
    return write_video(path, [numbered(i) for i in range(count)], **how)


def write_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=8000)
        tone = (0.1 * np.sin(np.arange(8000) / 5)).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def find_box(data: bytes, kind: bytes) -> int:
    """Offset of the content of the first MP4 box of a kind."""
    at = data.index(kind)
    assert data.count(kind) == 1, "more than one such box"
    return at + 4


def set_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a, b, c, d of the display matrix into the track header of an MP4 file."""
    data = bytearray(path.read_bytes())
    # Version 0 of the box: 4 flags, 20 times and ids, 16 reserved, layer and volume; then the matrix.
    at = find_box(bytes(data), b"tkhd") + 40
    a, b, c, d = (value * 65536 for value in matrix)
    assert struct.unpack_from(">9i", data, at)[8] == 1 << 30, "not the display matrix"
    struct.pack_into(">5i", data, at, a, b, 0, c, d)
    path.write_bytes(bytes(data))
