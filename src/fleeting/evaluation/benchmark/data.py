"""The clips of a benchmark: one or several data sets under names, in an order of their own."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.datasets import composite
from fleeting.datasets.folders import existing
from fleeting.datasets.load import Wanted, load_samples
from fleeting.datasets.people import spelled_alike
from fleeting.datasets.samples import Samples
from fleeting.errors import DataError, SettingsError
from fleeting.evaluation.benchmark.leakage import require_disjoint
from fleeting.reading import Arrays, reading

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
    held_out
        (n,) bool, True for data that was given to be tested on alone.
    """

    samples: Samples
    source: Text
    held_out: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def digest(self) -> str:
        """SHA-256 of all that a recogniser may learn from or is measured on: ids, labels, pixels."""
        found = hashlib.sha256(repr(self.samples.classes).encode())
        for name in ("clip", "subject", "dataset", "source_video", "label", "flow", "sequence"):
            found.update(name.encode() + _bytes(getattr(self.samples, name)))
        found.update(_bytes(self.source) + _bytes(self.held_out))
        if self.samples.action_units is not None:
            found.update(repr(self.samples.units).encode() + _bytes(self.samples.action_units))
        return found.hexdigest()


def _bytes(array: npt.NDArray[Any] | None) -> bytes:
    if array is None:
        return b"none"
    # Text arrays are as wide as their longest entry: what counts are the words.
    content = "\n".join(array.tolist()).encode() if array.dtype.kind == "U" else np.ascontiguousarray(array).tobytes()
    return f"{array.dtype.kind}{array.shape}".encode() + content


def benchmark_data(parts: Sequence[tuple[str, Samples]], *, held_out: Sequence[str] = ()) -> BenchmarkData:
    """Join data sets and sort their clips by id; a person in several spellings is one (`datasets.people`).

    Parameters
    ----------
    parts
        Name and clips of every data set.
    held_out
        Names of those that are only tested on.

    Raises
    ------
    DataError
        For nothing at all, a set without clips, sets with other classes or other arrays than the first, and a clip id
        that occurs twice.

    Warns
    -----
    FleetingWarning
        Where a person or a data set is spelled in several ways.
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
    clip, subject, dataset = (np.concatenate([getattr(s, n) for _, s in parts]) for n in ("clip", "subject", "dataset"))
    named = subject != clip  # of single pictures each stands for itself
    subject = subject.astype(object)
    subject[named] = spelled_alike(subject[named])
    joined = Samples(
        clip=clip,
        subject=subject.astype(np.str_),
        dataset=spelled_alike(dataset, what="data set"),
        label=np.concatenate([s.label for _, s in parts]),
        source_video=np.concatenate([s.source_video for _, s in parts]),
        classes=first.classes,
        flow=None if first.flow is None else np.concatenate([_array(s.flow) for _, s in parts]),
        sequence=None if first.sequence is None else np.concatenate([_array(s.sequence) for _, s in parts]),
        units=first.units,
        action_units=None if not first.units else np.concatenate([s.coded_units() for _, s in parts]),
    )
    source = np.concatenate([np.full(len(s), name) for name, s in parts])
    order = np.argsort(joined.clip, kind="stable")
    return BenchmarkData(joined.select(order), source[order], np.isin(source[order], list(held_out)))


def _array(array: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.uint8]:
    assert array is not None
    return array


def read_data(
    texts: Sequence[str],
    *,
    test: Sequence[str] = (),
    classes: int = 3,
    cache: str | Path | None = None,
    wanted: Wanted | None = None,
) -> BenchmarkData:
    """Read data sets that are given as ``NAME=PATH``.

    An ``.npz`` file of flow images (`datasets.composite`) is read as such under whatever name; all else as
    `datasets.load.load_samples` does. Where a name occurs twice, a number tells its sources apart.

    Parameters
    ----------
    texts
        What is trained on, and tested fold by fold unless `test` names data.
    test
        What is only tested on.
    classes
        Number of classes.
    cache
        Of ``fleeting prepare``.
    wanted
        Other labels than so many classes.

    Raises
    ------
    SettingsError
        For a text that is no ``NAME=PATH``, or a name that is unknown.
    DataError
        Where a data set cannot be used.
    LeakageError
        Where a clip is in both the training and the test data.
    """
    counts: Counter[str] = Counter()
    parts: list[tuple[str, Samples]] = []
    for text in (*texts, *test):
        name, path = _named_path(text)
        counts[name] += 1
        label = name if counts[name] == 1 else f"{name} {counts[name]}"
        parts.append((label, _read(text, path, wanted or Wanted(classes), cache=cache)))
    train, held_out = parts[: len(texts)], parts[len(texts) :]
    sides = [[str(clip) for _, s in side for clip in s.clip] for side in (train, held_out)]
    require_disjoint(*sides, what="clip", sides=("the training data", "the test data"))
    return benchmark_data(parts, held_out=[name for name, _ in held_out])


def _named_path(text: str) -> tuple[str, Path]:
    name, sign, path = (part.strip() for part in text.partition("="))
    if not (sign and name and path):
        raise SettingsError("data as NAME=PATH", repr(text), "Write for example --data casme2=/path/to/casme2.")
    return name, Path(path).expanduser()


def _read(text: str, path: Path, wanted: Wanted, *, cache: str | Path | None) -> Samples:
    existing(path)
    return load_samples(f"composite={path}" if _holds_flow_images(path) else text, wanted=wanted, cache=cache)


def _holds_flow_images(path: Path) -> bool:
    if path.suffix != ".npz":
        return False
    with reading(path, "a readable .npz file", "Fetch it again."), Arrays(path) as stored:
        return set(composite.FIELDS) <= set(stored.files)
