"""What a whole face shows, over time: read while a video streams by, and held against the events.

A face is read a few times a second: expressions last longer than that, and micro-expressions, which do not, are the
business of the flow. The network works in a thread of its own, a batch at a time, while the next frames are measured.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fleeting.errors import SettingsError
from fleeting.faces.align import crop_transform
from fleeting.faces.crop import cut
from fleeting.faces.track import Sighting
from fleeting.labels import NEUTRAL, SEVEN_CLASSES, TO_THREE, UNSURE
from fleeting.naming.expression_net import MOST_YAW_DEG, SIZE, expression_transform
from fleeting.records import LID_KINDS, Cut, Event, ExpressionCurve
from fleeting.settings import ExpressionSettings
from fleeting.video.frame import Frame

BATCH = 32
"""Faces that go through the network at once, where nobody waits for them."""

Network = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]

OPPOSITE = {"positive": "negative", "negative": "positive"}

RISE = 0.1
"""Rise in the probability of an expression from onset to apex below which it was there before the movement."""

LEAST_AROUND = 2
"""Readings around an event without which its surroundings are not known."""


class ExpressionMeter:
    """Reads the expressions of all faces of a video.

    Parameters
    ----------
    network
        From crops (n, 48, 48) uint8 to probabilities (n, 7).
    per_second
        Readings of each face a second, at most; None reads every frame.
    batch
        Faces that go through the network at once.

    Raises
    ------
    SettingsError
        For a rate that is not positive.
    """

    def __init__(self, network: Network, *, per_second: float | None = None, batch: int = BATCH) -> None:
        if per_second is not None and not per_second > 0:
            raise SettingsError("a positive number of readings a second", f"{per_second:g}", "Change per_second.")
        self._network, self._batch = network, batch
        self._step_s = 0.0 if per_second is None else 1.0 / per_second
        self._next_s: dict[int, float] = {}
        self._tracks, self._frames, self._times = array("i"), array("i"), array("d")
        self._crops: list[npt.NDArray[np.uint8]] = []
        self._worker = ThreadPoolExecutor(1, "fleeting-expressions")
        self._batches: list[Future[npt.NDArray[np.float32]]] = []
        self._dropped: list[tuple[int, int]] = []

    def add(self, frame: Frame, seen: Sequence[Sighting]) -> list[Sighting]:
        """Read the faces of the next frame that are due, and return them.

        Those among them that are turned far to a side are left out of the curves.
        """
        due = []
        for one in seen:
            due_s = self._next_s.get(one.track, frame.time_s)
            # A millionth of a second is the rounding of timestamps.
            if frame.time_s < due_s - 1e-6:
                continue
            due.append(one)
            # Kept on a grid, so that the mean rate is the one asked for; after a gap the grid begins anew.
            behind = frame.time_s >= due_s + self._step_s
            self._next_s[one.track] = (frame.time_s if behind else due_s) + self._step_s
            if abs(float(one.landmarks.pose[0])) > MOST_YAW_DEG:
                continue
            transform = expression_transform(crop_transform(one.landmarks.points))
            self._tracks.append(one.track)
            self._frames.append(frame.index)
            self._times.append(frame.time_s)
            self._crops.append(cut(frame.grey, transform, size=SIZE))
            if len(self._crops) == self._batch:
                self._send()
        return due

    def drop(self, first: int, end: int) -> None:
        """Leave what is read in the frames from `first` to before `end` out of the curves."""
        self._dropped.append((first, end))

    def curves(self) -> dict[int, ExpressionCurve]:
        """Return the curve of every face that was read, by its track, once all frames were seen."""
        found = self.so_far()
        self.close()
        return found

    def so_far(self) -> dict[int, ExpressionCurve]:
        """Return the curve of every face that was read, by its track; more frames may follow."""
        if self._crops:
            self._send()
        if not self._batches:
            return {}
        probabilities = np.concatenate([batch.result() for batch in self._batches])
        track, frame, time_s = np.array(self._tracks), np.array(self._frames, np.int32), np.array(self._times)
        kept = np.ones(len(track), bool)
        for first, end in self._dropped:
            kept &= (frame < first) | (frame >= end)
        return {
            int(k): ExpressionCurve(int(k), frame[of], time_s[of], probabilities[of])
            for k in np.unique(track[kept])
            for of in [kept & (track == k)]
        }

    def close(self) -> None:
        """End the thread, when what was sent to it is done."""
        self._worker.shutdown(wait=True)

    def _send(self) -> None:
        self._batches.append(self._worker.submit(self._network, np.stack(self._crops)))
        self._crops = []


def surroundings(
    event: Event,
    events: Sequence[Event],
    curve: ExpressionCurve,
    settings: ExpressionSettings,
    *,
    cuts: Sequence[Cut] = (),
) -> dict[str, float]:
    """Return the mean probability of every class over the face before and after an event.

    What counts is read within `settings.around_s` of its onset or offset, in its shot and in no micro-expression. A
    long expression during which the event flashes up is part of its surroundings.

    Parameters
    ----------
    event
        Any event.
    events
        All events of the video.
    curve
        Of the event's face.
    settings
        See `settings.ExpressionSettings`.
    cuts
        Of the video.

    Returns
    -------
    dict
        By class; empty where fewer than two readings are left.
    """
    time_s = curve.time_s
    near = (time_s >= event.onset_s - settings.around_s) & (time_s <= event.offset_s + settings.around_s)
    starts = [cut.frame for cut in cuts]
    near &= np.searchsorted(starts, curve.frame, "right") == np.searchsorted(starts, event.onset_frame, "right")
    brief = [e for e in events if e.face == event.face and e.kind == "micro"]
    for other in (event, *brief):
        near &= ~((time_s >= other.onset_s) & (time_s <= other.offset_s))
    if near.sum() < LEAST_AROUND:
        return {}
    mean = curve.probabilities[near].astype(np.float64).mean(0)
    return {name: float(p) for name, p in zip(SEVEN_CLASSES, mean, strict=True)}


def valence(probabilities: Mapping[str, float], side: str) -> float:
    """Return the probability of all classes that `labels.TO_THREE` counts to a side, ``positive`` or ``negative``."""
    return sum(p for name, p in probabilities.items() if TO_THREE.get(name) == side)


def contradiction(event: Event, around: Mapping[str, float], *, least: float) -> bool:
    """Whether a micro-expression says the opposite of the face around it.

    The rule: it is named positive or negative with a probability of at least `least`, and the face before and after it
    shows the opposite (happy; or angry, disgust, fear and sad together) with a mean probability of at least `least`.
    Surprise and neutral contradict nothing.

    Parameters
    ----------
    event
        Named by a recogniser.
    around
        Of `surroundings`.
    least
        `settings.ExpressionSettings.min_contradiction`.
    """
    opposite = OPPOSITE.get(TO_THREE.get(event.emotion or "", ""))
    if event.kind != "micro" or opposite is None or event.probability is None:
        return False
    return event.probability >= least and valence(around, opposite) >= least


def named(
    event: Event, probabilities: npt.NDArray[np.float32], before: npt.NDArray[np.float32], *, least: float
) -> Event:
    """Return a macro-expression with the class that came over the whole face with it.

    A face that moves is not neutral, however small the movement is beside what the whole face shows; and what it showed
    before is not what the movement shows, as when brows go up in a smile. Where the whole face is read as neutral at
    the apex, or as at the onset (a rise of less than `RISE`), the event keeps the class that a recogniser of movements
    gave it, and is "unsure" where none did.

    Parameters
    ----------
    event
        A macro-expression, named by its movement where a recogniser was asked.
    probabilities
        (7,) of `labels.SEVEN_CLASSES` at its apex.
    before
        (7,) at its onset.
    least
        `settings.ExpressionSettings.min_probability`.
    """
    best = int(probabilities.argmax())
    came = SEVEN_CLASSES[best] != NEUTRAL and probabilities[best] - before[best] >= RISE
    if not came and event.emotion is not None:
        return event
    sure = came and probabilities[best] >= least
    return replace(
        event,
        emotion=SEVEN_CLASSES[best] if sure else UNSURE,
        probability=float(probabilities[best]),
        probabilities={name: float(p) for name, p in zip(SEVEN_CLASSES, probabilities, strict=True)},
    )


def with_surroundings(
    events: Sequence[Event],
    curves: Mapping[int, ExpressionCurve],
    settings: ExpressionSettings,
    *,
    cuts: Sequence[Cut] = (),
) -> list[Event]:
    """Return the events with what the face shows around each, and whether it contradicts that; but no blinks."""
    found = []
    for event in events:
        if event.kind not in LID_KINDS and event.face in curves:
            around = surroundings(event, events, curves[event.face], settings, cuts=cuts)
            contradicts = contradiction(event, around, least=settings.min_contradiction)
            event = replace(event, surroundings=around, contradicts=contradicts)
        found.append(event)
    return found
