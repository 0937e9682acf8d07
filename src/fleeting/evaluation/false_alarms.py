"""What happened when a spotter reported a micro-expression that was none.

A false alarm is counted under every cause that overlaps it in time, give or take `SLACK_S`; what lasts for a whole film
(flickering lamps) is no cause of one event. ``wrong interval`` stands for a marked micro-expression that was hit with
an IoU below 0.5 (or a second time): it was seen, but not placed. ``nothing`` overlaps no cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from fleeting.evaluation.spotting import Match
from fleeting.records import Event
from fleeting.synthesis.face.disturbances import Span
from fleeting.synthesis.truth import TruthRow

SLACK_S = 0.1
LASTING = ("flicker",)


def causes_of(event: Event, truth: Sequence[TruthRow], spans: Sequence[Span]) -> list[str]:
    """Return what overlaps an event that was reported in vain, in alphabetical order.

    Parameters
    ----------
    event
        A false alarm.
    truth
        Marked events of its video, of all kinds; their times in seconds must be known.
    spans
        What disturbs this video.
    """
    first, last = event.onset_s - SLACK_S, event.offset_s + SLACK_S
    found = {s.kind for s in spans if s.kind not in LASTING and s.first_s <= last and s.last_s >= first}
    names = {"micro": "wrong interval", "macro": "macro-expression", "blink": "blink", "wink": "wink"}
    found |= {names[row.kind] for row in truth if row.onset_s <= last and row.offset_s >= first}
    return sorted(found) or ["nothing"]


def explain_false_alarms(matches: Sequence[Match], spans: Mapping[str, Sequence[Span]]) -> dict[str, int]:
    """Count the causes of all false micro-expressions, the most frequent first.

    Parameters
    ----------
    matches
        Of `evaluation.spotting.evaluate_spotting`.
    spans
        What disturbs, by video.
    """
    truth: dict[str, list[TruthRow]] = {}
    for match in matches:
        if match.truth is not None:
            truth.setdefault(match.file, []).append(match.truth)
    causes: Counter[str] = Counter()
    for match in matches:
        if match.truth is None and match.event is not None and match.event.kind == "micro":
            causes.update(causes_of(match.event, truth.get(match.file, ()), spans.get(match.file, ())))
    return dict(sorted(causes.items(), key=lambda item: (-item[1], item[0])))
