"""Where a data set lies on disk: its table, and the folders of its frames, however they were unpacked."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from pathlib import Path

from fleeting.errors import DataError
from fleeting.video.trouble import VIDEO_SUFFIXES

DEPTH = 3
"""How far below the given folder tables and frames are looked for."""


def existing(path: str | Path) -> Path:
    """Return the path.

    Raises
    ------
    DataError
        Where there is nothing.
    """
    path = Path(path).expanduser()
    if not path.exists():
        missing = next(p for p in (*reversed(path.parents), path) if not p.exists())
        raise DataError("the folder or the table of a data set", f"{missing}, which does not exist", "Check the path.")
    return path


def find_table(path: str | Path, patterns: Sequence[str]) -> Path:
    """Return the table itself, or the one in the folder whose name fits the first pattern that any fits.

    Of several versions (``coding-20140508``, ``coding-20190701``) the last by name is taken; the manifest says which.

    Parameters
    ----------
    path
        A file, or a folder.
    patterns
        Names as ``*.xlsx``, compared without case, the most wanted first.

    Raises
    ------
    DataError
        Where there is none.
    """
    path = existing(path)
    if path.is_file():
        return path
    # Spreadsheet programs leave such files beside an open table.
    files = [f for f in _files(path) if not f.name.startswith(("~$", "."))]
    for pattern in patterns:
        fitting = [f for f in files if fnmatch.fnmatchcase(f.name.lower(), pattern.lower())]
        if fitting:
            nearest = min(len(f.parts) for f in fitting)
            return max((f for f in fitting if len(f.parts) == nearest), key=lambda f: f.name.lower())
    names = ", ".join(patterns)
    raise DataError(f"a table ({names}) in {path}", "none", "Put the annotations there, or give the path of the table.")


def root_of(path: str | Path) -> Path:
    """Return the folder in which frames are looked for: the one given, or that of the table given."""
    path = Path(path).expanduser()
    return path if path.is_dir() else path.parent


def _files(folder: Path) -> list[Path]:
    """Files at the top and in folders that hold few entries: folders of frames are not listed for tables."""
    found: list[Path] = []
    level = [folder]
    for _ in range(DEPTH):
        below: list[Path] = []
        for place in level:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_dir():
                        below.append(Path(entry.path))
                    else:
                        found.append(Path(entry.path))
        # A folder per person or clip is no place for a table.
        level = below if len(below) <= 24 else []
    return sorted(found)


class FrameFolders:
    """Finds folders by their last names, without case, at most `DEPTH` below a root.

    Parameters
    ----------
    root
        Where to look.
    prefer
        Words that the path should have where several folders fit (``raw`` before ``cropped``).
    """

    def __init__(self, root: Path, *, prefer: Sequence[str] = ("raw",)) -> None:
        self.root = root
        self._prefer = prefer
        self._listings: dict[Path, dict[str, Path]] = {}
        self._folders: dict[Path, list[Path]] = {}
        self._bases: dict[str, tuple[Path, ...]] = {}

    def find(self, *parts: str, prefix: bool = False) -> Path:
        """Return the folder or file with these last names; where there is none, the path at which it was expected.

        Parameters
        ----------
        parts
            Names, the outermost first.
        prefix
            Whether the last name need only begin like this.
        """
        bases = self._base(parts[0])
        for base in bases:
            found = self._below(base, parts, prefix=prefix)
            if found is not None:
                return found
        return (bases[0] if bases else self.root).joinpath(*parts)

    def first(self, *options: Sequence[str], prefix: bool = False) -> Path:
        """Return the first of several places that exists; where none does, the first as `find` expects it."""
        places = [self.find(*parts, prefix=prefix) for parts in options]
        return next((p for p in places if p.exists()), places[0])

    def _below(self, base: Path, parts: Sequence[str], *, prefix: bool) -> Path | None:
        here = base
        for place, part in enumerate(parts):
            names = self._names(here)
            key = part.lower()
            if prefix and place == len(parts) - 1:
                key = min((n for n in names if n.startswith(key)), default=key)
            if key not in names:
                return None
            here = names[key]
        return here

    def _base(self, first: str) -> tuple[Path, ...]:
        """Folders with an entry of this name, the preferred and the outermost first."""
        key = first.lower()
        if key not in self._bases:
            found: list[Path] = []
            level = [self.root]
            for _ in range(DEPTH):
                found += [p for p in level if key in self._names(p)]
                hopeful = [p for p in level if p not in found]
                level = [q for p in hopeful for q in self._folders[p]]
            self._bases[key] = tuple(sorted(found, key=self._rank))
        return self._bases[key]

    def _rank(self, path: Path) -> tuple[bool, int, str]:
        below = path.relative_to(self.root).as_posix().lower()
        return (not any(word in below for word in self._prefer), len(path.parts), below)

    def _names(self, folder: Path) -> dict[str, Path]:
        if folder not in self._listings:
            try:
                with os.scandir(folder) as listed:
                    entries = sorted(listed, key=lambda e: e.name, reverse=True)
            except OSError:
                entries = []
            names = {e.name.lower(): Path(e.path) for e in entries}
            # A film may be a video file of the name that its folder of frames would have.
            films = [p for p in names.values() if p.suffix.lower() in VIDEO_SUFFIXES]
            self._listings[folder] = {p.stem.lower(): p for p in films} | names
            self._folders[folder] = [Path(e.path) for e in entries if e.is_dir()]
        return self._listings[folder]
