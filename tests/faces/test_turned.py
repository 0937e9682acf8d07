"""Films whose faces lie on their side or stand on their head."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import FPS, pictures, write_folder
from command import Command
from video_files import set_matrix, write_numbered, write_video

from fleeting.analysis.analyse import analyse_video
from fleeting.errors import FleetingWarning
from fleeting.export.timeline_json import read_timeline, write_timeline
from fleeting.expressions.emotion import read_emotions
from fleeting.faces.detect import FaceDetector
from fleeting.faces.turn import turn_of_film, turn_of_picture
from fleeting.faces.upright import open_upright
from fleeting.live.live import stand_upright
from fleeting.quality.probe import probe
from fleeting.settings import AnalyseSettings, FaceSettings, from_dict
from fleeting.video.frame import Frame
from fleeting.video.live_source import Playback
from fleeting.video.orientation import Orientation
from fleeting.video.reader import open_video


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def upright(clip: Path) -> list[np.ndarray]:
    """A second of the film, in a wide picture, so that a turn changes its shape."""
    return [cv2.copyMakeBorder(p, 0, 0, 48, 48, cv2.BORDER_REPLICATE) for p in pictures(clip, 52)]


def lying(path: Path, upright: list[np.ndarray], degrees: int) -> Path:
    """A film that has to be turned clockwise by so many degrees."""
    turned = [np.ascontiguousarray(np.rot90(p, degrees // 90)) for p in upright]
    return write_video(path, turned, rate=FPS, options={"crf": "12"})


def tilted(grey: np.ndarray, degrees: float) -> np.ndarray:
    height, width = grey.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    return cv2.warpAffine(grey, turn, (width, height), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_orientations_follow_each_other(degrees: int) -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    turn = Orientation.clockwise(degrees)
    assert np.array_equal(turn.apply(picture), np.rot90(picture, -degrees // 90))
    for first in (Orientation(t, x, y) for t in (False, True) for x in (False, True) for y in (False, True)):
        assert np.array_equal(first.then(turn).apply(picture), turn.apply(first.apply(picture)))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_film_is_analysed_upright(upright: list[np.ndarray], tmp_path: Path, degrees: int) -> None:
    path = lying(tmp_path / "a.mp4", upright, degrees)
    with pytest.warns(FleetingWarning, match="so the picture was turned by"):
        timeline = analyse_video(path, pictures=False).timeline
    assert (timeline.video.turn, timeline.video.rotation) == (degrees, degrees)
    assert (timeline.video.width, timeline.video.height) == (288, 192)
    assert timeline.tracks[0].frame_count == 52
    assert np.nanmax(np.abs(timeline.signals[0].pose[:, 2])) < 20
    assert any("turned by" in said for said in timeline.warnings)
    again = read_timeline(write_timeline(timeline, tmp_path / "timeline.json"))
    assert again.video == timeline.video
    found = probe(path)
    assert found.video.turn == degrees
    assert found.quality.to_dict() == timeline.quality
    assert found.warnings == tuple(w for w in timeline.warnings if "a.mp4" in w)


def test_the_smile_is_found_in_a_turned_film(clip: Path, tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mp4", [np.ascontiguousarray(np.rot90(p)) for p in pictures(clip)], rate=FPS, options={"crf": "12"}
    )
    with pytest.warns(FleetingWarning, match="turned by 90 degrees clockwise"):
        analysis = analyse_video(path)
    (place,) = (i for i, e in enumerate(analysis.timeline.events) if e.kind == "micro")
    found = FaceDetector()(cv2.imdecode(np.frombuffer(analysis.media[place].face, np.uint8), cv2.IMREAD_GRAYSCALE))
    assert abs(found[0][1].pose[2]) < 20


@pytest.mark.parametrize("degrees", [0, 25, -35, 45, -45])
def test_a_head_that_tilts_is_not_turned(clip: Path, detector: FaceDetector, degrees: int) -> None:
    grey = tilted(cv2.cvtColor(pictures(clip, 1)[0], cv2.COLOR_RGB2GRAY), degrees)
    assert turn_of_picture(grey, detector) in (0, None)


def test_a_picture_without_a_face_has_no_turn(detector: FaceDetector) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160)).astype(np.uint8)
    assert turn_of_picture(noise, detector) is None


def test_most_of_the_first_pictures_decide(clip: Path, detector: FaceDetector) -> None:
    grey = cv2.cvtColor(pictures(clip, 1)[0], cv2.COLOR_RGB2GRAY)
    empty, side = np.full_like(grey, 90), np.ascontiguousarray(np.rot90(grey))

    def film(shown: list[np.ndarray]) -> list[Frame]:
        return [Frame(i, 0.2 * i, g) for i, g in enumerate(shown)]

    assert turn_of_film(film([empty, side, grey, side, grey, side]), detector) == 90
    assert turn_of_film(film([side, grey, grey, empty, grey]), detector) == 0
    assert turn_of_film(film([side, grey]), detector) == 0
    assert turn_of_film(film([empty, side, empty, empty]), detector) == 0
    assert turn_of_film(film([empty] * 20 + [side] * 9), detector) == 90
    assert turn_of_film(film([]), detector) == 0


def test_only_the_beginning_is_read_where_a_face_is_in_view(clip: Path, detector: FaceDetector) -> None:
    taken = []
    with open_video(clip) as reader:
        for frame in reader:
            taken.append(frame)

    def frames():
        for frame in taken:
            read.append(frame.index)
            yield frame

    read: list[int] = []
    assert turn_of_film(frames(), detector) == 0
    assert read[-1] <= 0.5 * FPS


def test_a_turn_that_the_user_names(upright: list[np.ndarray], tmp_path: Path, fleeting: Command) -> None:
    path = lying(tmp_path / "a.mp4", upright, 90)
    said = fleeting("probe", path, "--turn", "0", "--json")
    entry = json.loads(said.out)[0]
    assert (entry["video"]["turn"], entry["quality"]["face_in_view"]["value"], entry["warnings"]) == (0, 0, [])
    said = fleeting("probe", path, "--turn", "90")
    assert "turned by 90 degrees clockwise" in said.out
    turned_back = fleeting("probe", path, "--turn", "270")
    assert "turned by 90 degrees counter-clockwise" in turned_back.out, "in the words of the warning"
    assert "warning" not in said.out
    assert "one of auto, 0, 90, 180, 270" in fleeting("probe", path, "--turn", "45").err


def test_emotions_of_a_turned_film_and_picture(upright: list[np.ndarray], tmp_path: Path) -> None:
    path = lying(tmp_path / "a.mp4", upright[:12], 270)
    photo = tmp_path / "a.png"
    cv2.imwrite(str(photo), np.rot90(upright[0], 2)[..., ::-1])
    with pytest.warns(FleetingWarning, match="turned by 90 degrees counter-clockwise"):
        film = read_emotions(path, per_second=10).sources[0]
    with pytest.warns(FleetingWarning, match="stands on its head"):
        picture = read_emotions(photo).sources[0]
    assert (film.turn, picture.turn) == (270, 180)
    assert film.readings[0].box.x == pytest.approx(picture.readings[0].box.x, abs=4)


def test_live_turns_a_film_too(upright: list[np.ndarray], tmp_path: Path) -> None:
    path = lying(tmp_path / "a.mp4", upright[:30], 90)
    source = Playback(path)
    with pytest.warns(FleetingWarning, match="turned by 90 degrees clockwise"):
        stand_upright(source, FaceSettings())
    assert (source.info.turn, source.info.width) == (90, 288)
    assert next(source.frames()).grey.shape == (192, 288)


def test_a_folder_of_images_is_turned(upright: list[np.ndarray], tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "clip", [np.rot90(p) for p in upright[:4]])
    with pytest.warns(FleetingWarning, match="turned by 90 degrees clockwise"):
        reader = open_upright(folder, fps=4)
    assert (reader.info.turn, reader.info.rotation, reader.info.width) == (90, 90, 288)
    for frame in reader.frames(1, 2):
        assert np.array_equal(frame.rgb, upright[frame.index])


def test_a_turn_on_top_of_the_file_s_own(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", 3)
    set_matrix(path, (0, 1, -1, 0))
    reader = open_video(path)
    before = next(iter(reader)).grey
    reader.turn(180)
    assert np.array_equal(next(iter(reader)).grey, np.rot90(before, 2))
    assert (reader.info.rotation, reader.info.turn) == (270, 180)


def test_settings_of_before_have_no_turn() -> None:
    assert from_dict(AnalyseSettings, {"faces": {"min_iod_px": 30}}).faces.turn == "auto"
