"""The pictures of one event: crops, flow image for the recogniser, and the magnified loop for the report."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.analysis.pictures import Format, Views
from fleeting.faces.align import CANONICAL_WIDTH, align, canonical_points, rescaled
from fleeting.faces.crop import apply, cut, invert
from fleeting.faces.landmarks import LandmarkNet
from fleeting.motion.flow_image import flow_image
from fleeting.motion.magnification import magnify
from fleeting.motion.registration import Registration
from fleeting.naming.expression_net import SIZE, expression_transform
from fleeting.records import Event
from fleeting.settings import MotionSettings
from fleeting.spotting.measurements import Places
from fleeting.video.stream import VideoReader

LOOP_S = 1.6
"""Time in which the loop is played once: slower than life, so that an eye can follow."""

MARGIN_S = 0.06
"""Rest that is shown before the onset and after the offset."""

FACE_SIDE = 192
"""Side of the picture of the whole face in the report."""

VISIBLE_PX = 6.0
"""Displacement, in pixels of a crop of width 140, to which the loop's motion is magnified (within limits)."""

LEAST, MOST = 3.0, 15.0


@dataclass(frozen=True, slots=True)
class EventPictures:
    """What a second look at an event gives.

    Attributes
    ----------
    flow_image
        (28, 28, 3) uint8 of onset -> apex.
    face, face_before
        (48, 48) uint8 the whole face at the apex and at the onset, as the expression network sees it.
    views
        For the report, where they were asked for; without the map of the whole face.
    """

    flow_image: npt.NDArray[np.uint8]
    face: npt.NDArray[np.uint8]
    face_before: npt.NDArray[np.uint8]
    views: Views | None


def picture_event(
    reader: VideoReader,
    event: Event,
    transforms: npt.NDArray[np.float64] | Places,
    settings: MotionSettings,
    *,
    form: Format | None,
) -> EventPictures:
    """Look at the frames of an event once more.

    All crops stand as the face stood at the onset. The apex is registered to the onset's crop by flow; the other frames
    of the loop stand where the first look found the head still.

    Parameters
    ----------
    reader
        The video.
    event
        A micro- or macro-expression.
    transforms
        (n, 2, 3) from frame to crop, for every frame of the video; NaN where the face was not seen.
    settings
        Flow methods.
    form
        Size of the views; None where none are to be made.
    """
    if event.apex_frame == event.onset_frame:
        raise ValueError(f"Expected an apex after the onset; got both in frame {event.onset_frame}.")
    wanted = _wanted(event, transforms, reader.info.fps, form.frames) if form else {event.onset_frame, event.apex_frame}
    frames: dict[int, tuple[Any, Any]] = {}
    for frame in reader.frames(min(wanted), max(wanted)):
        if frame.index in wanted:
            frames[frame.index] = (frame.grey, frame.rgb if form else None)
    onset_grey, _ = frames[event.onset_frame]
    transform = transforms[event.onset_frame]
    if settings.crop_width != CANONICAL_WIDTH:
        transform = rescaled(transform, CANONICAL_WIDTH / settings.crop_width)
    registration = Registration(align(onset_grey, transform), method=settings.flow)
    # From the onset's place at once, whether or not the frames between are looked at: the class is the same.
    apex = registration.measured_by(settings.event_flow, registration.step(frames[event.apex_frame][0], transform))
    flow = apex.flow
    image = flow_image(flow)
    grey, rgb = frames[event.apex_frame]
    face = cut(grey, expression_transform(apex.transform), size=SIZE)
    before = cut(onset_grey, expression_transform(transform), size=SIZE)
    if form is None:
        return EventPictures(image, face, before, None)
    placed = _placed(sorted(frames), transforms, settings) | {event.onset_frame: transform}
    placed[event.apex_frame] = apex.transform
    crops = {
        i: align(frames[i][1], rescaled(placed[i], form.width / CANONICAL_WIDTH), width=form.width) for i in frames
    }
    sequence = np.stack([crops[i] for i in sorted(crops)])
    strongest = float(np.percentile(np.linalg.norm(flow, axis=2), 98))
    factor = float(np.clip(VISIBLE_PX / max(strongest, 0.1), LEAST, MOST))
    rate = len(sequence) / max(event.duration_s + 2 * MARGIN_S, 1e-3)
    shown = (event.onset_frame, event.apex_frame, event.offset_frame)
    landmarks = tuple(_seen_points(frames[i][0], placed[i]) for i in shown)
    # The sequence begins at rest, so movements are enlarged against its first picture (low_hz 0).
    magnified = magnify(sequence, rate, factor=factor, low_hz=0.0, high_hz=min(10.0, 0.45 * rate))
    return EventPictures(
        image,
        face,
        before,
        Views(
            onset=crops[event.onset_frame],
            apex=crops[event.apex_frame],
            offset=crops[event.offset_frame],
            loop=magnified,
            loop_fps=len(sequence) / LOOP_S,
            flow=flow,
            magnification=factor,
            face=cut(rgb, expression_transform(apex.transform, size=FACE_SIDE), size=FACE_SIDE),
            landmarks=landmarks,
        ),
    )


def _placed(
    frames: Sequence[int], transforms: npt.NDArray[np.float64] | Places, settings: MotionSettings
) -> dict[int, npt.NDArray[np.float64]]:
    """Return the transform to the canonical crop by frame; one in which no face was seen stands as the one before."""
    scale = CANONICAL_WIDTH / settings.crop_width
    placed: dict[int, npt.NDArray[np.float64]] = {}
    last = next(transforms[i] for i in frames if np.isfinite(transforms[i]).all())
    for index in frames:
        last = transforms[index] if np.isfinite(transforms[index]).all() else last
        placed[index] = rescaled(last, scale)
    return placed


@lru_cache(maxsize=1)
def _landmark_net() -> tuple[LandmarkNet, threading.Lock]:
    return LandmarkNet(), threading.Lock()


def _seen_points(grey: npt.NDArray[np.uint8], transform: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Landmarks (68, 2) of a frame, in pixels of the canonical crop."""
    net, lock = _landmark_net()
    with lock:  # a network has one buffer
        (found,) = net.from_points(grey, [apply(invert(transform), canonical_points())])
    return apply(transform, found.points)


def _wanted(event: Event, transforms: npt.NDArray[np.float64] | Places, fps: float, most: int) -> set[int]:
    """Most frames of the loop: spread evenly over the event and its margins, always with onset, apex and offset."""
    margin = round(MARGIN_S * fps)
    first, last = max(0, event.onset_frame - margin), min(len(transforms) - 1, event.offset_frame + margin)
    spread = np.unique(np.linspace(first, last, most - 3).round().astype(int))
    wanted = {int(i) for i in spread if np.isfinite(transforms[i]).all()}
    return wanted | {event.onset_frame, event.apex_frame, event.offset_frame}
