from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from expression_faces import drawn, write_npz

import fleeting
from fleeting import weights
from fleeting.errors import FleetingWarning
from fleeting.evaluation.expression import evaluate_expression, summarise


class Known:
    """Answers with the class that is written into the corner of a picture."""

    def run(self, outputs: None, inputs: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        faces = inputs["faces"]
        assert faces.dtype == np.uint8
        assert faces.shape[1:] == (48, 48)
        found = np.full((len(faces), 7), 0.05, np.float32)
        found[np.arange(len(faces)), faces[:, 0, 0]] = 0.7
        return [found]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "session", lambda name: Known())
    monkeypatch.setattr(weights, "card", lambda name: {"sha256": f"of {name}"})


def answered(answers: list[int]) -> npt.NDArray[np.uint8]:
    pictures, _ = drawn(len(answers))
    pictures[:, 0, 0] = answers
    return pictures


def test_scores_by_hand(tmp_path: Path) -> None:
    truth = np.array([0, 0, 0, 3, 3, 6])
    data = write_npz(tmp_path / "faces.npz", answered([0, 0, 3, 3, 3, 4]), truth, usage=[1, 1, 1, 1, 2, 2])
    found = evaluate_expression(data, model="deep-emotion", out=tmp_path / "out")
    assert found["accuracy"] == pytest.approx(4 / 6, abs=1e-4)
    assert found["accuracy_by_part"] == {"PrivateTest": 0.5, "PublicTest": 0.75}
    assert found["uar"] == pytest.approx((2 / 3 + 1 + 0) / 3, abs=1e-4)
    # F1: angry 4/5, happy 4/5, neutral 0, and sad, which was answered without occurring, 0.
    assert found["uf1"] == pytest.approx(1.6 / 4, abs=1e-4)
    assert found["by_class"]["happy"] == {"pictures": 2, "recall": 1.0, "precision": 0.6667, "f1": 0.8}
    assert found["by_class"]["neutral"]["precision"] is None
    assert "sad" not in found["by_class"]
    assert found["confusion"][0] == [2, 0, 0, 1, 0, 0, 0]
    assert found["log_loss"] == pytest.approx(-(4 * np.log(0.7) + 2 * np.log(0.05)) / 6, abs=1e-4)
    assert found["ece"] == pytest.approx(abs(0.7 - 4 / 6), abs=1e-4)
    assert found["model_sha256"] == "of deep_emotion"
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == found
    with (tmp_path / "out" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["predicted"] for row in rows] == ["angry", "angry", "happy", "happy", "happy", "sad"]
    assert float(rows[5]["p_sad"]) == pytest.approx(0.7)


def test_training_pictures_are_not_scored_beside_others(tmp_path: Path) -> None:
    data = write_npz(tmp_path / "faces.npz", answered([1, 1, 0]), np.zeros(3, np.int64), usage=[0, 0, 1])
    with pytest.warns(FleetingWarning, match="2 Training pictures are left out"):
        found = evaluate_expression(data)
    assert (found["pictures"], found["left_out"], found["accuracy"]) == (1, 2, 1.0)


def test_training_pictures_alone_are_called_so(tmp_path: Path) -> None:
    data = write_npz(tmp_path / "faces.npz", answered([0, 1]), np.zeros(2, np.int64))
    with pytest.warns(FleetingWarning, match="say nothing about new pictures"):
        found = evaluate_expression(data)
    assert (found["pictures"], found["left_out"], found["accuracy"]) == (2, 0, 0.5)


def test_the_command_measures_both_networks(tmp_path: Path, fleeting: Any) -> None:
    data = write_npz(tmp_path / "faces.npz", answered([0, 1]), np.zeros(2, np.int64), usage=[2, 2], votes=False)
    for model, file in (("deep-emotion", "deep_emotion"), ("expression", "expression")):
        done = fleeting("evaluate", model, str(data), "--out", str(tmp_path / model), "--json")
        assert done.status == 0
        assert json.loads(done.out)["model_sha256"] == f"of {file}"
        assert json.loads((tmp_path / model / "metrics.json").read_text())["accuracy"] == 0.5


def test_the_function_is_that_of_the_package(tmp_path: Path) -> None:
    data = write_npz(tmp_path / "faces.npz", answered([0, 1]), np.zeros(2, np.int64), usage=[2, 2])
    assert fleeting.evaluate("expression", data)["accuracy"] == 0.5


def test_perfect_answers_have_perfect_scores() -> None:
    found = summarise(np.eye(7, dtype=np.float32), np.arange(7))
    assert found["accuracy"] == found["uf1"] == found["uar"] == 1
    assert found["ece"] == found["log_loss"] == 0
