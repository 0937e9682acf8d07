"""Preparing: the analysis' own code, kept under what it was made from, resumed, the same however many at a time."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import clips
import cv2
import numpy as np
import pytest
from command import Command

from fleeting.analysis.event_frames import Task, taken
from fleeting.analysis.event_media import picture_event
from fleeting.datasets import clip_motion as clip_room
from fleeting.datasets import prepare as room
from fleeting.datasets.clip_motion import MOST_FRAMES, clip_motion, face_transform, strongest, thinned, tight_crop
from fleeting.datasets.load import cache_of, load_samples
from fleeting.datasets.prepare import Prepared, PrepareSettings, prepare, read_prepared
from fleeting.datasets.readers import prepared as file
from fleeting.datasets.registry import named_data
from fleeting.errors import DataError, InputError, NoFaceError, SettingsError
from fleeting.faces.align import align, canonical_points, crop_transform
from fleeting.motion.flow import dense_flow
from fleeting.records import Event
from fleeting.scale.engines import make_engine
from fleeting.settings import MotionSettings
from fleeting.video.reader import open_video

HEAD = "file,subject,onset,apex,offset,emotion,fps"
ROWS = (f"film,ada,{clips.ONSET},{clips.APEX},{clips.OFFSET},happiness,{clips.FPS}",)
SMALL = PrepareSettings(frames=4, width=56)


@pytest.fixture(scope="module")
def grey(clip: Path) -> list[np.ndarray]:
    with open_video(clip) as reader:
        return [f.grey for f in reader.frames(clips.ONSET, clips.OFFSET)]


@pytest.fixture
def folder(tmp_path: Path, clip: Path) -> Path:
    """A data set of one's own: frames of the film, and a table."""
    images = clips.pictures(clip)[: clips.OFFSET + 1]
    clips.write_folder(tmp_path / "film", images)
    return table(tmp_path, *ROWS)


def table(folder: Path, *rows: str) -> Path:
    (folder / "labels.csv").write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return folder


def prepared_in(folder: Path, **how: object) -> Prepared:
    return prepare(named_data(f"own={folder}").read(), cache=folder / "cache", **({"settings": SMALL} | how))  # type: ignore[arg-type]


def same(a: Prepared, b: Prepared) -> bool:
    return [r.id for r in a.rows] == [r.id for r in b.rows] and all(
        x.keys() == y.keys() and all(np.array_equal(x[k], y[k]) for k in x)
        for x, y in zip(a.results, b.results, strict=True)
    )


def test_the_flow_image_is_that_of_the_analysis(clip: Path, grey: list[np.ndarray]) -> None:
    from fleeting.faces.detect import FaceDetector

    made = clip_motion(grey, fps=clips.FPS, apex=clips.APEX - clips.ONSET)
    transform = crop_transform(FaceDetector()(grey[0])[0][1].points)
    seconds = [f / clips.FPS for f in (clips.ONSET, clips.APEX, clips.OFFSET)]
    event = Event(0, "micro", clips.ONSET, clips.APEX, clips.OFFSET, *seconds, regions=("left_mouth_corner",))
    part = SimpleNamespace(run=np.zeros(clips.FRAMES, int), transform=np.repeat(transform[None], clips.FRAMES, axis=0))
    seen = SimpleNamespace(time_s=np.arange(clips.FRAMES) / clips.FPS, part=lambda frames: part)
    with open_video(clip) as reader:
        (frames,) = taken(reader, [Task(0, event, loop=0)], {0: seen}, MotionSettings())  # type: ignore[dict-item]
    theirs = picture_event(frames, MotionSettings(), form=None)
    assert np.array_equal(made.flow, theirs.flow_image)
    assert made.flow.std() > 20


def test_the_recogniser_knows_the_smile(grey: list[np.ndarray]) -> None:
    from fleeting.naming.recogniser import Recogniser

    made = clip_motion(grey, fps=clips.FPS, apex=clips.APEX - clips.ONSET)
    recogniser = Recogniser()
    assert recogniser.labels[int(recogniser(made.flow[None])[0].argmax())] == "positive"


def test_an_unknown_apex_is_where_most_moved(grey: list[np.ndarray]) -> None:
    made = clip_motion(grey, fps=clips.FPS)
    assert abs(made.apex - (clips.APEX - clips.ONSET)) <= 2
    assert made.notes == ("The apex is the frame of the largest movement.",)


def test_smoothing_keeps_one_wild_frame_from_being_the_apex() -> None:
    moved = np.interp(np.arange(40), [0, 20, 39], [0.0, 2.0, 0.5])
    moved[35] = 2.2
    assert abs(strongest(moved, fps=200.0) - 20) <= 1
    assert strongest(np.array([5.0, 0.1, 0.2, 0.1]), fps=30.0) != 0, "the onset is never the apex"


def test_the_sequence_is_the_clip_held_still(grey: list[np.ndarray]) -> None:
    made = clip_motion(grey, fps=clips.FPS, apex=7, length=5, width=70)
    assert made.sequence is not None
    assert made.sequence.shape == (5, 85, 70)
    assert made.sequence.dtype == np.uint8
    whole = clip_motion(grey, fps=clips.FPS, apex=7, length=len(grey), width=70).sequence
    assert whole is not None
    assert np.array_equal(whole[0], made.sequence[0])
    assert np.array_equal(whole[-1], made.sequence[-1])


def test_a_moving_head_is_held_as_at_the_onset(grey: list[np.ndarray]) -> None:
    drift = 0.6  # pixels of the film from frame to frame, more than 10 in all
    size = grey[0].shape[::-1]
    moving = [cv2.warpAffine(g, np.float32([[1, 0, drift * i], [0, 1, 0]]), size) for i, g in enumerate(grey)]
    made = clip_motion(moving, fps=clips.FPS, apex=7, length=len(moving)).sequence
    still = clip_motion(grey, fps=clips.FPS, apex=7, length=len(grey)).sequence
    assert made is not None
    assert still is not None
    between = dense_flow(still[-1], made[-1])
    assert np.abs(np.median(between, axis=(0, 1))).max() < 0.5


def test_a_tight_crop_is_found_where_the_finder_finds_nothing(grey: list[np.ndarray]) -> None:
    transform, notes = face_transform(grey)
    assert not notes
    crops = [align(g, transform) for g in grey]
    points = tight_crop(crops[0])
    assert points is not None
    assert np.linalg.norm(points - canonical_points(), axis=1).mean() < 6
    assert tight_crop(np.full((170, 140), 128, np.uint8)) is None
    # Whichever of the two ways finds it: the same movement.
    from_crops = clip_motion(crops, fps=clips.FPS, apex=7).flow
    likeness = np.corrcoef(from_crops[..., 1].ravel(), clip_motion(grey, fps=clips.FPS, apex=7).flow[..., 1].ravel())
    assert likeness[0, 1] > 0.8


def test_the_finder_has_the_first_word(grey: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    transform, _ = face_transform(grey)
    crop = align(grey[0], transform)
    found = clip_room._largest
    monkeypatch.setattr(clip_room, "_largest", lambda frame: None if frame is crop else found(frame))
    assert face_transform([crop, *grey[:3]])[1] == ["The pictures were taken for tight crops of a face."]
    monkeypatch.setattr(clip_room, "tight_crop", lambda frame: None)
    later, notes = face_transform([crop, *grey[:3]])
    assert notes == ["The face was found 1 frames after the onset."]
    assert np.array_equal(later, transform)


def test_no_face(tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match="12 pictures of 80 x 60 without one"):
        clip_motion([np.full((60, 80), 99, np.uint8)] * 12, fps=50.0)


@pytest.mark.parametrize(("count", "apex"), [(1, None), (5, 0), (5, 5)])
def test_impossible_clips(grey: list[np.ndarray], count: int, apex: int | None) -> None:
    with pytest.raises(InputError, match="at least 2 frames, and an apex after the onset"):
        clip_motion(grey[:count], fps=50.0, apex=apex)


def test_long_clips_are_thinned_with_their_apex() -> None:
    assert thinned(10, 3) == list(range(10))
    places = thinned(5 * MOST_FRAMES, 778)
    assert places[0] == 0
    assert places[-1] == 5 * MOST_FRAMES - 1
    assert 778 in places
    assert len(places) in (MOST_FRAMES, MOST_FRAMES + 1)


def test_what_is_made_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepared_in(folder)
    assert (len(first.rows), first.kept, first.failed) == (1, 0, ())
    calls: list[str] = []
    true = room.prepare_job
    monkeypatch.setattr(room, "prepare_job", lambda job, shared: calls.append(job.name) or true(job, shared))
    assert same(prepared_in(folder), first)
    assert not calls
    assert same(read_prepared(named_data(f"own={folder}").read(), cache=folder / "cache"), first)
    # Another word for the emotion is no other picture.
    table(folder, ROWS[0].replace("happiness", "surprise"))
    assert prepared_in(folder).kept == 1
    assert not calls


@pytest.mark.parametrize("change", ["settings", "frames", "content", "code", "network"])
def test_what_decides_is_in_the_key(folder: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    prepared_in(folder)
    how: dict[str, object] = {}
    if change == "settings":
        how["settings"] = replace(SMALL, flow="farneback")
    elif change == "frames":
        table(folder, ROWS[0].replace(f",{clips.APEX},", f",{clips.APEX + 1},"))
    elif change == "content":
        image = folder / "film" / f"image{clips.ONSET + 3:04d}.png"
        picture = cv2.imread(str(image))
        picture[0, 0] ^= 1
        cv2.imwrite(str(image), picture)
    elif change == "code":
        monkeypatch.setattr(room, "source_fingerprint", lambda rooms: "other")
    else:
        card = room.weights.card
        monkeypatch.setattr(room.weights, "card", lambda name: {**card(name), "sha256": "other"})
    assert prepared_in(folder, **how).kept == 0


def test_a_copied_set_is_not_made_again(folder: Path) -> None:
    prepared_in(folder)
    for image in (folder / "film").iterdir():
        os.utime(image, (1, 1))
    assert prepared_in(folder).kept == 1, "time alone is no content"


def test_a_stopped_run_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(folder, *ROWS, "film,ada,30,,40,fear,50")
    true = room.prepare_job

    def stops(job: room.Job, shared: object) -> room.Result:
        if job.name.endswith("_30"):
            raise KeyboardInterrupt
        return true(job, shared)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(room, "prepare_job", stops)
        with pytest.raises(KeyboardInterrupt):
            prepared_in(folder)
    again = prepared_in(folder)
    assert (len(again.rows), again.kept) == (2, 1)


def test_several_at_a_time_give_the_same(folder: Path, tmp_path: Path) -> None:
    table(folder, *ROWS, "film,ada,30,,40,fear,50", "gone,bob,1,2,3,fear,50", "film,ada,30,,99,fear,50,")
    one = prepared_in(folder)
    manifest = named_data(f"own={folder}").read()
    two = prepare(manifest, cache=tmp_path / "other", settings=SMALL, engine=make_engine("processes", workers=2))
    assert same(one, two)
    assert dict(one.failed) == dict(two.failed)
    assert "nothing at" in dict(one.failed)["own/bob/gone_1"]
    assert "44 images 0 to 43" in dict(one.failed)["own/ada/film_30_2"]


def test_a_file_of_prepared_clips(folder: Path) -> None:
    made = prepared_in(folder)
    path = file.write(made, folder / "own.npz", settings={"flow": "dis"})
    again = file.load(path)
    assert again.manifest.rows == made.rows
    assert np.array_equal(again.flow[0], made.results[0]["flow"])
    assert again.sequence is not None
    assert np.array_equal(again.sequence[0], made.results[0]["sequence"])
    assert again.settings == {"flow": "dis"}
    np.savez(folder / "bad.npz", clip=np.array(["a"]))
    with pytest.raises(DataError, match="bad.npz without dataset, subject"):
        file.load(folder / "bad.npz")
    (folder / "text.npz").write_text("no zip")
    with pytest.raises(DataError, match="a file of fleeting prepare; got .*text.npz"):
        file.load(folder / "text.npz")
    with pytest.raises(DataError, match="at least one prepared clip"):
        file.write(Prepared((), ()), folder / "none.npz", settings={})


def test_samples_from_the_cache_and_from_the_file(folder: Path) -> None:
    table(folder, *ROWS, "film,bob,30,,40,others,50", "film,bob,31,,40,repression,50")
    data = named_data(f"own={folder}")
    with pytest.raises(DataError, match="2 prepared clips of 'own'; got 2 that are not.*fleeting prepare own="):
        load_samples(f"own={folder}", cache=folder / "cache")
    made = prepare(data.read(), cache=cache_of(data, folder / "cache"), settings=SMALL)
    found = load_samples(f"own={folder}", cache=folder / "cache")
    assert list(found.clip) == ["own/ada/film_25", "own/bob/film_31"]
    assert list(found.subject) == ["own/ada", "own/bob"]
    assert list(found.label) == [1, 0]
    assert set(found.source_video) == {"own/film"}
    assert found.flow is not None
    assert found.sequence is not None
    assert np.array_equal(found.flow[1], made.results[2]["flow"])
    path = file.write(made, folder / "own.npz", settings={})
    again = load_samples(f"prepared={path}")
    assert np.array_equal(again.flow, found.flow)
    assert np.array_equal(again.sequence, found.sequence)
    assert list(load_samples(f"prepared={path}", classes=4).label) == [1, 3, 0]
    with pytest.raises(DataError, match="'own' has a scheme for"):
        load_samples(f"prepared={path}", classes=5)


def test_samples_of_flow_images_and_pictures(tmp_path: Path) -> None:
    import dataset_tables as make

    found = load_samples(f"composite={make.composite(tmp_path / 'c')}")
    assert sorted(found.subject) == ["casme2/sub01", "casme2/sub02", "samm/006", "smic/s01"]
    assert found.flow is not None
    with pytest.raises(DataError, match="3 classes of the composite set; got 5"):
        load_samples(f"composite={tmp_path / 'c'}", classes=5)
    faces = load_samples(f"fer2013={make.fer_csv(tmp_path / 'fer.csv')}", classes=7)
    assert faces.sequence is not None
    assert faces.sequence.shape == (7, 1, 48, 48)
    assert len(set(faces.subject)) == 7


def test_macro_expressions_and_blinks_are_left_out_beside_micro_expressions(folder: Path) -> None:
    made = prepared_in(folder)
    kinds = ("micro", "macro", "blink")
    rows = tuple(replace(made.rows[0], clip=kind, type=kind) for kind in kinds)
    path = file.write(Prepared(rows, made.results * 3), folder / "three.npz", settings={})
    assert list(load_samples(f"prepared={path}").clip) == ["own/ada/micro"]
    path = file.write(Prepared(rows[1:], made.results * 2), folder / "two.npz", settings={})
    assert list(load_samples(f"prepared={path}").clip) == ["own/ada/macro"]


def test_no_clip_of_the_classes(folder: Path) -> None:
    made = prepared_in(folder)
    path = file.write(Prepared((replace(made.rows[0], emotion="others"),), made.results), folder / "o.npz", settings={})
    with pytest.raises(DataError, match="clips of the classes negative, positive, surprise; got none"):
        load_samples(f"prepared={path}")
    assert list(load_samples(f"prepared={path}", classes=4).label) == [3]


def test_sets_that_show_the_same_people_share_their_names(folder: Path) -> None:
    made = prepared_in(folder)
    rows = tuple(
        replace(made.rows[0], dataset=name, subject="006", clip=name, emotion="anger") for name in ("samm", "samm-lv")
    )
    path = file.write(Prepared(rows, made.results * 2), folder / "two.npz", settings={})
    assert set(load_samples(f"prepared={path}").subject) == {"samm/006"}


def test_the_command(fleeting: Command, folder: Path) -> None:
    table(folder, *ROWS, "gone,bob,1,2,3,fear,50")
    how = ("--cache", folder / "cache", "--frames", "3", "--width", "42", "--out", folder / "own.npz")
    said = fleeting("prepare", f"own={folder}", *how)
    assert said.status == 1
    assert "own: 1 clips prepared, 0 of them before" in said.out
    assert "own/bob/gone_1: Expected the frames of own/bob/gone_1; got nothing at" in said.out
    assert "own: 2 of 2 clips" in said.err
    table(folder, *ROWS)
    said = fleeting("prepare", f"own={folder}", *how, "--json")
    assert said.status == 0
    (entry,) = json.loads(said.out)
    assert (entry["prepared"], entry["kept"], entry["failed"]) == (1, 1, [])
    samples = load_samples(f"prepared={folder / 'own.npz'}")
    assert samples.sequence is not None
    assert samples.sequence.shape == (1, 3, 51, 42)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["composite=x"], "which holds none"),
        (["own=gone"], "got gone, which does not exist"),
        (["own=gone", "--out", "x.csv"], "a file .npz for --out"),
        (["own=gone", "--frames", "1"], "2 or more frames"),
        (["own=gone", "--flow", "disk"], "a flow method"),
    ],
)
def test_wrong_commands(fleeting: Command, words: list[str], says: str) -> None:
    said = fleeting("prepare", *words)
    assert said.status == 1
    assert says in said.err


def test_the_default_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETING_CACHE", "/somewhere")
    assert room.default_cache() == Path("/somewhere/prepared")
    monkeypatch.delenv("FLEETING_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert room.default_cache() == Path("/x/fleeting/prepared")
    with pytest.raises(SettingsError, match="a flow method"):
        PrepareSettings(flow="none")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="a flow method"):
        PrepareSettings(event_flow="none")  # type: ignore[arg-type]


def test_missing_images_are_noted(folder: Path) -> None:
    for number in (clips.ONSET + 2, clips.OFFSET):
        (folder / "film" / f"image{number:04d}.png").unlink()
    text = "\n".join([f"{HEAD},first_number", *(f"{row},0" for row in ROWS)])
    (folder / "labels.csv").write_text(f"{text}\n", encoding="utf-8")
    made = prepared_in(folder)
    assert made.results[0]["notes"] == ["2 images are missing."]
    assert made.results[0]["apex"] == clips.APEX - clips.ONSET - 1
