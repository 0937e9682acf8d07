"""``media.npz``: the pictures of the events, so that a report can be built again without the video.

A numpy archive without pickles. For event 3 of the timeline it holds ``3/onset``, ``3/apex``, ``3/offset``,
``3/movement``, ``3/loop`` and ``3/face`` (bytes of WebP files, those of the report; none where there is no such
picture), ``3/arrows`` and ``3/expression`` (text), ``3/outlines`` (texts) and ``3/numbers`` (the other fields of
`records.EventMedia`, in their order). ``faces/2`` is a picture of face 2 (bytes of a lossless WebP file). Former
files hold ``places/2`` too, `records.Signals.place` of it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.analysis.pictures import Views, compressed, webp
from fleeting.export.curves_file import add_array
from fleeting.export.timeline_json import UNPACKED
from fleeting.files import atomic_path
from fleeting.reading import Arrays, reading
from fleeting.records import EventMedia
from fleeting.settings import LimitSettings
from fleeting.video.declared import decoded

T = TypeVar("T")
PICTURE_LIMITS = LimitSettings(picture_mpx=4)
MOST_LOOP = 1000
"""Far more than the report's pictures ever have."""
LOSSLESS = 101  # OpenCV: above 100 WebP is written without loss
FORMER_QUALITY, FORMER_FLOW_SCALE = 78, 256.0

FACES, PLACES = "faces", "places"
PICTURES = ("onset", "apex", "offset", "movement", "loop", "face")
TEXTS = ("arrows", "expression")
OUTLINES = "outlines"
NUMBERS = tuple(f.name for f in fields(EventMedia) if f.name not in (*PICTURES, *TEXTS, OUTLINES))
COUNTS = ("columns", "count", "width", "height")


def write_media(
    media: Mapping[int, EventMedia],
    path: str | Path,
    *,
    faces: Mapping[int, npt.NDArray[np.uint8]] | None = None,
) -> Path:
    """Write the pictures of events, and by the id of each face its picture (h, w, 3) RGB.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    # Pictures are compressed already.
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for index, one in media.items():
            for name in PICTURES:
                add_array(archive, f"{index}/{name}", np.frombuffer(getattr(one, name), np.uint8))
            for name in TEXTS:
                add_array(archive, f"{index}/{name}", np.array(getattr(one, name)))
            add_array(archive, f"{index}/{OUTLINES}", np.array(one.outlines, np.str_))
            add_array(archive, f"{index}/numbers", np.array([getattr(one, name) for name in NUMBERS]))
        for face, picture in (faces or {}).items():
            add_array(archive, f"{FACES}/{face}", np.frombuffer(webp(picture, quality=LOSSLESS), np.uint8))
    return Path(path)


def read_media(path: str | Path, *, limits: LimitSettings | None = None) -> dict[int, EventMedia]:
    """Read the pictures that `write_media` wrote, by index of the event.

    Raises
    ------
    DataError
        Where the file is missing or damaged, or claims to unpack to more than `limits` allow.
    """
    return _read(path, _events, limits or LimitSettings())


def read_faces(path: str | Path, *, limits: LimitSettings | None = None) -> dict[int, npt.NDArray[np.uint8]]:
    """Read the (h, w, 3) RGB pictures of faces that `write_media` wrote, by id; none where an older version wrote it.

    Raises
    ------
    DataError
        As `read_media`.
    """
    return _read(path, _faces, limits or LimitSettings())


def read_places(path: str | Path, *, limits: LimitSettings | None = None) -> dict[int, npt.NDArray[np.float64]]:
    """Read where each face was, (n, 2, 3) by id, from a former file; newer ones have none.

    Raises
    ------
    DataError
        As `read_media`.
    """
    return _read(path, _places, limits or LimitSettings())


def _events(entries: Arrays) -> dict[int, EventMedia]:
    indices = dict.fromkeys(int(event) for event, _, _ in (n.partition("/") for n in entries.files) if event.isdigit())
    return {index: _one(index, entries) for index in indices}


def _places(entries: Arrays) -> dict[int, npt.NDArray[np.float64]]:
    names = [name for name in entries.files if name.startswith(f"{PLACES}/")]
    return {int(name.partition("/")[2]): entries[name].astype(np.float64).reshape(-1, 2, 3) for name in names}


def _faces(entries: Arrays) -> dict[int, npt.NDArray[np.uint8]]:
    names = [name for name in entries.files if name.startswith(f"{FACES}/")]
    return {int(name.partition("/")[2]): _picture(entries[name]) for name in names}


def _read(path: str | Path, of: Callable[[Arrays], T], limits: LimitSettings) -> T:
    hint = "Run 'fleeting analyse' on the video again, or delete the file to do without pictures."
    most = int(limits.unpacked_mb * 1e6)
    with reading(path, "a file of event pictures", hint), Arrays(path, most=most, limit=UNPACKED) as entries:
        return of(entries)


def _one(index: int, entries: Arrays) -> EventMedia:
    if f"{index}/loop" not in entries:
        return _former(index, entries)
    read: dict[str, Any] = dict(zip(NUMBERS, entries[f"{index}/numbers"].tolist(), strict=True))
    read |= {name: int(read[name]) for name in COUNTS}
    read |= {name: entries[f"{index}/{name}"].tobytes() for name in PICTURES}
    read |= {name: str(entries[f"{index}/{name}"]) for name in TEXTS}
    outlines = entries[f"{index}/{OUTLINES}"].tolist() if f"{index}/{OUTLINES}" in entries else []
    return EventMedia(**read, outlines=tuple(map(str, outlines)))


def _former(index: int, entries: Arrays) -> EventMedia:
    """Read an event of former files, which hold the flow and each picture of the loop for itself."""
    count, loop_fps, magnification = (float(v) for v in entries[f"{index}/numbers"])
    if not 1 <= count <= MOST_LOOP:
        raise ValueError(f"event {index} has {count:g} pictures in its loop")
    read: dict[str, Any] = {}
    if f"{index}/face" in entries:
        read = {
            "face": _picture(entries[f"{index}/face"]),
            "saliency": entries[f"{index}/saliency"],
            "expression": str(entries[f"{index}/expression"]),
            "expression_probability": float(entries[f"{index}/expression_probability"]),
        }
    onset, apex, offset = (_picture(entries[f"{index}/{name}"]) for name in ("onset", "apex", "offset"))
    views = Views(
        onset=onset,
        apex=apex,
        offset=offset,
        loop=np.stack([_picture(entries[f"{index}/loop/{step}"]) for step in range(int(count))]),
        loop_fps=loop_fps,
        flow=entries[f"{index}/flow"].astype(np.float32) / np.float32(FORMER_FLOW_SCALE),
        magnification=magnification,
        **read,
    )
    return compressed(views, quality=FORMER_QUALITY)


def _picture(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    picture = decoded(data, cv2.IMREAD_COLOR, limits=PICTURE_LIMITS)
    if picture is None:
        raise ValueError("a picture that cannot be read")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
