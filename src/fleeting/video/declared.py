"""How large a stored picture says it is, read from its first bytes: a hundred kilobytes of PNG unpack to gigabytes."""

from __future__ import annotations

import re
import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.reading import TooLargeError
from fleeting.settings import LimitSettings

_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG before which the size stands (ITU-T T.81, table B.1)."""


def declared_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height that a PNG, JPEG, BMP, WebP, TIFF or PNM file declares; None where it is not known."""
    for kind in (_png, _jpeg, _bmp, _webp, _tiff, _pnm):
        try:
            size = kind(data)
        except (struct.error, IndexError, ValueError):
            continue
        if size is not None:
            return size
    return None


def decoded(data: npt.NDArray[np.uint8], flags: int, *, limits: LimitSettings | None = None) -> Any:
    """Decode a stored picture with OpenCV; None where it is none.

    Raises
    ------
    TooLargeError
        Where it declares more pixels than the limits allow; nothing was unpacked then.
    """
    if not len(data):
        return None
    size = declared_size(data[:HEAD].tobytes()) or declared_size(data.tobytes())
    if size is not None:
        check_pixels(*size, limits=limits)
    return cv2.imdecode(data, flags)


HEAD = 65536
"""Bytes in which most files say their size; others are looked through."""


def check_pixels(width: int, height: int, *, limits: LimitSettings | None = None) -> None:
    """Raise TooLargeError for a picture with more pixels than the limits allow."""
    most = (limits or LimitSettings()).picture_mpx
    if width * height > most * 1e6:
        raise TooLargeError(
            f"claims {width} x {height} pixels, more than the {most:g} megapixels of limits.picture_mpx in the settings"
        )


def _png(data: bytes) -> tuple[int, int] | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _bmp(data: bytes) -> tuple[int, int] | None:
    if data[:2] != b"BM":
        return None
    if struct.unpack("<I", data[14:18]) == (12,):
        width, height = struct.unpack("<HH", data[18:22])
    else:
        width, height = struct.unpack("<ii", data[18:26])
    return abs(width), abs(height)


def _webp(data: bytes) -> tuple[int, int] | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", body[1:5])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", body[6:10])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(data: bytes) -> tuple[int, int] | None:
    if data[:2] != b"\xff\xd8":
        return None
    place = 2
    while True:
        place = data.index(b"\xff", place)
        while data[place] == 0xFF:
            place += 1
        marker = data[place]
        place += 1
        if marker in _STARTS_OF_FRAME:
            height, width = struct.unpack(">HH", data[place + 3 : place + 7])
            return width, height
        if marker != 0x01 and not 0xD0 <= marker <= 0xD8:
            place += struct.unpack(">H", data[place : place + 2])[0]


def _tiff(data: bytes) -> tuple[int, int] | None:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    (start,) = struct.unpack(f"{order}I", data[4:8])
    (count,) = struct.unpack(f"{order}H", data[start : start + 2])
    found = {}
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind = struct.unpack(f"{order}HH", data[entry : entry + 4])
        if tag in (256, 257):
            form = {3: "H", 4: "I"}[kind] if kind in (3, 4) else "I"
            (found[tag],) = struct.unpack(order + form, data[entry + 8 : entry + 8 + struct.calcsize(form)])
    return found[256], found[257]


def _pnm(data: bytes) -> tuple[int, int] | None:
    found = re.match(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*(\d{1,10})\s+(?:#[^\n]*\n\s*)*(\d{1,10})\s", data[:1024])
    return None if found is None else (int(found[1]), int(found[2]))
