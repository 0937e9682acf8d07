from __future__ import annotations

import re
from pathlib import Path

import pytest
from video_files import numbered, write_numbered

from fleeting.quality.meter import QualityMeter
from fleeting.records import VideoInfo
from fleeting.video.writer import ImageFolderWriter

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "explanation" / "video.md").read_text(encoding="utf-8")


def test_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write_numbered(tmp_path / "interview.mp4", 20)
    with ImageFolderWriter(tmp_path / "clip") as writer:
        for i in range(7):
            writer.write(numbered(i))
    snippets = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(snippet, {})
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "25.0 64 48"
    assert out[1].startswith("Frame(index=10, time_s=0.4")
    assert out[-1] == "7"


def test_every_measure_is_described() -> None:
    described = re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)
    measured = QualityMeter(VideoInfo("a.mp4", "a", "mp4", "h264", "yuv420p", 8, 8, 25.0)).quality().measures
    assert described == list(measured)
