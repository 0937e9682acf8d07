"""The demonstration: a portrait filmed at 200 frames/s, with movements that are known.

The portrait is that of the astronaut Eileen Collins (NASA, public domain), which scikit-image carries in its wheel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import MissingExtraError
from fleeting.files import make_folder
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.face.emotions import activations_of
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import Profile
from fleeting.synthesis.render import Progress, render_clip
from fleeting.synthesis.truth import write_truth

PORTRAIT_POINTS: npt.NDArray[np.float64] = np.fromstring(
    """
    180.9 101.3 180.9 109.9 180.9 118.9 181.3 128.8 182.6 139.8 189.1 156.1 194.6 162.7 205.3 172.3 221.4 177.4
    238.0 174.1 249.7 165.5 256.1 159.4 265.0 143.9 267.7 133.3 269.0 123.5 269.8 114.4 270.2 105.9 187.9 90.7
    191.6 87.8 197.5 86.6 205.6 87.8 215.1 89.8 236.0 90.6 245.9 89.7 254.2 89.6 260.2 91.5 263.7 94.9
    224.9 101.4 224.5 111.7 224.0 121.2 223.7 127.0 211.3 129.5 217.7 132.3 223.5 133.4 229.4 132.8 236.3 130.7
    195.3 100.6 199.4 96.9 206.3 97.1 213.6 103.6 207.6 103.8 200.7 103.5 236.4 104.9 244.2 99.2 251.3 99.9
    255.3 103.8 249.4 106.4 242.3 106.0 202.3 139.2 211.7 139.1 217.3 139.4 223.4 140.6 229.7 139.8 235.2 139.9
    244.5 140.6 234.4 152.0 229.1 154.1 222.7 154.7 216.5 153.7 211.2 151.3 203.9 139.7 217.7 142.4 223.3 143.2
    229.0 142.8 242.9 141.1 228.3 148.9 223.0 149.2 217.6 148.4
    """,
    sep=" ",
).reshape(68, 2)
"""Landmarks of the portrait in its pixels (68, 2), looked at and put down once: the truth of the demonstration must not
depend on the landmark network that it demonstrates."""

MOVEMENTS: tuple[Movement, ...] = (
    Movement("blink", Profile(0.70, 0.78, 0.96)),
    Movement("micro", Profile(1.80, 1.94, 2.16), activations_of("surprise", variant=1), 3.0, "surprise"),
    Movement("blink", Profile(3.30, 3.38, 3.58)),
    Movement("micro", Profile(4.40, 4.60, 4.86), activations_of("disgust"), 2.5, "disgust"),
    Movement("macro", Profile(6.00, 6.60, 7.90, 0.5), activations_of("happiness"), 6.0, "happiness"),
    Movement("blink", Profile(8.40, 8.47, 8.64)),
    Movement("micro", Profile(9.20, 9.34, 9.52), activations_of("contempt", side="left"), 2.0, "contempt", "left"),
    Movement("micro", Profile(10.70, 10.86, 11.08), activations_of("sadness"), 1.6, "sadness"),
    Movement("blink", Profile(11.70, 11.78, 11.95)),
)
"""Four micro-expressions of 0.32 to 0.46 s, one of them on one side only, a macro-expression of 1.9 s, four blinks."""

SETTINGS = ClipSettings(fps=200.0, seconds=12.6, width=640, height=480, iod_px=100.0)
SEED = 2


def portrait() -> npt.NDArray[np.uint8]:
    """Picture of the astronaut, (512, 512, 3) uint8 RGB.

    Raises
    ------
    MissingExtraError
        Without scikit-image.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise MissingExtraError("demo", "the portrait of the demonstration") from error
    load: Any = data.astronaut
    return np.asarray(load(), np.uint8)


def demo_clip(settings: ClipSettings = SETTINGS) -> PortraitClip:
    """Return the clip of the demonstration, not yet drawn.

    Raises
    ------
    MissingExtraError
        Without scikit-image.
    """
    return PortraitClip(portrait(), PORTRAIT_POINTS, movements=MOVEMENTS, settings=settings, seed=SEED)


def make_demo(folder: str | Path, *, progress: Progress | None = None) -> tuple[Path, Path]:
    """Write the demonstration's video and its truth.

    Parameters
    ----------
    folder
        Made where it is missing.
    progress
        Told the number of frames done, and of all frames.

    Returns
    -------
    video, truth
        Paths of ``demo.mp4`` (2,520 frames) and ``truth.csv``.

    Raises
    ------
    MissingExtraError
        Without scikit-image.
    OutputError
        Where the disk refuses.
    """
    clip = demo_clip()
    folder = make_folder(folder)
    video = folder / "demo.mp4"
    rows = render_clip(clip, video, progress=progress)
    return video, write_truth(folder / "truth.csv", rows)
