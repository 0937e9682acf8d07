"""Near-duplicate clips: the same movement of the same face under two ids, mirrored or not, stored once more or not.

Each clip gets a perceptual hash: for every channel the signs of its 8 x 8 lowest cosine coefficients (without the mean)
about their median (Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, section 3.2.1).
Two clips are near-duplicates when at most an eighth of the bits differ, or when one's mirror image is that close to the
other, or when all their values are equal.

Measured by ``python benchmarks/near_duplicates.py`` on the 309 flow images of CASME II and SMIC (189 bits): the closest
two clips of different people differ in 40 bits (in 46 when one is mirrored), so an eighth (23 bits) gives no false hit
among 45,000 pairs; the table in ``benchmarks/results/near_duplicates.md`` says how often a changed copy is caught.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.datasets.samples import Samples
from fleeting.motion.flow_image import mirrored

SHARE = 1 / 8
"""Of the bits that may differ between near-duplicates."""

_SIDE, _LOW = 32, 8

Pairs = npt.NDArray[np.int64]


def near_duplicates(samples: Samples) -> Pairs:
    """Return all pairs of near-duplicate clips.

    Clips without any movement (constant in every channel) are left out: they are alike without being one another.

    Parameters
    ----------
    samples
        Clips with flow images, or else with sequences; of single pictures only equal ones are found.

    Returns
    -------
    (m, 2) int64
        Rows, the smaller one first, sorted.
    """
    if samples.flow is not None:
        images = samples.flow
        turned = mirrored(images)
    elif samples.sequence is not None and samples.sequence.shape[1] > 1:
        images = movement_pictures(samples.sequence)
        turned = np.ascontiguousarray(images[:, :, ::-1])
    elif samples.sequence is not None:  # single pictures: faces are too much alike for anything but equality
        return _pairs(_equal(samples.sequence), np.arange(len(samples)))
    else:
        return np.zeros((0, 2), np.int64)
    moves = np.flatnonzero(np.ptp(images.reshape(len(images), -1, images.shape[-1]), axis=1).max(1) > 0)
    bits, other = perceptual_hash(images[moves]), perceptual_hash(turned[moves])
    close = set(_close(bits, bits)) | set(_close(other, bits)) | set(_equal(images[moves]))
    return _pairs(close, moves)


def perceptual_hash(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return the bits of images (n, height, width, channels): (n, 63 * channels)."""
    bits = np.zeros((len(images), images.shape[-1], _LOW * _LOW - 1), bool)
    for row, image in enumerate(images):
        for channel in range(image.shape[-1]):
            plane = image[..., channel].astype(np.float32)
            smaller = min(plane.shape) > _SIDE
            plane = cv2.resize(plane, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
            low = cv2.dct(plane)[:_LOW, :_LOW].ravel()[1:]
            bits[row, channel] = low > np.median(low)
    return bits.reshape(len(images), -1)


def movement_pictures(sequence: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return first frame, middle minus first, last minus first as one picture, (n, height, width, 3).

    The first frame alone would not do: aligned faces of different people have much in common. Differences are halved
    and centred at 128.
    """
    first = sequence[:, 0].astype(np.int16)
    later = [sequence[:, place].astype(np.int16) for place in (sequence.shape[1] // 2, -1)]
    changes = [np.clip((frame - first) // 2 + 128, 0, 255) for frame in later]
    return np.stack([first, *changes], -1).astype(np.uint8)


def _close(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_], *, step: int = 1024) -> list[tuple[int, int]]:
    signs = [np.where(bits, 1, -1).astype(np.float32) for bits in (one, other)]
    count = one.shape[1]
    found: list[tuple[int, int]] = []
    for start in range(0, len(one), step):
        differing = (count - signs[0][start : start + step] @ signs[1].T) / 2
        rows, columns = np.nonzero(differing <= count * SHARE)
        found += zip((rows + start).tolist(), columns.tolist(), strict=True)
    return found


def _pairs(close: Iterable[tuple[int, int]], rows: npt.NDArray[np.int64]) -> Pairs:
    found = sorted({(int(rows[min(p)]), int(rows[max(p)])) for p in close if p[0] != p[1]})
    return np.array(found, np.int64).reshape(-1, 2)


def _equal(images: npt.NDArray[Any]) -> list[tuple[int, int]]:
    first: dict[bytes, int] = {}
    found = []
    for row, image in enumerate(images):
        digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
        found.append((first.setdefault(digest, row), row))
    return found
