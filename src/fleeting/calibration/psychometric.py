"""How often a movement of a given size is found: the psychometric function of a recording.

The rate of detection at a peak displacement a is ``(1 - lapse) / (1 + (half / a) ** slope)``: logistic in log a, with
the share of movements that are missed however large they are (F. A. Wichmann and N. J. Hill, "The psychometric
function: I. Fitting, sampling, and goodness of fit", Perception & Psychophysics 63, 2001, equation 1, guess rate 0).
The likelihood is computed on a grid of the three parameters, which holds where nothing or everything was found and an
iterative maximum would run away. Intervals are those of the profile likelihood (D. J. Venzon and S. H. Moolgavkar, "A
method for computing profile-likelihood-based confidence intervals", Applied Statistics 37, 1988): all values that some
parameters give whose likelihood is within `DROP` of the largest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleeting.errors import SettingsError

Array = npt.NDArray[np.float64]

DROP = 3.841 / 2
"""Half of the 95 % quantile of chi square with one degree of freedom."""

SLOPES = np.geomspace(1.0, 30.0, 40)
"""From a rate that rises from 0.1 to 0.9 over a factor of 80, to one that jumps within a sixth."""

LAPSES = np.array([0, 0.005, 0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.0999, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7])
HALVES = 160
BEYOND = 4.0
"""Factor by which the amplitude of the middle may lie outside what was tried."""


@dataclass(frozen=True, slots=True)
class DetectionFit:
    """A fitted psychometric function with all parameters that the trials allow.

    Attributes
    ----------
    half, slope, lapse
        Of the largest likelihood; `half` in percent of the inter-ocular distance.
    allowed
        (k, 3) half, slope and lapse of all grid points within the 95 % region of the profile likelihood.
    """

    half: float
    slope: float
    lapse: float
    allowed: Array

    def rate(self, percent: Array | float) -> Array:
        """Fitted rate of detection at peak displacements in percent of the inter-ocular distance."""
        return _rate(np.asarray(percent, np.float64), self.half, self.slope, self.lapse)

    def band(self, percent: Array) -> tuple[Array, Array]:
        """Lowest and highest rate, 95 % interval at each peak displacement (n,) on its own."""
        half, slope, lapse = (column[:, None] for column in self.allowed.T)
        rates = _rate(np.asarray(percent, np.float64)[None], half, slope, lapse)
        return rates.min(axis=0), rates.max(axis=0)

    def level(self, rate: float) -> tuple[float, float, float]:
        """Peak displacement that is found at a rate, and its 95 % interval; infinite where the rate is never reached.

        Parameters
        ----------
        rate
            In 0..1, both excluded.
        """
        best = _level(np.array([[self.half, self.slope, self.lapse]]), rate)[0]
        allowed = _level(self.allowed, rate)
        return float(best), float(min(allowed.min(), best)), float(max(allowed.max(), best))


def fit_detection(percent: npt.NDArray[np.floating], found: npt.NDArray[np.bool_]) -> DetectionFit:
    """Fit the psychometric function to trials.

    Parameters
    ----------
    percent
        (n,) peak displacements, percent of the inter-ocular distance, above 0.
    found
        (n,) whether each was found.

    Raises
    ------
    SettingsError
        Without trials, or with a displacement that is not above 0.
    """
    size, hit = np.asarray(percent, np.float64), np.asarray(found, bool)
    if (
        size.ndim != 1
        or size.shape != hit.shape
        or not len(size)
        or not (size > 0).all()
        or not np.isfinite(size).all()
    ):
        raise SettingsError(
            "one positive displacement and one answer for each of at least one trial",
            f"shapes {size.shape} and {hit.shape}",
            "Give both as arrays of the same length.",
        )
    halves = np.geomspace(size.min() / BEYOND, size.max() * BEYOND, HALVES)
    likelihood = _likelihood(size, hit, halves, SLOPES, LAPSES)
    place = tuple(int(i) for i in np.unravel_index(int(np.argmax(likelihood)), likelihood.shape))
    best, top = _refined(size, hit, (halves, SLOPES, LAPSES), place)
    inside = np.argwhere(likelihood >= top - DROP)
    allowed = np.stack([grid[inside[:, k]] for k, grid in enumerate((halves, SLOPES, LAPSES))], axis=1)
    return DetectionFit(*best, allowed=np.concatenate([allowed, [best]]))


def _refined(
    size: Array, hit: npt.NDArray[np.bool_], grids: tuple[Array, Array, Array], place: tuple[int, ...]
) -> tuple[tuple[float, float, float], float]:
    """Maximum between the neighbours of the best grid point, and its log likelihood."""
    around = [np.linspace(g[max(i - 1, 0)], g[min(i + 1, len(g) - 1)], 9) for g, i in zip(grids, place, strict=True)]
    fine = _likelihood(size, hit, *around)
    i, j, k = np.unravel_index(int(np.argmax(fine)), fine.shape)
    return (float(around[0][i]), float(around[1][j]), float(around[2][k])), float(fine.max())


def _rate(percent: Array, half: Array | float, slope: Array | float, lapse: Array | float) -> Array:
    return np.asarray((1.0 - lapse) / (1.0 + np.exp(-slope * (np.log(percent) - np.log(half)))))


def _level(parameters: Array, rate: float) -> Array:
    half, slope, lapse = parameters.T
    reach = 1.0 - lapse
    odds = rate / np.maximum(reach - rate, 1e-12)
    return np.where(reach > rate, half * odds ** (1.0 / slope), np.inf)


def _likelihood(size: Array, hit: npt.NDArray[np.bool_], halves: Array, slopes: Array, lapses: Array) -> Array:
    """(halves, slopes, lapses) log likelihood."""
    clear = 1.0 / (1.0 + np.exp(-slopes[None, :, None] * (np.log(size) - np.log(halves)[:, None])[:, None, :]))
    hits, misses = np.clip(clear[..., hit], 1e-12, 1.0), clear[..., ~hit]
    logs = np.log(hits).sum(axis=-1)
    total = np.empty((len(halves), len(slopes), len(lapses)))
    for k, lapse in enumerate(lapses):
        missed = np.log(np.clip(1.0 - (1.0 - lapse) * misses, 1e-12, 1.0)).sum(axis=-1)
        total[..., k] = logs + hit.sum() * math.log1p(-lapse) + missed
    return total
