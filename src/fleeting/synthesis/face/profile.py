"""How a movement grows and fades.

The profile is a raised cosine up to the apex, an optional hold, and a raised cosine down, in continuous time, so that
the same movement can be filmed at any frame rate. Convention for the truth: the onset frame is the first frame at which
the displacement is at least `START` of its peak, the offset frame the last one; the apex frame is the first frame with
the largest displacement. The times of a profile are the instants at which the displacement passes `START`; a little
movement lies before and after, below what a coder could see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fleeting.errors import SettingsError
from fleeting.records import LID_KINDS, EventKind

START = 0.05
"""Share of the peak displacement at which a movement starts and ends."""

DURATION_S: dict[str, tuple[float, float]] = {
    "micro": (0.2, 0.5),
    "macro": (0.8, 3.0),
    "blink": (0.1, 0.4),
    "wink": (0.15, 0.6),
}
"""Shortest and longest duration, onset to offset in seconds, that is drawn for each kind. Micro: W.-J. Yan et al., "How
fast are the leaked facial expressions", J. Nonverbal Behavior 37, 2013 (at most 0.5 s in total). Macro: 0.5 to 4 s in
D. Matsumoto and H. S. Hwang, "Evidence for training the ability to read microexpressions of emotion", Motivation and
Emotion 35, 2011; kept clear of the border. Blink: 0.1 to 0.4 s, H. R. Schiffman, "Sensation and Perception", 2001; a
wink, which is meant, may last longer."""

_SKIRT = math.acos(1 - 2 * START) / math.pi


@dataclass(frozen=True, slots=True)
class Profile:
    """Strength of a movement over time, 0 to 1.

    Attributes
    ----------
    onset_s, offset_s
        Instants in seconds at which the strength passes `START` upwards and downwards.
    apex_s
        Instant at which it reaches 1.
    hold_s
        Seconds for which it stays there.
    """

    onset_s: float
    apex_s: float
    offset_s: float
    hold_s: float = 0.0

    def __post_init__(self) -> None:
        if not (self.onset_s < self.apex_s <= self.apex_s + self.hold_s < self.offset_s):
            raise SettingsError(
                "onset < apex <= end of the hold < offset",
                f"{self.onset_s:g}, {self.apex_s:g}, {self.apex_s + self.hold_s:g}, {self.offset_s:g} s",
                "Order the times.",
            )

    @property
    def first_s(self) -> float:
        """Instant from which there is any movement."""
        return (self.onset_s - _SKIRT * self.apex_s) / (1 - _SKIRT)

    @property
    def last_s(self) -> float:
        """Instant up to which there is any movement."""
        return (self.offset_s - _SKIRT * (self.apex_s + self.hold_s)) / (1 - _SKIRT)

    def __call__(self, time_s: float) -> float:
        """Strength at an instant."""
        if time_s < self.apex_s:
            share = (time_s - self.first_s) / (self.apex_s - self.first_s)
        elif time_s <= self.apex_s + self.hold_s:
            share = 1.0
        else:
            share = (self.last_s - time_s) / (self.last_s - self.apex_s - self.hold_s)
        return 0.5 - 0.5 * math.cos(math.pi * min(max(share, 0.0), 1.0))

    def frames(self, fps: float) -> tuple[int, int, int]:
        """Onset, apex and offset frame (both ends included) of a film that starts at 0 s.

        Raises
        ------
        SettingsError
            Where no frame falls into the movement.
        """
        # A frame that falls on the instant itself belongs to the movement; 1e-9 s undoes rounding of n / fps.
        first = max(math.ceil((self.onset_s - 1e-9) * fps), 0)
        last = math.floor((self.offset_s + 1e-9) * fps)
        if first > last:
            raise SettingsError(
                "a frame rate that catches the movement",
                f"{fps:g} frames/s for {self.offset_s - self.onset_s:.3f} s",
                "Raise the frame rate or lengthen the event.",
            )
        strengths = [self(i / fps) for i in range(first, last + 1)]
        return first, first + int(np.argmax(strengths)), last


def draw(
    kind: EventKind,
    rng: np.random.Generator,
    *,
    onset_s: float,
    longest_s: float = math.inf,
    range_s: tuple[float, float] | None = None,
) -> Profile:
    """Draw a profile of a kind of event.

    Parameters
    ----------
    kind
        Sets the range of durations (`DURATION_S`).
    rng
        Source of chance.
    onset_s
        Instant of the onset in seconds.
    longest_s
        Upper bound of the duration, where it is below that of the kind.
    range_s
        Shortest and longest duration in seconds, instead of the kind's own.
    """
    low, high = range_s or DURATION_S[kind]
    duration = float(rng.uniform(low, max(min(high, longest_s), low)))
    hold = float(rng.uniform(0, 0.35)) * duration if kind == "macro" else 0.0
    # Movements rise faster than they fade; lids most of all.
    rise = float(rng.uniform(0.25, 0.42) if kind in LID_KINDS else rng.uniform(0.3, 0.5)) * (duration - hold)
    return Profile(onset_s, onset_s + rise, onset_s + duration, hold)
