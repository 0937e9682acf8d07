"""What is no usable video is refused with what was expected, what came and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_files import numbered, write_numbered, write_sound, write_video

from fleeting.errors import FleetingError, VideoError
from fleeting.video.reader import open_video


def refused(path: Path, message: str, *, fps: float | None = None) -> VideoError:
    with pytest.raises(VideoError, match=message) as caught:
        open_video(path, fps=fps)
    error = caught.value
    assert error.expected
    assert error.got
    assert error.hint.rstrip("'").endswith((".", "?", "…")) or error.hint.startswith("Did you mean")
    return error


def test_missing_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "interview.mp4").write_bytes(b"x")
    error = refused(tmp_path / "intervew.mp4", "which does not exist")
    assert error.hint == f"Did you mean '{tmp_path / 'interview.mp4'}'?"
    assert refused(tmp_path / "zzz.mov", "which does not exist").hint == "Check the path."
    assert "there is no folder" in refused(tmp_path / "nowhere" / "a.mp4", "which does not exist").hint


def test_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.touch()
    refused(path, "a.mp4, a file of 0 bytes")


def test_name_too_long(tmp_path: Path) -> None:
    refused(tmp_path / ("a" * 300 + ".mp4"), "path that the disk knows|does not exist")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"hello world\n" * 50),
        ("table.csv", b"frame,time\n1,2\n" * 40),
        ("noise.mp4", np.random.default_rng(0).bytes(5000)),
        ("zeros.mov", bytes(5000)),
        ("page.html", b"<html><body>not found</body></html>"),
        ("script.ans", b"\x1b[31mred\x1b[0m\n" * 30),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
    ],
)
def test_not_a_video(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    refused(path, f"Expected a .*; got {name}")


def test_recording_that_was_not_finished(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", 50)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    refused(path, "a finished video; got a.mp4, whose index is missing")
    path.write_bytes(data[: data.rindex(b"moov") + 60])
    refused(path, "a finished video; got a.mp4, whose index is missing")


def test_sound_only(tmp_path: Path) -> None:
    refused(write_sound(tmp_path / "a.m4a"), "a.m4a, which holds sound only")


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    """An mp3 file with a picture in its ID3 tag, as music players write it."""
    jpeg = cv2.imencode(".jpg", numbered(1))[1].tobytes()
    body = b"\x00image/jpeg\x00\x03\x00" + jpeg
    picture = b"APIC" + len(body).to_bytes(4, "big") + b"\x00\x00" + body
    size = bytes((len(picture) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    silent = b"\xff\xfb\x90\x64" + bytes(413)  # one frame of MPEG-1 layer III, 128 kbit/s, 44100 Hz
    path = tmp_path / "song.mp3"
    path.write_bytes(b"ID3\x03\x00\x00" + size + picture + silent * 40)
    refused(path, "song.mp3, which holds sound only")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
def test_still_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(cv2.imencode(suffix, numbered(1))[1].tobytes())
    refused(path, f"at least 2 frames; got a{suffix}, a still picture")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif"])
def test_video_of_one_frame(tmp_path: Path, name: str) -> None:
    how = {"codec": "gif", "pixel_format": "rgb8"} if name == "a.gif" else {}
    refused(write_video(tmp_path / name, [numbered(1)], **how), f"got {name}, a still picture \\(a video of one frame")


def test_unknown_codec(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", 5)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    refused(path, "a codec that FFmpeg knows")


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf")])
def test_impossible_rate(tmp_path: Path, fps: float) -> None:
    error = refused(write_numbered(tmp_path / "a.mp4", 5), "a positive number of frames per second", fps=fps)
    assert "--fps" in error.hint


def test_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_numbered(tmp_path / "a.mp4", 5)
    monkeypatch.setattr(os, "access", lambda *_: False)
    refused(path, "without permission to read it")


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may read everything")
def test_without_permission_for_true(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", 5)
    path.chmod(0)
    refused(path, "without permission to read it")


def test_neither_file_nor_folder(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    refused(path, "which is neither")


def test_an_error_is_one_of_the_package(tmp_path: Path) -> None:
    with pytest.raises(FleetingError, match="Expected a file or a folder; got"):
        open_video(str(tmp_path / "a.mp4"))


@pytest.mark.parametrize(
    ("brand", "kind"), [(b"heic", "HEIC"), (b"heix", "HEIC"), (b"mif1", "HEIF"), (b"avif", "AVIF")]
)
def test_photo_of_a_phone_whatever_its_name(tmp_path: Path, brand: bytes, kind: str) -> None:
    from fleeting.expressions.emotion import read_picture

    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\x00\x00\x00\x18ftyp" + brand + b"\x00\x00\x00\x00mif1" + brand)
    told = f"photo.jpg, which is a {kind} photo, whatever its name says. Convert it: heif-convert photo.jpg photo.png"
    refused(path, told)
    with pytest.raises(VideoError, match=told):
        read_picture(path)
