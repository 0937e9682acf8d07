"""A row of panels, one for each condition of flow, with error upwards; both axes are logarithmic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def panels_of(
    conditions: Sequence[str], path: Path, *, x: str, y: str, legend_size: int
) -> Iterator[Iterator[tuple[Any, str]]]:
    """Give each panel with its condition to draw in, then write the picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(conditions), figsize=(13, 3.6), sharey=True, layout="constrained")
    for panel, condition in zip(panels, conditions, strict=True):
        panel.set(title=condition, xscale="log", yscale="log", xlabel=x)
        panel.grid(alpha=0.3)
    yield zip(panels, conditions, strict=True)
    panels[0].set_ylabel(y)
    panels[-1].legend(fontsize=legend_size)
    figure.savefig(path, dpi=90)
    plt.close(figure)
