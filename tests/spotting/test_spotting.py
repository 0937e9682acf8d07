from __future__ import annotations

import numpy as np
import pytest

from fleeting.faces.align import CANONICAL_POINTS
from fleeting.motion.regions import signal_map
from fleeting.records import REGIONS, Event, Signals
from fleeting.settings import SpottingSettings
from fleeting.spotting import spot as spotter
from fleeting.spotting.cells import CELL_REGION, cell_weights, cells_of
from fleeting.spotting.measurements import Measurements
from fleeting.spotting.movements import Movement
from fleeting.spotting.rest import resample, robust_deviation, running_median, smooth, uniform_times
from fleeting.spotting.spot import spot

Bump = tuple[float, float, float, tuple[str, ...], float]


def bump(time_s: np.ndarray, onset: float, apex: float, offset: float) -> np.ndarray:
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip((time_s - onset) / (apex - onset), 0, 1))
    fall = 0.5 + 0.5 * np.cos(np.pi * np.clip((time_s - apex) / (offset - apex), 0, 1))
    return np.where(time_s < apex, rise, fall)


def measured(
    *,
    fps: float = 100.0,
    seconds: float = 8.0,
    bumps: tuple[Bump, ...] = (),
    noise: float = 0.1,
    times: np.ndarray | None = None,
    blinks: tuple[float, ...] = (),
    seed: int = 0,
) -> Measurements:
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(fps * seconds)) / fps if times is None else times
    n = len(time_s)
    place = rng.normal(0, noise, (n, len(CELL_REGION), 2))
    place += 0.5 * np.sin(2 * np.pi * 0.1 * time_s)[:, None, None]
    for onset, apex, offset, regions, peak in bumps:
        for region in regions:
            place[:, cells_of(region), 1] -= peak * bump(time_s, onset, apex, offset)[:, None]
    eyes = np.full((n, 2), 0.3) + rng.normal(0, 0.005, (n, 2))
    for at in blinks:
        closing = bump(time_s, at, at + 0.1, at + 0.25)
        eyes *= (1 - 0.95 * closing)[:, None]
        for lid in ("left_lid", "right_lid"):
            place[:, cells_of(lid), 1] += 6 * closing[:, None]
        place[:, cells_of("left_brow"), 1] += 1.5 * closing[:, None]
    return Measurements(
        face=3,
        time_s=time_s,
        run=np.zeros(n, np.int32),
        displacement=place.astype(np.float32),
        transform=np.tile(np.eye(2, 3), (n, 1, 1)),
        residual_px=np.full(n, 0.05, np.float32),
        eye_opening=eyes.astype(np.float32),
        mouth_opening=np.zeros(n, np.float32),
        pose=np.zeros((n, 3), np.float32),
    )


def expressions(events: list[Event]) -> list[Event]:
    return [e for e in events if e.kind != "blink"]


@pytest.mark.parametrize("fps", [25.0, 30000 / 1001, 60.0, 200.0])
@pytest.mark.parametrize(("onset", "apex", "offset"), [(3.0, 3.12, 3.3), (3.0, 3.25, 3.45)])
def test_same_settings_serve_all_frame_rates(fps: float, onset: float, apex: float, offset: float) -> None:
    regions = ("left_mouth_corner", "right_mouth_corner")
    (event,) = spot(measured(fps=fps, bumps=((onset, apex, offset, regions, 2.0),)))[0]
    assert event.kind == "micro"
    assert event.face == 3
    period = 1 / fps
    # A raised cosine passes 5 % of its peak after 14.4 % of its rise: that is where a movement can be seen.
    assert event.onset_s == pytest.approx(onset + 0.144 * (apex - onset), abs=max(1.5 * period, 0.03))
    assert event.apex_s == pytest.approx(apex, abs=max(period, 0.03))
    assert event.offset_s == pytest.approx(offset - 0.144 * (offset - apex), abs=max(1.5 * period, 0.03))
    assert event.apex_s == pytest.approx(event.apex_frame / fps)
    assert set(event.regions) == set(regions)
    assert event.displacement_percent_iod == pytest.approx(2.0, rel=0.15)
    assert event.confidence > 0.5


def test_a_longer_movement_is_a_macro_expression() -> None:
    (event,) = spot(measured(bumps=((2.0, 2.5, 4.0, ("left_cheek", "left_mouth_corner"), 8.0),)))[0]
    assert event.kind == "macro"
    assert event.onset_s == pytest.approx(2.0, abs=0.15)
    assert event.offset_s == pytest.approx(4.0, abs=0.3)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("fps", [30.0, 200.0])
def test_noise_and_drift_alone_are_no_movement(fps: float, seed: int) -> None:
    assert spot(measured(fps=fps, seed=seed, noise=0.2, seconds=10))[0] == []


def test_the_threshold_follows_the_noise_of_the_recording() -> None:
    bumps = ((3.0, 3.15, 3.35, ("left_brow", "right_brow"), 1.5),)
    quiet = spot(measured(bumps=bumps, noise=0.3))[0]
    loud = spot(measured(bumps=bumps, noise=2.0))[0]
    assert [e.kind for e in quiet] == ["micro"]
    assert loud == []
    quieter = spot(measured(bumps=bumps, noise=0.1))[0]
    assert quieter[0].confidence > quiet[0].confidence


def test_a_blink_is_named_as_a_blink_and_drags_nothing_along() -> None:
    events, _ = spot(measured(blinks=(2.0, 5.0)))
    assert [e.kind for e in events] == ["blink", "blink"]
    assert events[0].onset_s == pytest.approx(2.0, abs=0.06)
    assert events[0].apex_s == pytest.approx(2.1, abs=0.03)
    assert events[0].offset_s == pytest.approx(2.25, abs=0.06)


@pytest.mark.parametrize(("lost", "down", "kind"), [(0.15, 2.0, "blink"), (0.0, 2.0, "blink"), (0.6, 0.0, "blink")])
def test_opening_and_lids_together_make_a_blink(lost: float, down: float, kind: str) -> None:
    """A half blink that the landmarks hardly see is one, whichever sees it."""
    whole = measured(noise=0.03)
    closing = bump(whole.time_s, 3.0, 3.1, 3.3)
    whole.eye_opening[:] *= (1 - lost * closing)[:, None]
    for lid in ("left_lid", "right_lid"):
        whole.displacement[:, cells_of(lid), 1] += down * closing[:, None]
    (event,) = spot(whole)[0]
    assert event.kind == kind
    assert event.onset_s == pytest.approx(3.0, abs=0.06)
    assert event.offset_s == pytest.approx(3.3, abs=0.08)


def test_a_smile_that_narrows_the_eyes_for_long_is_no_blink() -> None:
    whole = measured()
    whole.eye_opening[:] *= (1 - 0.6 * bump(whole.time_s, 2.0, 3.0, 5.0))[:, None]
    assert [e.kind for e in spot(whole)[0]] == []


def test_a_mouth_that_moves_during_a_blink_is_still_seen() -> None:
    bumps = ((2.0, 2.12, 2.35, ("left_mouth_corner", "right_mouth_corner"), 2.0),)
    events, _ = spot(measured(blinks=(2.0,), bumps=bumps))
    assert sorted(e.kind for e in events) == ["blink", "micro"]
    assert expressions(events)[0].regions[0].endswith("mouth_corner")


def test_variable_frame_rate_keeps_true_times() -> None:
    rng = np.random.default_rng(5)
    times = np.cumsum(rng.choice([1 / 60, 1 / 30], 300))
    times -= times[0]
    (event,) = spot(measured(times=times, bumps=((3.0, 3.15, 3.4, ("nose",), 2.0),)))[0]
    assert event.apex_s == pytest.approx(3.15, abs=0.05)
    assert event.apex_s == times[event.apex_frame]


def test_nothing_is_reported_where_the_face_is_not_seen() -> None:
    whole = measured(bumps=((3.0, 3.15, 3.4, ("nose",), 2.0), (6.0, 6.15, 6.4, ("chin",), 2.0)))
    run = whole.run.copy()
    run[290:350] = -1
    run[350:] = 1
    place = whole.displacement.copy()
    place[290:350] = np.nan
    place[350:] += 40  # a new run begins at another zero
    parts = Measurements(
        **{f: getattr(whole, f) for f in ("face", "time_s", "transform", "residual_px", "eye_opening")},
        mouth_opening=whole.mouth_opening,
        pose=whole.pose,
        run=run,
        displacement=place,
    )
    events, signals = spot(parts)
    assert [round(e.apex_s, 1) for e in events] == [6.2]
    assert np.isnan(signals.motion[290:350]).all()
    assert np.isfinite(signals.motion[350:]).all()


def test_two_events_close_to_each_other_stay_two() -> None:
    bumps = ((3.0, 3.1, 3.25, ("left_brow",), 2.0), (3.3, 3.4, 3.6, ("left_brow",), 2.0))
    events, _ = spot(measured(bumps=bumps, noise=0.05))
    assert [e.kind for e in events] == ["micro", "micro"]
    assert events[0].offset_frame <= events[1].onset_frame + 2


@pytest.mark.parametrize(("second", "kept"), [(1.9, [10, 70]), (1.2, [])])
def test_a_long_movement_that_is_a_short_one_hides_no_other(second: float, kept: list[int]) -> None:
    """What peaks in a short movement of its size is that one: only an expression of its own swallows its parts."""
    short = [Movement(10, 15, 25, ("chin",), 1.0, 9.0), Movement(70, 80, 90, ("nose",), second, 15.0)]
    long = Movement(0, 80, 120, ("nose",), 2.0, 12.0)
    micro, macro = spotter._told_apart([(m, 0.99) for m in short], [(long, 0.8)])
    assert [m.onset for m, _ in micro] == kept
    assert len(macro) == (not kept)


def test_a_face_never_seen_gives_no_events_and_no_curves() -> None:
    whole = measured()
    unseen = Measurements(
        face=0,
        time_s=whole.time_s,
        run=np.full_like(whole.run, -1),
        displacement=np.full_like(whole.displacement, np.nan),
        transform=np.full_like(whole.transform, np.nan),
        residual_px=np.full_like(whole.residual_px, np.nan),
        eye_opening=np.full_like(whole.eye_opening, np.nan),
        mouth_opening=np.full_like(whole.mouth_opening, np.nan),
        pose=np.full_like(whole.pose, np.nan),
    )
    events, signals = spot(unseen)
    assert events == []
    assert np.isnan(signals.motion).all()


def test_settings_reach_the_spotter() -> None:
    bumps = ((3.0, 3.15, 3.35, ("left_brow", "right_brow"), 2.0),)
    whole = measured(bumps=bumps, noise=0.05)
    (event,) = spot(whole)[0]
    assert event.kind == "micro"
    assert spot(whole, SpottingSettings(min_displacement_percent_iod=2.5, min_macro_percent_iod=2.5))[0] == []
    assert spot(whole, SpottingSettings(min_probability=1.0))[0] == []
    (event,) = spot(whole, SpottingSettings(max_micro_s=0.2))[0]
    assert event.kind == "macro"


FRAME_RATES = [25.0, 30.0, 50.0, 60000 / 1001, 60.0, 100.0, 200.0]
MOUTH = ("left_mouth_corner", "right_mouth_corner", "left_cheek")


def shown_at_apex(event: Event, signals: Signals) -> float:
    """What somebody reads off the curves of an event's regions at its apex."""
    return max(float(signals.motion[event.apex_frame, REGIONS.index(name)]) for name in event.regions)


@pytest.mark.parametrize("fps", FRAME_RATES)
def test_a_movement_of_any_length_is_reported_once_as_what_it_lasts(fps: float) -> None:
    """Around half a second, a movement goes over from one kind to the other and is lost by neither."""
    kinds = []
    for length in np.arange(0.36, 0.72, 0.03):
        bumps = ((3.0, 3.0 + 0.45 * length, 3.0 + length, MOUTH, 4.0),)
        events, signals = spot(measured(fps=fps, bumps=bumps, seconds=7, seed=1))
        (event,) = expressions(events)
        assert (event.duration_s <= 0.5) == (event.kind == "micro"), f"{event.kind} of {event.duration_s} s"
        assert event.displacement_percent_iod == pytest.approx(shown_at_apex(event, signals), abs=1e-6)
        kinds.append(event.kind)
    assert kinds[0] == "micro"
    assert kinds == sorted(kinds, reverse=True), "the longer movement is the shorter kind"


def test_the_kinds_hold_where_frames_are_not_evenly_spaced() -> None:
    count = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        times = np.cumsum(rng.choice([1 / 60, 1 / 30, 1 / 20], 300))
        times -= times[0]
        length = rng.uniform(0.5, 0.65)
        bumps = ((3.0, 3.0 + 0.45 * length, 3.0 + length, MOUTH, 4.0),)
        for event in expressions(spot(measured(times=times, bumps=bumps, seed=seed))[0]):
            assert (event.duration_s <= 0.5) == (event.kind == "micro"), f"{event.kind} of {event.duration_s} s"
            count += 1
    assert count >= 10


@pytest.mark.parametrize("low", [0.0, 3.0])
@pytest.mark.parametrize("fps", [30.0, 100.0])
def test_the_displacement_of_every_event_is_that_of_its_curve(fps: float, low: float) -> None:
    """A short movement counts from the rest around it, also while the face goes slowly from one place to another."""
    bumps = (
        (2.0, 2.12, 2.3, ("left_brow", "right_brow"), 1.0),
        (5.0, 5.15, 5.35, MOUTH, 2.0),
        (8.0, 9.0, 10.5, ("chin", "lower_lip"), 5.0),
        (12.0, 12.3, 12.58, ("nose",), 3.0),
    )
    whole = measured(fps=fps, seconds=16, bumps=bumps, blinks=(3.5, 14.0))
    slow = low * bump(whole.time_s, 1.0, 6.0, 15.0)
    whole.displacement[:, cells_of("left_mouth_corner"), 1] -= slow[:, None].astype(np.float32)
    settings = SpottingSettings()
    events, signals = spot(whole, settings)
    assert {e.kind for e in events} == {"micro", "macro", "blink"}
    for event in events:
        assert event.displacement_percent_iod == pytest.approx(shown_at_apex(event, signals), abs=1e-6)
        least = {"micro": settings.min_displacement_percent_iod, "macro": settings.min_macro_percent_iod, "blink": 0.0}
        assert event.displacement_percent_iod >= least[event.kind]
    if low:
        (smile,) = (e for e in events if e.kind == "micro" and abs(e.apex_s - 5.15) < 0.1)
        assert smile.displacement_percent_iod == pytest.approx(2.0, rel=0.3), "the slow change is counted in"


@pytest.mark.parametrize("seed", range(4))
def test_the_least_displacements_hold_for_what_is_reported(seed: int) -> None:
    """Movements around the least sizes, in noise that shifts where their largest value is seen."""
    bumps = tuple((2.0 + 6 * i, 2.6 + 6 * i, 3.4 + 6 * i, ("chin",), 3.0 + 0.05 * i) for i in range(8))
    settings = SpottingSettings(min_displacement_percent_iod=0.6, min_macro_percent_iod=3.2)
    small = tuple(
        (5.4 + 6 * i, 5.53 + 6 * i, 5.7 + 6 * i, ("left_brow", "right_brow"), 0.5 + 0.15 * i) for i in range(8)
    )
    events, signals = spot(measured(fps=50, seconds=52, bumps=bumps + small, noise=0.06, seed=seed), settings)
    found = expressions(events)
    assert {e.kind for e in found} == {"micro", "macro"}
    for event in found:
        least = settings.min_macro_percent_iod if event.kind == "macro" else settings.min_displacement_percent_iod
        assert shown_at_apex(event, signals) >= least


def test_running_median_ignores_short_bumps_and_follows_steps() -> None:
    period = 0.01
    time_s = np.arange(600) * period
    values = (time_s > 3).astype(float)[:, None] + 5 * ((time_s > 1) & (time_s < 1.4))[:, None]
    rest = running_median(values, period, 1.3)
    np.testing.assert_allclose(rest[(time_s < 2.9)], 0, atol=1e-9)
    np.testing.assert_allclose(rest[(time_s > 3.1)], 1, atol=1e-9)


@pytest.mark.parametrize("length", [4, 30, 64, 65, 66, 131, 400])
def test_running_median_agrees_with_the_definition(length: int) -> None:
    values = np.random.default_rng(length).normal(size=(length, 2))
    rest = running_median(values, 0.02, 1.3)
    half = round(1.3 / (2 * 0.02))
    for i in range(length):
        reach = min(half, i, length - 1 - i)
        part = values[i - reach : i + reach + 1]
        np.testing.assert_allclose(rest[i], np.median(part, axis=0))


def test_resampling_smoothing_and_scale() -> None:
    times = np.array([0.0, 0.1, 0.2, 0.4, 0.5])
    grid = uniform_times(times)
    np.testing.assert_allclose(grid, [0, 0.1, 0.2, 0.3, 0.4, 0.5])
    np.testing.assert_allclose(resample(times[:, None], times, grid)[:, 0], grid)
    noise = np.random.default_rng(0).normal(0, 2, (20000, 1))
    assert robust_deviation(noise)[0] == pytest.approx(2, rel=0.03)
    assert smooth(noise, 4).std() == pytest.approx(2 / np.sqrt(2 * np.sqrt(np.pi) * 4), rel=0.05)
    assert smooth(noise, 0.1) is noise


def test_cells_cover_their_regions_in_equal_shares() -> None:
    weights = cell_weights(CANONICAL_POINTS, (170, 140))
    labels = signal_map().reshape(-1)
    for name in REGIONS:
        cells = weights[cells_of(name)] > 0
        assert (cells.sum(axis=0) == (labels == REGIONS.index(name) + 1)).all(), name
        assert np.ptp(cells.sum(axis=1)) <= 2
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    outside = cell_weights(CANONICAL_POINTS + 500, (170, 140))
    assert (outside == 0).all()


SYLLABLES = tuple((0.1 + k * 0.31, 0.2 + k * 0.31, 0.38 + k * 0.31, 2.5 + (k * 7 % 5)) for k in range(38))


def talking(smile_s: float, *, seconds: float, begins_s: float = 0.0) -> Measurements:
    """A mouth that speaks in uneven syllables, with a smile of two seconds, from some moment of the speech on."""
    whole = measured(seconds=12.0, noise=0.05)
    for onset, apex, offset, peak in SYLLABLES:
        course = bump(whole.time_s, onset, apex, offset)[:, None]
        for region in ("chin", "lower_lip"):
            whole.displacement[:, cells_of(region), 1] += 2 * peak * course
        for region, side in (("left_mouth_corner", 1), ("right_mouth_corner", -1)):
            whole.displacement[:, cells_of(region), 0] -= side * 0.7 * peak * course
    held = np.minimum(bump(whole.time_s, smile_s, smile_s + 1, smile_s + 2) * 2, 1)[:, None]
    for region, side in (("left_mouth_corner", 1), ("right_mouth_corner", -1)):
        whole.displacement[:, cells_of(region), 0] += side * 6 * held
        whole.displacement[:, cells_of(region), 1] -= 6 * held
    frames = (whole.time_s >= begins_s) & (whole.time_s < begins_s + seconds)
    parts = {
        name: getattr(whole, name)[frames]
        for name in ("run", "displacement", "transform", "residual_px", "eye_opening", "mouth_opening", "pose")
    }
    return Measurements(face=0, time_s=whole.time_s[frames] - begins_s, **parts)


@pytest.mark.parametrize(("seconds", "begins_s"), [(3.2, 4.4), (6.0, 3.0), (7.5, 1.2), (10.0, 0.0), (10.0, 1.9)])
def test_a_smile_is_found_in_speech_however_long_the_film_is(seconds: float, begins_s: float) -> None:
    events = spot(talking(5.0, seconds=seconds, begins_s=begins_s))[0]
    onset, offset = 5.0 - begins_s, 7.0 - begins_s
    shared = [
        (min(e.offset_s, offset) - max(e.onset_s, onset)) / (max(e.offset_s, offset) - min(e.onset_s, onset))
        for e in events
        if e.kind == "macro"
    ]
    assert max(shared, default=0.0) >= 0.5


def test_a_still_face_that_drifts_shows_no_macro_expression() -> None:
    whole = measured(seconds=24.0, noise=0.02)
    drift = np.sin(2 * np.pi * whole.time_s / 3.5) + 0.6 * np.sin(2 * np.pi * whole.time_s / 2.2 + 1)
    whole.displacement[:, cells_of("chin"), 1] += 1.2 * drift[:, None]
    assert [e for e in spot(whole)[0] if e.kind == "macro"] == []
