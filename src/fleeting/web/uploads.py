"""A film that is sent by the page: streamed into the folder, checked, and given a name that is free.

The body is read part by part, never into memory or the system's temporary folder. Neither its name nor its type is
believed: the name is made portable, and a film is what can be opened as one.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from fleeting.errors import FleetingError
from fleeting.files import output_error
from fleeting.results import portable
from fleeting.video import trouble
from fleeting.video.reader import open_video
from fleeting.web.refusals import refuse

OVERHEAD = 100_000
"""Bytes that the borders and headers of a form may add."""

LONGEST = 150
"""Characters of a name that are kept."""


async def receive(
    request: Request, folder: Path, *, limit: int, suffixes: frozenset[str] | None = None
) -> tuple[Path, str]:
    """Take the ``file`` of a form into a hidden file of a folder, and return its path and its name.

    Nothing is left where it is refused.

    Parameters
    ----------
    request
        With a body of ``multipart/form-data``.
    folder
        Where the file goes.
    limit
        Most bytes, of the declared length and of the real one.
    suffixes
        That a name may have; any where None.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit + OVERHEAD:
        raise _too_long(limit)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise refuse(415, "Expected a form with a file (multipart/form-data).")
    folder.mkdir(parents=True, exist_ok=True)
    sink = _Sink(folder, limit, suffixes)
    try:
        parser = MultipartParser(options[b"boundary"], sink.callbacks())
        async for chunk in request.stream():
            await run_in_threadpool(parser.write, chunk)
        parser.finalize()
        if sink.path is None or not sink.whole:
            raise refuse(400, "Expected a file named 'file' in the form; none, or half of one, came.")
        await run_in_threadpool(sink.close)
    except FormParserError as error:
        sink.drop()
        raise refuse(400, f"Expected a form that can be read; got a damaged one ({error}).") from error
    except OSError as error:
        sink.drop()
        raise output_error(folder, error) from error
    except (Exception, ClientDisconnect):
        sink.drop()
        raise
    return sink.path, sink.name


def settle(received: Path, folder: Path, name: str) -> Path:
    """Give a received film a free name in a folder, where it can be opened as a film; else it is removed.

    Raises
    ------
    VideoError
        Where it is none.
    """
    try:
        open_video(received).close()
        return _placed(received, folder, name)
    except FleetingError as error:
        text = str(error).replace(str(received), name).replace(received.name, name)
        raise refuse(422, text) from error
    finally:
        received.unlink(missing_ok=True)


def clean_name(name: str) -> str:
    """Return the name of a file without folders, leading dots, and what some system refuses in a name."""
    last = re.split(r"[/\\]", name)[-1].strip().lstrip(".")
    stem, dot, suffix = last.rpartition(".")
    stem, suffix = (stem, portable(dot + suffix)) if dot else (last, "")
    return portable(stem[: max(LONGEST - len(suffix), 1)] or "film") + suffix


def _placed(received: Path, folder: Path, name: str) -> Path:
    stem, suffix = os.path.splitext(name)
    number = 1
    while True:
        target = folder / (name if number == 1 else f"{stem} ({number}){suffix}")
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))  # never over another file
        except FileExistsError:
            number += 1
            continue
        except OSError as error:
            raise output_error(target, error) from error
        os.replace(received, target)
        return target


class _Sink:
    """Writes the part called ``file``, and passes over the others."""

    def __init__(self, folder: Path, limit: int, suffixes: frozenset[str] | None) -> None:
        self._folder, self._limit, self._suffixes = folder, limit, suffixes
        self.path: Path | None = None
        self.name = ""
        self.whole = False
        self._file: Any = None
        self._length = 0
        self._field, self._value = b"", b""
        self._disposition = b""

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def drop(self) -> None:
        if self._file is not None:
            self._file.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _begin(self) -> None:
        self._field, self._value, self._disposition = b"", b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != b"file" or self.path is not None:
            return
        self.name = clean_name(options.get(b"filename", b"").decode("utf-8", "replace"))
        suffix = os.path.splitext(self.name)[1].lower()
        if self._suffixes is not None and suffix not in self._suffixes:
            raise refuse(415, f"Expected a film ({', '.join(sorted(self._suffixes))}); got '{self.name}'.")
        self.path = self._folder / f".fleeting-upload-{secrets.token_hex(8)}{suffix}"
        self._file = self.path.open("xb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._length += end - start
        if self._length > self._limit:
            raise _too_long(self._limit)
        if self._file is not None and not self.whole:
            self._file.write(data[start:end])

    def _end(self) -> None:
        self.whole = self.whole or self._file is not None


FILMS = frozenset(trouble.VIDEO_SUFFIXES)


def _too_long(limit: int) -> Exception:
    return refuse(413, f"Expected a film of at most {limit / 1e9:.3g} GB; put longer ones into the folder yourself.")
