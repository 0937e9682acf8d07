"""The report as a page: whole in itself, safe whatever the names, and complete."""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from timelines import FPS, SPEAKS_S, make_media, make_timeline, make_views

from fleeting.analysis.pictures import MOST_PICTURED, arrows, compressed, format_for
from fleeting.errors import OutputError
from fleeting.records import REGIONS, EventMedia, Timeline
from fleeting.report import pages, wording
from fleeting.report.build import build_report, render
from fleeting.report.curves import MAX_SAMPLES, pack_face
from fleeting.report.still import still
from fleeting.settings import AnalyseSettings

ADDRESSES = {"src", "href", "srcset", "action", "data", "poster", "xlink:href", "formaction"}
VOID = {"meta", "img", "input", "br", "hr", "link", "source"}


class Page(HTMLParser):
    """Elements with their attributes and text; fails where elements are not nested properly."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside == "script":
            self.scripts.append(data)
        elif inside != "style":
            self.texts.append(data)

    def all(self, tag: str, **attrs: str) -> list[dict[str, str]]:
        wanted = {k.rstrip("_"): v for k, v in attrs.items()}
        return [a for t, a in self.elements if t == tag and all(v in a.get(k, "").split() for k, v in wanted.items())]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.scripts[0])


@pytest.fixture(scope="module")
def timeline() -> Timeline:
    return make_timeline()


@pytest.fixture(scope="module")
def media(timeline: Timeline) -> dict[int, EventMedia]:
    return make_media(timeline, loop_frames=6)


@pytest.fixture(scope="module")
def page(timeline: Timeline, media: dict[int, EventMedia]) -> Page:
    return Page(render(timeline, media))


def test_the_page_refers_to_nothing_outside(page: Page) -> None:
    for tag, attributes in page.elements:
        for name in ADDRESSES & attributes.keys():
            assert re.match(r"#|data:image/", attributes[name]), f"<{tag} {name}={attributes[name][:60]}>"
        assert "url(" not in attributes.get("style", "")
    assert not page.all("link")
    assert not page.all("iframe")
    assert all("src" not in a for a in page.all("script"))
    (policy,) = (a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_styles_and_own_script_load_nothing() -> None:
    from importlib import resources

    for name in ("report.css", "report.js", "report.html", "card.html", "still.html", "sketch.svg"):
        text = resources.files("fleeting.report").joinpath(name).read_text()
        assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttpRequest|eval\(|innerHTML", text), name


def test_plotly_is_there_once(page: Page) -> None:
    big = [s for s in page.scripts if len(s) > 1_000_000]
    assert len(big) == 1
    assert "plotly.js" in big[0][:400]


def test_every_expression_has_a_card_and_blinks_are_apart(page: Page, timeline: Timeline) -> None:
    micro, macro = page.all("article", class_="micro"), page.all("article", class_="macro")
    assert (len(micro), len(macro), len(page.all("article"))) == (4, 1, 5)
    ids = {a["id"] for a in page.all("article")} | {a["id"] for a in page.all("tr") if "id" in a}
    assert ids == {f"event-{i}" for i in range(len(timeline.events))}
    assert len(page.all("canvas")) == 5
    assert {a["data-show"] for a in page.all("button") if "data-show" in a} == {
        str(i) for i, e in enumerate(timeline.events) if e.kind != "blink"
    }


def test_links_lead_somewhere(page: Page) -> None:
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for a in page.all("a"):
        assert a["href"].removeprefix("#") in ids
    for _, a in page.elements:
        assert set(a.get("aria-labelledby", "").split()) <= set(ids)


def test_pictures_have_a_text_and_controls_a_name(page: Page) -> None:
    for a in page.all("img"):
        assert "alt" in a
        assert a["alt"] or "hidden" in a
    for a in page.all("canvas") + page.all("input"):
        assert a["aria-label"]
    for tag, a in page.elements:
        if a.get("role") in ("img", "group"):
            assert a.get("aria-label"), tag
    assert page.all("html")[0]["lang"] == "en"


def test_the_card_says_what_the_event_says(page: Page) -> None:
    text = page.text
    for words in (
        "surprise · 71 %",
        "2.100 · 2.240 · 2.450 s",
        "420 · 448 · 490",
        "1.9 % of eye distance",
        "(1.8 px)",
        "Confidence 97 %",
        "Left brow , right brow, left lid",
        "350 ms",
        "No class is probable enough to be named.",
        "UF1 0.781 [0.72 to 0.83], UAR 0.795 (leave-one-subject-out over 40 subjects, predictions pooled)",
    ):
        assert words in text, words


def test_the_page_warns_and_claims_no_lies(page: Page) -> None:
    text = page.text
    assert "not a lie and not proof of a feeling" in text
    assert text.index("not a lie") < text.index("Timeline")
    assert "Before you use this report" in text
    assert "The video breaks off at 15.0 s" in text
    assert not re.search(r"decepti|truthful|lie detect", text, re.IGNORECASE)


def test_quality_settings_and_versions_are_shown(page: Page) -> None:
    text = page.text
    assert "Use more light or a lower ISO setting." in text
    assert "poor recording: blur" in text
    assert "spotting.threshold" in text
    assert "Fleeting 0.1.0" in text


def test_hostile_names_stay_text(timeline: Timeline, media: dict[int, EventMedia]) -> None:
    evil = "</script><script>alert('x')</script><img src=http://evil onerror=alert(1)>"
    hostile = replace(
        timeline,
        video=replace(timeline.video, name=evil, path=evil, codec=evil),
        warnings=(evil,),
        quality={evil: {"value": evil, "unit": evil, "verdict": evil, "advice": evil}},
        models={"recogniser": {"name": evil, "scores": {"uf1": 0.7, "protocol": evil}, "limits": evil}},
        settings={evil: evil},
        version=evil,
        events=tuple(replace(e, emotion=evil, probabilities={evil: 0.5}) for e in timeline.events),
    )
    page = Page(render(hostile, media))
    assert evil in page.text
    assert not any("onerror" in a for _, a in page.elements)
    assert len(page.all("script")) == 3
    assert page.data["events"][0]["emotion"] == evil
    for name in ADDRESSES:
        assert not any("http" in a.get(name, "") for _, a in page.elements)


def test_without_scripts_the_timeline_is_a_picture(timeline: Timeline) -> None:
    """Every event and every peak is in the page itself; only zooming needs a script."""
    two = replace(timeline, signals=(timeline.signals[0],))
    page = Page(render(two, {}))
    assert len(page.all("div", class_="still")) == 1
    links = [a["href"] for a in page.all("a") if a["href"].startswith("#event-") and a.get("tabindex") == "-1"]
    assert sorted(links) == sorted(f"#event-{i}" for i in range(len(timeline.events)))
    marks = [a for a in page.all("rect") if a.get("class") in ("micro", "macro", "blink")]
    for mark, event in zip(
        sorted(marks, key=lambda a: float(a["x"])), sorted(timeline.events, key=lambda e: e.onset_s), strict=True
    ):
        last = timeline.signals[0].time_s[-1]
        assert float(mark["x"]) == pytest.approx(1000 * event.onset_s / last, abs=0.1)
        assert float(mark["width"]) >= 3
    paths = [a["d"] for a in page.all("path") if a.get("class") in ("left", "right", "middle")]
    assert len(paths) == 3 * 3 + 2
    ends = [[tuple(map(float, p.split())) for p in re.split("[ML]", d)[1:]] for d in paths]
    assert all(0 <= x <= 1000 and -1e-6 <= y <= 100 for line in ends for x, y in line)
    # The largest curve of each row reaches its upper edge, whatever was thinned out.
    for row in (ends[0:3], ends[3:6], ends[6:9]):
        assert min(y for line in row for _, y in line) == pytest.approx(0, abs=0.05)
    assert min(y for line in ends[9:] for _, y in line) >= 0


def test_speaking_has_a_lane_and_marks_its_events(timeline: Timeline) -> None:
    (signals,) = timeline.signals
    face = pack_face(signals, timeline)
    assert face["speaking"] == [[SPEAKS_S[0], SPEAKS_S[1] - 1 / FPS]]
    text = render(timeline, {})
    page = Page(text)
    (mark,) = [a for a in page.all("rect") if a.get("class") == "speaking"]
    last = signals.time_s[-1]
    assert float(mark["x"]) == pytest.approx(1000 * SPEAKS_S[0] / last, abs=0.1)
    assert float(mark["width"]) == pytest.approx(1000 * (SPEAKS_S[1] - SPEAKS_S[0]) / last, abs=0.5)
    shown = [e for e in timeline.events if e.kind in ("micro", "macro")]
    assert text.count("while speaking</span>") == sum(e.speaking for e in shown) == 1
    silent = replace(timeline, signals=(replace(signals, speaking=None),))
    assert pack_face(silent.signals[0], silent)["speaking"] == []
    assert not [a for a in Page(render(silent, {})).all("rect") if a.get("class") == "speaking"]


@pytest.mark.parametrize(
    ("first", "last", "ticks"),
    [
        (0.0, 8.96, [0, 2, 4, 6, 8]),
        (0.0, 1.68, [0, 0.5, 1, 1.5]),
        (12.31, 12.43, [12.35, 12.4]),
        (0.0, 3600.0, [0, 1000, 2000, 3000]),
    ],
)
def test_ticks_are_round(timeline: Timeline, first: float, last: float, ticks: list[float]) -> None:
    signals = timeline.signals[0]
    signals = replace(signals, time_s=np.linspace(first, last, len(signals.time_s)))
    drawn = still(signals, replace(timeline, events=()), {})
    assert drawn is not None
    assert [float(t["text"].replace("\N{THIN SPACE}", "")) for t in drawn["ticks"]] == ticks
    assert [t["percent"] for t in drawn["ticks"]] == pytest.approx(
        [100 * (t - first) / (last - first) for t in ticks], abs=0.01
    )


def test_a_face_that_leaves_breaks_the_still_lines(timeline: Timeline) -> None:
    signals = timeline.signals[0]
    motion = signals.motion.copy()
    motion[1000:1600] = np.nan
    page = Page(render(replace(timeline, signals=(replace(signals, motion=motion),)), {}))
    paths = [a["d"] for a in page.all("path") if a.get("class") in ("left", "right", "middle")]
    assert [d.count("M") for d in paths] == [2] * 9 + [1, 1]
    unseen = replace(
        signals, motion=np.full_like(motion, np.nan), eye_opening=np.full_like(signals.eye_opening, np.nan)
    )
    assert not [a for a in Page(render(replace(timeline, signals=(unseen,)), {})).all("path") if "nan" in a["d"]]


def test_an_empty_timeline(timeline: Timeline) -> None:
    page = Page(render(replace(timeline, events=(), signals=(), tracks=(), quality={}, models={}, settings={}), {}))
    assert not page.all("article")
    assert "No micro- or macro-expression stood out" in page.text
    assert len(page.scripts) == 2, "without signals the plotting library is not needed"


def test_events_without_values_or_pictures(timeline: Timeline) -> None:
    bare = replace(
        timeline.events[1],
        regions=(),
        displacement_percent_iod=math.nan,
        confidence=math.nan,
        emotion=None,
        probability=None,
        probabilities={},
    )
    odd = replace(timeline.events[3], probability=math.nan, probabilities={"negative": math.nan, "positive": 0.3})
    strange = replace(
        timeline, events=(bare, odd), quality={"blur": math.nan, "note": ["a", 1.5], "x": {"value": None}}
    )
    page = Page(render(strange, {}))
    assert len(page.all("article")) == 2
    assert not page.all("img")
    assert "not classified" in page.text
    assert "No region stands out" in page.text
    assert not re.search(r"\b([Nn]a[Nn]|None|inf)\b", page.text.replace("None found.", ""))


def test_odd_pictures(timeline: Timeline) -> None:
    one = make_views(timeline, loop_frames=6)[1]
    still = replace(one, flow=np.full_like(one.flow, np.nan), loop=one.loop[:0])
    wide = replace(one, flow=one.flow[::2, ::2], apex=np.repeat(np.repeat(one.apex, 2, 0), 2, 1), loop=one.loop[:1])
    page = Page(render(timeline, {1: compressed(still, quality=70), 3: compressed(wide, quality=70)}))
    assert len(page.all("canvas")) == 1
    assert "Movement none" in page.text


def test_a_page_of_two_faces_has_two_charts_and_the_gap() -> None:
    timeline = make_timeline(faces=2)
    page = Page(render(timeline, {}))
    assert len(page.all("div", class_="chart")) == 2
    assert len(page.data["faces"]) == 2
    assert "in 2 segments" in page.text


def unpack(face: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """What the page's script does, in numpy."""
    n, count = face["count"], len(face["names"])
    ticks = np.frombuffer(zlib.decompress(base64.b64decode(face["time"])), "<i4").cumsum()
    raw = np.frombuffer(zlib.decompress(base64.b64decode(face["curves"])), np.uint8).reshape(2, count, n)
    codes = (raw[0].astype(np.uint16) + 256 * raw[1].astype(np.uint16)).cumsum(axis=1, dtype=np.uint16).view(np.int16)
    values = codes * np.array(face["steps"])[:, None]
    return ticks / face["ticksPerSecond"], np.where(codes == -32768, np.nan, values)


def test_curves_come_back_within_a_fraction_of_the_noise() -> None:
    timeline = make_timeline(faces=2)
    for signals in timeline.signals:
        face = pack_face(signals, timeline)
        time, values = unpack(face)
        np.testing.assert_allclose(time, signals.time_s, atol=1e-4)
        assert face["names"][: len(REGIONS)] == [r.replace("_", " ") for r in REGIONS]
        off = np.abs(values[: len(REGIONS)] - signals.motion.T)
        np.testing.assert_array_equal(np.isnan(off), np.isnan(signals.motion.T))
        assert (np.nanmax(off, axis=1) <= 0.13 * signals.noise).all()
        np.testing.assert_allclose(values[-1], signals.eye_opening[:, 1], atol=0.0011)
        used = AnalyseSettings().spotting
        floor = max(used.threshold * signals.noise[:3].max(), used.min_displacement_percent_iod)
        assert face["floor"][0] == pytest.approx(floor, abs=1e-3)
        assert face["floor"][-1] is None


def test_the_noise_floor_is_left_out_where_its_threshold_is_unknown(timeline: Timeline) -> None:
    assert pack_face(timeline.signals[0], replace(timeline, settings={}))["floor"] == [None] * 4


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (math.nan, "–"), (True, "yes"), (3000, "3\N{THIN SPACE}000"), (0.0, "0"), (29.97, "30"),
        (0.00512, "0.00512"), (96.4, "96.4"), (1234.5, "1234"), (-2.5, "-2.5"), ([1.0, 2.55], "1, 2.55"),
        (["One.", "Two."], "One. Two."), ({"a_b": 1.5}, "a b 1.5"), ("text", "text"), (1e300, "1e+300"),
    ],
)  # fmt: skip
def test_numbers_in_words(value: object, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (0.001, "< 1 %"), (0.716, "72 %"), (0.999, "> 99 %"), (1.0, "100 %"), (None, "–")]
)
def test_a_share_does_not_claim_certainty_by_rounding(share: float | None, text: str) -> None:
    assert wording.percent(share) == text


def test_the_headline_takes_the_main_scores_wherever_they_stand() -> None:
    card = {"scores": {"loso": {"UF1": 0.8, "uar": 0.7, "accuracy": 0.9, "protocol": "one subject out; more"}}}
    assert wording.headline(card) == "UF1 0.8, UAR 0.7 (one subject out)"
    assert wording.headline({"scores": {"other": 1.0, "protocol": "p"}}) == ""
    assert wording.headline({}) == ""


def test_what_needs_a_hand_comes_first(page: Page) -> None:
    shown = [v for v in ("blur", "noise", "frame rate") if v in page.text]
    panel = page.text[page.text.index("Quality of the recording") :]
    assert [panel.index(v) for v in shown] == sorted(panel.index(v) for v in shown)


def test_very_long_signals_keep_their_peaks() -> None:
    timeline = make_timeline(seconds=0.5)
    n = 3 * MAX_SAMPLES
    rng = np.random.default_rng(1)
    motion = np.abs(rng.normal(0, 0.1, (n, len(REGIONS)))).astype(np.float32)
    motion[73_457, 3] = 7.5
    motion[20_000:21_000] = np.nan
    signals = replace(
        timeline.signals[0],
        time_s=np.arange(n) / 200,
        motion=motion,
        eye_opening=np.full((n, 2), 0.3, np.float32),
        mouth_opening=np.zeros(n, np.float32),
        pose=np.zeros((n, 3), np.float32),
        speaking=None,
    )
    face = pack_face(signals, replace(timeline, signals=(signals,)))
    time, values = unpack(face)
    assert len(time) <= MAX_SAMPLES
    peak = np.nanargmax(values[3])
    assert values[3, peak] == pytest.approx(7.5, abs=0.05)
    assert time[peak] == pytest.approx(73_457 / 200, abs=0.1)
    assert np.isnan(values[0][(time > 1000.1) & (time < 1049.9)]).all()
    assert (np.diff(time) >= 0).all()


VALUES = ("time_s", "motion", "eye_opening", "mouth_opening", "pose", "speaking")
"""Of signals, what has a row for each frame."""


@pytest.mark.parametrize("seconds", [0.0, 0.005])
def test_signals_of_no_or_one_frame(seconds: float) -> None:
    base = make_timeline(seconds=0.5)
    n = round(seconds * 200)
    short = replace(
        base.signals[0],
        **{k: getattr(base.signals[0], k)[:n] for k in VALUES},
    )
    assert Page(render(replace(base, signals=(short,)), {})).data["faces"][0]["count"] == n


def test_ten_minutes_at_200_frames_a_second_stay_below_8_megabytes(timeline: Timeline) -> None:
    long = make_timeline(seconds=600)
    assert len(render(long, {}).encode()) < 8e6


def test_arrows_point_where_the_face_moves() -> None:
    flow = np.zeros((170, 140, 2), np.float32)
    flow[40:80, 40:80] = (0.0, -0.5)
    drawn = arrows(flow)
    assert drawn.longest_px == pytest.approx(0.5)
    starts = re.findall(r"M([\d.]+) ([\d.]+)L([\d.-]+) ([\d.-]+)M", drawn.path)
    assert starts
    for x0, y0, x1, y1 in (map(float, s) for s in starts):
        assert 33 <= x0 <= 87
        assert 33 <= y0 <= 87
        assert x1 == pytest.approx(x0, abs=0.2)
        assert y1 < y0
    assert max(float(y0) - float(y1) for _, y0, _, y1 in starts) == pytest.approx(0.5 * drawn.gain, abs=0.2)
    assert arrows(np.zeros((170, 140, 2), np.float32)).path == ""
    large = arrows(np.repeat(np.repeat(2 * flow, 2, 0), 2, 1))  # the same movement in a crop of twice the size
    assert large.longest_px == pytest.approx(drawn.longest_px)
    assert large.path.count("M") == drawn.path.count("M")


def test_a_report_without_faces_shows_drawings_alone(timeline: Timeline, media: dict[int, EventMedia]) -> None:
    whole = Page(render(timeline, media, faces={0: np.zeros((96, 96, 3), np.uint8)}))
    assert whole.all("img")
    page = Page(render(timeline, media, faces={0: np.zeros((96, 96, 3), np.uint8)}, without_faces=True))
    assert not page.all("img")
    assert not page.all("canvas")
    assert "data:image/webp" not in render(timeline, media, without_faces=True)
    assert len(page.all("svg", class_="outline")) == 4 * len(media), "onset, apex, offset, and under the arrows"
    former = {index: replace(one, outlines=()) for index, one in media.items()}
    assert not Page(render(timeline, former, without_faces=True)).all("svg", class_="outline")


def test_the_loop_holds_all_frames_row_by_row(timeline: Timeline) -> None:
    frames = np.stack([np.full((85, 70, 3), 40 * i, np.uint8) for i in range(6)])
    made = compressed(replace(make_views(timeline, loop_frames=1)[1], loop=frames), quality=90)
    assert (made.columns, made.count, made.width, made.height) == (3, 6, 70, 85)
    picture = cv2.imdecode(np.frombuffer(made.loop, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (170, 210, 3)
    for i in range(6):
        row, column = divmod(i, 3)
        assert abs(int(picture[85 * row + 40, 70 * column + 35, 1]) - 40 * i) < 6


def test_pages_of_many_events_have_smaller_pictures() -> None:
    widths = [format_for(n).width for n in (1, 16, 17, 41, 500)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > widths[-1]


def test_the_clearest_of_very_many_events_have_a_card_and_all_have_a_row(timeline: Timeline) -> None:
    micro, macro = (next(e for e in timeline.events if e.kind == kind) for kind in ("micro", "macro"))
    events = [replace(macro, confidence=0.99)] * 5 + [replace(micro, confidence=0.9)] * MOST_PICTURED
    events[7] = replace(micro, confidence=0.6)
    page = Page(render(replace(timeline, events=(*events, micro, micro)), {}))
    cards = {place["id"] for place in page.all("article")}
    assert len(cards) == MOST_PICTURED
    assert not cards & {"event-0", "event-4", "event-7"}
    assert page.text.count("Micro-expression 1 ") + page.text.count("Micro-expression 2 ") >= 2
    assert sum(name == "tr" for name, _ in page.elements) > len(events)
    assert f"The {MOST_PICTURED} clearest have a card" in page.text


def test_pictures_that_do_not_fit_are_on_pages_beside_the_report(
    timeline: Timeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = make_media(timeline, loop_frames=3)
    size = sum(len(getattr(one, name)) for one in media.values() for name in pages.PICTURES)
    monkeypatch.setattr(pages, "CARD_BYTES", 0)
    monkeypatch.setattr(pages, "MOST_BYTES", size * 4 // 3 // len(media) * 2.5)
    report = build_report(timeline, media, tmp_path / "report.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report_2.html", "report_3.html"]
    found = []
    for path in sorted(tmp_path.iterdir()):
        page = Page(path.read_text(encoding="utf-8"))
        cards = {place["id"] for place in page.all("article")}
        assert len(page.all("img", class_="sheet")) == len(cards)
        found.append(cards)
    assert sorted(map(len, found)) == [1, 2, 2]
    assert len(set.union(*found)) == len(media)
    links = {a["href"] for a in Page(report.read_text(encoding="utf-8")).all("a")}
    for number, cards in enumerate(found):
        assert {f"{f'report_{number + 1}.html' if number else ''}#{card}" for card in cards} <= links
    assert not found[0] & {link.partition("#")[2] for link in links if "report_" in link}


def test_a_report_appears_whole_or_not_at_all(
    timeline: Timeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build_report(timeline, {}, tmp_path / "out" / "report.html")
    assert path.read_text().endswith("</html>")

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fleeting.files._flush", full)
    with pytest.raises(OutputError, match="full disk"):
        build_report(timeline, {}, tmp_path / "other.html")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
