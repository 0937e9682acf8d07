"""Many videos on an engine: the same results as one after the other, and the same rules."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import FPS, pictures
from command import Command, Known, listing, start
from threadpoolctl import threadpool_limits
from video_files import write_video

from fleeting import analyse_many
from fleeting.analysis.analyse import Analysis
from fleeting.export.timeline_json import read_timeline
from fleeting.records.digits import DIGITS
from fleeting.scale.executor import Attempt, Attempts, Engine, InProcess, Work, run
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
        assert f"{video}: 1 micro-expression," in said.out
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
    assert "a.mp4: 1 micro-expression," in process.stdout.readline()
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == status, err
    assert err.splitlines()[-1] == "stopped."
    assert "Traceback" not in err
    left = [name for name in listing(tmp_path / "out") if not name.endswith(".look")]  # the next run goes on from that
    assert left == ["a"], "what was half done is gone"


def threads_of_blas(job: Job, shared: None) -> dict[str, Any]:
    import numpy  # noqa: F401
    from threadpoolctl import threadpool_info

    return {"threads": [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]}


@pytest.mark.parametrize("engine", [InProcess(), ProcessPool(workers=1)])
def test_a_job_has_one_thread_for_linear_algebra(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the last digits would depend on the cores of the machine, and on how many jobs share them."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "4")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    with threadpool_limits(4, user_api="blas"):
        (found,) = run([Job("threads", {})], threads_of_blas, engine=engine)
    assert found.result is not None, found.error
    assert set(found.result["threads"]) == {1}


@pytest.mark.parametrize("kernels", ["Haswell", "Zen"])
def test_the_number_of_cores_changes_nothing(kernels: str, clip: Path) -> None:
    """Not even digits that are not written. Some kernels of OpenBLAS sum in as many parts as there are threads."""
    program = (
        "import hashlib, sys\n"
        "from fleeting.analysis import analyse as room\n"
        "room.rounded = lambda timeline: timeline\n"
        "(signals,) = room.analyse_video(sys.argv[1], pictures=False).timeline.signals\n"
        "print(hashlib.sha256(signals.motion.tobytes() + signals.noise.tobytes()).hexdigest())\n"
    )
    found = set()
    for threads in ("1", "2"):
        variables = {"OPENBLAS_CORETYPE": kernels, "OPENBLAS_NUM_THREADS": threads}
        words = [sys.executable, "-c", program, str(clip)]
        done = subprocess.run(words, env=os.environ | variables, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1


def test_results_hold_the_digits_that_are_documented(analysis: Analysis) -> None:
    assert analysis.timeline.events
    for record in (*analysis.timeline.events, *analysis.timeline.signals, *analysis.timeline.tracks):
        for name in {f.name for f in fields(record)} & DIGITS.keys():
            value = getattr(record, name)
            numbers = np.array(list(value.values()) if isinstance(value, dict) else value, np.float64)
            scaled = numbers[np.isfinite(numbers)] * 10 ** DIGITS[name]
            np.testing.assert_allclose(scaled, np.rint(scaled), atol=2e-3 if np.ndim(value) else 1e-6)
    page = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")
    told = [
        line for line in page.partition("## Digits")[2].partition("\n## ")[0].splitlines() if line.startswith("| `")
    ]
    assert {
        name: int(row.split("|")[2]) for row in told for name in re.findall(r"`(\w+)`", row) if name in DIGITS
    } == DIGITS


def test_engines_are_equal(clip: Path, tmp_path: Path) -> None:
    """Byte for byte, but for the path of the folder."""
    videos = copies(clip, tmp_path / "videos", "a")
    for engine, out in ((None, "here"), (ProcessPool(workers=1), "there")):
        (found,) = analyse_many(videos, out=tmp_path / out, formats=["csv", "signals-csv"], engine=engine)
        assert found.error is None
    for path in (tmp_path / "here" / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "there" / "a" / path.name).read_bytes(), path.name
