"""The frames of events: what is decoded, what is kept, and where the face stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fleeting.analysis.event_frames import Task, taken
from fleeting.errors import VideoError
from fleeting.faces.align import align
from fleeting.faces.crop import apply
from fleeting.records import Event
from fleeting.settings import MotionSettings
from fleeting.video.frame import Frame

RATE, HEIGHT, WIDTH, LENGTH, KEYS = 50.0, 720, 960, 300, 50
AT = np.array([[0.8, 0.0, -250.0], [0.0, 0.8, -150.0]])
"""From the frame to the crop."""


class Film:
    """Noise that is another one in each frame; decoding begins at every fiftieth."""

    def __init__(self, length: int = LENGTH) -> None:
        self.info = SimpleNamespace(fps=RATE, width=WIDTH, height=HEIGHT)
        self.path, self.length = "film.mp4", length
        self.read: list[int] = []

    def key_before(self, index: int) -> int:
        return index // KEYS * KEYS

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        for index in range(first, min(last + 1, self.length)):
            self.read.append(index)
            yield Frame(index, index / RATE, picture(index))


def picture(index: int) -> Any:
    return np.random.default_rng(index).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


class Measured:
    """A face that stands still throughout."""

    time_s = np.arange(LENGTH) / RATE

    def part(self, frames: slice) -> Any:
        count = len(self.time_s[frames])
        return SimpleNamespace(run=np.zeros(count, int), transform=np.repeat(AT[None], count, 0))


def task(place: int, onset: int, apex: int, offset: int, loop: int = 10) -> Task:
    seconds = (onset / RATE, apex / RATE, offset / RATE)
    return Task(place, Event(0, "macro", onset, apex, offset, *seconds), loop)


def looked(film: Film, tasks: list[Task]) -> list[Any]:
    return list(taken(film, tasks, {0: Measured()}, MotionSettings()))  # type: ignore[arg-type, dict-item]


def test_frames_that_events_share_are_decoded_once() -> None:
    film = Film()
    found = looked(film, [task(0, 20, 30, 60), task(1, 40, 45, 50), task(2, 200, 210, 220), task(3, 65, 70, 75)])
    assert [one.task.place for one in found] == [1, 0, 3, 2]
    assert film.read == [*range(17, 79), *range(197, 224)]


def test_what_is_kept_shows_the_face_as_the_frame_does() -> None:
    (found,) = looked(Film(), [task(0, 20, 30, 60)])
    assert {20, 30, 60} <= set(found.grey) == set(found.rgb)
    rows, columns = found.window
    assert found.rgb[30].shape[0] < HEIGHT
    assert found.rgb[30].shape[1] < WIDTH
    assert (found.rgb[30] == picture(30)[rows, columns]).all()
    place = np.array([[100.0, 50.0]])
    assert apply(found.placed[30], place - [columns.start, rows.start]) == pytest.approx(apply(AT, place))
    difference = align(found.rgb[30], found.placed[30]).astype(int) - align(picture(30), AT)
    assert np.abs(difference).max() <= 1


def test_without_a_loop_onset_and_apex_are_enough() -> None:
    film = Film()
    (found,) = looked(film, [task(0, 20, 30, 60, loop=0)])
    assert sorted(found.grey) == [20, 30]
    assert not found.rgb
    assert film.read == list(range(20, 31))


def test_an_event_at_the_end_has_no_frames_beyond() -> None:
    film = Film()
    (found,) = looked(film, [task(0, 280, 290, LENGTH - 1)])
    assert max(found.grey) == LENGTH - 1


def test_a_film_that_ends_before_an_event_is_refused() -> None:
    with pytest.raises(VideoError, match="ends before"):
        looked(Film(length=50), [task(0, 20, 30, 60)])
