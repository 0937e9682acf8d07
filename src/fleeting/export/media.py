"""``media.npz``: the pictures of the events, so that a report can be built again without the video.

A numpy archive without pickles. For event 3 of the timeline it holds ``3/onset``, ``3/apex`` and ``3/offset`` (bytes of
lossless WebP files), ``3/loop/0``, ``3/loop/1`` ... (the loop, WebP of quality 90), ``3/flow`` ((h, w, 2) int16, in
1/256 pixel) and ``3/numbers`` (pictures in the loop, loop frames per second, magnification). Where the whole face was
read, also ``3/face`` (bytes of a lossless WebP file), ``3/saliency`` ((48, 48) float32), ``3/expression`` (text) and
``3/expression_probability``. ``faces/2`` is a picture of face 2 (bytes of a lossless WebP file), ``places/2`` where it
was, (n, 2, 3) float32 from each frame to the canonical crop, NaN where it was not seen.
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

from fleeting.errors import DataError
from fleeting.files import atomic_path
from fleeting.records import EventMedia

FLOW_SCALE = 256.0
STILLS = ("onset", "apex", "offset")
ENCODERS = 2
T = TypeVar("T")
LOSSLESS = 101  # OpenCV: above 100 WebP is written without loss


FACES, PLACES = "faces", "places"


def write_media(
    media: Mapping[int, EventMedia],
    path: str | Path,
    *,
    faces: Mapping[int, npt.NDArray[np.uint8]] | None = None,
    places: Mapping[int, npt.NDArray[np.floating]] | None = None,
) -> Path:
    """Write the pictures of events, and by the id of each face its picture (h, w, 3) RGB and where it was, (n, 2, 3).

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
        for face, transforms in (places or {}).items():
            _add(archive, f"{PLACES}/{face}", transforms.astype(np.float32))
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


def read_media(path: str | Path) -> dict[int, EventMedia]:
    """Read the pictures that `write_media` wrote, by index of the event.

    Raises
    ------
    DataError
        Where the file is missing or damaged.
    """
    return _read(path, _events)


def read_faces(path: str | Path) -> dict[int, npt.NDArray[np.uint8]]:
    """Read the (h, w, 3) RGB pictures of faces that `write_media` wrote, by id; none where an older version wrote it.

    Raises
    ------
    DataError
        As `read_media`.
    """
    return _read(path, _faces)


def read_places(path: str | Path) -> dict[int, npt.NDArray[np.float64]]:
    """Read where each face was, (n, 2, 3) by id, that `write_media` wrote; none where an older version wrote it.

    Raises
    ------
    DataError
        As `read_media`.
    """
    return _read(path, _places)


def _events(entries: Any) -> dict[int, EventMedia]:
    indices = dict.fromkeys(int(event) for event, _, _ in (n.partition("/") for n in entries.files) if event.isdigit())
    return {index: _one(index, entries) for index in indices}


def _places(entries: Any) -> dict[int, npt.NDArray[np.float64]]:
    names = [name for name in entries.files if name.startswith(f"{PLACES}/")]
    return {int(name.partition("/")[2]): entries[name].astype(np.float64).reshape(-1, 2, 3) for name in names}


def _faces(entries: Any) -> dict[int, npt.NDArray[np.uint8]]:
    names = [name for name in entries.files if name.startswith(f"{FACES}/")]
    return {int(name.partition("/")[2]): _picture(entries[name]) for name in names}


def _read(path: str | Path, of: Callable[[Any], T]) -> T:
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as entries:
            return of(entries)
    except FileNotFoundError as error:
        raise DataError("a file of event pictures", f"{path}, which is missing", "Check the path.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, cv2.error) as error:
        hint = "Run 'fleeting analyse' on the video again, or delete the file to do without pictures."
        raise DataError("a file of event pictures", f"{path}, which is damaged ({error})", hint) from error


def _one(index: int, entries: Any) -> EventMedia:
    count, loop_fps, magnification = entries[f"{index}/numbers"].tolist()
    read: dict[str, Any] = {}
    if f"{index}/face" in entries.files:
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
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("a picture that cannot be read")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
