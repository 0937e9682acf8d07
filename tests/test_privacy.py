"""Nothing leaves the machine, and nothing is written but what was asked for: every command, watched from outside."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clips
import cv2
import pytest
import typer
from flow_clips import made_up, stored
from guard import PROGRAM, Guarded, can_trace, guarded
from timelines import make_timeline
from video_files import write_video

from fleeting.cli.app import app
from fleeting.export.timeline_json import write_timeline

Words = tuple[str | Path, ...]
OPENED = """
import os, signal, urllib.request
from fleeting.web import server
def opened(address, browser, on_ready):
    on_ready(address)
    visitor = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    film = __import__("json").load(visitor.open(address) and visitor.open(address.split("?")[0] + "api/films"))[0]["id"]
    for part in ("", "/picture", "/times", "/frames/9"):
        visitor.open(address.split("?")[0] + "api/films/" + film + part).read()
    os.kill(os.getpid(), signal.SIGINT)
server._ready = opened
"""
SHORT_DEMO = """
from dataclasses import replace
from fleeting.synthesis import demo
demo.MOVEMENTS = demo.MOVEMENTS[:1]
demo.demo_clip.__defaults__ = (replace(demo.SETTINGS, seconds=1.5, fps=30.0, width=256, height=256, iod_px=60.0),)
"""


def names(group: Any = None, before: str = "") -> Iterator[str]:
    """Every command; hidden ones are other spellings."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from names(command, f"{before}{name} ")
        elif not command.hidden:
            yield before + name


def still(clip: Path, place: Path) -> Path:
    """A film in which nothing happens."""
    before = clips.pictures(clip, clips.ONSET)
    return write_video(place, [*before, *before[::-1]], rate=clips.FPS)


def picture(clip: Path, place: Path, number: int = 0) -> Path:
    cv2.imwrite(str(place), clips.pictures(clip, number + 1)[number][..., ::-1])
    return place


def frames(clip: Path, place: Path) -> str:
    """A data set of one clip."""
    place.mkdir()
    clips.write_folder(place / "film", clips.pictures(clip, clips.OFFSET + 1)[clips.ONSET :: 3])
    (place / "labels.csv").write_text("file,subject,onset,apex,offset,emotion,fps\nfilm,ada,0,2,6,happiness,17\n")
    return f"own={place}"


def recipe(place: Path) -> Words:
    place.mkdir()
    stored(made_up(), place / "flow.npz")
    (place / "mine.toml").write_text('task = "flow_svm"\nflow = "flow.npz"\n')
    return place / "mine.toml", "--data", place


def finished(place: Path) -> Path:
    """A benchmark that is done."""
    from fleeting.evaluation.benchmark.benchmark import benchmark, settings_for

    data = stored(made_up(subjects=3), place.with_suffix(".npz"))
    (plan,) = settings_for(["linear-svm"], data=[f"composite={data}"])
    benchmark(plan, out=place)
    return place


def coded(at: Path, *coders: str) -> Path:
    """A film's results, coded by these."""
    from coded_films import code, make_film

    film = make_film(at / "results" / "interview")
    for coder in coders:
        code(film, coder, ("micro", 100, 110, 119))
    return film.folder


def served(clip: Path, place: Path) -> Path:
    place.mkdir()
    shutil.copy(clip, place / "film.mp4")
    return place


def few_rows(place: Path) -> Path:
    place.write_text("kind,onset,offset\nmicro,10,20\n")
    return place


CASES: dict[str, Callable[[Path, Path], Words]] = {
    "agree": lambda clip, at: (coded(at, "anna", "ben"), "--coders", "anna", "ben"),
    "analyse": lambda clip, at: (clip, "--out", at / "out", "--jobs", "2"),
    "benchmark": lambda clip, at: (
        *("--data", f"composite={stored(made_up(subjects=3), at / 'a.npz')}"),
        *("-m", "linear-svm", "--out", at / "out"),
    ),
    "calibrate": lambda clip, at: (still(clip, at / "a.mp4"), "--out", at / "out", "--trials", "20"),
    "compare": lambda clip, at: (finished(at / "run"), "--draws", "50", "--out", at / "out"),
    "data check": lambda clip, at: (frames(clip, at / "set"), "--out", at / "out.csv"),
    "demo": lambda clip, at: ("--out", at / "out"),
    "emotion": lambda clip, at: (picture(clip, at / "a.png"), "--out", at / "out", "--render"),
    "evaluate": lambda clip, at: ("flow", "--pairs", "1", "--out", at / "out"),
    "explain": lambda clip, at: (picture(clip, at / "a.png"), "--out", at / "out"),
    "export": lambda clip, at: (coded(at, "anna"), "--coder", "anna", "--format", "all", "--out", at / "out"),
    "flow": lambda clip, at: (picture(clip, at / "a.png"), picture(clip, at / "b.png", 32), "--out", at / "out.npz"),
    "import": lambda clip, at: (few_rows(at / "a.csv"), coded(at), "--coder", "anna"),
    "live": lambda clip, at: (clip, "--out", at / "out"),
    "magnify": lambda clip, at: (clip, "--out", at / "out.mp4"),
    "methods": lambda clip, at: (coded(at),),
    "prepare": lambda clip, at: (frames(clip, at / "set"), "--out", at / "out.npz", "--cache", at / "cache"),
    "probe": lambda clip, at: (clip, "--seconds", "0.2"),
    "report": lambda clip, at: (write_timeline(make_timeline(), at / "timeline.json"), "--out", at / "out.html"),
    "serve": lambda clip, at: (served(clip, at / "films"), "--port", "0", "--no-browser"),
    "summarise": lambda clip, at: (coded(at, "anna"), "--coder", "anna", "--out", at / "out"),
    "synthesise": lambda clip, at: (
        *(picture(clip, at / "a.png"), "--out", at / "out", "--events", "1"),
        *("--fps", "30", "--seconds", "1.5", "--size", "256x256", "--iod", "56"),
    ),
    "train": lambda clip, at: (*recipe(at / "data"), "--out", at / "out"),
}


def run(name: str, clip: Path, folder: Path) -> Guarded:
    program = {"demo": SHORT_DEMO, "serve": OPENED}.get(name, "") + PROGRAM
    return guarded(*name.split(), *CASES[name](clip, folder), folder=folder, program=program)


def test_every_command_has_a_case() -> None:
    assert sorted(CASES) == sorted(names())


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_command_keeps_to_itself(name: str, clip: Path, tmp_path: Path) -> None:
    found = run(name, clip, tmp_path)
    assert found.status == 0, found.said
    assert found.reached == ()
    assert found.left == ()


def test_a_ray_of_its_own_keeps_to_itself(clip: Path) -> None:
    pytest.importorskip("ray", reason="Ray comes with the extra research")
    with tempfile.TemporaryDirectory(prefix="f") as short:  # Ray's sockets have paths of at most 107 bytes
        place = Path(short)
        found = guarded("analyse", clip, "--out", place / "out", "--engine", "ray", "--jobs", "1", folder=place)
        assert found.status == 0, found.said
        assert found.reached == found.left == ()


def test_the_guard_sees_files_and_addresses(tmp_path: Path) -> None:
    """Of Python and, where it can be traced, of native code."""
    program = (
        "import os, pathlib, socket, subprocess\n"
        "pathlib.Path.home().joinpath('a').write_text('')\n"
        "os.mkdir('b')\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))\n"
        "subprocess.run(['touch', os.path.expanduser('~/c')], check=True)\n"
    )
    found = guarded(folder=tmp_path, program=program)
    assert found.status == 0, found.said
    assert found.left == tuple(str(tmp_path / p) for p in ("home/a", "home/c", "desk/b"))
    expected = ["address 192.0.2.1", f"file {tmp_path}/home/a", f"file {tmp_path}/desk/b"]
    assert found.reached == tuple(sorted([*expected, *([f"file {tmp_path}/home/c"] if can_trace() else [])]))


def test_onnx_runtime_is_silent_whatever_the_user_set(tmp_path: Path) -> None:
    """Its telemetry makes a device identifier in the home; see SECURITY.md."""
    loud = "import os; os.environ['ORT_DISABLE_TELEMETRY'] = '0'\n"
    found = guarded(folder=tmp_path, program=loud + "from fleeting import weights; weights.session('landmarks')")
    assert found.status == 0, found.said
    assert found.reached == found.left == ()
