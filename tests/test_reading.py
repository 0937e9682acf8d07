"""Files of others: whatever is wrong with them is said in one line that names the file, before anything is unpacked."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import cv2
import numpy as np
import pytest
from command import Command, listing
from timelines import make_timeline

from fleeting import analyse, weights
from fleeting.datasets import composite, fer2013
from fleeting.datasets.readers import prepared
from fleeting.datasets.tables import read_table
from fleeting.errors import DataError, FleetingError, SettingsError, VideoError, WeightsError
from fleeting.evaluation.landmarks import evaluate_landmarks
from fleeting.export.media import read_media
from fleeting.export.timeline_json import read_timeline, write_timeline
from fleeting.reading import Arrays, TooLargeError, inflate, reading
from fleeting.settings import AnalyseSettings, LimitSettings, SpottingSettings, load
from fleeting.video.declared import declared_size
from fleeting.video.reader import open_video


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A grey PNG that claims a size, whatever rows it holds."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def npy(array: np.ndarray[Any, Any], header: str | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    data = file.getvalue()
    if header is None:
        return data
    body = data[10 + struct.unpack("<H", data[8:10])[0] :]
    return data[:8] + struct.pack("<H", len(header)) + header.encode() + body


def archive(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            file.writestr(f"{name}.npy", data)
    return path


HEADERS = [
    "{'descr': '<i8', 'fortran_order': False, 'shape': (1000000, 1000000), }\n",
    "{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }\n",
    "{'descr': '<i8', 'fortran_order': False, 'shape': (3",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }\n",
]


@pytest.mark.parametrize("header", HEADERS)
def test_an_array_that_is_not_what_its_header_says(tmp_path: Path, header: str) -> None:
    path = archive(tmp_path / "a.npz", flow=npy(np.zeros(3, np.int64), header))
    damaged = pytest.raises(DataError, match=r"some arrays; got .*a\.npz, which is damaged .* Fetch it again")
    with damaged, reading(path, "some arrays", "Fetch it again."), Arrays(path) as stored:
        stored.all()


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path, order: Any) -> None:
    wanted = {"a": np.arange(24.0).reshape(2, 3, 4).copy(order), "b": np.array("text"), "c": np.zeros((0, 3), np.int16)}
    np.savez_compressed(tmp_path / "a.npz", **wanted)
    with Arrays(tmp_path / "a.npz") as stored:
        found = stored.all()
    assert all(
        np.array_equal(found[name], array) and found[name].dtype == array.dtype for name, array in wanted.items()
    )


def test_a_zip_that_unpacks_to_more_than_is_allowed(tmp_path: Path) -> None:
    path = archive(tmp_path / "media.npz", **{"0/onset": npy(np.zeros(3_000_000, np.uint8))})
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match=r"which unpacks to 3 MB, more than the 2 MB of limits\.unpacked_mb"):
        read_media(path, limits=LimitSettings(unpacked_mb=2))


def test_only_what_was_declared_is_inflated() -> None:
    data = zlib.compress(bytes(1_000_000))
    assert inflate(data, 1_000_000) == bytes(1_000_000)
    for size in (10, 1_000_001):
        with pytest.raises(ValueError, match="bytes were declared"):
            inflate(data, size)


def changed(values: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> str:
    change(values)
    return json.dumps(values)


BOMB = {"dtype": "float32", "shape": [10**6, 12], "zlib_base64": base64.b64encode(zlib.compress(bytes(48))).decode()}

TIMELINES: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (lambda v: v["events"][0].update(regions="abc"), r"timeline\.events\[0\]\.regions is 'abc'"),
    (lambda v: v["events"][0].update(onset_s="soon"), r"events\[0\]\.onset_s is 'soon'"),
    (lambda v: v["events"][0].update(kind="nano"), r"events\[0\]\.kind is 'nano'"),
    (lambda v: v["events"][0].update(face=True), r"events\[0\]\.face is True"),
    (lambda v: v["tracks"][0].update(median_box=[1, 2]), "median_box is no table"),
    (lambda v: v.update(models=[1]), r"timeline\.models is \[1\]"),
    (lambda v: v.update(models={"a": 3}), r"timeline\.models\.a is 3"),
    (lambda v: v["signals"][0].update(motion=BOMB), "48000000 bytes were declared"),
    (lambda v: v["signals"][0].update(motion=BOMB | {"shape": [10**9, 12]}), "unpacks to 48000 MB, more than"),
    (lambda v: v["signals"][0].update(motion=BOMB | {"shape": [-1, 12]}), "has the shape"),
]


@pytest.mark.parametrize(("change", "words"), TIMELINES)
def test_a_timeline_whose_values_are_of_another_kind(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    path = write_timeline(make_timeline(), tmp_path / "timeline.json")
    path.write_text(changed(json.loads(path.read_text()), change))
    with pytest.raises(DataError, match=f"timeline file; got .*timeline.json, which .*{words}"):
        read_timeline(path)


def test_a_timeline_that_is_nested_too_deep(fleeting: Command, tmp_path: Path) -> None:
    (tmp_path / "timeline.json").write_text("[" * 200_000)
    said = fleeting("report", tmp_path)
    assert said.status == 1
    assert "a timeline file; got" in said.err
    assert "RecursionError" in said.err
    assert len(said.err.splitlines()) == 1


def flow_file(path: Path) -> Path:
    names = {name: np.array(["a", "b"]) for name in ("subject", "clip", "dataset")}
    np.savez_compressed(path, flow=np.zeros((2, 28, 28, 3), np.uint8), label=np.array([0, 1]), **names)
    return path


def faces_file(path: Path) -> Path:
    sheet = cv2.imencode(".webp", np.zeros((48, 48), np.uint8), [cv2.IMWRITE_WEBP_QUALITY, 101])[1].reshape(-1)
    np.savez_compressed(path, webp=sheet, offsets=np.array([0, len(sheet)]), emotion=np.array([0]))
    return path


def landmarks_file(path: Path) -> Path:
    sheet = cv2.imencode(".jpg", np.zeros((64, 64), np.uint8))[1].reshape(-1)
    np.savez_compressed(path, jpeg=sheet, offsets=np.array([0, len(sheet)]), landmarks=np.zeros((1, 68, 2), np.float32))
    return path


def book(path: Path) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    sheet = openpyxl.Workbook()
    sheet.active.append(["Subject", "Filename", "Onset"])
    sheet.active.append(["01", "a", 3])
    sheet.save(path)
    return path


def pixels(path: Path) -> Path:
    path.write_text("emotion,pixels,Usage\n" + f"0,{' '.join(['7'] * 2304)},Training\n" * 3)
    return path


READERS: list[tuple[str, Callable[[Path], Path], Callable[[Path], object]]] = [
    ("flow.npz", flow_file, composite.read),
    ("prepared.npz", flow_file, prepared.load),
    ("faces.npz", faces_file, fer2013.read),
    ("fer.csv", pixels, fer2013.read),
    ("landmarks.npz", landmarks_file, lambda p: evaluate_landmarks(p, out=p.parent / "out", detect=lambda grey: [])),
    ("table.xlsx", book, lambda p: read_table(p, needs=[["Subject"], ["Filename"]])),
]


@pytest.mark.parametrize(("name", "make", "read"), READERS, ids=[name for name, _, _ in READERS])
def test_damaged_tables(
    tmp_path: Path, name: str, make: Callable[[Path], Path], read: Callable[[Path], object]
) -> None:
    """Bytes that are changed, cut off or written twice, by a seed: each is read, or fails with the name of the file."""
    whole = make(tmp_path / name).read_bytes()
    draw = np.random.default_rng(0)
    failed: list[str] = []
    for _ in range(60):
        data = bytearray(whole)
        for place in draw.integers(0, len(data), draw.integers(1, 30)):
            data[place] = draw.integers(0, 256)
        if draw.random() < 0.3:
            del data[draw.integers(0, len(data)) :]
        (tmp_path / name).write_bytes(data)
        try:
            read(tmp_path / name)
        except FleetingError as error:
            failed.append(str(error))
    assert len(failed) > 20
    assert all(name in text for text in failed)


def test_a_table_with_numbers_that_are_none(tmp_path: Path) -> None:
    path = pixels(tmp_path / "fer.csv")
    path.write_text(path.read_text().replace("7 7", "inf 7", 1))
    with pytest.raises(DataError, match=r"fer\.csv, which is damaged \(ValueError"):
        fer2013.read(path)


def test_a_network_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"no network")
    card = {"sha256": weights.checksum(tmp_path / "net.onnx")}
    (tmp_path / "net.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match=r"a network in ONNX; got .*net\.onnx, which is damaged"):
        weights.session("net", folder=tmp_path)
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(WeightsError, match=r"got .*other\.json, which is damaged"):
        weights.card("other", folder=tmp_path)


SIZES: dict[str, tuple[Any, ...]] = {
    ".png": (),
    ".jpg": (),
    ".bmp": (),
    ".tiff": (),
    ".ppm": (),
    ".webp": (cv2.IMWRITE_WEBP_QUALITY, 80),
    "lossless.webp": (cv2.IMWRITE_WEBP_QUALITY, 101),
}


@pytest.mark.parametrize("kind", SIZES)
def test_the_size_that_a_picture_declares(kind: str) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (37, 53, 3), np.uint8)
    data = cv2.imencode(f".{kind.split('.')[-1]}", picture, SIZES[kind])[1].tobytes()
    assert declared_size(data) == (53, 37)
    assert all(declared_size(data[:cut]) in (None, (53, 37)) for cut in range(0, len(data), 7))


@pytest.mark.parametrize("rows", [b"", bytes(30001 * 300)], ids=["claimed", "filled"])
def test_a_folder_of_huge_pictures(fleeting: Command, tmp_path: Path, rows: bytes) -> None:
    folder = tmp_path / "bomb"
    folder.mkdir()
    for number in range(2):
        (folder / f"f{number}.png").write_bytes(png(30_000, 30_000, rows))
    said = fleeting("analyse", folder, "--fps", "30", "--out", tmp_path / "out")
    assert (said.status, listing(tmp_path / "out")) == (1, [])
    assert "f0.png, which claims 30000 x 30000 pixels, more than the 64 megapixels of limits.picture_mpx" in said.err
    (tmp_path / "more.toml").write_text("[limits]\npicture_mpx = 0.5\n")
    said = fleeting("analyse", folder, "--fps", "30", "--settings", tmp_path / "more.toml")
    assert "a picture_mpx of 1 to 1000 in more.toml.limits; got 0.5" in said.err


def test_a_film_of_huge_pictures(clip: Path) -> None:
    with open_video(clip) as reader:
        size = reader.info.width * reader.info.height / 1e6
    with pytest.raises(VideoError, match=r"ada\.mp4, which claims .* pixels, more than the .* of limits\.picture_mpx"):
        open_video(clip, limits=LimitSettings(picture_mpx=size / 2))


def analyse_keys() -> list[str]:
    return [f"{table.name}.{one.name}" for table in fields(AnalyseSettings) for one in fields(table.default_factory)]  # type: ignore[arg-type,misc]


@pytest.mark.parametrize("key", analyse_keys())
def test_every_number_has_a_range(fleeting: Command, tmp_path: Path, key: str) -> None:
    table, name = key.split(".")
    kind = get_type_hints(type(getattr(AnalyseSettings(), table)), include_extras=True)[name]
    value = getattr(getattr(AnalyseSettings(), table), name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    assert get_origin(kind) is Annotated
    for senseless in ("nan", "inf", "-inf", "-7", "1e300", "9" * 400, "[1]", '"much"'):
        (tmp_path / "s.toml").write_text(f"[{table}]\n{name} = {senseless}\n")
        with pytest.raises(SettingsError, match=f"{name}|TOML"):
            load(AnalyseSettings, tmp_path / "s.toml")
    (tmp_path / "s.toml").write_text(f"[{table}]\n{name} = {value}\n")
    assert load(AnalyseSettings, tmp_path / "s.toml") == AnalyseSettings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[spotting]\nmin_probability = 7", "a min_probability of 0 to 1 in s.toml.spotting; got 7"),
        ("[motion]\ncrop_width = 3", "a crop_width of 70 to 560 in s.toml.motion; got 3."),
        ("[spotting]\nmin_duration_s = 0.6", "min_duration_s below max_micro_s"),
        ("a = " + "[" * 100_000, "a TOML file"),
    ],
)
def test_senseless_settings_are_told_in_one_line(
    fleeting: Command, clip: Path, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "s.toml").write_text(text)
    said = fleeting("analyse", clip, "--settings", tmp_path / "s.toml", "--out", tmp_path / "out")
    assert (said.status, len(said.err.splitlines())) == (1, 1)
    assert words in said.err


def test_settings_of_a_program_have_the_same_ranges(clip: Path) -> None:
    wrong = replace(AnalyseSettings(), spotting=SpottingSettings(threshold=float("nan")))
    with pytest.raises(SettingsError, match=r"a finite number for settings\.spotting\.threshold; got nan"):
        analyse(clip, settings=wrong)


def test_the_door_lets_errors_of_the_package_pass(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="in line 3"), reading("a.csv", "a table", "Mend it."):
        raise DataError("a table", "none in line 3", "Mend it.")
    missing = pytest.raises(DataError, match=r"a\.csv \(No such file or directory\)\. Check the path")
    with missing, reading("a.csv", "a table", "Mend it."):
        (tmp_path / "a.csv").read_text()
    with pytest.raises(DataError, match=r"a\.csv, which is much"), reading("a.csv", "a table", "Mend it."):
        raise TooLargeError("is much")
