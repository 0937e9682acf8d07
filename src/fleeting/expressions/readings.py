"""What was read of whole faces: one face in one frame, one file, all files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.files import require_pandas
from fleeting.labels import SEVEN_CLASSES
from fleeting.records import FaceBox

COLUMNS: tuple[str, ...] = (
    "source",
    "frame",
    "time_s",
    "face",
    "x",
    "y",
    "width",
    "height",
    "yaw",
    "expression",
    "probability",
    *SEVEN_CLASSES,
)
"""Of the csv file."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One face in one picture or frame.

    Attributes
    ----------
    frame, time_s
        Of a video; 0 and NaN for a picture.
    face
        Number of the face: of a picture by size from 0, of a video the id of its track.
    box
        Around its 68 points, pixels.
    yaw
        Degrees by which it is turned, positive to the picture's right.
    probabilities
        (7,) float32 of `labels.SEVEN_CLASSES`; None for a face turned too far to be read.
    """

    frame: int
    time_s: float
    face: int
    box: FaceBox
    yaw: float
    probabilities: npt.NDArray[np.float32] | None

    @property
    def expression(self) -> str | None:
        """The most probable class; None for a face that was not read."""
        return None if self.probabilities is None else SEVEN_CLASSES[int(self.probabilities.argmax())]

    @property
    def probability(self) -> float | None:
        """Its calibrated probability."""
        return None if self.probabilities is None else float(self.probabilities.max())


@dataclass(frozen=True, slots=True)
class Source:
    """One picture or video and all that was read in it.

    Attributes
    ----------
    path
        Of the file, or of a folder that is one clip.
    name
        By which tables know it: the file's name, within a folder with the folders between.
    video
        Whether it has frames.
    frames
        That were looked at; 1 for a picture.
    fps
        Frames per second; NaN for a picture.
    readings
        By frame, then by face.
    error
        Why it could not be read; None where it could.
    turn
        Degrees clockwise by which it was turned because its faces lay on their side; places are those after that.
    """

    path: Path
    name: str
    video: bool
    frames: int = 0
    fps: float = math.nan
    readings: tuple[Reading, ...] = ()
    error: str | None = None
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Emotions:
    """What `read_emotions` gives.

    Attributes
    ----------
    name
        Of the input.
    sources
        Its pictures and videos, by name.
    folder
        Whether the input was a folder of them.
    card
        Of the network.
    """

    name: str
    sources: tuple[Source, ...]
    folder: bool
    card: dict[str, Any]

    @property
    def failed(self) -> tuple[Source, ...]:
        """Sources that could not be read."""
        return tuple(s for s in self.sources if s.error is not None)

    @property
    def faces(self) -> int:
        """Number of readings."""
        return sum(len(s.readings) for s in self.sources)

    def to_dataframe(self) -> Any:
        """Return the readings as a pandas data frame with the columns of the csv file.

        Raises
        ------
        MissingExtraError
            Without the extra ``tables``.
        """
        require_pandas("data frames")
        import pandas as pd

        return pd.DataFrame([row(s, r) for s in self.sources for r in s.readings], columns=list(COLUMNS))


def row(source: Source, reading: Reading) -> list[Any]:
    """Return a reading as cells of `COLUMNS`; None where there is no value."""
    p = reading.probabilities
    return [
        source.name,
        reading.frame if source.video else None,
        round(reading.time_s, 6) if source.video else None,
        reading.face,
        *(round(v, 1) for v in reading.box[:4]),
        round(reading.yaw, 1),
        reading.expression,
        None if reading.probability is None else round(reading.probability, 4),
        *([None] * len(SEVEN_CLASSES) if p is None else [round(float(v), 4) for v in p]),
    ]
