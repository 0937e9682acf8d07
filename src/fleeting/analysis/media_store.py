"""Pictures of many events without the memory of many pictures: they wait in a temporary file."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from fleeting.errors import OutputError
from fleeting.records import EventMedia


class MediaStore(Mapping[int, EventMedia]):
    """Pictures by place of the event in ``timeline.events``; each is read anew when it is asked for.

    May be read by several threads. An event has about 4 MB of pictures. The file has no name that would have to be
    removed: it is gone with the store.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="fleeting-")  # noqa: SIM115
        self._lock = threading.Lock()
        self._closing = weakref.finalize(self, self._file.close)
        self._places: dict[int, dict[str, Any]] = {}

    def add(self, place: int, media: EventMedia) -> None:
        """Keep the pictures of an event.

        Raises
        ------
        OutputError
            Where there is no room for temporary files.
        """
        entry: dict[str, Any] = {}
        try:
            self._file.seek(0, 2)
            for field in fields(EventMedia):
                value = getattr(media, field.name)
                if isinstance(value, np.ndarray):
                    entry[field.name] = (self._file.tell(), value.dtype, value.shape)
                    self._file.write(np.ascontiguousarray(value).tobytes())
                else:
                    entry[field.name] = value
            self._file.flush()
        except OSError as error:
            raise OutputError(
                "room for temporary files",
                f"{tempfile.gettempdir()} ({error.strerror})",
                "Free some space there, or set TMPDIR to another folder.",
            ) from error
        self._places[place] = entry

    def __getitem__(self, place: int) -> EventMedia:
        """Read the pictures of an event."""
        return EventMedia(**{name: self._value(value) for name, value in self._places[place].items()})

    def __iter__(self) -> Iterator[int]:
        """Places in the order in which they were added."""
        return iter(self._places)

    def __len__(self) -> int:
        """Count the events that have pictures."""
        return len(self._places)

    def _value(self, value: Any) -> Any:
        if not isinstance(value, tuple):
            return value
        start, dtype, shape = value
        with self._lock:
            self._file.seek(start)
            read = bytearray(self._file.read(dtype.itemsize * int(np.prod(shape))))
        return np.frombuffer(read, dtype).reshape(shape)
