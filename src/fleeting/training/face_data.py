"""The picture sets that the face networks are trained on, read from a data folder.

Sets: ``landmarks68`` (face crops with 68 points), ``congress`` and ``interfaces`` (portraits), ``fer2013`` (tight grey
48x48 faces, a fixed quarter of its Training part).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import DataError
from fleeting.reading import Arrays, reading
from fleeting.video.declared import decoded

PICTURE_SETS = ("landmarks68", "congress", "interfaces", "fer2013")
FILES = {
    "landmarks68": "landmarks68.npz",
    "congress": "congress_portraits.zip",
    "interfaces": "interfaces_cc0_256.zip",
    "fer2013": "fer2013_training_publictest.npz",
}
FER_STEP = 4
"""Every fourth picture of FER-2013's Training part is read: enough low-resolution faces, at a quarter of the time."""

_AGAIN = "Fetch the file again."

Picture = npt.NDArray[np.uint8]


def _file(data: Path, name: str) -> Path:
    path = data / FILES[name]
    if not path.exists():
        raise DataError(f"the picture set '{name}'", f"no file {path}", "Check the data folder.")
    return path


def decode(jpeg: bytes | npt.NDArray[np.uint8]) -> Picture:
    """Decode a compressed picture to (h, w, 3) uint8 RGB.

    Raises
    ------
    DataError
        Where the bytes are no picture.
    """
    with reading(f"one of {len(jpeg)} bytes", "a JPEG, PNG or WebP picture", "The file is damaged: fetch it again."):
        picture: Picture | None = decoded(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise DataError(
            "a JPEG, PNG or WebP picture", f"{len(jpeg)} other bytes", "The file is damaged: fetch it again."
        )
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def grey_of(picture: Picture) -> Picture:
    """Return the (h, w) uint8 grey values of a (h, w, 3) RGB picture."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def person_of(source: str, name: str) -> str:
    """Id of the person of a picture of a set, as `people.part_of` expects it."""
    return name if source == "landmarks68" else f"{source}/{Path(name).stem}"


def read_zip(path: Path) -> Iterator[tuple[str, Picture]]:
    """Yield file name and (h, w, 3) uint8 RGB picture of every JPEG of an archive, in order of name."""
    with reading(path, "an archive of pictures", _AGAIN), zipfile.ZipFile(path) as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith(".jpg")):
            yield name, decode(archive.read(name))


def read_landmarks68(path: Path) -> Iterator[tuple[str, Picture]]:
    """Yield person and (h, w, 3) uint8 RGB crop, in the order of the file."""
    with reading(path, "a set of face crops", _AGAIN), Arrays(path) as stored:
        jpeg, offsets, person = stored["jpeg"], stored["offsets"], stored["person"]
    for i, name in enumerate(person):
        yield str(name), decode(jpeg[offsets[i] : offsets[i + 1]])


def read_fer2013(path: Path, *, step: int = FER_STEP) -> Iterator[tuple[str, Picture]]:
    """Yield index and (48, 48, 3) uint8 picture of every `step`-th Training picture of FER-2013."""
    with reading(path, "the file of FER-2013", _AGAIN), Arrays(path) as stored:
        webp, offsets, usage = stored["webp"], stored["offsets"], stored["usage"]
        training = list(stored["usage_names"]).index("Training")
    for sheet in range(len(offsets) - 1):
        tiles = decode(webp[offsets[sheet] : offsets[sheet + 1]])
        columns = tiles.shape[1] // 48
        for k in range(columns * (tiles.shape[0] // 48)):
            index = sheet * 1600 + k
            if index >= len(usage) or usage[index] != training or index % step:
                continue
            y, x = divmod(k, columns)
            yield str(index), np.ascontiguousarray(tiles[y * 48 : y * 48 + 48, x * 48 : x * 48 + 48])


def read_pictures(name: str, data: Path) -> Iterator[tuple[str, Picture]]:
    """Yield name and (h, w, 3) uint8 RGB picture of a set of `PICTURE_SETS`.

    Raises
    ------
    DataError
        Where the set's file is missing from the data folder.
    """
    path = _file(data, name)
    if name == "landmarks68":
        return read_landmarks68(path)
    if name == "fer2013":
        return read_fer2013(path)
    return read_zip(path)
