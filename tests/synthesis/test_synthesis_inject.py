from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from portraits import POINTS, portrait

from fleeting.errors import FleetingWarning, NoFaceError, SettingsError
from fleeting.records import VideoInfo
from fleeting.synthesis.camera import PERFECT
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.face.action_units import Activation
from fleeting.synthesis.face.head import STILL, HeadSettings
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import Profile
from fleeting.synthesis.face.warp import sample_field, sample_picture
from fleeting.synthesis.inject import Injection, carried, inject
from fleeting.video.frame import Frame
from fleeting.video.reader import open_video
from fleeting.video.stream import VideoReader
from fleeting.video.writer import VideoWriter

SMILE = Movement("micro", Profile(0.3, 0.5, 0.75), (Activation("AU12"),), 4.0, "happiness")
FILM = ClipSettings(fps=40.0, seconds=1.2, width=200, height=200, iod_px=70.0, head=STILL, camera=PERFECT)


class Memory(VideoReader):
    """A video of pictures in memory."""

    def __init__(self, pictures: list[np.ndarray], *, fps: float) -> None:
        super().__init__(Path("memory.mp4"))
        height, width = pictures[0].shape[:2]
        self.info = VideoInfo("memory.mp4", "memory", "none", "none", "rgb24", width, height, fps)
        self._pictures, self._fps = pictures, fps

    def _stream(self) -> Generator[Frame]:
        for index, picture in enumerate(self._pictures):
            yield Frame(index, index / self._fps, picture)

    def _between(self, first: int, last: int) -> Generator[Frame]:
        yield from list(self._stream())[first : last + 1]


@pytest.fixture(scope="module")
def film() -> PortraitClip:
    head = HeadSettings(shift_percent_iod=6.0, roll_deg=3.0)
    return PortraitClip(portrait(), POINTS, settings=replace(FILM, head=head), seed=1)


@pytest.fixture(scope="module")
def video(film: PortraitClip) -> Memory:
    return Memory(list(film.frames()), fps=40.0)


def following(film: PortraitClip, *, jitter: float = 0.0):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)

    def points(frame: Frame) -> np.ndarray:
        flow, _ = film.flow(0, frame.index)
        still = film.points - film.flow(0, 0)[0][tuple(np.rint(film.points[:, ::-1]).astype(int).T)]
        start = sample_field(film.flow(0, 0)[0] + flow, still[None].astype(np.float32))[0]
        return still + start + rng.normal(0, jitter, (68, 2))

    return points


def test_other_frames_and_other_pixels_stay_as_they_are(film: PortraitClip, video: Memory) -> None:
    injection = Injection(video, [SMILE], points=following(film))
    changed = []
    for frame, picture in injection.frames():
        original = video._pictures[frame.index]
        known = injection.field(frame)
        if known is None:
            assert picture is original
            continue
        changed.append(frame.index)
        different = np.argwhere((picture != original).any(axis=-1))
        if len(different):
            field, left, top = known
            moving = np.argwhere(np.abs(field).max(axis=-1) > 0) + [top, left]
            assert (different.min(axis=0) >= moving.min(axis=0)).all()
            assert (different.max(axis=0) <= moving.max(axis=0)).all()
    first, last = SMILE.profile.first_s * 40, SMILE.profile.last_s * 40
    assert changed == list(range(int(np.floor(first)) + 1, int(np.ceil(last))))


def test_truth_names_the_frames(film: PortraitClip, video: Memory) -> None:
    (row,) = Injection(video, [SMILE], points=following(film)).rows
    assert (row.onset, row.apex, row.offset) == (12, 20, 30) == SMILE.profile.frames(40.0)
    assert (row.kind, row.emotion, row.action_units, row.peak_percent_iod) == ("micro", "happiness", "AU12", 4.0)
    assert row.apex_s == 0.5


def test_pictures_move_as_the_field_says(film: PortraitClip, video: Memory) -> None:
    injection = Injection(video, [SMILE], points=following(film))
    frame = list(video)[20]
    field, left, top = injection.field(frame) or pytest.fail("nothing moves at the apex")
    assert np.hypot(field[..., 0], field[..., 1]).max() == pytest.approx(0.04 * 70, rel=0.03)
    height, width = field.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    where = np.stack([x + left, y + top], -1) + field
    drawn = injection.draw(frame).astype(np.float32)
    original = sample_picture(frame.rgb.astype(np.float32), np.stack([x + left, y + top], -1))
    moving = np.hypot(field[..., 0], field[..., 1]) > 0.7
    error = np.abs(sample_picture(drawn, where) - original)[moving]
    before = np.abs(sample_picture(drawn, np.stack([x + left, y + top], -1)) - original)[moving]
    assert before.mean() > 5.0
    assert error.mean() < 1.2


def test_the_field_follows_the_face_without_its_jitter(film: PortraitClip, video: Memory) -> None:
    calm = Injection(video, [SMILE], points=following(film))
    jittery = Injection(video, [SMILE], points=following(film, jitter=0.6))
    for frame in list(video)[12:31]:
        (a, left_a, top_a), (b, left_b, top_b) = calm.field(frame), jittery.field(frame)  # type: ignore[misc]
        # The left corner of the mouth is where the film's own truth has it.
        target = following(film)(frame)[54]
        peak = np.unravel_index(
            np.hypot(a[..., 0], a[..., 1])[:, a.shape[1] // 2 :].argmax(), (a.shape[0], a.shape[1] - a.shape[1] // 2)
        )
        found = np.array([peak[1] + a.shape[1] // 2 + left_a, peak[0] + top_a])
        assert np.hypot(*(found - target)) < 8.0
        at = target.astype(np.float32)[None, None]
        assert sample_field(a, at, left=left_a, top=top_a) == pytest.approx(
            sample_field(b, at, left=left_b, top=top_b), abs=0.12
        )


def test_carried_points_keep_their_shape() -> None:
    rng = np.random.default_rng(2)
    times = np.arange(40) / 100
    drift = np.stack([20 * times, 5 * times], -1)[:, None]
    points = carried(POINTS + drift + rng.normal(0, 0.5, (40, 68, 2)), times)
    error = (points - points[0]) - (drift - drift[0])
    assert np.abs(error[8:32].mean(axis=1)).max() < 0.7
    inner = np.linalg.norm(points[:, 54] - points[:, 48], axis=-1)
    assert inner.std() / inner.mean() < 0.005


def test_a_movement_without_a_face_is_left_out_with_a_warning(film: PortraitClip, video: Memory) -> None:
    def lost(frame: Frame) -> np.ndarray | None:
        return None if frame.index == 18 else film.points

    with pytest.warns(FleetingWarning, match=r"0.30 to 0.75 s was left out: the face is not seen"):
        injection = Injection(video, [SMILE], points=lost)
    assert injection.rows == []
    assert all(picture is video._pictures[frame.index] for frame, picture in injection.frames())


def test_a_movement_beyond_the_end_is_left_out_with_a_warning(film: PortraitClip, video: Memory) -> None:
    late = replace(SMILE, profile=Profile(1.0, 1.15, 1.4))
    with pytest.warns(FleetingWarning, match="the video lasts from 0 to 1.1"):
        assert Injection(video, [late], points=following(film)).rows == []


def test_blinks_and_overlaps_are_refused(film: PortraitClip, video: Memory) -> None:
    with pytest.raises(SettingsError, match="got a blink"):
        Injection(video, [Movement("blink", SMILE.profile)], points=following(film))
    with pytest.raises(SettingsError, match="do not overlap"):
        Injection(video, [SMILE, replace(SMILE, emotion="surprise")], points=following(film))


def test_from_file_to_file(tmp_path: Path, film: PortraitClip, video: Memory) -> None:
    source = tmp_path / "source.mkv"
    with VideoWriter(source, fps=40.0, size=(200, 200), codec="ffv1") as writer:
        for picture in video._pictures:
            writer.write(picture)
    done: list[tuple[int, int]] = []
    with open_video(source) as reader:
        rows = inject(
            reader,
            tmp_path / "out.mp4",
            [SMILE],
            points=following(film),
            crf=5,
            progress=lambda *p: done.append(p),
        )
    assert done[-1] == (48, 48)
    assert [row.file for row in rows] == ["out.mp4"]
    with open_video(tmp_path / "out.mp4") as reader:
        frames = list(reader)
        assert reader.info.fps == 40.0
    assert len(frames) == 48
    x, y = np.rint(film.points[54]).astype(int)
    corner = slice(y - 15, y + 15), slice(x - 15, x + 15)
    moved = [np.abs(f.rgb.astype(float) - video._pictures[f.index])[corner].mean() for f in frames]
    assert np.mean(moved[18:22]) > 2 * np.mean(moved[:8])


def test_variable_frame_rates_keep_their_times(tmp_path: Path, film: PortraitClip, video: Memory) -> None:
    times = [i / 40 + (0.01 if i % 3 == 1 else 0.0) for i in range(48)]
    source = tmp_path / "phone.mkv"
    with VideoWriter(source, fps=40.0, size=(200, 200), codec="ffv1") as writer:
        for picture, time_s in zip(video._pictures, times, strict=True):
            writer.write(picture, time_s=time_s)
    with open_video(source) as reader:
        (row,) = inject(reader, tmp_path / "out.mp4", [SMILE], points=following(film))
        assert reader.info.variable_frame_rate
    with open_video(tmp_path / "out.mp4") as reader:
        assert [f.time_s for f in reader] == pytest.approx(times, abs=0.0011)
    strong = [i for i, t in enumerate(times) if SMILE.profile(t) >= 0.05 - 1e-6]
    assert (row.onset, row.offset) == (strong[0], strong[-1])
    assert row.onset_s == pytest.approx(times[row.onset], abs=0.0011)


def test_a_video_without_a_face_is_refused_and_nothing_written(tmp_path: Path, video: Memory) -> None:
    with pytest.warns(FleetingWarning, match="left out"), pytest.raises(NoFaceError, match="at least one of 1 mov"):
        inject(video, tmp_path / "out.mp4", [SMILE], points=lambda frame: None)
    assert list(tmp_path.iterdir()) == []
