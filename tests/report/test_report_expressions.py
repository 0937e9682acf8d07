"""What the report says of whole faces: the curve, the map of a card, contradictions."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from timelines import make_media, make_timeline, make_views

from fleeting.analysis.pictures import compressed
from fleeting.labels import SEVEN_CLASSES
from fleeting.records import ExpressionCurve, Timeline
from fleeting.report.build import render
from fleeting.report.curves import EXPRESSION_ROWS, pack_expressions
from fleeting.report.wording import expression_score

CARD = {"name": "expression", "version": 1, "scores": {"public_test": {"accuracy": 0.6931, "pictures": 3589}}}


@pytest.fixture(scope="module")
def timeline() -> Timeline:
    made = make_timeline()
    shares = dict(zip(SEVEN_CLASSES, (0.02, 0.0, 0.0, 0.9, 0.0, 0.03, 0.05), strict=True))
    events = tuple(
        replace(e, emotion="happy", probability=0.9, probabilities=shares) if e.kind == "macro" else e
        for e in made.events
    )
    return replace(made, events=events, models={**made.models, "expression": CARD})


@pytest.fixture(scope="module")
def page(timeline: Timeline) -> str:
    return render(timeline, make_media(timeline))


def cards(page: str) -> list[str]:
    return re.findall(r"<article.*?</article>", page, re.DOTALL)


def test_a_curve_keeps_order_and_gaps() -> None:
    time_s = np.array([0, 0.25, 0.5, 3.0, 3.25])
    shares = np.eye(7, dtype=np.float32)[[3, 3, 6, 0, 1]]
    packed = pack_expressions(ExpressionCurve(0, np.arange(5, dtype=np.int32), time_s, shares))
    assert packed is not None
    assert packed["time"] == [0, 0.25, 0.5, 0.75, 2.75, 3.0, 3.25]
    rows = dict(zip(packed["names"], packed["percent"], strict=True))
    assert rows["happy"] == [100, 100, 0, None, None, 0, 0]
    assert rows["angry"] == [0, 0, 0, None, None, 100, 0]
    assert set(rows) == set(SEVEN_CLASSES)
    assert pack_expressions(ExpressionCurve(0, np.zeros(1, np.int32), np.zeros(1), shares[:1])) is None


def test_the_page_carries_the_curve(page: str, timeline: Timeline) -> None:
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])
    shown = data["faces"][0]["expression"]
    assert shown["names"] == list(EXPRESSION_ROWS)
    assert len(shown["time"]) == len(timeline.expressions[0].time_s)
    assert max(shown["percent"][EXPRESSION_ROWS.index("happy")]) == 90
    bare = render(replace(timeline, expressions=()), {})
    assert '"expression":null' in bare
    assert "the expression of the whole face, read" not in bare
    assert "the expression of the whole face, read" in page


def test_a_card_says_what_the_whole_face_shows(page: str) -> None:
    micro, *_ = cards(page)
    assert "The whole face at the apex:</b> happy 87 %" in micro
    assert re.search(r"Before and after:</b> neutral \d\d %", micro)
    assert "contrary" not in micro


def test_a_macro_expression_states_the_score_of_the_network_that_named_it(page: str) -> None:
    (macro,) = (c for c in cards(page) if 'class="card macro"' in c)
    assert "happy · 90 %" in macro
    assert "The network is right about 69 % of 3\N{THIN SPACE}589 test pictures" in macro
    assert "this recogniser reaches" not in macro
    assert expression_score(CARD).startswith("69 %")
    assert expression_score({}) == expression_score({"scores": {"public_test": {"accuracy": None}}}) == ""


def test_contradictions_are_marked_everywhere(page: str, timeline: Timeline) -> None:
    (card,) = (c for c in cards(page) if "contrary" in c)
    assert "contradicts the face around it (happy)" in card
    assert "The short movement is named negative, but the face before and after shows happy." in card
    assert "no evidence of deceit" in card
    assert "1 contradicts the face around it" in page
    marks = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])["events"]
    assert [m["contradicts"] for m in marks if m["contradicts"]] == ["happy"]
    calm = replace(timeline, events=tuple(replace(e, contradicts=False) for e in timeline.events))
    assert "contradicts" not in re.sub(r"(?s)<script.*?</script>|<style.*?</style>", "", render(calm, {}))


def test_the_map_tints_where_it_is_high(timeline: Timeline) -> None:
    views = next(iter(make_views(timeline).values()))
    face = np.frombuffer(compressed(views, quality=95).face, np.uint8)
    picture = cv2.imdecode(face, cv2.IMREAD_COLOR).astype(int)
    red = picture[..., 2] - picture[..., 0]
    assert picture.shape == (192, 192, 3)
    assert red[144, 96] > 80, "the mouth of the made-up map"
    assert abs(red[30, 30]) < 12
    assert compressed(replace(views, saliency=None), quality=80).face == b""
    assert compressed(replace(views, saliency=np.zeros((48, 48), np.float32)), quality=80).face
