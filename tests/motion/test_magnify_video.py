from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from swaying_texture import FPS, sway, swaying
from typer.testing import CliRunner

from fleeting.cli.app import app
from fleeting.errors import InputError, VideoError
from fleeting.motion.magnify_video import magnify_video
from fleeting.video.reader import open_video
from fleeting.video.writer import VideoWriter


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "sway.mkv"
    with VideoWriter(path, fps=FPS, size=(95, 96), codec="ffv1", pixel_format="bgr0") as writer:
        for picture in swaying(0.2, frames=24):
            writer.write(np.ascontiguousarray(picture[:, :95]))
    return path


def read(path: Path) -> tuple[np.ndarray, list[float]]:
    with open_video(path) as reader:
        frames = list(reader)
        return np.stack([f.grey for f in frames]), [f.time_s for f in frames]


def test_the_copy_keeps_frames_and_times_and_moves_more(video: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    out = tmp_path / "deeper" / "large.mp4"
    assert magnify_video(video, out, factor=8, band_hz=(0.0, 30.0), progress=lambda *done: seen.append(done)) == 24
    before, times = read(video)
    after, new_times = read(out)
    assert after.shape == (24, 96, 94), "an odd column is cut off"
    np.testing.assert_allclose(new_times, times, atol=1e-3)
    assert [done for done, _ in seen] == list(range(1, 25))
    wide = np.pad(before, ((0, 0), (0, 0), (0, 1)), mode="edge")
    assert sway(np.pad(after, ((0, 0), (0, 0), (0, 2)), mode="edge")) > 4 * sway(wide)


def test_the_command_writes_into_a_folder_or_a_file(video: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["magnify", str(video), "--factor", "4", "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said == {"file": str(tmp_path / "sway-magnified.mp4"), "frames": 24}
    assert Path(said["file"]).is_file()
    done = CliRunner().invoke(app, ["magnify", str(video), "--band", "1-8", "--out", str(tmp_path / "mine.mkv")])
    assert done.exit_code == 0, done.output
    assert "24 frames" in done.stdout
    assert (tmp_path / "mine.mkv").is_file()


def test_bad_input_leaves_nothing_behind(video: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="factor >= 1"):
        magnify_video(video, tmp_path / "out.mp4", factor=0.1)
    with pytest.raises(InputError, match="below 30 Hz"):
        magnify_video(video, tmp_path / "out.mp4", band_hz=(40, 50))
    with pytest.raises(VideoError):
        magnify_video(tmp_path / "missing.mp4", tmp_path / "out.mp4")
    for arguments, message in (
        (["--band", "fast"], "a band LOW-HIGH"),
        (["--out", str(video)], "another file to write"),
    ):
        done = CliRunner().invoke(app, ["magnify", str(video), *arguments])
        assert done.exit_code != 0
        assert isinstance(done.exception, InputError)
        assert message in str(done.exception)
    assert list(tmp_path.iterdir()) == []
