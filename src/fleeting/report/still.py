"""The timeline as a still picture, drawn without scripts: events as blocks, and for each row its largest curves.

What has words stands in the page beside it, so that the picture can be stretched to any width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.records import EVENT_KINDS, REGIONS, Signals, Timeline
from fleeting.report.curves import ROWS, SIDES, floors
from fleeting.report.wording import number

WIDTH, HEIGHT = 1000, 100
"""Units of a row's picture."""

STRETCHES = 250
"""Points of a line at most: of each stretch of frames the largest value is drawn, so that no peak is lost."""

MOST_TICKS = 6
LEAST_WIDTH = 3.0


def still(signals: Signals, timeline: Timeline, titles: Mapping[int, str]) -> dict[str, Any] | None:
    """Return one face's timeline for the template; None where nothing can be drawn.

    Parameters
    ----------
    signals
        Of the face.
    timeline
        Of the video.
    titles
        Of the events, by place in ``timeline.events``.

    Returns
    -------
    dict
        ``rows`` with ``title``, ``most`` (the value at the upper edge), ``floor`` (height of the grey floor, or None)
        and ``lines`` of ``side`` and SVG path; ``lanes`` of a kind and its ``marks``, of winks only where there are
        any; marks of ``speaking``; ``cuts``, places from the left; ``ticks`` of ``percent`` from the left and ``text``.
    """
    time_s = np.asarray(signals.time_s, np.float64)
    if len(time_s) < 2 or not time_s[-1] > time_s[0]:
        return None
    first, lasts = float(time_s[0]), float(time_s[-1] - time_s[0])
    x = WIDTH * (time_s - first) / lasts
    floor_of = dict(zip(ROWS, floors(signals, timeline), strict=True))
    rows = []
    for title, names in ROWS.items():
        eyes = names == SIDES
        lines: dict[str, npt.NDArray[np.float64]] = {}
        for name in names:
            side = name.partition("_")[0] if name.startswith(("left_", "right_")) else "middle"
            shown = signals.eye_opening[:, SIDES.index(name)] if eyes else signals.motion[:, REGIONS.index(name)]
            values = np.asarray(shown, np.float64)
            lines[side] = np.asarray(np.fmax(lines[side], values), np.float64) if side in lines else values
        most = max((float(v[np.isfinite(v)].max()) for v in lines.values() if np.isfinite(v).any()), default=0.0)
        floor = floor_of[title]
        most = max(most, floor or 0.0, 1e-6)
        # Of open eyes, what matters is that they close.
        paths = [{"side": side, "d": _path(x, HEIGHT * (1 - v / most), lowest=eyes)} for side, v in lines.items()]
        rows.append(
            {
                "title": title,
                "most": number(most, 2) + ("" if eyes else " %"),
                "floor": None if floor is None else round(HEIGHT * floor / most, 1),
                "lines": paths,
            }
        )
    shown_kinds = [k for k in EVENT_KINDS if k != "wink" or timeline.of_kind("wink")]
    lanes: dict[str, list[dict[str, Any]]] = {kind: [] for kind in shown_kinds}
    for index, event in enumerate(timeline.events):
        start, end = (WIDTH * (t - first) / lasts for t in (event.onset_s, event.offset_s))
        if event.face == signals.face and np.isfinite([start, end]).all():
            mark = {"index": index, "title": titles.get(index, event.kind.capitalize()), "x": round(start, 1)}
            lanes[event.kind].append(mark | {"width": round(max(end - start, LEAST_WIDTH), 1)})
    spoken = [tuple(WIDTH * (t - first) / lasts for t in span) for span in signals.speaking_spans]
    speaking = [{"x": round(a, 1), "width": round(max(b - a, LEAST_WIDTH), 1)} for a, b in spoken]
    cuts = [round(WIDTH * (c.time_s - first) / lasts, 1) for c in timeline.cuts if 0 <= c.time_s - first <= lasts]
    times = _ticks(first, first + lasts)
    ticks = [{"percent": round(100 * (t - first) / lasts, 2), "text": number(t, 8)} for t in times]
    return {"rows": rows, "lanes": lanes, "speaking": speaking, "cuts": cuts, "ticks": ticks}


def _ticks(first: float, last: float) -> list[float]:
    """Round times between two, a step of 1, 2 or 5 times a power of ten apart."""
    least = (last - first) / (MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= least)
    return [round(n * step, 9) for n in range(math.ceil(first / step), math.floor(last / step) + 1)]


def _path(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], *, lowest: bool) -> str:
    """SVG path of a line, downwards in y; of each stretch its highest place, or its lowest."""
    parts, pen = [], "M"
    for places in np.array_split(np.arange(len(y)), min(STRETCHES, len(y))):
        seen = places[np.isfinite(y[places])]
        if not len(seen):
            pen = "M"
            continue
        at = seen[np.argmax(y[seen]) if lowest else np.argmin(y[seen])]
        parts.append(f"{pen}{x[at]:.0f} {y[at]:.1f}")
        pen = "L"
    return "".join(parts)
