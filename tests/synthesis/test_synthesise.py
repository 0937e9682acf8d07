from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from portraits import POINTS, portrait
from typer.testing import CliRunner

from fleeting.cli.app import app
from fleeting.errors import InputError, MissingExtraError, NoFaceError, SettingsError
from fleeting.synthesis import demo
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.face.profile import Profile
from fleeting.synthesis.plan import PlanSettings
from fleeting.synthesis.render import render_clip
from fleeting.synthesis.sets import read_disturbances
from fleeting.synthesis.synthesise import (
    SynthesisSettings,
    expected_names,
    find_points,
    is_picture,
    read_portrait,
    synthesise,
)
from fleeting.synthesis.truth import read_truth
from fleeting.video.reader import open_video

SMALL = ClipSettings(fps=50.0, seconds=2.0, width=128, height=128, iod_px=44.0)
SETTINGS = SynthesisSettings(plan=PlanSettings(events=1, blinks_per_minute=0), clip=SMALL)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("portraits") / "ada.png"
    cv2.imwrite(str(path), portrait()[..., ::-1])
    return path


def test_a_portrait_becomes_a_film_with_its_truth(tmp_path: Path, picture: Path) -> None:
    (clip,) = synthesise(picture, tmp_path, settings=SETTINGS, points=POINTS)
    assert clip == tmp_path / "ada.mp4"
    with open_video(clip) as reader:
        assert (reader.info.fps, reader.info.width, reader.info.height) == (50.0, 128, 128)
        assert sum(1 for _ in reader) == 100
    (row,) = read_truth(tmp_path / "truth.csv")
    assert (row.file, row.kind, row.fps) == ("ada.mp4", "micro", 50.0)
    assert 0 < row.onset_s < row.offset_s < 2.0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ada.mp4", "truth.csv"]


def test_a_hard_film_lists_what_disturbs(tmp_path: Path, picture: Path) -> None:
    long = replace(SMALL, fps=10.0, seconds=8.0)
    hard = SynthesisSettings(plan=SETTINGS.plan, clip=long, hard=True, clips=2, seed=3)
    clips = synthesise(picture, tmp_path, settings=hard, points=POINTS)
    spans = read_disturbances(tmp_path / "disturbances.csv")
    assert set(spans) == {clip.name for clip in clips}
    kinds = {span.kind for found in spans.values() for span in found}
    assert {"gaze", "head turn"} <= kinds
    assert not kinds & {row.kind for row in read_truth(tmp_path / "truth.csv")}
    # A clip that is made anew, without, is no longer listed; the other one is.
    synthesise(picture, tmp_path, settings=replace(hard, hard=False), points=POINTS)
    assert read_disturbances(tmp_path / "disturbances.csv") == {}
    numbered = synthesise(picture, tmp_path / "png", settings=replace(hard, pictures=True), points=POINTS)
    assert [len(list(folder.iterdir())) for folder in numbered] == [80, 80]
    with pytest.raises(SettingsError, match="Leave out --hard"):
        synthesise(clips[0], tmp_path / "injected", settings=hard)


def test_more_clips_are_entered_and_old_rows_replaced(tmp_path: Path, picture: Path) -> None:
    quick = SynthesisSettings(plan=SETTINGS.plan, clip=SMALL, clips=2, pictures=True)
    names = [p.name for p in synthesise(picture, tmp_path, settings=quick, points=POINTS)]
    assert names == ["ada_0", "ada_1"]
    before = read_truth(tmp_path / "truth.csv")
    again = SynthesisSettings(plan=SETTINGS.plan, clip=SMALL, clips=2, pictures=True, seed=5)
    synthesise(picture, tmp_path, settings=again, points=POINTS)
    after = read_truth(tmp_path / "truth.csv")
    assert [r.file for r in before] == [r.file for r in after] == names
    assert before != after
    with open_video(tmp_path / "ada_0", fps=50.0) as reader:
        assert next(iter(reader)).rgb.shape == (128, 128, 3)


def test_pictures_keep_every_value(tmp_path: Path) -> None:
    clip = PortraitClip(
        portrait(), POINTS, settings=ClipSettings(fps=10.0, seconds=0.3, width=96, height=96, iod_px=34)
    )
    assert render_clip(clip, tmp_path / "folder") == []
    with open_video(tmp_path / "folder", fps=10.0) as reader:
        assert [np.array_equal(f.rgb, clip.frame(f.index)) for f in reader] == [True] * 3


def test_movements_beyond_the_clip_are_refused(tmp_path: Path) -> None:
    late = demo.MOVEMENTS[1]
    clip = PortraitClip(portrait(), POINTS, movements=[late], settings=SMALL)
    with pytest.raises(SettingsError, match="within the clip of 2 s"):
        render_clip(clip, tmp_path / "late.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_without_a_face_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((120, 160, 3), 128, np.uint8))
    with pytest.raises(NoFaceError, match=r"a face in grey.png"):
        synthesise(path, tmp_path / "out", settings=SETTINGS)
    with pytest.raises(InputError, match="No such file"):
        read_portrait(tmp_path / "nothing.png")


def test_sources_that_collide_are_refused(tmp_path: Path, picture: Path) -> None:
    with pytest.raises(InputError, match=r"two that give ada.mp4"):
        expected_names([picture, Path("other/ada.jpg")], SETTINGS)
    with pytest.raises(SettingsError, match="at least one clip"):
        SynthesisSettings(clips=0)


def test_a_video_never_overwrites_itself(tmp_path: Path, picture: Path) -> None:
    (clip,) = synthesise(picture, tmp_path, settings=SETTINGS, points=POINTS)
    assert not is_picture(clip)
    assert is_picture(picture)
    with pytest.raises(InputError, match="another folder"):
        synthesise(clip, tmp_path, settings=SETTINGS, points=lambda frame: None)


def test_points_of_the_wrong_sort_are_refused(tmp_path: Path, picture: Path) -> None:
    with pytest.raises(SettingsError, match="for a picture"):
        synthesise(picture, tmp_path, settings=SETTINGS, points=lambda frame: None)


def test_the_command_films_a_real_portrait(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="the portrait comes with the extra demo")
    path = tmp_path / "astronaut.png"
    cv2.imwrite(str(path), demo.portrait()[..., ::-1])
    film = "--seconds 1.5 --fps 40 --size 160x120 --iod 40 --events 1 --percent 2-3 --emotions surprise --noise 0.5"
    result = CliRunner().invoke(app, ["synthesise", str(path), "--out", str(tmp_path / "out"), *film.split()])
    assert result.exit_code == 0, result.output
    (row,) = (r for r in read_truth(tmp_path / "out" / "truth.csv") if r.kind != "blink")
    assert row.emotion == "surprise"
    assert 2.0 <= row.peak_percent_iod <= 3.0
    assert not (tmp_path / "out" / "disturbances.csv").exists()
    hard = ["--seconds", "6", "--fps", "10", "--size", "160x120", "--iod", "40", "--events", "1", "--hard"]
    result = CliRunner().invoke(app, ["synthesise", str(path), "--out", str(tmp_path / "hard"), *hard])
    assert result.exit_code == 0, result.output
    assert "disturbances.csv" in result.output
    assert "gaze" in {span.kind for span in read_disturbances(tmp_path / "hard" / "disturbances.csv")["astronaut.mp4"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--percent", "4"], "Write it as 1-4"),
        (["--size", "640"], "Write it as 640x480"),
        (["--size", "641x480"], "even width"),
        (["--kind", "nano"], "micro, macro, mixed"),
        (["--emotions", "joy"], "got 'joy'"),
    ],
)
def test_the_command_refuses_what_cannot_be(tmp_path: Path, picture: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["synthesise", str(picture), "--out", str(tmp_path), *arguments])
    assert result.exit_code == 1
    assert message in result.output + str(result.exception)


def test_the_command_goes_on_after_a_source_that_failed(tmp_path: Path) -> None:
    video = tmp_path / "film.mp4"
    video.write_bytes(b"no film")
    result = CliRunner().invoke(
        app, ["synthesise", str(tmp_path / "missing.mp4"), str(video), "--out", str(tmp_path / "out"), "--iod", "40"]
    )
    assert result.exit_code == 1
    assert "missing.mp4" in result.output
    assert f"a portrait for --iod; got {video}" in result.output
    assert "truth:" not in result.output


def test_the_demonstration_is_what_it_says() -> None:
    pytest.importorskip("skimage", reason="the portrait comes with the extra demo")
    kinds = [m.kind for m in demo.MOVEMENTS]
    assert (kinds.count("micro"), kinds.count("macro"), kinds.count("blink")) == (4, 1, 4)
    assert sum(m.side != "both" for m in demo.MOVEMENTS) == 1
    assert len({m.emotion for m in demo.MOVEMENTS if m.kind == "micro"}) == 4
    for m in demo.MOVEMENTS:
        duration = m.profile.offset_s - m.profile.onset_s
        assert (duration > 0.5) == (m.kind == "macro")
    clip = demo.demo_clip()
    assert demo.SETTINGS.fps == 200.0
    assert max(m.profile.last_s for m in demo.MOVEMENTS) < demo.SETTINGS.seconds
    # Its landmarks lie on the face: the eyes are darker than the cheeks below them.
    frame = clip.frame(0).astype(float).mean(axis=-1)
    for eye in (slice(36, 42), slice(42, 48)):
        x, y = np.rint(clip.points[eye].mean(axis=0)).astype(int)
        assert frame[y - 3 : y + 4, x - 3 : x + 4].mean() < frame[y + 27 : y + 34, x - 3 : x + 4].mean() - 40
    # Nine movements at their apexes can be drawn without a tear.
    for m in demo.MOVEMENTS:
        clip.frame(m.profile.frames(200.0)[1])


def test_without_the_extra_the_demonstration_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(MissingExtraError, match=r"fleeting\[demo\]"):
        demo.demo_clip()


def test_portraits_of_any_size_find_their_points() -> None:
    pytest.importorskip("skimage", reason="the portrait comes with the extra demo")
    found = find_points(demo.portrait(), name="astronaut")
    iod = np.hypot(*(demo.PORTRAIT_POINTS[45] - demo.PORTRAIT_POINTS[36]))
    assert np.hypot(*(found - demo.PORTRAIT_POINTS).T).mean() < 0.08 * iod


def test_profiles_of_the_demonstration_can_be_filmed_slower() -> None:
    assert all(isinstance(m.profile, Profile) and m.profile.frames(25.0) for m in demo.MOVEMENTS)
