"""The films of a folder, and where the results of each are.

Only what lies in the folder counts: links that lead out of it are passed over, and so are hidden names. A film is a
video file or a folder of numbered images. Its results are the folder whose ``run.json`` names it; where none does, the
one that was made from a film of this name and size (a folder that was moved), or that bears its name.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request

from fleeting import results
from fleeting.coding.coders import TIMELINE
from fleeting.coding.films import Film
from fleeting.errors import InputError
from fleeting.video import trouble
from fleeting.web.refusals import refuse

OUTPUT = "fleeting-output"
"""Folder of new results within the folder of films, as the command line calls it."""

STATE = ".workbench"
"""Folder of what the workbench itself keeps, within `OUTPUT`."""

FRESH_S = 1.0
"""So long a look at the folder holds."""

KEPT = 4
"""Timelines that stay in memory."""


@dataclass(frozen=True, slots=True)
class FilmFile:
    """One film of the folder.

    Attributes
    ----------
    id
        Opaque and safe in an address; the same after a restart.
    name
        Its path within the folder, with ``/``.
    path
        The file or the folder of images; None where only its results are here.
    results
        The folder of its results; None where it was not analysed.
    """

    id: str
    name: str
    path: Path | None
    results: Path | None = None

    @property
    def is_analysed(self) -> bool:
        """Whether there is a timeline."""
        return self.results is not None and (self.results / TIMELINE).is_file()

    @property
    def stamp(self) -> tuple[int, int]:
        """Time of change and size of the timeline: others than before where it was analysed anew."""
        if self.results is None:
            return (0, 0)
        try:
            found = (self.results / TIMELINE).stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size)

    def run(self) -> dict[str, Any]:
        """Return what made the results; empty where that is not known."""
        return {} if self.results is None else results.read_run(self.results) or {}

    def run_path(self) -> str:
        """Return where the analysed film lay; empty where that is not known."""
        return str(self.run().get("video", {}).get("path", ""))


class Library:
    """The films of a folder. Threads may share it.

    Parameters
    ----------
    folder
        Which must exist.

    Raises
    ------
    InputError
        Where its folder of results is a link that leads out of it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).resolve()
        self.output = self.folder / OUTPUT
        if not self.output.resolve().is_relative_to(self.folder):
            raise InputError(
                f"{OUTPUT} within {self.folder}", "a link that leads out of it", "Serve the folder that holds both."
            )
        self._lock = threading.Lock()
        self._films: dict[str, FilmFile] = {}
        self._looked = -FRESH_S
        self._timelines: OrderedDict[tuple[str, tuple[int, int]], Film] = OrderedDict()

    def state_path(self, name: str) -> Path:
        """Return the path of a file of the workbench itself; its folder is made where there is none."""
        place = self.output / STATE
        place.mkdir(parents=True, exist_ok=True)
        return place / name

    def films(self, *, anew: bool = False) -> dict[str, FilmFile]:
        """Return all films by id, in order of their names."""
        with self._lock:
            if anew or time.monotonic() - self._looked > FRESH_S:
                self._films = self._look()
                self._looked = time.monotonic()
            return self._films

    def film(self, film: str) -> FilmFile:
        """Return a film by its id; 404 where there is none."""
        known = self._films.get(film)  # a step of one frame must not wait for a look at a large folder
        if known is not None and known.is_analysed and (known.path is None or known.path.exists()):
            return known
        found = self.films().get(film) or self.films(anew=True).get(film)
        if found is None:
            raise refuse(404, "There is no such film in the folder; it may have been moved or renamed.")
        return found

    def playable(self, film: str) -> tuple[FilmFile, Path]:
        """Return a film and its path; 404 where only its results are in the folder."""
        found = self.film(film)
        if found.path is None:
            raise refuse(404, f"The film of {found.name} does not lie in {self.folder}. Move it there to see it.")
        return found, found.path

    def coded(self, film: str | FilmFile) -> Film:
        """Return a film with its timeline; 409 where it was not analysed."""
        found = self.film(film) if isinstance(film, str) else film
        if found.results is None or not found.is_analysed:
            raise refuse(409, f"{found.name} was not analysed yet.")
        key = (found.id, found.stamp)
        with self._lock:
            if key in self._timelines:
                self._timelines.move_to_end(key)
                return self._timelines[key]
        read = Film.open(found.results)
        with self._lock:
            self._timelines[key] = read
            while len(self._timelines) > KEPT:
                self._timelines.popitem(last=False)
        return read

    def place_for(self, film: FilmFile) -> Path:
        """Return the folder of a film's results, where there are none a free one."""
        if film.results is not None:
            return film.results
        path = film.path or self.folder / film.name
        (name,) = results.result_names([path])
        taken = {f.results.name.casefold() for f in self.films().values() if f.results is not None}
        free, number = name, 1
        while free.casefold() in taken or (self.output / free).exists():
            number += 1
            free = f"{name}_{number}"
        return self.output / free

    def _look(self) -> dict[str, FilmFile]:
        films: list[FilmFile] = []
        found: list[Path] = []
        self._walk(self.folder, films, found)
        films.sort(key=lambda f: _natural(f.name))
        placed, orphans = _matched(films, found)
        films = [replace(f, results=placed.get(f.id)) for f in films]
        films += [FilmFile(_id(f"results:{p}"), p.name, None, p) for p in orphans if (p / TIMELINE).is_file()]
        return {f.id: f for f in films}

    def _walk(self, folder: Path, films: list[FilmFile], found: list[Path]) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda e: e.name)
        except OSError:
            return
        entries = [e for e in entries if not e.name.startswith(".")]
        names = {e.name for e in entries}
        if folder != self.folder and (TIMELINE in names or results.RUN_NAME in names):
            if all(self._is_inside(Path(e.path)) for e in entries):
                found.append(folder)
            return
        files = [e for e in entries if self._is_file_inside(e)]
        videos = [e for e in files if Path(e.name).suffix.lower() in trouble.VIDEO_SUFFIXES]
        pictures = [e for e in files if Path(e.name).suffix.lower() in trouble.IMAGE_SUFFIXES]
        strangers = [e for e in entries if Path(e.name).suffix.lower() in trouble.IMAGE_SUFFIXES and e not in pictures]
        if not videos and not strangers and sum(bool(re.search(r"\d", e.name)) for e in pictures) > 1:
            films.append(self._film(folder))
        films += [self._film(Path(e.path)) for e in videos]
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                self._walk(Path(entry.path), films, found)

    def _film(self, path: Path) -> FilmFile:
        name = path.relative_to(self.folder).as_posix()
        return FilmFile(_id(name), path.name if name == "." else name, path)

    def _is_file_inside(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_file() and self._is_inside(Path(entry.path))
        except OSError:
            return False

    def _is_inside(self, path: Path) -> bool:
        return not path.is_symlink() or path.resolve().is_relative_to(self.folder)


def library_of(request: Request) -> Library:
    """Return the library of the application that was asked."""
    library: Library = request.app.state.films
    return library


LibraryOf = Annotated[Library, Depends(library_of)]


def _matched(films: list[FilmFile], found: Iterable[Path]) -> tuple[dict[str, Path], list[Path]]:
    """Results by id of their film, and results without one; of several the newest."""
    by_path = {f.path.resolve(): f for f in films if f.path is not None}
    placed: dict[str, Path] = {}
    orphans = []
    for folder in sorted(found, key=_age):
        run = results.read_run(folder)
        video = {} if run is None else run["video"]
        film = by_path.get(Path(video["path"])) if video else None
        if film is None:
            film = next((f for f in films if _is_of(f, folder, video)), None)
        if film is None:
            orphans.append(folder)
        else:
            placed[film.id] = folder
    return placed, orphans


def _is_of(film: FilmFile, folder: Path, video: dict[str, Any]) -> bool:
    if film.path is None:
        return False
    if video:
        try:
            return film.path.name == video.get("name") and film.path.stat().st_size == video.get("bytes")
        except OSError:
            return False
    stem = film.path.name if film.path.is_dir() else film.path.stem
    return results.portable(stem).casefold() == folder.name.casefold()


def _age(folder: Path) -> int:
    try:
        return (folder / TIMELINE).stat().st_mtime_ns
    except OSError:
        return 0


def _id(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:20]


def _natural(name: str) -> list[tuple[int, str]]:
    """Key that puts film 2 before film 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in re.split(r"(\d+)", name) if part]
