"""The folder of one video's results: what made it, whether it still holds, and how a new one takes its place.

``run.json`` in each folder says which video, settings, formats and version made the files beside it, and their SHA-256.
From it follows whether a video is finished, whether a folder may be replaced, and which files a person has added or
changed: those are never lost.

A new folder is filled under a hidden name beside its place and renamed when it is whole. Those hidden names are fixed,
so that what a killed run has left is put right by the next one (`settle`). One run at a time works on a folder
(`claimed`): a lock beside it says who does, and since when.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fleeting import files
from fleeting.errors import FleetingWarning, InputError, OutputError
from fleeting.files import make_folder, output_error, write_text
from fleeting.settings import AnalyseSettings, to_dict

RUN_NAME = "run.json"

CODING = "coding"
"""Folder of the coders' logs; a coder may write into it while the video is analysed again."""

LOCK_S = 30.0
"""Seconds to wait for another program that writes there."""

DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
"""Names that Windows keeps for its devices, with any suffix."""

NEVER_BY_HAND = frozenset({RUN_NAME, "report.html"})
"""Not edited by people; `fleeting report` builds the page again."""

MACHINES = (".npz", ".gz", ".parquet")
"""Ends of the names of files that people read but never edit."""


def result_names(videos: Sequence[Path]) -> list[str]:
    """Return a folder name for each video: its stem, with more of its path where stems are the same.

    Raises
    ------
    InputError
        Where one video is named twice.
    """
    twice = [v for v, count in Counter(os.path.realpath(v) for v in videos).items() if count > 1]
    if twice:
        raise InputError("each video once", f"{twice[0]} more than once", "Remove it from the list.")
    # A link names its results, not the file it points to.
    absolute = [_absolute(v) for v in videos]
    names = [portable(v.name if v.is_dir() else v.stem) for v in absolute]
    for longer in (lambda v: v.name, lambda v: f"{v.parent.name}_{v.name}", lambda v: "_".join(v.parts[1:])):
        counts = Counter(name.casefold() for name in names)  # some disks do not tell A from a
        names = [portable(longer(v)) if counts[n.casefold()] > 1 else n for n, v in zip(names, absolute, strict=True)]
    taken: Counter[str] = Counter()
    for place, name in enumerate(names):  # names that differ only in what `portable` takes out of them
        taken[name.casefold()] += 1
        if taken[name.casefold()] > 1:
            names[place] = f"{name}_{taken[name.casefold()]}"
    return names


def portable(name: str) -> str:
    """Return a name that every system accepts for a folder; other names stay as they are.

    Windows refuses some characters, blanks and full stops at the end, and the names of its devices. Results move from
    one computer to another, so such names are changed everywhere.
    """
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name)
    if name != name.rstrip(" ."):
        name = name.rstrip(" .") + "_"
    return f"{name}_" if name.split(".")[0].casefold() in DEVICES else name


def check_writable(folder: str | Path) -> None:
    """Make a folder and try to write into it, so that trouble is found before the work and not after it.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    made = make_folder(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=made, prefix=".fleeting-"):
            pass
    except OSError as error:
        raise output_error(made, error) from error


def describe_run(
    video: Path, *, settings: AnalyseSettings, fps: float | None, formats: Sequence[str], version: str
) -> dict[str, Any]:
    """Return what decides about the results of a video, as ``run.json`` holds it but for the files.

    The video is known by its path, its name, its size in bytes and its time of change (of a folder of images: all
    together, and the latest).
    """
    files = sorted(video.iterdir()) if video.is_dir() else [video]
    known = [f.stat() for f in files if f.is_file()]
    return {
        "version": version,
        "video": {
            "path": os.path.realpath(video),
            "name": _absolute(video).name,
            "bytes": sum(s.st_size for s in known),
            "modified_ns": max((s.st_mtime_ns for s in known), default=0),
        },
        "fps": fps,
        "formats": list(formats),
        "settings": to_dict(settings),
    }


def missing_formats(
    folder: Path, run: dict[str, Any], of_formats: Mapping[str, Sequence[str]]
) -> tuple[str, ...] | None:
    """Return the formats that a folder lacks of what a run would make: none where the run is finished.

    None where the video has to be analysed: another version, settings, rate or video, or a file is gone or damaged.
    `of_formats` are the names of each format's files.
    """
    stored = read_run(folder)
    if stored is None:
        return None
    same = all(stored.get(key) == run[key] for key in ("version", "fps", "settings"))
    unchanged = all(stored["video"].get(key) == run["video"][key] for key in ("name", "bytes", "modified_ns"))
    if not (same and unchanged and all((folder / name).is_file() for name in stored["files"])):
        return None
    lacking = tuple(name for name in run["formats"] if name not in stored["formats"])
    there = [name for name in run["formats"] if name in stored["formats"]]
    if not all(_whole(folder, name, stored["files"]) for one in there for name in of_formats.get(one, ())):
        return None
    return lacking


def _whole(folder: Path, name: str, made: dict[str, str]) -> bool:
    """Whether a file is there as it was made; of those that people edit, whether there is something in it."""
    if name not in made or not (folder / name).is_file():
        return False
    if name in NEVER_BY_HAND or name.endswith(MACHINES):
        return _sha256(folder / name) == made[name]
    return (folder / name).stat().st_size > 0


def is_finished(folder: Path, run: dict[str, Any], of_formats: Mapping[str, Sequence[str]]) -> bool:
    """Whether a folder holds all that a run would make: same version, settings, rate and video, every file whole."""
    return missing_formats(folder, run, of_formats) == ()


def read_run(folder: Path) -> dict[str, Any] | None:
    """Return the content of ``run.json``; None where there is none that can be read."""
    try:
        stored = json.loads((folder / RUN_NAME).read_text(encoding="utf-8"))
        sound = isinstance(stored["video"]["path"], str) and all(isinstance(stored[k], list) for k in ("formats",))
        return stored if sound and isinstance(stored["files"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def check_place(folder: Path, run: dict[str, Any], *, force: bool = False) -> None:
    """Make sure that a folder may be replaced by the results of a run.

    Raises
    ------
    OutputError
        Where there is a file of that name, a folder that is none of results (such as the images of the video itself),
        or, without `force`, one with the results of another video.
    """
    name = run["video"]["name"]
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(
            f"a folder {folder} for the results of {name}", "a file of that name", "Choose another --out, or move it."
        )
    stored = read_run(folder)
    if stored is None:
        if any(folder.iterdir()):
            raise OutputError(
                f"a place for the results of {name}",
                f"{folder}, a folder with other things in it",
                "Choose another --out.",
            )
        return
    video = stored["video"]
    other = video["path"] != run["video"]["path"] and any(video.get(k) != run["video"][k] for k in ("name", "bytes"))
    if other and not force:
        raise OutputError(
            f"a place for the results of {name}",
            f"{folder}, which holds those of {video['path']}",
            "Choose another --out (or replace them: --force).",
        )


@contextmanager
def new_folder(folder: Path, run: dict[str, Any]) -> Iterator[Path]:
    """Give a hidden folder to fill; when the block ends well it takes the place of `folder`, else nothing is left.

    What a person has added to the former folder is in the new one too; a former file that was changed is kept beside
    the new one, as ``events.kept.eaf``, with a `FleetingWarning`.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    settle(folder)
    partial, former = _hidden(folder)
    try:
        make_folder(partial)
        yield partial
        made = {path.name: _sha256(path) for path in sorted(partial.iterdir())}
        write_text(partial / RUN_NAME, json.dumps({**run, "files": made}, indent=1, ensure_ascii=False) + "\n")
        with ExitStack() as stack:
            is_coded = (folder / CODING).exists()
            if is_coded:
                stack.enter_context(folder_lock(folder))
            if folder.exists():
                _keep_by_hand(folder, partial)
                folder.rename(former)
            if not is_coded and (former / CODING).exists():  # the first edit of all, made just now
                stack.enter_context(folder_lock(folder))
                shutil.copytree(former / CODING, partial / CODING, dirs_exist_ok=True)
            try:
                partial.rename(folder)
            finally:
                settle(folder)
    except OutputError as error:
        raise OutputError(error.expected.replace(str(partial), str(folder)), error.got, error.hint) from error
    except OSError as error:
        raise output_error(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def changed_folder(folder: Path, *, add: Sequence[str] = ()) -> Iterator[Path]:
    """Give a copy of a video's results in which some are to be made anew, then take its place as `new_folder` does.

    Files that a person has changed are not copied: they are kept as theirs. `add` are formats that are new.

    Raises
    ------
    OutputError
        Where the disk refuses, or the folder holds no results.
    """
    run = read_run(folder)
    if run is None:
        raise OutputError("a folder of results", f"{folder}, which holds none", "Analyse the video first.")
    made = run.pop("files")
    run["formats"] = [*run["formats"], *add]
    with new_folder(folder, run) as partial:
        for name, known in made.items():
            if (folder / name).is_file() and _sha256(folder / name) == known:
                shutil.copy2(folder / name, partial / name)
        yield partial


@contextmanager
def folder_lock(folder: Path, *, needed: bool = True) -> Iterator[None]:
    """Keep a video's results from being replaced, and its coders' logs from being written, while the block lasts.

    The lock lies beside the folder, which itself may be replaced. It ends with the program that holds it.

    Parameters
    ----------
    folder
        Of one video's results.
    needed
        False for a reader, who goes on without it where the disk can only be read.

    Raises
    ------
    OutputError
        Where another program holds it for longer than `LOCK_S`, or the disk refuses.
    """
    lock = FileLock(_beside(folder.absolute(), "edits"))
    try:
        lock.acquire(timeout=LOCK_S)
    except Timeout as error:
        raise OutputError(
            f"{folder} to be free", "another program that is at work there", "Wait for its end, and try again."
        ) from error
    except OSError as error:
        if needed:
            raise output_error(lock.lock_file, error) from error
    try:
        yield
    finally:
        lock.release()


def claimed(folder: Path) -> AbstractContextManager[None]:
    """Keep other runs away from a folder of results while the block lasts; see `files.claimed`."""
    return files.claimed(folder, _beside(folder, "lock"))


def look_folder(folder: Path) -> Path:
    """Return the hidden folder in which a run keeps its first look, so that it can go on after it was killed."""
    return _beside(folder, "look")


def settle(folder: Path) -> None:
    """Put right what a run that was killed has left beside `folder`: a former folder comes back, halves go."""
    partial, former = _hidden(folder)
    try:
        if former.exists() and not folder.exists():
            former.rename(folder)
    except OSError as error:
        raise output_error(folder, error) from error
    for path in (partial, former):
        shutil.rmtree(path, ignore_errors=True)


def _hidden(folder: Path) -> tuple[Path, Path]:
    return _beside(folder, "partial"), _beside(folder, "former")


def _beside(folder: Path, what: str) -> Path:
    # Not the folder's own name with a suffix: that could be longer than the disk allows.
    key = hashlib.sha256(os.fsencode(folder.name)).hexdigest()[:16]
    return folder.with_name(f".fleeting-{key}.{what}")


def _keep_by_hand(folder: Path, partial: Path) -> None:
    """Copy what is not as the former run left it; copied, not moved, so that the former folder stays whole."""
    made = (read_run(folder) or {}).get("files", {})
    paths = sorted(p for p in folder.rglob("*") if p.is_file() or p.is_symlink())
    # What the new run did not write comes first and keeps its name, versions kept earlier among it.
    for path in sorted(paths, key=lambda p: os.path.lexists(partial / p.relative_to(folder))):
        name = str(path.relative_to(folder))
        if name in NEVER_BY_HAND or (name in made and made[name] == _sha256(path)):
            continue
        target = partial / name
        number = 1
        while os.path.lexists(target):
            target = (partial / name).with_name(f"{path.stem}.kept{number if number > 1 else ''}{path.suffix}")
            number += 1
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target, follow_symlinks=False)
        if target.name != path.name:
            warnings.warn(
                f"{path} was changed after it was made; your version is kept as {target.name}.",
                FleetingWarning,
                stacklevel=4,
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
