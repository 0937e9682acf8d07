from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from timelines import make_media, make_timeline
from typer.testing import CliRunner

from fleeting.cli.app import app, run
from fleeting.errors import InputError
from fleeting.export import write
from fleeting.export.media import write_media


@pytest.fixture
def results(tmp_path: Path) -> Path:
    timeline = make_timeline(seconds=4)
    write(timeline, tmp_path / "interview")
    write_media(make_media(timeline, loop_frames=3), tmp_path / "interview" / "media.npz")
    return tmp_path / "interview"


def test_a_report_is_built_again_beside_the_timeline(results: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(results)])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(results / "report.html")
    text = (results / "report.html").read_text()
    assert text.count("<article") == 1
    assert "data:image/webp" in text


def test_a_report_without_pictures_in_another_place(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages" / "a.html"
    done = CliRunner().invoke(app, ["report", str(results / "timeline.json"), "--out", str(out), "--no-pictures"])
    assert done.exit_code == 0, done.output
    assert "<article" in out.read_text()
    assert "data:image/webp" not in out.read_text()
    assert not (results / "report.html").exists()


def test_a_report_is_built_where_the_pictures_are_missing(results: Path) -> None:
    (results / "media.npz").unlink()
    assert CliRunner().invoke(app, ["report", str(results)]).exit_code == 0


def test_one_bad_timeline_does_not_stop_the_others(results: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    done = CliRunner().invoke(app, ["report", str(bad), str(results)])
    assert done.exit_code == 1
    assert "bad.json" in done.stderr
    assert (results / "report.html").exists()


def test_one_place_for_two_reports_is_refused(results: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(results), str(results), "--out", "x.html"])
    assert isinstance(done.exception, InputError)
    assert "one timeline with --out" in str(done.exception)


def test_a_missing_timeline_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["fleeting", "report", str(tmp_path / "no.json")])
    assert run(app) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_the_documented_snippets_run(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "formats.md").read_text()
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(snippets) == 5
    shutil.copytree(results, tmp_path / "results" / "interview")
    monkeypatch.chdir(tmp_path)
    for snippet in snippets:
        exec(compile(snippet, "formats.md", "exec"), {})


def test_every_format_is_documented() -> None:
    from fleeting.export import FORMATS

    text = (Path(__file__).parents[2] / "docs" / "reference" / "formats.md").read_text()
    for name in FORMATS:
        assert f"| `{name}` |" in text
