"""timeline.json and media.npz come back as they were written."""

from __future__ import annotations

import json
import math
import tempfile
import zipfile
from dataclasses import fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timelines import former_json, make_media, make_timeline, make_views

from fleeting.analysis.pictures import compressed, webp
from fleeting.errors import DataError
from fleeting.export.curves_file import add_array, curves_path, write_curves
from fleeting.export.media import read_faces, read_media, read_places, write_media
from fleeting.export.timeline_json import SCHEMA, from_json, read_timeline, to_json, write_timeline
from fleeting.records import EVENT_KINDS, REGIONS, Event, Signals, Timeline
from fleeting.report.build import render
from fleeting.report.wording import headline


def same(a: Any, b: Any) -> bool:
    """Equality that holds NaN equal to NaN and compares arrays with their types."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, float):
        return isinstance(b, float) and (a == b or (math.isnan(a) and math.isnan(b)))
    if isinstance(a, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return type(a) is type(b) and a == b


@pytest.fixture(scope="module")
def timeline() -> Timeline:
    return make_timeline(faces=2)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads(resources.files("fleeting.export").joinpath("timeline.schema.json").read_text())


def test_a_timeline_comes_back_exactly(timeline: Timeline, tmp_path: Path) -> None:
    read = read_timeline(write_timeline(timeline, tmp_path / "timeline.json"))
    assert same(read, timeline)
    assert read.signals[0].motion.flags.writeable
    assert isinstance(read.signals[0].motion, np.memmap), "of a long film only what is looked at is read"


def test_a_timeline_of_layout_1_is_still_read(timeline: Timeline, tmp_path: Path) -> None:
    path = tmp_path / "timeline.json"
    path.write_text(json.dumps(former_json(timeline)), encoding="utf-8")
    assert same(read_timeline(path), timeline)
    again = read_timeline(write_timeline(read_timeline(path), tmp_path / "again.json"))
    assert same(again, timeline)


def test_the_same_curves_make_the_same_file_with_what_was_changed_left_alone(
    timeline: Timeline, tmp_path: Path
) -> None:
    path = write_timeline(timeline, tmp_path / "timeline.json")
    stored = curves_path(path).read_bytes()
    read = read_timeline(path)
    read.signals[0].motion[:] = 7.0
    assert curves_path(path).read_bytes() == stored
    assert write_curves(timeline, tmp_path / "other.npz").read_bytes() == stored
    assert json.loads(path.read_text())["signals"] == [{"face": 0}, {"face": 1}], "curves are no text"


def test_curves_that_are_missing_or_damaged(timeline: Timeline, tmp_path: Path) -> None:
    path = write_timeline(timeline, tmp_path / "timeline.json")
    whole = curves_path(path).read_bytes()
    for content in (
        whole[: len(whole) // 2],
        b"",
        whole.replace(b"'<f4'", b"'<i4'"),
        whole.replace(b"0/motion", b"0/motiom"),
    ):
        curves_path(path).write_bytes(content)
        with pytest.raises(DataError, match="timeline"):
            read_timeline(path)
    curves_path(path).unlink()
    with pytest.raises(DataError, match=r"curves of timeline.json; got .*timeline.npz"):
        read_timeline(path)


def test_a_timeline_whose_recogniser_bears_its_former_name_is_read(timeline: Timeline, tmp_path: Path) -> None:
    """`fleeting` was called recogniser, as its role still is."""
    path = write_timeline(timeline, tmp_path / "timeline.json")
    values = json.loads(path.read_text(encoding="utf-8"))
    assert values["models"]["recogniser"]["name"] == "fleeting"
    values["models"]["recogniser"]["name"] = "recogniser"
    path.write_text(json.dumps(values), encoding="utf-8")
    read = read_timeline(path)
    assert read.models["recogniser"]["name"] == "recogniser"
    assert headline(read.models["recogniser"]) == headline(timeline.models["recogniser"]) != ""
    assert "leave-one-subject-out over 40 subjects" in render(read, {})


def test_the_file_is_json_without_nan_and_fits_its_schema(
    timeline: Timeline, schema: dict[str, Any], tmp_path: Path
) -> None:
    bare = Event(0, "micro", 1, 2, 3, 0.1, 0.2, 0.3, probability=math.nan)
    timeline = replace(timeline, events=(bare, *timeline.events), quality={"blur": {"value": math.inf}})
    text = write_timeline(timeline, tmp_path / "timeline.json").read_text()

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    values = json.loads(text, parse_constant=refuse)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(values, schema)
    assert values["schema"] == SCHEMA == schema["properties"]["schema"]["const"]


def test_the_schema_knows_every_key_that_is_written(timeline: Timeline, schema: dict[str, Any]) -> None:
    values = to_json(timeline)
    assert set(values) == set(schema["properties"])
    parts = {"event": values["events"][0], "track": values["tracks"][0], "video": values["video"]}
    parts["signals"] = values["signals"][0]
    for name, value in parts.items():
        assert set(value) == set(schema["$defs"][name]["properties"])
    assert tuple(schema["$defs"]["event"]["properties"]["regions"]["items"]["enum"]) == REGIONS
    assert tuple(schema["$defs"]["event"]["properties"]["kind"]["enum"]) == EVENT_KINDS


def test_the_schema_refuses_wrong_values(timeline: Timeline, schema: dict[str, Any]) -> None:
    values = to_json(timeline)
    values["events"][0]["kind"] = "yawn"
    with pytest.raises(jsonschema.ValidationError, match="yawn"):
        jsonschema.validate(values, schema)


times = st.floats(0, 1e5, allow_nan=False)
maybe = st.one_of(st.just(math.nan), st.floats(allow_nan=False, allow_infinity=False))
events = st.builds(
    lambda face, kind, frames, seconds, regions, a, b, emotion, p, ps: Event(
        face, kind, *sorted(frames), *sorted(seconds), tuple(regions), a, b, emotion, p, ps
    ),
    st.integers(0, 9),
    st.sampled_from(EVENT_KINDS),
    st.tuples(*[st.integers(0, 10**9)] * 3),
    st.tuples(times, times, times),
    st.lists(st.sampled_from(REGIONS), unique=True),
    maybe,
    maybe,
    st.none() | st.text(),
    st.none() | st.floats(0, 1),
    st.dictionaries(st.text(), st.floats(0, 1), max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(
    found=st.lists(events, max_size=4), name=st.text(), noise=st.lists(st.floats(width=32), min_size=13, max_size=13)
)
def test_any_timeline_comes_back(found: list[Event], name: str, noise: list[float]) -> None:
    base = make_timeline(seconds=0.2)
    signals = replace(base.signals[0], noise=np.array(noise, np.float32))
    timeline = replace(base, events=tuple(found), signals=(signals,), warnings=(name,))
    with tempfile.TemporaryDirectory() as folder:
        assert same(read_timeline(write_timeline(timeline, Path(folder) / "timeline.json")), timeline)


def test_keys_may_be_added_and_missing_defaults_are_taken(timeline: Timeline) -> None:
    values = to_json(timeline)
    values["new"] = 1
    values["events"][0]["new"] = 2
    del values["events"][0]["probabilities"]
    assert same(from_json(values).events[0], replace(timeline.events[0], probabilities={}))


def test_a_timeline_from_before_speaking_was_told(timeline: Timeline) -> None:
    values = former_json(timeline)
    for entry in (*values["events"], *values["signals"]):
        del entry["speaking"]
    read = from_json(values)
    assert all(s.speaking is None and s.speaking_spans == () for s in read.signals)
    assert not any(e.speaking for e in read.events)


def broken(tmp_path: Path, timeline: Timeline, change: Any) -> Path:
    values = former_json(timeline)
    change(values)
    path = tmp_path / "timeline.json"
    path.write_text(json.dumps(values))
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v.update(schema="fleeting-timeline/3"), "layout fleeting-timeline/2; got .*'fleeting-timeline/3'"),
        (lambda v: v.pop("schema"), "schema None"),
        (lambda v: v.pop("events"), "damaged .*events"),
        (lambda v: v["events"][0].pop("onset_frame"), "damaged .*onset_frame"),
        (lambda v: v["events"][0].update(apex_frame=-1), "damaged .*onset <= apex"),
        (lambda v: v["signals"][0]["motion"].update(zlib_base64="AAAA"), "damaged"),
        (lambda v: v["signals"][0]["motion"].update(shape=[1, 2]), "damaged"),
        (lambda v: v["signals"][0]["motion"].update(dtype="object"), "damaged"),
        (lambda v: v.update(tracks=3), "damaged"),
    ],
)
def test_a_damaged_or_foreign_timeline(tmp_path: Path, change: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_timeline(broken(tmp_path, make_timeline(seconds=2), change))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_files_that_are_no_timeline(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "timeline.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match="Expected a timeline"):
        read_timeline(path)


def test_a_missing_timeline(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_timeline(tmp_path / "timeline.json")


def test_pictures_come_back(tmp_path: Path) -> None:
    timeline = make_timeline()
    media = make_media(timeline, loop_frames=5)
    path = write_media(media, tmp_path / "media.npz")
    read = read_media(path)
    assert read.keys() == media.keys()
    for index, one in media.items():
        assert read[index] == one
        assert (type(read[index].count), type(read[index].loop_fps)) == (int, float)
    assert path.stat().st_size < 100_000 * len(media)


def test_pictures_of_former_files_are_still_read(tmp_path: Path) -> None:
    views = make_views(make_timeline(), loop_frames=5)
    former: dict[str, np.ndarray] = {}
    for index, one in views.items():
        for name, picture in {"onset": one.onset, "apex": one.apex, "offset": one.offset, "face": one.face}.items():
            former[f"{index}/{name}"] = np.frombuffer(webp(picture, quality=101), np.uint8)
        for step, picture in enumerate(one.loop):
            former[f"{index}/loop/{step}"] = np.frombuffer(webp(picture, quality=101), np.uint8)
        former[f"{index}/flow"] = np.rint(one.flow * 256).astype(np.int16)
        former[f"{index}/numbers"] = np.array([len(one.loop), one.loop_fps, one.magnification])
        former[f"{index}/saliency"] = one.saliency
        former[f"{index}/expression"] = np.array(one.expression)
        former[f"{index}/expression_probability"] = np.array(one.expression_probability)
    np.savez(tmp_path / "media.npz", **former)
    for index, read in read_media(tmp_path / "media.npz").items():
        expected = compressed(views[index], quality=78)
        assert (read.count, read.columns, read.width, read.height) == (5, 3, expected.width, expected.height)
        assert (read.expression, read.loop_fps, read.gain) == (
            expected.expression,
            expected.loop_fps,
            pytest.approx(expected.gain, rel=0.01),
        )
        assert read.loop == expected.loop


def test_no_pictures_come_back_as_none(tmp_path: Path) -> None:
    assert read_media(write_media({}, tmp_path / "media.npz")) == {}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"text"])
def test_damaged_pictures(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "media.npz").write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_media(tmp_path / "media.npz")


def test_missing_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        read_media(tmp_path / "media.npz")


def test_signals_of_another_byte_order_are_written_the_same(tmp_path: Path) -> None:
    signals = make_timeline(seconds=1).signals[0]
    swapped = Signals(
        **{f.name: getattr(signals, f.name) for f in fields(Signals) if f.name != "noise"},
        noise=signals.noise.astype(">f4"),
    )
    base = make_timeline(seconds=1)
    one, other = (
        write_curves(replace(base, signals=(s,)), tmp_path / f"{place}.npz").read_bytes()
        for place, s in enumerate((swapped, signals))
    )
    assert one == other


def test_pictures_are_read_beside_places_and_faces(tmp_path: Path) -> None:
    timeline = make_timeline()
    media = make_media(timeline, loop_frames=3)
    places = {0: np.full((5, 2, 3), 0.25)}
    path = write_media(media, tmp_path / "media.npz", faces={0: make_views(timeline)[1].face})
    assert (read_media(path).keys(), read_faces(path).keys(), read_places(path)) == (media.keys(), {0}, {})
    with zipfile.ZipFile(path, "a") as former:  # where earlier versions kept them
        add_array(former, "places/0", places[0].astype(np.float32))
    assert read_media(path).keys() == media.keys()
    assert read_places(path)[0].tolist() == places[0].tolist()
