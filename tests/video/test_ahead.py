"""Work in threads gives what a plain loop gives, and ends when it is no longer wanted."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from video_files import number_of, write_numbered

from fleeting.analysis.first_look import depth_for, staged
from fleeting.video.ahead import ahead
from fleeting.video.reader import open_video


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("depth", [1, 2, 50])
def test_order_is_kept(depth: int) -> None:
    assert list(ahead(range(300), depth=depth)) == list(range(300))
    assert list(ahead(ahead(range(300), depth=depth), depth=3)) == list(range(300))
    assert list(ahead([], depth=depth)) == []


def test_a_depth_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="depth of at least 1"):
        ahead([1], depth=0)


def test_no_more_is_made_than_there_is_room_for() -> None:
    made: list[int] = []
    waited = threading.Event()

    def items() -> Iterator[int]:
        for i in range(100):
            made.append(i)
            if i == 4:
                waited.set()
            yield i

    stage = ahead(items(), depth=3)
    assert next(stage) == 0
    # One is taken, three lie ready, one waits for room.
    assert waited.wait(10)
    for taken in range(1, 20):
        assert max(made) <= taken + 4
        assert next(stage) == taken
    stage.close()
    assert max(made) <= 19 + 5


def test_an_error_comes_after_what_was_made_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise KeyError("the sixth")

    stage = ahead(ahead(items(), depth=2), depth=2)
    assert [next(stage) for _ in range(5)] == list(range(5))
    with pytest.raises(KeyError, match="the sixth"):
        next(stage)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_closing_ends_the_thread_and_what_it_iterates(taken: int) -> None:
    closed = threading.Event()

    def items() -> Generator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    stage = ahead(items(), depth=4)
    assert [next(stage) for _ in range(taken)] == list(range(taken))
    stage.close()
    assert closed.is_set() == (taken > 0)
    assert next(stage, None) is None


def test_an_error_of_the_taker_ends_the_thread() -> None:
    def taker() -> int:
        with closing(ahead(range(10**9), depth=2)) as stage:
            return sum(1 // (item - 3) for item in stage)

    with pytest.raises(ZeroDivisionError):
        taker()


class Item:
    pass


def test_what_was_taken_is_let_go() -> None:
    made: list[weakref.ref[Item]] = []

    def items() -> Iterator[Item]:
        for _ in range(30):
            one = Item()
            made.append(weakref.ref(one))
            yield one
            del one

    alive = 0
    for _ in ahead(items(), depth=2):
        alive = max(alive, sum(ref() is not None for ref in made))
    assert len(made) == 30
    assert alive <= 5


class NoFaces:
    def __init__(self) -> None:
        self.looked: list[int] = []

    def detector(self, grey: np.ndarray) -> list[object]:
        return []

    def update(self, index: int, time_s: float, grey: np.ndarray) -> list[object]:
        self.looked.append(index)
        return []


def test_frames_pass_all_stages_in_order(tmp_path: Path) -> None:
    tracker = NoFaces()
    with open_video(write_numbered(tmp_path / "a.mp4", 60, rate=200)) as reader:
        steps = list(staged(reader, tracker, depth=2))  # type: ignore[arg-type]
    assert [number_of(f.grey) for f, _ in steps] == list(range(60))
    assert tracker.looked == [*range(0, 60, 4), 59]


def test_closing_in_the_middle_frees_the_video(tmp_path: Path) -> None:
    with open_video(write_numbered(tmp_path / "a.mp4", 200, rate=200)) as reader:
        steps = staged(reader, NoFaces(), depth=2)  # type: ignore[arg-type]
        next(steps)
        steps.close()
        assert next(iter(reader)).index == 0


def test_memory_of_waiting_frames_is_bounded() -> None:
    assert depth_for(192, 192) == 16
    assert depth_for(640, 360) == 16
    assert depth_for(3840, 2160) == 2
    for width, height in [(1280, 720), (1920, 1080)]:
        assert depth_for(width, height) * width * height * 2.5 <= 48e6
