"""From the frames of a clip to what recognisers learn from: the flow image onset -> apex, and the clip at one length.

The face is found by `faces.detect`, placed by `faces.align`, held still by `motion.registration`, and its flow image is
made by `motion.flow_image`: as in the analysis of a video, and by the same functions, so that what is trained on data
sets works on videos.

Where a data set gives no apex, or an impossible one, it is the frame of the largest movement against the onset: the
largest mean displacement of any region of the motion signal, head motion removed, smoothed over `SMOOTHING_S`; never
the onset itself. On films of validation people at 100 frames/s it lies nearer to the true apex than the middle frame,
which is often taken instead (``benchmarks/studies/apex.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError, NoFaceError
from fleeting.faces.align import CANONICAL_WIDTH, align, crop_transform
from fleeting.faces.detect import FaceDetector
from fleeting.faces.landmarks import LandmarkNet
from fleeting.motion.flow_image import flow_image
from fleeting.motion.interpolation import interpolate
from fleeting.motion.regions import signal_map
from fleeting.motion.registration import Registration, compose
from fleeting.records import FaceBox
from fleeting.settings import MotionSettings

Grey = npt.NDArray[np.uint8]

SMOOTHING_S = 0.02
"""Standard deviation in seconds; the default of `settings.SpottingSettings.smoothing_s`."""

LEAST_FACE = 0.5
"""Probability of a face, and share of the picture's width that its points cover, from which on a picture in which the
finder sees nothing is taken for a tight crop of a face: many published frames are cut so, and finders expect something
around a face. Of 520 such crops of validation people the finder alone finds 295, this finds all
(``benchmarks/studies/tight_crops.py``)."""

MOST_FRAMES = 256
"""A longer clip is thinned out evenly to so many frames, always with its apex."""


@dataclass(frozen=True, slots=True)
class ClipMotion:
    """What a clip shows.

    Attributes
    ----------
    flow
        (28, 28, 3) uint8 flow image of onset -> apex.
    sequence
        (frames, h, w) uint8 grey canonical crops from onset to offset, the head held as at the onset; None where it
        was not asked for.
    apex
        Its place in the frames that were given.
    notes
        What had to be done otherwise, in sentences.
    """

    flow: npt.NDArray[np.uint8]
    sequence: npt.NDArray[np.uint8] | None
    apex: int
    notes: tuple[str, ...] = field(default=())


@lru_cache(maxsize=1)
def _networks() -> tuple[FaceDetector, LandmarkNet]:
    landmarks = LandmarkNet()
    return FaceDetector(landmarks=landmarks), landmarks


def clip_motion(
    frames: Sequence[Grey],
    *,
    fps: float,
    apex: int | None = None,
    length: int = 0,
    width: int = CANONICAL_WIDTH,
    motion: MotionSettings | None = None,
) -> ClipMotion:
    """Measure a clip.

    Parameters
    ----------
    frames
        (h, w) uint8 each, from the onset to the offset, at least two.
    fps
        Frames per second.
    apex
        Place of the apex in `frames`; None where it is not known.
    length
        Frames of the sequence (temporal interpolation); 0 makes none.
    width
        Of the sequence's crops in pixels.
    motion
        Methods of flow, as in an analysis; its crops have a width of their own.

    Raises
    ------
    InputError
        For fewer than two frames, or an apex that is none of the frames after the onset.
    NoFaceError
        Where no frame shows a face.
    """
    motion = motion or MotionSettings()
    if len(frames) < 2 or (apex is not None and not 0 < apex < len(frames)):
        raise InputError(
            "at least 2 frames, and an apex after the onset", f"{len(frames)} frames, apex {apex}", "Correct the table."
        )
    transform, notes = face_transform(frames)
    registration = Registration(align(frames[0], transform), method=motion.flow)
    kept = thinned(len(frames), apex)
    if len(kept) < len(frames):
        notes.append(f"Thinned out from {len(frames)} to {len(kept)} frames.")
    placed: list[npt.NDArray[np.float64]] = []
    moved: list[float] = []
    if length or apex is None:
        guess = transform
        for place in kept:
            found = registration.step(frames[place], guess)
            guess = found.transform
            placed.append(guess)
            moved.append(largest_region(found.flow))
    if apex is None:
        apex = kept[strongest(np.array(moved), fps=fps * len(kept) / len(frames))]
        notes.append("The apex is the frame of the largest movement.")
    # From the onset's place at once, as `analysis.event_media` does for the events of a video.
    flow = flow_image(registration.measured_by(motion.event_flow, registration.step(frames[apex], transform)).flow)
    sequence = _sequence([frames[p] for p in kept], placed, length, width) if length else None
    return ClipMotion(flow, sequence, apex, tuple(notes))


def face_transform(frames: Sequence[Grey]) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Return where the face is at the onset, (2, 3) from frame to canonical crop, and what had to be done to find it.

    The largest face of the onset; else the onset as a tight crop of a face; else the next frame that shows one.

    Raises
    ------
    NoFaceError
        Where no frame shows a face.
    """
    points = _largest(frames[0])
    if points is not None:
        return crop_transform(points), []
    points = tight_crop(frames[0])
    if points is not None:
        return crop_transform(points), ["The pictures were taken for tight crops of a face."]
    for place in range(1, len(frames), max(1, len(frames) // 8)):
        points = _largest(frames[place])
        if points is not None:
            return crop_transform(points), [f"The face was found {place} frames after the onset."]
    height, width = frames[0].shape
    raise NoFaceError(
        "a face",
        f"{len(frames)} pictures of {width} x {height} without one",
        "Check that the frames are those of a face.",
    )


def _largest(frame: Grey) -> npt.NDArray[np.float32] | None:
    """Landmarks (68, 2) of the largest face."""
    faces = _networks()[0](frame)
    return max((seen for _, seen in faces), key=lambda seen: seen.iod).points if faces else None


def tight_crop(frame: Grey) -> npt.NDArray[np.float32] | None:
    """Landmarks (68, 2) of the face that fills the picture; None where it seems to show none (`LEAST_FACE`)."""
    landmarks = _networks()[1]
    height, width = frame.shape
    seen = landmarks(frame, [FaceBox(0.0, 0.0, float(width), float(height))])[0]
    for _ in range(2):
        # Each look at the points of the last stands better.
        seen = landmarks.from_points(frame, [seen.points])[0]
    wide = LEAST_FACE * width <= seen.box.width <= 2 * width
    return seen.points if seen.score >= LEAST_FACE and wide else None


def thinned(count: int, apex: int | None) -> list[int]:
    """Places of at most `MOST_FRAMES` frames, evenly over all, the first and the last and the apex among them."""
    if count <= MOST_FRAMES:
        return list(range(count))
    places = {int(round(p)) for p in np.linspace(0, count - 1, MOST_FRAMES)}
    return sorted(places if apex is None else places | {apex})


def largest_region(flow: npt.NDArray[np.float32]) -> float:
    """Largest length of the mean displacement of a region of the motion signal, in pixels of the canonical crop."""
    regions = signal_map(flow.shape[1])
    labels = [label for label in np.unique(regions) if label > 0]
    return float(max(np.linalg.norm(flow[regions == label].mean(axis=0)) for label in labels))


def strongest(moved: npt.NDArray[np.float64], *, fps: float) -> int:
    """Return the place of the largest movement after the onset.

    Parameters
    ----------
    moved
        (n,) movement of each frame against the first one.
    fps
        Frames per second of `moved`.
    """
    sigma = SMOOTHING_S * fps
    reach = np.arange(-max(1, round(3 * sigma)), max(1, round(3 * sigma)) + 1)
    kernel = np.exp(-0.5 * (reach / max(sigma, 1e-3)) ** 2)
    padded = np.pad(moved, len(reach) // 2, mode="edge")
    smooth = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return 1 + int(np.argmax(smooth[1:]))


def _sequence(
    frames: Sequence[Grey], placed: Sequence[npt.NDArray[np.float64]], length: int, width: int
) -> npt.NDArray[np.uint8]:
    scale = width / CANONICAL_WIDTH
    # Pixel centres lie at whole numbers.
    resize = np.array([[scale, 0.0, 0.5 * (scale - 1)], [0.0, scale, 0.5 * (scale - 1)]])
    crops = [align(f, compose(resize, t), width=width) for f, t in zip(frames, placed, strict=True)]
    # The interpolated curve may pass white and black between two frames.
    made = np.clip(np.rint(interpolate(np.stack(crops), length)), 0, 255)
    return made.astype(np.uint8)
