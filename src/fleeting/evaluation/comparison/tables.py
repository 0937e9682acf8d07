"""A comparison as a table: for the terminal, in Markdown, in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence

from fleeting.evaluation.benchmark.scores import SCORES
from fleeting.evaluation.comparison.compare import MARK, Entry

TITLES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}
NOTES = (
    "Pooled over folds, mean over seeds +- standard deviation over seeds; brackets: 95 % interval over bootstrap "
    "samples of subjects.",
    "Difference of UF1 to the first, p of the permutation over subjects; clips that only it / only the first gets "
    "right, p of McNemar's test.",
)
LEAKY_NOTE = f"{MARK}: the epoch was chosen by the test clips of each subject; says nothing about new people."


def header(entries: Sequence[Entry]) -> list[str]:
    """Return the heads of the columns."""
    sets = _sets(entries)
    own = [f"UF1 {name}" for name in sets] if len(sets) > 1 else []
    tests = ["UF1 difference", "p", "only it / first", "p (McNemar)"] if any(e.tests for e in entries) else []
    return ["model", "protocol", "seeds", *(TITLES[s] for s in SCORES), *own, *tests]


def rows(entries: Sequence[Entry]) -> list[list[str]]:
    """Return the cells of every row, as `header` names them."""
    sets = _sets(entries)
    tested = any(e.tests for e in entries)
    found = []
    for entry in entries:
        row = [entry.name, str(entry.run.metrics["protocol"]), str(entry.run.metrics["seeds"])]
        row += [score_cell(entry, score) for score in SCORES]
        if len(sets) > 1:
            parts = entry.metrics["uf1"]["per_data_set"]
            row += [f"{parts[name]['pooled']:.3f}" if name in parts else "-" for name in sets]
        if tested:
            row += _test_cells(entry, first=entry is entries[0])
        found.append(row)
    return found


def score_cell(entry: Entry, score: str) -> str:
    """Return a score with spread and interval."""
    value = entry.metrics[score]
    spread = f" +- {value['spread']:.3f}" if entry.run.metrics["seeds"] > 1 else ""
    span = "" if value["interval"] is None else " [{:.3f}, {:.3f}]".format(*value["interval"])
    return f"{value['pooled']:.3f}{spread}{span}"


def _test_cells(entry: Entry, *, first: bool) -> list[str]:
    if entry.tests is None:
        return ["first" if first else "not tested", "", "", ""]
    one, pairs = entry.tests["uf1"], entry.tests["mcnemar"]
    return [
        f"{one['difference']:+.3f}",
        p_text(one["p"]),
        f"{pairs['only_first']} / {pairs['only_second']}",
        p_text(pairs["p"]),
    ]


def p_text(p: float) -> str:
    """Return a p value with two digits, or that it is below a thousandth."""
    return "< .001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def notes(entries: Sequence[Entry]) -> list[str]:
    """Return the lines below the table."""
    found = [NOTES[0]]
    if any(e.tests for e in entries):
        found.append(NOTES[1])
    if any(e.leaky for e in entries):
        found.append(LEAKY_NOTE)
    if any(e.tests is None and not e.leaky for e in entries[1:]):
        found.append("Not tested: other clips than the first.")
    return found


def text(entries: Sequence[Entry]) -> str:
    """Return two tables for a terminal, the scores and the tests, each narrow enough for its lines."""
    cells = [header(entries), *rows(entries)]
    scores = 3 + len(SCORES)
    lines = _aligned([row[:scores] for row in cells])
    if len(cells[0]) > scores:
        lines += ["", *_aligned([[row[0], *row[scores:]] for row in cells])]
    return "\n".join([*lines, "", *notes(entries)])


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def markdown(entries: Sequence[Entry]) -> str:
    """Return the table, confusion matrices and subjects in Markdown."""
    lines = ["# Comparison", "", *_markdown_table(header(entries), rows(entries)), ""]
    lines += [line for note in notes(entries) for line in (note, "")]
    lines += ["## Confusion", "", "Rows: truth; columns: answer; counts summed over seeds.", ""]
    for entry in entries:
        confusion = entry.metrics["confusion"]
        body = [
            [name, *map(str, counts)]
            for name, counts in zip(confusion["classes"], confusion["pooled_over_seeds"], strict=True)
        ]
        lines += [f"**{entry.name}**", "", *_markdown_table(["", *confusion["classes"]], body), ""]
    lines += ["## Subjects", "", "Share of right answers.", ""]
    subjects = sorted({s for e in entries for s in e.subjects})
    body = [
        [s, *(f"{e.subjects[s][0]:.2f} of {e.subjects[s][1]}" if s in e.subjects else "-" for e in entries)]
        for s in subjects
    ]
    lines += _markdown_table(["subject", *(e.name for e in entries)], body)
    return "\n".join(lines) + "\n"


def _markdown_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(c.replace("|", "\\|").replace("+-", "±") for c in cells) + " |"

    return [line(head), "|" + "---|" * len(head), *(line(row) for row in body)]


_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$"}
_LATEX |= {c: "\\" + c for c in "&%$#_{}"}


def latex(entries: Sequence[Entry]) -> str:
    """Return the table in LaTeX (package booktabs); the best honest score of a column is bold."""
    heads = header(entries)
    body = rows(entries)
    best = {TITLES[s]: max((e.metrics[s]["pooled"] for e in entries if not e.leaky), default=None) for s in SCORES}
    lines = [
        r"\begin{tabular}{" + "l" * len(heads) + "}",
        r"\toprule",
        " & ".join(map(_escaped, heads)) + r" \\",
        r"\midrule",
    ]
    for entry, row in zip(entries, body, strict=True):
        cells = [_escaped(c) for c in row]
        for place, score in enumerate(SCORES, start=3):
            if not entry.leaky and len(entries) > 1 and entry.metrics[score]["pooled"] == best[TITLES[score]]:
                cells[place] = r"\textbf{" + cells[place] + "}"
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*lines, *(f"% {note}" for note in notes(entries))]) + "\n"


def _escaped(cell: str) -> str:
    return "".join(_LATEX.get(c, c) for c in cell).replace("+-", r"$\pm$")


def _sets(entries: Sequence[Entry]) -> list[str]:
    return sorted({name for e in entries for name in e.metrics["uf1"]["per_data_set"]})
