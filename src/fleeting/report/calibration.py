"""The panel of a calibration: how small a movement the recording can show."""

from __future__ import annotations

import math
from typing import Any

from fleeting.records import Calibration


def panel(calibration: Calibration) -> dict[str, Any]:
    """Return what the page's panel shows in words and in its table."""
    return {
        "summary": calibration.summary,
        "limits": calibration.limits,
        "quiet_share": calibration.quiet_share,
        "trials": len(calibration.trials),
        "lapse": calibration.lapse,
        "half": calibration.percent_found_half,
        "rows": [
            {"low": low, "high": high, "trials": n, "found": found, "noticed": noticed, "least": least, "most": most}
            for low, high, n, found, noticed, least, most in calibration.bins
        ],
    }


def chart(calibration: Calibration) -> dict[str, Any]:
    """Return the numbers of the page's chart, for JSON: no NaN, four digits."""
    sizes, rates, lowest, highest = zip(*calibration.curve, strict=True)
    return {
        "size": _digits(sizes),
        "rate": _digits(rates),
        "lowest": _digits(lowest),
        "highest": _digits(highest),
        "bins": [
            {
                "size": _digit(math.sqrt(low * high)),
                "share": _digit(found / n),
                "least": _digit(least),
                "most": _digit(most),
                "text": f"{low:.2f} to {high:.2f} %: {found} of {n} found",
            }
            for low, high, n, found, _, least, most in calibration.bins
        ],
        "level": _digit(calibration.percent_found_9_in_10),
        "interval": [_digit(v) for v in calibration.interval_percent],
        "tried": _digits(calibration.tried_percent),
    }


def _digits(values: tuple[float, ...]) -> list[float | None]:
    return [_digit(v) for v in values]


def _digit(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None
