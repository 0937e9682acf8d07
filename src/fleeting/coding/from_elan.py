"""Annotations of an ELAN file.

Every annotation of a tier with times is an event, of the kind that the tier's name says (`imports.kind_of`). Its text
is the emotion where it is a word for one (`labels.WORDS`), else the note. Our own files (`export.elan`) have beside a
tier ``face0_micro`` one that marks its apexes (``face0_micro_apex``) and, below it, tiers with what else the coder
said; other files may have the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fleeting.coding.raw import Raw
from fleeting.errors import DataError
from fleeting.labels import UNSURE, WORDS
from fleeting.records import CODED_COLUMNS

DETAILS = (*CODED_COLUMNS, "regions")
SKIPPED = ("expression", "speaking")
"""Ends of the names of tiers that hold no events: the whole face over time."""


def read_elan(path: Path) -> list[Raw]:
    """Read the tiers with times.

    Raises
    ------
    DataError
        Where the file cannot be read.
    """
    from pympi import Eaf

    try:
        eaf: Any = Eaf(str(path), suppress_version_warning=True)
    except Exception as error:  # pympi raises that class itself
        raise DataError("an ELAN file", f"{path} ({error})", "Save it again with ELAN as .eaf.") from error
    names = list(eaf.get_tier_names())
    rows = []
    for tier in names:
        base, _, end = tier.rpartition("_")
        is_apex = end == "apex" and base in names
        if is_apex or eaf.tiers[tier][1] or end in SKIPPED:
            continue
        apexes = sorted(a[0] / 1000 for a in eaf.get_annotation_data_for_tier(f"{tier}_apex")) if (
            f"{tier}_apex" in names
        ) else []  # fmt: skip
        details = {name: _details(eaf, f"{tier}_{name}") for name in DETAILS if f"{tier}_{name}" in names}
        for start, end_ms, text in eaf.get_annotation_data_for_tier(tier):
            onset, offset = start / 1000, end_ms / 1000
            within = [a for a in apexes if onset <= a <= offset]
            said = {name: values[start, end_ms] for name, values in details.items() if (start, end_ms) in values}
            text = (text or "").strip()
            is_ours = f"{tier}_id" in names
            if not is_ours and text and text.lower() not in (*WORDS, UNSURE):
                said.setdefault("note", text)
                text = ""
            rows.append(
                Raw(
                    where=f"tier {tier} at {onset:.3f} s",
                    label=tier,
                    onset_s=onset,
                    apex_s=within[0] if within else None,
                    offset_s=offset,
                    said={"emotion": text, **said},
                )
            )
    return rows


def _details(eaf: Any, tier: str) -> dict[tuple[int, int], str]:
    """Text by the times of the annotation above it."""
    return {(row[0], row[1]): row[2] or "" for row in eaf.get_ref_annotation_data_for_tier(tier)}
