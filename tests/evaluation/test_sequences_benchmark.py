"""The benchmark of the sequence systems from clips to page, on clips that take seconds."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

for needed in ("torch", "sklearn", "matplotlib", "pyarrow"):
    pytest.importorskip(needed, reason="needs the research extra")

from sequence_clips import moving_clips, stored_clips  # noqa: E402

pytestmark = pytest.mark.torch


def test_every_family_is_trained_tested_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import sequences

    micro = stored_clips(tmp_path / "transferred.npz", moving_clips(27))
    monkeypatch.setattr(sequences, "make_sets", lambda *_, **__: {"transferred": micro})
    words = (
        "--protocol kfold --folds 2 --seeds 1 --epochs 1 --start-epochs 1 --drawn 12 --drawn-epochs 1 --shares 50 100"
        " --seeds-of minet=1"
    )
    chosen = "--variants linear-svm dsticnn-none-start dsticnn-start minet macro-to-micro"
    folders = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr(sys, "argv", ["sequences.py", *words.split(), *chosen.split(), *folders])
    sequences.main()
    found = json.loads((tmp_path / "sequences.json").read_text(encoding="utf-8"))
    names = ["dsticnn-none-start", "dsticnn-start", "minet", "macro-to-micro"]
    assert list(found["systems"]) == [*(f"{n}@50" for n in names[:2]), "linear-svm", *names]
    assert set(found["tests"]) == {
        "dsticnn-start against dsticnn-none-start", "dsticnn-start against linear-svm",
        "macro-to-micro against minet", "macro-to-micro against linear-svm",
    }  # fmt: skip
    for row in found["interaction"].values():
        assert row["interval"][0] <= row["difference"] <= row["interval"][1]
    assert set(found["interaction"]) == {"drawn flow, 50 %", "drawn flow, 100 %"}
    assert 0 <= found["streams"]["dsticnn-start"]["disagreement"] <= 1
    assert found["about"]["command"].startswith("python benchmarks/sequences.py --variants linear-svm")
    page = (tmp_path / "sequences.md").read_text(encoding="utf-8")
    assert "27 clips of 9 people; kfold of 2 groups; flow" in page
    assert (tmp_path / "sequences_interaction.png").stat().st_size > 1000
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("jobs/*.npz")}
    assert kept
    sequences.main()  # goes on where it was: nothing is trained again
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("jobs/*.npz")} == kept
