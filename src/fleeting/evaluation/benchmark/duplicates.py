"""Near-duplicate clips: the same movement of the same face under two ids, mirrored or not, stored once more or not.

Each clip gets a perceptual hash: for every channel the signs of its 8 x 8 lowest cosine coefficients (without the mean)
about their median (Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, section 3.2.1).
Where at most an eighth of the bits of two clips differ, or of one and the other's mirror image, their pixels are
compared: they are near-duplicates when these correlate by at least 0.9, mean over channels. Clips whose values are all
equal are duplicates anyhow.

Measured by ``python benchmarks/studies/near_duplicates.py`` on the 309 flow images of CASME II and SMIC (189 bits),
45,000 pairs of clips of different people: the closest differ in 40 bits (46 when one is mirrored), the most alike
correlate by 0.83, so neither test alone gives a false hit, let alone both. ``benchmarks/results/near_duplicates.md``
says how often a changed copy is caught.
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
CORRELATION = 0.9
"""Smallest correlation of the pixels of near-duplicates."""

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
    close = _alike(images[moves], images[moves], _close(bits, bits))
    close |= _alike(turned[moves], images[moves], _close(other, bits))
    return _pairs(close | set(_equal(images[moves])), moves)


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
    return bits.reshape(len(images), bits.shape[1] * bits.shape[2])


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


def _alike(
    one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8], pairs: Iterable[tuple[int, int]]
) -> set[tuple[int, int]]:
    return {p for p in pairs if p[0] != p[1] and correlation(one[p[0]], other[p[1]]) >= CORRELATION}


def correlation(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    """Return the correlation of the pixels of two images (height, width, channels), mean over channels.

    A channel that is constant in one of both correlates by 0, in both by 1.
    """
    centred = [image - image.mean((0, 1), keepdims=True) for image in (one.astype(float), other.astype(float))]
    spread = [np.sqrt((c**2).mean((0, 1))) for c in centred]
    product = spread[0] * spread[1]
    found = (centred[0] * centred[1]).mean((0, 1)) / np.where(product > 0, product, 1)
    return float(np.where((spread[0] == 0) & (spread[1] == 0), 1.0, found).mean())


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
