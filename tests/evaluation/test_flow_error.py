"""The error of a flow is what a person would compute, and a worse flow has a larger one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fleeting.cli.app import app
from fleeting.errors import SettingsError
from fleeting.evaluation.flow_error import BORDER, error_table, evaluate_flow, measure, no_motion, pair_errors
from fleeting.synthesis.flow.grid import CONDITIONS, PEAKS
from fleeting.synthesis.flow.pairs import Pair


def ramp(slope: float, side: int = 40) -> np.ndarray:
    flow = np.zeros((side, side, 2), np.float32)
    flow[..., 0] = slope * np.arange(side)
    return flow


def test_errors_by_hand() -> None:
    truth = ramp(0.02)
    shifted = truth + np.array([0.3, -0.4], np.float32)
    assert pair_errors(shifted, truth) == pytest.approx((0.5, 0.0), abs=1e-5)
    assert pair_errors(truth * 0, truth)[1] == pytest.approx(2.0, abs=1e-4)  # the strain is the slope: 2 %


def test_the_border_does_not_count() -> None:
    truth = np.zeros((40, 40, 2), np.float32)
    wrong = truth.copy()
    wrong[: BORDER - 1] = 5
    assert pair_errors(wrong, truth) == (0, 0)


def test_means_by_condition_and_size() -> None:
    def pair(length: float) -> Pair:
        grey = np.zeros((40, 40), np.uint8)
        return Pair(grey, grey, np.full((40, 40, 2), (length, 0), np.float32))

    found = measure(no_motion, {("clean", 1.0): [pair(1.0), pair(0.5)], ("noise", 1.0): [pair(2.0)]})
    assert found["end_point_error_px"] == {"clean": {"1": 0.75}, "noise": {"1": 2.0}}
    assert found["strain_error_percent"]["clean"]["1"] == 0


def test_the_command_prints_and_writes_the_table(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="the portrait of the demonstration comes with the extra demo")
    words = ["evaluate", "flow", "--method", "farneback", "--pairs", "1", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert done.output.strip() == error_table(metrics)
    assert "farneback" in done.output.splitlines()[-1]
    clean, nothing = metrics["end_point_error_px"]["clean"], metrics["none_px"]["clean"]
    assert set(metrics["end_point_error_px"]) == set(CONDITIONS)
    assert list(clean) == [f"{p:g}" for p in PEAKS]
    assert all(clean[p] < 0.7 * nothing[p] for p in ("0.3", "1", "3"))


def test_what_cannot_be_measured_is_said() -> None:
    with pytest.raises(SettingsError, match="a flow method"):
        evaluate_flow("tvl2", pairs=1)
    with pytest.raises(SettingsError, match="at least one pair"):
        evaluate_flow("dis", pairs=0)


def test_other_models_need_data() -> None:
    done = CliRunner().invoke(app, ["evaluate", "landmarks"])
    assert "labelled data for 'landmarks'" in str(done.exception)
