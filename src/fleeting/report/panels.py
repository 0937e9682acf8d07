"""What a report says of the recording's quality, of the networks and of the settings, as rows for the template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleeting.report import wording

VERDICTS = ("good", "fair", "poor")


def quality_rows(quality: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Entries of the quality panel; whatever is no record with a verdict is shown as a plain value."""
    rows = []
    for name, entry in quality.items():
        record = entry if isinstance(entry, Mapping) and "value" in entry else {"value": entry}
        verdict = str(record.get("verdict") or "")
        rows.append(
            {
                "name": wording.words(str(name)),
                "value": wording.number(record.get("value")),
                "unit": str(record.get("unit") or ""),
                "verdict": verdict,
                "known": verdict in VERDICTS,
                "advice": str(record.get("advice") or ""),
            }
        )
    # What needs a hand comes first.
    return sorted(rows, key=lambda row: -VERDICTS.index(row["verdict"]) if row["known"] else 0)


def model_rows(models: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Entries of the networks."""
    return [
        {
            "role": wording.words(str(role)),
            "name": str(card.get("name", role)),
            "version": str(card.get("version", "")),
            "scores": wording.scores(card),
            "limits": wording.number(card["limits"]) if card.get("limits") else "",
            "sha256": str(card.get("sha256", "")),
        }
        for role, card in models.items()
        if isinstance(card, Mapping)
    ]


def settings_rows(settings: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Names and values of all settings."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            rows += settings_rows(value, name)
        else:
            rows.append((name, str(value)))
    return rows
