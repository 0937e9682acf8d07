"""The signals of a face as they are found, part by part, rounded and on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.records import REGIONS, Signals
from fleeting.records.digits import rounded_array
from fleeting.rows import Rows
from fleeting.spotting.measurements import BLOCK, Measurements, StoredMeasurements


class SignalRows:
    """Collects `Signals`.

    Parameters
    ----------
    measured
        The face over the whole video.
    folder
        As for `rows.Rows`.
    """

    def __init__(self, measured: Measurements | StoredMeasurements, folder: Path | None) -> None:
        self._measured = measured
        shapes = {"motion": (len(REGIONS),), "speaking": ()}
        shapes |= {"eye_opening": (2,), "mouth_opening": (), "pose": (3,), "place": (2, 3)}
        self._rows = {name: Rows((np.float32, shape), folder=folder) for name, shape in shapes.items()}

    def add(self, frames: slice, *, motion: npt.NDArray[Any], speaking: npt.NDArray[Any]) -> None:
        """Take what was found in some frames; later ones than those before."""
        self._pass_to(frames.start)
        self._put("motion", motion)
        self._put("speaking", speaking)

    def signals(self, noise: npt.NDArray[np.float32]) -> Signals:
        """Return all, with the noise of each region."""
        measured = self._measured
        count = len(measured.time_s)
        self._pass_to(count)
        for first in range(0, count, BLOCK):
            part = measured.part(slice(first, min(first + BLOCK, count)))
            for name in ("eye_opening", "mouth_opening", "pose"):
                self._put(name, getattr(part, name))
            self._put("place", part.transform)
        columns = {name: rows.array() for name, rows in self._rows.items()}
        return Signals(face=measured.face, time_s=measured.time_s, noise=noise, **columns)

    def _pass_to(self, frame: int) -> None:
        for name in ("motion", "speaking"):
            rows = self._rows[name]
            while len(rows) < frame:
                rows.extend(np.full((min(frame - len(rows), BLOCK), *rows.dtype.shape), np.nan, np.float32))

    def _put(self, name: str, values: npt.NDArray[Any]) -> None:
        self._rows[name].extend(rounded_array(name, values.astype(np.float32)))
