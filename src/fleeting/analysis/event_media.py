"""The pictures of one event: crops, flow image for the recogniser, and the magnified loop for the report."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fleeting.analysis.event_frames import MARGIN_S, Taken
from fleeting.analysis.pictures import Format, Views
from fleeting.faces.align import CANONICAL_WIDTH, align, canonical_points, crop_size, rescaled
from fleeting.faces.crop import apply, cut, invert
from fleeting.faces.landmarks import LandmarkNet
from fleeting.motion.flow import dense_flow
from fleeting.motion.flow_image import flow_image
from fleeting.motion.magnification import magnify
from fleeting.motion.registration import Registration
from fleeting.naming.expression_net import SIZE, expression_transform
from fleeting.settings import MotionSettings

LOOP_S = 1.6
"""Time in which the loop is played once: slower than life, so that an eye can follow."""

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


def picture_event(frames: Taken, settings: MotionSettings, *, form: Format | None) -> EventPictures:
    """Look at the frames of an event once more.

    All crops stand as the face stood at the onset. The apex is registered to the onset's crop by flow; the other frames
    of the loop stand where the first look found the head still.

    Parameters
    ----------
    frames
        Of the event.
    settings
        Flow methods.
    form
        Size of the views; None where none are to be made.
    """
    event = frames.task.event
    if event.apex_frame == event.onset_frame:
        raise ValueError(f"Expected an apex after the onset; got both in frame {event.onset_frame}.")
    onset, grey = frames.grey[event.onset_frame], frames.grey[event.apex_frame]
    transform = frames.placed[event.onset_frame]
    registration = Registration(align(onset, transform), method=settings.flow)
    # From the onset's place at once, whether or not the frames between are looked at: the class is the same.
    apex = registration.measured_by(settings.event_flow, registration.step(grey, transform))
    flow = apex.flow
    image = flow_image(flow)
    face = cut(grey, expression_transform(apex.transform), size=SIZE)
    before = cut(onset, expression_transform(transform), size=SIZE)
    if form is None:
        return EventPictures(image, face, before, None)
    placed = frames.placed | {event.apex_frame: apex.transform}
    crops = {
        i: align(picture, rescaled(placed[i], form.width / CANONICAL_WIDTH), width=form.width)
        for i, picture in frames.rgb.items()
    }
    sequence = np.stack([crops[i] for i in sorted(crops)])
    strongest = float(np.percentile(np.linalg.norm(flow, axis=2), 98))
    factor = float(np.clip(VISIBLE_PX / max(strongest, 0.1), LEAST, MOST))
    rate = len(sequence) / max(event.duration_s + 2 * MARGIN_S, 1e-3)
    shown = (event.onset_frame, event.apex_frame, event.offset_frame)
    landmarks = tuple(_seen_points(frames.grey[i], placed[i]) for i in shown)
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
            face=cut(
                frames.rgb[event.apex_frame], expression_transform(apex.transform, size=FACE_SIDE), size=FACE_SIDE
            ),
            landmarks=landmarks,
        ),
    )


def open_networks(settings: MotionSettings) -> None:
    """Open what `picture_event` asks, so that the first event need not wait for it."""
    _landmark_net()
    nothing = np.zeros(crop_size(), np.uint8)
    dense_flow(nothing, nothing, method=settings.event_flow)


@lru_cache(maxsize=1)
def _landmark_net() -> tuple[LandmarkNet, threading.Lock]:
    return LandmarkNet(), threading.Lock()


def _seen_points(grey: npt.NDArray[np.uint8], transform: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Landmarks (68, 2) of a frame, in pixels of the canonical crop."""
    net, lock = _landmark_net()
    with lock:  # a network has one buffer
        (found,) = net.from_points(grey, [apply(invert(transform), canonical_points())])
    return apply(transform, found.points)
