"""The scores of the MEGC challenges on tables of intervals: spotting F1, analysis F1, STRS; correct, and as published.

Conventions
-----------
- An interval has frames with both ends included. A spotted one is a true positive when its IoU with a marked one of the
  same subject, video and kind is at least 0.5 (``>=``); matching is one to one, the best IoU first; counts are pooled
  over all videos of all subjects, then F1 = 2 TP / (2 TP + FP + FN) (Li et al., "MEGC2020 - the third facial
  micro-expression grand challenge", FG 2020, section III).
- Analysis looks at spotted true positives whose marked emotion is one of `emotions` (those that occur in the truth
  where None). ``f1`` is the unweighted mean of the classes' F1, ``uar`` that of their recall; a class without a true
  positive of spotting has no recall and is left out, and has an F1 only if it was answered.
- STRS = F1 of spotting times F1 of analysis (Liong, See and Chan, "Spot-then-recognize: a micro-expression analysis
  network for seamless evaluation of long videos", Signal Processing: Image Communication 110, 2023, section 4.3).

`public_script` gives what the script published with that paper gives, for comparison with published figures. It differs
in that

1. subjects without any spotted interval are skipped, with all their misses;
2. videos without a marked interval are skipped, with all their false positives;
3. one spotted interval may match several marked ones, each time as a true positive, in the order of the tables;
4. a class that all true positives belong to and are given counts as never right (its 1 x 1 confusion matrix is an
   error that is caught), as does a class that none belongs to or is given;
5. its F1 of analysis is the harmonic mean of mean precision and mean recall, not the mean of F1s;
6. what it calls UAR is the mean precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fleeting.errors import DataError
from fleeting.evaluation.spotting import IOU, Counts
from fleeting.records import Interval

KINDS: tuple[str, ...] = ("micro", "macro")


@dataclass(frozen=True, slots=True)
class Marked:
    """An interval of a video, marked or spotted.

    Attributes
    ----------
    subject, video
        Where it is; the same words in truth and prediction.
    onset, offset
        Frames, both included.
    emotion
        Its class; empty where unknown.
    kind
        ``micro`` or ``macro``.
    """

    subject: str
    video: str
    onset: int
    offset: int
    emotion: str = ""
    kind: str = "micro"

    def __post_init__(self) -> None:
        if not 0 <= self.onset <= self.offset:
            raise DataError(
                "frames from 0, an offset that is not before the onset",
                f"{self.onset} to {self.offset} in {self.subject}/{self.video}",
                "Correct the table.",
            )

    @property
    def interval(self) -> Interval:
        """Onset and offset."""
        return Interval(self.onset, self.offset)


Pairs = list[tuple[Marked, Marked]]


def spotting_scores(truth: Sequence[Marked], spotted: Sequence[Marked]) -> dict[str, dict[str, Any]]:
    """Return counts, precision, recall and F1 of ``micro``, ``macro`` and ``all`` (the counts of both pooled)."""
    counts = {kind: _match(_of(truth, kind), _of(spotted, kind))[1] for kind in KINDS}
    return {kind: counts[kind].to_dict() for kind in KINDS} | {"all": counts["micro"].plus(counts["macro"]).to_dict()}


def matched(truth: Sequence[Marked], spotted: Sequence[Marked]) -> list[tuple[Marked | None, Marked | None]]:
    """Return every interval once: pairs that match, marked ones that were missed, spotted ones that are false."""
    found: list[tuple[Marked | None, Marked | None]] = []
    for kind in KINDS:
        marked, here = _of(truth, kind), _of(spotted, kind)
        pairs, _ = _match(marked, here)
        found += pairs
        hit = [{id(pair[side]) for pair in pairs} for side in (0, 1)]
        found += [(t, None) for t in marked if id(t) not in hit[0]]
        found += [(None, s) for s in here if id(s) not in hit[1]]
    return found


def strs(
    truth: Sequence[Marked], spotted: Sequence[Marked], *, emotions: Iterable[str] | None = None, kind: str = "micro"
) -> dict[str, Any]:
    """Return the scores of spotting and analysis, and their product.

    Parameters
    ----------
    truth, spotted
        All intervals of all videos; a video in neither has nothing to count.
    emotions
        The classes of analysis; those of the truth where None.
    kind
        Whose intervals count.

    Returns
    -------
    dict
        ``spotting`` (counts, precision, recall, F1), ``analysis`` (``events``, ``f1``, ``uar``, ``accuracy``) and
        ``strs``; None where nothing is there to divide by.
    """
    pairs, counts = _match(_of(truth, kind), _of(spotted, kind))
    classes = _classes(truth, emotions)
    known = [(t.emotion, s.emotion) for t, s in pairs if t.emotion in classes]
    f1s, recalls = [], []
    for name in classes:
        one = _counts_of(known, name)
        if not math.isnan(one.f1):
            f1s.append(one.f1)
        if one.hits + one.misses:
            recalls.append(one.hits / (one.hits + one.misses))
    analysis = {
        "events": len(known),
        "f1": _mean(f1s),
        "uar": _mean(recalls),
        "accuracy": _mean([float(t == s) for t, s in known]),
    }
    spotting = counts.to_dict()
    both = (spotting["f1"], analysis["f1"])
    return {
        "spotting": spotting,
        "analysis": analysis,
        "strs": None if both[0] is None or both[1] is None else both[0] * both[1],
    }


def public_script(
    truth: Sequence[Marked], spotted: Sequence[Marked], *, emotions: Iterable[str] | None = None, kind: str = "micro"
) -> dict[str, Any]:
    """Return what the published script gives, with the six differences that the head of this module lists.

    Parameters
    ----------
    truth, spotted, emotions, kind
        As for `strs`; here the order of `spotted` and `truth` counts.

    Returns
    -------
    dict
        As `strs`, where ``uar`` is its misnamed one and ``uf1`` the mean of F1s that it also prints.
    """
    truth, spotted = _of(truth, kind), _of(spotted, kind)
    subjects = {s.subject for s in spotted}
    pairs: Pairs = []
    counts = Counts()
    for place in dict.fromkeys((t.subject, t.video) for t in truth if t.subject in subjects):
        marked = [t for t in truth if (t.subject, t.video) == place]
        taken: set[int] = set()
        for one in (s for s in spotted if (s.subject, s.video) == place):
            matched = [i for i, t in enumerate(marked) if i not in taken and t.interval.iou(one.interval) >= IOU]
            taken.update(matched)
            pairs += [(marked[i], one) for i in matched]
            counts.hits += len(matched)
            counts.false_alarms += not matched
        counts.misses += len(marked) - len(taken)
    classes = _classes(truth, emotions)
    known = [(t.emotion, s.emotion) for t, s in pairs if t.emotion in classes]
    precisions, recalls, f1s = [], [], []
    for name in classes:
        own = _counts_of(known, name)
        alike = len({t == name for t, _ in known} | {s == name for _, s in known}) < 2
        hits = 0 if alike else own.hits
        precisions.append(hits / (hits + own.false_alarms) if hits else 0.0)
        recalls.append(hits / (hits + own.misses) if hits else 0.0)
        f1s.append(_harmonic(precisions[-1], recalls[-1]) or 0.0)
    precision, recall = _mean(precisions), _mean(recalls)
    f1 = None if precision is None or recall is None else _harmonic(precision, recall)
    spotting = counts.to_dict() | {"f1": 0.0 if math.isnan(counts.f1) else counts.f1}
    return {
        "spotting": spotting,
        "analysis": {"events": len(known), "f1": f1, "uf1": _mean(f1s), "uar": precision},
        "strs": None if f1 is None else spotting["f1"] * f1,
    }


def _of(intervals: Sequence[Marked], kind: str) -> list[Marked]:
    return [i for i in intervals if i.kind == kind]


def _match(truth: Sequence[Marked], spotted: Sequence[Marked]) -> tuple[Pairs, Counts]:
    """Pair intervals one to one, best IoU first, and count."""
    pairs: Pairs = []
    for place in dict.fromkeys((t.subject, t.video) for t in truth):
        marked = [t for t in truth if (t.subject, t.video) == place]
        here = [s for s in spotted if (s.subject, s.video) == place]
        candidates = sorted(
            ((t.interval.iou(s.interval), i, j) for i, t in enumerate(marked) for j, s in enumerate(here)),
            key=lambda c: (-c[0], c[1], c[2]),
        )
        rows: set[int] = set()
        columns: set[int] = set()
        for iou, i, j in candidates:
            if iou >= IOU and i not in rows and j not in columns:
                rows.add(i)
                columns.add(j)
                pairs.append((marked[i], here[j]))
    return pairs, Counts(len(pairs), len(spotted) - len(pairs), len(truth) - len(pairs))


def _classes(truth: Sequence[Marked], emotions: Iterable[str] | None) -> list[str]:
    return sorted({t.emotion for t in truth if t.emotion} if emotions is None else set(emotions))


def _counts_of(known: Sequence[tuple[str, str]], name: str) -> Counts:
    return Counts(
        sum(t == name == s for t, s in known),
        sum(t != name == s for t, s in known),
        sum(t == name != s for t, s in known),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _harmonic(one: float, other: float) -> float | None:
    return 2 * one * other / (one + other) if one + other else None
