"""The clips of a benchmark: one or several data sets under names, in an order of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.datasets import composite
from fleeting.datasets.samples import Samples, from_flow_images
from fleeting.errors import DataError, SettingsError

Text = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class BenchmarkData:
    """Clips sorted by their id, so that the order in a file or a manifest changes nothing.

    Attributes
    ----------
    samples
        All clips.
    source
        (n,) name under which each clip's data was given (``NAME=PATH``); `Samples.dataset` may be finer, since one
        file can hold several data sets.
    """

    samples: Samples
    source: Text

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def digest(self) -> str:
        """SHA-256 of all that a recogniser may learn from or is measured on: ids, labels, pixels."""
        found = hashlib.sha256(repr(self.samples.classes).encode())
        for name in ("clip", "subject", "dataset", "source_video", "label", "flow", "sequence"):
            found.update(name.encode() + _bytes(getattr(self.samples, name)))
        found.update(_bytes(self.source))
        return found.hexdigest()


def _bytes(array: npt.NDArray[Any] | None) -> bytes:
    if array is None:
        return b"none"
    # Text arrays are as wide as their longest entry: what counts are the words.
    content = "\n".join(array.tolist()).encode() if array.dtype.kind == "U" else np.ascontiguousarray(array).tobytes()
    return f"{array.dtype.kind}{array.shape}".encode() + content


def benchmark_data(parts: Sequence[tuple[str, Samples]]) -> BenchmarkData:
    """Join data sets and sort their clips by id.

    Parameters
    ----------
    parts
        Name and clips of every data set.

    Raises
    ------
    DataError
        For nothing at all, a set without clips, sets with other classes or other arrays than the first, and a clip id
        that occurs twice.
    """
    if not parts:
        raise DataError("at least one data set", "none", "Name one with --data NAME=PATH.")
    first = parts[0][1]
    for name, samples in parts:
        if not len(samples):
            raise DataError("clips in every data set", f"'{name}' without any", "Check the path and the classes.")
        if samples.classes != first.classes:
            raise DataError(
                f"the same classes in all data sets ({', '.join(first.classes)})",
                f"{', '.join(samples.classes)} in '{name}'",
                "Choose one scheme with --classes.",
            )
        for array in ("flow", "sequence"):
            mine, others = (getattr(s, array) for s in (samples, first))
            if (mine is None) != (others is None) or (mine is not None and mine.shape[1:] != others.shape[1:]):
                raise DataError(
                    f"the same kind of '{array}' in all data sets", f"another in '{name}'", "Prepare all sets alike."
                )
    joined = Samples(
        **{n: np.concatenate([getattr(s, n) for _, s in parts]) for n in ("clip", "subject", "dataset", "label")},
        source_video=np.concatenate([s.source_video for _, s in parts]),
        classes=first.classes,
        flow=None if first.flow is None else np.concatenate([_array(s.flow) for _, s in parts]),
        sequence=None if first.sequence is None else np.concatenate([_array(s.sequence) for _, s in parts]),
    )
    source = np.concatenate([np.full(len(s), name) for name, s in parts])
    order = np.argsort(joined.clip, kind="stable")
    return BenchmarkData(joined.select(order), source[order])


def _array(array: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.uint8]:
    assert array is not None
    return array


def named_path(text: str) -> tuple[str, Path]:
    """Take ``NAME=PATH`` apart.

    Raises
    ------
    SettingsError
        Where the name or the path is missing.
    """
    name, sign, path = text.partition("=")
    if not (sign and name.strip() and path.strip()):
        raise SettingsError("data as NAME=PATH", repr(text), "Write for example --data casme2=/path/to/casme2.")
    return name.strip(), Path(path.strip()).expanduser()


def read_data(texts: Sequence[str]) -> BenchmarkData:
    """Read data sets that are given as ``NAME=PATH``.

    Raises
    ------
    SettingsError
        For a text that is none, or a name that is given twice.
    DataError
        Where a data set cannot be used.
    """
    named = [named_path(text) for text in texts]
    names = [name for name, _ in named]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SettingsError("every name once", f"'{min(twice)}' twice", "Give each data set a name of its own.")
    return benchmark_data([(name, _read(path)) for name, path in named])


def _read(path: Path) -> Samples:
    if not path.exists():
        raise DataError("a data set", f"no {path}", "Check the path.")
    return from_flow_images(composite.read(path))
