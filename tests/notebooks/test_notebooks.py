"""Every notebook runs from its first cell to its last, in an empty folder, and is stored without outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))
MADE = {
    "dsticnn": ["interview.mp4"],
    "film_to_figure": ["interview.pdf", "first.pdf", "results/interview/report.html"],
    "honest_benchmark": ["runs/honest/metrics.json"],
    "two_coders": ["agreement/agreement_anna_ben.html", "results/interview/coding/anna.jsonl"],
}
"""Files that each notebook leaves."""

RUN = """
import json, sys
cells = json.load(sys.stdin)
names = {"__name__": "__main__"}
for cell in cells:
    exec(compile(cell, "cell", "exec"), names)
"""


def cells(notebook: Path, kind: str) -> list[dict[str, Any]]:
    found = json.loads(notebook.read_text(encoding="utf-8"))
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    return [cell for cell in found["cells"] if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_these_are_all() -> None:
    assert [notebook.stem for notebook in NOTEBOOKS] == sorted(MADE)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_without_outputs(notebook: Path) -> None:
    code = cells(notebook, "code")
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    ids = [cell["id"] for cell in (*code, *cells(notebook, "markdown"))]
    assert len(set(ids)) == len(ids)
    first = source(cells(notebook, "markdown")[0])
    assert first.startswith("# ")
    assert "\nFor a researcher" in first, "says whom it is for"
    assert "Install: `pip install 'fleeting[" in first


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(notebook: Path, tmp_path: Path) -> None:
    code = [source(cell) for cell in cells(notebook, "code")]
    if notebook.stem in ("dsticnn", "honest_benchmark") and find_spec("torch") is None:
        pytest.skip("needs the extra research")
    if notebook.stem != "honest_benchmark" and find_spec("skimage") is None:
        pytest.skip("the portrait comes with the extra demo")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::fleeting.FleetingWarning", "-c", RUN],
        input=json.dumps(code),
        text=True,
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in MADE[notebook.stem]:
        assert (tmp_path / name).stat().st_size > 0


def test_a_broken_cell_would_be_seen(tmp_path: Path) -> None:
    broken = json.dumps(["import fleeting", "fleeting.analyse('missing.mp4')"])
    words = [sys.executable, "-c", RUN]
    done = subprocess.run(words, input=broken, text=True, capture_output=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "VideoError" in done.stderr
