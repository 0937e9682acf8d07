"""``media.npz``: the pictures of the events, so that a report can be built again without the video.

A numpy archive without pickles. For event 3 of the timeline it holds ``3/onset``, ``3/apex`` and ``3/offset`` (bytes of
lossless WebP files), ``3/loop/0``, ``3/loop/1`` ... (the loop, WebP of quality 90), ``3/flow`` ((h, w, 2) int16, in
1/256 pixel) and ``3/numbers`` (pictures in the loop, loop frames per second, magnification). Where the whole face was
read, also ``3/face`` (bytes of a lossless WebP file), ``3/saliency`` ((48, 48) float32), ``3/expression`` (text) and
``3/expression_probability``. ``faces/2`` is a picture of face 2 (bytes of a lossless WebP file).
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.export.timeline_json import UNPACKED
from fleeting.files import atomic_path
from fleeting.reading import Arrays, reading
from fleeting.records import EventMedia
from fleeting.settings import LimitSettings
from fleeting.video.declared import decoded

FLOW_SCALE = 256.0
STILLS = ("onset", "apex", "offset")
ENCODERS = 2
T = TypeVar("T")
PICTURES = LimitSettings(picture_mpx=4)
MOST_LOOP = 1000
"""Far more than the report's pictures ever have."""
LOSSLESS = 101  # OpenCV: above 100 WebP is written without loss


FACES = "faces"


def write_media(
    media: Mapping[int, EventMedia], path: str | Path, *, faces: Mapping[int, npt.NDArray[np.uint8]] | None = None
) -> Path:
    """Write the pictures of events, and one of each face (h, w, 3) RGB by its id.

    Flow is rounded to 1/256 pixel and the loop compressed with loss; the crops are kept as they are.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        # Entry by entry: all pictures of a long video together would fill the memory.
        for index, one in media.items():
            for name, array in _entries(one):
                _add(archive, f"{index}/{name}", array)
        for face, picture in (faces or {}).items():
            _add(archive, f"{FACES}/{face}", _webp(picture, quality=LOSSLESS))
    return Path(path)


def _add(archive: zipfile.ZipFile, name: str, array: npt.NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)


def _entries(one: EventMedia) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    pictures = [(name, getattr(one, name), LOSSLESS) for name in STILLS]
    pictures += [(f"loop/{step}", picture, 90) for step, picture in enumerate(one.loop)]
    with ThreadPoolExecutor(ENCODERS) as pool:
        yield from pool.map(lambda p: (p[0], _webp(p[1], quality=p[2])), pictures)
    limit = np.iinfo(np.int16).max
    flow = np.nan_to_num(np.rint(one.flow * FLOW_SCALE), nan=0.0, posinf=limit, neginf=-limit)
    yield "flow", np.clip(flow, -limit, limit).astype(np.int16)
    yield "numbers", np.array([len(one.loop), one.loop_fps, one.magnification])
    if one.face is not None and one.saliency is not None:
        yield "face", _webp(one.face, quality=LOSSLESS)
        yield "saliency", one.saliency
        yield "expression", np.array(one.expression)
        yield "expression_probability", np.array(one.expression_probability)


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


def _events(entries: Arrays) -> dict[int, EventMedia]:
    indices = dict.fromkeys(int(event) for event, _, _ in (n.partition("/") for n in entries.files) if event != FACES)
    return {index: _one(index, entries) for index in indices}


def _faces(entries: Arrays) -> dict[int, npt.NDArray[np.uint8]]:
    names = [name for name in entries.files if name.startswith(f"{FACES}/")]
    return {int(name.partition("/")[2]): _picture(entries[name]) for name in names}


def _read(path: str | Path, of: Callable[[Arrays], T], limits: LimitSettings) -> T:
    hint = "Run 'fleeting analyse' on the video again, or delete the file to do without pictures."
    most = int(limits.unpacked_mb * 1e6)
    with reading(path, "a file of event pictures", hint), Arrays(path, most=most, limit=UNPACKED) as entries:
        return of(entries)


def _one(index: int, entries: Arrays) -> EventMedia:
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
    onset, apex, offset = (_picture(entries[f"{index}/{name}"]) for name in STILLS)
    return EventMedia(
        onset=onset,
        apex=apex,
        offset=offset,
        loop=np.stack([_picture(entries[f"{index}/loop/{step}"]) for step in range(int(count))]),
        loop_fps=loop_fps,
        flow=entries[f"{index}/flow"].astype(np.float32) / np.float32(FLOW_SCALE),
        magnification=magnification,
        **read,
    )


def _webp(picture: npt.NDArray[np.uint8], *, quality: int) -> npt.NDArray[np.uint8]:
    done, data = cv2.imencode(".webp", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not done:
        raise ValueError(f"Expected a picture that WebP can hold; got shape {picture.shape}.")
    return data.reshape(-1)


def _picture(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    picture = decoded(data, cv2.IMREAD_COLOR, limits=PICTURES)
    if picture is None:
        raise ValueError("a picture that cannot be read")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
