"""Drawing whole films on which spotting is measured (*clean*, *hard*, *severe*) and developed (*varied* besides).

Clean: the head drifts, the sensor is a little noisy, half of the clips blink; micro-expressions peak at 1.8 to 5 % of
the inter-ocular distance. Hard: all of `synthesis.face.disturbances`, each kind in most films, half and double
blinks, lamps that flicker, a noisier sensor, compression as cameras and calls do it; micro-expressions peak at 0.7 to
3 %, and macro-expressions stand among them. Severe: more of each, larger, behind strong compression, and most
movements near the lower end of 0.7 to 3 %. Varied: each film draws for itself how much disturbs it, from nothing to
more than in a severe one, so that what learns from it does not learn one kind of film. In all of them the action
units are those of every emotion or, in three of ten, a single one; a quarter is shown on one side.

What disturbs falls where it likes, but overlaps an expression only in `OVERLAP` of the cases: a movement of 1 % in a
mouth that speaks by 5 % is no fair question, and no overlap at all would be too easy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fleeting.errors import SettingsError
from fleeting.records import LID_KINDS
from fleeting.synthesis.camera import CameraSettings
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.face.disturbances import (
    Disturbances,
    FocusHunt,
    HeadTurn,
    Saccade,
    Span,
    Speech,
    Swallow,
    draw_speech,
)
from fleeting.synthesis.face.head import HeadSettings
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.plan import PlanSettings, plan

SetKind = Literal["clean", "hard", "severe", "varied"]
SET_KINDS: tuple[str, ...] = get_args(SetKind)

OVERLAP = 0.3
"""Probability with which a disturbance may overlap an expression."""

KEPT, GENTLE = 0.6, 0.6
"""Of the disturbances of a severe film: probability of each kind in a hard one, and size of the larger ones there. Set
so that a simple spotter (``benchmarks/spotting_baseline.py``) finds something in films of validation people at all."""

PERCENT: dict[str, tuple[float, float]] = {
    "clean": (1.8, 5.0),
    "hard": (0.7, 3.0),
    "severe": (0.7, 3.0),
    "varied": (0.7, 5.0),
}
"""Peaks of the micro-expressions, percent of the inter-ocular distance."""


@dataclass(frozen=True, slots=True)
class Sitter:
    """Somebody to be filmed: a name, a portrait (h, w, 3) uint8 RGB, and its landmarks (68, 2)."""

    name: str
    picture: npt.NDArray[np.uint8]
    points: npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class SetSettings:
    """A set of films.

    Attributes
    ----------
    kind
        One of `SET_KINDS`.
    fps
        Frames per second.
    clips
        Number of films.
    seconds
        Length of each.
    seed
        Of the first film; each further one adds 1. The movements of a seed are the same at every frame rate.
    quiet_every
        Every so many-th film holds no expression.
    width, height
        Pixels of a frame.
    iod_px
        Range of the inter-ocular distance in pixels.
    """

    kind: SetKind = "clean"
    fps: float = 60.0
    clips: int = 6
    seconds: float = 10.0
    seed: int = 0
    quiet_every: int = 2
    width: int = 400
    height: int = 480
    iod_px: tuple[float, float] = (80.0, 130.0)

    def __post_init__(self) -> None:
        if self.kind not in SET_KINDS:
            raise SettingsError(f"a kind of {', '.join(SET_KINDS)}", f"'{self.kind}'", "Correct the kind.")
        if self.clips < 1 or self.quiet_every < 1:
            raise SettingsError(
                "1 or more clips, every 1st or later one quiet", f"{self.clips}, {self.quiet_every}", "Correct it."
            )
        if self.seconds < 6:
            raise SettingsError("films of 6 s or more", f"{self.seconds:g} s", "Make them longer.")


@dataclass(frozen=True, slots=True)
class Draft:
    """All that makes one film, but the person."""

    movements: tuple[Movement, ...]
    disturbances: Disturbances
    clip: ClipSettings
    crf: float
    spans: tuple[Span, ...]

    def film(self, sitter: Sitter, *, seed: int) -> PortraitClip:
        """Return the clip, not yet drawn."""
        return PortraitClip(
            sitter.picture,
            sitter.points,
            movements=self.movements,
            settings=self.clip,
            disturbances=self.disturbances,
            seed=seed,
        )


def draw_draft(settings: SetSettings, *, seed: int, quiet: bool) -> Draft:
    """Draw one film of a kind.

    Parameters
    ----------
    settings
        Of the set.
    seed
        Same seed, same film, but for the frame rate.
    quiet
        Whether it holds no expression.
    """
    rng = np.random.default_rng([seed, 5])
    hard = settings.kind in ("hard", "severe") or (settings.kind == "varied" and rng.random() < 0.7)
    per_film = max(round(0.4 * settings.seconds), 1)  # one in 2.5 s
    movements = plan(
        PlanSettings(
            events=0 if quiet else per_film,
            kind="mixed" if hard else "micro",
            percent=PERCENT[settings.kind],
            evenly=settings.kind == "hard",
            macro_percent=(2.0, 6.0),
            one_sided=0.25,
            single_units=0.3,
            micro_s=(0.15, 0.5),
            macro_s=(0.7, 2.0),
            blinks_per_minute=(15.0 if hard else 12.0 * (seed // 2 % 2)),
            odd_blinks=0.3 if hard else 0.0,
        ),
        seconds=settings.seconds,
        seed=seed,
    )
    iod = float(rng.uniform(*settings.iod_px))
    disturbances, camera, crf, drift = Disturbances(), CameraSettings(), float(rng.uniform(15, 19)), 1.0
    if hard:
        disturbances = draw_disturbances(rng, movements, seconds=settings.seconds, fps=settings.fps)
        camera = draw_hard_camera(rng)
        crf = float(rng.uniform(22, 29))
        drift = float(rng.uniform(0.8, 1.6))
    if settings.kind == "hard":
        disturbances = _gentler(_thinned(rng, disturbances, kept=KEPT))
        crf = float(rng.uniform(18, 25))
    if settings.kind == "varied":
        disturbances = _thinned(rng, disturbances, kept=float(rng.random() ** 0.5))
        camera = replace(camera, read_noise=camera.read_noise * float(rng.uniform(0.3, 1.3)))
        crf, drift = float(rng.uniform(14, 31)), float(rng.uniform(0.2, 1.8))
    clip = ClipSettings(
        fps=settings.fps,
        seconds=settings.seconds,
        width=settings.width,
        height=settings.height,
        iod_px=iod,
        head=HeadSettings().times(drift),
        camera=camera,
    )
    return Draft(movements, disturbances, clip, round(crf, 1), spans_of(disturbances, clip))


def _thinned(rng: np.random.Generator, disturbances: Disturbances, *, kept: float) -> Disturbances:
    """Leave each kind of disturbance in the film with a probability only."""
    parts = {f.name: getattr(disturbances, f.name) for f in fields(disturbances)}
    return replace(disturbances, **{name: type(part)() for name, part in parts.items() if rng.random() > kept})


def _gentler(disturbances: Disturbances) -> Disturbances:
    """Make turns, nods, speech and gaze smaller by `GENTLE`."""
    d = disturbances
    return replace(
        d,
        turns=tuple(replace(t, yaw_deg=GENTLE * t.yaw_deg, pitch_deg=GENTLE * t.pitch_deg) for t in d.turns),
        speech=tuple(replace(s, percent_iod=GENTLE * s.percent_iod) for s in d.speech),
        saccades=tuple(replace(s, across=GENTLE * s.across, down=GENTLE * s.down) for s in d.saccades),
    )


def spans_of(disturbances: Disturbances, clip: ClipSettings) -> tuple[Span, ...]:
    """All that disturbs a film, the lamps included."""
    spans = disturbances.spans(clip.fps)
    if clip.camera.flicker_percent:
        spans.append(Span("flicker", 0.0, clip.seconds))
    return tuple(spans)


def draw_hard_camera(rng: np.random.Generator) -> CameraSettings:
    """Draw a noisier sensor, in three of five cases under lamps that flicker, whose shutter rolls."""
    flickers = rng.random() < 0.6
    mains = 100.0 if rng.random() < 0.5 else 120.0
    return CameraSettings(
        read_noise=float(rng.uniform(0.6, 1.5)),
        shot_noise=float(rng.uniform(0.8, 1.8)),
        flicker_percent=float(rng.uniform(0.3, 2.0)) if flickers else 0.0,
        flicker_hz=mains * (1 + float(rng.uniform(-5e-4, 5e-4))),  # as far as the mains stray
        readout_ms=float(rng.uniform(4, 16)),
    )


def draw_disturbances(
    rng: np.random.Generator, movements: Sequence[Movement], *, seconds: float, fps: float
) -> Disturbances:
    """Draw everything that disturbs a hard film of the given length around its movements."""
    taken = [(m.profile.first_s, m.profile.last_s) for m in movements if m.kind not in LID_KINDS]

    def place(length: float, others: Sequence[tuple[float, float]] = ()) -> float | None:
        """Begin of a stretch of time that is free, or may overlap; None where there is no room."""
        busy = [*others] if rng.random() < OVERLAP else [*taken, *others]
        for _ in range(60):
            start = float(rng.uniform(0.2, max(seconds - length - 0.2, 0.21)))
            if all(start + length <= a or start >= b for a, b in busy) and start + length < seconds:
                return start
        return None

    speech: list[Speech] = []
    if rng.random() < 0.5:
        length, percent = float(rng.uniform(1.0, 4.0)), _log_uniform(rng, 1.0, 6.0)
        for wanted in (length, max(length / 2, 1.0), 1.0):
            start = place(wanted)
            if start is not None:
                speech.append(draw_speech(rng, start_s=start, seconds=wanted, percent_iod=percent))
                break
    swallows: list[Swallow] = []
    if rng.random() < 0.5:
        length = float(rng.uniform(0.3, 0.6))
        start = place(length, [bout.span_s for bout in speech])
        if start is not None:
            swallows.append(Swallow(start, length, float(rng.uniform(0.3, 0.8))))
    turns = _turns(rng, place)
    focus: list[FocusHunt] = []
    if rng.random() < 0.4:
        length = float(rng.uniform(0.3, 1.0))
        start = place(length)
        if start is not None:
            focus.append(FocusHunt(start, length, float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.4, 1.2))))
    repeated, dropped = _frame_faults(rng, seconds, fps)
    return Disturbances(
        saccades=_saccades(rng, seconds),
        turns=turns,
        speech=tuple(speech),
        swallows=tuple(swallows),
        focus=tuple(focus),
        repeated=repeated,
        dropped=dropped,
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _turns(rng: np.random.Generator, place: Callable[[float], float | None]) -> tuple[HeadTurn, ...]:
    found: list[HeadTurn] = []
    if rng.random() < 0.5:
        duration, hold = float(rng.uniform(0.3, 1.2)), float(rng.uniform(0, 0.8))
        start = place(2 * duration + hold)
        if start is not None:
            # Small turns are more frequent than wide ones.
            yaw = _log_uniform(rng, 2.0, 12.0) * float(rng.choice([-1, 1]))
            found.append(HeadTurn(start, duration, yaw, float(rng.uniform(-2, 2)), hold))
    if rng.random() < 0.4:
        once, times = float(rng.uniform(0.15, 0.4)), int(rng.integers(1, 4))
        start = place(2 * once * times)
        if start is not None:
            pitch = _log_uniform(rng, 1.0, 8.0)
            found += [HeadTurn(start + 2 * once * i, once, 0.0, pitch * 0.8**i) for i in range(times)]
    return tuple(sorted(found, key=lambda t: t.start_s))


def _saccades(rng: np.random.Generator, seconds: float) -> tuple[Saccade, ...]:
    """Draw looks away and back: two thirds of the time the eyes return to the camera."""
    found: list[Saccade] = []
    now, away = float(rng.exponential(1.5)), False
    while now < seconds - 0.1:
        across, down = (0.0, 0.0)
        if not away or rng.random() < 0.35:
            angle, size = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.8, 4.0))
            across, down = size * float(np.cos(angle)), 0.5 * size * float(np.sin(angle))
        last = (found[-1].across, found[-1].down) if found else (0.0, 0.0)
        jump = float(np.hypot(across - last[0], down - last[1]))
        # 21 ms and 2.2 ms a degree (Bahill et al., see Saccade); 1 % of the distance is about 4.4 degrees.
        duration = min(max(0.021 + 0.0022 * 4.4 * jump, 0.03), 0.08)
        found.append(Saccade(now, duration, across, down))
        away = bool(across or down)
        now += duration + 0.15 + float(rng.exponential(1.0 if away else 2.0))
    return tuple(found)


def _frame_faults(rng: np.random.Generator, seconds: float, fps: float) -> tuple[frozenset[int], frozenset[int]]:
    """Repeated and dropped frames: a few in every second film, never two beside each other."""
    count = round(seconds * fps)
    faulty = rng.random() < 0.5
    instants = rng.uniform(0.1, seconds - 0.1, 6)
    numbers = rng.integers(1, 4, 2)
    if not faulty:
        return frozenset(), frozenset()
    frames = list(dict.fromkeys(min(max(round(t * fps), 1), count - 2) for t in instants))
    frames = [f for i, f in enumerate(frames) if f > 0 and all(abs(f - other) > 2 for other in frames[:i])]
    return frozenset(frames[: numbers[0]]), frozenset(frames[numbers[0] : numbers.sum()])
