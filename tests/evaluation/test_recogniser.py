from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from typer.testing import CliRunner

from fleeting import weights
from fleeting.datasets import composite
from fleeting.datasets.composite import FlowImages
from fleeting.datasets.samples import Samples, from_flow_images
from fleeting.errors import DataError, FleetingWarning, InputError
from fleeting.evaluation.benchmark.predictions import cross_validate, scores
from fleeting.evaluation.recogniser import evaluate_recogniser
from fleeting.faces.align import CANONICAL_POINTS, crop_size
from fleeting.labels import THREE_CLASSES, UNSURE
from fleeting.motion.flow_image import flow_image, mirrored
from fleeting.naming.recogniser import Recogniser
from fleeting.report.wording import headline
from fleeting.synthesis.face.action_units import Activation, Side, displacement_field


def arrays(n: int = 12) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "flow": rng.integers(0, 256, (n, 28, 28, 3)).astype(np.uint8),
        "label": (np.arange(n) % 3).astype(np.uint8),
        "subject": np.array([f"p{i // 3}" for i in range(n)]),
        "clip": np.array([f"c{i}" for i in range(n)]),
        "dataset": np.array(["smic", "casme2"] * (n // 2)),
    }


def stored(folder: Path, **changes: np.ndarray) -> Path:
    path = folder / "flow.npz"
    np.savez(path, **(arrays() | changes))
    return path


def test_composite_keeps_people_of_different_sets_apart(tmp_path: Path) -> None:
    data = composite.read(stored(tmp_path))
    assert len(data) == 12
    assert data.subject[0] == "smic/p0"
    assert data.subject[1] == "casme2/p0"
    part = data.select(data.subject == "smic/p0")
    assert set(part.subject) == {"smic/p0"}
    assert len(part.flow) == len(part.label) == len(part.clip) == len(part)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flow": np.zeros((12, 28, 28, 3), np.float32)}, "uint8"),
        ({"flow": np.zeros((12, 28, 28), np.uint8)}, r"shape \(12, 28, 28, 3\)"),
        ({"label": np.full(12, 7)}, "0 negative, 1 positive, 2 surprise"),
        ({"clip": np.array(["c"] * 12)}, "every clip once"),
        ({"subject": np.array(["s"] * 5)}, "one entry per clip"),
    ],
)
def test_composite_says_what_is_wrong(tmp_path: Path, changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        composite.read(stored(tmp_path, **changes))


def test_composite_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="readable"):
        composite.read(tmp_path / "missing.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DataError, match="readable"):
        composite.read(tmp_path / "text.npz")
    incomplete = arrays()
    del incomplete["subject"]
    np.savez(tmp_path / "part.npz", **incomplete)
    with pytest.raises(DataError, match="without subject"):
        composite.read(tmp_path / "part.npz")


@dataclass
class Remembering:
    """Answers alike whatever it is shown, and keeps the subjects of its training rows."""

    fitted: list[set[str]]
    name: str = "remembering"
    needs: Literal["flow", "sequence"] = "flow"
    threshold: float = 0.5

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Remembering:
        assert validation is None
        self.fitted.append(set(train.subject))
        return self

    def probabilities(self, samples: Samples) -> np.ndarray:
        return np.tile(np.array([0.7, 0.2, 0.1], np.float32), (len(samples), 1))

    def settings(self) -> dict[str, Any]:
        return {}


def test_cross_validation_never_shows_the_subject_that_it_tests() -> None:
    made = arrays()
    data = from_flow_images(FlowImages(made["flow"], made["label"].astype(np.int64), made["subject"], made["clip"]))
    fitted: list[set[str]] = []
    table = cross_validate(data, Remembering(fitted))
    assert len(fitted) == 4
    for seen, held_out in zip(fitted, sorted(set(data.subject)), strict=True):
        assert held_out not in seen
        assert len(seen) == 3
    np.testing.assert_array_equal(table.fold, data.subject)
    assert table.answered.all()
    found = scores(table, draws=50)
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["uf1"] == pytest.approx(0.5 / 3)
    assert found["recall"] == {"negative": 1.0, "positive": 0.0, "surprise": 0.0}
    assert json.loads(json.dumps(found)) == found


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


def test_probabilities_sum_to_one_and_mirrored_faces_get_the_same(recogniser: Recogniser) -> None:
    images = arrays()["flow"]
    images[:, 0, 0], images[:, 0, 1] = 0, 255  # as every flow image, each channel spans 0..255
    answer = recogniser(images)
    assert answer.shape == (12, 3)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(recogniser(mirrored(images)), answer, atol=1e-4)
    np.testing.assert_allclose(recogniser(images[3:4]), answer[3:4], atol=1e-5)
    assert recogniser(images[:0]).shape == (0, 3)


@pytest.mark.parametrize("side", ["both", "left", "right"])
@pytest.mark.parametrize(
    ("units", "expected"),
    [("AU12", "positive"), ("AU06+AU12", "positive"), ("AU01+AU02", "surprise"), ("AU09+AU15", "negative")],
)
def test_textbook_movements_get_their_class(recogniser: Recogniser, units: str, expected: str, side: Side) -> None:
    moving = [Activation(unit, side, 0.6 if unit == "AU06" else 1.0) for unit in units.split("+")]
    flow = displacement_field(CANONICAL_POINTS, crop_size(), moving, peak_percent_iod=1.5)
    answer = recogniser(flow_image(flow)[None])[0]
    assert THREE_CLASSES[int(answer.argmax())] == expected


def test_unsure_below_the_threshold(recogniser: Recogniser) -> None:
    low = recogniser.threshold - 0.01
    assert recogniser.name(np.array([low, 1 - low, 0], np.float32)) == (UNSURE, pytest.approx(low))
    assert recogniser.name(np.array([0.02, 0.97, 0.01], np.float32)) == ("positive", pytest.approx(0.97))


def test_wrong_input_is_refused(recogniser: Recogniser) -> None:
    with pytest.raises(InputError, match="flow images"):
        recogniser(np.zeros((1, 28, 28, 3), np.float32))
    with pytest.raises(InputError, match="flow images"):
        recogniser(np.zeros((28, 28, 3), np.uint8))


def test_the_card_states_what_a_user_needs() -> None:
    card = weights.card("fleeting")
    assert len(card["subjects"]) == 54
    assert card["labels"] == list(THREE_CLASSES)
    assert 1 / 3 < card["unsure"]["threshold"] < 1
    assert (weights.folder() / "fleeting.onnx").stat().st_size < 5_000_000
    for key in ("uf1", "uar", "uf1_interval", "ece", "recall", "coverage", "selective_accuracy", "protocol"):
        assert key in card["scores"]
    assert card["scores"]["uf1"] >= 0.771


def test_the_card_says_first_how_it_does_in_another_laboratory() -> None:
    scores = weights.card("fleeting")["scores"]
    assert next(iter(scores)) == "elsewhere"
    elsewhere = scores["elsewhere"]
    for key in ("uf1", "uar", "uf1_interval", "ece", "coverage", "selective_accuracy", "protocol"):
        assert key in elsewhere
    assert set(elsewhere["laboratories"]) == {"casme2", "smic", "samm"}
    assert elsewhere["uf1"] < scores["uf1"]
    assert elsewhere["above_linear_svm"]["difference"] >= 0.05
    assert elsewhere["above_linear_svm"]["p"] < 0.05
    assert headline(weights.card("fleeting")).startswith(f"UF1 {elsewhere['uf1']:.3f}")


def test_evaluate_writes_scores_and_rows(tmp_path: Path) -> None:
    from fleeting.cli.app import app

    done = CliRunner().invoke(app, ["evaluate", "recogniser", str(stored(tmp_path)), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert found["trained_on_these_subjects"] is False
    assert found["clips"] == 12
    assert {"uf1", "uar", "accuracy", "confusion", "ece"} <= set(found)
    lines = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
    assert len(lines) == 13
    assert lines[0].startswith("fold,clip,subject,truth,predicted,answered,p_negative")


def test_evaluating_on_its_own_people_is_called_so(tmp_path: Path) -> None:
    own = stored(tmp_path, subject=np.array(["sub01", "s01"] * 6), dataset=np.array(["casme2", "smic"] * 6))
    with pytest.warns(FleetingWarning, match="trained on 2 of these 2 subjects"):
        found = evaluate_recogniser(own)
    assert found["trained_on_these_subjects"] is True
