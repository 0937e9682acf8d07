"""The one door through which files of others are read: whatever is wrong with one becomes an error that names it.

A file that was cut, mixed up or made to do harm fails in ways that no list of exceptions foresees (zlib, zipfile, the
tokenizer of numpy's headers, an XML parser, plain indexing). So everything that happens while such a file is read
happens within `reading`. What a file says of its own size is believed only as far as a limit, and before it is
unpacked: a few kilobytes of zip unpack to gigabytes.
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import DataError, FleetingError

LIMIT = "a table"
MOST_BYTES = 8 << 30
"""Size to which a table of a data set may unpack; its reader holds all of it."""

LONGEST_REASON = 160

_NAME_LENGTH, _LOCAL_HEADER = 26, 30
"""Of an entry of a zip archive: where the lengths of its name and its extra field stand, and where these begin."""


class TooLargeError(ValueError):
    """A file claims to unpack to more than is allowed; the message says how much and what allows more."""


@contextmanager
def reading(path: str | Path, what: str, hint: str, *, error: type[FleetingError] = DataError) -> Iterator[None]:
    """Read a file in this block; anything that it raises becomes an error of this package.

    Parameters
    ----------
    path
        The file.
    what
        What it should be, as a noun phrase ("a timeline file").
    hint
        What the user can do where it is damaged, as a sentence.
    error
        Class of the error.

    Raises
    ------
    FleetingError
        Of the given class; errors of this package pass as they are.
    """
    try:
        yield
    except FleetingError:
        raise
    except OSError as problem:
        # numpy says "Failed to interpret file" without a number: then it is the content.
        if problem.strerror is None:
            raise error(what, f"{path}, which is damaged ({_reason(problem)})", hint) from problem
        raise error(what, f"{path} ({problem.strerror})", "Check the path.") from problem
    except TooLargeError as problem:
        raise error(what, f"{path}, which {problem}", "Trust it before you raise that limit.") from problem
    except MemoryError as problem:
        raise error(what, f"{path}, which does not fit into the memory", hint) from problem
    except Exception as problem:  # the whole point: nobody knows what a damaged file makes of its reader
        raise error(what, f"{path}, which is damaged ({_reason(problem)})", hint) from problem


def _reason(problem: Exception) -> str:
    text = " ".join(str(problem).split()).rstrip(".")
    if len(text) > LONGEST_REASON:
        text = text[:LONGEST_REASON] + " ..."
    return f"{type(problem).__name__}: {text}" if text else type(problem).__name__


def check_size(name: str, size: int, most: int) -> None:
    """Refuse what would unpack to more than `most` bytes, by the size that it declares; call it within `reading`.

    Raises
    ------
    TooLargeError
        `name` says what allows more.
    """
    if size > most:
        raise TooLargeError(f"unpacks to {size / 1e6:.0f} MB, more than the {most / 1e6:.0f} MB of {name}")


def read_json(path: str | Path, *, most: int = MOST_BYTES, limit: str = LIMIT) -> Any:
    """Return the content of a JSON file of at most `most` bytes; call it within `reading`."""
    check_size(limit, Path(path).stat().st_size, most)
    return json.loads(Path(path).read_text(encoding="utf-8"))


def inflate(data: bytes, size: int) -> bytes:
    """Return the `size` bytes to which zlib data unpack; never more of them are made.

    Raises
    ------
    ValueError, zlib.error
        Where it is more or less, or no zlib data.
    """
    engine = zlib.decompressobj()
    raw = engine.decompress(data, size + 1)
    if len(raw) != size or engine.unconsumed_tail or not engine.eof:
        raise ValueError(f"{size} bytes were declared, and others are there")
    return raw


class Arrays:
    """A numpy archive whose arrays are read one by one, each after a look at what it declares.

    Parameters
    ----------
    path
        The ``.npz`` file; an ``.npy`` file is none.
    most, limit
        Bytes to which all arrays together may unpack, and what the user knows this limit by.

    Raises
    ------
    ValueError, zipfile.BadZipFile, OSError
        Use it within `reading`.
    """

    def __init__(self, path: str | Path, *, most: int = MOST_BYTES, limit: str = LIMIT) -> None:
        self._archive = zipfile.ZipFile(path)
        self._entries = {
            entry.filename.removesuffix(".npy"): entry
            for entry in self._archive.infolist()
            if entry.filename.endswith(".npy")
        }
        check_size(limit, sum(entry.file_size for entry in self._entries.values()), most)

    @property
    def files(self) -> list[str]:
        """Names of the arrays."""
        return list(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Read an array."""
        with self._archive.open(self._entries[name]) as file:
            shape, fortran, dtype = self._header(name, file)
            array = np.frombuffer(bytearray(file.read()), dtype)
        return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)

    def mapped(self, name: str) -> npt.NDArray[Any]:
        """Map an array, of which nothing is read yet; what is changed in it stays in memory."""
        entry = self._entries[name]
        with self._archive.open(entry) as file:
            shape, fortran, dtype = self._header(name, file)
            begins = file.tell()
        if entry.compress_type != zipfile.ZIP_STORED or 0 in shape:
            return self[name]
        path = self._archive.filename
        assert path is not None
        with open(path, "rb") as whole:
            whole.seek(entry.header_offset + _NAME_LENGTH)
            before = entry.header_offset + _LOCAL_HEADER + sum(struct.unpack("<HH", whole.read(4)))
        return np.memmap(path, dtype, "c", before + begins, shape, "F" if fortran else "C")

    def _header(self, name: str, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        """Read what an array declares, and make sure that it is there."""
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{name} has the layout {version}, which is not known")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype.hasobject:
            raise ValueError(f"{name} holds Python objects, which are not read")
        # numpy would make room for what the header claims before it finds that it is not there.
        size = self._entries[name].file_size
        if math.prod(map(int, shape)) * dtype.itemsize != size - file.tell():
            raise ValueError(f"{name} claims a shape of {shape}, and holds {size} bytes")
        return shape, fortran, dtype

    def all(self) -> dict[str, npt.NDArray[Any]]:
        """Read all of them."""
        return {name: self[name] for name in self._entries}

    def __enter__(self) -> Arrays:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()
