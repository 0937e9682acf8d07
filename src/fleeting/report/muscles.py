"""The muscles of action units, drawn on the sketch of a face in the card of an event.

Coordinates are those of the canonical crop (140 x 170), in which the person's left is on the right. Muscles after
P. Ekman and W. V. Friesen, "Facial Action Coding System", 1978; where they lie is drawn by eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fleeting.records import UnitAnswer


@dataclass(frozen=True, slots=True)
class Muscle:
    """What a unit does, the muscle that does it, and its course.

    Attributes
    ----------
    name, muscle
        Of the Facial Action Coding System.
    path
        SVG path on the person's left; of a unit without sides the whole.
    sides
        Whether the unit has sides.
    """

    name: str
    muscle: str
    path: str
    sides: bool = True


MUSCLES: dict[str, Muscle] = {
    "AU01": Muscle("inner brow raiser", "frontalis, pars medialis", "M83 19V-14M93 18V-17"),
    "AU02": Muscle(
        "outer brow raiser", "frontalis, pars lateralis", "M109 16C112 4 112-6 110-15M123 20C128 9 128 1 125-7",
    ),
    "AU04": Muscle("brow lowerer", "corrugator, procerus", "M78 28L102 16M76 42V26"),
    "AU05": Muscle("upper lid raiser", "levator palpebrae superioris", "M91 42Q107 27 123 42"),
    "AU06": Muscle(
        "cheek raiser", "orbicularis oculi, pars orbitalis", "M83 50C86 72 131 72 135 46C134 38 132 33 128 30",
    ),
    "AU07": Muscle("lid tightener", "orbicularis oculi, pars palpebralis", "M90 51Q107 63 124 50"),
    "AU09": Muscle("nose wrinkler", "levator labii superioris alaeque nasi", "M78 48L84 96"),
    "AU10": Muscle("upper lip raiser", "levator labii superioris", "M102 68L89 112"),
    "AU12": Muscle("lip corner puller", "zygomaticus major", "M132 82L102 122"),
    "AU14": Muscle("dimpler", "buccinator", "M128 116L104 124"),
    "AU15": Muscle("lip corner depressor", "depressor anguli oris", "M102 129L109 158"),
    "AU17": Muscle("chin raiser", "mentalis", "M62 148V166M77 148V166", sides=False),
    "AU20": Muscle("lip stretcher", "risorius", "M137 130L105 126"),
    "AU25": Muscle("lips part", "depressor labii inferioris", "M58 142L51 160M81 142L88 160", sides=False),
    "AU26": Muscle("jaw drop", "masseter relaxed", "M4 106L16 150M135 106L123 150", sides=False),
}  # fmt: skip


def strokes(units: tuple[UnitAnswer, ...]) -> list[dict[str, Any]]:
    """Return what the sketch draws: a path for each side of each unit, the least probable unit first.

    Returns
    -------
    Of each: ``path``, ``mirrored`` (the person's right), ``opacity`` and ``title``. A unit without a drawing is left
    out.
    """
    drawn = []
    for unit in reversed(units):
        muscle = MUSCLES.get(unit.unit)
        if muscle is None:
            continue
        for side in ("left", "right") if muscle.sides else ("left",):
            if muscle.sides and unit.side not in (side, "both"):
                continue
            drawn.append(
                {
                    "path": muscle.path,
                    "mirrored": side == "right",
                    "opacity": round(0.35 + 0.6 * unit.probability, 2),
                    "title": f"{unit}: {muscle.name}, {muscle.muscle}",
                }
            )
    return drawn


def rows(units: tuple[UnitAnswer, ...]) -> list[dict[str, Any]]:
    """Return a row for each unit: as it is written, what it does, its muscle and its probability."""
    found = []
    for unit in units:
        muscle = MUSCLES.get(unit.unit)
        found.append(
            {
                "text": str(unit),
                "name": "" if muscle is None else muscle.name,
                "muscle": "" if muscle is None else muscle.muscle,
                "side": "" if unit.side == "both" else f"on the {unit.side}",
                "probability": unit.probability,
            }
        )
    return found
