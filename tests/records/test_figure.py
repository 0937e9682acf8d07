"""The figure of a timeline fits a journal: its size, its text, its lanes, and nothing that overlaps."""

from __future__ import annotations

import io
import itertools
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from timelines import FPS, SPEAKS_S, make_timeline

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib comes with the extra plots")
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.text import Text  # noqa: E402
from matplotlib.transforms import Bbox  # noqa: E402

from fleeting.errors import InputError, MissingExtraError  # noqa: E402
from fleeting.records import Timeline, UnitAnswer, figure  # noqa: E402


@pytest.fixture(scope="module")
def timeline() -> Timeline:
    """Events that follow each other closely, with units."""
    units = (UnitAnswer("AU12", "left", 0.8), UnitAnswer("AU06", "both", 0.6))
    made = make_timeline()
    events = tuple(replace(e, action_units=units) if e.kind in ("micro", "macro") else e for e in made.events)
    return replace(made, events=events)


def boxes(drawn: Figure, part: str = "") -> list[tuple[Text, Bbox]]:
    """Every text that is seen, with its place in the drawn figure."""
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    seen = [t for t in drawn.findobj(Text) if t.get_text() and t.get_visible() and part in t.get_text()]
    return [(t, t.get_window_extent(canvas.get_renderer())) for t in seen]


@pytest.mark.parametrize("width_mm", [88.0, 180.0])
def test_size_and_text_are_those_of_a_journal(timeline: Timeline, width_mm: float) -> None:
    drawn = timeline.plot(width_mm=width_mm)
    assert drawn.get_figwidth() * 25.4 == pytest.approx(width_mm)
    assert 60 < drawn.get_figheight() * 25.4 < 110
    assert min(text.get_fontsize() for text, _ in boxes(drawn)) >= 7
    whole = drawn.get_tightbbox(FigureCanvasAgg(drawn).get_renderer())  # of all that is drawn, in inches
    assert whole.x0 >= 0 <= whole.y0
    assert whole.x1 <= drawn.get_figwidth()
    assert whole.y1 <= drawn.get_figheight()


def test_every_expression_has_its_label_and_none_hides_another(timeline: Timeline) -> None:
    close = tuple(replace(e, apex_s=8 + 0.01 * e.apex_s) if e.kind == "micro" else e for e in timeline.events)
    for made in (timeline, replace(timeline, events=close)):
        placed = [box for _, box in boxes(made.plot(width_mm=88), "LAU12+AU06")]
        assert len(placed) == 5
        assert not any(a.overlaps(b) for a, b in itertools.combinations(placed, 2))


def test_the_lanes_show_kinds_and_speaking(timeline: Timeline) -> None:
    drawn = timeline.plot()
    curve, lanes = drawn.axes[0].child_axes
    assert [t.get_text() for t in lanes.get_yticklabels()] == ["Micro", "Macro", "Speaking", "Blinks"]
    spans = [p for c in lanes.collections for p in c.get_paths() if len(p.vertices) == 5]
    starts = sorted(round(float(p.vertices[:, 0].min()), 3) for p in spans)
    assert starts == sorted([*(round(e.onset_s, 3) for e in timeline.events), SPEAKS_S[0]])
    line = max((line.get_ydata() for line in curve.lines), key=len)
    assert np.nanmax(line) == pytest.approx(9.0, abs=0.3), "the smile, in percent"
    lids = [e for e in timeline.events if e.kind == "blink"]
    assert all(line[e.apex_frame] < 1 for e in lids), "blinks have a lane of their own"


def test_a_part_shows_what_lies_in_it(timeline: Timeline) -> None:
    drawn = timeline.plot(start=4.5, end=8.2)
    curve, lanes = drawn.axes[0].child_axes
    assert curve.get_xlim() == lanes.get_xlim() == (4.5, 8.2)
    assert len(boxes(drawn, "LAU12+AU06")) == 2


def test_it_is_drawn_into_axes_of_ones_own(timeline: Timeline) -> None:
    own = Figure(figsize=(7, 6))
    upper, lower = own.subplots(2)
    assert timeline.plot(ax=lower) is own
    place = lower.get_position()
    FigureCanvasAgg(own).draw()
    for child in lower.child_axes:
        inside = child.get_position()
        assert place.x0 - 1e-9 <= inside.x0
        assert inside.y1 <= place.y1 + 1e-9
    assert not upper.child_axes


def test_a_notebook_shows_it(timeline: Timeline) -> None:
    assert timeline.plot()._repr_png_().startswith(b"\x89PNG")


def test_a_pdf_holds_lines_and_no_picture(timeline: Timeline) -> None:
    file = io.BytesIO()
    timeline.plot().savefig(file, format="pdf")
    data = file.getvalue()
    assert data.startswith(b"%PDF")
    assert b"/Subtype /Image" not in data
    streams = re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL)
    drawn = b"".join(zlib.decompressobj().decompress(s) for s in streams if s[:1] == b"x")
    assert drawn.count(b" l\n") > 1000


def test_a_long_curve_keeps_its_peaks_and_its_gaps(timeline: Timeline) -> None:
    (signals,) = timeline.signals
    times = 40
    motion = np.tile(signals.motion, (times, 1))
    motion[100_000] = 50.0
    motion[60_000:64_000] = np.nan
    n = len(motion)
    long = replace(
        signals,
        time_s=np.arange(n) / FPS,
        motion=motion,
        eye_opening=np.tile(signals.eye_opening, (times, 1)),
        mouth_opening=np.tile(signals.mouth_opening, times),
        pose=np.tile(signals.pose, (times, 1)),
        speaking=np.zeros(n, np.float32),
    )
    drawn = replace(timeline, signals=(long,), duration_s=n / FPS).plot()
    curve = drawn.axes[0].child_axes[0]
    line = max(curve.lines, key=lambda line: len(line.get_ydata()))
    time_s, height = line.get_xdata(), line.get_ydata()
    assert len(time_s) <= figure.MOST_POINTS
    assert np.nanmax(height) == 50.0
    assert time_s[np.nanargmax(height)] == 100_000 / FPS
    gap = time_s[np.isnan(height)]
    assert gap.min() == pytest.approx(60_000 / FPS, abs=1)
    assert gap.max() == pytest.approx(64_000 / FPS, abs=1)
    assert np.all(np.diff(time_s) > 0)


def test_the_face_is_chosen(tmp_path: Path) -> None:
    two = make_timeline(faces=2, seconds=4)
    first, second = (two.plot(face=face).axes[0].child_axes[0].lines[0].get_ydata() for face in (0, 1))
    assert not np.array_equal(first, second)
    with pytest.raises(InputError, match=r"an analysed face \(0, 1\); got 2"):
        two.plot(face=2)
    nothing = replace(two, signals=(), events=())
    nothing.plot().savefig(tmp_path / "empty.pdf")
    assert (tmp_path / "empty.pdf").stat().st_size > 1000


def test_what_cannot_be_drawn_is_said(timeline: Timeline, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="a start before the end"):
        timeline.plot(start=3, end=3)
    with pytest.raises(InputError, match="width_mm of at least 60"):
        timeline.plot(width_mm=20)
    monkeypatch.setattr(figure, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fleeting\[plots\]'"):
        timeline.plot()
