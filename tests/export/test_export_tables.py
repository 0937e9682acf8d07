"""events.csv, BIDS, MEGC, BORIS, signals: read back by other means than they were written with."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timelines import PLAN, make_timeline

from fleeting.errors import MissingExtraError, OutputError, SettingsError
from fleeting.export.formats import DEFAULT_FORMATS, FORMATS, check_formats, write
from fleeting.export.lanes import lanes
from fleeting.export.signals import COLUMNS
from fleeting.records import REGIONS, Event, Timeline


@pytest.fixture(scope="module")
def timeline() -> Timeline:
    return make_timeline(faces=2)


def empty(timeline: Timeline) -> Timeline:
    return replace(timeline, events=(), tracks=(), signals=())


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_writes_what_it_says_and_nothing_else(timeline: Timeline, tmp_path: Path, name: str) -> None:
    paths = write(timeline, tmp_path / "out", [name])
    assert paths
    assert sorted(paths) == sorted((tmp_path / "out").iterdir())
    assert all(p.stat().st_size for p in paths)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_stands_a_timeline_in_which_nothing_was_found(
    timeline: Timeline, tmp_path: Path, name: str
) -> None:
    assert all(p.is_file() for p in write(empty(timeline), tmp_path, [name]))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_leaves_nothing_where_the_disk_is_full(
    timeline: Timeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fleeting.files._flush", full)
    with pytest.raises(OutputError, match="full disk"):
        write(timeline, tmp_path, [name])
    assert list(tmp_path.iterdir()) == []


def test_formats_are_chosen_by_name(timeline: Timeline, tmp_path: Path) -> None:
    assert [p.name for p in write(timeline, tmp_path)] == ["events.csv", "timeline.json", "timeline.npz",
        "signals.csv.gz", "events.eaf", "events.tsv", "events.json", "events.boris", "boris_events.csv",
        "megc_spotting.csv", "megc_recognition.csv",
    ]  # fmt: skip
    assert check_formats(["bids", "csv", "bids"]) == ("bids", "csv")
    assert check_formats(["csv", "all"]) == tuple(FORMATS)
    assert set(DEFAULT_FORMATS) <= set(FORMATS)


def test_an_unknown_format_writes_nothing(timeline: Timeline, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'elan'"):
        write(timeline, tmp_path / "out", ["csv", "elam"])
    assert not (tmp_path / "out").exists()


def test_events_csv_has_exactly_the_promised_header(timeline: Timeline, tmp_path: Path) -> None:
    text = write(timeline, tmp_path, ["csv"])[0].read_text()
    assert text.splitlines()[0] == (
        "face,kind,onset_frame,apex_frame,offset_frame,onset_s,apex_s,offset_s,emotion,probability,regions,"
        "displacement_percent_iod,confidence,speaking,action_units,action_unit_probabilities"
    )
    assert text.splitlines()[1] == "0,blink,180,196,224,0.9,0.98,1.12,,,left_lid+right_lid,6,0.99,False,,"
    assert "\r" not in text
    assert text.endswith("\n")


def test_events_csv_says_the_same_as_the_data_frame(timeline: Timeline, tmp_path: Path) -> None:
    path = write(timeline, tmp_path, ["csv"])[0]
    read = pd.read_csv(path)
    expected = timeline.to_dataframe()
    assert len(read) == 2 * len(PLAN)
    assert list(read.columns) == list(expected.columns)
    assert expected["speaking"].any()
    for column in ("face", "kind", "onset_frame", "apex_frame", "offset_frame", "regions", "speaking"):
        assert read[column].tolist() == expected[column].tolist()
    for column in ("onset_s", "apex_s", "offset_s", "probability", "displacement_percent_iod", "confidence"):
        np.testing.assert_allclose(read[column], expected[column].astype(float), atol=1e-6)
    assert read["emotion"].isna().tolist() == expected["emotion"].isna().tolist()


def test_numbers_without_a_value_are_empty_cells(timeline: Timeline, tmp_path: Path) -> None:
    bare = Event(0, "micro", 1, 2, 3, 1 / 30, 2 / 30, 3 / 30, probability=math.nan)
    small = replace(bare, displacement_percent_iod=np.float32(0.12345), confidence=1e-9)  # type: ignore[arg-type]
    path = write(replace(timeline, events=(bare, small)), tmp_path, ["csv"])[0]
    rows = path.read_text().splitlines()
    assert rows[1] == "0,micro,1,2,3,0.033333,0.066667,0.1,,,,,,False,,"
    assert rows[2] == "0,micro,1,2,3,0.033333,0.066667,0.1,,,,0.123,0,False,,"


def test_bids_tells_seconds_and_describes_every_column(timeline: Timeline, tmp_path: Path) -> None:
    table, sidecar = write(timeline, tmp_path, ["bids"])
    assert (table.name, sidecar.name) == ("events.tsv", "events.json")
    read = pd.read_csv(table, sep="\t", keep_default_na=False)
    assert list(read.columns[:3]) == ["onset", "duration", "trial_type"]
    first = timeline.events[1]
    row = read.iloc[1]
    assert float(row["onset"]) == pytest.approx(first.onset_s)
    assert float(row["duration"]) == pytest.approx(first.offset_s - first.onset_s)
    assert set(read["trial_type"]) == {"micro", "macro", "blink"}
    assert read.loc[read["trial_type"] == "blink", "emotion"].unique().tolist() == ["n/a"]
    assert "" not in read.to_numpy()
    described = json.loads(sidecar.read_text())
    assert set(described) == set(read.columns)
    assert set(described["trial_type"]["Levels"]) == {"micro", "macro", "blink", "wink"}


def test_megc_tables(timeline: Timeline, tmp_path: Path) -> None:
    spotting, recognition = (pd.read_csv(p) for p in write(timeline, tmp_path, ["megc"]))
    assert list(spotting.columns) == ["vid", "pred_onset", "pred_offset", "type"]
    assert spotting["type"].value_counts().to_dict() == {"me": 8, "mae": 2}
    micro = [e for e in timeline.events if e.kind == "micro"]
    assert spotting.loc[spotting["type"] == "me", "pred_onset"].tolist() == [e.onset_frame for e in micro]
    assert list(recognition.columns) == ["subject", "video", "onset", "offset", "emotion"]
    assert recognition["offset"].tolist() == [e.offset_frame for e in micro]
    by_onset = dict(zip(recognition["onset"], recognition["emotion"], strict=True))
    assert by_onset[round(5.0 * 200)] == "others"  # the recogniser was unsure
    assert by_onset[round(13.2 * 200)] == "negative"


def boris_intervals(project: dict) -> list[tuple[str, str, float, float]]:
    """Pair state events as BORIS does: the n-th entry of a subject, code and modifier starts where n is odd."""
    (observation,) = project["observations"].values()
    waiting: dict[tuple, float] = {}
    intervals = []
    for time, subject, code, modifier, _comment, _frame in observation["events"]:
        key = (subject, code, modifier)
        if key in waiting:
            intervals.append((subject, code, waiting.pop(key), time))
        else:
            waiting[key] = time
    assert not waiting, "an event without an end"
    return sorted(intervals)


def test_boris_project_pairs_to_the_events(timeline: Timeline, tmp_path: Path) -> None:
    project = json.loads(write(timeline, tmp_path, ["boris"])[0].read_text())
    assert project["project_format_version"] == "7.0"
    expected = sorted((f"face{e.face}", e.kind, e.onset_s, e.offset_s) for e in timeline.events)
    for got, want in zip(boris_intervals(project), expected, strict=True):
        assert got == pytest.approx(want)
    codes = {b["code"] for b in project["behaviors_conf"].values()}
    subjects = {s["name"] for s in project["subjects_conf"].values()}
    (observation,) = project["observations"].values()
    assert {e[2] for e in observation["events"]} <= codes
    assert {e[1] for e in observation["events"]} <= subjects
    assert all(b["type"] == "State event" for b in project["behaviors_conf"].values())
    media = observation["file"]["1"][0]
    assert Path(media).is_absolute()
    assert set(observation["media_info"]["length"]) == {media}
    modifiers = set(project["behaviors_conf"]["0"]["modifiers"]["0"]["values"])
    assert {e[3] for e in observation["events"]} - {""} <= modifiers
    coded = [e[3] for e in observation["events"] if e[2] == "micro" and e[4]]  # only the start has a comment
    assert sorted(coded) == sorted(e.emotion for e in timeline.of_kind("micro"))
    assert {e[3] for e in observation["events"] if e[2] == "blink"} == {""}


def test_boris_keeps_overlapping_events_apart(timeline: Timeline, tmp_path: Path) -> None:
    one = timeline.of_kind("micro")[0]
    two = replace(one, onset_frame=one.onset_frame + 2, onset_s=one.onset_s + 0.01, offset_s=one.offset_s + 0.1)
    still = Event(0, "blink", 9, 9, 9, 0.045, 0.045, 0.045)
    project = json.loads(write(replace(timeline, events=(one, two, still)), tmp_path, ["boris"])[0].read_text())
    spans = {(code, round(start, 3), round(end, 3)) for _, code, start, end in boris_intervals(project)}
    assert spans == {
        ("micro", one.onset_s, one.offset_s),
        ("micro 2", round(two.onset_s, 3), round(two.offset_s, 3)),
        ("blink", 0.045, 0.046),
    }
    assert "micro 2" in {b["code"] for b in project["behaviors_conf"].values()}


@settings(deadline=None)  # how long one example takes is the machine's business
@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1)), max_size=12))
def test_lanes_never_overlap(spans: list[tuple[float, float]]) -> None:
    events = [Event(0, "micro", 0, 0, 0, a, a, a + d) for a, d in spans]
    placed = lanes(events)
    assert sorted(e.onset_s for e, _ in placed) == sorted(e.onset_s for e in events)
    for lane in {lane for _, lane in placed}:
        row = [e for e, where in placed if where == lane]
        for before, after in itertools.pairwise(row):
            assert round(before.offset_s, 3) < round(after.onset_s, 3)
    used = {lane for _, lane in placed}
    assert used == set(range(len(used)))


def test_boris_table_has_start_and_stop(timeline: Timeline, tmp_path: Path) -> None:
    read = pd.read_csv(write(timeline, tmp_path, ["boris"])[1])
    assert read["Behavior type"].value_counts().to_dict() == {"START": 18, "STOP": 18}
    assert read["Time"].is_monotonic_increasing
    starts = read[(read["Behavior type"] == "START") & (read["Behavior"] == "micro")]
    assert starts["Image index"].tolist() == [e.onset_frame for e in timeline.of_kind("micro")]
    said = starts["Comment"].str.endswith("; speaking")
    assert said.tolist() == [e.speaking for e in timeline.of_kind("micro")]
    assert said.any()


@pytest.mark.parametrize("name", ["signals", "signals-csv", "signals-parquet"])
def test_signals_come_back(timeline: Timeline, tmp_path: Path, name: str) -> None:
    path = write(timeline, tmp_path, [name])[0]
    read = pd.read_parquet(path) if name == "signals-parquet" else pd.read_csv(path)
    assert list(read.columns) == list(COLUMNS)
    half = 0.0 if name == "signals-parquet" else 0.51  # text has the digits of `records.digits`
    for signals in timeline.signals:
        rows = read[read["face"] == signals.face]
        assert rows["frame"].tolist() == list(range(len(signals.time_s)))
        np.testing.assert_allclose(rows["time_s"], signals.time_s, rtol=1e-7)
        np.testing.assert_allclose(rows[list(REGIONS)].to_numpy(), signals.motion, rtol=1e-5, atol=half * 1e-3)
        np.testing.assert_allclose(rows["right_eye_opening"], signals.eye_opening[:, 1], rtol=1e-5, atol=half * 1e-4)
        np.testing.assert_allclose(rows["roll"], signals.pose[:, 2], rtol=1e-4, atol=half * 1e-2)
        np.testing.assert_array_equal(rows["speaking"], signals.speaking)
    gone = read[(read["face"] == 1) & (read["frame"] == 1550)]
    assert gone[list(REGIONS)].isna().to_numpy().all()


def test_the_same_timeline_gives_the_same_packed_signals(timeline: Timeline, tmp_path: Path) -> None:
    first, second = (write(timeline, tmp_path / name, ["signals"])[0].read_bytes() for name in ("a", "b"))
    assert first == second


def test_parquet_is_an_extra(timeline: Timeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleeting.files.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fleeting\[parquet\]'"):
        write(timeline, tmp_path / "out", ["csv", "signals-parquet"])
    assert not (tmp_path / "out").exists()
    assert "signals-parquet" not in check_formats(["all"])


def test_parquet_says_units_and_marks_gaps_as_missing(timeline: Timeline, tmp_path: Path) -> None:
    table = pq.read_table(write(timeline, tmp_path, ["signals-parquet"])[0])
    assert table.schema.field("chin").metadata[b"unit"] == b"percent of the inter-ocular distance"
    assert table.column("chin").null_count == int(np.isnan(timeline.signals[1].motion[:, -1]).sum()) > 0
