"""Many videos: what is skipped, what is done again, what a stop leaves behind, and what is said meanwhile."""

from __future__ import annotations

import csv
import importlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from clips import APEX, FPS, FRAMES, OFFSET, ONSET, pictures, write_folder
from command import Command, Known, listing, start
from video_files import write_video

import fleeting as package
from fleeting import FleetingWarning, analyse_many, api, results
from fleeting.analysis.analyse import Analysis, analyse_video
from fleeting.cli.frame_progress import CLEAR, FrameProgress
from fleeting.errors import InputError, OutputError
from fleeting.export.timeline_json import read_timeline

COLUMNS = (
    "face,kind,onset_frame,apex_frame,offset_frame,onset_s,apex_s,offset_s,emotion,probability,regions,"
    "displacement_percent_iod,confidence,speaking,action_units,action_unit_probabilities"
)
CSV = ("--format", "csv")


@pytest.fixture
def three(clip: Path, tmp_path: Path, known: Known) -> list[Path]:
    """Three videos, a.mp4, b.mp4 and c.mp4, in the folder ``videos``."""
    folder = tmp_path / "videos"
    folder.mkdir()
    videos = [Path(shutil.copy(clip, folder / f"{name}.mp4")) for name in "abc"]
    known.add(*videos)
    return videos


def test_the_event_that_was_put_in_is_found(analysis: Analysis) -> None:
    (event,) = analysis.timeline.of_kind("micro")
    assert abs(event.onset_frame - ONSET) <= 3
    assert abs(event.apex_frame - APEX) <= 3
    assert abs(event.offset_frame - OFFSET) <= 4
    assert {"left_mouth_corner", "right_mouth_corner"} <= set(event.regions)
    assert analysis.timeline.frame_count == FRAMES


def test_everything_is_written_and_can_be_read(fleeting: Command, known: Known, clip: Path, tmp_path: Path) -> None:
    known.add(clip)
    said = fleeting("analyse", clip, "--out", tmp_path)
    assert said.status == 0
    folder = tmp_path / "ada"
    assert listing(folder) == [
        *("boris_events.csv", "events.boris", "events.csv", "events.eaf", "events.json", "events.tsv", "media.npz"),
        *(
            "megc_recognition.csv",
            "megc_spotting.csv",
            "report.html",
            "run.json",
            "signals.csv.gz",
            "timeline.json",
            "timeline.npz",
        ),
    ]
    counted = "1 micro-expression, 0 macro-expressions, 0 blinks, 0 winks"
    assert said.out.splitlines()[0] == f"{clip}: {counted} in 1.4 s"
    assert said.out.splitlines()[-1] == f"  results: {folder / 'report.html'}"
    header, *rows = (folder / "events.csv").read_text().splitlines()
    assert header == COLUMNS
    timeline = read_timeline(folder / "timeline.json")
    assert [row["kind"] for row in csv.DictReader([header, *rows])] == [e.kind for e in timeline.events] == ["micro"]
    schema = json.loads((Path(api.__file__).parent / "export" / "timeline.schema.json").read_text())
    jsonschema.validate(json.loads((folder / "timeline.json").read_text()), schema)
    assert "<html" in (folder / "report.html").read_text()[:500]
    assert (folder / "events.csv").stat().st_mode & 0o777 == (0o666 & ~current_umask())
    assert folder.stat().st_mode & 0o777 == (0o777 & ~current_umask())


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_globs_are_expanded_where_the_shell_does_not(
    fleeting: Command, three: list[Path], tmp_path: Path, known: Known
) -> None:
    out = tmp_path / "out"
    said = fleeting("analyse", f"{tmp_path}/videos/[bc].mp4", f"{tmp_path}/**/a.mp4", "--out", out, *CSV)
    assert said.status == 0
    assert listing(out) == ["a", "b", "c"]
    assert known.calls == ["b.mp4", "c.mp4", "a.mp4"]


def test_glob_without_a_match(fleeting: Command, three: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    pattern = f"{tmp_path}/videos/*.mov"
    said = fleeting("analyse", pattern, three[0], "--out", out, *CSV)
    assert (said.status, listing(out)) == (1, ["a"])
    assert said.err.splitlines()[-2:] == [
        "1 of 2 failed:",
        f"  {pattern}: Expected files that match '{pattern}'; got none. Check the path.",
    ]


def test_a_name_with_brackets_is_no_pattern(fleeting: Command, known: Known, clip: Path, tmp_path: Path) -> None:
    video = Path(shutil.copy(clip, tmp_path / "take [2].mp4"))
    known.add(video)
    assert fleeting("analyse", video, "--out", tmp_path / "out", *CSV).status == 0
    assert listing(tmp_path / "out") == ["take [2]"]


def test_one_video_named_twice(fleeting: Command, three: list[Path], tmp_path: Path, known: Known) -> None:
    again = tmp_path / "videos" / ".." / "videos" / "a.mp4"
    said = fleeting("analyse", three[0], again, f"{tmp_path}/videos/*.mp4", "--out", tmp_path / "out", *CSV)
    assert said.status == 0
    assert known.calls == ["a.mp4", "b.mp4", "c.mp4"]
    assert "is named more than once; it is analysed once." in said.err
    with pytest.raises(InputError, match="each video once; got .*a.mp4 more than once"):
        analyse_many([three[0], again], out=tmp_path / "out")


def test_the_results_themselves_are_no_video(fleeting: Command, three: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "videos" / "out"
    for _ in range(2):  # the second time, the shell's * names the folder of results too
        said = fleeting("analyse", *sorted((tmp_path / "videos").iterdir()), "--out", out, *CSV)
        assert said.status == 0
    assert "is the folder of the results; it is left out" in said.err


@pytest.mark.parametrize(
    ("videos", "names"),
    [
        (["x/a.mp4", "x/b.mp4"], ["a", "b"]),
        (["x/a.mp4", "x/a.mov", "x/b.mp4"], ["a.mp4", "a.mov", "b"]),
        (["x/a.mp4", "y/a.mp4"], ["x_a.mp4", "y_a.mp4"]),
        (["x/a.mp4", "y/A.mp4"], ["x_a.mp4", "y_A.mp4"]),
        (["x/z/a.mp4", "y/z/a.mp4"], ["{root}_x_z_a.mp4", "{root}_y_z_a.mp4"]),
        (["x/take.1", "x/take.2"], ["take.1", "take.2"]),
        (["con.mp4", "x/nul.a.mp4", "console.mp4"], ["con_", "nul.a_", "console"]),
        (["a?.mp4", "b .mp4", "c..mp4", "d<e>.mp4"], ["a_", "b_", "c_", "d_e_"]),
        (["x/a?.mp4", "x/a:.mp4"], ["{root}_x_a_.mp4", "{root}_x_a_.mp4_2"]),
    ],
)
def test_names_of_folders(tmp_path: Path, videos: list[str], names: list[str]) -> None:
    root = "_".join(tmp_path.parts[1:])
    found = results.result_names([tmp_path / v for v in videos])
    assert found == [n.format(root=root) for n in names]
    assert len({n.casefold() for n in found}) == len(videos)


def test_a_link_gives_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "store.bin").touch()
    (tmp_path / "interview.mp4").symlink_to(tmp_path / "store.bin")
    assert results.result_names([tmp_path / "interview.mp4"]) == ["interview"]


def test_same_stem_twice(fleeting: Command, known: Known, clip: Path, tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        known.add(Path(shutil.copy(clip, tmp_path / name / "a.mp4")))
    assert fleeting("analyse", f"{tmp_path}/?/a.mp4", "--out", tmp_path / "out", *CSV).status == 0
    assert listing(tmp_path / "out") == ["x_a.mp4", "y_a.mp4"]
    paths = [read_timeline(tmp_path / "out" / f"{n}_a.mp4" / "timeline.json").video.path for n in "xy"]
    assert paths == [str(tmp_path / n / "a.mp4") for n in "xy"]


def test_finished_videos_are_skipped(fleeting: Command, three: list[Path], tmp_path: Path, known: Known) -> None:
    command = ("analyse", *three, "--out", tmp_path / "out", *CSV)
    assert fleeting(*command).status == 0
    before = (tmp_path / "out" / "a" / "events.csv").stat().st_mtime_ns
    known.calls.clear()
    said = fleeting(*command)
    assert (said.status, known.calls) == (0, [])
    assert said.err.count("finished before") == 3
    assert (tmp_path / "out" / "a" / "events.csv").stat().st_mtime_ns == before
    assert fleeting(*command, "--force").status == 0
    assert known.calls == ["a.mp4", "b.mp4", "c.mp4"]


def test_a_missing_format_is_written_from_the_timeline(
    fleeting: Command, three: list[Path], tmp_path: Path, known: Known
) -> None:
    folder = tmp_path / "out" / "a"
    fleeting("analyse", three[0], "--out", tmp_path / "out", *CSV)
    (folder / "notes.txt").write_text("mine")
    known.calls.clear()
    more = ("analyse", three[0], "--out", tmp_path / "out", "--format", "csv,elan,megc")
    said = fleeting(*more)
    assert (said.status, known.calls) == (0, [])
    assert {"events.csv", "events.eaf", "megc_spotting.csv", "timeline.json", "notes.txt"} <= {
        p.name for p in folder.iterdir()
    }
    whole = results.read_run(folder)
    assert whole is not None
    assert {"csv", "elan", "megc", "json"} == set(whole["formats"])
    before = (folder / "events.eaf").stat().st_mtime_ns
    assert fleeting(*more).status == 0
    assert (folder / "events.eaf").stat().st_mtime_ns == before
    # A report needs pictures, which only an analysis gives.
    fleeting("analyse", three[0], "--out", tmp_path / "out", "--format", "csv,report")
    assert known.calls == ["a.mp4"]


def newer(video: Path, _: Path) -> list[str]:
    os.utime(video, ns=(0, video.stat().st_mtime_ns + 1))
    return []


def older(video: Path, _: Path) -> list[str]:
    os.utime(video, (0, 0))
    return []


def longer(video: Path, _: Path) -> list[str]:
    stat = video.stat()
    video.write_bytes(video.read_bytes() + b"\0")
    os.utime(video, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return []


def settings(video: Path, _: Path) -> list[str]:
    path = video.with_name("mine.toml")
    path.write_text("[spotting]\nthreshold = 5.0\n")
    return ["--settings", str(path)]


def lost_file(_: Path, folder: Path) -> list[str]:
    (folder / "events.csv").unlink()
    return []


def damaged_run(_: Path, folder: Path) -> list[str]:
    stored = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(stored | {"version": "0.0.0"}))
    return []


CHANGES: list[Callable[[Path, Path], list[str]]] = [
    *(newer, older, longer, settings, lost_file, damaged_run),
    lambda *_: ["--all-faces"],
    lambda *_: ["--flow", "tvl1"],
    lambda *_: ["--fps", "100"],
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__ if c.__name__ != "<lambda>" else "-".join(c()))
def test_what_has_changed_is_analysed_again(
    fleeting: Command, three: list[Path], tmp_path: Path, known: Known, change: Callable[[Path, Path], list[str]]
) -> None:
    command = ("analyse", three[0], three[1], "--out", tmp_path / "out", *CSV)
    fleeting(*command)
    known.calls.clear()
    words = change(three[0], tmp_path / "out" / "a")
    assert fleeting(*command, *words).status == 0
    assert known.calls == (["a.mp4", "b.mp4"] if words else ["a.mp4"])
    known.calls.clear()
    assert fleeting(*command, *words).status == 0
    assert known.calls == []


def test_fewer_formats_need_no_new_analysis(fleeting: Command, three: list[Path], tmp_path: Path, known: Known) -> None:
    fleeting("analyse", three[0], "--out", tmp_path / "out", "--format", "csv,elan")
    known.calls.clear()
    fleeting("analyse", three[0], "--out", tmp_path / "out", "--format", "elan")
    assert known.calls == []
    assert "events.csv" in listing(tmp_path / "out" / "a")


def test_a_changed_image_of_a_folder(fleeting: Command, known: Known, clip: Path, tmp_path: Path) -> None:
    images = write_folder(tmp_path / "frames", pictures(clip, 4))
    known.add(images)
    command = ("analyse", images, "--fps", "50", "--out", tmp_path / "out", *CSV)
    assert fleeting(*command).status == 0
    assert fleeting(*command).status == 0
    assert known.calls == ["frames"]
    os.utime(images / "image0002.png")
    assert fleeting(*command).status == 0
    assert known.calls == ["frames"] * 2


def test_another_video_of_the_same_name(fleeting: Command, known: Known, clip: Path, tmp_path: Path) -> None:
    """It is neither taken for finished, nor are the results of the first one replaced unasked."""
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        known.add(Path(shutil.copy(clip, tmp_path / name / "a.mp4")))
    longer(tmp_path / "y" / "a.mp4", tmp_path)
    fleeting("analyse", tmp_path / "x" / "a.mp4", "--out", tmp_path / "out", *CSV)
    said = fleeting("analyse", tmp_path / "y" / "a.mp4", "--out", tmp_path / "out", *CSV)
    assert (said.status, known.calls) == (1, ["a.mp4"])
    assert f"which holds those of {tmp_path / 'x' / 'a.mp4'}. Choose another --out" in said.err
    assert fleeting("analyse", tmp_path / "y" / "a.mp4", "--out", tmp_path / "out", "--force", *CSV).status == 0
    assert read_timeline(tmp_path / "out" / "a" / "timeline.json").video.path == str(tmp_path / "y" / "a.mp4")


def test_a_video_that_was_moved_is_still_finished(
    fleeting: Command, three: list[Path], tmp_path: Path, known: Known
) -> None:
    fleeting("analyse", three[0], "--out", tmp_path / "out", *CSV)
    moved = three[0].rename(tmp_path / "a.mp4")
    assert fleeting("analyse", moved, "--out", tmp_path / "out", *CSV).status == 0
    assert known.calls == ["a.mp4"]


def test_what_a_person_has_changed_is_kept(fleeting: Command, three: list[Path], tmp_path: Path, known: Known) -> None:
    folder = tmp_path / "out" / "a"
    command = ("analyse", three[0], "--out", tmp_path / "out", "--format", "csv,elan", "--force")
    fleeting(*command)
    original = (folder / "events.eaf").read_text()
    (folder / "events.eaf").write_text("corrected")
    (folder / "events.pfsx").write_text("what ELAN leaves")
    (folder / "mine").mkdir()
    (folder / "mine" / "notes.txt").write_text("notes")
    said = fleeting(*command)
    assert said.status == 0
    assert "your version is kept as events.kept.eaf." in said.err
    (folder / "events.eaf").write_text("corrected again")
    for _ in range(2):  # the second time, nothing new is to be kept
        assert fleeting(*command).status == 0
    assert listing(folder) == [
        *("events.csv", "events.eaf", "events.kept.eaf", "events.kept2.eaf", "events.pfsx", "mine"),
        *("run.json", "timeline.json", "timeline.npz"),
    ]
    assert (folder / "events.kept.eaf").read_text() == "corrected"
    assert (folder / "events.kept2.eaf").read_text() == "corrected again"
    assert (folder / "mine" / "notes.txt").read_text() == "notes"
    assert (folder / "events.eaf").read_text().count("TIME_SLOT_ID") == original.count("TIME_SLOT_ID")


def stop_at(monkeypatch: pytest.MonkeyPatch, known: Known, stage: str) -> None:
    """Let Ctrl-C come in the second video: in its analysis, while files are written, or between the two renames."""
    place = {
        "analysis": "fleeting.naming.systems.Recogniser",
        "report": "fleeting.report.build.build_report",
        "files": "fleeting.export.write",
    }

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    if stage == "rename":
        true = Path.rename
        monkeypatch.setattr(
            Path,
            "rename",
            lambda self, to: stop() if Path(to).name == "b" and "partial" in self.name else true(self, to),
        )
        return
    if stage == "analysis":
        known.videos = {v for v in known.videos if v.name != "b.mp4"}
        monkeypatch.setattr(place[stage], stop)
        return
    name, attribute = place[stage].rsplit(".", 1)
    module = sys.modules[name]
    true_call = getattr(module, attribute)
    monkeypatch.setattr(
        module,
        attribute,
        lambda timeline, *rest, **how: stop() if timeline.video.name == "b" else true_call(timeline, *rest, **how),
    )


@pytest.mark.parametrize("stage", ["analysis", "report", "files", "rename"])
def test_stopped_from_the_keyboard(
    fleeting: Command,
    three: list[Path],
    tmp_path: Path,
    known: Known,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    for room in ("fleeting.export", "fleeting.report.build"):
        importlib.import_module(room)
    out = tmp_path / "out"
    command = ("analyse", *three, "--out", out, "--format", "report,csv")
    with monkeypatch.context() as patch:
        stop_at(patch, known, stage)
        said = fleeting(*command)
    assert said.status == 130
    assert said.err.splitlines()[-2:] == [
        "1 of 3 videos are finished; the same command goes on with the others.",
        "stopped.",
    ]
    assert listing(out) == ["a"]
    known.add(*three)
    known.calls.clear()
    assert fleeting(*command).status == 0
    assert known.calls == ["b.mp4", "c.mp4"]
    assert listing(out) == ["a", "b", "c"]


def test_a_stop_between_two_renames_leaves_the_former_results(
    fleeting: Command, three: list[Path], tmp_path: Path, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    command = ("analyse", *three[:2], "--out", out, *CSV)
    fleeting(*command)
    before = (out / "b" / "timeline.json").read_bytes()
    with monkeypatch.context() as patch:
        stop_at(patch, known, "rename")
        assert fleeting(*command, "--force", "--fps", "100").status == 130
    assert listing(out) == ["a", "b"]
    assert (out / "b" / "timeline.json").read_bytes() == before


@pytest.mark.parametrize("killed", ["while writing", "between the renames", "after the renames"])
def test_what_a_killed_run_leaves_is_put_right(
    fleeting: Command, three: list[Path], tmp_path: Path, known: Known, killed: str
) -> None:
    out = tmp_path / "out"
    command = ("analyse", three[0], "--out", out, *CSV)
    fleeting(*command)
    partial, former = results._hidden(out / "a")
    if killed == "after the renames":
        shutil.copytree(out / "a", former)
    else:
        partial.mkdir()
        (partial / "events.csv").write_text("half")
    if killed == "between the renames":
        (out / "a").rename(former)
    known.calls.clear()
    assert fleeting(*command).status == 0
    assert known.calls == []
    assert listing(out) == ["a"]
    assert (out / "a" / "events.csv").read_text().startswith(COLUMNS)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_true_stop(clip: Path, tmp_path: Path, number: signal.Signals, status: int) -> None:
    short = write_video(tmp_path / "a.mp4", pictures(clip, 3), rate=FPS)
    long = write_video(tmp_path / "b.mp4", pictures(clip) * 20, rate=FPS)
    process = start("analyse", short, long, "--out", tmp_path / "out", *CSV)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("[2/2]"):
            process.send_signal(number)
            break
    said += process.stderr.readlines()
    process.communicate()
    assert process.returncode == status, said
    assert said[-1] == "stopped.\n"
    assert "Traceback" not in "".join(said)
    assert [name for name in listing(tmp_path / "out") if not name.endswith(".look")] == ["a"]


def test_json_lines(fleeting: Command, three: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    fleeting("analyse", three[0], "--out", out, *CSV)
    said = fleeting("analyse", *three[:2], tmp_path / "none.mp4", f"{tmp_path}/*.mov", "--out", out, "--json", *CSV)
    assert said.status == 1
    unmatched, first, second, missing = map(json.loads, said.out.splitlines())
    assert first == {"path": str(three[0]), "folder": str(out / "a"), "skipped": True, "error": None}
    assert (second["skipped"], second["error"], second["warnings"]) == (False, None, [])
    assert second["events"] == {"micro": 1, "macro": 0, "blink": 0, "wink": 0}
    assert "does not exist" in missing["error"]
    assert "files that match" in unmatched["error"]
    assert "frames/s" not in said.err


@pytest.mark.parametrize("word", ["analyse", "analyze"])
def test_both_spellings(fleeting: Command, three: list[Path], tmp_path: Path, word: str) -> None:
    assert fleeting(word, three[0], "--out", tmp_path / "out", *CSV).status == 0
    assert listing(tmp_path / "out") == ["a"]


def test_options_reach_the_analysis(fleeting: Command, three: list[Path], tmp_path: Path, known: Known) -> None:
    (tmp_path / "mine.toml").write_text("[faces]\nmin_iod_px = 30\n[motion]\nflow = 'farneback'\n")
    words = ("--settings", tmp_path / "mine.toml", "--all-faces", "--flow", "tvl1")
    assert fleeting("analyse", three[0], "--out", tmp_path / "out", *words, *CSV).status == 0
    (used,) = known.settings
    assert used is not None
    assert (used.faces.min_iod_px, used.faces.all_faces) == (30.0, True)
    assert (used.motion.flow, used.motion.event_flow) == ("tvl1", "tvl1")


def test_two_faces(clip: Path, tmp_path: Path) -> None:
    images = pictures(clip, 16)
    both = write_video(tmp_path / "two.mp4", [np.hstack([i, i[:, ::-1]]) for i in images], rate=FPS)
    with pytest.warns(FleetingWarning) as caught:
        one = package.analyse(both)
    assert any("2 faces were seen: face" in str(w.message) for w in caught)
    assert (len(one.tracks), len(one.signals)) == (2, 1)
    base = package.AnalyseSettings()
    with pytest.warns(FleetingWarning, match="too short") as caught:
        every = package.analyse(both, settings=replace(base, faces=replace(base.faces, all_faces=True)))
    assert not any("faces are in view" in str(w.message) for w in caught)
    assert {s.face for s in every.signals} == {0, 1}


def test_progress_in_a_log(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 5.0, 10.0, 12.0, 400.0, 500.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    progress = FrameProgress("[1/2] a.mp4")
    progress.begin()
    for done, total in ((50, 1000), (100, 1000), (120, 1000), (130, 100_000), (1000, 1000)):
        progress(done, total)
    assert capsys.readouterr().err.splitlines() == [
        "[1/2] a.mp4",
        "[1/2] a.mp4: 100 of 1000 frames, 10 frames/s, 90 s left",
        "[1/2] a.mp4: 130 of 100000 frames, 0.3 frames/s, 85 h 22 min left",
        "[1/2] a.mp4: 1000 of 1000 frames, 2.0 frames/s",
    ]


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 0.1, 1.0, 2.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    progress = FrameProgress("film")
    for done, total in ((3, 100), (40, None), (100, 100)):
        progress(done, total)
    progress.end()
    assert capsys.readouterr().err == (
        f"{CLEAR}film: 40 frames, 40 frames/s{CLEAR}film: 100 of 100 frames, 50 frames/s"[:10_000] + "\n"
    )


def test_a_warning_does_not_end_up_in_the_line_of_progress(
    fleeting: Command, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    short = write_video(tmp_path / "a.mp4", pictures(clip, 6), rate=FPS)
    said = fleeting("analyse", short, "--out", tmp_path / "out", *CSV)
    assert "warning: The video lasts 0.10 s" in said.err
    assert all(
        line.startswith("warning")
        for line in said.err.replace("\r", "\n").replace("\x1b[K", "").splitlines()
        if "warning" in line
    )


def test_python_writes_nothing_unasked(
    clip: Path, analysis: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    steps: list[tuple[int, int | None]] = []
    timeline = package.analyse(clip, progress=lambda done, total: steps.append((done, total)))
    assert listing(tmp_path) == []
    assert timeline.events == analysis.timeline.events  # the same with and without pictures
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert steps[0] == (1, FRAMES)
    assert steps[-1] == (FRAMES, FRAMES)
    assert list(timeline.to_dataframe().columns) == COLUMNS.split(",")
    assert timeline.to_dataframe().iloc[0][["kind", "emotion"]].tolist() == ["micro", timeline.events[0].emotion]


def test_python_writes_where_it_is_told(known: Known, clip: Path, tmp_path: Path) -> None:
    known.add(clip)
    timeline = package.analyse(clip, out=tmp_path / "out", formats=["csv"], progress=lambda *_: None)
    assert listing(tmp_path / "out" / "ada") == ["events.csv", "run.json", "timeline.json", "timeline.npz"]
    assert read_timeline(tmp_path / "out" / "ada" / "timeline.json").events == timeline.events


def test_python_keeps_the_results_of_another_video(known: Known, clip: Path, tmp_path: Path) -> None:
    other = write_video(tmp_path / "ada.mp4", pictures(clip, 6), rate=FPS)
    known.add(clip, other)
    package.analyse(clip, out=tmp_path / "out", formats=["csv"], progress=lambda *_: None)
    with pytest.raises(OutputError, match="which holds those of"):
        package.analyse(other, out=tmp_path / "out", formats=["csv"], progress=lambda *_: None)


def test_python_users_choose_what_becomes_of_warnings(
    clip: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    import warnings

    short = write_video(tmp_path / "a.mp4", pictures(clip, 4), rate=FPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FleetingWarning)
        timeline = analyse_video(short, pictures=False).timeline
    assert [w for w in timeline.warnings if "too short" in w] == list(timeline.warnings)
    assert timeline.warnings
    assert not recwarn.list


def test_the_quality_is_said_as_probe_says_it(fleeting: Command, clip: Path, tmp_path: Path) -> None:
    """Five frames are missing in the middle, and one is repeated."""
    shown = pictures(clip)
    del shown[30:35]
    shown[20] = shown[19]
    ticks = [i * 20 for i in range(FRAMES) if not 30 <= i < 35]
    path = write_video(tmp_path / "a.mkv", shown, codec="ffv1", pixel_format="yuv444p", rate=FPS, ticks=ticks)
    analysed = fleeting("analyse", path, "--out", tmp_path / "out", *CSV)
    assert "  dropped frames: 5 frames, poor. 5 frames are missing in gaps between the timestamps" in analysed.out
    assert "  repeated frames: 1 frame, fair. 1 frame repeats the one before" in analysed.out
    probed = json.loads(fleeting("probe", path, "--json").out)[0]["quality"]
    said = json.loads((tmp_path / "out" / "a" / "timeline.json").read_text())["quality"]
    assert {n: (m["verdict"], m["advice"], m["unit"]) for n, m in probed.items() if n != "face_size"} == {
        n: (m["verdict"], m["advice"], m["unit"]) for n, m in said.items() if n != "face_size"
    }
    for name, measure in probed.items():
        wanted = measure["verdict"] in ("fair", "poor")
        assert (f"  {name.replace('_', ' ')}: " in analysed.out) is wanted


def test_a_folder_of_videos(fleeting: Command, three: list[Path], tmp_path: Path) -> None:
    films = tmp_path / "films"
    (films / "more").mkdir(parents=True)
    for place, path in zip(("a.mp4", "more/b.mp4", ".hidden.mp4"), three, strict=True):
        path.rename(films / place)
    said = fleeting("analyse", films, "--out", films / "out", *CSV)
    assert (said.status, listing(films / "out")) == (0, ["a", "b"])
    assert f"{films}: a folder of 2 videos; each is analysed." in said.err


def test_progress_that_has_ended_is_not_told_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 4.0, 5.0, 9.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    progress = FrameProgress("film")
    for done, total in ((49, 49), (49, 49), (20, 49), (49, 49)):
        progress(done, total)
    assert capsys.readouterr().err.splitlines() == [
        "film: 49 of 49 frames, 12 frames/s",
        "film: 49 of 49 frames, 9.8 frames/s",
    ]


def test_what_is_wrong_is_said_once(fleeting: Command, clip: Path, tmp_path: Path) -> None:
    said = fleeting("analyse", tmp_path / "none.mp4", "--out", tmp_path / "out")
    assert said.err.count("which does not exist") == 1
    path = write_video(tmp_path / "a.mkv", pictures(clip, 30), rate=FPS, options={"g": "5", "bf": "0"})
    data = path.read_bytes()
    path.write_bytes(data[: int(0.55 * len(data))])
    said = fleeting("emotion", path, "--out", tmp_path / "out", "--render")
    assert said.err.count("breaks off at") == 1


def test_a_warning_is_said_once_of_each_video(fleeting: Command, clip: Path, tmp_path: Path) -> None:
    images = pictures(clip, 6)
    films = [write_video(tmp_path / name, images, rate=FPS) for name in ("a.mp4", "b.mp4")]
    said = fleeting("analyse", *films, "--out", tmp_path / "out", *CSV)
    assert said.err.count("too short to know the face at rest") == 2
