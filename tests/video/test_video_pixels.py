"""Values and orientation of pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video_files import HEIGHT, WIDTH, number_of, set_matrix, write_numbered, write_video

from fleeting.video.frame import Frame
from fleeting.video.orientation import Orientation
from fleeting.video.reader import open_video
from fleeting.video.writer import VideoWriter


def ramp() -> np.ndarray:
    """Grey from 0 to 255 in wide bars, so that halved colour and compression do not matter."""
    bars = np.repeat(np.linspace(0, 255, 8).round().astype(np.uint8), WIDTH // 8)
    return np.repeat(np.tile(bars, (HEIGHT, 1))[..., None], 3, axis=2)


STORED: dict[str, tuple[str, dict[str, Any], int, int]] = {
    # name: file, how, tolerance in grey levels, bits
    "limited range": ("a.mp4", {"options": {"crf": "4"}}, 2, 8),
    "limited range, labelled": ("a.mp4", {"options": {"crf": "4"}, "full_range": False}, 2, 8),
    "full range": ("a.mp4", {"options": {"crf": "4"}, "full_range": True}, 2, 8),
    "full range by format": ("a.avi", {"codec": "mjpeg", "pixel_format": "yuvj444p", "options": {"q": "2"}}, 3, 8),
    "10 bits": ("a.mp4", {"pixel_format": "yuv420p10le", "options": {"crf": "4"}}, 2, 10),
    "10 bits, full range": (
        "a.mp4",
        {"pixel_format": "yuv420p10le", "options": {"crf": "4"}, "full_range": True},
        2,
        10,
    ),
    "12 bits": ("a.mkv", {"codec": "ffv1", "pixel_format": "yuv422p12le"}, 2, 12),
    "grey": ("a.mkv", {"codec": "ffv1", "pixel_format": "gray", "full_range": True}, 0, 8),
    "grey, not labelled": ("a.mkv", {"codec": "ffv1", "pixel_format": "gray"}, 0, 8),
    "grey of 16 bits": ("a.mkv", {"codec": "ffv1", "pixel_format": "gray16le", "full_range": True}, 1, 16),
    "planar RGB": ("a.avi", {"codec": "utvideo", "pixel_format": "gbrp"}, 0, 8),
    "alpha": ("a.mkv", {"codec": "ffv1", "pixel_format": "bgra"}, 0, 8),
    "YUV with alpha": ("a.mkv", {"codec": "ffv1", "pixel_format": "yuva420p"}, 2, 8),
    "packed YUV": ("a.avi", {"codec": "rawvideo", "pixel_format": "yuyv422"}, 2, 8),
    "palette": ("a.gif", {"codec": "gif", "pixel_format": "rgb8"}, 50, 8),
}


@pytest.mark.parametrize("kind", STORED)
def test_grey_and_colour_values(tmp_path: Path, kind: str) -> None:
    name, how, tolerance, bits = STORED[kind]
    reader = open_video(write_video(tmp_path / name, [ramp()] * 3, **how))
    assert reader.info.bit_depth == bits
    frame = list(reader)[1]
    middles = np.arange(WIDTH // 16, WIDTH, WIDTH // 8)
    wanted = ramp()[0, middles, 0].astype(int)
    assert frame.grey.flags.c_contiguous
    assert frame.rgb.flags.c_contiguous
    for image in (frame.grey, frame.rgb[..., 0], frame.rgb[..., 1], frame.rgb[..., 2]):
        assert image.dtype == np.uint8
        assert np.abs(image[HEIGHT // 2, middles].astype(int) - wanted).max() <= tolerance


@pytest.mark.parametrize(("kind", "high"), [("limited range", 235), ("full range", 255)])
def test_range_is_what_the_name_says(tmp_path: Path, kind: str, high: int) -> None:
    """The two kinds above must differ in what is stored, else they test the same."""
    name, how, _, _ = STORED[kind]
    with av.open(str(write_video(tmp_path / name, [ramp()] * 3, **how))) as container:
        luma = np.frombuffer(next(container.decode(video=0)).planes[0], np.uint8)
    assert luma.max() == pytest.approx(high, abs=3)


def test_grey_of_limited_range(tmp_path: Path) -> None:
    """FFmpeg converts to grey of full range only, so the values are made here."""
    limited = np.rint(16 + ramp()[..., 0] / 255 * 219).astype(np.uint8)
    how = {"codec": "ffv1", "pixel_format": "gray", "source_format": "gray", "full_range": False}
    frame = next(iter(open_video(write_video(tmp_path / "a.mkv", [limited] * 2, **how))))
    assert np.abs(frame.grey.astype(int) - ramp()[..., 0]).max() <= 1


@pytest.mark.parametrize("options", [{}, {"pixel_format": "gray", "crf": 0}, {"pixel_format": "yuv420p10le"}])
def test_what_the_writer_writes(tmp_path: Path, options: dict[str, Any]) -> None:
    with VideoWriter(tmp_path / "a.mp4", fps=50, size=(WIDTH, HEIGHT), **options) as writer:
        for image in (ramp(), ramp()[..., 0]) if "gray" not in options.values() else [ramp()[..., 0]] * 2:
            writer.write(image)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stored = next(container.decode(video=0))
    assert (stored.color_range, stored.colorspace) == ((1, 1) if "gray" not in options.values() else (2, 2))
    for frame in open_video(tmp_path / "a.mp4"):
        middles = np.arange(WIDTH // 16, WIDTH, WIDTH // 8)
        assert np.abs(frame.grey[10, middles].astype(int) - ramp()[0, middles, 0]).max() <= 3


@pytest.mark.parametrize("colour", [(200, 60, 60), (60, 200, 60), (60, 60, 200)])
def test_red_is_red(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    image = np.full((HEIGHT, WIDTH, 3), colour, np.uint8)
    frame = next(iter(open_video(write_video(tmp_path / "a.mp4", [image] * 2, options={"crf": "4"}))))
    assert frame.rgb[10, 10].astype(int) == pytest.approx(colour, abs=4)


MATRICES = {
    # a, b, c, d of the display matrix: what numpy must do to the stored picture, degrees clockwise
    "as stored": ((1, 0, 0, 1), lambda image: image, 0),
    "a quarter clockwise": ((0, 1, -1, 0), lambda image: np.rot90(image, -1), 90),
    "half": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2), 180),
    "a quarter back": ((0, -1, 1, 0), lambda image: np.rot90(image, 1), 270),
    "mirrored": ((-1, 0, 0, 1), np.fliplr, 0),
    "upside down": ((1, 0, 0, -1), np.flipud, 180),
    "transposed": ((0, 1, 1, 0), lambda image: np.swapaxes(image, 0, 1), 90),
    "transposed the other way": ((0, -1, -1, 0), lambda image: np.swapaxes(np.rot90(image, 2), 0, 1), 270),
}


@pytest.mark.parametrize("turn", MATRICES)
def test_display_matrix(tmp_path: Path, turn: str) -> None:
    matrix, by_numpy, degrees = MATRICES[turn]
    path = write_numbered(tmp_path / "a.mp4", 3)
    plain = next(iter(open_video(path)))
    set_matrix(path, matrix)
    reader = open_video(path)
    frame = next(iter(reader))
    assert np.array_equal(frame.grey, by_numpy(plain.grey))
    assert np.array_equal(frame.rgb, by_numpy(plain.rgb))
    assert reader.info.rotation == degrees
    assert (reader.info.height, reader.info.width) == frame.grey.shape
    assert frame.grey.flags.c_contiguous


def test_mirrored_orientations() -> None:
    mirrored = {name for name, (m, _, _) in MATRICES.items() if _orientation(m).mirrored}
    assert mirrored == {"mirrored", "upside down", "transposed", "transposed the other way"}


def _orientation(matrix: tuple[int, int, int, int]) -> Orientation:
    a, b, c, d = (v * 65536 for v in matrix)
    return Orientation.from_display_matrix(np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32).tobytes())


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", 4, aspect=Fraction(4, 3))
    reader = open_video(path)
    assert (reader.info.width, reader.info.height) == (85, 48)
    frames = list(reader)
    assert [f.grey.shape for f in frames] == [(48, 85)] * 4
    assert frames[2].rgb.shape == (48, 85, 3)


@pytest.mark.parametrize(("width", "height"), [(63, 47), (65, 49)])
def test_odd_sizes(tmp_path: Path, width: int, height: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 2 :] = 255
    path = write_video(tmp_path / "a.mkv", [image] * 2, codec="ffv1", pixel_format="yuv444p")
    frame = next(iter(open_video(path)))
    assert frame.grey.shape == (height, width)
    assert np.abs(frame.grey.astype(int) - image[..., 0]).max() <= 1
    assert np.abs(frame.rgb.astype(int) - image).max() <= 2


def test_frame_of_an_array() -> None:
    colour = np.zeros((4, 6, 3), np.uint8)
    colour[..., 1] = 200
    frame = Frame(3, 0.25, colour)
    assert frame.rgb is colour
    assert frame.grey[0, 0] == round(0.587 * 200)
    assert Frame(0, 0.0, frame.grey).rgb.shape == (4, 6, 3)
    assert repr(frame) == "Frame(index=3, time_s=0.250000)"


def test_numbers_survive_a_low_rate(tmp_path: Path) -> None:
    frames = list(open_video(write_numbered(tmp_path / "a.mp4", 10, options={"crf": "40"})))
    assert [number_of(f.grey) for f in frames] == list(range(10))
