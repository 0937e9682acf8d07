"""Frames come in order of presentation, at their true times, whatever the container and the codec."""

from __future__ import annotations

import weakref
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video_files import HEIGHT, WIDTH, number_of, numbered, write_numbered, write_sound, write_video

from fleeting.errors import FleetingWarning
from fleeting.video.pixels import DecodedPicture
from fleeting.video.reader import open_video

B_FRAMES = {"options": {"bf": "3", "g": "12", "b_strategy": "0"}}

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "h264 with B-frames in mp4": ("a.mp4", B_FRAMES),
    "h264 with B-frames in mkv": ("a.mkv", B_FRAMES),
    "h264 with B-frames in avi": ("a.avi", B_FRAMES),
    "h264 with B-frames in ts": ("a.ts", B_FRAMES),
    "h264 open groups": ("a.mp4", {"options": {"bf": "2", "g": "10", "x264-params": "open-gop=1:scenecut=0"}}),
    "hevc": ("a.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=10:min-keyint=10"}}),
    "vp9": ("a.webm", {"codec": "libvpx-vp9", "options": {"b": "0", "crf": "20", "g": "10"}}),
    "mpeg4 in avi": ("a.avi", {"codec": "mpeg4", "options": {"b": "2000000"}}),
    "mjpeg in avi": ("a.avi", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
    "mjpeg in mov": ("a.mov", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
    "ffv1": ("a.mkv", {"codec": "ffv1"}),
    "gif": ("a.gif", {"codec": "gif", "pixel_format": "rgb8"}),
    "variable rate": (
        "a.mp4",
        {**B_FRAMES, "ticks": [0, 40, 50, 51, 90, *range(200, 840, 20)], "time_base": Fraction(1, 1000)},
    ),
}
COUNT = 37


@pytest.fixture(params=KINDS, scope="module")
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    name, how = KINDS[request.param]
    ticks = how.get("ticks")
    times = [t / 1000 for t in ticks] if ticks else [i / 25 for i in range(COUNT)]
    return write_numbered(tmp_path_factory.mktemp("video") / name, COUNT, **how), times


def test_order_and_times(video: tuple[Path, list[float]]) -> None:
    path, times = video
    with open_video(path) as reader:
        frames = list(reader)
    assert [number_of(f.grey) for f in frames] == list(range(COUNT))
    assert [f.index for f in frames] == list(range(COUNT))
    assert frames[0].time_s == 0.0
    assert [f.time_s for f in frames] == pytest.approx(times, abs=1e-3)
    assert reader.warnings == []


@pytest.mark.parametrize("streamed_first", [False, True])
def test_any_frames_are_those_of_streaming(video: tuple[Path, list[float]], streamed_first: bool) -> None:
    path, _ = video
    whole = list(open_video(path))
    for first, last in [(0, 0), (1, 4), (9, 13), (10, 10), (23, 30), (COUNT - 1, COUNT - 1), (0, COUNT - 1)]:
        with open_video(path) as reader:
            if streamed_first:
                assert sum(1 for _ in reader) == COUNT
            part = list(reader.frames(first, last))
        assert [f.index for f in part] == list(range(first, last + 1))
        for frame in part:
            same = whole[frame.index]
            assert frame.time_s == same.time_s
            assert np.array_equal(frame.grey, same.grey)
            assert np.array_equal(frame.rgb, same.rgb)


def test_seeking_does_not_decode_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fleeting.video import decoding, file_reader

    path = write_numbered(tmp_path / "a.mp4", 200, options={"g": "10", "bf": "2"})
    reader = open_video(path)
    assert sum(1 for _ in reader) == 200
    decoded = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal decoded
        for picture in decoding.decode_raw(*args, **kwargs):
            decoded += 1
            yield picture

    monkeypatch.setattr(file_reader, "decode_raw", counted)
    assert [number_of(f.grey) for f in reader.frames(185, 187)] == [185, 186, 187]
    assert 3 <= decoded < 40


def test_a_wrong_index_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fleeting.video import decoding, file_reader

    path = write_numbered(tmp_path / "a.mp4", 60, options={"g": "10", "bf": "0"})
    reader = open_video(path)
    assert sum(1 for _ in reader) == 60

    def elsewhere(*args: Any, **kwargs: Any) -> Any:
        for number, picture in enumerate(decoding.decode_raw(*args, **kwargs)):
            if number % 5 != 3:
                yield picture

    monkeypatch.setattr(file_reader, "decode_raw", elsewhere)
    assert [number_of(f.grey) for f in reader.frames(31, 49)] == list(range(31, 50))


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (4, 3), (30, 37)])
def test_frames_that_are_not_there(tmp_path: Path, first: int, last: int) -> None:
    reader = open_video(write_numbered(tmp_path / "a.mp4", 37))
    with pytest.raises(ValueError, match="Expected"):
        list(reader.frames(first, last))


def test_every_pass_begins_anew(tmp_path: Path) -> None:
    with open_video(write_numbered(tmp_path / "a.mp4", 12)) as reader:
        one, other = iter(reader), iter(reader)
        assert [next(one).index, next(one).index, next(other).index, next(one).index] == [0, 1, 0, 2]
        assert [f.index for f in reader] == list(range(12))


def test_closing_ends_what_is_under_way(tmp_path: Path) -> None:
    with open_video(write_numbered(tmp_path / "a.mp4", 12)) as reader:
        running = iter(reader)
        next(running)
    assert next(running, None) is None


def test_frames_are_freed(tmp_path: Path) -> None:
    made: list[weakref.ref[Any]] = []
    alive_at_once = 0
    original = DecodedPicture.__init__

    def noted(self: DecodedPicture, *args: Any) -> None:
        original(self, *args)
        made.append(weakref.ref(self))

    path = write_numbered(tmp_path / "a.mp4", 120)
    with pytest.MonkeyPatch.context() as patch, open_video(path) as reader:
        patch.setattr(DecodedPicture, "__init__", noted)
        for frame in reader:
            assert frame.rgb.shape == (HEIGHT, WIDTH, 3)
            alive_at_once = max(alive_at_once, sum(ref() is not None for ref in made))
    assert len(made) == 120
    assert alive_at_once <= 2


def test_values_are_kept(tmp_path: Path) -> None:
    frame = next(iter(open_video(write_numbered(tmp_path / "a.mp4", 3))))
    assert frame.grey is frame.grey
    assert frame.rgb is frame.rgb


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24000, 1001), 200, 240, Fraction(25, 2)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_rate_is_exact(tmp_path: Path, rate: Fraction | int, suffix: str) -> None:
    reader = open_video(write_numbered(tmp_path / f"a{suffix}", 30, rate=rate))
    assert reader.info.fps == float(rate)
    assert not reader.info.variable_frame_rate
    assert reader.warnings == []


def test_variable_rate_is_said(tmp_path: Path) -> None:
    ticks = [0, 33, 66, 150, 183, 216, 260, 300, 333]
    info = open_video(write_numbered(tmp_path / "a.mp4", 9, ticks=ticks)).info
    assert info.variable_frame_rate
    assert info.fps == pytest.approx(8 / 0.333, rel=0.02)


def test_rate_that_is_given_replaces_the_stored_times(tmp_path: Path) -> None:
    reader = open_video(write_numbered(tmp_path / "a.mp4", 20, ticks=[0, *range(50, 1000, 50)]), fps=200)
    assert reader.info.fps == 200
    assert not reader.info.variable_frame_rate
    assert [f.time_s for f in reader] == [i / 200 for i in range(20)]
    assert [f.time_s for f in reader.frames(7, 8)] == [7 / 200, 8 / 200]


def test_info(tmp_path: Path) -> None:
    info = open_video(write_numbered(tmp_path / "clip 1.mp4", 30)).info
    assert (info.name, info.codec, info.pixel_format, info.bit_depth) == ("clip 1", "h264", "yuv420p", 8)
    assert (info.width, info.height, info.rotation) == (WIDTH, HEIGHT, 0)
    assert (info.frame_count, info.duration_s) == (30, pytest.approx(1.2))


def test_names_that_look_like_patterns_or_protocols(tmp_path: Path) -> None:
    for name in ("http:a%03d.mp4", "ünï [1] 'x'.mp4"):
        made = write_numbered(tmp_path / "plain.mp4", 3)
        path = made.rename(tmp_path / name)
        assert [number_of(f.grey) for f in open_video(path)] == [0, 1, 2]


def test_sound_beside_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with (
        av.open(str(write_sound(tmp_path / "s.m4a"))) as sound,
        av.open(str(write_numbered(tmp_path / "v.mp4", 8))) as picture,
        av.open(str(path), "w") as out,
    ):
        streams = [out.add_stream_from_template(c.streams[0]) for c in (sound, picture)]
        for container, stream in zip((sound, picture), streams, strict=True):
            for packet in container.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
    assert [number_of(f.grey) for f in open_video(path)] == list(range(8))


def test_largest_of_several_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        streams: list[Any] = []
        for width, height in [(32, 32), (64, 48), (48, 32)]:
            stream: Any = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append(stream)
        for i in range(4):
            for stream in streams:
                image = numbered(i, width=stream.width, height=stream.height)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode(None))
    with pytest.warns(FleetingWarning, match=r"a.mkv holds 3 films; stream 1 \(64 x 48\) is read"):
        reader = open_video(path)
    assert (reader.info.width, reader.info.height) == (64, 48)
    assert [number_of(f.grey) for f in reader] == [0, 1, 2, 3]


def test_size_that_changes(tmp_path: Path) -> None:
    small = write_numbered(tmp_path / "a.ts", 5)
    large = write_video(tmp_path / "b.ts", [numbered(5 + i, width=128, height=96) for i in range(5)])
    path = tmp_path / "both.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.warns(FleetingWarning) as caught:
        frames = list(open_video(path))
    assert any("changes its picture size" in str(w.message) for w in caught)
    assert any("do not rise" in str(w.message) for w in caught)
    assert [number_of(f.grey) for f in frames] == list(range(10))
    assert {f.grey.shape for f in frames} == {(HEIGHT, WIDTH)}
    times = [f.time_s for f in frames]
    assert all(b > a for a, b in pairwise(times))
    assert times[9] == pytest.approx(9 / 25, abs=0.05)


def test_interlaced_is_told(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", 4, options={"x264-params": "tff=1"})
    with pytest.warns(FleetingWarning, match="interlaced: every frame mixes two instants"):
        open_video(path)


def test_phone_video_has_the_times_of_its_file(shared_data: Path) -> None:
    path = shared_data / "videos" / "face_noface.mov"
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stored = [float(frame.pts * frame.time_base) for frame in container.decode(stream)]
    with open_video(path) as reader:
        assert [f.time_s for f in reader] == pytest.approx([t - stored[0] for t in stored])
        assert reader.info.variable_frame_rate
        assert reader.warnings == []


@pytest.mark.parametrize("name", ["face_noface.mov", "no_face.mp4", "single_face.mp4"])
def test_any_frames_of_real_videos(shared_data: Path, name: str) -> None:
    reader = open_video(shared_data / "videos" / name)
    wanted = {40: None, 41: None, 42: None, 60: None}
    kept = {f.index: f.grey for f in reader if f.index in wanted}
    for first, last in [(40, 42), (60, 60)]:
        for frame in reader.frames(first, last):
            assert np.array_equal(frame.grey, kept[frame.index])


@pytest.mark.parametrize("cover_first", [True, False])
@pytest.mark.parametrize("cover", ["mjpeg", "libx264"])
def test_the_stream_that_moves(tmp_path: Path, cover: str, cover_first: bool) -> None:
    """A cover that is larger than the film, and not marked as one."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        made: dict[str, Any] = {}
        for kind in ("cover", "film") if cover_first else ("film", "cover"):
            stream = made[kind] = container.add_stream(cover if kind == "cover" else "libx264", rate=25)
            stream.width, stream.height = (128, 96) if kind == "cover" else (WIDTH, HEIGHT)
            stream.pix_fmt = "yuv420p" if kind == "film" else "yuvj420p" if cover == "mjpeg" else "yuv420p"
        still = av.VideoFrame.from_ndarray(numbered(99, width=128, height=96), format="rgb24")
        container.mux(made["cover"].encode(still))
        for i in range(12):
            container.mux(made["film"].encode(av.VideoFrame.from_ndarray(numbered(i), format="rgb24")))
        for stream in made.values():
            container.mux(stream.encode(None))
    reader = open_video(path)
    assert (reader.info.width, reader.info.codec) == (WIDTH, "h264")
    assert [number_of(f.grey) for f in reader] == list(range(12))
    assert [number_of(f.grey) for f in reader.frames(5, 6)] == [5, 6]
    assert reader.warnings == []
