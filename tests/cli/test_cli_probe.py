from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from video_files import numbered, write_numbered

from fleeting.cli.app import app, run
from fleeting.quality import probe as room
from fleeting.video.writer import ImageFolderWriter


@pytest.fixture
def no_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "shipped_detector", lambda settings: lambda grey: [])


def fleeting(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["fleeting", *map(str, words)])
    return run(app)


@pytest.mark.usefixtures("no_faces")
def test_plain_lines_in_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fleeting(monkeypatch, "probe", write_numbered(tmp_path / "a.mp4", 20)) == 0
    out, err = capsys.readouterr()
    assert "64 x 48, h264 in mov, 8 bits, 0.80 s, 20 frames looked at" in out
    assert "  frame rate       25 frames/s" in out
    assert "covers 5 frames" in out
    assert "No face was found" in out
    assert "\x1b" not in out
    assert err == ""


@pytest.mark.usefixtures("no_faces")
def test_one_bad_input_of_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_numbered(tmp_path / "a.mp4", 20)
    bad = tmp_path / "b.mp4"
    bad.touch()
    assert fleeting(monkeypatch, "probe", bad, good) == 1
    out, err = capsys.readouterr()
    assert "b.mp4, a file of 0 bytes" in err
    assert "frame rate" in out


@pytest.mark.usefixtures("no_faces")
def test_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    good = write_numbered(tmp_path / "a.mp4", 20)
    assert fleeting(monkeypatch, "probe", good, tmp_path / "none.mp4", "--json") == 1
    entries = json.loads(capsys.readouterr().out)
    assert entries[0]["path"] == str(good)
    assert entries[0]["quality"]["frame_rate"]["value"] == 25
    assert entries[0]["verdict"] == "poor"
    assert "does not exist" in entries[1]["error"]


@pytest.mark.usefixtures("no_faces")
def test_folder_with_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with ImageFolderWriter(tmp_path / "clip") as writer:
        for i in range(5):
            writer.write(numbered(i))
    assert fleeting(monkeypatch, "probe", tmp_path / "clip") == 1
    assert "--fps" in capsys.readouterr().err
    assert fleeting(monkeypatch, "probe", tmp_path / "clip", "--fps", "200") == 0
    assert "200 frames/s" in capsys.readouterr().out


@pytest.mark.usefixtures("no_faces")
def test_table_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert fleeting(monkeypatch, "probe", write_numbered(tmp_path / "[b] a.mp4", 20)) == 0
    out = capsys.readouterr().out
    assert "[b] a.mp4" in out
    assert "verdict" in out
    assert "━" in out


@pytest.mark.usefixtures("no_faces")
def test_what_is_wrong_with_the_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_numbered(tmp_path / "a.mkv", 100, options={"g": "10"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    assert fleeting(monkeypatch, "probe", path) == 0
    assert "warning: a.mkv breaks off at" in capsys.readouterr().out


def test_real_face(shared_data: Path) -> None:
    found = room.probe(shared_data / "videos" / "single_face.mp4", seconds=1.0)
    measures = found.quality.measures
    assert found.frame_count == 31
    assert measures["face_in_view"].value == 100.0
    assert measures["face_size"].verdict == "good"
    assert np.isclose(measures["frame_rate"].value or 0, 30)
