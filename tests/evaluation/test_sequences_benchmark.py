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
    macro = stored_clips(tmp_path / "macro.npz", moving_clips(12, seed=3), kind="macro", dataset="posed")
    monkeypatch.setattr(sequences, "make_sets", lambda *_, **__: {"transferred": micro, "macro": macro})
    faces = moving_clips(24)
    from fleeting.recognisers.sequences.clip_rows import clip_rows

    rows = clip_rows(faces, kind="grey", length=1, side=48)
    monkeypatch.setattr(sequences, "still_faces", lambda *_, **__: (rows, rows))
    words = "--protocol kfold --folds 2 --seeds 1 --epochs 1 --still-epochs 1 --side 32 --length 48 --device cpu"
    chosen = "--variants linear-svm dsticnn-none dsticnn minet macro-to-micro"
    folders = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["sequences.py", *words.split(), *chosen.split(), *folders])
    sequences.main()
    found = json.loads((tmp_path / "sequences.json").read_text(encoding="utf-8"))
    assert list(found["systems"]) == ["linear-svm", "dsticnn-none", "dsticnn", "minet", "macro-to-micro"]
    assert set(found["tests"]["Macro-to-micro: do macro-expressions help?"]) == {"against", "macro-to-micro"}
    assert set(found["fused_against_single"]) == {"dsticnn-none", "dsticnn"}
    assert found["about"]["command"].startswith("python benchmarks/sequences.py --variants linear-svm dsticnn-none")
    page = (tmp_path / "sequences.md").read_text(encoding="utf-8")
    assert "27 clips of 9 subjects; kfold, 1 seed(s); 1 epochs" in page
    assert "| `dsticnn` | 32 frames |" in page
    assert (tmp_path / "sequences.png").stat().st_size > 1000
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("jobs/*.npz")}
    assert kept
    sequences.main()  # goes on where it was: nothing is trained again
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("jobs/*.npz")} == kept
