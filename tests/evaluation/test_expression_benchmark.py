"""A user's own faces, in folders by class, through ``fleeting benchmark`` and ``fleeting train``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from command import Command
from expression_faces import drawn

pytest.importorskip("torch", reason="needs the extra research")

from fleeting import settings  # noqa: E402
from fleeting.datasets.load import load_samples  # noqa: E402
from fleeting.errors import DataError  # noqa: E402
from fleeting.labels import SEVEN_CLASSES  # noqa: E402
from fleeting.recognisers.deep_emotion import recogniser as expression_recogniser  # noqa: E402
from fleeting.recognisers.registry import recogniser  # noqa: E402
from fleeting.training.expression.recipe import (  # noqa: E402
    AugmentSettings,
    ExpressionRecipe,
    NetworkSettings,
    check,
)

pytestmark = pytest.mark.torch

SMALL = ExpressionRecipe(
    network="expression", epochs=8, batch=20, bfloat16=False, average=0.9, device="cpu",
    model=NetworkSettings(0.1, [8, 16, 16], [1, 1, 1], 0.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``train/happy/0.png`` ... and ``test/happy/0.png`` ...: 140 and 42 drawn faces; the files have the same names."""
    folder = tmp_path_factory.mktemp("faces")
    for part, count, seed in (("train", 140, 0), ("test", 42, 1)):
        pictures, label = drawn(count, seed=seed)
        for i, (picture, k) in enumerate(zip(pictures, label, strict=True)):
            path = folder / part / SEVEN_CLASSES[int(k)] / f"{i // 7}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture)
    return folder


def test_a_network_learns_a_users_own_folders(faces: Path) -> None:
    train, test = (load_samples(f"fer2013={faces / part}", classes=7) for part in ("train", "test"))
    assert not set(train.clip) & set(test.clip)
    calm = AugmentSettings(rotation_deg=3.0, scale=0.03, shift=0.02, erase=0.0, mixup=0.0)
    kind = expression_recogniser.ExpressionRecogniser("expression", replace(SMALL, epochs=25, augment=calm))
    fitted = kind.fit(train, None, seed=0)
    found = fitted.probabilities(test)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert (found.argmax(1) == test.label).mean() > 0.7
    brief = replace(kind, recipe=replace(kind.recipe, epochs=1))
    first, again = (brief.fit(train, None, seed=0).probabilities(test) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    calibrated = brief.fit(train, test, seed=0)
    assert calibrated.temperature != 1
    assert (calibrated.probabilities(test).argmax(1) == first.argmax(1)).all(), "a temperature changes no answer"


def test_the_benchmark_tests_one_folder_after_training_on_the_other(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fleeting: Command
) -> None:
    short = expression_recogniser.ExpressionRecogniser("expression", replace(SMALL, epochs=2))
    monkeypatch.setattr(expression_recogniser, "expression", lambda: short)
    done = fleeting(
        "benchmark", "-m", "expression", "--train", f"fer2013={faces / 'train'}", "--test", f"fer2013={faces / 'test'}",
        "--classes", "7", "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert found["clips"] == 42
    assert 0 <= found["accuracy"]["pooled"] <= 1
    twice = f"fer2013={faces / 'train'}"
    same = fleeting(
        "benchmark", "-m", "expression", "--train", twice, "--test", twice, "--classes", "7", "--out", tmp_path / "same"
    )
    assert same.status == 1
    assert "training data" in same.err


def test_other_data_is_refused(faces: Path) -> None:
    samples = load_samples(f"fer2013={faces / 'test'}", classes=7)
    kind = expression_recogniser.ExpressionRecogniser("expression", SMALL)
    assert samples.sequence is not None
    long = replace(samples, sequence=np.repeat(samples.sequence, 3, axis=1))
    with pytest.raises(DataError, match="single faces of 48 x 48 pixels; got 3 x 48 x 48"):
        kind.fit(long, None, seed=0)
    with pytest.raises(DataError, match="--classes 7"):
        kind.fit(replace(samples, classes=tuple(reversed(SEVEN_CLASSES))), None, seed=0)


@pytest.mark.parametrize(("name", "network"), [("deep-emotion", "deep_emotion"), ("expression", "expression")])
def test_the_benchmark_trains_as_the_recipe_does(name: str, network: str) -> None:
    made: Any = recogniser(name)
    check(made.recipe)
    stored = settings.load(ExpressionRecipe, Path(__file__).parents[2] / "recipes" / f"{network}.toml")
    assert made.recipe == replace(stored, vote_weight=0.0, vote_share=0.0, taught_by="", taught=0.0)


def test_a_recipe_trains_on_a_users_own_folder(faces: Path, tmp_path: Path, fleeting: Command) -> None:
    recipe = tmp_path / "own.toml"
    recipe.write_text(settings.to_toml(replace(SMALL, data="", epochs=1, validation_percent=20)), encoding="utf-8")
    done = fleeting("train", recipe, "--data", faces, "--out", tmp_path / "run")
    assert done.status == 0, done.err
    card = json.loads((tmp_path / "run" / "expression.json").read_text())
    assert card["pictures"]["trained on"] + card["pictures"]["chosen on"] == 140, "the test folder is not trained on"
