"""``fleeting serve``: the workbench in a browser, on this machine."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from fleeting.errors import InputError


def serve(
    folder: Annotated[
        Path, typer.Argument(help="Folder of your films. Results go into FOLDER/fleeting-output.")
    ] = Path("."),
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the page; 0 for any free one.  [default: 8765, or a free one if it is taken]",
        ),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in your browser.")] = True,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Any other than 127.0.0.1 lets other machines in.")
    ] = "127.0.0.1",
    upload_limit: Annotated[float, typer.Option(help="Largest film that the page may send, in GB.")] = 8.0,
    demo: Annotated[
        bool, typer.Option("--demo", help="Make the film of the demonstration in FOLDER/fleeting-demo, and open it.")
    ] = False,
    shortcut: Annotated[
        bool, typer.Option("--shortcut", help="Put a file on the desktop that opens FOLDER on a double click.")
    ] = False,
) -> None:
    """Open the workbench in your browser: see what was found, correct it, code films, compare coders.

    Needs the extra web: pip install 'fleeting[web]'. Ctrl-C stops the workbench. The address that it prints contains
    a key: anyone who has it can see and change the films and results of the folder.

    Example: fleeting serve recordings
    """
    if shortcut:
        typer.echo(f"Double-click {write_shortcut(folder)} to open the workbench.")
        return
    from fleeting.web.server import serve as run

    if demo:
        folder = _demo(folder)
    if host not in ("127.0.0.1", "localhost", "::1"):
        typer.echo(
            f"warning: listening on {host}: other machines of this network can reach the films, without encryption, "
            "if they know the address with its key.",
            err=True,
        )
    run(
        folder,
        port=port,
        host=host,
        browser=browser,
        upload_limit=round(upload_limit * 1e9),
        on_ready=lambda address: typer.echo(f"The workbench is at {address}\nCtrl-C stops it."),
    )


def _demo(folder: Path) -> Path:
    """Make the film of the demonstration and its results, where they are not there yet, and return their folder."""
    from fleeting.batch import analyse_many
    from fleeting.cli.frame_progress import FrameProgress
    from fleeting.synthesis.demo import make_demo

    place = folder / "fleeting-demo"
    video = place / "demo.mp4"
    if not video.exists():
        video, _ = make_demo(place, progress=FrameProgress("filming", quiet=False))
    analyse_many([video], out=place / "fleeting-output", progress=FrameProgress("analysing", quiet=False))
    return place


def write_shortcut(folder: Path, *, system: str = sys.platform) -> Path:
    """Write a file that opens the workbench of a folder on a double click, and return it.

    It lies on the desktop; where there is none, in the folder itself.

    Raises
    ------
    InputError
        Where there is no such folder.
    OutputError
        Where the disk refuses.
    """
    from fleeting.files import write_bytes

    if not folder.is_dir():
        raise InputError("a folder of films", f"{folder}, which is none", "Check the path, or make it.")
    folder = folder.resolve()
    desktop = Path.home() / "Desktop"
    ending, text = _shortcut_text([sys.executable, "-m", "fleeting", "serve", str(folder)], system)
    path = write_bytes((desktop if desktop.is_dir() else folder) / f"Fleeting {folder.name}{ending}", text.encode())
    path.chmod(0o755)
    return path


def _shortcut_text(words: list[str], system: str) -> tuple[str, str]:
    """Return the ending and the text of a file that runs a command on one system."""
    if system == "win32":
        line = " ".join(f'"{word}"' for word in words).replace("%", "%%")
        return ".bat", f"@echo off\r\nchcp 65001 >nul\r\n{line}\r\nif errorlevel 1 pause\r\n"
    if system == "darwin":
        return ".command", f"#!/bin/sh\nexec {shlex.join(words)}\n"
    # The quoting of the Desktop Entry Specification 1.5, "The Exec key": within quotes, and then as any string.
    quoted = " ".join('"' + re.sub(r'(["`$\\])', r"\\\1", word) + '"' for word in words)
    line = quoted.replace("\\", "\\\\").replace("%", "%%")
    return ".desktop", f"[Desktop Entry]\nType=Application\nName=Fleeting\nTerminal=true\nExec={line}\n"
