"""An agreement as lines of text, as tables (csv), as JSON, and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from fleeting.coding.agreement import MARKS, Agreement, Pair
from fleeting.export.events_csv import cell, table_text
from fleeting.files import write_text
from fleeting.labels import counted
from fleeting.records import EVENT_KINDS, Event

PAIR_COLUMNS: tuple[str, ...] = (
    "film",
    "face",
    "state",
    "iou",
    *(
        f"{name}_{side}"
        for side in ("first", "second")
        for name in ("kind", "onset", "apex", "offset", "emotion", "units")
    ),
)
"""Columns of ``agreement_A_B_events.csv``; state: both, first or second."""

_STYLE = """
:root { color-scheme: light dark } body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem;
padding: 0 1rem } table { border-collapse: collapse; margin: .5rem 0 1rem } th, td { padding: .25rem .7rem;
text-align: right } th:first-child, td:first-child { text-align: left } th { border-bottom: 2px solid #8888 }
td { border-bottom: 1px solid #8884 } .note { opacity: .75; margin: .2rem 0 } .wide { overflow-x: auto }
"""


@dataclass(frozen=True, slots=True)
class Section:
    """One table: its title, what it says, the names of its columns, its rows of text and numbers (or None)."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def sections(found: Agreement) -> list[Section]:
    """Return the tables of an agreement; those without a row are left out."""
    m, first, second = found.metrics, found.first, found.second
    shown = (*EVENT_KINDS, "all")
    events = [k for k in shown if _any(m["events"][k], ("matched", "only_first", "only_second"))]
    names = {"all": "micro + macro"}
    made = [
        Section(
            "Events",
            f"The same where they are of one kind and their IoU is at least {m['iou']:g}. Precision and recall of "
            f"{second}, taking {first} as the truth.",
            ("kind", "both", f"only {first}", f"only {second}", "precision", "recall", "F1", "mean IoU"),
            tuple((names.get(k, k), *m["events"][k].values()) for k in events),
        ),
        Section(
            "Frames",
            "Whether each frame lies within an event.",
            ("kind", "frames", first, second, "both", "agreement", "kappa", "AC1"),
            tuple((names.get(k, k), *m["frames"][k].values()) for k in events),
        ),
        Section(
            "Classes of matched events",
            "Matched whatever their kind.",
            ("class", "events", "agreement", "kappa", "AC1"),
            tuple(
                (name, *(m[name][v] for v in ("events", "agreement", "kappa", "ac1")))
                for name in ("kinds", "emotions")
                if m[name]["events"]
            ),
        ),
        Section(
            "Differences of time",
            f"{second} minus {first}. Median and 90th percentile of the sizes, mean with its sign.",
            ("mark", "events", "frames: median", "90 %", "mean", "ms: median", "90 % ", "mean "),
            tuple(
                (f"{names.get(k, k)}: {mark}", t["events"], *t["frames"].values(), *t["ms"].values())
                for k in shown
                for mark in MARKS
                if (t := m["timing"][k][mark])["events"]
            ),
        ),
        Section(
            "Units",
            "In matched micro- and macro-expressions, whatever the side.",
            ("unit", "events", first, second, "both", "agreement", "kappa", "AC1"),
            tuple((name, *row.values()) for name, row in m["units"].items()),
        ),
        Section(
            "Intensities",
            "Of units that both saw, A to E; kappa with squared weights, ICC of absolute agreement.",
            ("unit", "units", "agreement", "weighted kappa", "ICC"),
            tuple((name, *row.values()) for name, row in m["intensity"].items() if row["units"]),
        ),
    ]
    return [s for s in [*made, *_machine(m.get("machine"))] if s.rows]


def heading(found: Agreement) -> str:
    """Return whom and what was compared, in a sentence."""
    m = found.metrics
    said = f"{found.first} and {found.second}: {counted(len(m['films']), 'film')}"
    if m.get("films_left_out"):
        said += f", {len(m['films_left_out'])} left out that only one of them has coded"
    if m["events_left_out"]:
        said += f"; left out where one of them could not code: {counted(m['events_left_out'], 'event')}"
    return said + "."


def text(found: Agreement) -> str:
    """Return the tables as lines."""
    from fleeting.evaluation.metrics_text import table

    lines = [heading(found)]
    for section in sections(found):
        lines += ["", section.title, *("  " + line for line in table(section.header, map(_row, section.rows)))]
    return "\n".join(lines)


def page(found: Agreement) -> str:
    """Return the tables, and the events on which the coders differ, as one HTML file that needs nothing else."""
    body = [f"<h1>Agreement of {escape(found.first)} and {escape(found.second)}</h1>"]
    body.append(f'<p class="note">{escape(heading(found))}</p>')
    for section in sections(found):
        body.append(f'<h2>{escape(section.title)}</h2><p class="note">{escape(section.note)}</p>')
        body.append(_table(section.header, map(_row, section.rows)))
    apart = [p for p in found.pairs if p.first is None or p.second is None]
    if apart:
        body.append("<h2>Events that only one of them has</h2>")
        rows = ((p.film, p.face, *_said(found, p)) for p in map(_alone, apart))
        body.append(_table(("film", "face", "coder", "kind", "from, s", "to, s", "emotion"), rows))
    title = escape(f"Agreement of {found.first} and {found.second}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def write(found: Agreement, out: str | Path) -> list[Path]:
    """Write ``agreement_A_B.json``, ``.csv`` (all values), ``_events.csv`` (all events) and ``.html`` into a folder.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    stem = f"agreement_{found.first}_{found.second}"
    values = ((*place, cell(value)) for place, value in _flat(found.metrics))
    return [
        write_text(Path(out) / f"{stem}.json", json.dumps(found.metrics, indent=1, ensure_ascii=False) + "\n"),
        write_text(Path(out) / f"{stem}.csv", table_text(("section", "of", "measure", "value"), values)),
        write_text(Path(out) / f"{stem}_events.csv", table_text(PAIR_COLUMNS, map(_pair_row, found.pairs))),
        write_text(Path(out) / f"{stem}.html", page(found)),
    ]


def _any(values: Mapping[str, Any], names: Sequence[str]) -> bool:
    return any(values[name] for name in names)


def _machine(m: Mapping[str, Any] | None) -> list[Section]:
    """How good the machine is, where a person is compared with it."""
    if m is None:
        return []
    kinds = [k for k in (*EVENT_KINDS, "all") if m[k]["proposals"] or m[k]["missed"]]
    asked = f"{100 * m['asked_precision']:g} %"
    rows = []
    for kind in kinds:
        v, c = m[kind], m[kind]["confidence"]
        shares = [v["precision"], _interval(v["precision_interval"]), v["recall"], _interval(v["recall_interval"])]
        rows.append(("micro + macro" if kind == "all" else kind, v["proposals"], v["right"], v["missed"], *shares)
                    + ((c["from"], c["recall"]) if c else (None, None)))  # fmt: skip
    done = ", ".join(f"{count} {name}" for name, count in m["done"].items())
    head = (
        "kind",
        "decided",
        "right",
        "missed",
        "precision",
        "95 %",
        "recall",
        "95 % ",
        f"{asked} from",
        "recall then",
    )
    bins = [
        ("micro + macro" if k == "all" else k, f"{b['from']:g} to {b['to']:g}", b["proposals"], b["precision"],
         _interval(b["precision_interval"]))
        for k in kinds for b in m[k]["by_confidence"]
    ]  # fmt: skip
    return [
        Section("How good is the machine on these films?", f"Proposals: {done}.", head, tuple(rows)),
        Section("Its precision by confidence", "", ("kind", "confidence", "decided", "precision", "95 %"), tuple(bins)),
    ]


def _interval(ends: Sequence[float] | None) -> str | None:
    return None if ends is None else f"{ends[0]:.2f} to {ends[1]:.2f}"


def _row(values: Sequence[Any]) -> list[str]:
    return ["-" if v is None else f"{v:.2f}" if isinstance(v, float) else str(v) for v in values]


def _table(header: Sequence[str], rows: Any) -> str:
    head = "".join(f"<th>{escape(h.strip())}</th>" for h in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(c))}</td>" for c in row) + "</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


@dataclass(frozen=True, slots=True)
class _Alone:
    film: str
    face: int
    event: Event
    is_first: bool


def _alone(pair: Pair) -> _Alone:
    event = pair.first or pair.second
    assert event is not None
    return _Alone(pair.film, event.face, event, pair.first is not None)


def _said(found: Agreement, one: _Alone) -> tuple[Any, ...]:
    e = one.event
    coder = found.first if one.is_first else found.second
    return coder, e.kind, f"{e.onset_s:.3f}", f"{e.offset_s:.3f}", e.emotion or ""


def _pair_row(pair: Pair) -> list[str]:
    one = _alone(pair)
    state = "both" if pair.first and pair.second else "first" if pair.first else "second"
    return [pair.film, str(one.face), state, f"{pair.iou:.4f}", *_event_cells(pair.first), *_event_cells(pair.second)]


def _event_cells(event: Event | None) -> list[str]:
    if event is None:
        return [""] * 6
    apex = str(event.apex_frame) if getattr(event, "apex_known", True) else ""
    units = event.action_units_text
    return [event.kind, str(event.onset_frame), apex, str(event.offset_frame), event.emotion or "", units]


def _flat(metrics: Mapping[str, Any]) -> list[tuple[tuple[str, str, str], Any]]:
    """Every single value of the metrics, with the section, of what it is, and its name."""
    rows: list[tuple[tuple[str, str, str], Any]] = []

    def go(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                go(inner, (*path, str(key)))
        elif not isinstance(value, list):
            section, *middle, name = path if len(path) > 1 else ("", *path)
            rows.append(((section, " ".join(middle), name), value))

    go(metrics, ())
    return rows
