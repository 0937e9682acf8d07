"""Action units as annotators write them: ``15A+17``, ``A1B+A2C``, ``ref(7B)+43``, ``(R6 or R12)+R15``, ``4(B/C)``.

The notation is that of the Facial Action Coding System (Ekman, Friesen, Hager, 2002): a number, before it the side
(``L``, ``R``: the person's own; ``T``, ``B``: upper or lower lip; ``A``: both sides, one stronger) and after it the
intensity from A (trace) to E (maximum). Data sets add to it: ``or`` and slashes where the coders were not sure,
``ref(...)`` for what the face showed at rest already, ``(k)`` and ``?`` for a doubtful unit, and words such as "soft
focus".

What is in doubt is dropped, what is not is kept: ``4(B/C)`` is AU04 without an intensity, ``A/L12`` is AU12 without a
side. Where the unit itself is in doubt, it is marked (``12 or 14``). What cannot be read as a unit becomes a remark;
nothing is dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SIDES: dict[str, str] = {"L": "left", "R": "right", "T": "top", "B": "bottom", "A": "asymmetric"}
"""Letter before the number, and what it means."""

_LETTER = {side: letter for letter, side in SIDES.items()}
_UNIT = re.compile(
    r"(?P<side>[LRTBA]?)\s*(?:AU|AD|M)?\s*(?P<number>\d{1,2})\s*(?P<intensity>[A-E](?:\s*[/-]\s*[A-E])?)?"
    r"\s*(?P<doubt>\?*)",
    re.I,
)
_IN_DOUBT = re.compile(
    r"\(\s*[A-ELRT](?:\s*(?:/|-|or)\s*[A-ELRT])*\s*\??\s*\)"  # 4(B/C), (L)12
    r"|(?<![A-Z\d])[LRTBA]\s*(?:(?:/|\bor\b)\s*[LRTBA]|\?)\s*(?=(?:AU)?\s*\d)",  # A/L12, L?12
    re.I,
)
"""A side or an intensity of which the coders were not sure."""
_NEXT = r"\s*[LRTBA]?\s*(?:AU|AD|M)?\s*\d"
_OR = re.compile(rf"\bor\b|(?<=[\dA-E?])\s*/(?={_NEXT})", re.I)
"""Between alternatives: ``12 or 14``, ``12/14``."""
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
        Whether the coders were not sure of the unit: an alternative, a question mark, a "(k)".
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
    dropped
        Sides and intensities in doubt, as written.
    """

    units: tuple[ActionUnit, ...] = ()
    remarks: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def parse(text: str) -> ActionUnits:
    """Read a cell of action units.

    Parameters
    ----------
    text
        As the table has it; an integer cell as its digits. Empty, ``/``, ``-``, ``nan``, ``none`` and ``0`` say that
        nothing was coded.
    """
    cleaned = text.strip().strip("[]")
    if cleaned.lower() in ("", "/", "-", "nan", "none", "0", "n/a"):
        return ActionUnits()
    units: list[ActionUnit] = []
    remarks: list[str] = []
    dropped: list[str] = []
    for part in _parts(cleaned, "+,;&"):
        inner = _DOUBTFUL.sub("", part).replace("(?)", "?")
        dropped += (found[0].strip() for found in _IN_DOUBT.finditer(inner))
        found, left = _part(_IN_DOUBT.sub("", inner), doubtful=bool(_DOUBTFUL.search(part)))
        units += found
        remarks += left
    return ActionUnits(tuple(dict.fromkeys(units)), tuple(dict.fromkeys(remarks)), tuple(dict.fromkeys(dropped)))


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


def _part(text: str, *, doubtful: bool) -> tuple[list[ActionUnit], list[str]]:
    """One part between plus signs: a unit, alternatives, a group in parentheses, or words."""
    at_rest = bool(_REFERENCE.match(text))
    inner = _REFERENCE.sub("(", text) if at_rest else text
    doubtful = doubtful or bool(_OR.search(inner))
    inner = re.sub(r"[()]", " ", inner)
    units: list[ActionUnit] = []
    remarks: list[str] = []
    for piece in re.split(rf"[+,;&]|\band\b|{_OR.pattern}", inner, flags=re.I):
        words = piece.split()
        # Blanks stand between units ("4 7") or inside of one ("AU 12").
        for part in [piece.strip()] if _unit(piece.strip()) or not all(map(_unit, words)) else words:
            unit = _unit(part, doubtful=doubtful, at_rest=at_rest)
            if unit is not None:
                units.append(unit)
            elif part:
                remarks.append(part)
    return units, remarks


def _unit(text: str, *, doubtful: bool = False, at_rest: bool = False) -> ActionUnit | None:
    found = _UNIT.fullmatch(text)
    if found is None or not 1 <= int(found["number"]) <= LARGEST:
        return None
    return ActionUnit(
        number=int(found["number"]),
        side=SIDES.get(found["side"].upper(), ""),
        intensity=re.sub(r"\s*[/-]\s*", "/", found["intensity"] or "").upper(),
        doubtful=doubtful or bool(found["doubt"]),
        at_rest=at_rest,
    )


def parse_strictly(text: str) -> tuple[ActionUnit, ...]:
    """Read a cell that its writer can mend: words beside units may stand, what looks like a unit has to be one.

    Raises
    ------
    ValueError
        For a remark with a digit in it, and for a text without any unit.
    """
    found = parse(text)
    wrong = [remark for remark in found.remarks if not found.units or re.search(r"\d", remark)]
    if wrong:
        raise ValueError(f"no action unit: {wrong[0]!r} in {text!r}")
    return found.units


def moved(units: Iterable[ActionUnit]) -> frozenset[str]:
    """Return the names of the units that certainly moved, such as ``AU04``; what was there at rest did not."""
    return frozenset(unit.name for unit in units if not (unit.doubtful or unit.at_rest))


def hedged(units: Iterable[ActionUnit]) -> frozenset[str]:
    """Return the names of the units that may have moved: neither a yes nor a no."""
    units = tuple(units)
    return frozenset(unit.name for unit in units if unit.doubtful and not unit.at_rest) - moved(units)


def as_text(units: Iterable[ActionUnit]) -> str:
    """Units joined by ``+``, so that `parse` reads the same units again."""
    return "+".join(map(str, units))
