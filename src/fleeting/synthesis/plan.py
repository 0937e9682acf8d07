"""Drawing a plan: which movements a clip gets, and when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from fleeting.errors import SettingsError
from fleeting.records import EventKind
from fleeting.synthesis.face import emotions, profile
from fleeting.synthesis.face.action_units import Activation, Side
from fleeting.synthesis.face.movement import Movement

PlanKind = Literal["micro", "macro", "mixed"]
PLAN_KINDS: tuple[str, ...] = get_args(PlanKind)

PERCENT: dict[str, tuple[float, float]] = {"micro": (0.8, 4.0), "macro": (3.0, 6.0)}
"""Range of the peak displacement that is drawn, percent of the inter-ocular distance, where none is asked for."""

_SINGLE = ("AU01", "AU02", "AU04", "AU06", "AU07", "AU09", "AU10", "AU12", "AU14", "AU15", "AU20", "AU23")
SINGLE_UNITS: tuple[str, ...] = _SINGLE
"""Units that tell something alone. A raised or drooping upper lid alone (AU05, AU43) is what a look up or down does
too, a raised chin (AU17) what swallowing does, parted lips and a dropped jaw (AU25, AU26) what a syllable does."""


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What a clip is to contain.

    Attributes
    ----------
    events
        Number of expressions.
    kind
        ``micro``, ``macro``, or ``mixed``: of every four expressions, and of the last two or three, one is macro.
    percent
        Lowest and highest peak displacement, percent of the inter-ocular distance, drawn evenly on a logarithmic
        scale; None takes `PERCENT` of the kind.
    evenly
        Draw the peaks evenly on a linear scale instead.
    macro_percent
        The same for macro-expressions; None takes ``percent``.
    micro_s, macro_s
        Shortest and longest duration of each, onset to offset in seconds.
    emotions
        Words of `emotions.EMOTION_ACTION_UNITS` to draw from.
    one_sided
        Probability that an emotion which may show on both sides shows on one.
    single_units
        Probability that an expression is one action unit of `SINGLE_UNITS` instead of those of an emotion.
    blinks_per_minute
        People at rest blink 10 to 20 times a minute.
    odd_blinks
        Share of the blinks that are half ones or come in pairs.
    gap_s
        Least time between two movements, and before the first and after the last.
    """

    events: int = 4
    kind: PlanKind = "micro"
    percent: tuple[float, float] | None = None
    evenly: bool = False
    emotions: tuple[str, ...] = tuple(emotions.EMOTION_ACTION_UNITS)
    macro_percent: tuple[float, float] | None = None
    micro_s: tuple[float, float] = profile.DURATION_S["micro"]
    macro_s: tuple[float, float] = profile.DURATION_S["macro"]
    one_sided: float = 0.2
    single_units: float = 0.0
    blinks_per_minute: float = 12.0
    odd_blinks: float = 0.0
    gap_s: float = 0.4

    def __post_init__(self) -> None:
        if self.events < 0:
            raise SettingsError("0 or more events", f"{self.events}", "Correct the number.")
        if self.kind not in PLAN_KINDS:
            raise SettingsError(f"a kind of {', '.join(PLAN_KINDS)}", f"'{self.kind}'", "Correct the kind.")
        for percent in (self.percent, self.macro_percent):
            if percent is not None and not 0 < percent[0] <= percent[1]:
                raise SettingsError("0 < lowest <= highest percent", f"{percent}", "Correct the range.")
        for duration in (self.micro_s, self.macro_s):
            if not 0 < duration[0] <= duration[1]:
                raise SettingsError("0 < shortest <= longest duration", f"{duration} s", "Correct the range.")
        if not 0 <= self.blinks_per_minute <= 60:
            raise SettingsError("0 to 60 blinks per minute", f"{self.blinks_per_minute:g}", "Correct the rate.")
        if not self.emotions:
            raise SettingsError("at least one emotion", "none", "Name one.")
        for word in self.emotions:
            if word not in emotions.EMOTION_ACTION_UNITS:
                known = ", ".join(emotions.EMOTION_ACTION_UNITS)
                raise SettingsError(f"emotions of {known}", f"'{word}'", "Correct the word.")


def plan(settings: PlanSettings, *, seconds: float, seed: int) -> tuple[Movement, ...]:
    """Draw the movements of a clip, in order of onset; no two overlap.

    Parameters
    ----------
    settings
        What to draw.
    seconds
        Length of the clip.
    seed
        Same seed, same plan.

    Raises
    ------
    SettingsError
        Where the clip is too short for so many expressions.
    """
    rng = np.random.default_rng([seed, 3])
    drafts = [_expression(settings, rng, index) for index in range(settings.events)]
    drafts = [drafts[i] for i in rng.permutation(len(drafts))]
    lengths = np.array([m.profile.last_s - m.profile.first_s for m in drafts])
    spare = seconds - lengths.sum() - settings.gap_s * (len(drafts) + 1)
    if spare < 0:
        raise SettingsError(
            f"a clip long enough for {settings.events} events of kind {settings.kind}",
            f"{seconds:g} s",
            f"Make it at least {np.ceil(seconds - spare):g} s long, or ask for fewer events.",
        )
    # Random shares of the spare time go before, between and after the expressions.
    shares = rng.dirichlet(np.ones(len(drafts) + 1)) * spare
    movements = []
    now = 0.0
    for movement, share, length in zip(drafts, shares, lengths, strict=False):
        now += settings.gap_s + share
        movements.append(_moved(movement, now - movement.profile.first_s))
        now += length
    blinks = _blinks(movements, settings, seconds=seconds, rng=rng)
    return tuple(sorted([*movements, *blinks], key=lambda m: m.profile.onset_s))


def _expression(settings: PlanSettings, rng: np.random.Generator, index: int) -> Movement:
    last_of_few = index == settings.events - 1 and index % 4 > 0
    mixed_in = settings.kind == "mixed" and (index % 4 == 3 or last_of_few)
    kind: EventKind = "macro" if settings.kind == "macro" or mixed_in else "micro"
    emotion = settings.emotions[int(rng.integers(len(settings.emotions)))]
    activations, side = emotions.draw(emotion, rng, one_sided=settings.one_sided)
    if settings.single_units and rng.random() < settings.single_units:
        unit = SINGLE_UNITS[int(rng.integers(len(SINGLE_UNITS)))]
        sides: tuple[Side, ...] = ("left", "right")
        side = sides[int(rng.integers(2))] if rng.random() < settings.one_sided else "both"
        emotion, activations = "", (Activation(unit, side),)
    wanted = settings.macro_percent or settings.percent if kind == "macro" else settings.percent
    low, high = wanted or PERCENT[kind]
    drawn = float(rng.random())
    percent = low + drawn * (high - low) if settings.evenly else low * (high / low) ** drawn
    range_s = settings.macro_s if kind == "macro" else settings.micro_s
    return Movement(kind, profile.draw(kind, rng, onset_s=0.0, range_s=range_s), activations, percent, emotion, side)


def _moved(movement: Movement, by_s: float) -> Movement:
    p = movement.profile
    later = profile.Profile(p.onset_s + by_s, p.apex_s + by_s, p.offset_s + by_s, p.hold_s)
    return replace(movement, profile=later)


def _blinks(
    movements: list[Movement], settings: PlanSettings, *, seconds: float, rng: np.random.Generator
) -> list[Movement]:
    """Blinks at random times that leave the expressions and each other alone; fewer where there is no room."""
    taken = [(m.profile.first_s, m.profile.last_s) for m in movements]
    blinks = []
    for _ in range(round(settings.blinks_per_minute * seconds / 60)):
        for _ in range(50):
            drawn = [Movement("blink", profile.draw("blink", rng, onset_s=float(rng.uniform(0, seconds))))]
            if settings.odd_blinks and rng.random() < settings.odd_blinks:
                drawn = _odd_blink(drawn[0], rng)
            first, last = drawn[0].profile.first_s, drawn[-1].profile.last_s
            room = settings.gap_s / 2
            free = all(last + room <= start or first - room >= end for start, end in taken)
            if free and first >= room and last <= seconds - room:
                blinks += drawn
                taken.append((first, last))
                break
    return blinks


def _odd_blink(blink: Movement, rng: np.random.Generator) -> list[Movement]:
    """Half a blink, or two blinks within half a second or so."""
    if rng.random() < 0.5:
        return [replace(blink, closure=float(rng.uniform(0.3, 0.7)))]
    between = float(rng.uniform(0.03, 0.2))
    return [blink, _moved(blink, blink.profile.last_s - blink.profile.first_s + between)]
