"""Videos that break off or are damaged are read up to the break, and the user is told at which second."""

from __future__ import annotations

import re
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from video_files import find_box, number_of, write_numbered

from fleeting.errors import FleetingWarning, VideoError
from fleeting.video.reader import open_video

COUNT = 100


def textured(path: Path) -> Path:
    """Frames of some kilobytes each, so that a cut falls between them."""
    from video_files import numbered, write_video

    rng = np.random.default_rng(0)
    images = []
    for i in range(COUNT):
        image = numbered(i, width=128, height=96)
        image[24:44, :] = rng.integers(0, 256, (20, 128, 1))
        images.append(image)
    options = {"g": "25", "bf": "2", "crf": "18", "sc_threshold": "0"}
    faststart = {"movflags": "faststart"} if path.suffix == ".mp4" else None
    return write_video(path, images, options=options, container_options=faststart)


def read(path: Path) -> tuple[list[int], list[str]]:
    with warnings.catch_warnings(record=True) as caught, open_video(path) as reader:
        warnings.simplefilter("always")
        numbers = [number_of(f.grey) for f in reader]
        for _ in reader:  # a second pass says nothing twice
            pass
    assert [str(w.message) for w in caught] == reader.warnings
    assert all(w.category is FleetingWarning for w in caught)
    return numbers, reader.warnings


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize("share", [0.3, 0.4, 0.55, 0.7, 0.82, 0.9])
def test_cut_off(tmp_path: Path, suffix: str, share: float) -> None:
    path = textured(tmp_path / f"a{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    numbers, notes = read(path)
    assert numbers == list(range(len(numbers)))
    assert share * COUNT * 0.55 < len(numbers) < share * COUNT * 1.3
    (note,) = notes
    second = re.search(r"a\.\w+ breaks off at ([\d.]+) s", note)
    assert second is not None
    assert float(second[1]) == pytest.approx(len(numbers) / 25, abs=0.05)


def test_any_frames_of_a_file_that_is_cut_off(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv", ".avi"):
        path = textured(tmp_path / f"a{suffix}")
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 7 // 10])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FleetingWarning)
            reader = open_video(path)
            whole = list(reader)
            part = list(reader.frames(51, 55))
        assert [f.time_s for f in part] == [f.time_s for f in whole[51:56]]
        assert all(np.array_equal(f.grey, whole[f.index].grey) for f in part)


def test_overwritten_second_half(tmp_path: Path) -> None:
    path = textured(tmp_path / "a.mp4")
    data = bytearray(path.read_bytes())
    start = len(data) // 2
    data[start:] = b"\x5a" * (len(data) - start)
    path.write_bytes(bytes(data))
    numbers, notes = read(path)
    assert numbers[:30] == list(range(30))
    assert len(numbers) < 80
    assert any(re.search(r"breaks off at [\d.]+ s of 4\.00 s", note) for note in notes)


def test_one_damaged_place_does_not_end_the_reading(tmp_path: Path) -> None:
    path = textured(tmp_path / "a.mp4")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    # Of damage within a single picture the decoder's threads now and then say nothing.
    data[middle : middle + 1500] = np.random.default_rng(1).bytes(1500)
    path.write_bytes(bytes(data))
    numbers, notes = read(path)
    assert len(numbers) > COUNT - 10
    assert numbers[-10:] == list(range(COUNT - 10, COUNT))
    (note,) = notes
    assert re.search(r"is damaged in \d+ places?, the first at [12]\.\d+ s", note)


def test_recording_that_begins_between_key_frames(tmp_path: Path) -> None:
    path = textured(tmp_path / "a.ts")
    data = path.read_bytes()
    start = len(data) // 3 // 188 * 188
    path.write_bytes(data[: 3 * 188] + data[start:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FleetingWarning)
        frames = list(open_video(path))
    numbers = [number_of(f.grey) for f in frames]
    assert frames[0].time_s == 0
    assert numbers == list(range(numbers[0], COUNT))
    assert numbers[0] % 25 == 0


def test_whole_videos_are_silent(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv", ".avi", ".ts"):
        assert read(textured(tmp_path / f"a{suffix}")) == (list(range(COUNT)), [])


def test_repeated_timestamps_are_told(tmp_path: Path) -> None:
    ticks = [0, 40, 80, 121, *range(160, 1200, 40)]
    path = write_numbered(tmp_path / "a.mp4", len(ticks), ticks=ticks, options={"bf": "0"})
    data = bytearray(path.read_bytes())
    at = find_box(bytes(data), b"stts") + 8
    first_count = struct.unpack_from(">I", data, at)[0]
    assert first_count == 2  # two gaps of 40 ms, then one of 41: that one is set to nothing
    struct.pack_into(">I", data, at + 12, 0)
    path.write_bytes(bytes(data))
    with open_video(path) as reader, pytest.warns(FleetingWarning, match=r"1 timestamps .* the first at 0\.\d+ s"):
        frames = list(reader)
    assert [number_of(f.grey) for f in frames] == list(range(len(ticks)))
    times = np.array([f.time_s for f in frames])
    assert (np.diff(times) > 0).all()
    assert [number_of(f.grey) for f in reader.frames(2, 4)] == [2, 3, 4]


def test_raw_stream_without_timestamps(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.h264", 30, options={"bf": "2"})
    with pytest.warns(FleetingWarning, match="no timestamps; taken as 25 frames/s"):
        reader = open_video(path)
    assert [number_of(f.grey) for f in reader] == list(range(30))
    assert [f.time_s for f in reader] == pytest.approx([i / 25 for i in range(30)])
    assert [number_of(f.grey) for f in reader.frames(17, 19)] == [17, 18, 19]
    given = open_video(path, fps=200)
    assert given.warnings == []
    assert [f.time_s for f in given][7] == 7 / 200


def test_nothing_left_but_the_header(tmp_path: Path) -> None:
    path = textured(tmp_path / "a.mp4")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 200])
    with pytest.raises(VideoError, match="cut off|none can"):
        list(open_video(path))
