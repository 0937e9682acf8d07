from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "explanation" / "motion.md").read_text(encoding="utf-8")


def test_the_snippet_runs() -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    names: dict[str, object] = {}
    exec(compile(snippet, "docs/explanation/motion.md", "exec"), names)
    assert names["label"] in ("negative", "positive", "surprise", "unsure")


def test_the_figures_are_those_that_were_measured() -> None:
    measured = json.loads((ROOT / "benchmarks" / "results" / "fleeting.json").read_text(encoding="utf-8"))
    for name, row in (("linear SVM", "linear SVM on the same images"), ("shipped", "shipped")):
        scores = measured[name]
        cells = [
            f"{scores[k]:.3f} [{scores[f'{k}_interval'][0]:.3f}, {scores[f'{k}_interval'][1]:.3f}]"
            for k in ("uf1", "uar")
        ]
        assert f"| {row} | {cells[0]} | {cells[1]} |".replace("0.", ".") in TEXT
    flow = json.loads((ROOT / "benchmarks" / "results" / "flow.json").read_text(encoding="utf-8"))
    for result in flow.values():
        with_noise = result["end_point_error_px"]["noise"]
        shown = " / ".join(f"{with_noise[size]:.3f}" for size in ("0.1", "0.3", "1.0", "3.0"))
        errors = re.sub(r"\b0\.", ".", shown)
        assert errors in TEXT
