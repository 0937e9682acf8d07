"""Metrics as lines of text for people; programs read ``metrics.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fleeting.labels import counted
from fleeting.records import EVENT_KINDS

NONE = "-"
"""Stands where there is no value."""


def spotting_text(metrics: Mapping[str, Any]) -> str:
    """Return tables of what `spotting.evaluate_spotting` measured."""
    rows = []
    for kind in (*EVENT_KINDS, "all"):
        m = metrics[kind]
        right, missed, false = m["true_positives"], m["false_negatives"], m["false_positives"]
        shares = [share(m[name]) for name in ("precision", "recall", "f1")]
        rows.append(["micro + macro" if kind == "all" else kind, right + missed, right, missed, false, *shares])
    lines = table(("kind", "marked", "found", "missed", "false", "precision", "recall", "F1"), rows)
    quiet = metrics["videos_without_micro"]
    lines += [
        "",
        f"{counted(metrics['videos'], 'video')}, {number(metrics['minutes'])} min. False micro-expressions a minute: "
        f"{number(metrics['false_micro_per_minute'])}; in videos without a marked one: "
        f"{number(quiet['false_micro_per_minute'])}.",
    ]
    sizes = [
        [
            f"{b['from']:g} and more" if b["to"] is None else f"{b['from']:g} to {b['to']:g}",
            b["events"],
            share(b["recall"]),
        ]
        for b in metrics["recall_by_amplitude"]
    ]
    if sizes:
        lines += ["", *table(("micro-expressions of, % of the eye distance", "marked", "recall"), sizes)]
    errors = [
        [k, *(f"{e[c]:.0f}" for c in ("median", "p90")), e["events"]] for k, e in metrics["timing_error_ms"].items()
    ]
    if errors:
        lines += ["", *table(("error of time, ms", "median", "90th percentile", "micro-expressions"), errors)]
    classes = metrics["analysis"]
    if classes["events"]:
        lines += [
            "",
            f"Classes of {counted(classes['events'], 'micro-expression')} found: {share(classes['accuracy'])} right, "
            f"macro F1 {share(classes['f1'])}, {share(classes['unsure'])} unsure. STRS {share(metrics['strs'])}.",
        ]
    lines += [f"not analysed: {name}: {why}" for name, why in metrics["failed"].items()]
    return "\n".join(lines)


def metrics_text(metrics: Mapping[str, Any]) -> str:
    """Return any metrics: a line for each number, a table for each list or dictionary of records."""
    lines: list[str] = []
    for name, value in metrics.items():
        if isinstance(value, Mapping) and value:
            lines += ["", name, *_inside(value)]
        elif isinstance(value, Sequence) and not isinstance(value, str) and value and _nested(value[0]):
            records = dict(enumerate(value)) if isinstance(value[0], Mapping) else None
            lines += ["", name, *(_inside(records) if records else table((), value))]
        else:
            lines.append(f"{name:24} {_said(value)}")
    return "\n".join(lines).lstrip("\n")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return lines of columns: the first to the left, all others to the right."""
    cells = [list(head), *([_said(value) for value in row] for row in rows)] if head else []
    cells = cells or [[_said(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return [
        "  ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in cells
    ]


def share(value: float | None) -> str:
    """Return a share of 0..1 with two decimals."""
    return NONE if value is None else f"{value:.2f}"


def number(value: float | None) -> str:
    """Return a number with three significant digits."""
    return NONE if value is None else f"{value:.3g}"


def _inside(values: Mapping[Any, Any]) -> list[str]:
    first = next(iter(values.values()))
    if isinstance(first, Mapping) and all(isinstance(v, Mapping) and v.keys() == first.keys() for v in values.values()):
        return ["  " + line for line in table(("", *map(str, first)), ([k, *v.values()] for k, v in values.items()))]
    flat: list[str] = []
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat += [f"  {name}", *("  " + line for line in _inside(value))]
        else:
            flat.append(f"  {name:22} {_said(value)}")
    return flat


def _nested(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple))


def _said(value: Any) -> str:
    if value is None or value == {} or value == []:
        return NONE
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_said, value))
    return str(value)
