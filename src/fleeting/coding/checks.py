"""What a coder may write into an event, and how it is kept."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import replace

from fleeting.errors import InputError
from fleeting.labels import SCHEMES, SEVEN_CLASSES, THREE_CLASSES, UNSURE, Scheme
from fleeting.records import CODED_KINDS, LID_KINDS, UNCODABLE, CodedEvent, Event
from fleeting.records.action_units import as_text, parse
from fleeting.records.coded import Origin
from fleeting.settings import nearest

EMOTION_SCHEMES: dict[str, Scheme] = {s.name: s for by_set in SCHEMES.values() for s in by_set.values()}
"""The schemes that an emotion can be coded in, by name."""


def checked(event: CodedEvent) -> CodedEvent:
    """Return an event as it is kept: units and note in one form, and its origin by what became of its proposal.

    Raises
    ------
    InputError
        For an emotion that its scheme does not have, or for units that cannot be read.
    """
    if event.kind == UNCODABLE:
        event = replace(event, action_units="", apex_known=False, apex_frame=event.onset_frame, apex_s=event.onset_s)
    emotion = None if event.kind in (UNCODABLE, *LID_KINDS) else _emotion(event.emotion, event.scheme)
    event = replace(
        event,
        emotion=emotion,
        scheme="" if emotion is None else event.scheme,
        action_units=units_text(event.action_units),
        note=note_text(event.note),
    )
    proposal = event.proposal
    if proposal is None:
        return event
    origin: Origin = "machine" if _as_proposed(event, proposal) else "corrected"
    if origin == "corrected":  # the measures were those of the proposal, which still has them
        event = replace(event, displacement_percent_iod=math.nan)
    if event.emotion != proposal.emotion:
        event = replace(event, probability=None, probabilities={}, systems=(), contradicts=False)
    return replace(event, origin=origin)


def scheme_of(emotion: str | None) -> str:
    """Return the scheme of the machine's word for an emotion; empty where it has none."""
    if emotion is None:
        return ""
    if emotion in (*THREE_CLASSES, UNSURE):
        return "3"
    return "fer2013-7" if emotion in SEVEN_CLASSES else ""


def units_text(text: str) -> str:
    """Return action units as they are kept, such as ``AU06C+LAU12B``.

    Raises
    ------
    InputError
        Where a part cannot be read as a unit.
    """
    found = parse(text)
    if found.remarks:
        hint = "Write a number, before it L or R for one side, after it an intensity of A to E: L12B+6C."
        raise InputError("action units", f"'{', '.join(found.remarks)}' in '{text}'", hint)
    return as_text(found.units)


def note_text(text: str) -> str:
    r"""Return a note without what some file formats cannot hold: controls become blanks, line ends ``\n``."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    kept = "".join(
        c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs", "Cn", "Zl", "Zp") else " " for c in text
    )
    return kept.strip()


def is_word(text: str) -> bool:
    """Whether a text can be an emotion: letters, digits, blanks, - and ', and no word that formats use otherwise."""
    return bool(re.fullmatch(r"\w[\w '-]*", text)) and text.lower() not in (*CODED_KINDS, "none", "nan")


def _emotion(emotion: str | None, scheme: str) -> str | None:
    if scheme and scheme not in EMOTION_SCHEMES:
        raise InputError("a scheme of emotions", f"'{scheme}'", nearest(scheme, EMOTION_SCHEMES))
    if emotion is None or not emotion.strip():
        return None
    emotion = " ".join(unicodedata.normalize("NFC", emotion).split())
    if emotion == UNSURE:
        return emotion
    if scheme and emotion not in EMOTION_SCHEMES[scheme].classes:
        classes = EMOTION_SCHEMES[scheme].classes
        raise InputError(f"an emotion of the scheme {scheme}", f"'{emotion}'", nearest(emotion, classes))
    if not is_word(emotion):
        raise InputError("an emotion of letters, digits, blanks, - and '", f"'{emotion}'", "Use another word.")
    return emotion


def _as_proposed(event: CodedEvent, proposal: Event) -> bool:
    same = ("face", "kind", "onset_frame", "apex_frame", "offset_frame", "emotion")
    return event.apex_known and all(getattr(event, name) == getattr(proposal, name) for name in same)
