"""A comparison as one HTML file that needs nothing else: tables, confusion matrices, subjects, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fleeting.evaluation.comparison.compare import Entry
from fleeting.evaluation.comparison.tables import header, notes, rows

COLOURS: tuple[str, ...] = ("#1b6ca8", "#d1495b", "#2e8b57", "#8e5ea2", "#c98b1a", "#444444")
"""One per run, in turn; told apart by shape as well."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1d1d1f }
table { border-collapse: collapse; margin: .5rem 0 1rem } th, td { padding: .25rem .6rem; text-align: left }
th { border-bottom: 2px solid #888 } td { border-bottom: 1px solid #ddd } .leaky td { background: #fde8e8 }
td:first-child, .wide td { white-space: nowrap }
.matrices, .plots { display: flex; flex-wrap: wrap; gap: 1.5rem } .matrices td { text-align: right; min-width: 3rem }
figure { margin: 0 } figcaption { font-weight: 600 } svg text { font: 12px system-ui, sans-serif; fill: #333 }
.wide { overflow-x: auto } .note { color: #555; margin: .2rem 0 }
"""


def page(entries: Sequence[Entry]) -> str:
    """Return the page."""
    body = [
        "<h1>Comparison</h1>",
        _table(entries),
        *(f'<p class="note">{escape(note.replace("+-", "±"))}</p>' for note in notes(entries)),
        "<h2>Confusion</h2>",
        '<p class="note">Rows: truth; columns: answer; share of the row, and counts summed over seeds.</p>',
        '<div class="matrices">' + "".join(map(_matrix, entries)) + "</div>",
        "<h2>Subjects</h2>",
        '<p class="note">Share of right answers of each subject, mean over seeds.</p>',
        _subjects(entries),
        "<h2>Calibration</h2>",
        '<div class="plots">' + _reliability(entries) + _risk(entries) + "</div>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Fleeting: comparison</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _table(entries: Sequence[Entry]) -> str:
    head = "".join(f"<th>{escape(h)}</th>" for h in header(entries))
    body = "".join(
        f"<tr{' class=' + chr(34) + 'leaky' + chr(34) if entry.leaky else ''}>"
        + "".join(f"<td>{escape(c.replace('+-', '±'))}</td>" for c in row)
        + "</tr>\n"
        for entry, row in zip(entries, rows(entries), strict=True)
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _matrix(entry: Entry) -> str:
    classes = entry.metrics["confusion"]["classes"]
    head = "<tr><th></th>" + "".join(f"<th>{escape(c)}</th>" for c in classes) + "</tr>"
    lines = []
    for name, counts in zip(classes, entry.metrics["confusion"]["pooled_over_seeds"], strict=True):
        total = max(sum(counts), 1)
        cells = "".join(
            f'<td style="background:rgba(27,108,168,{0.75 * n / total:.2f})">{n / total:.0%}<br>{n}</td>'
            for n in counts
        )
        lines.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f"<figure><figcaption>{escape(entry.name)}</figcaption><table>{head}{''.join(lines)}</table></figure>"


def _subjects(entries: Sequence[Entry]) -> str:
    names = sorted({s for e in entries for s in e.subjects})
    left, width, step, top = 150, 640, 16, 24 + 16 * len(entries)
    height = top + step * len(names) + 28
    parts = [_key(entries)]
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = left + share * width
        parts.append(_line(x, top - 6, x, height - 22, "#ddd") + _text(x, height - 6, f"{share:.0%}", "middle"))
    for place, name in enumerate(names):
        y = top + step * place + 6
        clips = next(e.subjects[name][1] for e in entries if name in e.subjects)
        parts.append(_text(left - 8, y + 4, f"{name} ({clips})", "end"))
        for number, entry in enumerate(entries):
            if name in entry.subjects:
                share = entry.subjects[name][0]
                title = f"{entry.name}, {name}: {share:.0%} of {clips}"
                # A little apart, so that equal ones do not hide each other.
                parts.append(_mark(left + share * width, y + 3 * (number - (len(entries) - 1) / 2), number, title))
    return f'<div class="wide">{_svg(left + width + 40, height, parts, "Share of right answers by subject")}</div>'


def _reliability(entries: Sequence[Entry]) -> str:
    parts = [_line(40, 340, 340, 40, "#aaa"), *_frame("probability", "share right")]
    for number, entry in enumerate(entries):
        for one in entry.metrics["calibration"]["reliability"]:
            title = f"{entry.name}: {one['count']} answers at {one['probability']:.2f}, {one['accuracy']:.2f} right"
            parts.append(_mark(40 + 300 * one["probability"], 340 - 300 * one["accuracy"], number, title))
    names = ", ".join(f"{e.name} {e.metrics['calibration']['ece']:.3f}" for e in entries)
    return _figure(f"Reliability (calibration error: {names})", _svg(380, 380, parts, "Reliability"))


def _risk(entries: Sequence[Entry]) -> str:
    parts = _frame("share answered", "share wrong among answers")
    for number, entry in enumerate(entries):
        points = [
            (40 + 300 * p["coverage"], 340 - 300 * p["risk"]) for p in entry.metrics["calibration"]["risk_coverage"]
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts += [_mark(x, y, number, entry.name) for x, y in points]
    return _figure('Answering less: risk and coverage of "unsure"', _svg(380, 380, parts, "Risk and coverage"))


def _frame(across: str, up: str) -> list[str]:
    parts = [_line(40, 340, 340, 340, "#333"), _line(40, 340, 40, 40, "#333"), _text(190, 374, across, "middle")]
    parts += [_text(44, 30, up, "start")]
    for share in (0, 0.5, 1):
        parts.append(
            _text(40 + 300 * share, 356, f"{share:g}", "middle") + _text(34, 344 - 300 * share, f"{share:g}", "end")
        )
    return parts


def _key(entries: Sequence[Entry]) -> str:
    return "".join(
        _mark(150, 12 + 16 * n, n, e.name) + _text(162, 16 + 16 * n, e.name, "start") for n, e in enumerate(entries)
    )


def _mark(x: float, y: float, number: int, title: str) -> str:
    colour = COLOURS[number % len(COLOURS)]
    shape = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}">',
        f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" fill="{colour}">',
        f'<path d="M{x:.1f} {y - 5:.1f}l5 9h-10z" fill="{colour}">',
    )[number % 3]
    return f"{shape}<title>{escape(title)}</title></{shape[1:].split()[0]}>"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">{"".join(parts)}</svg>'
    )


def _figure(caption: str, inside: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{inside}</figure>"
