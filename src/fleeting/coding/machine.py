"""How good is the machine on my films? What a coder accepted, corrected, refused and added says.

Conventions
-----------
- A proposal is right where the coder kept it as an event of the same kind that matches it (IoU of at least
  `matching.IOU`), corrected or not. One that was refused, or corrected beyond that, is wrong. Precision is the share of
  right ones among those that were decided; open ones are left out.
- In a film in which the coder decided on no proposal (a blind coder), a proposal is right where it matches one of the
  coder's events of its kind, and none is open.
- What lies for more than half where the coder could not code is left out.
- Missed are the coder's events without a right proposal. Recall is right / (right + missed). It holds only for films
  that the coder has looked through to the end.
- Intervals are at 95 % (`metrics.wilson`), as if events were independent. Those of one person are not quite.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleeting.coding.agreement import EXPRESSIONS, Agreement, agree, film_name
from fleeting.coding.coders import MACHINE, films_in
from fleeting.coding.films import Film
from fleeting.coding.log import CodingLog
from fleeting.coding.matching import IOU, match
from fleeting.coding.proposals import proposals
from fleeting.errors import SettingsError
from fleeting.metrics import wilson
from fleeting.records import EVENT_KINDS, Event, is_hidden

EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Of the bins of confidence, ``[low, high)``, the last with its end."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A proposal that the coder has decided on: its kind, its confidence of 0 to 1, and whether it was right."""

    kind: str
    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Review:
    """What a coder made of the machine's proposals in one film.

    Attributes
    ----------
    judged
        The proposals that were decided.
    missed
        Kinds of the coder's events without a right proposal.
    open
        Kinds of the proposals that nobody has decided on.
    done
        How many were ``accepted``, ``corrected``, ``refused``, and how many events were ``added``.
    """

    judged: tuple[Judged, ...]
    missed: tuple[str, ...]
    open: tuple[str, ...]
    done: Mapping[str, int]


def review(log: CodingLog) -> Review:
    """Return what a coder made of the proposals in a film."""
    found = [p for p in proposals(log) if not is_hidden(p.event.face, p.event.interval, log.uncodable)]
    is_blind = bool(log.events) and all(item.proposal is None for item in log.items)
    hits = match([p.event for p in found], log.events)
    by_match = {i: log.events[j] for i, j in hits}
    judged, right, waiting = [], set[str](), []
    for i, one in enumerate(found):
        if is_blind:
            kept = by_match.get(i)
        elif one.decision is None:
            waiting.append(one.event.kind)
            continue
        else:
            kept = one.decision if _same(one.event, one.decision) else None
        judged.append(Judged(one.event.kind, one.event.confidence, kept is not None))
        if kept is not None:
            right.add(kept.id)
    done = {name: sum(p.status == name for p in found) for name in ("accepted", "corrected", "refused")}
    done["added"] = sum(e.origin == "person" for e in log.events)
    missed = tuple(e.kind for e in log.events if e.id not in right)
    return Review(tuple(judged), missed, tuple(waiting), done)


def how_good(reviews: Iterable[Review], *, precision: float = 0.9) -> dict[str, Any]:
    """Return precision and recall by kind and confidence, and the confidence that gives a precision.

    Parameters
    ----------
    reviews
        Of all films.
    precision
        That is asked for, above 0 to 1.

    Returns
    -------
    dict
        ``done`` (how many were accepted, corrected, refused, added, open), and by kind, ``all`` being micro and macro:
        ``proposals``, ``right``, ``missed``, ``precision``, ``recall`` with their intervals, ``by_confidence`` and
        ``confidence`` (`confidence_for`); None where nothing is there to divide by.

    Raises
    ------
    SettingsError
        For an impossible precision.
    """
    reviews = list(reviews)
    judged = [j for r in reviews for j in r.judged]
    missed = [kind for r in reviews for kind in r.missed]
    names = ("accepted", "corrected", "refused", "added")
    result: dict[str, Any] = {"films": len(reviews), "asked_precision": precision}
    result["done"] = {name: sum(r.done[name] for r in reviews) for name in names}
    result["done"]["open"] = sum(len(r.open) for r in reviews)
    for kind in (*EVENT_KINDS, "all"):
        kinds = EXPRESSIONS if kind == "all" else (kind,)
        here = [j for j in judged if j.kind in kinds]
        right, lost = sum(j.right for j in here), sum(k in kinds for k in missed)
        result[kind] = {
            "proposals": len(here),
            "right": right,
            "missed": lost,
            **_rate("precision", right, len(here)),
            **_rate("recall", right, right + lost),
            "by_confidence": _bins(here),
            "confidence": confidence_for(here, precision, missed=lost),
        }
    return result


def confidence_for(judged: Sequence[Judged], precision: float, *, missed: int = 0) -> dict[str, Any] | None:
    """Return the lowest confidence at and above which proposals are as precise as asked; None where no one is.

    The same proposals choose the confidence and measure it, so new films will come out a little worse; the interval
    says how far the number of proposals carries.

    Parameters
    ----------
    judged
        Proposals of one kind.
    precision
        That is asked for.
    missed
        Events that had no right proposal at any confidence, for the recall.

    Raises
    ------
    SettingsError
        For an impossible precision.
    """
    if not 0 < precision <= 1:
        raise SettingsError("a precision above 0, at most 1", str(precision), "0.9 is nine right ones in ten.")
    best = None
    every = sum(j.right for j in judged) + missed
    for edge in sorted({j.confidence for j in judged if j.confidence == j.confidence}, reverse=True):
        here = [j for j in judged if j.confidence >= edge]
        right = sum(j.right for j in here)
        if right >= precision * len(here):
            best = {
                "from": edge,
                "proposals": len(here),
                **_rate("precision", right, len(here)),
                **_rate("recall", right, every),
            }
    return best


def _same(proposal: Event, decision: Event) -> bool:
    """Whether a decision keeps a proposal: not refused, of its kind, and where it was."""
    kept = not getattr(decision, "refused", False) and decision.kind == proposal.kind
    return kept and decision.face == proposal.face and decision.interval.iou(proposal.interval) >= IOU


def _rate(name: str, hits: int, trials: int) -> dict[str, Any]:
    return {name: hits / trials if trials else None, f"{name}_interval": list(wilson(hits, trials)) if trials else None}


def _bins(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    bins = []
    for low, high in zip(EDGES, EDGES[1:], strict=False):
        here = [j for j in judged if low <= j.confidence < high or (j.confidence == high == EDGES[-1])]
        if here:
            right = sum(j.right for j in here)
            bins.append({"from": low, "to": high, "proposals": len(here), **_rate("precision", right, len(here))})
    return bins


def agree_with_machine(
    results: str | Path, first: str, second: str, *, iou: float = IOU, precision: float = 0.9
) -> Agreement:
    """Return `agreement.agree`, with `how_good` as ``machine`` in its metrics where one of the two is the machine.

    Raises
    ------
    InputError, DataError, SettingsError
        As `agreement.agree` and `how_good`.
    """
    found = agree(results, first, second, iou=iou)
    people = [name for name in (found.first, found.second) if name != MACHINE]
    if len(people) == 1:
        folders = [folder for folder in films_in(results) if film_name(folder) in found.metrics["films"]]
        reviews = [review(CodingLog(Film.open(folder), people[0])) for folder in folders]
        found.metrics["machine"] = how_good(reviews, precision=precision)
    return found
