"""Writing files whole or not at all, and by one run at a time.

A result is written beside its place under another name, flushed to the disk, and then renamed: a reader never sees half
a file, and a stopped run leaves the former file as it was. Trouble with the disk becomes `OutputError` in plain words.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import platform
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock, Timeout

from fleeting.errors import MissingExtraError, OutputError

CLAIM_S = 0.3
"""How long a run waits for a lock: the one before may be just about to let it go."""

_HINTS = {
    errno.EACCES: ("no permission to write there", "Choose another --out, or change the folder's permissions."),
    errno.EPERM: ("no permission to write there", "Choose another --out, or change the folder's permissions."),
    errno.EROFS: ("a disk that can only be read", "Choose an --out on a disk that can be written."),
    errno.ENOSPC: ("a full disk", "Free some space, or choose an --out on another disk."),
    errno.EDQUOT: ("a full disk quota", "Free some space, or choose an --out on another disk."),
    errno.ENOTDIR: ("a file where a folder is needed", "Choose another --out, or move that file away."),
    errno.EEXIST: ("a file where a folder is needed", "Choose another --out, or move that file away."),
    errno.EISDIR: ("a folder of that name", "Choose another --out, or move that folder away."),
    errno.ENAMETOOLONG: ("a name that the disk finds too long", "Choose a shorter name."),
}


def output_error(path: str | Path, error: OSError) -> OutputError:
    """Say in plain words why `path` could not be written."""
    got, hint = _HINTS.get(error.errno or 0, (error.strerror or str(error), "Choose another --out."))
    return OutputError(f"to be able to write {path}", got, hint)


def make_folder(path: str | Path) -> Path:
    """Make a folder with its parents, and return it.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    return folder


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and put what was written there in its place when the block ends well.

    The temporary path has the suffix of `path`, since some writers choose their format by it. When the block raises,
    the temporary file is removed and an existing `path` stays as it was. Missing parent folders are made.

    Raises
    ------
    OutputError
        Where the disk refuses. An `OSError` of the block that names another file passes unchanged: it is no trouble
        with the output.
    """
    target = Path(path)
    make_folder(target.parent)
    # Not tempfile.mkstemp: it makes files that only their owner may read, and results are to be shared.
    temporary = target.parent / f".fleeting-{secrets.token_hex(8)}{target.suffix}"
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        yield temporary
        _flush(temporary)
        os.replace(temporary, target)
        _flush_folder(target.parent)
    except OSError as error:
        if error.filename is None or Path(os.fsdecode(error.filename)) in (temporary, target, target.parent):
            raise output_error(target, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, data: bytes) -> Path:
    """Write a file of bytes, whole or not at all; return its path.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def write_text(path: str | Path, text: str) -> Path:
    r"""Write a UTF-8 text file with ``\n`` line ends, whole or not at all; return its path.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    return write_bytes(path, text.encode("utf-8"))


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""Return a table as csv with ``\n`` line ends; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


@contextmanager
def claimed(place: Path, lock_path: Path) -> Iterator[None]:
    """Keep other runs away from a place while the block lasts.

    The lock is the system's, so that of a run that was killed is free. Its file says who works there and since when; it
    is gone when nobody does.

    Parameters
    ----------
    place
        What is to be this run's alone, for the message.
    lock_path
        The file of the lock; its folder is made where it is missing.

    Raises
    ------
    OutputError
        Where another run is at work there, or the disk refuses.
    """
    make_folder(lock_path.parent)
    lock = FileLock(lock_path)
    try:
        lock.acquire(timeout=CLAIM_S)
    except Timeout as error:
        raise OutputError(
            f"{place} for this run alone",
            f"another run that is at work there{_holder(lock_path)}",
            "Wait for its end, or choose another --out.",
        ) from error
    except OSError as error:
        raise output_error(lock_path, error) from error
    try:
        me = {"process": os.getpid(), "machine": platform.node(), "since": datetime.now().isoformat(" ", "seconds")}
        with suppress(OSError):  # not every system lets a locked file be written
            lock_path.write_text(json.dumps(me) + "\n", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            lock_path.unlink()  # while it is held: who opened it meanwhile sees that it has no name, and begins anew
        lock.release()


def _holder(lock_path: Path) -> str:
    try:
        said = json.loads(lock_path.read_text(encoding="utf-8"))
        return f" (process {said['process']} on {said['machine']}, since {said['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def printable(text: str) -> str:
    """Return text that every format can hold: control characters and halves of characters become U+FFFD.

    A file may have any name; XML 1.0 ("Characters") allows only some, and UTF-8 no halves.
    """
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def cell_text(text: str) -> str:
    """Return text as a table cell that a spreadsheet takes for text: a name like ``=1+1`` must not be computed.

    `from_cell` gives it back.
    """
    text = printable(text)
    if not _FORMULA.match(text):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def from_cell(cell: str) -> str:
    """Return the text of which `cell_text` made a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


_FORMULA = re.compile("'*[=+@-]")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the rename itself last through a power cut; not every system can open a folder."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def parquet_installed() -> bool:
    """Whether parquet files can be written and read."""
    return find_spec("pyarrow") is not None


def require_parquet() -> None:
    """Raise MissingExtraError where parquet files can be neither written nor read."""
    if not parquet_installed():
        raise MissingExtraError("parquet", "parquet files")


def require_pandas(needed_for: str) -> None:
    """Raise MissingExtraError where pandas is not installed."""
    if find_spec("pandas") is None:
        raise MissingExtraError("tables", needed_for)
