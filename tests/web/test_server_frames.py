"""The frame that is shown is the frame that was asked for, in every kind of film."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from served import film_id, served, shown_number
from video_files import find_box, number_of, numbered, set_matrix, write_numbered, write_video

from fleeting.video import file_reader
from fleeting.video.packet_table import read_packets
from fleeting.video.reader import open_video

COUNT = 200
pytestmark = pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")


def rated(rate: Fraction) -> Callable[[Path], Path]:
    return lambda at: write_numbered(at / "film.mp4", COUNT, rate=rate, options={"g": "30"})


def uneven(at: Path) -> Path:
    gaps = np.random.default_rng(3).integers(3, 60, COUNT)
    return write_numbered(at / "film.mkv", COUNT, ticks=np.cumsum(gaps).tolist(), options={"g": "40"})


def reordered(at: Path) -> Path:
    return write_numbered(at / "film.mp4", COUNT, b_frames=3, options={"g": "48", "b-pyramid": "normal"})


def open_groups(at: Path) -> Path:
    return write_numbered(
        at / "film.mkv", COUNT, b_frames=3, options={"g": "48", "x264-params": "open-gop=1:scenecut=0"}
    )


def edited(at: Path) -> Path:
    """An edit list that begins with the fourteenth frame, in the middle of a group."""
    path = write_numbered(at / "film.mp4", COUNT + 13, rate=50, options={"g": "30", "bf": "0"})
    data = bytearray(path.read_bytes())
    scale = struct.unpack_from(">I", data, find_box(bytes(data), b"mdhd") + 12)[0]
    struct.pack_into(">i", data, find_box(bytes(data), b"elst") + 12, 13 * scale // 50)
    path.write_bytes(bytes(data))
    return path


def late(at: Path) -> Path:
    """Times that begin at 3 s, and a first frame that is shown for long."""
    return write_numbered(at / "film.mkv", COUNT, ticks=[3000, *range(3400, 3400 + 20 * (COUNT - 1), 20)])


def rotated(at: Path) -> Path:
    """Stored on its side, with a display matrix that puts it upright."""
    path = write_video(at / "film.mp4", [np.rot90(numbered(i)).copy() for i in range(COUNT)], options={"g": "25"})
    set_matrix(path, (0, 1, -1, 0))
    return path


def motion_jpeg(at: Path) -> Path:
    return write_numbered(at / "film.avi", COUNT, codec="mjpeg", pixel_format="yuvj420p")


def ten_bits(at: Path) -> Path:
    return write_numbered(at / "film.mkv", COUNT, codec="ffv1", pixel_format="yuv420p10le")


def vp8(at: Path) -> Path:
    """With packets that are no picture of their own."""
    return write_numbered(at / "film.webm", COUNT, codec="libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16"})


def images(at: Path) -> Path:
    folder = at / "film"
    folder.mkdir()
    for i in range(COUNT):
        cv2.imwrite(str(folder / f"img{i + 7:04d}.png"), numbered(i))
    return folder


FILMS: dict[str, Callable[[Path], Path]] = {
    "29.97 frames/s": rated(Fraction(30000, 1001)),
    "59.94 frames/s": rated(Fraction(60000, 1001)),
    "200 frames/s": rated(Fraction(200)),
    "variable rate": uneven,
    "B-frames": reordered,
    "open groups": open_groups,
    "edit list": edited,
    "begins late": late,
    "rotated": rotated,
    "MJPEG": motion_jpeg,
    "10 bit": ten_bits,
    "VP8": vp8,
    "images": images,
}


@pytest.mark.parametrize("kind", FILMS)
def test_the_number_in_the_picture_is_the_number_asked(kind: str, tmp_path: Path) -> None:
    path = FILMS[kind](tmp_path)
    start = 13 if kind == "edit list" else 0
    jumps = np.random.default_rng(1).integers(0, COUNT, 12).tolist()
    with served(tmp_path) as client:
        film = film_id(client, path.name)
        times = np.frombuffer(client.get(f"/api/films/{film}/times").content, "<f8")
        asked = [*jumps, *range(90, 110), *range(110, 60, -1), 0, COUNT - 1, COUNT - 2]
        for number in asked:
            answer = client.get(f"/api/films/{film}/frames/{number}")
            assert answer.headers["x-frame"] == str(number)
            assert shown_number(answer) == number + start
            assert float(answer.headers["x-time"]) == pytest.approx(times[number], abs=1e-5)
        assert client.get(f"/api/films/{film}/frames/{COUNT}").status_code == 404
    with open_video(path, fps=25.0 if path.is_dir() else None) as reader:
        decoded = [frame.time_s for frame in reader]
    assert np.allclose(times, decoded, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["29.97 frames/s", "B-frames", "variable rate", "MJPEG", "begins late"])
def test_packets_tell_the_times_without_decoding(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = FILMS[kind](tmp_path)
    with open_video(path) as reader:
        decoded = np.array([frame.time_s for frame in reader])
    with open_video(path) as reader:
        monkeypatch.setattr(reader, "_stream", None)  # what decodes all
        assert reader.times() == pytest.approx(decoded)


def without_picture(path: Path, number: int) -> Path:
    """Damage one picture of a film of JPEG pictures: its packet is there, but shows nothing."""
    data = bytearray(path.read_bytes())
    starts = [found.start() for found in re.finditer(rb"\xff\xd8\xff", data)]
    assert len(starts) == COUNT
    data[starts[number] : starts[number] + 600] = bytes(600)
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("damaged", [COUNT // 2, COUNT - 1])
def test_packets_that_promise_too_much_are_not_believed(damaged: int, tmp_path: Path) -> None:
    """The numbers are those of the pictures that can be decoded, once somebody comes to the damage."""
    path = without_picture(motion_jpeg(tmp_path), damaged)
    with open_video(path) as reader:
        decoded = [(frame.time_s, number_of(frame.grey)) for frame in reader]
    assert len(decoded) == COUNT - 1
    with served(tmp_path) as client:
        film = film_id(client, "film.avi")
        asked = [*range(damaged - 3, COUNT - 1), *range(10), damaged - 1, COUNT - 2]
        for number in asked:
            answer = client.get(f"/api/films/{film}/frames/{number}")
            assert float(answer.headers["x-time"]) == pytest.approx(decoded[number][0], abs=1e-5)
            assert shown_number(answer) == decoded[number][1]
        assert client.get(f"/api/films/{film}/frames/{COUNT - 1}").status_code == 404
        times = np.frombuffer(client.get(f"/api/films/{film}/times").content, "<f8")
    assert times == pytest.approx([time_s for time_s, _ in decoded])


@pytest.mark.parametrize(("codec", "damaged"), [("mjpeg", COUNT - 1), ("unknown", COUNT // 2)])
def test_packets_are_compared_with_what_can_be_decoded(
    codec: str, damaged: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of the film; all of it where the codec may have packets that show nothing."""
    path = without_picture(motion_jpeg(tmp_path), damaged)
    monkeypatch.setattr(file_reader, "ONE_FRAME_A_PACKET", {codec})
    with open_video(path) as reader:
        assert len(reader.times()) == COUNT - 1


def test_known_times_are_compared(tmp_path: Path) -> None:
    path = rated(Fraction(50))(tmp_path)
    with open_video(path) as reader:
        assert reader.times(np.arange(COUNT) / 50) == pytest.approx(np.arange(COUNT) / 50)
    with open_video(path) as reader:  # times of another film: the file itself is decoded
        assert reader.times(np.arange(COUNT + 3) / 50) == pytest.approx(np.arange(COUNT) / 50)


def test_a_table_of_packets_needs_a_key_frame_first(tmp_path: Path) -> None:
    path = edited(tmp_path)
    reader = open_video(path)
    with reader._opened() as (container, stream):  # type: ignore[attr-defined]
        assert read_packets(container, stream, 0.02) is None


def test_a_frame_may_be_asked_for_smaller(tmp_path: Path) -> None:
    rated(Fraction(30))(tmp_path)
    with served(tmp_path) as client:
        film = film_id(client, "film.mp4")
        answer = client.get(f"/api/films/{film}/frames/5", params={"width": 32})
        assert cv2.imdecode(np.frombuffer(answer.content, np.uint8), 1).shape == (24, 32, 3)
        again = client.get(
            f"/api/films/{film}/frames/5", params={"width": 32}, headers={"If-None-Match": answer.headers["etag"]}
        )
        assert again.status_code == 304
        assert client.get(f"/api/films/{film}/frames/5", params={"view": "face"}).status_code == 409
        assert client.get(f"/api/films/{film}/frames/x").status_code == 422
