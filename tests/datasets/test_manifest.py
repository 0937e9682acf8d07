from __future__ import annotations

from pathlib import Path

import dataset_tables as make
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.datasets.manifest import COLUMNS, Correction, Manifest, ManifestRow, checked, joined
from fleeting.datasets.manifest_files import corrections_path, read_manifest, write_manifest
from fleeting.datasets.registry import named_data
from fleeting.errors import DataError, SettingsError
from fleeting.records.action_units import ActionUnit

ROW = ManifestRow(
    "x", "01", 'a, "b"\nc', "v", "p#1", 29.97, 3, None, 9, (ActionUnit(4, "left", "B"),), "fear", "micro", 1
)
FIX = Correction("01/a", "apex", "/", "unknown", "The table does not know it.")
PICTURE = ManifestRow("fer", "007", "7", "7", "f#7", 0.0, emotion="happy", type="")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_manifest_reads_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"manifest{suffix}"
    made = Manifest((ROW, PICTURE), (FIX,))
    assert write_manifest(made, path) == [path, tmp_path / f"manifest.corrections{suffix}"]
    again = read_manifest(path)
    assert again.rows == made.rows, "text such as 007 stays text"
    assert again.corrections == made.corrections
    assert corrections_path(path).exists()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_data_set_reads_back(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("openpyxl", reason="Excel tables come with the extra research")
    made = named_data(f"samm={make.samm(tmp_path)}").read()
    write_manifest(made, tmp_path / f"m{suffix}")
    again = read_manifest(tmp_path / f"m{suffix}")
    assert again.rows == made.rows
    assert again.corrections == made.corrections


FRAMES = st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500)).map(sorted)


@settings(deadline=None)
@given(st.lists(st.tuples(FRAMES, st.booleans()), min_size=1, max_size=5))
def test_frames_read_back(tmp_path_factory: pytest.TempPathFactory, clips: list[tuple[list[int], bool]]) -> None:
    rows = tuple(
        ManifestRow("x", "s", str(i), "v", "p", 200.0, onset, apex if known else None, offset)
        for i, ((onset, apex, offset), known) in enumerate(clips)
    )
    path = tmp_path_factory.mktemp("m") / "m.csv"
    write_manifest(Manifest(rows), path)
    assert read_manifest(path).rows == rows


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"onset": "9.5"}, "onset 9.5 is no whole frame"),
        ({"apex": "20"}, "onset <= apex <= offset; got 3, 20, 9"),
        ({"offset": ""}, "both onset and offset"),
        ({"fps": "fast"}, "could not convert"),
        ({"fps": ""}, "fps"),
        ({"type": "huge"}, "type of micro, macro"),
    ],
)
def test_wrong_cells_are_named(tmp_path: Path, change: dict[str, str], says: str) -> None:
    names = ("dataset", "subject", "clip", "path", "fps", "onset", "apex", "offset", "emotion", "type")
    cells = dict(zip(names, ("x", "s", "c", "p", "30", "3", "5", "9", "fear", "micro"), strict=True))
    cells |= change
    (tmp_path / "m.csv").write_text(",".join(cells) + "\n" + ",".join(cells.values()) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"(?s)row 2 of m.csv.*{says}"):
        read_manifest(tmp_path / "m.csv")


def test_wrong_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"manifest file \(.csv, .parquet\); got 'm.txt'"):
        write_manifest(Manifest((ROW,)), tmp_path / "m.txt")
    (tmp_path / "m.csv").write_text("dataset,clip\nx,c\n", encoding="utf-8")
    with pytest.raises(DataError, match="columns subject, path, fps, onset, offset, emotion"):
        read_manifest(tmp_path / "m.csv")
    with pytest.raises(DataError, match="readable table"):
        read_manifest(tmp_path / "gone.csv")


def test_ids_are_unique() -> None:
    other = ManifestRow("x", "01", ROW.clip, "v", "p#1", 29.97, 3, None, 10, emotion="fear")
    with pytest.raises(DataError, match="that differ in offset, action_units, first_number"):
        checked([ROW, other], [], ["t"])
    once = joined([Manifest((ROW,)), Manifest((ROW, PICTURE), (FIX,))])
    assert once.rows == (ROW, PICTURE)
    assert [c.now for c in once.corrections] == ["unknown", "left out"]
    with pytest.raises(DataError, match="at least one clip; got none in t"):
        checked([], [], ["t"])


@pytest.mark.parametrize(
    ("onset", "apex", "offset"), [(5, 4, 9), (5, 10, 9), (-1, None, 9), (5, None, 4), (None, 3, 9)]
)
def test_impossible_rows_cannot_be_made(onset: int | None, apex: int | None, offset: int) -> None:
    with pytest.raises(ValueError, match="Expected"):
        ManifestRow("x", "s", "c", "v", "p", 30.0, onset, apex, offset)


def test_columns_are_those_that_users_are_told() -> None:
    assert COLUMNS == (
        "dataset", "subject", "clip", "source_video", "path", "fps", "onset", "apex", "offset", "action_units",
        "emotion", "type", "first_number",
    )  # fmt: skip
