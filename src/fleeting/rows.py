"""What grows with a film lies on the disk: rows, read a window at a time or mapped, and things that are read singly.

The files have no name that anybody sees, and end with the program. What is few rows long never becomes a file.
"""

from __future__ import annotations

import pickle
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt

from fleeting.files import output_error

T = TypeVar("T")
WAITING_BYTES = 256 << 10
"""So much waits in memory until it is written."""


class Rows:
    """Rows of one kind; threads may share them.

    Parameters
    ----------
    dtype
        Of a row; one with a shape of its own makes arrays of that many more axes.
    folder
        Where the file is; that of temporary files where None.

    Raises
    ------
    OutputError
        From every method, where the disk refuses.
    """

    def __init__(self, dtype: npt.DTypeLike, *, folder: Path | None = None) -> None:
        self.dtype = np.dtype(dtype)
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._written = self._count = 0
        self._waiting = np.zeros(max(1, WAITING_BYTES // self.dtype.itemsize), self.dtype)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._written + self._count

    def append(self, row: Any) -> None:
        """Add a row."""
        with self._lock:
            self._waiting[self._count] = row
            self._count += 1
            if self._count == len(self._waiting):
                self._write()

    def extend(self, rows: npt.NDArray[Any]) -> None:
        """Add several rows."""
        with self._lock:
            while len(rows):
                taken = rows[: len(self._waiting) - self._count]
                self._waiting[self._count : self._count + len(taken)] = taken
                self._count += len(taken)
                rows = rows[len(taken) :]
                if self._count == len(self._waiting):
                    self._write()

    def __getitem__(self, window: slice) -> npt.NDArray[Any]:
        """Return a copy of the rows of a window; the step is 1."""
        first, stop, _ = window.indices(len(self))
        with self._lock:
            parts = []
            if first < min(stop, self._written):
                # Mapped for this moment only: what stays mapped counts as memory of the process.
                parts.append(np.array(self._map(first, min(stop, self._written) - first)))
            if stop > self._written:
                parts.append(self._waiting[max(first - self._written, 0) : stop - self._written].copy())
        return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else self._waiting[:0].copy()

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return one field of all rows."""
        step = 4 * len(self._waiting)
        return np.concatenate([self[i : i + step][name] for i in range(0, max(len(self), 1), step)])

    def cut(self, length: int) -> npt.NDArray[Any]:
        """Forget all rows from there on, and return them."""
        gone = self[length:]
        with self._lock:
            if length < self._written:
                assert self._file is not None
                self._written, self._count = length, 0
                self._file.truncate(length * self.dtype.itemsize)
                self._file.seek(0, 2)
            else:
                self._count = length - self._written
        return gone

    def array(self) -> npt.NDArray[Any]:
        """Return all rows as one array: mapped where they are on the disk. No row may be added afterwards."""
        with self._lock:
            if self._file is None:
                return self._waiting[: self._count].copy()
            if self._count:
                self._write()
            return self._map(0, self._written, "r+")

    def _map(self, first: int, count: int, mode: Any = "r") -> npt.NDArray[Any]:
        kind = self.dtype.base
        return np.memmap(self._file, kind, mode, first * self.dtype.itemsize, (count, *self.dtype.shape))  # type: ignore[arg-type]

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file = _nameless(self, self._folder)
            self._file.seek(0, 2)
            self._file.write(self._waiting[: self._count].tobytes())
        except OSError as error:
            raise output_error(self._folder or tempfile.gettempdir(), error) from error
        self._written += self._count
        self._count = 0


class Shelf(Mapping[int, T]):
    """Things of any kind by number, each on the disk until it is asked for; threads may share them.

    Parameters
    ----------
    folder
        Where the file is; that of temporary files where None.

    Raises
    ------
    OutputError
        From `put`, where the disk refuses.
    """

    def __init__(self, *, folder: Path | None = None) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._places: dict[int, int] = {}
        self._lock = threading.Lock()

    def put(self, number: int, thing: T) -> None:
        """Keep a thing under a number that is new."""
        data = pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            try:
                self._file = self._file or _nameless(self, self._folder)
                self._places[number] = self._file.seek(0, 2)
                self._file.write(data)
            except OSError as error:
                raise output_error(self._folder or tempfile.gettempdir(), error) from error

    def __getitem__(self, number: int) -> T:
        with self._lock:
            place = self._places[number]
            assert self._file is not None
            self._file.seek(place)
            thing: T = pickle.load(self._file)  # nobody else can write there
        return thing

    def __contains__(self, number: object) -> bool:
        return number in self._places

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._places))

    def __len__(self) -> int:
        return len(self._places)


def _nameless(owner: object, folder: Path | None) -> IO[bytes]:
    file = tempfile.TemporaryFile(dir=folder, prefix=".fleeting-", buffering=0)  # noqa: SIM115
    weakref.finalize(owner, file.close)
    return file
