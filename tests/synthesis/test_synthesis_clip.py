from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from portraits import POINTS, portrait

from fleeting.errors import InputError, SettingsError
from fleeting.synthesis.camera import PERFECT, CameraSettings
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.face.action_units import Activation
from fleeting.synthesis.face.emotions import activations_of
from fleeting.synthesis.face.frame import face_frame
from fleeting.synthesis.face.head import STILL, HeadSettings
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import Profile
from fleeting.synthesis.face.warp import invert, sample_field, sample_picture

SMILE = Movement("macro", Profile(0.2, 0.6, 1.4), activations_of("happiness"), 5.0, "happiness")
BROWS = Movement("micro", Profile(0.3, 0.5, 0.7), (Activation("AU01"), Activation("AU02")), 2.0, "surprise")
BLINK = Movement("blink", Profile(1.0, 1.1, 1.3))
LAB = ClipSettings(fps=50.0, seconds=1.6, width=240, height=240, iod_px=80.0, head=STILL, camera=PERFECT)
LIVELY = HeadSettings(shift_percent_iod=4.0, roll_deg=2.0, yaw_deg=2.0, pitch_deg=2.0, scale_percent=1.0)


def clip(*movements: Movement, settings: ClipSettings = LAB, seed: int = 3) -> PortraitClip:
    return PortraitClip(portrait(), POINTS, movements=movements, settings=settings, seed=seed)


def test_the_face_has_the_size_that_was_asked_for() -> None:
    made = clip()
    assert face_frame(made.points).iod == pytest.approx(80.0, rel=1e-3)
    assert len(made) == 80
    assert made.frame(0).shape == (240, 240, 3)


def test_nothing_moves_without_movement() -> None:
    made = clip()
    assert np.array_equal(made.frame(0), made.frame(40))
    flow, visible = made.flow(0, 40)
    assert np.abs(flow).max() == 0
    assert visible.all()


def test_truth_peaks_at_the_asked_percent() -> None:
    flow, _ = clip(BROWS).flow(0, 25)
    assert np.hypot(flow[..., 0], flow[..., 1]).max() == pytest.approx(0.02 * 80, rel=0.02)


@pytest.mark.parametrize("head", [STILL, LIVELY, replace(LIVELY, moving_background=True)])
def test_flow_there_and_back_is_the_identity(head: HeadSettings) -> None:
    made = clip(SMILE, BROWS, settings=replace(LAB, head=head))
    there, _ = made.flow(4, 29)
    back, _ = made.flow(29, 4)
    y, x = np.mgrid[0:240, 0:240].astype(np.float32)
    landed = np.stack([x, y], -1) + there
    inside = ((landed > 1) & (landed < 238)).all(axis=-1)
    error = np.hypot(*np.moveaxis(there + sample_picture(back, landed), -1, 0))[inside]
    assert np.abs(there).max() > 1.0
    assert error.max() < 0.02


@pytest.mark.parametrize("head", [STILL, LIVELY])
def test_frames_move_as_the_flow_says(head: HeadSettings) -> None:
    made = clip(SMILE, settings=replace(LAB, head=head))
    first, second = made.frame(8).astype(np.float32), made.frame(30).astype(np.float32)
    flow, _ = made.flow(8, 30)
    y, x = np.mgrid[0:240, 0:240].astype(np.float32)
    warped = sample_picture(second, np.stack([x, y], -1) + flow)
    moving = np.hypot(flow[..., 0], flow[..., 1]) > 1.0
    moving[:20] = moving[-20:] = moving[:, :20] = moving[:, -20:] = False
    before, after = np.abs(second - first)[moving].mean(), np.abs(warped - first)[moving].mean()
    assert moving.sum() > 500
    assert before > 8.0
    # What is left is rounding to grey levels (0.35 in each picture) and resampling.
    assert after < 0.7


def test_an_independent_ruler_sees_the_same_motion() -> None:
    made = clip(SMILE)
    grey = [cv2.cvtColor(made.frame(i), cv2.COLOR_RGB2GRAY) for i in (0, 30)]
    mouth = slice(110, 200), slice(60, 180)
    seen = cv2.optflow.DualTVL1OpticalFlow_create().calc(grey[0][mouth], grey[1][mouth], None)
    truth = made.flow(0, 30)[0][mouth]
    moving = np.hypot(truth[..., 0], truth[..., 1]) > 1.0
    assert moving.sum() > 500
    assert np.hypot(*np.moveaxis(seen - truth, -1, 0))[moving].mean() < 0.25


def test_smile_lifts_the_corners_of_the_mouth() -> None:
    made = clip(SMILE)
    flow, _ = made.flow(0, 30)
    for index, sign in ((48, -1), (54, 1)):
        dx, dy = flow[tuple(np.rint(made.points[index][::-1]).astype(int))]
        assert dx * sign > 1.0
        assert dy < -1.0


def test_the_same_movement_at_any_frame_rate() -> None:
    slow, fast = (clip(SMILE, BLINK, settings=replace(LAB, head=LIVELY, fps=fps)) for fps in (25.0, 200.0))
    for instant in (0, 10, 15, 27):
        assert np.array_equal(slow.frame(instant), fast.frame(8 * instant))
    assert np.array_equal(slow.flow(2, 15)[0], fast.flow(16, 120)[0])


def test_seeds_decide_walk_and_noise() -> None:
    settings = replace(LAB, head=LIVELY, camera=CameraSettings())
    again = [clip(SMILE, settings=settings, seed=s).frame(20) for s in (3, 3, 4)]
    assert np.array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


def test_noise_has_the_stated_size() -> None:
    quiet = clip().frame(3)[..., 1].astype(float)
    for camera, expected in (
        (CameraSettings(read_noise=2.0, shot_noise=0.0), np.full(quiet.shape, 2.0)),
        (CameraSettings(read_noise=0.0, shot_noise=3.0), 3.0 * np.sqrt(quiet / 128)),
    ):
        noisy = clip(settings=replace(LAB, camera=camera)).frame(3)[..., 1]
        ratio = (noisy - quiet) / np.hypot(expected, 12**-0.5)  # rounding adds 1/12
        assert ratio.std() == pytest.approx(1.0, abs=0.02)
        assert abs(ratio.mean()) < 0.02


def test_noise_differs_from_frame_to_frame() -> None:
    made = clip(settings=replace(LAB, camera=CameraSettings()))
    pair = [made.frame(i).astype(float) - clip().frame(0) for i in (1, 2)]
    assert abs(np.corrcoef(pair[0].ravel(), pair[1].ravel())[0, 1]) < 0.02


def test_flicker_follows_the_mains() -> None:
    camera = CameraSettings(read_noise=0, shot_noise=0, flicker_percent=10.0, flicker_hz=12.5)
    made = clip(settings=replace(LAB, camera=camera))
    light = [float(made.frame(i).mean()) for i in range(4)]  # a quarter period a frame
    assert light[1] / light[0] == pytest.approx(1.1, abs=0.01)
    assert light[3] / light[0] == pytest.approx(0.9, abs=0.01)


def test_the_room_stands_still_behind_the_head_unless_told_otherwise() -> None:
    # A small face, so that there is a room to be seen.
    small = replace(LAB, iod_px=40.0, head=replace(LIVELY, shift_percent_iod=10.0))
    flow, _ = clip(settings=small).flow(0, 60)
    assert np.abs(flow[:20, :20]).max() < 0.01
    assert np.abs(flow[110:130, 110:130]).mean() > 0.5
    moving, _ = clip(settings=replace(small, head=replace(small.head, moving_background=True))).flow(0, 60)
    assert np.abs(moving[:20, :20]).max() > 0.2


def test_a_blink_closes_the_eye_and_moves_nothing_else() -> None:
    made = clip(BLINK)
    neutral, closed = made.frame(0).astype(int), made.frame(55).astype(int)
    change = np.abs(closed - neutral).max(axis=-1)
    for eye in (slice(36, 42), slice(42, 48)):
        x, y = np.rint(made.points[eye].mean(axis=0)).astype(int)
        # The eye's middle is dark in this portrait; closed, lighter skin lies over it.
        assert closed[y, x].mean() > neutral[y, x].mean() + 20
        change[y - 25 : y + 15, x - 25 : x + 26] = 0
    assert change.max() == 0
    assert 5 < made.blink_peak_percent_iod < 20


def test_flow_knows_what_a_lid_hides() -> None:
    made = clip(BLINK)
    flow, visible = made.flow(0, 55)
    x, y = np.rint(made.points[[43, 44, 46, 47]].mean(axis=0)).astype(int)
    assert not visible[y, x]
    assert (visible[: y - 15].all(), visible[y + 15 :].all()) == (True, True)
    skin_y = round(float(made.points[[43, 44], 1].mean())) - 2
    assert visible[skin_y, x]
    assert flow[skin_y, x, 1] > 2.0
    assert flow[y + 12, x] == pytest.approx([0, 0], abs=1e-6)
    # From the closed eye, the lid's own skin goes back up and is seen.
    back, seen = made.flow(55, 0)
    assert seen[y, x]
    assert back[y, x, 1] < -1.0


def test_lid_flow_agrees_with_the_pictures() -> None:
    made = clip(BLINK)
    flow, visible = made.flow(0, 52)
    y, x = np.mgrid[0:240, 0:240].astype(np.float32)
    warped = sample_picture(made.frame(52).astype(np.float32), np.stack([x, y], -1) + flow)
    error = np.abs(warped - made.frame(0)).mean(axis=-1)
    moved = visible & (np.abs(flow).max(axis=-1) > 0.3)
    assert moved.sum() > 100
    # The lid's edge itself is blended over a pixel.
    assert np.median(error[moved]) < 1.0
    assert error[visible].mean() < 0.5


def test_folding_is_refused_not_drawn() -> None:
    torn = Movement("macro", SMILE.profile, (Activation("AU07"),), 20.0)
    with pytest.raises(SettingsError, match="in one piece"):
        clip(torn).frame(30)


def test_inverse_of_a_field() -> None:
    y, x = np.mgrid[0:60, 0:80].astype(np.float32)
    bump = np.exp(-((x - 40) ** 2 + (y - 30) ** 2) / 200)
    field = np.stack([3 * bump, -2 * bump], -1).astype(np.float32)
    back = invert(field)
    grid = np.stack([x, y], -1)
    assert np.abs(back + sample_field(field, grid + back)).max() < 0.005


def test_cubic_sampling_is_exact_at_pixels_and_precise_between() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    y, x = np.mgrid[0:20, 0:30].astype(np.float32)
    assert np.array_equal(sample_picture(picture, np.stack([x, y], -1)), picture)
    wave = np.sin(np.arange(60) / 4)[None].repeat(8, 0).astype(np.float32)
    at = np.full((1, 40, 2), 4, np.float32)
    at[0, :, 0] = np.linspace(5, 50, 40)
    assert sample_picture(wave, at)[0] == pytest.approx(np.sin(at[0, :, 0] / 4), abs=2e-3)


def test_wrong_portraits_and_settings_are_refused() -> None:
    with pytest.raises(InputError, match="uint8 RGB"):
        PortraitClip(portrait().astype(np.float32), POINTS)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="fps from 1 to 2000"):
        ClipSettings(fps=0.0)
    with pytest.raises(SettingsError, match="even width"):
        ClipSettings(width=321)
    with pytest.raises(SettingsError, match="none for a blink"):
        Movement("blink", BLINK.profile, (Activation("AU43"),))
    with pytest.raises(SettingsError, match="action units for an expression"):
        Movement("micro", BROWS.profile)
    with pytest.raises(SettingsError, match="peak_percent_iod"):
        Movement("micro", BROWS.profile, BROWS.activations)
