"""Names of coders, and the films of a folder of results.

A coder's name is the name of a file, on every system: letters, digits, blanks, ``_``, ``-``, ``.`` and ``'``. Names
that differ only in their case, or in how an accent is stored, are one coder. ``machine`` is what the analysis found;
``consensus`` is a coder like any other.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from fleeting.errors import DataError, InputError
from fleeting.results import CODING, portable
from fleeting.settings import nearest

MACHINE = "machine"
CONSENSUS = "consensus"
TIMELINE = "timeline.json"
SUFFIX = ".jsonl"
LONGEST = 60


def coder_key(name: str) -> str:
    """Return the stem of a coder's file.

    Raises
    ------
    InputError
        For a name that some system would not take as the name of a file, and for that of the machine.
    """
    key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())
    sound = re.fullmatch(r"\w[\w .'-]*", key) and portable(key) == key and len(key.encode()) <= LONGEST
    if not sound:
        raise InputError(
            f"a coder's name of letters, digits, blanks and - _ . ' (at most {LONGEST} bytes)",
            repr(name),
            "Choose another name.",
        )
    if key == MACHINE:
        raise InputError("a person's name", f"'{name}', which stands for the analysis", "Choose another name.")
    return key


def log_path(folder: Path, coder: str) -> Path:
    """Return the path of a coder's log in a film's folder of results."""
    return folder / CODING / f"{coder_key(coder)}{SUFFIX}"


def coders_of(folder: Path) -> tuple[str, ...]:
    """Return the coders of a film, in alphabetical order; files that no coder can have are passed over."""
    found = []
    for path in sorted((folder / CODING).glob(f"*{SUFFIX}")):
        try:
            sound = coder_key(path.stem) == path.stem
        except InputError:
            continue
        if sound:
            found.append(path.stem)
    return tuple(found)


def films_in(results: str | Path) -> list[Path]:
    """Return the films' folders: `results` itself where it is one, else those right below it, in order of their names.

    Raises
    ------
    DataError
        Where there is none.
    """
    folder = Path(results)
    if (folder / TIMELINE).is_file():
        return [folder]
    found = [p.parent for p in sorted(folder.glob(f"*/{TIMELINE}")) if not p.parent.name.startswith(".")]
    if not found:
        raise DataError(
            f"a folder of results (with {TIMELINE}), or a folder of such folders",
            f"{folder}, which is neither",
            "Give the folder that 'fleeting analyse' has written.",
        )
    return found


def unknown_coder(name: str, folder: Path, known: tuple[str, ...]) -> InputError:
    """Return the error for a coder who has coded nothing there."""
    hint = nearest(name, (*known, MACHINE)) if known else "No coder has worked there yet."
    return InputError(f"a coder with a log in {folder}", f"'{name}'", hint)
