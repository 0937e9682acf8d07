"""``fleeting compare``: benchmarks side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of finished benchmarks; each is tested against the first one.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for comparison.md, .tex, .html and .json.")
    ] = None,
    draws: Annotated[int, typer.Option(help="Number of random swaps of the permutation test.")] = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare benchmarks: scores with intervals, paired tests, confusion matrices and scores of each subject.

    Example: fleeting compare runs/svm runs/cnn --out runs/comparison
    """
    from fleeting.evaluation.comparison import page as compare_page
    from fleeting.evaluation.comparison import tables as compare_tables
    from fleeting.evaluation.comparison.compare import compare as measure
    from fleeting.files import write_text

    entries = measure(runs, draws=draws)
    plain = json.dumps([e.to_dict() for e in entries], indent=2, allow_nan=False)
    if out is not None:
        write_text(out / "comparison.md", compare_tables.markdown(entries))
        write_text(out / "comparison.tex", compare_tables.latex(entries))
        write_text(out / "comparison.html", compare_page.page(entries))
        write_text(out / "comparison.json", plain + "\n")
    if as_json:
        typer.echo(plain)
        return
    typer.echo(compare_tables.text(entries))
    if out is not None:
        typer.echo(f"written: {out / 'comparison.html'}, .md, .tex, .json")
