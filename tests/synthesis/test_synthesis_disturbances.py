"""What disturbs does what it says, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from portraits import POINTS, portrait

from fleeting.errors import SettingsError
from fleeting.synthesis.camera import PERFECT, CameraSettings
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.face.disturbances import (
    NO_DISTURBANCES,
    Disturbances,
    FocusHunt,
    HeadTurn,
    Saccade,
    Speech,
    Swallow,
    Syllable,
    draw_speech,
)
from fleeting.synthesis.face.emotions import activations_of
from fleeting.synthesis.face.head import STILL
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import Profile
from fleeting.synthesis.face.warp import sample_picture
from fleeting.synthesis.render import clip_truth, render_clip
from fleeting.video.reader import open_video

LAB = ClipSettings(fps=50.0, seconds=1.6, width=240, height=240, iod_px=80.0, head=STILL, camera=PERFECT)
IOD = 80.0
SPEECH = Speech((Syllable(0.2, 0.4, 1.0, 0.5), Syllable(0.6, 0.4, 0.5, -0.5)), 5.0)
SMILE = Movement("micro", Profile(0.4, 0.56, 0.8), activations_of("happiness"), 3.0, "happiness")


def film(disturbances: Disturbances, *movements: Movement, settings: ClipSettings = LAB) -> PortraitClip:
    return PortraitClip(portrait(), POINTS, movements=movements, settings=settings, disturbances=disturbances, seed=3)


def eyes(clip: PortraitClip) -> np.ndarray:
    """Mask of both eyes' openings, a pixel of the lids included."""
    mask = np.zeros((240, 240), np.uint8)
    for side in (slice(36, 42), slice(42, 48)):
        # The lids meet a little beyond the landmarks of the corners.
        middle = clip.points[side].mean(axis=0)
        cv2.fillConvexPoly(mask, np.rint(middle + (clip.points[side] - middle) * 1.35).astype(np.int32), 1)
    return cv2.dilate(mask, np.ones((3, 3), np.uint8)).astype(bool)


@pytest.mark.parametrize("across", [2.5, -2.5])
def test_gaze_moves_the_iris_and_nothing_else(across: float) -> None:
    clip = film(Disturbances(saccades=(Saccade(0.2, 0.05, across, 0.0),)))
    before, after = clip.frame(0), clip.frame(20)
    change = np.abs(after.astype(int) - before).max(axis=-1)
    assert change[~eyes(clip)].max() == 0
    assert change[eyes(clip)].max() > 20
    # Each iris is where it is to be, 2 px away, with everything that is drawn in it (less where the eye is narrow).
    by = round(across / 100 * IOD)
    for side in (slice(36, 42), slice(42, 48)):
        x, y = np.rint(clip.points[side].mean(axis=0)).astype(int)
        rows, columns = slice(y, y + 2), np.arange(x - 3, x + 4)
        was, now = before[rows, columns].astype(int), after[rows, columns + by].astype(int)
        assert np.abs(now - was).mean() < 0.25 * np.abs(after[rows, columns].astype(int) - was).mean()
    flow, visible = clip.flow(0, 20)
    assert np.abs(flow).max() == 0
    assert not visible[tuple(np.rint(clip.points[42:48].mean(axis=0)).astype(int)[::-1])]


def test_a_saccade_takes_its_time_and_stays() -> None:
    there = Disturbances(saccades=(Saccade(0.2, 0.06, 3.0, -1.0), Saccade(1.0, 0.05, 0.0, 0.0)))
    assert there.gaze(0.19) == (0.0, 0.0)
    assert there.gaze(0.23) == pytest.approx((1.5, -0.5))
    assert there.gaze(0.26) == there.gaze(0.9) == (3.0, -1.0)
    assert there.gaze(1.1) == (0.0, 0.0)


def test_lids_follow_the_eyes_up_and_down() -> None:
    looks = Disturbances(saccades=(Saccade(0.2, 0.05, 0.0, 2.0), Saccade(0.8, 0.05, 0.0, -2.0)))
    clip = film(looks)
    x, y = np.rint(clip.points[[43, 44]].mean(axis=0)).astype(int)
    down, up = clip.flow(0, 25)[0], clip.flow(0, 60)[0]
    assert down[y - 2, x, 1] > 0.3
    assert up[y - 2, x, 1] < -0.3


def test_a_turn_moves_the_nose_more_than_the_cheeks() -> None:
    clip = film(Disturbances(turns=(HeadTurn(0.1, 0.4, yaw_deg=10.0, hold_s=0.2),)))
    flow, _ = clip.flow(0, 30)
    at = {name: flow[tuple(np.rint(clip.points[i][::-1]).astype(int))] for name, i in (("nose", 30), ("cheek", 2))}
    assert at["nose"][0] - at["cheek"][0] > 0.03 * IOD
    # The neck, about which the head turns, lies 0.9 inter-ocular distances behind the face.
    assert at["cheek"][0] > 0.9 * np.sin(np.radians(10.0)) * IOD * 0.9
    assert abs(at["nose"][1]) < 0.02 * IOD
    assert np.abs(clip.flow(0, 75)[0]).max() < 0.01


def test_a_nod_moves_the_face_down() -> None:
    clip = film(Disturbances(turns=(HeadTurn(0.1, 0.3, pitch_deg=6.0),)))
    flow, _ = clip.flow(0, 20)
    assert flow[tuple(np.rint(clip.points[30][::-1]).astype(int))][1] > 0.05 * IOD


def test_frames_of_a_turned_head_move_as_the_flow_says() -> None:
    clip = film(Disturbances(turns=(HeadTurn(0.1, 0.4, yaw_deg=8.0, pitch_deg=-4.0),), speech=(SPEECH,)), SMILE)
    first, second = clip.frame(0).astype(np.float32), clip.frame(25).astype(np.float32)
    flow, _ = clip.flow(0, 25)
    y, x = np.mgrid[0:240, 0:240].astype(np.float32)
    warped = sample_picture(second, np.stack([x, y], -1) + flow)
    inside = (slice(40, 200), slice(40, 200))
    assert np.abs(second - first)[inside].mean() > 5
    assert np.abs(warped - first)[inside].mean() < 0.8


def test_flow_there_and_back_is_the_identity_under_everything() -> None:
    everything = Disturbances(
        turns=(HeadTurn(0.1, 0.4, yaw_deg=12.0, pitch_deg=5.0),),
        speech=(SPEECH,),
        swallows=(Swallow(0.3, 0.4, 0.8),),
        focus=(FocusHunt(0.3, 0.6, 1.0, 0.5),),
    )
    clip = film(everything, SMILE)
    there, back = clip.flow(4, 26)[0], clip.flow(26, 4)[0]
    y, x = np.mgrid[0:240, 0:240].astype(np.float32)
    landed = np.stack([x, y], -1) + there
    inside = ((landed > 1) & (landed < 238)).all(axis=-1)
    error = np.hypot(*np.moveaxis(there + sample_picture(back, landed), -1, 0))[inside]
    assert error.max() < 0.08
    assert np.quantile(error, 0.95) < 0.02


def test_speech_moves_the_mouth_and_is_no_event() -> None:
    clip = film(Disturbances(speech=(SPEECH,)))
    flow, _ = clip.flow(0, 20)
    length = np.hypot(*np.moveaxis(flow, -1, 0))
    assert length.max() == pytest.approx(0.05 * IOD, rel=0.25)
    eyes_y = int(clip.points[36:48, 1].max()) + 3
    assert length[:eyes_y].max() == 0
    assert clip_truth(clip, "a.mp4") == []


def test_drawn_speech_has_the_rhythm_of_speech() -> None:
    speech = draw_speech(np.random.default_rng(1), start_s=2.0, seconds=3.0, percent_iod=4.0)
    first, last = speech.span_s
    assert first == 2.0
    assert 4.0 < last <= 5.2
    starts = np.array([s.start_s for s in speech.syllables])
    assert 2.5 < 1 / np.median(np.diff(starts)) < 7
    assert np.diff(starts).std() > 0.02
    assert {np.sign(s.spread) for s in speech.syllables} == {-1.0, 1.0}
    opening = [speech.mouth(t)[0] for t in np.arange(1.5, 5.5, 0.01)]
    assert 1.0 < max(opening) < 7.0
    assert opening[0] == opening[-1] == 0.0


def test_swallowing_lifts_the_chin_and_more_so_the_throat() -> None:
    settings = replace(LAB, height=320)
    clip = film(Disturbances(swallows=(Swallow(0.2, 0.4, 0.6),)), settings=settings)
    flow, _ = clip.flow(0, 20)
    x, y = np.rint(clip.points[8]).astype(int)
    lift = -flow[:, x, 1] / IOD * 100
    assert 0.2 < lift[y - 12 : y].max() < 0.8
    assert 1.8 < lift[y:].max() < 2.6
    assert np.abs(flow[: int(clip.points[51, 1])]).max() < 0.1


def test_autofocus_grows_and_blurs_the_picture_and_comes_back() -> None:
    clip = film(Disturbances(focus=(FocusHunt(0.2, 0.6, 1.0, 1.0),)))
    flow, _ = clip.flow(0, 25)
    assert flow[0, 0] == pytest.approx([-1.195, -1.195], abs=0.01)  # 1 % of the way to the middle
    assert flow[239, 239] == pytest.approx([1.195, 1.195], abs=0.01)
    sharpness = [float(cv2.Laplacian(clip.frame(i)[..., 1], cv2.CV_32F).std()) for i in (0, 25, 45)]
    assert sharpness[1] < 0.8 * sharpness[0]
    assert sharpness[2] == sharpness[0]


def test_lamps_flicker_at_the_aliased_frequency_in_bands() -> None:
    camera = CameraSettings(read_noise=0, shot_noise=0, flicker_percent=8.0, flicker_hz=120.0, readout_ms=10.0)
    clip = film(NO_DISTURBANCES, settings=replace(LAB, fps=50.0, seconds=1.0, camera=camera))
    still = film(NO_DISTURBANCES).frame(0).astype(float).mean(axis=(1, 2))
    light = np.array([clip.frame(i).astype(float).mean(axis=(1, 2)) / still for i in range(50)])
    # 120 Hz seen 50 times a second is 20 Hz: 20 periods in the second that was filmed.
    spectrum = np.abs(np.fft.rfft(light.mean(axis=1) - light.mean()))
    assert int(np.argmax(spectrum)) == 20
    # Rows are read over 10 ms, which is 1.2 periods of the light.
    phase = np.unwrap(np.angle(np.fft.fft(light, axis=0)[20]))
    assert (phase[-1] - phase[0]) / (2 * np.pi) == pytest.approx(1.2, abs=0.05)


def test_a_repeated_frame_is_the_same_picture_at_its_own_time(tmp_path: Path) -> None:
    noisy = replace(LAB, camera=CameraSettings(), seconds=0.4)
    clip = film(Disturbances(repeated=frozenset({5, 6})), settings=noisy)
    assert np.array_equal(clip.frame(5), clip.frame(4))
    assert np.array_equal(clip.frame(6), clip.frame(4))
    assert not np.array_equal(clip.frame(7), clip.frame(4))
    render_clip(clip, tmp_path / "a.mp4")
    with open_video(tmp_path / "a.mp4") as reader:
        times = [f.time_s for f in reader]
    assert np.diff(times) == pytest.approx(np.full(19, 0.02), abs=1e-4)


def test_dropped_frames_leave_a_gap_and_the_truth_counts_what_is_there(tmp_path: Path) -> None:
    dropped = frozenset({3, 20, 28, 40})  # one before the smile, its onset, its apex, its offset
    clip = film(Disturbances(dropped=dropped), SMILE, settings=replace(LAB, seconds=1.2))
    (row,) = render_clip(clip, tmp_path / "a.mp4")
    with open_video(tmp_path / "a.mp4") as reader:
        times = [f.time_s for f in reader]
    assert len(times) == 56
    assert np.flatnonzero(np.diff(times) > 0.03).tolist() == [2, 18, 25, 36]
    assert (row.onset, row.apex, row.offset) == (19, 25, 36)
    for frame, seconds in ((row.onset, row.onset_s), (row.apex, row.apex_s), (row.offset, row.offset_s)):
        assert times[frame] == pytest.approx(seconds, abs=1e-4)
    assert (row.onset_s, row.apex_s, row.offset_s) == pytest.approx((0.42, 0.54, 0.78))


def test_half_a_blink_closes_the_eye_by_half() -> None:
    blinks = [Movement("blink", Profile(0.3, 0.4, 0.6), closure=c) for c in (1.0, 0.5)]
    full, half = (film(NO_DISTURBANCES, b) for b in blinks)
    x, y = np.rint(full.points[[43, 44]].mean(axis=0)).astype(int)
    lid = [c.flow(0, 20)[0][y - 2, x, 1] for c in (full, half)]
    assert lid[1] == pytest.approx(0.5 * lid[0], rel=0.15)
    peaks = [clip_truth(c, "a.mp4")[0].peak_percent_iod for c in (full, half)]
    assert peaks[1] == pytest.approx(peaks[0] / 2)


def test_wrong_disturbances_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="in order of time"):
        Disturbances(saccades=(Saccade(1.0, 0.05, 1, 0), Saccade(0.5, 0.05, 1, 0)))
    with pytest.raises(SettingsError, match="from 1 on"):
        Disturbances(dropped=frozenset({0}))
    with pytest.raises(SettingsError, match="above 0, and 1 at most"):
        Movement("blink", SMILE.profile, closure=0.0)
    with pytest.raises(SettingsError, match="Write an mp4 file"):
        render_clip(film(Disturbances(dropped=frozenset({3}))), tmp_path / "folder")
