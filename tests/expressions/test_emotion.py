"""`fleeting emotion`: every face of pictures, videos and folders, whatever state the files are in."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from command import Command
from video_files import write_video

from fleeting.errors import InputError, NoFaceError, VideoError
from fleeting.expressions import emotion as room
from fleeting.expressions.drawing import drawn, enlargement
from fleeting.expressions.emotion import media_files, read_emotions, shown_at
from fleeting.expressions.files import emotion
from fleeting.expressions.readings import COLUMNS, Reading
from fleeting.labels import SEVEN_CLASSES
from fleeting.records import FaceBox
from fleeting.synthesis import demo

pytest.importorskip("skimage", reason="the portrait of the demonstration comes with the extra demo")

CARD = {"name": "expression", "version": 1, "sha256": "0"}


class Stand:
    """Stands in for the network, so that files are tested whatever it says; keeps the crops."""

    crops: list[npt.NDArray[np.uint8]] = []  # noqa: RUF012

    def __init__(self) -> None:
        self.card = CARD

    def __call__(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        Stand.crops += list(faces)
        found = np.full((len(faces), 7), 0.02, np.float32)
        found[:, 3] = 0.88
        return found


@pytest.fixture(autouse=True)
def _stand(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "network" not in request.fixturenames:
        Stand.crops.clear()
        monkeypatch.setattr(room, "ExpressionNet", Stand)


@pytest.fixture(scope="module")
def face() -> npt.NDArray[np.uint8]:
    """The astronaut of scikit-image (public domain), 256 x 256."""
    return np.asarray(cv2.resize(demo.portrait(), (256, 256), interpolation=cv2.INTER_AREA), np.uint8)


def save(path: Path, rgb: npt.NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), rgb[..., ::-1] if rgb.ndim == 3 else rgb)
    return path


def exif(path: Path, orientation: int) -> None:
    """Put an EXIF entry of the orientation into a JPEG file."""
    entry = struct.pack("<2sHLHHHLHHL", b"II", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + entry
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:])


# ---------------------------------------------------------------- pictures


def test_a_picture_gives_a_row_for_each_face(face: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    small = cv2.resize(face, (160, 160), interpolation=cv2.INTER_AREA)
    both = np.full((256, 420, 3), 90, np.uint8)
    both[:, :256] = face
    both[60:220, 258:418] = small
    found = emotion(save(tmp_path / "two.png", both), out=tmp_path / "out")
    readings = found.sources[0].readings
    assert [r.face for r in readings] == [0, 1]
    assert readings[0].box.width > readings[1].box.width
    assert [r.expression for r in readings] == ["happy", "happy"]
    table = pd.read_csv(tmp_path / "out" / "two.emotion.csv")
    assert list(table.columns) == list(COLUMNS)
    assert table["source"].tolist() == ["two.png"] * 2
    assert table["frame"].isna().all()
    assert table["probability"].tolist() == [0.88, 0.88]
    np.testing.assert_allclose(table[list(SEVEN_CLASSES)].sum(axis=1), 1, atol=1e-3)
    stored = json.loads((tmp_path / "out" / "two.emotion.json").read_text())
    assert stored["schema"] == "fleeting-emotion/1"
    assert stored["sources"][0]["faces"][1]["happy"] == 0.88
    assert stored["sources"][0]["faces"][1]["frame"] is None


def test_grey_alpha_16_bits_and_turned_pictures_show_the_same_face(face: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    alpha = np.dstack([face[..., ::-1], np.full(face.shape[:2], 7, np.uint8)])
    cv2.imwrite(str(tmp_path / "alpha.png"), alpha)
    save(tmp_path / "deep.png", face.astype(np.uint16) * 257)
    save(tmp_path / "grey.png", np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)))
    turned = save(tmp_path / "turned.jpg", np.rot90(face))  # counter-clockwise: to be shown it is turned clockwise
    exif(turned, 6)
    plain = save(tmp_path / "plain.png", face)
    read_emotions(plain)
    (expected,) = Stand.crops
    for name in ("alpha.png", "deep.png", "grey.png", "turned.jpg"):
        Stand.crops.clear()
        read_emotions(tmp_path / name)
        assert np.corrcoef(Stand.crops[0].ravel(), expected.ravel())[0, 1] > 0.98, name


def test_a_face_turned_too_far_is_listed_without_probabilities(
    face: npt.NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_YAW_DEG", -1.0)
    found = emotion(save(tmp_path / "a.png", face), out=tmp_path, render=True)
    (reading,) = found.sources[0].readings
    assert reading.probabilities is reading.expression is reading.probability is None
    assert pd.read_csv(tmp_path / "a.emotion.csv")[["expression", "happy"]].isna().all(axis=None)
    assert (tmp_path / "a.emotion.jpg").exists()
    assert not Stand.crops


def test_a_single_input_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match=r"blank\.png, in which no face was found"):
        read_emotions(save(tmp_path / "blank.png", np.full((80, 80, 3), 128, np.uint8)))
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(VideoError, match="damaged or no image"):
        read_emotions(tmp_path / "text.jpg")
    (tmp_path / "empty.png").touch()
    with pytest.raises(VideoError, match="0 bytes"):
        read_emotions(tmp_path / "empty.png")
    with pytest.raises(VideoError, match="does not exist"):
        read_emotions(tmp_path / "nowhere.png")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="which holds none"):
        read_emotions(tmp_path / "folder")


# ---------------------------------------------------------------- folders


def test_nothing_of_a_folder_is_lost(face: npt.NDArray[np.uint8], tmp_path: Path, fleeting: Command) -> None:
    photos = tmp_path / "photos"
    save(photos / "a.png", face)
    save(photos / "deeper" / "a.jpg", face)
    save(photos / "blank.png", np.full((80, 80, 3), 128, np.uint8))
    save(photos / ".hidden" / "b.png", face)
    (photos / "broken.jpg").write_text("no picture")
    (photos / "notes.txt").write_text("not looked at")
    write_video(photos / "clip.mp4", [face] * 3)
    done = fleeting("emotion", photos, "--out", photos / "out", "--render")
    assert done.status == 1
    assert "error: broken.jpg" in done.err
    assert "warning: blank.png: no face" in done.err
    assert "5 readings in 5 files: happy 5" in done.out
    stored = json.loads((photos / "out" / "photos.emotion.json").read_text())
    assert [s["name"] for s in stored["sources"]] == ["a.png", "blank.png", "broken.jpg", "clip.mp4", "deeper/a.jpg"]
    assert ["damaged" in (s["error"] or "") for s in stored["sources"]] == [False, False, True, False, False]
    drawn_files = {p.relative_to(photos / "out" / "photos.emotion").as_posix() for p in (photos / "out").rglob("*.*p*")}
    assert drawn_files >= {"a.png.jpg", "blank.png.jpg", "clip.mp4", "deeper/a.jpg"}
    # A second run does not read its own pictures.
    assert len(media_files(photos, without=photos / "out")) == 5
    assert fleeting("emotion", photos, "--out", photos / "out").out == done.out


def test_several_inputs_and_json_lines(face: npt.NDArray[np.uint8], tmp_path: Path, fleeting: Command) -> None:
    first = save(tmp_path / "one" / "a.png", face)
    second = save(tmp_path / "two" / "a.jpg", face)
    done = fleeting("emotion", first, second, tmp_path / "gone.png", "--out", tmp_path / "out", "--json")
    assert done.status == 1
    assert "gone.png" in done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["readings"] for line in lines] == [1, 1]
    assert len({line["results"] for line in lines}) == 2, "two inputs of one name do not overwrite each other"
    assert all(Path(line["results"]).exists() for line in lines)
    alone = fleeting("emotion", first, "--out", tmp_path / "out")
    assert alone.status == 0
    assert "face 0: happy (88%)" in alone.out


# ---------------------------------------------------------------- videos


def test_a_video_keeps_its_faces_and_times(face: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    grey = np.full_like(face, 90)
    clip = write_video(tmp_path / "clip.mp4", [*[face] * 6, *[grey] * 4, *[face] * 6], rate=20)
    found = emotion(clip, out=tmp_path / "out", render=True)
    (source,) = found.sources
    assert (source.frames, source.fps) == (16, 20)
    assert {r.face for r in source.readings} == {0}
    seen = [r.frame for r in source.readings]
    assert seen[:6] == list(range(6))
    assert not set(seen) & {7, 8}
    assert [r.time_s for r in source.readings] == pytest.approx([f / 20 for f in seen])
    rows = pd.read_csv(tmp_path / "out" / "clip.emotion.csv")
    assert rows["frame"].tolist() == seen
    from fleeting.video.reader import open_video

    with open_video(tmp_path / "out" / "clip.emotion.mp4") as video:
        frames = list(video)
        assert len(frames) == 16
        assert (video.info.width, video.info.height) == (512, 512), "enlarged, so that the text can be read"
        away = cv2.resize(grey, (512, 512)).astype(int)
        assert np.abs(frames[8].rgb - away).max() < 30, "nothing is drawn where there is no face"
        assert np.abs(frames[2].rgb.astype(int) - frames[8].rgb).max() > 100
    fewer = read_emotions(clip, per_second=5)
    assert [r.frame for r in fewer.sources[0].readings][:2] == [0, 4]


def test_a_folder_with_a_rate_is_one_clip(face: npt.NDArray[np.uint8], tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "frames" / f"img{i:03d}.png", face)
    found = read_emotions(tmp_path / "frames", fps=50)
    (source,) = found.sources
    assert source.video
    assert not found.folder
    assert [r.time_s for r in source.readings] == pytest.approx([0, 0.02, 0.04])
    assert [s.video for s in read_emotions(tmp_path / "frames").sources] == [False] * 3


# ---------------------------------------------------------------- drawing


def reading(box: tuple[float, ...], time_s: float = 0.0, face: int = 0) -> Reading:
    shares = np.float32([0.02] * 3 + [0.88] + [0.02] * 3)
    return Reading(0, time_s, face, FaceBox(*box), 0.0, shares)


@pytest.mark.parametrize("box", [(100, 100, 80, 90), (280, 10, 70, 80), (-20, -20, 500, 500), (0, 340, 30, 30)])
def test_a_face_is_drawn_wherever_it_is(box: tuple[float, ...]) -> None:
    picture = np.full((360, 360, 3), 128, np.uint8)
    canvas = drawn(picture, [reading(box)])
    assert canvas.shape == picture.shape
    assert (picture == 128).all(), "the picture itself stays"
    assert (canvas == 255).any(), "the text is in the picture"
    assert (canvas == np.array((70, 167, 88))).all(-1).sum() > 100, "and the bar of the class"


def test_small_pictures_are_enlarged() -> None:
    assert [enlargement(h, w) for h, w in ((48, 48), (360, 640), (200, 900), (2, 2))] == [8, 1, 2, 8]
    assert drawn(np.zeros((48, 50, 3), np.uint8), [], factor=8).shape == (384, 400, 3)


def test_a_reading_is_shown_until_the_next_one() -> None:
    at = shown_at(
        [reading((0, 0, 9, 9), 0.0), reading((0, 0, 9, 9), 0.2), reading((5, 5, 9, 9), 0.2, face=1)], held_s=0.3
    )
    assert [len(at(t)) for t in (0.0, 0.1, 0.2, 0.45, 0.6)] == [1, 1, 2, 2, 0]
