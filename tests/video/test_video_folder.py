from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from video_files import HEIGHT, WIDTH, number_of, numbered

from fleeting.errors import VideoError
from fleeting.video.folder import videos_in
from fleeting.video.reader import open_video
from fleeting.video.writer import ImageFolderWriter


def fill(folder: Path, names: dict[str, np.ndarray]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, image in names.items():
        stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 and image.shape[2] == 3 else image
        (folder / name).write_bytes(cv2.imencode(Path(name).suffix, stored)[1].tobytes())
    return folder


def refused(folder: Path, message: str, *, fps: float | None = 200) -> VideoError:
    with pytest.raises(VideoError, match=message) as caught:
        [frame.grey for frame in open_video(folder, fps=fps)]
    return caught.value


@pytest.mark.parametrize("pattern", ["img{}.png", "sub01_EP02_{}.jpg", "006_{:05d}.png", "{}.bmp", "reg_img{}.JPG"])
def test_natural_order(tmp_path: Path, pattern: str) -> None:
    folder = fill(tmp_path / "clip", {pattern.format(n): numbered(n) for n in range(7, 23)})
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "Thumbs.db").write_bytes(b"x")
    reader = open_video(folder, fps=200)
    frames = list(reader)
    assert [number_of(f.grey) for f in frames] == list(range(7, 23))
    assert [f.time_s for f in frames] == [i / 200 for i in range(16)]
    info = reader.info
    assert (info.name, info.container, info.fps, info.frame_count, info.duration_s) == ("clip", "images", 200, 16, 0.08)
    assert (info.width, info.height) == (WIDTH, HEIGHT)
    part = list(reader.frames(4, 6))
    assert [(f.index, f.time_s, number_of(f.grey)) for f in part] == [(4, 0.02, 11), (5, 0.025, 12), (6, 0.03, 13)]
    assert np.array_equal(part[0].rgb, frames[4].rgb)


def test_values(tmp_path: Path) -> None:
    colour = numbered(3)
    colour[:, :, 0] = 77
    grey = numbered(4)[..., 0]
    deep = grey.astype(np.uint16) * 257
    alpha = np.dstack([numbered(5), np.zeros((HEIGHT, WIDTH), np.uint8)])
    images = {"1.png": colour, "2.png": grey, "3.png": deep, "4.png": alpha}
    frames = list(open_video(fill(tmp_path / "clip", images), fps=100))
    assert np.array_equal(frames[0].rgb, colour)
    assert np.array_equal(frames[0].grey, cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY))
    for frame in frames[1:3]:
        assert np.array_equal(frame.grey, grey)
        assert np.array_equal(frame.rgb, numbered(4))
    assert number_of(frames[3].grey) == 5
    assert frames[3].rgb.shape == (HEIGHT, WIDTH, 3)


def test_written_folder_is_read_back(tmp_path: Path) -> None:
    with ImageFolderWriter(tmp_path / "clip") as writer:
        for i in range(12):
            writer.write(numbered(i))
    frames = list(open_video(tmp_path / "clip", fps=29.97))
    assert all(np.array_equal(f.rgb, numbered(f.index)) for f in frames)
    assert len(frames) == 12


def test_constant_step_is_allowed(tmp_path: Path) -> None:
    folder = fill(tmp_path / "clip", {f"{n}.png": numbered(n) for n in range(10, 30, 4)})
    assert [number_of(f.grey) for f in open_video(folder, fps=50)] == [10, 14, 18, 22, 26]


def test_rate_is_needed(tmp_path: Path) -> None:
    error = refused(fill(tmp_path / "clip", {f"{n}.png": numbered(n) for n in range(3)}), "a frame rate", fps=None)
    assert "--fps" in error.hint


def test_hole_is_named(tmp_path: Path) -> None:
    names = {f"img{n}.png": numbered(n) for n in (1, 2, 3, 4, 7, 8)}
    refused(fill(tmp_path / "clip", names), "img4.png followed by img7.png")


@pytest.mark.parametrize("place", [0, 1, 3, 5])
def test_mixed_sizes_are_named(tmp_path: Path, place: int) -> None:
    names = {f"img{n}.png": numbered(n) for n in range(6)}
    names[f"img{place}.png"] = numbered(1, width=32)
    other = place or 3
    refused(fill(tmp_path / "clip", names), f"img0.png of .* and img{other}.png of")


def test_number_twice(tmp_path: Path) -> None:
    names = {"a_1.png": numbered(1), "a_2.png": numbered(2), "b_2.png": numbered(2)}
    refused(fill(tmp_path / "clip", names), "each number once; got a_2.png and b_2.png")


def test_no_number(tmp_path: Path) -> None:
    refused(fill(tmp_path / "clip", {"1.png": numbered(1), "cover.png": numbered(2)}), "cover.png, which has no number")


def test_damaged_image_is_named(tmp_path: Path) -> None:
    folder = fill(tmp_path / "clip", {f"{n}.png": numbered(n) for n in range(9)})
    (folder / "2.png").write_bytes(b"\x89PNG")
    refused(folder, "2.png, which is damaged")
    (folder / "2.png").write_bytes(b"")
    refused(folder, "2.png, which is damaged")


def test_one_image_and_none(tmp_path: Path) -> None:
    folder = fill(tmp_path / "clip", {"1.png": numbered(1)})
    refused(folder, "a still picture")
    (folder / "1.png").rename(folder / "1.dat")
    refused(folder, "which holds none")
    (folder / "film.mp4").write_bytes(b"x")
    assert "analyses them one by one" in refused(folder, "which holds none").hint


def test_frames_that_are_not_there(tmp_path: Path) -> None:
    reader = open_video(fill(tmp_path / "clip", {f"{n}.png": numbered(n) for n in range(3)}), fps=25)
    with pytest.raises(ValueError, match="Expected frames up to 2; got 3"):
        list(reader.frames(1, 3))


def test_videos_are_known_by_their_names_in_any_case(tmp_path: Path) -> None:
    for name in ("a.gif", "B.MXF", "c.3gp", "d.mp4", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).write_bytes(b"\0")
    assert {p.name for p in videos_in(tmp_path)} == {"a.gif", "B.MXF", "c.3gp", "d.mp4"}
