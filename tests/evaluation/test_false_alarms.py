from __future__ import annotations

from fleeting.evaluation.false_alarms import causes_of, explain_false_alarms
from fleeting.evaluation.spotting import Match
from fleeting.records import Event, EventKind
from fleeting.synthesis.face.disturbances import Span
from fleeting.synthesis.truth import TruthRow


def event(onset_s: float, offset_s: float, kind: EventKind = "micro") -> Event:
    frames = round(onset_s * 100), round((onset_s + offset_s) * 50), round(offset_s * 100)
    return Event(0, kind, *frames, onset_s, (onset_s + offset_s) / 2, offset_s)


def row(onset_s: float, offset_s: float, kind: EventKind) -> TruthRow:
    onset, offset = round(onset_s * 100), round(offset_s * 100)
    return TruthRow("a", onset, onset, offset, kind, onset_s=onset_s, apex_s=onset_s, offset_s=offset_s)


def test_what_overlaps_is_a_cause_what_does_not_is_none() -> None:
    spans = [Span("gaze", 1.0, 1.05), Span("speech", 3.0, 4.0), Span("nod", 1.2, 2.0), Span("flicker", 0.0, 9.0)]
    assert causes_of(event(0.8, 1.15), [], spans) == ["gaze", "nod"]
    assert causes_of(event(0.5, 0.95), [], spans) == ["gaze"]  # within the slack
    assert causes_of(event(0.2, 0.85), [], spans) == ["nothing"]
    assert causes_of(event(3.2, 3.5), [row(3.1, 3.3, "blink")], spans) == ["blink", "speech"]
    assert causes_of(event(6.0, 6.2), [row(6.1, 6.5, "micro")], spans) == ["wrong interval"]
    assert causes_of(event(6.0, 6.2), [row(5.1, 6.5, "macro")], spans) == ["macro-expression"]


def test_only_false_micro_expressions_are_explained() -> None:
    hit = Match("a", row(1.0, 1.3, "micro"), event(1.0, 1.3), 1.0)
    missed = Match("a", row(5.0, 5.4, "micro"), None)
    false = [Match("a", None, event(t, t + 0.3)) for t in (5.3, 7.0, 8.0)]
    elsewhere = Match("b", None, event(7.0, 7.3))
    blink = Match("a", None, event(7.0, 7.3, "blink"))
    spans = {"a": [Span("gaze", 7.1, 7.15), Span("gaze", 8.1, 8.15)]}
    causes = explain_false_alarms([hit, missed, *false, elsewhere, blink], spans)
    assert list(causes.items()) == [("gaze", 2), ("nothing", 1), ("wrong interval", 1)]
