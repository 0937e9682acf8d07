"""Readers of data sets: layouts, and every trap seen in the corrections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dataset_tables as make
import numpy as np
import pytest

from fleeting.datasets.frames import image_numbers, place_in
from fleeting.datasets.manifest import Manifest, ManifestRow
from fleeting.datasets.readers import composite_folders
from fleeting.datasets.registry import DATASETS, named_data, people_of
from fleeting.errors import DataError, SettingsError, VideoError

pytest.importorskip("openpyxl", reason="Excel tables come with the extra research")


def read(name: str, path: Path) -> Manifest:
    return named_data(f"{name}={path}").read()


def row(manifest: Manifest, name: str) -> ManifestRow:
    (found,) = [r for r in manifest.rows if f"{r.subject}/{r.clip}" == name]
    return found


def repairs(manifest: Manifest) -> set[tuple[str, str, str, str]]:
    return {(c.where, c.column, c.was, c.now) for c in manifest.corrections}


@pytest.mark.parametrize("older", [False, True])
def test_casme2(tmp_path: Path, older: bool) -> None:
    found = read("casme2", make.casme2(tmp_path, older=older))
    first = row(found, "sub01/EP02_01f")
    assert (first.onset, first.apex, first.offset, first.first_number) == (45, 58, 85, 1)
    assert [u.name for u in first.action_units] == ["AU12"]
    assert first.path == str(tmp_path / "CASME2-RAW" / "sub01" / "EP02_01f"), "raw frames before cropped ones"
    assert row(found, "sub01/EP03_02").emotion == "others"
    assert row(found, "sub26/EP18_46").apex is None
    assert repairs(found) == {("sub26/EP18_46", "apex", "/", "unknown")}
    assert found.counts() == {"happiness": 1, "others": 1, "disgust": 1, "surprise": 1}
    assert [r.clip for r in found.missing()] == ["EP01_11f", "EP18_46"]


@pytest.mark.parametrize("header_row", [1, 14])
def test_samm(tmp_path: Path, header_row: int) -> None:
    found = read("samm", make.samm(tmp_path, header_row=header_row))
    assert len(found) == 6
    assert row(found, "007/007_3_1").subject == "007"
    first = row(found, "006/006_1_2")
    assert first.source_video == "006/006_1"
    assert place_in(first, image_numbers(Path(first.path))).apex == 26
    assert repairs(found) == {
        ("028/028_4_1", "apex", "1143", "unknown"),
        ("032/032_3_1", "apex", "1930", "unknown"),
        ("033/033_1_1", "duration", "99", "51"),
        ("033/033_1_1", "action units", "R14+17+soft focus", "RAU14+AU17"),
    }
    assert [c.why for c in found.corrections if c.where == "028/028_4_1"] == [
        "It lies outside of the clip (1100 to 1134)."
    ]


def test_samm_long_videos(tmp_path: Path) -> None:
    found = read("samm-lv", make.samm_long(tmp_path))
    assert [(r.clip, r.type) for r in found.rows] == [
        ("006_1_2", "macro"), ("006_1_3", "micro"), ("006_1_3_2", "micro"), ("007_2_1", "micro"),
    ]  # fmt: skip
    first = row(found, "006/006_1_2")
    assert (first.onset, first.apex, first.source_video) == (100, 119, "006/006_1")
    assert Path(first.path) == tmp_path / "SAMM_longvideos" / "006_1"
    assert repairs(found) == {("006/006_1_2", "onset", "100.5", "101"), ("006/006_1_3", "apex", "-1", "unknown")}
    assert people_of("samm-lv") == "samm"


def test_smic_with_its_table(tmp_path: Path) -> None:
    found = read("smic", make.smic_table(tmp_path))
    first = row(found, "s01/s1_ne_01")
    assert (first.onset, first.apex, first.offset, first.first_number) == (20, None, 50, 28400)
    assert place_in(first, image_numbers(Path(first.path))).onset == 20
    assert row(found, "s03/s3_sur_02").emotion == "surprise"
    again = row(found, "s01/s1_po_01_2")
    assert (again.onset, again.offset, again.source_video, again.emotion) == (60, 80, "s01/s1_po_01", "positive")
    assert len(found) == 4
    assert repairs(found) == {("row 5", "(row)", "Frame numbers are those of the camera.", "left out")}


@pytest.mark.parametrize(("name", "fps", "onset"), [("smic", 100.0, 101), ("smic-vis", 25.0, 1), ("smic-nir", 25.0, 1)])
def test_smic_as_folders(tmp_path: Path, name: str, fps: float, onset: int) -> None:
    found = read(name, make.smic_folders(tmp_path))
    assert [(r.subject, r.emotion, r.fps) for r in found.rows] == [("s01", "negative", fps), ("s11", "surprise", fps)]
    assert {r.first_number for r in found.rows} == {onset}
    assert {r.onset for r in found.rows} == {0}
    assert not found.missing()
    assert people_of(name) == "smic"


def test_smic_twice(tmp_path: Path) -> None:
    for copy in ("SMIC_all_cropped", "SMIC_all_raw"):
        make.smic_folders(tmp_path / copy)
    found = read("smic", tmp_path)
    assert len(found) == 2
    assert all("SMIC_all_raw" in r.path for r in found.rows)
    assert repairs(found) == {("(set)", "(folder)", "4 folders", "2 clips")}


def test_casme_squared(tmp_path: Path) -> None:
    found = read("casme-sq", make.casme_sq(tmp_path))
    assert [(r.subject, r.clip, r.type) for r in found.rows] == [
        ("s15", "anger1_1", "macro"), ("s15", "anger1_2", "micro"),
        ("s40", "disgust1_1", "micro"), ("s40", "disgust1_1_2", "micro"),
    ]  # fmt: skip
    unknown_end = row(found, "s15/anger1_2")
    assert (unknown_end.onset, unknown_end.apex, unknown_end.offset) == (699, 707, 707)
    assert Path(unknown_end.path).name == "15_0401girlcrashing"
    assert Path(found.rows[2].path).name == "40_0101disgustingteeth"
    assert {r.source_video for r in found.rows} == {"s15/0401", "s40/0101"}
    assert repairs(found) == {
        ("s15/anger1_2", "offset", "0", "708"),
        ("s40/disgust1_1", "apex", "0", "unknown"),
        ("s40/happy1_1", "onset", "0", "left out"),
    }


def test_casme3(tmp_path: Path) -> None:
    found = read("casme3", make.casme3(tmp_path))
    assert [r.clip for r in found.rows] == ["a_355", "a_700", "b_10", "c_10"]
    assert {r.source_video for r in found.rows[:2]} == {"spNO.1/a"}
    assert Path(found.rows[0].path) == tmp_path / "part_A" / "spNo.1" / "a" / "color", "folders are spelled otherwise"
    assert repairs(found) == {("spNO.2/b_10", "emotion", "Others", "others")}
    assert [str(u) for u in found.rows[1].action_units] == ["LAU12", "TAU24"]


def test_mmew(tmp_path: Path) -> None:
    found = read("mmew", make.mmew(tmp_path))
    assert [(r.subject, r.onset, r.fps) for r in found.rows] == [("S03", 0, 90.0), ("S04", 0, 90.0)]
    assert [r.subject for r in found.missing()] == ["S04"]


def test_a_unit_that_is_none_in_a_table_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,subject,onset,offset,emotion,fps,AU\na.mp4,s,0,9,happiness,100,6+144\n")
    with pytest.raises(DataError, match=r"action units such as 4\+L12B in row 2 of .*; got no action unit: '144'"):
        read("own", tmp_path)


def test_4dme(tmp_path: Path) -> None:
    found = read("4dme", make.fourdme(tmp_path))
    assert [r.emotion for r in found.rows] == ["negative", "positive+repression", "negative", "negative"]
    assert [str(u) for u in found.rows[0].action_units] == ["AU04?", "AU07"]
    assert [str(u) for u in found.rows[3].action_units] == ["AU04", "AU07"]
    assert repairs(found) == {
        ("002/micro_2_10_b", "emotion", "", "negative"),
        ("002/micro_2_50_b", "action units", "4(B/C)+7", "AU04+AU07"),
        ("002/micro_2_50_b", "action units", "AU4 0", "4(B/C)+7"),
    }


def test_dfme(tmp_path: Path) -> None:
    found = read("dfme", make.dfme(tmp_path))
    assert [(r.fps, r.emotion) for r in found.rows] == [(500.0, "happiness"), (300.0, "fear"), (200.0, "surprise")]
    assert repairs(found) == {("2/00002", "emotion id", "2", "3"), ("2/00003", "emotion", "", "surprise")}


def test_ckplus(tmp_path: Path) -> None:
    found = read("ckplus", make.ckplus(tmp_path))
    assert [(r.clip, r.emotion, r.type) for r in found.rows] == [
        ("001", "disgust", "macro"), ("002", "", "macro"), ("003", "", "macro"),
    ]  # fmt: skip
    assert (found.rows[0].onset, found.rows[0].apex, found.rows[0].offset) == (0, 10, 10)
    assert [str(u) for u in found.rows[0].action_units] == ["AU09E", "AU17"]


def test_megc2020(tmp_path: Path) -> None:
    found = read("megc2020", make.megc2020(tmp_path))
    assert [(r.id, r.type, r.onset, r.apex, r.offset) for r in found.rows] == [
        ("casme-sq/s15/0401_50", "macro", 49, 61, 97), ("casme-sq/s15/0401_100", "micro", 99, 107, 107),
        ("samm-lv/006/006_1_100", "macro", 99, 119, 149), ("samm-lv/006/006_1_300", "micro", 299, None, 339),
        ("samm-lv/006/006_2_0", "macro", 0, 8, 29),
    ]  # fmt: skip
    assert repairs(found) == {
        ("s15/0401_100", "offset", "0", "108"),
        ("006/006_1_300", "apex", "-90", "unknown"),
        ("006/006_2_0", "onset", "0", "1"),
    }
    assert [Path(r.path).name for r in found.rows[::2]] == ["15_0401girlcrashing", "006_1", "006_2"]
    assert [r.clip for r in found.missing()] == ["006_2_0"]


@pytest.mark.parametrize(("table", "whole"), [(True, False), (False, False), (True, True)])
def test_composite_as_folders(tmp_path: Path, table: bool, whole: bool) -> None:
    path = make.composite(tmp_path, table=table, whole=whole)
    found = read("composite", path)
    assert {r.id: r.emotion for r in found.rows} == {
        "casme2/sub01/sub01_EP02_01f": "positive", "casme2/sub02/sub02_EP01_11f": "negative",
        "smic/s01/s01_s01_ne_01": "negative", "samm/006/006_006_1_2": "surprise",
    }  # fmt: skip
    images = composite_folders.read_images(path)
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (28, 28, 3)).astype(np.uint8)
    assert (images.flow[list(images.clip).index("casme2/sub01_EP02_01f")] == first).all()
    assert not found.missing()


def test_composite_label_that_contradicts_its_table(tmp_path: Path) -> None:
    path = make.composite(tmp_path)
    table = path / "combined_3class_gt.csv"
    table.write_text(table.read_text().replace("EP02_01f,1", "EP02_01f,2"))
    assert repairs(read("composite", path)) == {("sub01/sub01_EP02_01f", "label", "2", "1")}


def test_composite_in_one_file(shared_data: Path) -> None:
    found = read("composite", shared_data / "composite_flow_casme2_smic.npz")
    assert len(found) == 309
    assert len(found.subjects) == 40
    assert found.counts() == {"negative": 158, "positive": 83, "surprise": 68}
    assert not found.missing()


def test_fer2013(tmp_path: Path) -> None:
    found = read("fer2013", make.fer_csv(tmp_path / "fer2013.csv"))
    assert [r.clip for r in found.rows[:2]] == ["Training/0", "Training/1"]
    assert found.rows[6].emotion == "neutral"
    assert repairs(found) == {("0/Training/0", "pixels", "in Training", "left out of training")}


def test_own_table(tmp_path: Path) -> None:
    found = read("own:lab1", make.own(tmp_path))
    assert {r.dataset for r in found.rows} == {"lab1"}
    assert [(r.onset, r.apex, r.offset, r.first_number) for r in found.rows] == [
        (4, 10, 20, 1), (22, None, 30, 1), (0, 5, 9, 0),
    ]  # fmt: skip
    assert repairs(found) == {("ann/clip_a_22", "apex", "", "unknown")}
    assert [r.subject for r in found.missing()] == ["bob"]
    place = place_in(found.rows[0], image_numbers(tmp_path / "clip_a"))
    assert (place.onset, place.apex, place.offset) == (4, 10, 20)


@pytest.mark.parametrize(
    ("frames", "kept", "repair"),
    [
        ("4,4,20", (4, None, 20), ("apex", "4", "unknown")),
        ("4,2,20", (4, None, 20), ("apex", "2", "unknown")),
        ("4,10,", (4, 10, 10), ("offset", "", "10")),
        ("4,10,3", (4, 10, 10), ("offset", "3", "10")),
        ("4.5,10,20", (5, 10, 20), ("onset", "4.5", "5")),
        ("4,10,20", (4, 10, 20), None),
    ],
)
def test_every_repair_of_frames(
    tmp_path: Path, frames: str, kept: tuple[int, ...], repair: tuple[str, str, str] | None
) -> None:
    found = read("own", make.own(tmp_path, [f"clip_a,ann,{frames},fear,200"]))
    (only,) = found.rows
    assert (only.onset, only.apex, only.offset) == kept
    assert [(c.column, c.was, c.now) for c in found.corrections] == ([repair] if repair else [])


def test_own_table_with_numbers_of_images(tmp_path: Path) -> None:
    head = "file,subject,onset,offset,emotion,fps,first_number"
    found = read("own", make.own(tmp_path, ["clip_a,ann,4,20,happiness,200,1"], head))
    place = place_in(found.rows[0], image_numbers(tmp_path / "clip_a"))
    assert (found.rows[0].onset, place.onset, place.offset) == (3, 3, 19)
    assert not found.corrections, "a table without a column for the apex has no wrong apexes"


def test_a_word_that_nobody_knows(tmp_path: Path) -> None:
    rows = [[*make.CASME2, "Objective Classes"], ["01", "EP02_01f", "", 46, 59, 86, "", 12, "suprise", 1]]
    found = read("casme2", make.workbook(tmp_path / "CASME2-coding.xlsx", Sheet1=rows))
    assert [r.emotion for r in found.rows] == [""]
    assert repairs(found) == {("sub01/EP02_01f", "emotion", "suprise", "unknown")}
    assert found.corrections[0].why == "No known word. Did you mean 'surprise'?"


BAD: list[tuple[str, str, Callable[[Path], Path], str]] = [
    ("wrong path", "samm", lambda p: p / "nothing", "table of a data set; got .*nothing, which does not exist"),
    ("no table", "casme2", lambda p: make.images(p / "sub01", [1, 2]).parent, r"a table \(casme2-coding\*\.xlsx"),
    ("missing column", "own",
     lambda p: make.own(p, ["clip_a,ann,1,3,fear"], "file,subject,onset,ofset,emotion"),
     "the columns offset; got .*labels.csv with file, subject, onset, ofset, emotion. Did you mean 'ofset'"),
    ("no subject", "own",
     lambda p: make.own(p, ["clip_a,1,3,fear,50"], "file,onset,offset,emotion,fps"), "columns subject"),
    ("unknown emotion", "own",
     lambda p: make.own(p, ["clip_a,ann,1,2,3,suprise,200"]), "'suprise' in row 2 .*'surprise'"),
    ("empty subject", "own", lambda p: make.own(p, ["clip_a,,1,2,3,fear,200"]), "a subject; got none in row 2"),
    ("bad first number", "own",
     lambda p: make.own(p, ["clip_a,ann,1,3,fear,9,x"], "file,subject,onset,offset,emotion,fps,first_number"),
     "a whole first_number; got 'x' in row 2"),
    ("holes without numbers", "own",
     lambda p: make.images(make.own(p, ["clip_a,ann,1,3,fear,9"], "file,subject,onset,offset,emotion,fps") / "clip_a",
                           [50], "frame_{:04d}.png").parent,
     "a column first_number for clip_a, whose images are not numbered one by one"),
    ("no number", "own",
     lambda p: make.own(p, ["clip_a,ann,one,2,3,fear,200"]), "a frame number as onset of ann/.*'one' in row 2"),
    ("no rows", "own", lambda p: make.own(p, ["clip_a,ann,,2,3,fear,200"]), "at least one clip; got none"),
    ("no rate", "own", lambda p: make.own(p, ["clip_a,ann,1,2,3,fear,"]), "frames per second of the folder clip_a"),
    ("bad rate", "own", lambda p: make.own(p, ["clip_a,ann,1,2,3,fear,fast"]), "frames per second; got 'fast'"),
    ("bad type", "own",
     lambda p: make.own(p, ["clip_a,ann,1,3,fear,9,huge"], "file,subject,onset,offset,emotion,fps,type"),
     "a type .*'huge'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "says"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_input_is_named(tmp_path: Path, name: str, path: Callable[[Path], Path], says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(name, path(tmp_path))


def test_two_clips_of_one_id(tmp_path: Path) -> None:
    table = make.workbook(
        tmp_path / "CASME2-coding.xlsx",
        Sheet1=[
            [*make.CASME2, "Objective Classes"],
            ["01", "EP02_01f", "", 46, 59, 86, "", 12, "happiness", 1],
            ["01", "EP02_01f", "", 46, 59, 86, "", 12, "happiness", 1],
        ],
    )
    again = read("casme2", table)
    assert len(again) == 1
    assert repairs(again) == {("sub01/EP02_01f", "(row)", "twice", "left out")}
    make.workbook(
        table,
        Sheet1=[
            [*make.CASME2, "Objective Classes"],
            ["01", "EP02_01f", "", 46, 59, 86, "", 12, "happiness", 1],
            ["01", "EP02_01f", "", 46, 59, 87, "", 12, "disgust", 1],
        ],
    )
    with pytest.raises(DataError, match="two of 'casme2/sub01/EP02_01f' that differ in offset, emotion"):
        read("casme2", table)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("casme2", "NAME=PATH"),
        ("=x", "NAME=PATH"),
        ("casme2=", "NAME=PATH"),
        ("casmeII=x", "Did you mean 'casme2'"),
        ("cas(me)^2=x", "Did you mean 'casme-sq'"),
        ("samm:lab=x", "'samm:lab'"),
        ("zebra=x", "Known: casme2, samm"),
    ],
)
def test_names_are_checked(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        named_data(text)


@pytest.mark.parametrize("name", DATASETS)
def test_registry_entries_are_whole(name: str) -> None:
    from importlib import import_module

    about = DATASETS[name]
    module, _, function = about.reader.partition(":")
    assert callable(getattr(import_module(f"fleeting.datasets.{module}"), function))
    if about.emotions and name != "ckplus":
        assert sum(about.emotions.values()) == about.clips
    if about.types:
        assert sum(about.types.values()) == about.clips
    assert not about.people or about.people in DATASETS


def test_images_that_are_not_those_of_the_clip() -> None:
    clip = ManifestRow("x", "s", "c", "c", "folder", 100.0, onset=10, apex=15, offset=20, first_number=1)
    assert place_in(clip, range(5, 40)).onset == 6
    cut = place_in(clip, range(1, 12))
    assert (cut.onset, cut.apex, cut.offset) == (0, 5, 10)
    assert cut.note == "The images are numbered anew; they were taken in order."
    with pytest.raises(DataError, match=r"images 11 to 21 of x/s/c; got 5 images 1 to 5 in folder, 0 of them between"):
        place_in(clip, range(1, 6))


def test_images_may_be_missing_but_not_those_that_count() -> None:
    clip = ManifestRow("x", "s", "c", "c", "folder", 100.0, onset=10, apex=15, offset=20)
    some = [n for n in range(5, 40) if n not in (12, 20)]
    place = place_in(clip, some)
    assert [some[p] for p in (place.onset, place.apex or 0, place.offset)] == [10, 15, 19]
    assert place.note == "2 images are missing."
    for gone in ((10,), (15,), (11, 12, 13)):
        with pytest.raises(DataError, match="images 10 to 20"):
            place_in(clip, [n for n in range(5, 40) if n not in gone])
    video = place_in(clip, None)
    assert (video.onset, video.apex, video.offset, video.note) == (10, 15, 20, "")


def test_folders_of_images(tmp_path: Path) -> None:
    folder = make.images(tmp_path / "a", [9, 10, 100], "006_{}.jpg")
    (folder / "Thumbs.db").write_text("")
    assert image_numbers(folder) == [9, 10, 100]
    make.images(folder, [9], "other_{:05d}.png")
    with pytest.raises(VideoError, match="each number once; got 006_9.jpg and other_00009.png"):
        image_numbers(folder)
    with pytest.raises(VideoError, match="no number"):
        image_numbers(make.images(tmp_path / "b", [1], "first.png"))
    (tmp_path / "c").mkdir()
    with pytest.raises(VideoError, match="numbered images; got none"):
        image_numbers(tmp_path / "c")
