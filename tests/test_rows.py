"""Rows on the disk are what was put in, however they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fleeting import rows as module
from fleeting.errors import OutputError
from fleeting.rows import Rows, Shelf

KIND = np.dtype([("frame", "<i4"), ("values", "<f4", 3)])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_BYTES", 10 * KIND.itemsize)


def filled(count: int, folder: Path) -> tuple[Rows, np.ndarray]:
    table = np.zeros(count, KIND)
    table["frame"], table["values"] = np.arange(count), np.arange(3 * count).reshape(-1, 3)
    rows = Rows(KIND, folder=folder)
    rows.extend(table[: count // 2])
    for row in table[count // 2 :]:
        rows.append(row)
    return rows, table


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 57, 60])
def test_windows_of_rows(count: int, tmp_path: Path) -> None:
    rows, table = filled(count, tmp_path)
    assert len(rows) == count
    for window in (slice(None), slice(0, 3), slice(8, 12), slice(-1, None), slice(25, 55), slice(100, 110)):
        assert np.array_equal(rows[window], table[window])
    assert np.array_equal(rows.column("frame"), table["frame"])
    kept = rows.array()
    assert np.array_equal(kept, table)
    assert isinstance(kept, np.memmap) == (count >= 10)
    assert [p for p in tmp_path.iterdir() if p.name[0] != "."] == []


@pytest.mark.parametrize("length", [0, 4, 10, 33, 57])
def test_rows_that_are_forgotten(length: int, tmp_path: Path) -> None:
    rows, table = filled(57, tmp_path)
    assert np.array_equal(rows.cut(length), table[length:])
    rows.extend(table[:25])
    assert np.array_equal(rows[:], np.concatenate([table[:length], table[:25]]))


def test_rows_of_a_shape_of_their_own(tmp_path: Path) -> None:
    rows = Rows((np.float32, (2, 3)), folder=tmp_path)
    values = np.random.default_rng(0).normal(size=(70, 2, 3)).astype(np.float32)
    rows.extend(values)
    assert np.array_equal(rows[40:66], values[40:66])
    kept = rows.array()
    kept[3] = 7.0
    assert kept.shape == (70, 2, 3)


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    rows = Rows(KIND, folder=tmp_path / "gone")
    with pytest.raises(OutputError, match="gone"):
        rows.extend(np.zeros(20, KIND))


def test_things_on_the_disk(tmp_path: Path) -> None:
    shelf: Shelf[tuple[str, bytes]] = Shelf(folder=tmp_path)
    assert not shelf
    assert 3 not in shelf
    things = {7: ("seven", bytes(100_000)), 3: ("three", b""), 5: ("five", b"x" * 70)}
    for number, thing in things.items():
        shelf.put(number, thing)
    assert dict(shelf) == things
    assert list(shelf) == [3, 5, 7]
    assert 3 in shelf
    assert 4 not in shelf
    with pytest.raises(KeyError):
        shelf[4]
    assert not list(tmp_path.iterdir()), "the file has a name that people see"


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="gone"):
        Shelf[int](folder=tmp_path / "gone").put(0, 1)
