"""Pairs by which methods of flow are compared: five sizes of movement in four conditions, always the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fleeting.errors import SettingsError
from fleeting.synthesis.flow.pairs import Damage, Pair, draw_light, film_pair
from fleeting.synthesis.flow.portrait import FlowPortrait
from fleeting.synthesis.flow.scene import PairSettings, draw_field, place

PEAKS: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 6.0)
"""Largest displacement of a movement in pixels; where its field would fold the movement is smaller."""

CONDITIONS: dict[str, str] = {
    "clean": "rounding to whole grey levels alone",
    "noise": "sensor noise of 1.5 grey levels",
    "h264": "sensor noise of 1 grey level, then H.264 at a rate factor of 23: the first and the last of six frames",
    "light": "another lamp in the second picture: gain, offset, gamma, their gradients, a soft shadow",
}
"""Conditions by name."""


def grid_pairs(
    portraits: Sequence[FlowPortrait],
    movements: npt.NDArray[np.float32],
    *,
    peak: float,
    condition: str,
    count: int,
    side: int = 160,
    seed: int = 0,
) -> Iterator[Pair]:
    """Draw the pairs of one size in one condition; pictures and movements are the same in every condition.

    Parameters
    ----------
    portraits, movements
        As for `flow_pairs.draw_pair`.
    peak
        In pixels.
    condition
        Of `CONDITIONS`.
    count
        Number of pairs.
    side
        Height and width of the pictures.
    seed
        Of all that is drawn.

    Raises
    ------
    SettingsError
        For an unknown condition.
    """
    if condition not in CONDITIONS:
        raise SettingsError(f"a condition of {', '.join(CONDITIONS)}", f"'{condition}'", "Choose one of them.")
    settings = PairSettings(side=side, blink=0.0)
    for i in range(count):
        rng = np.random.default_rng([seed, round(1000 * peak), i])
        scene = place(portraits[i % len(portraits)], settings, rng)
        field = draw_field(scene, movements, peak, rng)
        light = draw_light(side, rng)
        damage = {
            "clean": Damage(),
            "noise": Damage(noise=1.5),
            "h264": Damage(noise=1.0, crf=23.0),
            "light": Damage(light=light),
        }[condition]
        yield film_pair(scene, field, damage, rng)
