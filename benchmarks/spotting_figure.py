"""Detection rate by size of the movement: the table and the picture of `benchmarks/spotting.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fleeting.evaluation.spotting import Match
from fleeting.metrics import wilson

AMPLITUDES = (0.7, 1.0, 1.4, 2.0, 3.0, 5.0)
"""Edges of the bins, percent of the inter-ocular distance."""


def detection_table(matches: Sequence[Match]) -> list[dict[str, Any]]:
    """Count marked and found micro-expressions in each bin of size, with the rate and its 95 % Wilson interval."""
    sizes = [(m.truth.peak_percent_iod, m.event is not None) for m in matches if m.truth and m.truth.kind == "micro"]
    bins = []
    for low, high in zip(AMPLITUDES, AMPLITUDES[1:], strict=False):
        hits = [hit for size, hit in sizes if low <= size < high]
        least, most = wilson(sum(hits), len(hits))
        rate = sum(hits) / len(hits) if hits else None
        bins.append({"events": len(hits), "found": sum(hits), "rate": rate, "low": least, "high": most})
    return bins


def draw_detection(detection: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]], path: Path) -> None:
    """Draw a panel for each set with a curve for each frame rate.

    Parameters
    ----------
    detection
        `detection_table` by set and frame rate.
    path
        Of the picture.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(detection), figsize=(5 * len(detection), 3.8), sharey=True, squeeze=False)
    middles = [(low * high) ** 0.5 for low, high in zip(AMPLITUDES, AMPLITUDES[1:], strict=False)]
    for panel, (kind, by_rate) in zip(panels[0], detection.items(), strict=True):
        for place, (fps, bins) in enumerate(by_rate.items()):
            # Side by side, so that the intervals can be told apart.
            shift = 1.03 ** (place - (len(by_rate) - 1) / 2)
            shown = [(m * shift, b) for m, b in zip(middles, bins, strict=True) if b["events"]]
            rates = [b["rate"] for _, b in shown]
            below = [b["rate"] - b["low"] for _, b in shown]
            above = [b["high"] - b["rate"] for _, b in shown]
            panel.errorbar(
                [x for x, _ in shown], rates, yerr=[below, above], marker="o", capsize=2, label=f"{fps} frames/s"
            )
        panel.set(title=kind, xscale="log", ylim=(-0.03, 1.03), xlabel="peak displacement, % of inter-ocular distance")
        panel.set_xticks(AMPLITUDES, [f"{a:g}" for a in AMPLITUDES])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("share found at IoU >= 0.5 (95 % interval)")
    panels[0][-1].legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
