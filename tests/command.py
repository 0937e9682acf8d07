"""Calling ``fleeting`` as people do, in this process or in one of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fleeting.analysis import analyse as room
from fleeting.analysis.analyse import Analysis
from fleeting.cli.app import app, run
from fleeting.settings import AnalyseSettings, to_dict
from fleeting.video.reader import open_video


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


class Command:
    """``fleeting WORDS`` in this process; exit status, standard output and standard error come back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str | Path) -> Said:
        self._monkeypatch.setattr(sys, "argv", ["fleeting", *map(str, words)])
        self._capsys.readouterr()
        status = run(app)
        out, err = self._capsys.readouterr()
        assert "Traceback" not in out + err
        return Said(status, out, err)


class Known:
    """In place of `analyse_video`: quick and with the result of `clip` for some videos, itself for all others."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis, self._true = analysis, room.analyse_video
        self.videos: set[Path] = set()
        self.calls: list[str] = []
        self.settings: list[AnalyseSettings | None] = []

    def __call__(self, path: str | Path, **how: Any) -> Analysis:
        self.calls.append(Path(path).name)
        self.settings.append(how["settings"])
        if Path(path).resolve() not in self.videos:
            return self._true(path, **how)
        with open_video(path, fps=how["fps"]) as reader:
            info = reader.info
        if how["progress"] is not None:
            how["progress"](1, info.frame_count)
        timeline = replace(
            self._analysis.timeline, video=info, settings=to_dict(how["settings"] or AnalyseSettings()), warnings=()
        )
        return replace(self._analysis, timeline=timeline)

    def add(self, *paths: Path) -> None:
        self.videos |= {p.resolve() for p in paths}


def start(*words: str | Path) -> subprocess.Popen[str]:
    """``fleeting WORDS`` in a process of its own, which SIGINT reaches even where the tests run in the background."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")
    return subprocess.Popen(
        [sys.executable, "-m", "fleeting", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | threads,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell makes what it sends there ignore it
    )


def listing(folder: Path) -> list[str]:
    """Names of everything in a folder, hidden or not; empty where there is none."""
    return sorted(os.listdir(folder)) if folder.exists() else []
