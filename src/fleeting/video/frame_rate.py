"""Frame rates as exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

NTSC_NOMINAL = (24, 30, 48, 60, 120, 240)
"""Nominal rates that cameras also run at 1000/1001 of; 29.97 is 30000/1001, not 2997/100."""


def exact_rate(fps: float | Fraction) -> Fraction:
    """Return the frame rate that a number means.

    Parameters
    ----------
    fps
        Frames per second. A float within 1 part in 10,000 of an NTSC rate (23.976, 29.97, 59.94, ...) becomes that
        rate; any other becomes the nearest fraction with a denominator of at most 1001.

    Raises
    ------
    ValueError
        Where it is not a positive finite number.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"Expected a positive number of frames per second; got {fps}.")
    if isinstance(fps, Fraction) or fps == round(fps):
        return Fraction(fps)
    for nominal in NTSC_NOMINAL:
        ntsc = Fraction(nominal * 1000, 1001)
        if abs(fps - ntsc) < 1e-4 * ntsc:
            return ntsc
    return Fraction(fps).limit_denominator(1001)
