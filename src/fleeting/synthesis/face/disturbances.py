"""What else happens in front of a camera, and is no expression: gaze, turns of the head, speech, swallowing, the lens.

Every record says what happens when, in seconds of the scene, so that it is the same at every frame rate. None of it is
an event: it does not enter the truth, but `spans` lists it, so that false alarms can be told by their cause.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

import numpy as np

from fleeting.errors import SettingsError


def minimum_jerk(share: float) -> float:
    """Course from 0 to 1 of a movement to a new place, by its share of time (0 to 1).

    T. Flash and N. Hogan, "The coordination of arm movements: an experimentally confirmed mathematical model",
    J. Neuroscience 5(7), 1985, equation 3; it describes head turns well, and saccades up to their small overshoot.
    """
    t = min(max(share, 0.0), 1.0)
    return t * t * t * (10 - 15 * t + 6 * t * t)


def hump(share: float) -> float:
    """Return the raised cosine that is 0 at both ends of its time (shares 0 and 1), 1 in the middle."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * share) if 0 < share < 1 else 0.0


@dataclass(frozen=True, slots=True)
class Saccade:
    """A jump of the eyes to a new direction, in which they stay until the next one.

    Attributes
    ----------
    start_s
        Instant at which the eyes begin to move.
    duration_s
        30 to 80 ms, longer for wider jumps (A. T. Bahill et al., "The main sequence", Math. Biosciences 24, 1975).
    across, down
        New place of the iris in the picture, percent of the inter-ocular distance from where it is in the portrait;
        across is towards the person's left. 1 % is 4 to 5 degrees.
    """

    start_s: float
    duration_s: float
    across: float
    down: float


@dataclass(frozen=True, slots=True)
class HeadTurn:
    """A turn of the head out of the picture plane and back; a nod is one of pitch without a hold.

    Attributes
    ----------
    start_s
        Begin.
    duration_s
        Of the way out, and of the way back.
    hold_s
        Between the two.
    yaw_deg, pitch_deg
        Positive towards the person's left, and downwards.
    """

    start_s: float
    duration_s: float
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    hold_s: float = 0.0

    @property
    def end_s(self) -> float:
        """Instant at which the head is back."""
        return self.start_s + 2 * self.duration_s + self.hold_s

    def strength(self, time_s: float) -> float:
        """Share of the whole turn at an instant."""
        out = minimum_jerk((time_s - self.start_s) / self.duration_s)
        return out - minimum_jerk((time_s - self.end_s + self.duration_s) / self.duration_s)


@dataclass(frozen=True, slots=True)
class Syllable:
    """One opening of the mouth: when, how wide the jaw (0 to 1), how far the lips spread (1) or round (-1)."""

    start_s: float
    duration_s: float
    jaw: float
    spread: float


@dataclass(frozen=True, slots=True)
class Speech:
    """A bout of speech.

    Attributes
    ----------
    syllables
        In order of time; neighbours may overlap a little, as in speech.
    percent_iod
        Largest displacement at a jaw of 1, percent of the inter-ocular distance.
    """

    syllables: tuple[Syllable, ...]
    percent_iod: float

    def mouth(self, time_s: float) -> tuple[float, float]:
        """Return the opening of the jaw and spread of the lips at an instant, percent of the inter-ocular distance."""
        jaw = spread = 0.0
        for s in self.syllables:
            strength = hump((time_s - s.start_s) / s.duration_s)
            jaw += s.jaw * strength
            spread += s.spread * strength
        return jaw * self.percent_iod, spread * self.percent_iod

    @property
    def span_s(self) -> tuple[float, float]:
        """First and last instant of movement."""
        return self.syllables[0].start_s, max(s.start_s + s.duration_s for s in self.syllables)


@dataclass(frozen=True, slots=True)
class Swallow:
    """A swallow: larynx and floor of the mouth rise, chin and lower lip go along a little.

    Attributes
    ----------
    start_s, duration_s
        When.
    percent_iod
        How far the chin rises; the throat rises `LARYNX` times as far.
    """

    start_s: float
    duration_s: float
    percent_iod: float


LARYNX = 4.0
"""Rise of the throat against that of the chin: the larynx rises by 2 cm, the skin before it by a good part of that."""


@dataclass(frozen=True, slots=True)
class FocusHunt:
    """The autofocus goes out of focus and back; with most lenses the picture grows a little meanwhile ("breathing").

    Attributes
    ----------
    start_s, duration_s
        When.
    scale_percent
        Growth of the whole picture at the worst moment.
    blur_percent_iod
        Standard deviation of the blur at that moment, percent of the inter-ocular distance.
    """

    start_s: float
    duration_s: float
    scale_percent: float
    blur_percent_iod: float


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which something disturbs: kind, first and last instant in seconds of the scene."""

    kind: str
    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class Disturbances:
    """All that disturbs one clip.

    Attributes
    ----------
    saccades, turns, speech, swallows, focus
        In order of time.
    repeated
        Frames that show the frame before once more, at their own time.
    dropped
        Frames that are missing in the film, which leaves a gap between the times of their neighbours.
    """

    saccades: tuple[Saccade, ...] = ()
    turns: tuple[HeadTurn, ...] = ()
    speech: tuple[Speech, ...] = ()
    swallows: tuple[Swallow, ...] = ()
    focus: tuple[FocusHunt, ...] = ()
    repeated: frozenset[int] = frozenset()
    dropped: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        starts = [s.start_s for s in self.saccades]
        if starts != sorted(starts):
            raise SettingsError("saccades in order of time", "others", "Sort them by start_s.")
        if 0 in self.repeated or 0 in self.dropped:
            raise SettingsError("repeated and dropped frames from 1 on", "frame 0", "Leave the first frame alone.")

    def gaze(self, time_s: float) -> tuple[float, float]:
        """Place of the iris at an instant: across and down, percent of the inter-ocular distance."""
        place = bisect.bisect_right([s.start_s for s in self.saccades], time_s)
        if place == 0:
            return 0.0, 0.0
        now = self.saccades[place - 1]
        before = self.saccades[place - 2] if place > 1 else None
        start = (before.across, before.down) if before else (0.0, 0.0)
        share = minimum_jerk((time_s - now.start_s) / now.duration_s)
        return start[0] + share * (now.across - start[0]), start[1] + share * (now.down - start[1])

    def turn_deg(self, time_s: float) -> tuple[float, float]:
        """Yaw and pitch in degrees that the turns add to the head's own walk."""
        strengths = [t.strength(time_s) for t in self.turns]
        return (
            sum(s * t.yaw_deg for s, t in zip(strengths, self.turns, strict=True)),
            sum(s * t.pitch_deg for s, t in zip(strengths, self.turns, strict=True)),
        )

    def mouth(self, time_s: float) -> tuple[float, float]:
        """Return the opening of the jaw and spread of the lips by speech, in percent of the inter-ocular distance."""
        bouts = [bout.mouth(time_s) for bout in self.speech]
        return sum(b[0] for b in bouts), sum(b[1] for b in bouts)

    def swallow(self, time_s: float) -> float:
        """Rise of the chin by swallowing, percent of the inter-ocular distance."""
        return sum(s.percent_iod * hump((time_s - s.start_s) / s.duration_s) for s in self.swallows)

    def lens(self, time_s: float) -> tuple[float, float]:
        """Scale of the whole picture, and standard deviation of its blur in percent of the inter-ocular distance."""
        strengths = [hump((time_s - f.start_s) / f.duration_s) for f in self.focus]
        scale = 1 + sum(s * f.scale_percent / 100 for s, f in zip(strengths, self.focus, strict=True))
        return scale, sum(s * f.blur_percent_iod for s, f in zip(strengths, self.focus, strict=True))

    def shown(self, index: int) -> int:
        """Frame whose picture is seen at a frame: itself, or the last one before it that is no repetition."""
        while index in self.repeated:
            index -= 1
        return index

    def kept(self, count: int) -> list[int]:
        """Frames of ``count`` that are in the film."""
        return [i for i in range(count) if i not in self.dropped]

    def spans(self, fps: float) -> list[Span]:
        """Everything that disturbs, with its time, in order of begin."""
        found = [Span("gaze", s.start_s, s.start_s + s.duration_s) for s in self.saccades]
        found += [Span("nod" if t.yaw_deg == 0 else "head turn", t.start_s, t.end_s) for t in self.turns]
        found += [Span("speech", *bout.span_s) for bout in self.speech]
        found += [Span("swallow", s.start_s, s.start_s + s.duration_s) for s in self.swallows]
        found += [Span("focus", f.start_s, f.start_s + f.duration_s) for f in self.focus]
        found += [Span("repeated frame", (i - 1) / fps, (i + 1) / fps) for i in self.repeated]
        found += [Span("dropped frame", (i - 1) / fps, (i + 1) / fps) for i in self.dropped]
        return sorted(found, key=lambda s: (s.first_s, s.last_s, s.kind))


NO_DISTURBANCES = Disturbances()


def draw_speech(rng: np.random.Generator, *, start_s: float, seconds: float, percent_iod: float) -> Speech:
    """Draw a bout of irregular syllables, 3 to 6 a second, with short pauses between words.

    Parameters
    ----------
    rng
        Source of chance.
    start_s, seconds
        When, and for how long.
    percent_iod
        See `Speech`.
    """
    syllables: list[Syllable] = []
    now, end = start_s, start_s + seconds
    while True:
        duration = 1 / float(rng.uniform(3.0, 6.0))
        if now + duration > end and syllables:
            break
        rounded = rng.random() < 0.5
        spread = float(rng.uniform(0.15, 0.5)) * (-1 if rounded else 1)
        syllables.append(Syllable(now, duration, float(rng.uniform(0.25, 1.0)), spread))
        now += duration * float(rng.uniform(0.8, 1.0))
        if rng.random() < 0.15:
            now += float(rng.uniform(0.05, 0.25))
    return Speech(tuple(syllables), percent_iod)
