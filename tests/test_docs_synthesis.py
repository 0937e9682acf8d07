from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from portraits import POINTS, portrait

from fleeting.synthesis.face.action_units import ACTION_UNITS
from fleeting.synthesis.truth import COLUMNS

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "how-to" / "synthesis.md").read_text(encoding="utf-8")


def test_the_snippet_runs() -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    names: dict[str, object] = {"portrait": portrait(), "points": POINTS}
    exec(compile(snippet, "docs/how-to/synthesis.md", "exec"), names)
    flow, picture = np.asarray(names["flow"]), np.asarray(names["picture"])
    assert picture.shape == (480, 640, 3)
    assert flow.shape == (480, 640, 2)
    assert np.abs(flow).max() > 1.0


def test_units_and_columns_are_those_of_the_code() -> None:
    flat = " ".join(TEXT.split())
    assert ", ".join(COLUMNS) in flat
    assert ", ".join(ACTION_UNITS) in flat
