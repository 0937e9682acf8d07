"""Drawn flow has the course of a micro-expression, and a network that begins with it knows what it learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the research extra")

import torch  # noqa: E402

from fleeting.recognisers.dsticnn.recogniser import DsticnnSettings, DsticnnTask  # noqa: E402
from fleeting.recognisers.sequences.drawn_flow import DrawnFlowSettings, course, drawn_flow  # noqa: E402
from fleeting.recognisers.sequences.fit import FitSettings, log_probabilities  # noqa: E402
from fleeting.recognisers.sequences.start import StartSettings, write_start  # noqa: E402
from fleeting.recognisers.sequences.synthetic_flow import SyntheticSettings  # noqa: E402

pytestmark = pytest.mark.torch

DRAWN = DrawnFlowSettings(count=12, errors=6, movement=SyntheticSettings(faces=2))


@pytest.mark.parametrize("kind", ["micro", "macro"])
def test_a_movement_rises_stays_and_returns_not_always_to_rest(kind: str) -> None:
    drawn = [course(kind, 0.5, 64, np.random.default_rng(seed)) for seed in range(40)]  # type: ignore[arg-type]
    for strength in drawn:
        assert strength[0] == 0
        assert strength.max() == pytest.approx(1, abs=0.01)
        assert -1e-6 <= strength[-1] <= 0.5
        apex = int(strength.argmax())
        assert (np.diff(strength[: apex + 1]) >= -1e-6).all()
        assert (np.diff(strength[apex:]) <= 1e-6).all()
    assert max(s[-1] for s in drawn) > 0.3


def test_macro_expressions_stay_longer_and_are_measured_better() -> None:
    rows = {kind: drawn_flow(DRAWN, kind, length=16, side=32, seed=0) for kind in ("micro", "macro")}
    assert torch.equal(rows["micro"].label, rows["macro"].label)
    assert rows["micro"].label.bincount().tolist() == [4, 4, 4]
    for one in rows.values():
        assert one.clips.shape == (12, 2, 16, 32, 32)
        assert (one.clips[:, :, 0] == 128).all()  # from the onset to itself
        assert one.clips.min() >= 1
        assert one.flow_axis == 0

    def restless(clips: torch.Tensor) -> float:
        change = (clips.float() - 128).diff(dim=2)
        return float(change.square().mean() / (clips.float() - 128).square().mean())

    assert restless(rows["micro"].clips) > 2 * restless(rows["macro"].clips)
    again = drawn_flow(DRAWN, "micro", length=16, side=32, seed=0)
    assert torch.equal(again.clips, rows["micro"].clips)
    assert not torch.equal(drawn_flow(DRAWN, "micro", length=16, side=32, seed=1).clips, again.clips)


def test_a_network_begins_with_what_was_learned_once(tmp_path: Path) -> None:
    plan = DsticnnSettings(kind="flow", length=16, side=32, dropout=0.0)
    fit = FitSettings(epochs=12, batch=12, optimiser="adamw", learning_rate=2e-3, shift=0.0, device="cpu")
    path = tmp_path / "start.safetensors"
    how = StartSettings(replace(DRAWN, count=48, movement=SyntheticSettings(faces=2, noise=0.1)), fit)
    write_start(DsticnnTask(plan, classes=3, seed=0), how, path, length=16, side=32, seed=0)
    written = path.stat().st_mtime_ns
    write_start(DsticnnTask(plan, classes=3, seed=1), how, path, length=16, side=32, seed=1)
    assert path.stat().st_mtime_ns == written  # once
    rows = drawn_flow(how.drawn, "micro", length=16, side=32, seed=0)
    right = {}
    for name, start in (("random", ""), ("learned", str(path))):
        task = DsticnnTask(replace(plan, start=start), classes=3, seed=5)
        said = next(iter(log_probabilities(task, rows).values()))
        right[name] = float((said.argmax(1) == rows.label).float().mean())
    assert right["learned"] > 0.6 > right["random"]
