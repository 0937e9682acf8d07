"""Nothing is lost: two runs in one place, runs that are killed, films that change, names that no format likes."""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import FPS, pictures
from command import Command, Known, listing, start
from timelines import make_timeline
from video_files import write_video

from fleeting import FleetingWarning, analyse, results
from fleeting.analysis import kept_look
from fleeting.errors import OutputError, VideoError
from fleeting.export import FILES, FORMATS, write
from fleeting.files import cell_text, claimed, printable
from fleeting.motion.registration import Registration
from fleeting.records import Timeline

CSV = ("--format", "csv")

KILLED = """
import os, signal, sys
from fleeting.analysis import first_look, kept_look
frame, kept_look.KEEP_S = int(sys.argv.pop(1)), 0.0
true = first_look.FirstLook.follow
def add(self, shown, seen):
    if shown.index == frame:
        os.kill(os.getpid(), signal.SIGKILL)
    true(self, shown, seen)
first_look.FirstLook.follow = add
from fleeting.cli import main
main()
"""


def killed_at(frame: int, *words: str | Path) -> None:
    """Run a command in a process of its own that is killed when it comes to a frame."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(frame), *map(str, words)], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def same_results(folder: Path, other: Path) -> bool:
    """Whether two folders hold the same bytes, but for the day and place that some programs want to know."""
    dated = {"run.json", "events.eaf", "events.boris", "boris_events.csv"}
    same = listing(folder) == listing(other)
    return same and all((folder / n).read_bytes() == (other / n).read_bytes() for n in set(listing(folder)) - dated)


@pytest.fixture(scope="module")
def uninterrupted(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    analyse(clip, out=out)
    return out / "ada"


@pytest.mark.parametrize("frame", [1, 35, 68])
def test_a_film_that_was_killed_goes_on(
    fleeting: Command, clip: Path, tmp_path: Path, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch, frame: int
) -> None:
    out = tmp_path / "out"
    killed_at(frame, "analyse", clip, "--out", out)
    assert "ada" not in listing(out)
    steps: list[int] = []
    true = Registration.step
    monkeypatch.setattr(Registration, "step", lambda self, *rest, **how: steps.append(1) or true(self, *rest, **how))
    assert fleeting("analyse", clip, "--out", out).status == 0
    assert (
        len(steps) <= 2 * (72 - frame) + 40
    )  # what was measured before is not measured again; the rest is the events'
    assert listing(out) == ["ada"]
    assert same_results(out / "ada", uninterrupted)


@pytest.mark.parametrize("damage", ["cut", "changed", "other film", "other settings"])
def test_what_was_kept_is_looked_at_before_it_is_used(
    fleeting: Command, clip: Path, tmp_path: Path, uninterrupted: Path, damage: str
) -> None:
    out = tmp_path / "out"
    killed_at(50, "analyse", clip, "--out", out, *(("--all-faces",) if damage == "other settings" else ()))
    kept = results.look_folder(out / "ada")
    for path in kept.glob("*.rows"):
        data = bytearray(path.read_bytes())
        if damage == "cut":
            del data[len(data) // 2 + 7 :]
        elif damage == "changed":
            data[len(data) // 2] ^= 255
        path.write_bytes(data)
    if damage == "other film":
        about = json.loads((kept / kept_look.ABOUT).read_text())
        (kept / kept_look.ABOUT).write_text(json.dumps(about | {"fps": 3.0}))
    assert fleeting("analyse", clip, "--out", out).status == 0
    assert same_results(out / "ada", uninterrupted)
    assert listing(out) == ["ada"]


def test_rows_can_be_mapped(clip: Path, tmp_path: Path) -> None:
    killed_at(40, "analyse", clip, "--out", tmp_path)
    rows = np.memmap(results.look_folder(tmp_path / "ada") / "motion-0.rows", kept_look.MOTION, "r")
    assert len(rows) > 30
    assert (np.diff(rows["time_s"]) > 0).all()
    assert set(rows["face"].tolist()) == {0}


def test_a_disk_that_takes_no_kept_look(
    fleeting: Command, clip: Path, tmp_path: Path, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_look, "KEEP_S", 0.0)
    monkeypatch.setattr(kept_look.KeptLook, "_make", full)
    assert fleeting("analyse", clip, "--out", tmp_path / "out").status == 0
    assert same_results(tmp_path / "out" / "ada", uninterrupted)


def test_another_run_is_at_work_there(fleeting: Command, known: Known, clip: Path, tmp_path: Path) -> None:
    known.add(clip)
    out = tmp_path / "out"
    with results.claimed(out / "ada"):
        said = fleeting("analyse", clip, "--out", out, *CSV)
        assert (said.status, known.calls) == (1, [])
        assert f"another run that is at work there (process {os.getpid()} on " in said.err
        assert ", since 20" in said.err
        with pytest.raises(OutputError, match="at work there"):
            analyse(clip, out=out)
    assert listing(out) == []
    assert fleeting("analyse", clip, "--out", out, *CSV).status == 0
    assert listing(out) == ["ada"]


def test_the_lock_of_a_dead_run_is_taken_over(fleeting: Command, known: Known, clip: Path, tmp_path: Path) -> None:
    known.add(clip)
    program = (
        "import os, signal, sys, pathlib; from fleeting import results\n"
        "with results.claimed(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "out" / "ada")], check=False)
    assert len(listing(tmp_path / "out")) == 1  # its lock
    assert fleeting("analyse", clip, "--out", tmp_path / "out", *CSV).status == 0
    assert listing(tmp_path / "out") == ["ada"]


def test_a_lock_that_was_removed_meanwhile_holds_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with claimed(tmp_path, lock):
        assert json.loads(lock.read_text())["process"] == os.getpid()
    assert not lock.exists()
    with claimed(tmp_path, lock), pytest.raises(OutputError), claimed(tmp_path, lock):
        pass


def test_the_same_command_twice_at_once(clip: Path, tmp_path: Path) -> None:
    short = write_video(tmp_path / "a.mp4", pictures(clip, 12), rate=FPS)
    runs = [start("analyse", short, "--out", tmp_path / "out", "--format", "csv,elan") for _ in range(2)]
    said = [run.communicate() for run in runs]
    assert 0 in [run.returncode for run in runs], said
    for run, (_, err) in zip(runs, said, strict=True):
        assert run.returncode == 0 or "another run that is at work there" in err
    assert listing(tmp_path / "out") == ["a"]
    assert listing(tmp_path / "out" / "a") == ["events.csv", "events.eaf", "run.json", "timeline.json", "timeline.npz"]


def nothing_listed(folder: Path) -> None:
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | {"files": {}}))


UNFINISHED: list[Callable[[Path], Any]] = [
    lambda folder: (folder / "report.html").write_bytes((folder / "report.html").read_bytes()[:9000]),
    lambda folder: (folder / "signals.csv.gz").write_bytes(b"half"),
    lambda folder: (folder / "events.csv").write_bytes(b""),
    lambda folder: (folder / "timeline.json").unlink(),
    nothing_listed,
]


@pytest.mark.parametrize("change", UNFINISHED)
def test_finished_means_all_files_whole(
    fleeting: Command, known: Known, clip: Path, tmp_path: Path, change: Callable[[Path], Any]
) -> None:
    known.add(clip)
    command = ("analyse", clip, "--out", tmp_path, "--format", "report,csv,signals")
    assert fleeting(*command).status == 0
    change(tmp_path / "ada")
    assert fleeting(*command).status == 0
    assert known.calls == ["ada.mp4"] * 2
    assert "finished before" in fleeting(*command).err


def test_every_format_says_which_files_it_writes(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for name in FORMATS:
        assert tuple(p.name for p in write(make_timeline(), tmp_path / name, [name])) == FILES[name]


def replaced(video: Path) -> None:
    shorter = video.with_name("shorter.mp4")
    write_video(shorter, [np.zeros((64, 64, 3), np.uint8)] * 3, rate=FPS)
    shorter.replace(video)


@pytest.mark.parametrize("change", [Path.unlink, replaced, lambda video: video.write_bytes(b"")])
def test_a_film_that_changes_while_it_is_read(clip: Path, tmp_path: Path, change: Callable[[Path], Any]) -> None:
    video = Path(shutil.copy(clip, tmp_path / "a.mp4"))
    changes = [change]

    def progress(done: int, _: int | None) -> None:
        if changes and done > 60:
            changes.pop()(video)

    changed = pytest.raises(VideoError, match=r"a\.mp4, which was removed, replaced or written to meanwhile")
    with changed, warnings.catch_warnings(action="ignore", category=FleetingWarning):
        analyse(video, out=tmp_path / "out", progress=progress)
    assert listing(tmp_path / "out") == []


@pytest.mark.parametrize("engine", [(), ("--jobs", "2")], ids=["here", "jobs"])
def test_odd_names_fail_alone(fleeting: Command, clip: Path, tmp_path: Path, engine: tuple[str, ...]) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    short = write_video(tmp_path / "short.mp4", pictures(clip, 6), rate=FPS)
    (folder / "loop.mp4").symlink_to("loop.mp4")
    (folder / "away.mp4").symlink_to("nowhere")
    shutil.copy(short, os.fsencode(folder) + b"/\xff\xfe.mp4")
    shutil.copy(short, folder / "good.mp4")
    for words in ([folder], sorted(folder.iterdir())):
        out = tmp_path / f"out{len(words)}"
        said = fleeting("analyse", *words, "--out", out, *CSV, *engine)
        assert listing(out) == ["good"]
        assert "Fleeting itself" not in said.err
    assert "loop.mp4, a link that leads nowhere. Give the file." in said.err
    assert "Expected a path in UTF-8; got " in said.err
    assert "3 of 4 failed:" in said.err


NAMES = ["=1+1", "+2", "@sum", "-x", "a\x01b\x0bc", "line\nend", 'quo"te,', "\x7f�"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_text_in_every_format(clip: Path, tmp_path: Path, name: str) -> None:
    whole = make_timeline()
    path = tmp_path / f"{name}.mp4"
    timeline: Timeline = replace(whole, video=replace(whole.video, name=name, path=str(path)))
    write(timeline, tmp_path / "out", [n for n in FORMATS if n != "signals-parquet"])
    link = ElementTree.parse(tmp_path / "out" / "events.eaf").getroot().find(".//MEDIA_DESCRIPTOR")
    assert link is not None
    assert link.attrib["MEDIA_URL"] == path.as_uri()
    for table in ("events.csv", "events.tsv", "megc_spotting.csv", "megc_recognition.csv", "boris_events.csv"):
        text = (tmp_path / "out" / table).read_text(encoding="utf-8")
        rows = list(csv.reader(text.splitlines(), delimiter="\t" if table.endswith("tsv") else ","))
        assert len({len(row) for row in rows}) == 1
        cells = [cell for row in rows for cell in row if cell[:1] in tuple("=+-@")]
        assert all(cell.replace(".", "").lstrip("+-").isdigit() for cell in cells), cells
        assert all(printable(cell) == cell for row in rows for cell in row)
    for file in ("timeline.json", "events.boris", "events.json"):
        json.loads((tmp_path / "out" / file).read_text(encoding="utf-8"))
    assert gzip.decompress((tmp_path / "out" / "signals.csv.gz").read_bytes())


def test_numbers_stay_numbers() -> None:
    assert [cell_text(text) for text in ("-1.5", "+3", "-", "=1", "a=1", "-x", "")] == [
        *("-1.5", "+3", "'-", "'=1", "a=1", "'-x", ""),
    ]


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """They sleep for an hour in the middle of a job; the one who gave it to them is killed."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from scale_work import sleep_for_an_hour\n"
        "from fleeting.scale.executor import run\n"
        "from fleeting.scale.job import Job\n"
        "from fleeting.scale.process_pool import ProcessPool\n"
        "if __name__ == '__main__':\n"
        "    jobs = [Job('sleep', {'file': f'{sys.argv[2]}/{n}'}) for n in range(2)]\n"
        "    run(jobs, sleep_for_an_hour, engine=ProcessPool(workers=2))\n"
    )
    script = tmp_path / "script.py"
    script.write_text(program)
    parent = subprocess.Popen([sys.executable, script, Path(__file__).parent, tmp_path])
    files = [tmp_path / str(n) for n in range(2)]
    assert wait_for(lambda: all(f.exists() and f.read_text() for f in files))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_for(lambda: not any(alive(int(f.read_text())) for f in files))


def wait_for(done: Callable[[], bool]) -> bool:
    for _ in range(600):
        if done():
            return True
        time.sleep(0.1)
    return False


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False
