from __future__ import annotations

import tempfile
import weakref
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from fleeting.analysis.media_store import MediaStore
from fleeting.errors import OutputError
from fleeting.records import EventMedia


def media(seed: int) -> EventMedia:
    rng = np.random.default_rng(seed)
    stills = [rng.integers(0, 255, (17, 14, 3), np.uint8) for _ in range(3)]
    loop = rng.integers(0, 255, (5 + seed, 17, 14, 3), np.uint8)
    return EventMedia(
        *stills, loop=loop, loop_fps=12.5, flow=rng.normal(size=(17, 14, 2)).astype("f4"), magnification=8
    )


def test_pictures_come_back_as_they_were() -> None:
    store = MediaStore()
    assert not store
    for place in (4, 1, 9):
        store.add(place, media(place))
    _ = store[4]
    store.add(2, media(2))
    assert list(store) == [4, 1, 9, 2]
    for place, found in store.items():
        for field in fields(EventMedia):
            value, expected = getattr(found, field.name), getattr(media(place), field.name)
            np.testing.assert_array_equal(value, expected)
            assert np.asarray(value).dtype == np.asarray(expected).dtype
    store[1].loop[:] = 0
    assert store[1].loop.any()
    with pytest.raises(KeyError, match="3"):
        store[3]


def test_no_picture_is_kept_in_memory() -> None:
    class Kept(np.ndarray):
        pass

    loop = np.zeros((3, 17, 14, 3), np.uint8).view(Kept)
    gone = weakref.ref(loop)
    one = media(0)
    store = MediaStore()
    store.add(0, EventMedia(one.onset, one.apex, one.offset, loop, 1.0, one.flow, 1.0))
    del loop
    assert gone() is None
    assert store[0].loop.shape == (3, 17, 14, 3)


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def close(self) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            def refuse(*args: object) -> int:
                raise OSError(28, "No space left on device")

            return refuse

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **kwargs: Full())
    with pytest.raises(OutputError, match="No space left on device"):
        MediaStore().add(0, media(0))
