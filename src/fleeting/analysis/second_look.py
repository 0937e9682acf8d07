"""The frames of every event once more: its class, its action units and its pictures."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.analysis.event_frames import Taken, Task, taken
from fleeting.analysis.event_media import picture_event
from fleeting.analysis.pictures import MOST_MAPPED, Views, compressed, format_for, pictured
from fleeting.labels import SEVEN_CLASSES
from fleeting.naming.action_units import ActionUnitNet
from fleeting.naming.event_frames import bare, with_frames
from fleeting.naming.expression_net import ExpressionNet
from fleeting.naming.occlusion import occlusion_map
from fleeting.naming.systems import System, answers
from fleeting.naming.whole_face import named
from fleeting.records import LID_KINDS, Event, EventMedia, SystemAnswer
from fleeting.rows import Shelf
from fleeting.settings import AnalyseSettings
from fleeting.spotting.measurements import StoredMeasurements
from fleeting.video.ahead import ahead
from fleeting.video.stream import VideoReader

LOOKERS = 2
"""Events that are looked at at the same time; each holds some 20 frames."""

MAP_SQUARE, MAP_STRIDE = 12, 12
"""Squares of a card's map, pixels: coarser than those of `explain`, for a sixteenth of the work."""


def second_look(
    reader: VideoReader,
    events: Sequence[Event],
    measured: Mapping[int, StoredMeasurements],
    settings: AnalyseSettings,
    systems: Mapping[str, System],
    network: ExpressionNet | None,
    units: ActionUnitNet,
    *,
    pictures: bool,
    folder: Path | None = None,
) -> tuple[list[Event], Mapping[int, EventMedia]]:
    """Name all micro- and macro-expressions and make their pictures.

    Parameters
    ----------
    reader
        The video.
    events
        All events.
    measured
        By face.
    settings
        See `settings.AnalyseSettings`.
    systems
        What names micro-expressions, and macro-expressions whose whole face is not read or is neutral.
    network
        Reads the whole face at the apex.
    units
        Says which action units moved.
    pictures
        Whether to make pictures.
    folder
        Where the pictures lie until they are read; with the system's temporary files where None.

    Returns
    -------
    events, media
        All events, with classes; pictures by place in them.
    """
    expressions = [i for i, e in enumerate(events) if e.kind not in LID_KINDS]
    looked: dict[int, Event] = {}
    media: Shelf[EventMedia] = Shelf(folder=folder)
    ranked = pictured(events, expressions, most=settings.limits.pictured_events) if pictures else []
    shown, mapped = frozenset(ranked), frozenset(ranked[:MOST_MAPPED])
    form = format_for(len(shown))
    frames_too = any(system.needs_frames for system in systems.values())

    def look(frames: Taken) -> tuple[Event, EventMedia | None]:
        place, event = frames.task.place, frames.task.event
        found = picture_event(frames, settings.motion, form=form if place in shown else None)
        view = bare(found.flow_image)
        if frames_too:
            view = with_frames(view, reader, event, frames.transforms, settings.motion)
        event = replace(_answered(event, answers(systems, view)), action_units=units.of_flow_image(found.flow_image))
        views = found.views
        if network is not None:
            probabilities, before = network(np.stack([found.face, found.face_before]))
            if event.kind == "macro":
                event = named(event, probabilities, before, least=settings.expressions.min_probability)
            if views is not None and place in mapped:
                views = _mapped(views, found.face, network, probabilities)
        return event, None if views is None else compressed(views, quality=form.quality)

    def keep(place: int, answer: Future[tuple[Event, EventMedia | None]]) -> None:
        looked[place], made = answer.result()
        if made is not None:
            media.put(place, made)

    tasks = [Task(place, events[place], form.frames if place in shown else 0) for place in expressions]
    with (
        ThreadPoolExecutor(LOOKERS, "fleeting-look") as lookers,
        closing(ahead(taken(reader, tasks, measured, settings.motion), depth=1)) as frames,
    ):
        under_way: deque[tuple[int, Future[tuple[Event, EventMedia | None]]]] = deque()
        try:
            for one in frames:
                under_way.append((one.task.place, lookers.submit(look, one)))
                if len(under_way) > LOOKERS:  # what waits takes memory
                    keep(*under_way.popleft())
            while under_way:
                keep(*under_way.popleft())
        finally:
            lookers.shutdown(cancel_futures=True)
    return [looked.get(place, event) for place, event in enumerate(events)], media


def _answered(event: Event, said: Sequence[SystemAnswer]) -> Event:
    """Return the event with the first system's class, and with all answers where there are several."""
    return replace(
        event,
        emotion=said[0].emotion,
        probability=said[0].probability,
        probabilities=said[0].probabilities,
        systems=tuple(said) if len(said) > 1 else (),
    )


def _mapped(
    views: Views, face: npt.NDArray[np.uint8], network: ExpressionNet, probabilities: npt.NDArray[np.float32]
) -> Views:
    """Return the views with the map of what the expression at the apex rests on."""
    best = int(probabilities.argmax())
    found = occlusion_map(network, face, target=best, size=MAP_SQUARE, stride=MAP_STRIDE)
    return replace(
        views,
        saliency=found.fall,
        expression=SEVEN_CLASSES[best],
        expression_probability=float(probabilities[best]),
    )
