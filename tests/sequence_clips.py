"""Clips in which a bright bar moves, as arrays and as a file of ``fleeting prepare``."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from fleeting.datasets.manifest import ManifestRow
from fleeting.datasets.prepare import Prepared
from fleeting.datasets.readers import prepared
from fleeting.datasets.samples import Samples
from fleeting.labels import THREE_CLASSES


def moving_clips(count: int, *, seed: int = 0, frames: int = 8) -> Samples:
    """Crops of noise in which a bright bar goes up (class 0), down (1) or stays (2), and comes back."""
    rng = np.random.default_rng(seed)
    label = np.arange(count) % 3
    clips = np.empty((count, frames, 68, 56), np.uint8)
    for clip, k in zip(clips, label, strict=True):
        still = rng.integers(60, 120, (68, 56))
        for t in range(frames):
            row = 30 + round((-1, 1, 0)[k] * 14 * math.sin(math.pi * t / (frames - 1)))
            picture = still.copy()
            picture[row : row + 6, 10:46] = 230
            clip[t] = np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255)
    names = np.array([f"made/{i:03d}" for i in range(count)])
    subject = np.array([f"made/s{i // 3:02d}" for i in range(count)])
    return Samples(names, subject, np.full(count, "made"), names, label.astype(np.int64), sequence=clips)


def stored_clips(path: Path, samples: Samples, *, kind: str = "micro", dataset: str = "own-set") -> Path:
    """Write clips as ``fleeting prepare --out`` does."""
    assert samples.sequence is not None
    rows, results = [], []
    for i in range(len(samples)):
        rows.append(
            ManifestRow(
                dataset=dataset,
                subject=str(samples.subject[i]).split("/")[1],
                clip=f"{i:03d}",
                source_video=f"{i:03d}",
                path="",
                fps=100.0,
                onset=0,
                apex=3,
                offset=7,
                emotion=THREE_CLASSES[samples.label[i]],
                type=kind,
            )
        )
        flow = np.random.default_rng(i).integers(0, 256, (28, 28, 3)).astype(np.uint8)
        results.append({"flow": flow, "sequence": samples.sequence[i]})
    return prepared.write(Prepared(tuple(rows), tuple(results)), path, settings={})
