"""What is to be done: a job with an id made from its content, so that the same work has the same id everywhere."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fleeting.errors import InputError

Result = dict[str, Any]
"""What a job returns: plain values (None, bool, int, float, str, lists and dicts of them) and numpy arrays, by name."""

_TASK = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work that can be done apart from all others.

    Attributes
    ----------
    task
        What is done, in small letters, digits and hyphens (``fold``): part of the id and of the file of the result.
    content
        All that decides about the result, as plain values (None, bool, int, float, str, lists and dicts of them).
        What is large, such as pictures or a data set, enters as its `fingerprint`; the code as its
        `source_fingerprint`, where results made by other code must not count.
    name
        For people; not part of the id. The id where empty.
    """

    task: str
    content: Mapping[str, Any]
    name: str = ""

    def __post_init__(self) -> None:
        if not _TASK.fullmatch(self.task):
            raise InputError(
                "a task of small letters, digits and hyphens", repr(self.task), "Name it like 'fold' or 'flow-image'."
            )
        _ = self.id  # refuses content that is not plain

    @property
    def id(self) -> str:
        """``TASK-`` and 20 hexadecimal digits of the SHA-256 of task and content; the order of keys does not count."""
        digest = hashlib.sha256(f"{self.task}\n{plain_json(self.content)}".encode())
        return f"{self.task}-{digest.hexdigest()[:20]}"

    @property
    def label(self) -> str:
        """The name, or the id where there is none."""
        return self.name or self.id


def plain_json(value: Any) -> str:
    """Return the one JSON text of plain values.

    Raises
    ------
    InputError
        For anything else: a path, an array, a number that is not finite, a key that is not text.
    """
    _check_plain(value, "content")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=dict)


def _check_plain(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise InputError("text as every key", f"{key!r} in {where}", "Write it as text.")
            _check_plain(inner, f"{where}[{key!r}]")
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            _check_plain(inner, f"{where}[{place}]")
    # Not isinstance: numpy's float64 is a float, and its text differs between versions.
    elif not (value is None or type(value) in (bool, int, str) or (type(value) is float and np.isfinite(value))):
        raise InputError(
            "plain values (None, bool, int, finite float, str, lists and dicts of them)",
            f"{type(value).__name__} {value!r:.60} in {where}",
            "Turn it into one of them; give large data as its fingerprint.",
        )


def fingerprint(*parts: Any) -> str:
    """Return 40 hexadecimal digits of the SHA-256 of arrays (dtype, shape, values), bytes and plain values, in order.

    Raises
    ------
    InputError
        For anything else, and for arrays of Python objects.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            if part.dtype.hasobject:
                raise InputError("arrays of numbers or text", "an array of objects", "Give it another dtype.")
            head, body = f"array {part.dtype.str} {part.shape}", np.ascontiguousarray(part).tobytes()
        elif isinstance(part, bytes):
            head, body = "bytes", part
        else:
            head, body = "plain", plain_json(part).encode()
        # Lengths, so that parts cannot run into each other.
        digest.update(f"{head} {len(body)}\n".encode())
        digest.update(body)
    return digest.hexdigest()[:40]


def source_fingerprint(rooms: Sequence[str]) -> str:
    """Return the fingerprint of the source code of rooms of this package.

    Parameters
    ----------
    rooms
        Modules or packages below ``fleeting``, such as ``motion`` or ``motion.flow``.

    Raises
    ------
    InputError
        For a room that there is not.
    """
    return _source_fingerprint(tuple(rooms))


@lru_cache
def package_fingerprint() -> str:
    """Return the fingerprint of all source code of this package."""
    rooms = [p.stem for p in _ROOT.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()]
    return _source_fingerprint(tuple(sorted(rooms)))


@lru_cache
def _source_fingerprint(rooms: tuple[str, ...]) -> str:
    parts: list[Any] = []
    for room in rooms:
        place = _ROOT.joinpath(*room.split("."))
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
        if not all(f.is_file() for f in files) or not files:
            raise InputError("a module or package below fleeting", repr(room), "Name it like 'motion.flow'.")
        for file in files:
            parts += [file.relative_to(_ROOT).as_posix(), file.read_bytes()]
    return fingerprint(*parts)
