"""Many videos on an engine: the same results as one after the other, and the same rules."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from clips import FPS, pictures
from command import Command, Known, listing, start
from video_files import write_video

from fleeting import analyse_many
from fleeting.export.timeline_json import read_timeline
from fleeting.inference.analyse import Analysis
from fleeting.scale.executor import Attempt, Attempts, InProcess, Work
from fleeting.scale.job import Job
from fleeting.scale.process_pool import ProcessPool

CSV = ("--format", "csv")


def copies(clip: Path, folder: Path, names: str) -> list[Path]:
    folder.mkdir()
    return [Path(shutil.copy(clip, folder / f"{name}.mp4")) for name in names]


def test_in_two_processes(fleeting: Command, clip: Path, analysis: Analysis, tmp_path: Path) -> None:
    videos = copies(clip, tmp_path / "videos", "ab")
    (tmp_path / "videos" / "c.mp4").write_bytes(b"no video")
    words = ("analyse", f"{tmp_path}/videos/*.mp4", "--out", tmp_path / "out", "--jobs", "2", *CSV)
    said = fleeting(*words)
    assert said.status == 1
    assert said.err.splitlines()[-2] == "1 of 3 failed:"
    assert f"{tmp_path}/videos/c.mp4: Expected a video" in said.err.splitlines()[-1]
    assert listing(tmp_path / "out") == ["a", "b"]
    for video in videos:
        timeline = read_timeline(tmp_path / "out" / video.stem / "timeline.json")
        assert timeline.events == analysis.timeline.events
        assert timeline.video.path == str(video)
        assert f"{video}: 1 micro-expression(s)" in said.out
    (tmp_path / "videos" / "c.mp4").unlink()
    again = fleeting(*words, "--json")
    assert again.status == 0
    rows = [json.loads(line) for line in again.out.splitlines()]
    assert sorted((r["path"], r["skipped"]) for r in rows) == [(str(v), True) for v in videos]


def test_outcomes_are_in_the_order_of_the_videos(known: Known, clip: Path, tmp_path: Path) -> None:
    videos = copies(clip, tmp_path / "videos", "ba")
    known.add(*videos)
    seen: list[str] = []
    found = analyse_many(
        [*videos, tmp_path / "none.mp4"],
        out=tmp_path / "out",
        formats=["csv"],
        fps=25.0,
        engine=InProcess(),
        on_done=lambda o: seen.append(o.path.name),
    )
    assert seen == [o.path.name for o in found] == ["b.mp4", "a.mp4", "none.mp4"]
    assert [o.timeline is not None for o in found] == [True, True, False]
    assert "does not exist" in str(found[2].error)
    assert json.loads((tmp_path / "out" / "a" / "run.json").read_text())["fps"] == 25.0
    again = analyse_many(videos, out=tmp_path / "out", formats=["csv"], fps=25.0, engine=InProcess())
    assert [o.skipped for o in again] == [True, True]
    forced = analyse_many(videos, out=tmp_path / "out", formats=["csv"], fps=25.0, engine=InProcess(), force=True)
    assert [o.skipped for o in forced] == [False, False]


class Far:
    """A machine that says it is done, whose disk is not ours; the second job it loses."""

    def attempts(self, jobs: Sequence[Job], function: Work, shared: Any) -> Attempts:
        yield 0, Attempt({"error": None, "skipped": False})
        yield 1, Attempt(error="the machine was lost")


def test_results_that_are_not_seen_here(clip: Path, tmp_path: Path) -> None:
    videos = copies(clip, tmp_path / "videos", "ab")
    first, second = analyse_many(videos, out=tmp_path / "out", engine=Far())
    assert "Choose an --out that all machines of the cluster see" in str(first.error)
    assert second.error == "the machine was lost"


def test_wrong_words(fleeting: Command, clip: Path, tmp_path: Path) -> None:
    for words, message in (
        (("--engine", "rays"), "Did you mean 'ray'"),
        (("--jobs", "0"), "at least 1 job at a time"),
        (("--engine", "processes", "--address", "auto"), "an address with the engine ray alone"),
    ):
        said = fleeting("analyse", clip, "--out", tmp_path / "out", *words)
        assert said.status == 1
        assert message in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_true_stop(clip: Path, tmp_path: Path, number: signal.Signals, status: int) -> None:
    videos = copies(clip, tmp_path / "videos", "a")
    long = write_video(tmp_path / "videos" / "b.mp4", pictures(clip) * 10, rate=FPS)
    process = start("analyse", *videos, long, "--out", tmp_path / "out", "--jobs", "2", *CSV)
    assert process.stdout is not None
    assert "a.mp4: 1 micro-expression(s)" in process.stdout.readline()
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == status, err
    assert err.splitlines()[-1] == "stopped."
    assert "Traceback" not in err
    assert listing(tmp_path / "out") == ["a"], "what was half done is gone"


def test_engines_are_equal(clip: Path, tmp_path: Path) -> None:
    """Byte for byte, but for the path of the folder."""
    videos = copies(clip, tmp_path / "videos", "a")
    for engine, out in ((None, "here"), (ProcessPool(workers=1), "there")):
        (found,) = analyse_many(videos, out=tmp_path / out, formats=["csv", "signals-csv"], engine=engine)
        assert found.error is None
    for path in (tmp_path / "here" / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "there" / "a" / path.name).read_bytes(), path.name
