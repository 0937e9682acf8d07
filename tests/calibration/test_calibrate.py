"""Calibration: movements of known size put into a recording are found where they are large enough, and only there."""

from __future__ import annotations

import json
import math
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import still
from command import Command

import fleeting
from fleeting.analysis.analyse import analyse_video
from fleeting.calibration import plan
from fleeting.calibration.calibrate import calibrate_video, count_bins
from fleeting.calibration.injected_trial import Window, judge, put_in, window_of
from fleeting.calibration.psychometric import fit_detection
from fleeting.calibration.quiet_moments import GUARD_S, HEAD_SPEED, find_quiet
from fleeting.errors import FleetingWarning, InputError, NoFaceError, OutputError, SettingsError, VideoError
from fleeting.export.timeline_json import calibration_json, read_timeline
from fleeting.records import Calibration, CalibrationTrial, Event, Interval, Timeline
from fleeting.results import read_run
from fleeting.spotting.cells import CELL_REGION
from fleeting.spotting.measurements import Measurements
from fleeting.synthesis.face.profile import Profile

FPS, SECONDS = 30.0, 5.0
TRIALS = 20


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut of scikit-image, in which nothing happens; 160 x 192 pixels."""
    from fleeting.synthesis import demo
    from fleeting.synthesis.clip import ClipSettings, PortraitClip
    from fleeting.synthesis.render import render_clip

    path = tmp_path_factory.mktemp("quiet") / "quiet.mp4"
    settings = ClipSettings(fps=FPS, seconds=SECONDS, width=160, height=192, iod_px=60)
    render_clip(PortraitClip(demo.portrait(), demo.PORTRAIT_POINTS, settings=settings, seed=4), path)
    return path


@pytest.fixture(scope="module")
def timeline(film: Path) -> Timeline:
    return analyse_video(film, pictures=False).timeline


@pytest.fixture(scope="module")
def calibration(film: Path, timeline: Timeline) -> Calibration:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FleetingWarning)
        return calibrate_video(film, timeline, trials=TRIALS, seed=3)


def test_large_movements_are_found_and_tiny_ones_are_not(calibration: Calibration) -> None:
    large = [t.found for t in calibration.trials if t.percent > 3]
    tiny = [t.found for t in calibration.trials if t.percent < 0.5]
    assert len(large) >= 2
    assert len(tiny) >= 2
    assert np.mean(large) >= 0.6
    assert not any(tiny)
    assert 0.5 < calibration.percent_found_half < 3


def test_the_numbers_agree_with_each_other(calibration: Calibration) -> None:
    assert len(calibration.trials) == TRIALS
    assert sum(row[2] for row in calibration.bins) == TRIALS
    assert sum(row[3] for row in calibration.bins) == sum(t.found for t in calibration.trials)
    assert all(t.noticed for t in calibration.trials if t.found)
    low, high = calibration.tried_percent
    assert all(low <= t.percent <= high for t in calibration.trials)
    fit = fit_detection(
        np.array([t.percent for t in calibration.trials]), np.array([t.found for t in calibration.trials])
    )
    size, rate, least, most = np.array(calibration.curve).T
    np.testing.assert_allclose(rate, fit.rate(size))
    assert (least <= rate).all()
    assert (rate <= most).all()
    level = calibration.percent_found_9_in_10
    assert math.isnan(level) or f"{level:.2g} %" in calibration.summary


def test_movements_lie_within_quiet_moments(calibration: Calibration, timeline: Timeline) -> None:
    for trial in calibration.trials:
        assert trial.onset_s >= 0
        assert trial.onset_s + trial.duration_s <= SECONDS
        for event in timeline.events:
            clear = trial.onset_s + trial.duration_s < event.onset_s or trial.onset_s > event.offset_s
            assert clear, "a movement was put where another was found"


def test_the_seed_decides(film: Path, timeline: Timeline, calibration: Calibration) -> None:
    with pytest.warns(FleetingWarning, match="Only .* s of the recording are quiet"):
        again = calibrate_video(film, timeline, trials=TRIALS, seed=3)
    assert calibration_json(again) == calibration_json(calibration)
    drawn = [plan.draw_movements(np.full(6, 2.0), np.random.default_rng([seed, 11])) for seed in (3, 4)]
    assert drawn[0] != drawn[1]


def test_nothing_is_found_where_the_spotter_wants_more(film: Path, timeline: Timeline) -> None:
    strict = replace(timeline, settings={"spotting": {"min_probability": 1.0}})
    with pytest.warns(FleetingWarning, match="quiet"):
        found = calibrate_video(film, strict, trials=TRIALS)
    assert not any(t.found for t in found.trials)
    assert math.isnan(found.percent_found_9_in_10)
    assert "no size of movement up to 6 % of the eye distance is found 9 times in 10" in found.summary
    assert found.limits


def test_few_trials_and_wrong_videos_are_refused(film: Path, timeline: Timeline, clip: Path, analysis) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SettingsError, match="at least 20 trials"):
        calibrate_video(film, timeline, trials=5)
    with pytest.raises(SettingsError, match="at least 20 trials"):
        fleeting.calibrate("missing.mp4", trials=5)  # said before any work
    with pytest.raises(InputError, match="a moment of 0.63 s in which the face is in view"):
        calibrate_video(clip, analysis.timeline)
    with pytest.raises(NoFaceError, match="a face that was analysed"):
        calibrate_video(film, replace(timeline, signals=()))
    with pytest.raises(VideoError, match="at least 12 frames/s"):
        calibrate_video(film, timeline, fps=10.0)


def test_a_still_picture_without_a_face_is_refused(tmp_path: Path) -> None:
    path = still(tmp_path / "grey.mp4", np.full((120, 160, 3), 128, np.uint8))
    with pytest.raises(NoFaceError, match="a face in view"):
        fleeting.calibrate(path)


def measurements(seconds: float = 4.0, *, fps: float = 50.0) -> Measurements:
    """A face that rests in the middle of a canonical crop."""
    n, c = round(seconds * fps), len(CELL_REGION)
    rng = np.random.default_rng(0)
    return Measurements(
        face=0,
        time_s=np.arange(n) / fps,
        run=np.zeros(n, np.int32),
        displacement=rng.normal(0, 0.05, (n, c, 2)).astype(np.float32),
        transform=np.tile(np.eye(2, 3), (n, 1, 1)),
        residual_px=np.full(n, 0.1, np.float32),
        eye_opening=np.full((n, 2), 0.3, np.float32),
        mouth_opening=np.zeros(n, np.float32),
        pose=np.zeros((n, 3), np.float32),
    )


def event(first: int, last: int, *, kind: str = "micro", fps: float = 50.0) -> Event:
    apex = (first + last) // 2
    return Event(0, kind, first, apex, last, first / fps, apex / fps, last / fps)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["micro", "macro", "blink"])
def test_quiet_is_where_nothing_was_found(kind: str) -> None:
    measured = measurements()
    quiet = find_quiet(measured, [event(80, 100, kind=kind)], iod_px=90.0)
    guard = round(GUARD_S * 50)
    assert not quiet.frames[80 - guard : 101 + guard].any()
    assert quiet.frames[: 80 - guard - 1].all()
    assert quiet.frames[101 + guard + 1 :].all()
    (_, end), (begin, _) = quiet.stretches
    assert end < 80 - guard
    assert begin > 100 + guard
    assert quiet.share == pytest.approx(quiet.frames.mean())


def test_quiet_is_where_the_head_is_slow_and_the_face_in_view() -> None:
    measured = measurements()
    speed = 1.5 * HEAD_SPEED / 100 * 90 / 50  # pixels a frame
    measured.transform[60:90, 0, 2] = -speed * np.arange(30)
    measured.transform[90:, 0, 2] = -speed * 30
    measured.run[150:160] = -1
    measured.run[160:] = 1
    measured.transform[150:160] = np.nan
    quiet = find_quiet(measured, [], iod_px=90.0)
    assert not quiet.frames[63:87].any()
    assert quiet.head_moves[63:87].all()
    assert not quiet.frames[150:160].any()
    assert not quiet.head_moves[100:].any()
    assert [(a, b) for a, b in quiet.stretches if a >= 100] == [(160, 199)]
    slow = find_quiet(replace(measured, transform=np.tile(np.eye(2, 3), (200, 1, 1))), [], iod_px=90.0)
    assert not slow.head_moves.any()


def test_movements_are_placed_inside_quiet_moments() -> None:
    measured = measurements()
    quiet = find_quiet(measured, [event(80, 100)], iod_px=90.0)
    rng = np.random.default_rng(1)
    chosen = set()
    for draft in plan.draw_movements(np.full(40, 2.0), rng):
        movement, stretch = plan.place(draft, quiet, measured.time_s, rng)
        first, last = (measured.time_s[i] for i in quiet.stretches[stretch])
        assert first <= movement.profile.first_s
        assert movement.profile.last_s <= last + 1e-9
        before, after = draft.profile, movement.profile
        assert after.offset_s - after.onset_s == pytest.approx(before.offset_s - before.onset_s)
        chosen.add(stretch)
    assert chosen == {0, 1}
    narrow = find_quiet(measured, [event(2, 190)], iod_px=90.0)
    with pytest.raises(InputError, match="a quiet moment of"):
        plan.place(draft, narrow, measured.time_s, rng)


def test_what_is_put_in_is_all_that_changes() -> None:
    measured, there = measurements(), measurements(1.0)
    bump = np.zeros((50, len(CELL_REGION), 2), np.float32)
    bump[20:30, 0, 1] = 3.0
    there = replace(there, displacement=measured.displacement[60:110] + bump - 7.0)  # a run of its own begins elsewhere
    window = Window(60, 109, Interval(80, 89), Interval(81, 88))
    whole = put_in(measured, there, window)
    change = whole.displacement - measured.displacement
    np.testing.assert_allclose(change[60:110], bump, atol=1e-5)
    np.testing.assert_allclose(change[:60], 0, atol=1e-5)
    np.testing.assert_allclose(change[110:], 0, atol=1e-5)
    assert np.shares_memory(whole.time_s, measured.time_s)
    assert (measured.displacement[85] == measurements().displacement[85]).all()


def test_what_is_left_behind_stays() -> None:
    measured = measurements()
    shift = np.zeros((50, len(CELL_REGION), 2), np.float32)
    shift[25:] = 0.5
    there = replace(measurements(1.0), displacement=measured.displacement[60:110] + shift)
    whole = put_in(measured, there, Window(60, 109, Interval(80, 89), Interval(81, 88)))
    np.testing.assert_allclose(whole.displacement[110:], measured.displacement[110:] + 0.5, atol=1e-5)


def test_the_window_and_the_truth_are_those_of_the_profile() -> None:
    movement = plan.draw_movement(2.0, "happiness", np.random.default_rng(0), onset_s=1.5)
    time_s = np.arange(200) / 50.0
    window = window_of(time_s, movement, run=slice(10, 180), lead_s=0.5)
    first, _, last = movement.profile.frames(50.0)
    assert (window.truth.onset, window.truth.offset) == (first, last)
    assert window.moving.onset <= first
    assert last <= window.moving.offset
    assert time_s[window.first] == pytest.approx(movement.profile.first_s - 0.5, abs=0.02)
    assert window_of(time_s, movement, run=slice(70, 180), lead_s=0.5).first == 70
    assert window_of(time_s, movement, run=slice(10, 101), lead_s=0.5).last <= 100


def test_found_is_a_micro_expression_with_half_of_its_time_right() -> None:
    window = Window(60, 130, Interval(78, 101), Interval(80, 99))
    assert judge([event(80, 99)], window, 90) == (True, True)
    assert judge([event(90, 99)], window, 90) == (True, True)
    assert judge([event(91, 99)], window, 95) == (False, True)
    assert judge([event(80, 99, kind="macro")], window, 90) == (False, True)
    assert judge([event(80, 99, kind="blink")], window, 90) == (False, False)
    assert judge([event(10, 30)], window, 90) == (False, False)
    assert judge([], window, 90) == (False, False)


def test_further_trials_go_where_detection_becomes_reliable() -> None:
    percent = plan.log_even(*plan.PERCENT, 200, np.random.default_rng(0))
    assert percent.min() < 0.31
    assert percent.max() > 5.9
    low, high = plan.informative(fit_detection(percent, percent > 1.5), plan.PERCENT)
    assert 1.0 < low < 1.6
    assert 2.8 < high < 3.6
    for answer in (True, False):
        low, high = plan.informative(fit_detection(percent, np.full(200, answer)), plan.PERCENT)
        assert plan.PERCENT[0] <= low < high <= plan.PERCENT[1]


def test_every_emotion_is_put_in_as_often() -> None:
    drawn = plan.draw_movements(np.full(70, 1.0), np.random.default_rng(2))
    words = [m.emotion for m in drawn]
    assert {words.count(w) for w in words} == {10}
    durations = [m.profile.offset_s - m.profile.onset_s for m in drawn]
    assert plan.DURATION_S[0] <= min(durations)
    assert max(durations) <= plan.DURATION_S[1]
    assert {m.side for m in drawn} == {"both", "left", "right"}
    assert max(m.profile.last_s - m.profile.first_s for m in drawn) <= plan.longest_s()


def test_bins_count_every_trial_once() -> None:
    trials = [
        CalibrationTrial(p, p > 1, p > 0.9, 0.0, 0.3, "fear", "both") for p in (0.3, 0.31, 0.95, 1.0, 2.0, 5.9, 6.0)
    ]
    rows = count_bins(trials)
    assert sum(r[2] for r in rows) == 7
    assert sum(r[3] for r in rows) == 3
    assert sum(r[4] for r in rows) == 5
    assert all(r[2] for r in rows)
    assert rows[-1][2:5] == (2, 2, 2)


def test_the_carried_movement_is_that_of_the_injection() -> None:
    from portraits import POINTS, portrait
    from test_synthesis_inject import Memory

    from fleeting.synthesis.face.action_units import Activation
    from fleeting.synthesis.face.carried_movement import CarriedMovement
    from fleeting.synthesis.face.movement import Movement
    from fleeting.synthesis.inject import Injection

    smile = Movement("micro", Profile(0.2, 0.4, 0.65), (Activation("AU12"),), 3.0, "happiness")
    times = np.arange(40) / 40.0
    angle = 0.15 * times
    centre = POINTS.mean(axis=0)
    turned = [
        (POINTS - centre) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) * (1 + 0.1 * t) + centre + 3 * t
        for a, t in zip(angle, times, strict=True)
    ]
    picture = portrait()
    video = Memory([picture] * 40, fps=40.0)
    reference = Injection(video, [smile], points=lambda frame: turned[frame.index])
    inside = np.flatnonzero((times > smile.profile.first_s) & (times < smile.profile.last_s))
    carried = CarriedMovement(smile, np.stack(turned)[inside], times[inside])
    for frame in (12, 16, 22):
        known = reference.field(video_frame(video, frame))
        assert known is not None
        whole, left, top = known
        here, x, y = carried.field(frame - int(inside[0]))
        grown = np.zeros_like(whole)
        grown[y - top : y - top + here.shape[0], x - left : x - left + here.shape[1]] = here
        assert np.abs(whole).max() > 0.5
        np.testing.assert_allclose(grown, whole, atol=0.03)
        grey = video_frame(video, frame).grey
        drawn = carried.draw(grey, frame - int(inside[0]))
        assert np.abs(drawn.astype(int) - grey).max() > 0
        assert (drawn[:4] == grey[:4]).all()


def video_frame(video, index: int):  # type: ignore[no-untyped-def]
    return next(video.frames(index, index))


def test_the_command_adds_its_result_to_an_analysis(fleeting: Command, film: Path, tmp_path: Path) -> None:
    assert fleeting("analyse", film, "--out", tmp_path, "--format", "report,csv").status == 0
    folder = tmp_path / "quiet"
    before = (folder / "events.csv").read_bytes()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Not measured. <code>fleeting calibrate" in page
    (folder / "notes.txt").write_text("mine")
    said = fleeting("calibrate", film, "--out", tmp_path, "--trials", TRIALS, "--seed", 3, "--json")
    assert said.status == 0, said.err
    values = json.loads(said.out)
    stored = read_timeline(folder / "timeline.json").calibration
    assert stored is not None
    assert calibration_json(stored) == values
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert stored.summary in page
    assert 'class="detection"' in page
    assert (folder / "events.csv").read_bytes() == before
    assert (folder / "notes.txt").read_text() == "mine"
    run = read_run(folder)
    assert run is not None
    assert run["formats"] == ["report", "csv", "json"]
    again = fleeting("analyse", film, "--out", tmp_path, "--format", "report,csv")
    assert "finished before" in again.err, "a calibrated folder is a finished one"


def test_the_command_analyses_first_and_says_it_in_words(
    fleeting: Command, film: Path, tmp_path: Path, calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fleeting.calibration import calibrate

    monkeypatch.setattr(calibrate, "calibrate_video", lambda *_, **__: calibration)
    said = fleeting("calibrate", film, "--out", tmp_path, "--trials", TRIALS)
    assert said.status == 0, said.err
    assert calibration.summary in said.out
    assert "noticed at all" in said.out
    assert "1 % of the eye distance is" in said.out
    assert (tmp_path / "quiet" / "report.html").exists()
    assert repr(read_timeline(tmp_path / "quiet" / "timeline.json").calibration) == repr(calibration)


def test_the_command_refuses_a_taken_place(fleeting: Command, film: Path, tmp_path: Path) -> None:
    (tmp_path / "quiet").mkdir()
    (tmp_path / "quiet" / "thesis.txt").write_text("mine")
    said = fleeting("calibrate", film, "--out", tmp_path, "--trials", TRIALS)
    assert said.status == 1
    assert "a folder with other things in it" in said.err
    assert (tmp_path / "quiet" / "thesis.txt").read_text() == "mine"


def test_a_folder_without_results_cannot_be_changed(tmp_path: Path) -> None:
    from fleeting.results import changed_folder

    with pytest.raises(OutputError, match="a folder of results"), changed_folder(tmp_path):
        pass


def test_a_calibration_comes_back_from_json(calibration: Calibration, timeline: Timeline, tmp_path: Path) -> None:
    import jsonschema

    from fleeting.export.timeline_json import to_json, write_timeline

    bare = replace(
        calibration, percent_found_9_in_10=math.nan, percent_found_half=math.nan, interval_percent=(math.nan, math.nan)
    )
    for known in (calibration, bare, None):
        whole = replace(timeline, calibration=known)
        read = read_timeline(write_timeline(whole, tmp_path / "timeline.json"))
        assert repr(read.calibration) == repr(known)  # NaN is not equal to itself, but reads the same
    schema = json.loads(
        (Path(fleeting.__file__).parent / "export" / "timeline.schema.json").read_text(encoding="utf-8")
    )
    jsonschema.validate(to_json(replace(timeline, calibration=bare)), schema)
    old = to_json(timeline)
    del old["calibration"]
    jsonschema.validate(old, schema)


def test_the_snippets_of_docs_calibrate_md_run(
    film: Path, tmp_path: Path, calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    from documentation import ROOT, blocks

    from fleeting.calibration import calibrate

    shutil.copy(film, tmp_path / "interview.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(calibrate, "calibrate_video", lambda *_, **__: calibration)
    page = ROOT / "docs" / "how-to" / "calibrate.md"
    snippets = [b for b in blocks(page) if b.language == "python"]
    assert snippets
    for block in snippets:
        exec(compile(block.text, block.page, "exec"), {})
    assert (tmp_path / "portrait.jpg").exists()
    assert read_timeline(tmp_path / "results" / "interview" / "timeline.json").calibration is not None
