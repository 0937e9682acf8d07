"""How the micro-expressions that are put on top of films come and go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleeting.synthesis.face.profile import Profile

RANGE_S = (0.1, 0.5)
RISE = (0.22, 0.6)
"""Share of the movement, without its plateau, in which it rises."""

MOST_HOLD = 0.4
STAYS = 0.35
"""Share of the movements that end off the rest that they began at."""

MOST_LEFT = 0.45
"""They end at this share of the peak at most; what is further from rest has not come back."""

SETTLES_S = (0.6, 4.0)
"""The rest of the way takes so long, if it is gone at all."""


@dataclass(frozen=True, slots=True)
class Course:
    """Strength of a movement over time: a profile that ends at a share `left` of its peak, from where it settles.

    The offset is where the fast return ends.
    """

    profile: Profile
    left: float = 0.0
    settles_s: float = np.inf

    @property
    def times(self) -> tuple[float, float, float]:
        """Onset, apex and offset in seconds."""
        return self.profile.onset_s, self.profile.apex_s, self.profile.offset_s

    def __call__(self, time_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(n,) strengths at (n,) instants."""
        strength = np.array([self.profile(float(t)) for t in time_s])
        if self.left <= 0:
            return strength
        after = time_s > self.profile.apex_s
        rest = self.left * np.clip(1 - (time_s - self.profile.offset_s) / self.settles_s, 0, 1)
        return np.where(after, rest + (1 - self.left) * strength, strength)


def draw_course(rng: np.random.Generator, *, onset_s: float) -> Course:
    """Draw a course: slow or fast to rise, with or without a plateau, back to rest or not wholly."""
    duration = float(rng.uniform(*RANGE_S))
    hold = float(rng.uniform(0, MOST_HOLD)) * duration if rng.random() < 0.5 else 0.0
    rise = float(rng.uniform(*RISE)) * (duration - hold)
    profile = Profile(onset_s, onset_s + rise, onset_s + duration, hold)
    if rng.random() >= STAYS:
        return Course(profile)
    settles = np.inf if rng.random() < 0.4 else float(rng.uniform(*SETTLES_S))
    return Course(profile, float(rng.uniform(0.05, MOST_LEFT)), settles)
