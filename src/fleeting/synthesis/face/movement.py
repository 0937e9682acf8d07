"""The record of one facial movement that is to be drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fleeting.errors import SettingsError
from fleeting.records import EVENT_KINDS, LID_KINDS, EventKind
from fleeting.synthesis.face.action_units import Activation, Side
from fleeting.synthesis.face.profile import Profile


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement: what, how large, when.

    Attributes
    ----------
    kind
        ``micro``, ``macro``, ``blink`` or ``wink``. A blink closes both eyes, a wink the one of its side; both have no
        activations.
    profile
        Its course over time.
    activations
        Its action units.
    peak_percent_iod
        Largest displacement of the skin at the apex, percent of the inter-ocular distance. Of a blink or wink it
        follows from the opening of the eyes, and NaN stands here.
    emotion
        Word of the truth file; empty where none is meant.
    side
        The person's own side, for the truth file; of a wink the eye.
    closure
        Share of the eyes' opening by which a blink or wink closes them: 1 fully, 0.5 half a blink.
    """

    kind: EventKind
    profile: Profile
    activations: tuple[Activation, ...] = ()
    peak_percent_iod: float = math.nan
    emotion: str = ""
    side: Side = "both"
    closure: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in EVENT_KINDS:
            raise SettingsError(f"a kind of {', '.join(EVENT_KINDS)}", f"'{self.kind}'", "Correct the kind.")
        if (self.kind in LID_KINDS) == bool(self.activations):
            raise SettingsError(
                "action units for an expression, and none for a blink or wink",
                f"{len(self.activations)} for a {self.kind}",
                "Give Movement(activations=...) for expressions only.",
            )
        if self.kind == "wink" and self.side == "both":
            raise SettingsError("one eye for a wink", "both", "Give Movement(side='left') or 'right'.")
        if not 0 < self.closure <= 1:
            raise SettingsError("a closure above 0, and 1 at most", f"{self.closure}", "Give Movement(closure=1).")
        if self.kind not in LID_KINDS and not 0 <= self.peak_percent_iod < math.inf:
            raise SettingsError("a peak of 0 or more percent", f"{self.peak_percent_iod}", "Give peak_percent_iod.")

    @property
    def action_units(self) -> str:
        """Names joined by "+" in FACS order, as the truth file has them; AU45 for a blink, AU46 for a wink."""
        alone = "AU46" if self.kind == "wink" else "AU45"
        return "+".join(sorted(a.unit for a in self.activations)) or alone
