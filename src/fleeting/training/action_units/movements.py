"""Movements whose action units and sides are known, drawn at random: what the network sees before it sees people.

Half of them are sets of units that go together in faces (`CLASS_ACTION_UNITS`), half
are any units, so that rare ones are as frequent as common ones. Some show on one side, a few each unit on a side of its
own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleeting.labels import THREE_CLASSES
from fleeting.naming.action_units import UNITS
from fleeting.synthesis.face.action_units import ACTION_UNITS

NAMES: tuple[str, ...] = tuple(ACTION_UNITS)
"""Units of the synthesis, in the order of `Movement.weights`."""

CLASS_ACTION_UNITS: dict[str, tuple[str, ...]] = {
    "negative": (
        "AU04", "AU04+AU07", "AU04+AU07", "AU07", "AU09", "AU09+AU10", "AU10", "AU10+AU17", "AU15", "AU15+AU17",
        "AU01+AU04", "AU14", "AU17", "AU04+AU09", "AU12+AU14", "AU23", "AU01+AU04+AU15", "AU20", "AU04+AU05+AU07+AU23",
    ),
    "positive": ("AU12", "AU06+AU12", "AU06+AU12", "AU12+AU25", "AU06"),
    "surprise": (
        "AU01+AU02", "AU01+AU02", "AU01+AU02+AU05", "AU02", "AU01+AU02+AU26", "AU01+AU02+AU05+AU26", "AU01+AU02+AU25",
        "AU26",
    ),
}  # fmt: skip
"""Sets of units of which one is drawn; a micro-expression often shows a part of a prototype. After the labelling
criteria of CASME II (Yan et al., PLoS ONE 9(1), 2014, e86041) and the prototypes of `synthesis.face.emotions`."""

TOGETHER: tuple[tuple[str, ...], ...] = tuple(
    tuple(text.split("+")) for sets in CLASS_ACTION_UNITS.values() for text in sets
)

SMALLER: dict[str, float] = {"AU05": 0.6, "AU06": 0.8, "AU07": 0.6}
"""Typical size beside a unit of size 1: the lids move less than brows and mouth corners."""

UNKNOWN = -1


NO_CLASS = -1


@dataclass(frozen=True, slots=True)
class MovementSettings:
    """How movements are drawn.

    Attributes
    ----------
    one_sided
        Probability that all of a movement shows on one side.
    mixed_sides
        Probability that each unit has a side of its own: left, right or both.
    weight_spread, side_spread
        Standard deviations of the logarithm of a unit's size, and of either side of it.
    small_unit
        Probability of a further unit of 0.3 times the size, which is neither asked for nor held against the network.
    blink
        Probability that the lids close or open meanwhile, by up to `blink_size` of the movement.
    """

    one_sided: float = 0.3
    mixed_sides: float = 0.1
    weight_spread: float = 0.35
    side_spread: float = 0.2
    small_unit: float = 0.3
    blink: float = 0.25
    blink_size: float = 1.5


@dataclass(frozen=True, slots=True)
class Movement:
    """Units with their sizes.

    Attributes
    ----------
    weights
        (units, 2) float32 of `NAMES` on the person's left and right; of a unit of the midline both are equal.
    truth
        (units, 2) int64 of `naming.action_units.UNITS`: 1 moved, 0 not, `UNKNOWN` too small to say.
    """

    weights: npt.NDArray[np.float32]
    truth: npt.NDArray[np.int64]


def draw(settings: MovementSettings, rng: np.random.Generator) -> Movement:
    """Draw a movement of one to four units."""
    weights = np.zeros((len(NAMES), 2), np.float32)
    truth = np.zeros((len(UNITS), 2), np.int64)
    if rng.random() < 0.5:
        chosen = list(TOGETHER[rng.integers(len(TOGETHER))])
    else:
        chosen = [str(name) for name in rng.choice(UNITS, size=int(rng.integers(1, 4)), replace=False)]
    kind = rng.random()
    one = np.eye(2)[rng.integers(2)]
    for name in chosen:
        shown = np.ones(2)
        if not ACTION_UNITS[name].midline:
            if kind < settings.one_sided:
                shown = one
            elif kind < settings.one_sided + settings.mixed_sides:
                shown = np.array([(1, 1), (1, 0), (0, 1)][rng.integers(3)], float)
            shown = shown * np.exp(rng.normal(0, settings.side_spread, 2))
        size = SMALLER.get(name, 1.0) * np.exp(rng.normal(0, settings.weight_spread))
        weights[NAMES.index(name)] = shown * size
        if name in UNITS:
            truth[UNITS.index(name)] = shown > 0
    if rng.random() < settings.small_unit:
        name = str(rng.choice([n for n in UNITS if n not in chosen]))
        weights[NAMES.index(name)] = 0.3
        truth[UNITS.index(name)] = UNKNOWN
    if rng.random() < settings.blink:
        weights[NAMES.index("AU43")] += settings.blink_size * rng.uniform(-0.5, 1)
    return Movement(weights, truth)


def classes_of(truth: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the class (n,) of movements, index into `labels.THREE_CLASSES`, where their units are those of one class.

    Parameters
    ----------
    truth
        (n, units, 2) as `Movement.truth`; units that are not known do not count.

    Returns
    -------
    (n,) int64
        `NO_CLASS` for any other set of units.
    """
    classes: dict[frozenset[str], set[int]] = {}
    for k, name in enumerate(THREE_CLASSES):
        for text in CLASS_ACTION_UNITS[name]:
            classes.setdefault(frozenset(text.split("+")) & frozenset(UNITS), set()).add(k)
    found = []
    for row in (truth == 1).any(2):
        of_units = classes.get(frozenset(np.array(UNITS)[row]), set()) if row.any() else set()
        found.append(next(iter(of_units)) if len(of_units) == 1 else NO_CLASS)
    return np.array(found, np.int64)
