"""What a recogniser may look at of one event: its flow image, and all its frames with the head held still."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fleeting.faces.align import CANONICAL_WIDTH, align, rescaled
from fleeting.motion.registration import Registration
from fleeting.records import Event
from fleeting.settings import MotionSettings
from fleeting.spotting.measurements import Places
from fleeting.video.stream import VideoReader

MOST_FRAMES = 256
"""A longer event is thinned out evenly to so many frames, always with its apex; as `datasets.clip_motion` does."""


@dataclass(frozen=True, slots=True)
class EventView:
    """One event as recognisers see it.

    Attributes
    ----------
    flow_image
        (28, 28, 3) uint8 of onset -> apex (`motion.flow_image`).
    crops
        (t, 170, 140) uint8 grey canonical crops from onset to offset, both included, the head held as at the onset;
        (0, 170, 140) where no recogniser asked for them.
    apex
        Place of the apex in `crops`.
    fps
        Frames per second of the video.
    """

    flow_image: npt.NDArray[np.uint8]
    crops: npt.NDArray[np.uint8]
    apex: int = 0
    fps: float = 0.0


def bare(flow_image: npt.NDArray[np.uint8]) -> EventView:
    """Return a view without frames."""
    return EventView(flow_image, np.zeros((0, 170, CANONICAL_WIDTH), np.uint8))


def with_frames(
    view: EventView,
    reader: VideoReader,
    event: Event,
    transforms: npt.NDArray[np.float64] | Places,
    settings: MotionSettings,
) -> EventView:
    """Return the view with the event's frames, read from the video once more.

    Each frame is registered to the onset's crop by flow, from the place of the frame before it.

    Parameters
    ----------
    view
        Without frames.
    reader
        The video.
    event
        A micro- or macro-expression.
    transforms
        (n, 2, 3) from frame to crop of `settings.crop_width`, for every frame of the video; NaN where the face was not
        seen. Such frames are left out.
    settings
        Flow method and width of the crops.
    """
    wanted = [i for i in _places(event) if np.isfinite(transforms[i]).all()]
    transform = rescaled(transforms[event.onset_frame], CANONICAL_WIDTH / settings.crop_width)
    registration: Registration | None = None
    crops: list[npt.NDArray[np.uint8]] = []
    seen: list[int] = []
    for frame in reader.frames(event.onset_frame, event.offset_frame):
        if frame.index not in wanted:
            continue
        if registration is None:
            registration = Registration(align(frame.grey, transform), method=settings.flow)
        transform = registration.step(frame.grey, transform).transform
        crops.append(align(frame.grey, transform))
        seen.append(frame.index)
    apex = int(np.argmin(np.abs(np.array(seen) - event.apex_frame)))
    return replace(view, crops=np.stack(crops), apex=apex, fps=reader.info.fps)


def _places(event: Event) -> list[int]:
    count = event.offset_frame - event.onset_frame + 1
    if count <= MOST_FRAMES:
        return list(range(event.onset_frame, event.offset_frame + 1))
    spread = np.linspace(event.onset_frame, event.offset_frame, MOST_FRAMES).round().astype(int)
    return sorted({*map(int, spread), event.apex_frame})
