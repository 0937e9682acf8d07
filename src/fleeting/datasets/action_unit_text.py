"""Action units as annotators write them: ``15A+17``, ``A1B+A2C``, ``ref(7B)+43``, ``(R6 or R12)+R15``, ``4A/B``.

The notation is that of the Facial Action Coding System (Ekman, Friesen, Hager, 2002): a number, before it the side
(``L``, ``R``: the person's own; ``T``, ``B``: upper or lower lip; ``A``: both sides, one stronger) and after it the
intensity from A (trace) to E (maximum). Data sets add to it: ``or`` and parentheses where the coders were not sure,
``ref(...)`` for what the face showed at rest already, ``(k)`` and ``?`` for a doubtful unit, and words such as "soft
focus". What cannot be read as a unit becomes a remark; nothing is dropped in silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SIDES: dict[str, str] = {"L": "left", "R": "right", "T": "top", "B": "bottom", "A": "asymmetric"}
"""Letter before the number, and what it means."""

_LETTER = {side: letter for letter, side in SIDES.items()}
_UNIT = re.compile(
    r"(?P<side>[LRTBA]?)(?:AU|AD|M)?\s*(?P<number>\d{1,2})(?P<intensity>[A-E](?:/[A-E])?)?(?P<doubt>\?*)", re.I
)
_REFERENCE = re.compile(r"\bref\s*\(", re.I)
_DOUBTFUL = re.compile(r"\(\s*k\s*\)", re.I)
LARGEST = 98
"""Largest number of the system: units and descriptors up to 46, head and eyes 50 to 69, gross behaviour up to 98."""


@dataclass(frozen=True, slots=True)
class ActionUnit:
    """One coded unit.

    Attributes
    ----------
    number
        Of the unit, 1 to `LARGEST`.
    side
        ``left``, ``right`` (the person's own), ``top``, ``bottom``, ``asymmetric``; empty where both sides moved alike.
    intensity
        ``A`` to ``E``, or two of them as ``A/B``; empty where it was not coded.
    doubtful
        Whether the coders were not sure: an alternative of "or", a question mark, a "(k)".
    at_rest
        Whether the face showed it before the movement: ``ref(...)``.
    """

    number: int
    side: str = ""
    intensity: str = ""
    doubtful: bool = False
    at_rest: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.number <= LARGEST:
            raise ValueError(f"Expected a number of 1 to {LARGEST}; got {self.number}.")
        if self.side and self.side not in _LETTER:
            raise ValueError(f"Expected a side of {', '.join(_LETTER)}; got {self.side!r}.")

    @property
    def name(self) -> str:
        """``AU04``: the number with two digits, without side and intensity."""
        return f"AU{self.number:02d}"

    def __str__(self) -> str:
        """``LAU12B?``: side, name, intensity, doubt; ``ref(...)`` around what was there at rest."""
        text = f"{_LETTER.get(self.side, '')}{self.name}{self.intensity}{'?' if self.doubtful else ''}"
        return f"ref({text})" if self.at_rest else text


@dataclass(frozen=True, slots=True)
class ActionUnits:
    """A parsed cell.

    Attributes
    ----------
    units
        In the order of the text, each once.
    remarks
        What is no unit ("soft focus"), as written.
    """

    units: tuple[ActionUnit, ...] = ()
    remarks: tuple[str, ...] = ()


def parse(text: str) -> ActionUnits:
    """Read a cell of action units.

    Parameters
    ----------
    text
        As the table has it; an integer cell as its digits. Empty, ``/``, ``-``, ``nan``, ``none`` and ``0`` say that
        nothing was coded.
    """
    cleaned = text.strip()
    if cleaned.lower() in ("", "/", "-", "nan", "none", "0", "n/a"):
        return ActionUnits()
    units: list[ActionUnit] = []
    remarks: list[str] = []
    for part in _parts(cleaned, "+,;&"):
        found, left = _part(part)
        units += found
        remarks += left
    return ActionUnits(tuple(dict.fromkeys(units)), tuple(dict.fromkeys(remarks)))


def _parts(text: str, separators: str) -> list[str]:
    """Split outside parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter in separators and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [p.strip() for p in parts if p.strip()]


def _part(text: str) -> tuple[list[ActionUnit], list[str]]:
    """One part between plus signs: a unit, alternatives, a group in parentheses, or words."""
    at_rest = bool(_REFERENCE.match(text))
    doubtful = bool(_DOUBTFUL.search(text)) or bool(re.search(r"\bor\b", text, re.I))
    inner = _DOUBTFUL.sub("", text)
    inner = _REFERENCE.sub("(", inner) if at_rest else inner
    if "(" in inner and _closed(inner):
        inner = inner.replace("(", " ").replace(")", " ")
    units, remarks = [], []
    for piece in re.split(r"[+,;&]|\bor\b", inner, flags=re.I):
        unit = _unit(piece.strip(), doubtful=doubtful, at_rest=at_rest)
        if unit is not None:
            units.append(unit)
        elif piece.strip():
            remarks.append(piece.strip())
    return units, remarks


def _closed(text: str) -> bool:
    return text.count("(") == text.count(")")


def _unit(text: str, *, doubtful: bool, at_rest: bool) -> ActionUnit | None:
    found = _UNIT.fullmatch(text)
    if found is None or not 1 <= int(found["number"]) <= LARGEST:
        return None
    return ActionUnit(
        number=int(found["number"]),
        side=SIDES.get(found["side"].upper(), ""),
        intensity=(found["intensity"] or "").upper(),
        doubtful=doubtful or bool(found["doubt"]),
        at_rest=at_rest,
    )


def as_text(units: tuple[ActionUnit, ...]) -> str:
    """Units joined by ``+``, so that `parse` reads the same units again."""
    return "+".join(map(str, units))
