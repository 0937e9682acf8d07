"""Movements of a face: intervals of frames, and events."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

EventKind = Literal["micro", "macro", "blink", "wink", "uncodable"]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)[:4]
"""What an analysis finds; ``uncodable`` is for people alone (`records.coded`)."""

LID_KINDS: tuple[str, ...] = ("blink", "wink")
"""Kinds that are no expressions: eyes that close and open again."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Frames from ``onset`` to ``offset``, both included."""

    onset: int
    offset: int

    def __post_init__(self) -> None:
        if not 0 <= self.onset <= self.offset:
            raise ValueError(f"Expected 0 <= onset <= offset; got onset {self.onset}, offset {self.offset}.")

    def __len__(self) -> int:
        return self.offset - self.onset + 1

    def iou(self, other: Interval) -> float:
        """Intersection over union with another interval, in frames, both ends included."""
        shared = min(self.offset, other.offset) - max(self.onset, other.onset) + 1
        return max(shared, 0) / (len(self) + len(other) - max(shared, 0))


@dataclass(frozen=True, slots=True)
class SystemAnswer:
    """What one of several systems says of an event.

    Attributes
    ----------
    system
        Its name.
    emotion, probability
        Its class (``unsure`` where no class is probable enough), and the probability of its best class.
    probabilities
        Of every class of this system.
    """

    system: str
    emotion: str
    probability: float
    probabilities: dict[str, float]


UnitSide = Literal["left", "right", "both"]
UNIT_SIDES: tuple[UnitSide, ...] = get_args(UnitSide)


@dataclass(frozen=True, slots=True)
class UnitAnswer:
    """One action unit of the Facial Action Coding System that moved.

    Attributes
    ----------
    unit
        ``AU12``: always two digits.
    side
        The person's own ``left`` or ``right``, or ``both``.
    probability
        Calibrated probability that the unit moved, on whichever side.
    """

    unit: str
    side: UnitSide
    probability: float

    def __post_init__(self) -> None:
        if self.side not in UNIT_SIDES:
            raise ValueError(f"Expected a side of {UNIT_SIDES}; got {self.side!r}.")

    def __str__(self) -> str:
        """``LAU12``, ``RAU12`` or ``AU12``, as manifests write it."""
        return {"left": "L", "right": "R", "both": ""}[self.side] + self.unit


@dataclass(frozen=True, slots=True)
class Event:
    """One facial movement, with its onset, apex and offset.

    Attributes
    ----------
    face
        Id of the `FaceTrack` that shows it.
    kind
        ``micro`` (spotted ones last at most ``SpottingSettings.max_micro_s``, half a second), ``macro`` (longer),
        ``blink`` (of both eyes) or ``wink`` (of one, which `regions` names).
    onset_frame, apex_frame, offset_frame
        Frames; `onset_s`, `apex_s`, `offset_s` the same in seconds.
    regions
        Regions (`REGIONS`) that moved, the strongest first.
    displacement_percent_iod
        Largest value in the apex frame of the curves (`Signals.motion`) of `regions`, in percent of the inter-ocular
        distance; NaN if it was not measured.
    confidence
        In 0..1. micro: the judge's probability that it is one; macro: how far it stands out of this recording's own
        noise; blink and wink: the probability that it is one. Not the probability of an emotion.
    emotion, probability
        Recognised class (``unsure`` if no class is probable enough) and the calibrated probability of the most probable
        class; None if no recogniser was run (blinks, winks).
    probabilities
        Probability of every class of the recogniser.
    systems
        Where several systems were asked, what each of them says; the first one's answer is `emotion` (of a
        macro-expression only where no expression came over the whole face with it, or it was not read).
    surroundings
        Mean probability of every class of `labels.SEVEN_CLASSES` over the face just before and after the event; empty
        where the whole face was not read.
    contradicts
        Whether a micro-expression says the opposite of the face around it (`naming.whole_face.contradiction`).
    speaking
        Whether the face speaks in most of its frames (`spotting.speaking`).
    action_units
        Units that moved, the most probable first (`naming.action_units`); empty where none is probable enough, and for
        blinks and winks.
    """

    face: int
    kind: EventKind
    onset_frame: int
    apex_frame: int
    offset_frame: int
    onset_s: float
    apex_s: float
    offset_s: float
    regions: tuple[str, ...] = ()
    displacement_percent_iod: float = math.nan
    confidence: float = math.nan
    emotion: str | None = None
    probability: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    systems: tuple[SystemAnswer, ...] = ()
    surroundings: dict[str, float] = field(default_factory=dict)
    contradicts: bool = False
    speaking: bool = False
    action_units: tuple[UnitAnswer, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in EVENT_KINDS:
            raise ValueError(f"Expected an event kind of {EVENT_KINDS}; got {self.kind!r}.")
        if not 0 <= self.onset_frame <= self.apex_frame <= self.offset_frame:
            raise ValueError(
                "Expected 0 <= onset <= apex <= offset; "
                f"got {self.onset_frame}, {self.apex_frame}, {self.offset_frame}."
            )

    @property
    def interval(self) -> Interval:
        """The frames of the event."""
        return Interval(self.onset_frame, self.offset_frame)

    @property
    def duration_s(self) -> float:
        """Seconds from the onset frame to the offset frame, without the rounding of timestamps."""
        return round(self.offset_s - self.onset_s, 9)

    @property
    def action_units_text(self) -> str:
        """`action_units` as coders write them: ``LAU12+AU06``."""
        return "+".join(map(str, self.action_units))

    @property
    def action_unit_probabilities(self) -> tuple[float, ...]:
        """Probability of each of `action_units`, in their order."""
        return tuple(unit.probability for unit in self.action_units)

    @property
    def surrounding(self) -> str | None:
        """Most probable expression of the face around the event; None where the whole face was not read."""
        return max(self.surroundings, key=self.surroundings.__getitem__) if self.surroundings else None

    @property
    def surrounding_probability(self) -> float | None:
        """Mean probability of `surrounding`."""
        return max(self.surroundings.values()) if self.surroundings else None
