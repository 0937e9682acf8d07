"""Drawn faces with seven expressions, in the layout of FER-2013."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.datasets.fer2013 import SIZE
from fleeting.labels import SEVEN_CLASSES

USAGE = ("Training", "PublicTest", "PrivateTest")


def face(label: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Draw a 48 x 48 face whose brows, eyes and mouth depend on the class."""
    picture = np.full((SIZE, SIZE), int(rng.integers(110, 190)), np.uint8)
    dark = int(rng.integers(0, 60))
    x0, y0 = rng.integers(-2, 3, 2)
    brow = (4, 0, -5, 0, -3, -6, 0)[label]
    for side, sign in ((14, 1), (34, -1)):
        inner, outer = (side + 5 * sign, 14 + brow), (side - 5 * sign, 14 - brow // 2)
        cv2.line(picture, tuple(np.add(inner, (x0, y0)).tolist()), tuple(np.add(outer, (x0, y0)).tolist()), dark, 2)
        cv2.circle(picture, (int(side + x0), int(20 + y0)), 1 + (label in (2, 5)) * 2, dark, -1)
    if label in (2, 5):
        cv2.ellipse(picture, (int(24 + x0), int(37 + y0)), (5 if label == 5 else 8, 5), 0, 0, 360, dark, -1)
    else:
        bend = {3: 7, 4: -6, 0: -3, 1: 2, 6: 0}[label]
        points = [(14 + i, int(37 + bend * (1 - ((i - 10) / 10) ** 2) - bend / 2)) for i in range(21)]
        cv2.polylines(picture, [np.add(points, (x0, y0)).astype(np.int32)], False, dark, 2 + (label == 1) * 2)
    return np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)


def drawn(count: int, *, seed: int = 0) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return `count` drawn faces (n, 48, 48) uint8 and their classes (n,)."""
    rng = np.random.default_rng(seed)
    label = np.arange(count) % len(SEVEN_CLASSES)
    return np.stack([face(int(k), rng) for k in label]), label


def sheets(pictures: npt.NDArray[np.uint8], *, columns: int = 10) -> tuple[npt.NDArray[np.uint8], list[int]]:
    """Encode pictures as lossless sheets of `columns` x `columns` tiles, with the offsets of the sheets."""
    encoded, offsets = b"", [0]
    for begin in range(0, len(pictures), columns * columns):
        sheet = np.zeros((columns * columns, SIZE, SIZE), np.uint8)
        part = pictures[begin : begin + columns * columns]
        sheet[: len(part)] = part
        tiled = sheet.reshape(columns, columns, SIZE, SIZE).transpose(0, 2, 1, 3).reshape(columns * SIZE, -1)
        done, data = cv2.imencode(".webp", tiled, [cv2.IMWRITE_WEBP_QUALITY, 101])
        assert done
        encoded += data.tobytes()
        offsets.append(len(encoded))
    return np.frombuffer(encoded, np.uint8), offsets


def write_npz(
    path: Path, pictures: npt.NDArray[np.uint8], label: npt.NDArray[np.int64], *, usage: Any = None, votes: bool = True
) -> Path:
    """Write the layout of FER-2013; all rows are Training where `usage` is None."""
    webp, offsets = sheets(pictures)
    places = [4, 5, 6, 1, 3, 2, 0]
    cast = np.zeros((len(label), 10), np.uint8)
    cast[np.arange(len(label)), np.array(places)[label]] = 10
    np.savez(
        path,
        webp=webp,
        offsets=np.array(offsets),
        emotion=label.astype(np.uint8),
        emotion_names=np.array(SEVEN_CLASSES),
        usage=np.zeros(len(label), np.uint8) if usage is None else np.asarray(usage, np.uint8),
        usage_names=np.array(USAGE),
        **({"ferplus_votes": cast} if votes else {}),
    )
    return path
