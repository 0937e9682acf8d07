"""Writing files whole or not at all.

A result is written beside its place under another name, flushed to the disk, and then renamed: a reader never sees half
a file, and a stopped run leaves the former file as it was. Trouble with the disk becomes `OutputError` in plain words.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from fleeting.errors import MissingExtraError, OutputError

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
