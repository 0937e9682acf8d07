"""The quality of a recording in words: the same rows whichever command measured it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def quality_rows(quality: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, value with its unit, verdict and advice of each measure of `quality.meter.Quality.to_dict`."""
    for name, measure in quality.items():
        value = measure["value"]
        said = "not measured" if value is None else f"{value:.3g} {measure['unit']}"
        yield name.replace("_", " "), said, measure["verdict"], measure["advice"]
