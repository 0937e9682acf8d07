"""The scores of a spotting benchmark as one HTML file that needs nothing else, with the intervals of every film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from fleeting.evaluation.benchmark.spotting.films import LongFilm
from fleeting.evaluation.benchmark.spotting.scores import ALL, CONVENTIONS

COLOURS = {"micro": "#d1495b", "macro": "#1b6ca8"}
_TITLES = {"right": "MEGC's rule", "public_script": "as the public script has it"}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1d1d1f }
table { border-collapse: collapse; margin: .5rem 0 1rem } th, td { padding: .25rem .6rem; text-align: left }
th { border-bottom: 2px solid #888 } td { border-bottom: 1px solid #ddd } .note { color: #555; margin: .2rem 0 }
svg text { font: 12px system-ui, sans-serif; fill: #333 }
"""


def page(
    metrics: Mapping[str, Any],
    films: Sequence[LongFilm],
    table: Sequence[Mapping[str, Any]],
    seconds: Mapping[str, float],
) -> str:
    """Return the page.

    Parameters
    ----------
    metrics
        Content of ``metrics.json``.
    films
        All films.
    table
        Rows of ``predictions.csv``.
    seconds
        Length of each film.
    """
    about = (
        f"{metrics['model']}, {metrics['protocol']}: {metrics['films']} films of {metrics['people']} people, "
        f"{metrics['minutes']:.1f} minutes, {metrics['folds']} folds, {metrics['seeds']} seeds."
    )
    notes = [*(f"Not analysed, all missed: {k}: {v}" for k, v in metrics["failed"].items()), *metrics["remarks"]]
    body = [
        "<h1>Spotting</h1>",
        _note(about),
        _scores(metrics),
        *(f"<h2>{escape(name)}</h2>{_scores(some)}" for name, some in metrics["per_data_set"].items()),
        _note("Brackets: 95 % interval over bootstrap samples of people. Counts are sums over seeds."),
        *map(_note, notes),
        "<h2>Films</h2>",
        _note("Above each line what is marked, below it what was spotted with seed 0: micro red, macro blue."),
        *(_film(film, table, seconds[film.id]) for film in films),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Fleeting: spotting</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def score_text(score: Mapping[str, Any]) -> str:
    """Return an F1 with its interval; a dash where there is none."""
    if score["f1"] is None:
        return "-"
    spread = f" ± {score['spread']:.3f}" if len(score["per_seed"]) > 1 else ""
    span = "" if score["interval"] is None else " [{:.3f}, {:.3f}]".format(*score["interval"])
    return f"{score['f1']:.3f}{spread}{span}"


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _scores(metrics: Mapping[str, Any]) -> str:
    head = "".join(f"<th>{h}</th>" for h in ("", "F1", "true positives", "false positives", "missed"))
    rows = []
    for name in CONVENTIONS:
        for kind in ALL:
            one = metrics[name][kind]
            names = ("true_positives", "false_positives", "false_negatives")
            sums = [sum(seed[part] for seed in one["per_seed"].values()) for part in names]
            cells = (f"{kind}, {_TITLES[name]}", score_text(one), *map(str, sums))
            rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _film(film: LongFilm, table: Sequence[Mapping[str, Any]], seconds: float) -> str:
    left, width = 190, 760
    frames = max(seconds * film.fps * film.step, *(m.offset - film.first for m in film.marked()), 1)
    found = [r for r in table if r["video"] == film.id and r["seed"] == 0]
    bars = [(m.onset, m.offset, m.kind, 3) for m in film.marked()]
    bars += [(r["onset"], r["offset"], r["type"], 17) for r in found]
    drawn = "".join(
        f'<rect x="{left + width * max(on - film.first, 0) / frames:.1f}" y="{y}" height="10" '
        f'width="{max(width * (off - on + 1) / frames, 2):.1f}" fill="{COLOURS[kind]}">'
        f"<title>{on} to {off}</title></rect>"
        for on, off, kind, y in bars
    )
    line = f'<line x1="{left}" x2="{left + width}" y1="15" y2="15" stroke="#888"/>'
    name = f'<text x="0" y="19">{escape(film.id)}</text>'
    return f'<svg width="{left + width + 10}" height="30" role="img">{name}{line}{drawn}</svg>'
