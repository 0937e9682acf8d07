"""What a double click runs: the same words on every system, whatever the folder is called."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleeting.cli import serve
from fleeting.cli.app import app
from fleeting.errors import InputError

ODD = "films of 100 % \"a\" 'b' $HOME `c` ü"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    (tmp_path / "home" / "Desktop").mkdir(parents=True)
    (tmp_path / ODD).mkdir()
    return tmp_path / "home"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("system", ["darwin", "linux"])
def test_a_double_click_serves_the_folder(
    system: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "a python"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/ran"\n', encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    path = serve.write_shortcut(tmp_path / ODD, system=system)
    assert path.parent == home / "Desktop"
    assert path.stat().st_mode & 0o111
    words = [str(path)] if system == "darwin" else desktop_words(path.read_text(encoding="utf-8"))
    subprocess.run(words, check=True)
    assert (tmp_path / "ran").read_text(encoding="utf-8").splitlines() == [
        "-m",
        "fleeting",
        "serve",
        str(tmp_path / ODD),
    ]


def desktop_words(text: str) -> list[str]:
    """Words of the Exec key, by the Desktop Entry Specification: first the string, then the quotes, then the codes."""
    assert text.startswith("[Desktop Entry]\nType=Application\n")
    (line,) = re.findall(r"^Exec=(.*)$", text, re.MULTILINE)
    line = re.sub(r"\\(.)", r"\1", line)
    quoted = re.findall(r'"((?:\\.|[^"\\])*)"', line)
    return [re.sub(r"\\(.)", r"\1", word).replace("%%", "%") for word in quoted]


def test_windows_gets_a_batch_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "films 100 %").mkdir()
    path = serve.write_shortcut(tmp_path / "films 100 %", system="win32")
    assert path == home / "Desktop" / "Fleeting films 100 %.bat"
    lines = path.read_bytes().decode().split("\r\n")
    assert lines[2].endswith(' "-m" "fleeting" "serve" "' + str(tmp_path / "films 100 %%") + '"')


def test_the_command_says_what_to_double_click(home: Path, tmp_path: Path) -> None:
    (home / "Desktop").rmdir()
    done = CliRunner().invoke(app, ["serve", str(tmp_path / ODD), "--shortcut"])
    assert done.exit_code == 0, done.output
    assert re.match(r"Double-click .+ to open the workbench\.\n", done.stdout)
    assert [p.name.startswith(f"Fleeting {ODD}") for p in (tmp_path / ODD).iterdir()] == [True], "there is no desktop"
    with pytest.raises(InputError, match="a folder of films"):
        serve.write_shortcut(tmp_path / "nothing")
