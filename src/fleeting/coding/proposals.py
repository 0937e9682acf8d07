"""The machine's proposals before a coder: accepted, corrected, refused or still open, and which of them are new.

Proposals of two analyses are the same where they are of one face and kind and match by IoU (`matching`): a decision on
the former one holds for the later one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from fleeting.coding.checks import scheme_of
from fleeting.coding.films import new_id
from fleeting.coding.log import CodingLog
from fleeting.coding.matching import match
from fleeting.records import CodedEvent, Event

Status = Literal["accepted", "corrected", "refused", "open", "new"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal of the analysis of today.

    Attributes
    ----------
    event
        What the machine says.
    status
        What the coder has made of it; ``new`` where no earlier analysis that the coder has seen proposed it.
    decision
        The coder's event, or the record that it was refused; None where it is open or new.
    """

    event: Event
    status: Status
    decision: CodedEvent | None = None


def accepted(proposal: Event) -> CodedEvent:
    """Return a proposal as the coder's own event, to be put into the log as it is or corrected."""
    return CodedEvent(
        **_said(proposal), id=new_id(), scheme=scheme_of(proposal.emotion), origin="machine", proposal=proposal
    )


def refused(proposal: Event) -> CodedEvent:
    """Return the record that a proposal is no event."""
    return CodedEvent(
        **_said(proposal),
        id=new_id(),
        scheme=scheme_of(proposal.emotion),
        origin="machine",
        proposal=proposal,
        refused=True,
    )


def _said(proposal: Event) -> dict[str, Any]:
    """Return what a proposal says, its units in the text form of coders."""
    values = {f.name: getattr(proposal, f.name) for f in fields(Event)}
    return {**values, "action_units": proposal.action_units_text}


def proposals(log: CodingLog) -> tuple[Proposal, ...]:
    """Return the machine's proposals of today, in order of onset, with what the coder has made of them."""
    today = log.film.timeline.events
    decided = [item for item in log.items if item.proposal is not None]
    former = [item.proposal for item in decided if item.proposal is not None]
    decision = {i: decided[j] for i, j in match(today, former)}
    known = log.proposals or today
    seen = {i for i, _ in match(today, known)}
    return tuple(_proposal(event, decision.get(i), i in seen) for i, event in enumerate(today))


def gone(log: CodingLog) -> tuple[CodedEvent, ...]:
    """Return the coder's decisions on proposals that the analysis of today no longer makes."""
    decided = [item for item in log.items if item.proposal is not None]
    former: Sequence[Event] = [item.proposal for item in decided if item.proposal is not None]
    still = {j for _, j in match(log.film.timeline.events, former)}
    return tuple(item for j, item in enumerate(decided) if j not in still)


def _proposal(event: Event, decision: CodedEvent | None, seen: bool) -> Proposal:
    if decision is None:
        return Proposal(event, "open" if seen else "new")
    if decision.refused:
        return Proposal(event, "refused", decision)
    return Proposal(event, "accepted" if decision.origin == "machine" else "corrected", decision)
