from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from fleeting.faces.align import CANONICAL_POINTS, align, crop_size
from fleeting.faces.landmarks import Landmarks
from fleeting.motion.flow import dense_flow
from fleeting.motion.regions import signal_map
from fleeting.motion.registration import Registration, compose, crop_shift, invert
from fleeting.motion.rigid_motion import depth, estimate_rigid
from fleeting.records import REGIONS
from fleeting.spotting.cells import cells_of
from fleeting.spotting.measurements import MeasurementLog
from fleeting.spotting.region_motion import RegionMotion


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(rng.normal(0, s * 12, (height, width)), (0, 0), s) for s in (1.5, 4, 10)]
    return np.clip(128 + sum(layers), 0, 255).astype(np.float32)


def moved(picture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Picture whose content at x went to about x + (u, v); exact enough for small smooth fields."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    warped = cv2.remap(
        picture, (x - u).astype("f4"), (y - v).astype("f4"), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.clip(np.rint(warped), 0, 255).astype(np.uint8)


def local_bump(region: str, peak: float) -> np.ndarray:
    rows, columns = np.nonzero(signal_map() == REGIONS.index(region) + 1)
    y, x = np.mgrid[:170, :140]
    return peak * np.exp(-((x - columns.mean()) ** 2 + (y - rows.mean()) ** 2) / (2 * 9.0**2))


def face(points: np.ndarray) -> Landmarks:
    return Landmarks(
        points=points.astype(np.float32),
        score=1.0,
        pose=np.zeros(3, np.float32),
        eye_opening=np.full(2, 0.3, np.float32),
        mouth_opening=0.0,
    )


@pytest.mark.parametrize(
    "coefficients", [(1.5, -0.7, 0, 0, 0, 0), (0, 0, 0.01, -0.012, 0, 0), (0.3, 0.2, 0, 0, 1.5, -1)]
)
def test_rigid_motion_is_found_in_spite_of_an_expression(coefficients: tuple[float, ...]) -> None:
    from fleeting.motion.rigid_motion import RigidMotion

    truth = RigidMotion(np.array(coefficients, float), 0.0).displacement()
    flow = truth.copy()
    flow[..., 1] -= local_bump("left_mouth_corner", 3.0)
    flow[..., 1] -= local_bump("right_brow", 2.0)
    flow += np.random.default_rng(1).normal(0, 0.1, flow.shape).astype(np.float32)
    found = estimate_rigid(flow).displacement()
    inside = np.zeros((170, 140), bool)
    inside[20:150, 15:125] = True
    assert np.linalg.norm(found - truth, axis=2)[inside].mean() < 0.08


def test_depth_is_a_head_with_a_nose() -> None:
    z = depth()
    tip, cheek, rim = CANONICAL_POINTS[30], (35, 100), (3, 100)
    assert z[round(tip[1]), round(tip[0])] > z[cheek[1], cheek[0]] + 0.15 > z[rim[1], rim[0]] + 0.3
    np.testing.assert_allclose(z[:, 10:130], z[:, 129:9:-1], atol=0.02)


def test_registration_holds_the_head_still_and_keeps_the_expression() -> None:
    canvas = texture(260, 240)
    place = np.array([[1.0, 0.0, -40.0], [0.0, 1.0, -40.0]])
    reference = align(canvas.astype(np.uint8), place)
    angle, shift = 0.03, np.array([4.3, -3.1])
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
    turn[:, 2] = np.array([110, 125]) + shift - turn[:, :2] @ [110, 125]
    u, v = np.zeros((2, 260, 240))
    v[40:210, 40:180] = -local_bump("left_mouth_corner", 2.0)
    frame = cv2.warpAffine(moved(canvas, u, v), turn, (240, 260), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    found = Registration(reference).step(frame, place)
    assert crop_shift(found.transform, compose(place, invert(turn)), width=140) < 0.25
    # What the flow method sees of the expression when the head does not move at all.
    plain = dense_flow(reference, align(moved(canvas, u, v), place))
    assert plain[..., 1].min() < -1.0
    assert found.flow[..., 1].min() == pytest.approx(plain[..., 1].min(), abs=0.2)
    still = found.flow[30:90, 20:120]
    assert np.linalg.norm(still, axis=2).mean() < 0.15
    # Measured by another method: on the same crop, the head's motion removed as well.
    assert Registration(reference).measured_by("dis", found) is found
    again = Registration(reference).measured_by("learned", found)
    assert again.crop is found.crop
    assert not np.array_equal(again.whole_flow, found.whole_flow)
    assert again.flow[..., 1].min() == pytest.approx(-2.0, abs=0.4)  # of which DIS sees half
    assert np.linalg.norm(again.flow[30:90, 20:120], axis=2).mean() < 0.15


def test_no_attempt_is_refused() -> None:
    crop = np.zeros(crop_size(), np.uint8)
    with pytest.raises(ValueError, match="attempts >= 1"):
        Registration(crop).step(crop, np.eye(2, 3), attempts=0)


def frames_with(peak: float, *, jitter: float = 0.0, jump_at: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(3)
    canvas = texture(260, 240, seed=2)
    frames = []
    for i in range(60):
        u = np.full((260, 240), 2.0 * np.sin(i / 15) + (20.0 if jump_at is not None and i >= jump_at else 0.0))
        v = np.full((260, 240), 1.5 * np.cos(i / 12))
        shift = np.array([u[0, 0], v[0, 0]])
        level = peak * np.exp(-(((i - 40) / 6) ** 2))
        v[40:210, 40:180] -= level * local_bump("left_mouth_corner", 1.0)
        noise = rng.normal(0, 1.5, (260, 240))
        picture = np.clip(moved(canvas, u, v) + noise, 0, 255).astype(np.uint8)
        frames.append((picture, CANONICAL_POINTS + 40 + shift + rng.normal(0, jitter, (68, 2))))
    return frames


@pytest.mark.parametrize("reference_s", [0.25, 10.0])
def test_region_motion_in_percent_of_the_eye_distance(reference_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleeting.spotting.region_motion.LONGEST_S", reference_s)
    motion = RegionMotion()
    samples = [
        motion.update(i / 60, picture, face(points), 0)
        for i, (picture, points) in enumerate(frames_with(3.0, jitter=0.6))
    ]
    place = np.stack([s.displacement for s in samples])
    corner, brow = cells_of("left_mouth_corner"), cells_of("right_brow")
    rise = (place[40, corner, 1] - place[:20, corner, 1].mean(axis=0)).min()
    assert -3.0 * 100 / 104.2 < rise < -1.2
    assert np.abs(place[:, brow] - place[:20, brow].mean(0)).max() < 0.5
    assert {s.run for s in samples} == {0}


def test_a_new_segment_and_a_lost_face_start_a_new_run() -> None:
    motion = RegionMotion()
    runs = [
        motion.update(i / 60, picture, face(points), 0 if i < 30 else 1).run
        for i, (picture, points) in enumerate(frames_with(0.0))
    ]
    assert runs == [0] * 30 + [1] * 30


def test_a_quick_head_movement_is_followed() -> None:
    motion = RegionMotion()
    samples = [
        motion.update(i / 60, picture, face(points), 0)
        for i, (picture, points) in enumerate(frames_with(0.0, jump_at=30))
    ]
    place = np.stack([s.displacement for s in samples])
    assert np.abs(place - place[:1]).max() < 1.0


def test_at_high_frame_rates_every_second_frame_is_measured_and_the_others_lie_between() -> None:
    pictures = frames_with(3.0)
    motion, log = RegionMotion(), MeasurementLog(0)
    for i, (picture, points) in enumerate(pictures):
        seen = face(points)
        log.add(i, seen, motion.update(i / 200, picture, seen, 0 if i < 31 else 1))
    assert log.rows[:]["held"].tolist() == [i % 2 == 1 for i in range(31)] + [i % 2 == 0 for i in range(31, 60)]
    place = log.collect(np.arange(60) / 200)
    assert np.allclose(place.displacement[11], (place.displacement[10] + place.displacement[12]) / 2, atol=1e-5)
    assert np.allclose(place.transform[11], (place.transform[10] + place.transform[12]) / 2, atol=1e-4)
    assert np.isfinite(place.displacement).all()
    # Of a held frame at the very beginning nothing is known but what it held.
    later = log.since(21).collect(np.arange(39) / 200)
    assert np.array_equal(later.displacement[1:], place.displacement[22:])


def test_up_to_150_frames_a_second_all_are_measured() -> None:
    motion = RegionMotion()
    samples = [
        motion.update(i / 150, picture, face(points), 0) for i, (picture, points) in enumerate(frames_with(0.0)[:6])
    ]
    assert not any(s.held for s in samples)


def test_a_syllable_is_measured_alike_each_time_that_it_is_said() -> None:
    rng = np.random.default_rng(5)
    canvas = texture(260, 240, seed=9)
    y, x = np.mgrid[:260, :240].astype(np.float32)
    spoken = []
    for i in range(41):
        # Uneven syllables: the lower lip and the chin go down, and the dark inside of the mouth is seen.
        opening = (0.5 + 0.5 * np.sin(2 * np.pi * i / 41 * 5)) * (0.4 + 0.6 * np.sin(np.pi * i / 41))
        down = 7.0 * opening * np.exp(-(((x - 110) / 40) ** 2) - ((y - 165) / 25) ** 2)
        down *= 1 / (1 + np.exp(-(y - 150) / 2))
        picture = moved(canvas, np.zeros_like(down), down).astype(np.float32)
        inside = np.exp(-(((x - 110) / 22) ** 2) - ((y - 150 - 3 * opening) / (0.5 + 4 * opening)) ** 2)
        picture = picture * (1 - 0.9 * opening * inside) + rng.normal(0, 1.0, picture.shape)
        spoken.append((np.clip(picture, 0, 255).astype(np.uint8), float(opening)))
    motion, rounds = RegionMotion(), 9
    places = []
    for i in range(rounds * len(spoken)):
        picture, opening = spoken[i % len(spoken)]
        seen = replace(face(CANONICAL_POINTS + 40), mouth_opening=opening)
        places.append(motion.update(i / 25, picture, seen, 0).displacement)
    place = np.stack(places).reshape(rounds, len(spoken), -1)[2:]
    place -= place.mean(axis=1, keepdims=True)  # where a round begins does not matter
    said = np.abs(place).max()
    assert said > 2
    assert place.std(axis=0).max() < 0.005 * said
