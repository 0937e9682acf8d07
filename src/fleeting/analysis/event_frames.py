"""The frames of events, read once more: a stretch of a film that several events share is decoded once.

Of each frame only the surroundings of the face are kept, so events that wait for their last frame take little memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fleeting.errors import VideoError
from fleeting.faces.align import CANONICAL_WIDTH, crop_size, rescaled, to_frame
from fleeting.records import Event
from fleeting.settings import MotionSettings
from fleeting.spotting.measurements import Places, StoredMeasurements
from fleeting.video.frame import Frame, Image
from fleeting.video.stream import VideoReader

MARGIN_S = 0.06
"""Rest that is shown before the onset and after the offset."""

AROUND = 0.5
"""What is kept around the canonical crop, in its widths: the crops that the networks see lie within."""

GRID = 48
"""A window begins at multiples of so many pixels: faces that are scaled down average the same pixels as in a frame."""

Transform = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Task:
    """An event whose frames are wanted.

    Attributes
    ----------
    place
        Of the event in its list.
    event
        A micro- or macro-expression.
    loop
        Most frames of its loop; 0 where none is made: then onset and apex are enough.
    """

    place: int
    event: Event
    loop: int

    def reach(self, fps: float) -> tuple[int, int]:
        """First and last frame that may be wanted; the film may end before."""
        if not self.loop:
            return self.event.onset_frame, self.event.apex_frame
        margin = round(MARGIN_S * fps)
        return max(0, self.event.onset_frame - margin), self.event.offset_frame + margin


@dataclass(slots=True)
class Taken:
    """The frames of one event, each cut to the same window.

    Attributes
    ----------
    task
        Whose they are.
    transforms
        From every frame of the video to the crop of the first look, as `picture_event` takes them.
    placed
        (2, 3) from the window to the canonical crop of width 140, by frame: where the first look found the head still.
        A frame in which no face was seen stands as the one before.
    window
        Rows and columns of the frame.
    grey, rgb
        (h, w) and (h, w, 3) uint8 by frame; no colour where there is no loop.
    """

    task: Task
    transforms: Places
    placed: dict[int, Transform]
    window: tuple[slice, slice]
    grey: dict[int, Image] = field(default_factory=dict)
    rgb: dict[int, Image] = field(default_factory=dict)

    def take(self, frame: Frame) -> bool:
        """Keep a frame if it is wanted, and say whether it is the last one."""
        if frame.index in self.placed:
            self.grey[frame.index] = frame.grey[self.window].copy()
            if self.task.loop:
                self.rgb[frame.index] = frame.rgb[self.window].copy()
        return frame.index >= max(self.placed)


def taken(
    reader: VideoReader, tasks: Sequence[Task], measured: Mapping[int, StoredMeasurements], settings: MotionSettings
) -> Generator[Taken]:
    """Yield the events with their frames, those that end first before the others.

    Parameters
    ----------
    reader
        The video.
    tasks
        In any order.
    measured
        By face.
    settings
        For the width of the first look's crops.
    """
    for stretch in _stretches(reader, tasks):
        last = max(task.reach(reader.info.fps)[1] for task in stretch)
        count = len(measured[stretch[0].event.face].time_s)
        waiting, under_way = deque(stretch), list[Taken]()
        first = waiting[0].reach(reader.info.fps)[0]
        for frame in reader.frames(first, min(last, count - 1)):
            while waiting and waiting[0].reach(reader.info.fps)[0] <= frame.index:
                task = waiting.popleft()
                under_way.append(_begun(reader, task, measured[task.event.face], settings))
            whole = [one for one in under_way if one.take(frame)]
            under_way = [one for one in under_way if one not in whole]
            yield from whole
        if waiting or under_way:
            raise VideoError(f"a film with frame {last}", f"{reader.path}, which ends before it", "Check the file.")


def _stretches(reader: VideoReader, tasks: Sequence[Task]) -> list[list[Task]]:
    """Events in order, together where decoding for the next one would begin before the last one has ended."""
    stretches: list[list[Task]] = []
    end = -1
    for task in sorted(tasks, key=lambda task: task.reach(reader.info.fps)):
        first, last = task.reach(reader.info.fps)
        if stretches and reader.key_before(first) <= end:
            stretches[-1].append(task)
        else:
            stretches.append([task])
        end = max(end, last)
    return stretches


def _begun(reader: VideoReader, task: Task, measured: StoredMeasurements, settings: MotionSettings) -> Taken:
    transforms = Places(measured, task.event)
    placed = _placed(sorted(_wanted(task, transforms, reader.info.fps)), transforms, settings)
    window, origin = _window(list(placed.values()), (reader.info.height, reader.info.width))
    for transform in placed.values():
        transform[:, 2] += transform[:, :2] @ origin
    return Taken(task, transforms, placed, window)


def _wanted(task: Task, transforms: Places, fps: float) -> set[int]:
    """Most frames of the loop: spread evenly over the event and its margins, always with onset, apex and offset."""
    event = task.event
    if not task.loop:
        return {event.onset_frame, event.apex_frame}
    first, last = task.reach(fps)
    spread = np.unique(np.linspace(first, min(last, len(transforms) - 1), task.loop - 3).round().astype(int))
    wanted = {int(i) for i in spread if np.isfinite(transforms[i]).all()}
    return wanted | {event.onset_frame, event.apex_frame, event.offset_frame}


def _placed(frames: Sequence[int], transforms: Places, settings: MotionSettings) -> dict[int, Transform]:
    scale = CANONICAL_WIDTH / settings.crop_width
    placed: dict[int, Transform] = {}
    last = next(transforms[i] for i in frames if np.isfinite(transforms[i]).all())
    for index in frames:
        last = transforms[index] if np.isfinite(transforms[index]).all() else last
        placed[index] = rescaled(last, scale)
    return placed


def _window(placed: Sequence[Transform], shape: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """Rows and columns of the frame that hold the face in all of its places, and x and y with which they begin."""
    height, width = crop_size()
    low, high = -AROUND * CANONICAL_WIDTH, AROUND * CANONICAL_WIDTH
    rim = np.array([(x, y) for x in (low, width + high) for y in (low, height + high)])
    corners = np.concatenate([to_frame(rim, transform) for transform in placed])
    size = np.array(shape[::-1])
    first = np.clip(np.floor(corners.min(0) / GRID) * GRID, 0, (size - 1) // GRID * GRID).astype(int)
    stop = np.clip(np.ceil(corners.max(0)), first + 1, size).astype(int)
    (x, y), (right, bottom) = first.tolist(), stop.tolist()
    return (slice(y, bottom), slice(x, right)), (x, y)
