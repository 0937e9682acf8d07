"""Whatever is wrong with a video or a disk: one clear line, exit status 1, the other videos done, no halves left."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import FPS, pictures, shrunk, still, write_folder
from command import Command, Known, listing, start
from video_files import numbered, write_numbered, write_sound, write_video

from fleeting import files
from fleeting.analysis.analyse import analyse_video
from fleeting.errors import FleetingWarning, OutputError


def text(folder: Path, _: Path) -> Path:
    path = folder / "bad.mp4"
    path.write_text("no video\n" * 40)
    return path


def empty(folder: Path, _: Path) -> Path:
    (folder / "bad.mp4").touch()
    return folder / "bad.mp4"


def missing(folder: Path, _: Path) -> Path:
    return folder / "bad.mp4"


def zero_length(folder: Path, _: Path) -> Path:
    """The header of a video and nothing behind it."""
    path = write_numbered(folder / "bad.mkv", 5)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])
    return path


def one_frame(folder: Path, _: Path) -> Path:
    return write_numbered(folder / "bad.mp4", 1)


def png(folder: Path, clip: Path) -> Path:
    path = folder / "bad.png"
    path.write_bytes(cv2.imencode(".png", pictures(clip, 1)[0])[1].tobytes())
    return path


def jpg(folder: Path, clip: Path) -> Path:
    path = folder / "bad.jpg"
    path.write_bytes(cv2.imencode(".jpg", pictures(clip, 1)[0])[1].tobytes())
    return path


def sound(folder: Path, _: Path) -> Path:
    return write_sound(folder / "bad.m4a")


def unfinished(folder: Path, clip: Path) -> Path:
    path = folder / "bad.mp4"
    data = clip.read_bytes()
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    return path


def black(folder: Path, _: Path) -> Path:
    return write_video(folder / "bad.mp4", [np.zeros((120, 160, 3), np.uint8)] * 60)


def no_face(folder: Path, _: Path) -> Path:
    return write_video(folder / "bad.mp4", [numbered(i, width=160, height=120) for i in range(30)])


def small_face(folder: Path, clip: Path) -> Path:
    return shrunk(folder / "bad.mp4", pictures(clip, 12), 56)


def empty_folder(folder: Path, _: Path) -> Path:
    (folder / "bad").mkdir()
    return folder / "bad"


def folder_without_rate(folder: Path, _: Path) -> Path:
    return write_folder(folder / "bad", [numbered(i) for i in range(4)])


CASES: list[tuple[Callable[[Path, Path], Path], str]] = [
    (text, "Expected a video; got bad.mp4, which FFmpeg cannot read .* Check that it plays"),
    (empty, "Expected a video; got bad.mp4, a file of 0 bytes. Copy or record it again."),
    (missing, "got .*bad.mp4, which does not exist. Did you mean '.*good.mp4'"),
    (zero_length, r"Expected a video; got bad.mkv, which FFmpeg cannot read \(End of file\). Check that it plays"),
    (one_frame, "at least 2 frames; got bad.mp4, a still picture .* give a video, or a folder of numbered images"),
    (png, "at least 2 frames; got bad.png, a still picture"),
    (jpg, "at least 2 frames; got bad.jpg, a still picture"),
    (sound, "Expected a file with a video stream; got bad.m4a, which holds sound only"),
    (unfinished, "got bad.mp4, whose index is missing or cut off. The recording or the copy was stopped early"),
    (black, r"a face in view; got .*bad.mp4, in which no face .* 60 frames \(the picture is black.* Use more light"),
    (no_face, "a face in view; got .*bad.mp4, in which no face was found in 30 frames. Film the face from the front"),
    (
        small_face,
        "at least 24 px between the outer eye corners; got .*bad.mp4, where the largest has 1[0-9] px. Film",
    ),
    (empty_folder, "Expected a folder of numbered images; got .*bad, which holds none. Check the path."),
    (folder_without_rate, "Expected a frame rate for the image folder bad; got none. .*--fps 200"),
]


@pytest.mark.parametrize(("make", "message"), CASES, ids=[make.__name__ for make, _ in CASES])
def test_one_bad_video_of_a_batch(
    fleeting: Command,
    known: Known,
    clip: Path,
    tmp_path: Path,
    make: Callable[[Path, Path], Path],
    message: str,
) -> None:
    bad, good, out = make(tmp_path, clip), tmp_path / "good.mp4", tmp_path / "out"
    shutil.copy(clip, good)
    known.add(good)
    said = fleeting("analyse", bad, good, "--out", out, "--format", "csv")
    assert said.status == 1
    assert said.out.startswith(f"{good}: 1 micro-expression,")
    assert listing(out) == ["good"]
    *_, head, last = said.err.splitlines()
    assert head == "1 of 2 failed:"
    assert last.startswith(f"  {bad}: Expected ")
    assert re.search(message, last), last


@pytest.mark.parametrize(
    ("numbers", "sizes", "message"),
    [
        ([0, 1, 2, 4, 5, 6], [64] * 6, "without a hole; got image0002.png followed by image0004.png. Add the missing"),
        (None, [64, 64, 64, 64, 64, 128], "one size; got image0000.png of 64 x 48 and image0005.png of 128 x 48"),
        (None, [64, 128, 64, 64, 64, 64], "one size; got image0000.png of 64 x 48 and image0001.png of 128 x 48"),
    ],
    ids=["hole", "size of the last", "size within"],
)
def test_folders_of_images(
    fleeting: Command, tmp_path: Path, numbers: list[int] | None, sizes: list[int], message: str
) -> None:
    folder = write_folder(tmp_path / "bad", [numbered(i, width=w) for i, w in enumerate(sizes)], numbers)
    said = fleeting("analyse", folder, "--fps", "100", "--out", tmp_path / "out")
    assert (said.status, listing(tmp_path / "out")) == (1, [])
    assert message in said.err.splitlines()[-1]


@pytest.mark.parametrize("fps", ["0", "-25", "nan"])
def test_impossible_rate(fleeting: Command, clip: Path, tmp_path: Path, fps: str) -> None:
    said = fleeting("analyse", clip, "--fps", fps, "--out", tmp_path / "out")
    assert said.status == 1
    assert "Expected a positive number of frames per second; got" in said.err.splitlines()[-1]


def test_unreadable(fleeting: Command, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = shutil.copy(clip, tmp_path / "bad.mp4")
    true = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != bad and true(path, mode))
    said = fleeting("analyse", bad, "--out", tmp_path / "out")
    assert said.status == 1
    assert "bad.mp4, without permission to read it. Change its permissions." in said.err.splitlines()[-1]


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may read everything")
def test_unreadable_for_true(fleeting: Command, clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    bad = Path(shutil.copy(clip, folder / "bad.mp4"))
    for path in (bad, folder):
        path.chmod(0)
        said = fleeting("analyse", bad, "--out", tmp_path / "out")
        path.chmod(0o700)
        assert said.status == 1
        assert "failed" in said.err


def analysed_with_warning(path: Path, message: str, *, fps: float | None = None) -> None:
    """The video is analysed, and the warning is issued and in the timeline."""
    with pytest.warns(FleetingWarning) as caught:
        timeline = analyse_video(path, fps=fps, pictures=False).timeline
    assert [str(w.message) for w in caught] == list(timeline.warnings)
    assert any(message in note for note in timeline.warnings), timeline.warnings
    assert len(timeline.signals) == 1


def test_truncated_is_analysed_up_to_the_break(clip: Path, tmp_path: Path, fleeting: Command) -> None:
    whole = write_video(tmp_path / "whole.mkv", pictures(clip, 40), rate=FPS, options={"g": "5", "bf": "0"})
    data = whole.read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(data[: int(0.55 * len(data))])
    said = fleeting("analyse", path, "--out", tmp_path / "out", "--format", "csv")
    assert said.status == 0
    frames = json.loads((tmp_path / "out" / "cut" / "timeline.json").read_text())["frame_count"]
    assert 10 < frames < 32
    assert f"warning: cut.mkv breaks off at {frames / FPS:.2f} s of 0.80 s" in said.err


def test_five_frames_a_second(clip: Path, tmp_path: Path) -> None:
    path = write_video(tmp_path / "slow.mp4", pictures(clip)[::7], rate=5)
    analysed_with_warning(path, "5 frames/s: a movement of 0.2 s covers 1 frame: too few")


def test_still_picture_filmed_as_a_video(clip: Path, tmp_path: Path) -> None:
    path = still(tmp_path / "still.mp4", pictures(clip, 1)[0])
    analysed_with_warning(path, "All frames look the same: this is a still picture")


def test_a_living_face_is_no_still_picture(clip: Path, tmp_path: Path) -> None:
    path = write_video(tmp_path / "short.mp4", pictures(clip, 30), rate=FPS)
    with pytest.warns(FleetingWarning, match="lasts 0.58 s: too short") as caught:
        assert analyse_video(path, pictures=False).timeline.frame_count == 30
    assert len(caught) == 1


def test_no_rate_in_the_header(clip: Path, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", pictures(clip, 12), codec="mjpeg", pixel_format="yuvj420p")
    data = bytearray(path.read_bytes())
    header, stream = data.index(b"avih") + 8, data.index(b"strh") + 8
    assert struct.unpack_from("<II", data, stream + 20) == (1, 25)  # scale and rate
    data[header : header + 4], data[stream + 20 : stream + 28] = bytes(4), bytes(8)
    path.write_bytes(bytes(data))
    with pytest.warns(FleetingWarning) as caught:
        timeline = analyse_video(path, pictures=False).timeline
    assert timeline.frame_count == 12
    assert timeline.video.fps == 25  # what FFmpeg takes where nothing is said
    assert [str(w.message) for w in caught] == list(timeline.warnings)


def test_black_costs_no_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fleeting: Command) -> None:
    """Two minutes of black must be cheap: no network looks at them."""
    from fleeting.faces import finder

    looks = []
    monkeypatch.setattr(finder, "decode", lambda *_, **__: looks.append(1) or [])
    assert fleeting("analyse", black(tmp_path, tmp_path), "--out", tmp_path / "out").status == 1
    assert looks == []
    assert fleeting("analyse", no_face(tmp_path, tmp_path), "--out", tmp_path / "out").status == 1
    assert looks


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "elam"], "got 'elam'. Did you mean 'elan'?"),
        (["--format", "reprot,csv"], "got 'reprot'. Did you mean 'report'?"),
        (["--format", ""], "Expected at least one format of report, csv, json"),
        (["--flow", "dsi"], "got 'dsi'. Did you mean 'dis'?"),
        (["--settings", "none.toml"], "Expected a readable settings file; got none.toml"),
        (
            ["--settings", "{toml}"],
            "a known key in typo.toml.spotting; got 'treshold'. Did you mean 'threshold'?",
        ),
    ],
)
def test_wrong_words(fleeting: Command, clip: Path, tmp_path: Path, words: list[str], message: str) -> None:
    (tmp_path / "typo.toml").write_text("[spotting]\ntreshold = 5.0\n")
    words = [w.format(toml=tmp_path / "typo.toml") for w in words]
    said = fleeting("analyse", clip, "--out", tmp_path / "out", *words)
    assert said.status == 1
    assert said.err.startswith("error: ")
    assert len(said.err.splitlines()) == 1
    assert message in said.err
    assert listing(tmp_path / "out") == []


def test_out_is_a_file(fleeting: Command, known: Known, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    said = fleeting("analyse", clip, "--out", tmp_path / "out")
    assert (said.status, known.calls) == (1, [])  # found out before the work
    assert said.err == (
        f"error: Expected to be able to write {tmp_path / 'out'}; got a file where a folder is needed. "
        "Choose another --out, or move that file away.\n"
    )
    assert (tmp_path / "out").read_text() == "mine"


def test_no_permission_to_write(
    fleeting: Command, known: Known, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("fleeting.results.tempfile.NamedTemporaryFile", refuse)
    said = fleeting("analyse", clip, "--out", tmp_path / "out")
    assert (said.status, known.calls) == (1, [])
    assert "got no permission to write there. Choose another --out" in said.err


def full_at(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    """Let the disk be full when a file of this suffix is flushed, or when the whole folder gets its name."""
    number = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if stage == "rename":
        monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(number))
        return
    true = files._flush

    def flush(path: Path) -> None:
        if path.suffix == stage:
            raise number
        true(path)

    monkeypatch.setattr(files, "_flush", flush)


@pytest.mark.parametrize("stage", [".html", ".npz", ".csv", ".gz", ".eaf", ".json", "rename"])
@pytest.mark.parametrize("before", [False, True], ids=["new", "again"])
def test_disk_full(
    fleeting: Command,
    known: Known,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    before: bool,
) -> None:
    out = tmp_path / "out"
    known.add(clip)
    if before:
        assert fleeting("analyse", clip, "--out", out, "--format", "csv").status == 0
    former = {name: (out / "ada" / name).read_bytes() for name in listing(out / "ada")}
    full_at(monkeypatch, stage)
    said = fleeting("analyse", clip, "--out", out, "--force")
    assert said.status == 1
    last = said.err.splitlines()[-1]
    assert last.endswith("got a full disk. Free some space, or choose an --out on another disk.")
    assert f"Expected to be able to write {out / 'ada'}" in last
    assert listing(out) == (["ada"] if before else [])
    assert {name: (out / "ada" / name).read_bytes() for name in listing(out / "ada")} == former


def test_a_write_that_the_system_refuses(clip: Path, tmp_path: Path) -> None:
    """A process of its own that may write no file of more than 100,000 bytes: the report has more."""
    out = tmp_path / "out"
    program = (
        "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (100000, 100000)); from fleeting.cli import main; main()"
    )
    short = write_video(tmp_path / "short.mp4", pictures(clip, 6), rate=FPS)
    done = subprocess.run(
        [sys.executable, "-c", program, "analyse", str(short), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"Expected to be able to write {out / 'short' / 'report.html'}; got File too large" in done.stderr
    assert listing(out) == []


def test_an_error_of_our_own_does_not_stop_the_batch(
    fleeting: Command, known: Known, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fleeting.analysis import analyse

    bad = shutil.copy(clip, tmp_path / "bad.mp4")
    known.add(clip)
    monkeypatch.setattr(
        analyse, "analyse_video", lambda path, **how: 1 / 0 if Path(path) == bad else known(path, **how)
    )
    said = fleeting("analyse", bad, clip, "--out", tmp_path / "out", "--format", "csv")
    assert said.status == 1
    assert "An error in Fleeting itself (ZeroDivisionError: division by zero)" in said.err.splitlines()[-1]
    assert listing(tmp_path / "out") == ["ada"]


def test_a_folder_of_the_users_is_not_replaced(fleeting: Command, known: Known, clip: Path, tmp_path: Path) -> None:
    """The images of a clip lie where its results would go."""
    folder = write_folder(tmp_path / "frames", pictures(clip, 4))
    known.add(folder)
    before = listing(folder)
    for force in ([], ["--force"]):
        said = fleeting("analyse", folder, "--fps", "50", "--out", tmp_path, *force)
        assert (said.status, known.calls) == (1, [])
        assert f"got {folder}, a folder with other things in it. Choose another --out." in said.err
    assert listing(folder) == before


def test_a_file_of_the_users_is_not_replaced(fleeting: Command, known: Known, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "ada").write_text("mine")
    assert "got a file of that name" in fleeting("analyse", clip, "--out", tmp_path).err
    assert (tmp_path / "ada").read_text() == "mine"
    assert known.calls == []


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    process = start("analyse", tmp_path / "none.mp4", "--out", tmp_path / "out")
    out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert "Traceback" not in err
    assert err.splitlines()[-2:] == [
        "1 of 1 failed:",
        f"  {tmp_path / 'none.mp4'}: Expected a file or a folder; "
        f"got {tmp_path / 'none.mp4'}, which does not exist. Check the path.",
    ]


def test_the_same_by_python(clip: Path, tmp_path: Path) -> None:
    import fleeting

    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="a folder with other things in it"):
        fleeting.analyse(clip, out=tmp_path)
