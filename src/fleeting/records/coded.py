"""An event as a coder has set it, and a stretch that cannot be coded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from fleeting.records.events import EVENT_KINDS, Event, EventKind, Interval

UNCODABLE: EventKind = "uncodable"
"""Kind of a stretch in which a coder could see nothing: a hand before the face, a blurred picture."""

CODED_KINDS: tuple[EventKind, ...] = (*EVENT_KINDS, UNCODABLE)

Origin = Literal["machine", "person", "corrected"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)

CERTAINTIES: tuple[str, ...] = ("certain", "likely", "doubtful")
"""How sure the coder is; empty where nothing was said."""


@dataclass(frozen=True, slots=True)
class CodedEvent(Event):
    """What a coder says of a movement. An `Event`, so all that shows or writes events takes it.

    Attributes
    ----------
    kind
        Of `CODED_KINDS`. An ``uncodable`` stretch has no apex; its `face` is the one that cannot be coded.
    emotion, scheme
        A class of the scheme of that name (`labels.Scheme.name`), or ``unsure``; any word where `scheme` is empty.
    action_units
        Joined by ``+``, each with its side and intensity: ``AU06C+LAU12B``.
    certainty
        Of `CERTAINTIES`, or empty.
    note
        Free text.
    apex_known
        False where the coder set no apex; `apex_frame` then repeats the onset.
    id
        Of the event, the same through all its corrections.
    coder, changed
        Who set it last, and when (ISO 8601, UTC).
    origin
        ``machine`` (a proposal that was accepted as it is), ``corrected`` (one that was changed) or ``person``.
    proposal
        The machine's proposal, as it was; None where a person added the event.
    refused
        Whether the coder says that `proposal` is no event. Such a record is no event of the coder.
    """

    action_units: str = ""  # type: ignore[assignment]  # as coders write them, with intensity
    scheme: str = ""
    certainty: str = ""
    note: str = ""
    apex_known: bool = True
    id: str = ""
    coder: str = ""
    changed: str = ""
    origin: Origin = "person"
    proposal: Event | None = None
    refused: bool = False

    def __post_init__(self) -> None:
        if self.kind not in CODED_KINDS:
            raise ValueError(f"Expected a kind of {', '.join(CODED_KINDS)}; got {self.kind!r}.")
        if self.origin not in ORIGINS:
            raise ValueError(f"Expected an origin of {', '.join(ORIGINS)}; got {self.origin!r}.")
        if self.certainty not in ("", *CERTAINTIES):
            raise ValueError(f"Expected a certainty of {', '.join(CERTAINTIES)}; got {self.certainty!r}.")
        if self.face < 0 or not 0 <= self.onset_frame <= self.apex_frame <= self.offset_frame:
            raise ValueError(
                "Expected a face from 0 and 0 <= onset <= apex <= offset; "
                f"got face {self.face}, {self.onset_frame}, {self.apex_frame}, {self.offset_frame}."
            )
        if self.refused and self.proposal is None:
            raise ValueError("Expected the proposal that was refused; got none.")

    @property
    def action_units_text(self) -> str:
        """`action_units`, which are text already."""
        return self.action_units

    @property
    def action_unit_probabilities(self) -> tuple[float, ...]:
        """Nothing: a coder says how sure they are by `certainty`."""
        return ()


def is_hidden(face: int, frames: Interval, spans: Iterable[Event]) -> bool:
    """Whether more than half of some frames of a face lie in stretches that cannot be coded."""
    there = {
        frame
        for span in spans
        if span.face == face
        for frame in range(max(span.onset_frame, frames.onset), min(span.offset_frame, frames.offset) + 1)
    }
    return 2 * len(there) > len(frames)


CODED_COLUMNS: tuple[str, ...] = (
    "action_units",
    "scheme",
    "certainty",
    "note",
    "origin",
    "coder",
    "changed",
    "id",
)
"""What tables say of coded events beyond `EVENT_COLUMNS`."""
