"""When a face speaks: made-up mouths that speak, smile, yawn, chew, nod or tremble, with and without a voice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fleeting.records import Signals
from fleeting.settings import SpottingSettings
from fleeting.spotting.cells import CELL_REGION, cells_of
from fleeting.spotting.measurements import Measurements
from fleeting.spotting.movements import Movement
from fleeting.spotting.run_signals import Runs, noise_of
from fleeting.spotting.speaking import of_frames, speaking_in, voice_in
from fleeting.spotting.spot import spot
from fleeting.spotting.while_speaking import LOWER_FACE, enough_evidence

SECONDS = 8.0
SPEECH_S = (3.0, 5.0)
RATES = [15.0, 25.0, 30000 / 1001, 60.0, 200.0]
DOWN = {"lower_lip": 1.0, "chin": 1.0, "left_mouth_corner": 0.4, "right_mouth_corner": 0.4, "upper_lip": -0.1}
"""What the jaw takes along, as shares of it."""


def face(fps: float, *, noise: float = 0.1, seed: int = 0) -> Measurements:
    """A face at rest, seen with noise."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(fps * SECONDS)) / fps
    n = len(time_s)
    return Measurements(
        face=0,
        time_s=time_s,
        run=np.zeros(n, np.int32),
        displacement=rng.normal(0, noise, (n, len(CELL_REGION), 2)).astype(np.float32),
        transform=np.tile(np.eye(2, 3), (n, 1, 1)),
        residual_px=np.full(n, 0.05, np.float32),
        eye_opening=np.full((n, 2), 0.3, np.float32),
        mouth_opening=np.zeros(n, np.float32),
        pose=np.zeros((n, 3), np.float32),
    )


def moved(measured: Measurements, course: np.ndarray, shares: dict[str, float], axis: int = 1) -> Measurements:
    place = measured.displacement.copy()
    for region, share in shares.items():
        place[:, cells_of(region), axis] += (share * course[:, None]).astype(np.float32)
    return replace(measured, displacement=place)


def pulse(time_s: np.ndarray, onset: float, lasts: float, hold: float = 0.0) -> np.ndarray:
    """From 0 to 1 and back in `lasts` seconds, with a hold of `hold` between."""
    rise = np.clip((time_s - onset) / (lasts / 2), 0, 1)
    fall = np.clip((onset + lasts + hold - time_s) / (lasts / 2), 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * np.minimum(rise, fall))


def syllables(time_s: np.ndarray, hertz: float, *, percent: float = 5.0, seed: int = 0) -> np.ndarray:
    """Syllables of `hertz` a second, none like the other, within `SPEECH_S`."""
    rng = np.random.default_rng(seed)
    course, at = np.zeros(len(time_s)), SPEECH_S[0]
    while at + 1 / hertz <= SPEECH_S[1] + 1e-9:
        lasts = rng.uniform(0.85, 1.0) / hertz
        course += percent * rng.uniform(0.6, 1.0) * pulse(time_s, at, lasts)
        at += 1 / hertz
    return course


def talker(fps: float, hertz: float = 4.0, **how: Any) -> Measurements:
    rest = face(fps)
    return moved(rest, syllables(rest.time_s, hertz, **how), DOWN)


def speaking(measured: Measurements, voice: float | None = None) -> np.ndarray:
    """Whether each frame is told as speaking, where `voice` is the share of voice all the time."""
    heard = None if voice is None else np.full(len(measured.time_s), voice)
    (run,) = runs = Runs(measured, SpottingSettings())
    return of_frames(speaking_in(run, noise_of(runs), voice_in(run, heard)), run) > 0


def within(measured: Measurements) -> np.ndarray:
    return (measured.time_s > SPEECH_S[0] + 0.1) & (measured.time_s < SPEECH_S[1] - 0.3)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("hertz", [2.2, 3.0, 4.0, 5.0])
def test_syllables_are_speech_at_every_frame_rate(fps: float, hertz: float) -> None:
    measured = talker(fps, hertz)
    told = speaking(measured)
    assert told[within(measured)].mean() > 0.9
    assert not told[(measured.time_s < SPEECH_S[0] - 0.15) | (measured.time_s > SPEECH_S[1] + 0.15)].any()


@pytest.mark.parametrize("fps", [60.0, 200.0])
@pytest.mark.parametrize("hertz", [6.5, 8.0])
def test_fast_syllables_need_frames(fps: float, hertz: float) -> None:
    measured = talker(fps, hertz, percent=6.0)
    assert speaking(measured)[within(measured)].mean() > 0.8


@pytest.mark.parametrize("fps", [25.0, 100.0])
def test_slow_movements_around_it_and_pauses_are_no_part_of_speech(fps: float) -> None:
    rest = face(fps)
    time_s = rest.time_s
    word = sum(5 * pulse(time_s, at, 0.22) for at in (1.5, 1.75, 2.0, 5.0, 5.25, 5.5))
    # The mouth opens slowly and stays open before each, and closes slowly after it.
    slow = sum(6 * pulse(time_s, at, 1.2, hold=0.9) for at in (0.8, 4.3))
    told = speaking(moved(rest, word + slow, DOWN))
    for begins in (1.5, 5.0):
        assert told[(time_s > begins + 0.1) & (time_s < begins + 0.55)].all()
    assert not told[(time_s > 3.0) & (time_s < 4.6)].any()


def smile(time_s: np.ndarray) -> np.ndarray:
    return 8 * pulse(time_s, 3.0, 0.8, hold=0.9)


QUIET: dict[str, Any] = {
    "at rest": lambda m: m,
    "a smile": lambda m: moved(
        moved(m, smile(m.time_s), {"left_mouth_corner": 1.0, "right_mouth_corner": -1.0, "chin": 0.1}, 0),
        -smile(m.time_s),
        {"left_mouth_corner": 0.6, "right_mouth_corner": 0.6, "left_cheek": 0.3, "right_cheek": 0.3},
    ),
    "a quick smile": lambda m: moved(
        m, 6 * pulse(m.time_s, 3.0, 0.35), {"left_mouth_corner": 1.0, "right_mouth_corner": -1.0}, 0
    ),
    "one opening of the mouth": lambda m: moved(m, 10 * pulse(m.time_s, 3.0, 0.4), DOWN),
    "a yawn": lambda m: moved(m, 30 * pulse(m.time_s, 2.0, 2.0, hold=1.5), DOWN),
    "slow chewing": lambda m: moved(m, 4 * np.sin(2 * np.pi * 1.0 * m.time_s), DOWN),
    "a nod": lambda m: nod(m, 2.0),
    "a poor camera": lambda m: moved(face_like(m, noise=1.2), np.zeros(len(m.time_s)), {}),
    "a picture that trembles": lambda m: moved(
        m, 3 * np.sin(2 * np.pi * 4 * m.time_s), dict.fromkeys(CELL_REGION, 1.0)
    ),
}


def face_like(measured: Measurements, *, noise: float) -> Measurements:
    return face(1 / float(measured.time_s[1]), noise=noise, seed=4)


def nod(measured: Measurements, hertz: float) -> Measurements:
    """A head that nods by 15 % of the eye distance; a tenth of it is left in the chin, half as much in the nose."""
    course = np.sin(2 * np.pi * hertz * measured.time_s)
    nodded = moved(measured, 1.5 * course, {"chin": 1.0, "lower_lip": 1.0, "nose": 0.5})
    transform = measured.transform.copy()
    transform[:, 1, 2] -= 0.15 * 78 * course
    pose = measured.pose.copy()
    pose[:, 1] += 6 * course
    return replace(nodded, transform=transform, pose=pose)


@pytest.mark.parametrize("voice", [None, 0.0, 1.0], ids=["no sound", "no voice", "somebody's voice"])
@pytest.mark.parametrize("name", QUIET)
@pytest.mark.parametrize("fps", [15.0, 30.0, 100.0])
def test_what_is_no_speech(fps: float, name: str, voice: float | None) -> None:
    assert not speaking(QUIET[name](face(fps)), voice).any()


def test_a_mirrored_face_speaks_alike() -> None:
    measured = talker(30.0)
    wide = syllables(measured.time_s, 4.0, percent=3.0, seed=3)
    measured = moved(measured, wide, {"left_mouth_corner": 1.0, "right_mouth_corner": -0.2}, 0)

    def other(name: str) -> str:
        swap = {"left": "right", "right": "left"}
        side, _, rest = name.partition("_")
        return f"{swap[side]}_{rest}" if side in swap else name

    order = [c for name in dict.fromkeys(CELL_REGION) for c in cells_of(other(name))]
    mirrored = measured.displacement[:, order] * np.array([-1, 1], np.float32)
    np.testing.assert_array_equal(speaking(measured), speaking(replace(measured, displacement=mirrored)))


def short_word(fps: float = 30.0, *, swings: int) -> Measurements:
    """A mouth that swings so many times, half a syllable each."""
    rest = face(fps)
    time_s = np.clip(rest.time_s - 3.0, 0, swings * 0.12)
    return moved(rest, 2.5 * (1 - np.cos(np.pi * time_s / 0.12)), DOWN)


@pytest.mark.parametrize(
    ("swings", "no_sound", "voice", "no_voice"),
    [(2, False, False, False), (3, False, True, False), (4, True, True, False), (6, True, True, True)],
)
def test_sound_changes_how_much_rhythm_is_needed(swings: int, no_sound: bool, voice: bool, no_voice: bool) -> None:
    measured = short_word(swings=swings)
    assert speaking(measured).any() == no_sound
    assert speaking(measured, np.nan).any() == no_sound
    assert speaking(measured, 1.0).any() == voice
    assert speaking(measured, 0.0).any() == no_voice


def test_a_face_that_leaves_breaks_speech_and_harms_nothing() -> None:
    measured = talker(30.0)
    run = measured.run.copy()
    gone = slice(110, 135)
    place = measured.displacement.copy()
    run[gone], run[135:] = -1, 1
    place[gone] = np.nan
    left = replace(measured, run=run, displacement=place)
    signals = spot(left)[1]
    assert signals.speaking is not None
    assert np.isnan(signals.speaking[gone]).all()
    assert np.isfinite(np.delete(signals.speaking, np.arange(110, 135))).all()
    assert all(0 <= first <= last <= SECONDS for first, last in signals.speaking_spans)


def test_stretches_are_told_in_seconds() -> None:
    signals = Signals(
        face=0,
        time_s=np.arange(6) / 10,
        motion=np.zeros((6, 13), np.float32),
        eye_opening=np.zeros((6, 2), np.float32),
        mouth_opening=np.zeros(6, np.float32),
        pose=np.zeros((6, 3), np.float32),
        noise=np.zeros(13, np.float32),
        speaking=np.array([1, 1, np.nan, 0, 0, 1], np.float32),
    )
    assert signals.speaking_spans == ((0.0, 0.1), (0.5, 0.5))
    with pytest.raises(ValueError, match="Expected speaking of shape"):
        replace(signals, speaking=np.zeros(5, np.float32))


@pytest.mark.parametrize("region", dict.fromkeys(CELL_REGION))
def test_the_lower_face_needs_more_evidence_while_it_speaks(region: str) -> None:
    settings = SpottingSettings()
    movement = Movement(10, 15, 20, (region, "right_brow"), 3.0, 12.0)
    silent, busy = np.zeros(40, bool), np.zeros(40, bool)
    busy[18:] = True
    between = (settings.min_probability + settings.min_probability_speaking) / 2
    assert enough_evidence(movement, between, silent, settings)
    assert enough_evidence(movement, between, busy, settings) == (region not in LOWER_FACE)
    assert enough_evidence(movement, settings.min_probability_speaking, busy, settings)
    assert not enough_evidence(movement, settings.min_probability - 0.01, silent, settings)
    # Whoever asks for more evidence everywhere gets it here too.
    strict = SpottingSettings(min_probability=0.995)
    assert not enough_evidence(movement, 0.992, busy, strict)


def test_brows_are_found_while_the_mouth_speaks_and_say_so() -> None:
    measured = talker(60.0)
    brows = -4 * pulse(measured.time_s, 4.0, 0.3)
    raised = moved(measured, brows, {"left_brow": 1.0, "right_brow": 1.0})
    found = [e for e in spot(raised)[0] if e.kind == "micro" and e.regions[0].endswith("_brow")]
    assert [e.speaking for e in found] == [True]
    quiet = moved(face(60.0), brows, {"left_brow": 1.0, "right_brow": 1.0})
    assert [e.speaking for e in spot(quiet)[0] if e.kind == "micro"] == [False]


def test_a_smile_is_found_in_speech() -> None:
    measured = talker(30.0)
    course = 9 * pulse(measured.time_s, 3.6, 0.6, hold=0.8)
    both = {"left_mouth_corner": 1.0, "right_mouth_corner": 1.0, "left_cheek": 0.6, "right_cheek": 0.6}
    smiled = moved(measured, -course, both)
    smiled = moved(smiled, course, {"left_mouth_corner": 0.8, "right_mouth_corner": -0.8}, 0)
    found = [e for e in spot(smiled)[0] if e.kind == "macro" and e.onset_s < 4.4 < e.offset_s]
    assert found, spot(smiled)[0]
    assert found[0].speaking
