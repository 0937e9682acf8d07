"""A timeline as a figure for a journal, drawn with matplotlib (the extra ``plots``).

The curve lies above, a lane for each kind of event below. Every kind has its own lane, and its own colour of a palette
that people with any colour vision tell apart (Okabe and Ito). No text is smaller than 7 points.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError, MissingExtraError
from fleeting.records.events import Event
from fleeting.records.faces import REGIONS, Signals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 7.0
"""Size of all text; journals ask for at least 5 to 7 points."""

LANE_MM, CURVE_MM = 6.0, 26.0
LABEL_MM, FOOT_MM, EDGE_MM = 19.0, 10.0, 2.0
"""Room for the names of the lanes, for the axis of time, and at the other sides."""

MOST_POINTS = 4000
"""A longer curve is drawn by the extremes of its pieces: no printer shows more."""

COLOURS = {"micro": "#D55E00", "macro": "#0072B2", "speaking": "#009E73", "blink": "#555555"}
LANES = {"micro": "Micro", "macro": "Macro", "speaking": "Speaking", "blink": "Blinks"}
KINDS = {"wink": "blink"}
"""Lanes of the kinds that have none of their own name."""

Label = tuple[int, float, str]
"""Row of a label below its lane, the seconds of its middle, and its text."""

LIDS = tuple(place for place, name in enumerate(REGIONS) if name.endswith("_lid"))


def draw(
    signals: Signals | None,
    events: Sequence[Event],
    span_s: tuple[float, float],
    *,
    width_mm: float,
    ax: Axes | None = None,
) -> Figure:
    """Draw the events and the curve of one face; see `Timeline.plot`.

    Parameters
    ----------
    signals
        Curves of the face; None where there are none.
    events
        Of the face.
    span_s
        First and last second that are shown.
    width_mm
        Of the figure, where there is no `ax`.
    ax
        Axes whose place is used.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    InputError
        For a width that leaves no room, or a span without a length.
    """
    if find_spec("matplotlib") is None:
        raise MissingExtraError("plots", "figures")
    if not span_s[0] < span_s[1]:
        raise InputError("a start before the end", f"{span_s[0]:g} s and {span_s[1]:g} s", "Choose others.")
    events = [e for e in events if e.onset_s <= span_s[1] and e.offset_s >= span_s[0]]
    if ax is None:
        if width_mm < 60:
            raise InputError("a width_mm of at least 60", f"{width_mm:g}", "A column of a journal has about 88 mm.")
        labels = _placed(events, span_s, width_mm - LABEL_MM - EDGE_MM)
        height_mm = EDGE_MM + CURVE_MM + FOOT_MM + LANE_MM * sum(_heights(labels).values())
        figure = _shown_in_notebooks()(figsize=(width_mm / 25.4, height_mm / 25.4))
        place = (LABEL_MM / width_mm, FOOT_MM / height_mm)
        size = (1 - place[0] - EDGE_MM / width_mm, 1 - place[1] - EDGE_MM / height_mm)
        ax = figure.add_axes((*place, *size))
    else:
        labels = _placed(events, span_s, ax.get_window_extent().width / ax.figure.dpi * 25.4)
    ax.set_axis_off()
    heights = _heights(labels)
    share = sum(heights.values()) * LANE_MM / (sum(heights.values()) * LANE_MM + CURVE_MM)
    curve = ax.inset_axes((0.0, share, 1.0, 1 - share))
    lanes = ax.inset_axes((0.0, 0.0, 1.0, share - 0.02), sharex=curve)
    _draw_curve(curve, signals, events, span_s)
    _draw_lanes(lanes, signals, events, labels)
    for axes in (curve, lanes):
        axes.tick_params(labelsize=POINTS, width=0.6)
        axes.tick_params(axis="x", length=2.5)
        axes.set_xlim(*span_s)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_linewidth(0.6)
    curve.tick_params(labelbottom=False)
    lanes.set_xlabel("Time (s)", fontsize=POINTS)
    whole: Figure = ax.figure  # type: ignore[assignment]
    return whole


def _shown_in_notebooks() -> type[Figure]:
    """Return a kind of figure that a notebook shows; pyplot's are, but it would keep every figure in memory."""
    from matplotlib.figure import Figure

    class TimelineFigure(Figure):
        def _repr_png_(self) -> bytes:
            picture = io.BytesIO()
            self.savefig(picture, format="png", dpi=150)
            return picture.getvalue()

    return TimelineFigure


def _draw_curve(axes: Axes, signals: Signals | None, events: Sequence[Event], span_s: tuple[float, float]) -> None:
    for event in events:
        if event.kind in ("micro", "macro"):
            axes.axvspan(event.onset_s, event.offset_s, color=COLOURS[event.kind], alpha=0.18, linewidth=0)
    if signals is not None:
        time_s, height = _curve(signals, span_s)
        axes.plot(time_s, height, color="black", linewidth=0.6)
        for event in events:
            if event.kind in ("micro", "macro") and len(time_s):
                at = int(np.clip(np.searchsorted(signals.time_s, event.apex_s), 0, len(signals.time_s) - 1))
                top = _height(signals.motion[at : at + 1])
                axes.plot(event.apex_s, top[0], marker="v", markersize=3.5, color=COLOURS[event.kind], clip_on=True)
    axes.set_ylim(bottom=0)
    axes.tick_params(axis="y", length=2.5)
    axes.set_ylabel("Displacement\n(% IOD)", fontsize=POINTS)


def _curve(signals: Signals, span_s: tuple[float, float]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Return the largest displacement of all regions but the lids; of a long curve both extremes of every piece."""
    first, last = np.searchsorted(signals.time_s, span_s, side="left")
    time_s = np.asarray(signals.time_s[first : last + 1])
    height = _height(signals.motion[first : last + 1])
    if len(time_s) <= MOST_POINTS:
        return time_s, height
    pieces = np.array_split(np.arange(len(time_s)), MOST_POINTS // 2)
    # Of a piece with a gap both are the gap, as numpy takes NaN for the least and the largest.
    shown = np.unique([piece[extreme(height[piece])] for piece in pieces for extreme in (np.argmin, np.argmax)])
    return time_s[shown], height[shown]


def _height(motion: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(np.delete(np.asarray(motion), LIDS, axis=1).max(axis=1), np.float32)


def _draw_lanes(
    axes: Axes,
    signals: Signals | None,
    events: Sequence[Event],
    labels: Mapping[str, Sequence[Label]],
) -> None:
    top, heights = 0.0, _heights(labels)
    middles = []
    for lane in LANES:
        bar = (top - 0.8, 0.6)
        middles.append(top - 0.5)
        if lane == "speaking":
            spans = [] if signals is None else [(a, b - a) for a, b in signals.speaking_spans]
            axes.broken_barh(spans, bar, color=COLOURS[lane], linewidth=0)
        for event in (e for e in events if KINDS.get(e.kind, e.kind) == lane):
            axes.broken_barh(
                [(event.onset_s, event.offset_s - event.onset_s)], bar, color=COLOURS[lane], alpha=0.55, linewidth=0
            )
            axes.vlines([event.onset_s, event.offset_s], bar[0], bar[0] + bar[1], COLOURS[lane], linewidth=0.6)
            axes.vlines(event.apex_s, bar[0] - 0.1, bar[0] + bar[1] + 0.1, COLOURS[lane], linewidth=1.2)
        for row, middle_s, text in labels.get(lane, ()):
            axes.text(middle_s, top - 0.95 - 0.5 * row, text, fontsize=POINTS, ha="center", va="top")
        top -= heights[lane]
    axes.set_ylim(top - 0.1, 0)
    axes.set_yticks(middles, list(LANES.values()))
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def label(event: Event) -> str:
    """Return what is written below an event: its class, and its action units."""
    return " ".join(part for part in (event.emotion or "", event.action_units_text) if part)


def _placed(events: Sequence[Event], span_s: tuple[float, float], width_mm: float) -> dict[str, list[Label]]:
    """Return the labels of both lanes of expressions, in rows in which none touches another, all within the span."""
    letter_s = (span_s[1] - span_s[0]) * 0.55 * POINTS * 25.4 / 72 / width_mm  # about half as wide as high
    lanes: dict[str, list[Label]] = {"micro": [], "macro": []}
    for lane, placed in lanes.items():
        ends: list[float] = []
        for event, text in ((e, t) for e in events if e.kind == lane and (t := label(e))):
            half = 0.5 * letter_s * (len(text) + 1)
            middle = max(min(event.apex_s, span_s[1] - half), span_s[0] + half)
            row = next((r for r, end in enumerate(ends) if end <= middle - half), len(ends))
            ends[row : row + 1] = [middle + half]
            placed.append((row, middle, text))
    return lanes


def _heights(labels: Mapping[str, Sequence[Label]]) -> dict[str, float]:
    """Return the height of each lane in units of `LANE_MM`: one, and a half for each row of labels."""
    return {lane: 1 + 0.5 * (1 + max((row for row, *_ in labels.get(lane, ())), default=-1)) for lane in LANES}
