"""FER-2013: grey 48 x 48 faces with one of seven expressions, and a user's own pictures in folders by class.

Three layouts are read by `read`:

- ``.npz`` with ``webp`` (sheets of 48 x 48 tiles, lossless WebP, one after the other), ``offsets`` (where each sheet
  begins; the last entry is the end), ``emotion`` 0..6, and optionally ``usage`` (0 Training, 1 PublicTest,
  2 PrivateTest, or indices into ``usage_names``) and ``ferplus_votes``;
- the ``.csv`` of the challenge: ``emotion``, ``pixels`` (2304 numbers), ``Usage``;
- a folder ``[PART/]CLASS/picture``, such as ``train/happy/1.png``; pictures of any size, cropped tightly to the face.

Source: Goodfellow et al., "Challenges in representation learning", ICONIP 2013, section 3.1; the votes: Barsoum et al.,
"Training deep networks for facial expression recognition with crowd-sourced label distribution" (FER+), ICMI 2016.

Traps, repaired visibly by `training_rows`: 280 Training pictures are byte-identical to PublicTest pictures and are left
out of training; copies of one picture within Training (some with different labels) stay on one side of the validation
split, since the split is made by a hash of the pixels. Near copies (other crops of one photo) are not known; people are
not named at all, so no split by person is possible.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.datasets.tables import Table
from fleeting.errors import DataError
from fleeting.labels import SEVEN_CLASSES
from fleeting.reading import Arrays, reading
from fleeting.video.declared import decoded

log = logging.getLogger(__name__)

SIZE = 48
"""Height and width of a picture in pixels."""

TRAINING, PUBLIC_TEST, PRIVATE_TEST = "Training", "PublicTest", "PrivateTest"

VOTES: tuple[str, ...] = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "no face",
)  # fmt: skip
"""What FER+ voters could choose, in the order of the columns of the votes."""

WORDS: dict[str, str] = {
    **{name: name for name in SEVEN_CLASSES},
    "anger": "angry", "disgusted": "disgust", "fearful": "fear", "happiness": "happy", "sadness": "sad",
    "surprised": "surprise",
}  # fmt: skip
"""Folder names that are understood, in small letters, and the class that each stands for."""

PARTS: dict[str, str] = {
    "train": TRAINING, "training": TRAINING, "val": PUBLIC_TEST, "valid": PUBLIC_TEST, "validation": PUBLIC_TEST,
    "publictest": PUBLIC_TEST, "test": PRIVATE_TEST, "privatetest": PRIVATE_TEST,
}  # fmt: skip
"""Names of folders above the classes, in small letters, and the part of FER-2013 that each corresponds to."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".pgm", ".tif", ".tiff"})

_TO_SEVEN = [VOTES.index(v) for v in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")]


@dataclass(frozen=True, slots=True)
class FacePictures:
    """Labelled faces, one row per picture.

    Attributes
    ----------
    pictures
        (n, 48, 48) uint8 grey.
    label
        (n,) int64, index into `labels.SEVEN_CLASSES`.
    part
        (n,) text, ``Training``, ``PublicTest``, ``PrivateTest``, or empty where the source names none.
    name
        (n,) text, unique: the place in the file, or the path in the folder.
    votes
        (n, 10) float32, FER+ votes in the order of `VOTES`; None where there are none.
    """

    pictures: npt.NDArray[np.uint8]
    label: npt.NDArray[np.int64]
    part: npt.NDArray[np.str_]
    name: npt.NDArray[np.str_]
    votes: npt.NDArray[np.float32] | None = field(default=None)

    def __len__(self) -> int:
        return len(self.label)

    def select(self, rows: npt.NDArray[Any]) -> FacePictures:
        """Return the given rows (indices or a bool mask)."""
        votes = None if self.votes is None else self.votes[rows]
        return FacePictures(self.pictures[rows], self.label[rows], self.part[rows], self.name[rows], votes)


@dataclass(frozen=True, slots=True)
class TrainingSplit:
    """Rows of the Training part: `train` to fit on, `validation` to choose on, `dropped` for neither.

    Each is (k,) int64, indices into the rows that were split.
    """

    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]
    dropped: npt.NDArray[np.int64]


def read(path: str | Path) -> FacePictures:
    """Read labelled faces from an ``.npz`` file, the challenge's ``.csv``, or a folder by class.

    Raises
    ------
    DataError
        Where nothing can be read, an array or column is missing, a label is unknown, or a picture is damaged.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    hint = f"The layout of an .npz file has the arrays {', '.join(_NEEDED)}."
    with reading(path, "an .npz file, .csv file or folder of labelled faces", hint):
        return _read_csv(path) if path.suffix == ".csv" else _read_npz(path)


def digests(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.str_]:
    """Return (n,) text: the SHA-256 of each picture's (48, 48) pixels, as hexadecimal digits."""
    return np.array([hashlib.sha256(np.ascontiguousarray(p).tobytes()).hexdigest() for p in pictures], np.str_)


def training_rows(faces: FacePictures, *, validation_percent: int = 6) -> TrainingSplit:
    """Split the Training part by a hash of the pixels, without pictures that any other part holds too.

    Rows without a part count as Training. Nothing outside Training is ever among the rows to train or choose on.

    Parameters
    ----------
    faces
        All parts: those other than Training say which pictures must be left out.
    validation_percent
        Share of Training to choose on.

    Raises
    ------
    DataError
        Where one of the two sides has no picture.
    """
    digest = digests(faces.pictures)
    training = (faces.part == TRAINING) | (faces.part == "")
    dropped = training & np.isin(digest, digest[~training])
    place = np.array([int(d[:8], 16) % 100 for d in digest], np.int64)
    validation = training & ~dropped & (place < validation_percent)
    train = training & ~dropped & ~validation
    split = TrainingSplit(*(np.flatnonzero(rows) for rows in (train, validation, dropped)))
    if len(split.dropped):
        log.info("%d training pictures left out: they are byte-identical to test pictures", len(split.dropped))
    if not len(split.train) or not len(split.validation):
        raise DataError(
            "pictures to train on and to choose on",
            f"{len(split.train)} and {len(split.validation)} of {len(faces)}",
            "Give more pictures of the Training part.",
        )
    return split


def seven_of_votes(votes: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return FER+ votes (n, 10) as shares (n, 7) of `labels.SEVEN_CLASSES`.

    Contempt, unknown and "no face" have no class here and are left out; a row without any other vote is all zero.
    """
    seven = votes[:, _TO_SEVEN].astype(np.float32)
    total: npt.NDArray[np.float32] = seven.sum(1, keepdims=True)
    return np.where(total > 0, seven / np.maximum(total, 1), 0).astype(np.float32)


def _check_labels(label: npt.NDArray[Any], path: Path) -> npt.NDArray[np.int64]:
    if not len(label):
        raise DataError("at least one labelled picture", f"none in {path}", "Check the file.")
    if not np.isin(label, range(len(SEVEN_CLASSES))).all():
        codes = ", ".join(f"{i} {name}" for i, name in enumerate(SEVEN_CLASSES))
        raise DataError(f"labels {codes}", f"{sorted({int(c) for c in label})} in {path}", "Drop the other classes.")
    return label.astype(np.int64)


_NEEDED = ("webp", "offsets", "emotion")


def _read_npz(path: Path) -> FacePictures:
    with Arrays(path) as stored:
        missing = [key for key in _NEEDED if key not in stored]
        if missing:
            raise DataError(f"the arrays {', '.join(_NEEDED)}", f"{path} without {', '.join(missing)}", "Add them.")
        values = stored.all()
    label = _check_labels(values["emotion"], path)
    n = len(label)
    pictures = _tiles(values["webp"], values["offsets"], n, path)
    part = np.full(n, "", "<U11")
    if "usage" in values:
        names = values.get("usage_names", np.array([TRAINING, PUBLIC_TEST, PRIVATE_TEST]))
        part = names.astype("<U11")[values["usage"]]
    votes = values["ferplus_votes"].astype(np.float32) if "ferplus_votes" in values else None
    for name, rows in (("usage", part), ("ferplus_votes", votes)):
        if rows is not None and len(rows) != n:
            raise DataError(f"{n} entries in every array", f"{len(rows)} of {name} in {path}", "Check the file.")
    return FacePictures(pictures, label, part, np.arange(n).astype(np.str_), votes)


def _tiles(encoded: npt.NDArray[np.uint8], offsets: npt.NDArray[Any], count: int, path: Path) -> npt.NDArray[np.uint8]:
    """Decode the sheets and cut their tiles, row by row, up to `count`."""
    found: list[npt.NDArray[np.uint8]] = []
    for begin, end in zip(offsets[:-1], offsets[1:], strict=True):
        sheet = decoded(encoded[begin:end], cv2.IMREAD_GRAYSCALE)
        if sheet is None:
            raise DataError(f"sheets of pictures in {path}", "bytes that are no image", "Fetch the file again.")
        rows, columns = sheet.shape[0] // SIZE, sheet.shape[1] // SIZE
        cut = sheet[: rows * SIZE, : columns * SIZE].reshape(rows, SIZE, columns, SIZE).transpose(0, 2, 1, 3)
        found.append(cut.reshape(-1, SIZE, SIZE).astype(np.uint8, copy=False))
    have = sum(map(len, found))
    if have < count:
        raise DataError(f"{count} pictures in {path}", f"sheets that hold {have}", "Fetch the file again.")
    return np.concatenate(found)[:count]


def _read_csv(path: Path) -> FacePictures:
    table = Table.of_csv(path)
    table.require("emotion", "pixels", "Usage")
    codes, texts, part = ([r[name].strip() for r in table.records] for name in ("emotion", "pixels", "Usage"))
    strange = next((code for code in codes if not code.isdigit()), None)
    if strange is not None:
        raise DataError("numbers in the column emotion", f"'{strange}' in {path}", "Check the table.")
    label = _check_labels(np.array(codes, np.int64), path)
    rows = [np.array(text.split(), np.uint8) for text in texts]
    wrong = next((i for i, row in enumerate(rows) if len(row) != SIZE * SIZE), None)
    if wrong is not None:
        raise DataError(
            f"{SIZE * SIZE} pixels", f"{len(rows[wrong])} in row {table.numbers[wrong]} of {path}", "Mend the row."
        )
    names = np.arange(len(rows)).astype(np.str_)
    return FacePictures(np.stack(rows).reshape(-1, SIZE, SIZE), label, np.array(part, np.str_), names)


def _read_folder(folder: Path) -> FacePictures:
    pictures: list[npt.NDArray[np.uint8]] = []
    label: list[int] = []
    part: list[str] = []
    name: list[str] = []
    for file in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        above = file.relative_to(folder).parts[:-1]
        word = above[-1].lower() if above else ""
        if word not in WORDS:
            known = ", ".join(SEVEN_CLASSES)
            raise DataError(
                f"folders named after a class ({known})", f"'{word}' ({file})", "Rename or move the folder."
            )
        with reading(file, "a picture", "Remove or replace it."):
            grey = decoded(np.fromfile(file, np.uint8), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise DataError("a picture", f"{file}, which cannot be read", "Remove or replace it.")
        if grey.shape != (SIZE, SIZE):
            shrink = cv2.INTER_AREA if min(grey.shape) > SIZE else cv2.INTER_LINEAR
            grey = cv2.resize(grey, (SIZE, SIZE), interpolation=shrink)
        pictures.append(grey.astype(np.uint8, copy=False))
        label.append(SEVEN_CLASSES.index(WORDS[word]))
        part.append(PARTS.get(above[-2].lower(), "") if len(above) > 1 else "")
        name.append(file.relative_to(folder).as_posix())
    if not pictures:
        raise DataError(f"pictures in {folder}/[PART/]CLASS/", "none", "Make one folder per class.")
    return FacePictures(np.stack(pictures), np.array(label, np.int64), np.array(part), np.array(name))
