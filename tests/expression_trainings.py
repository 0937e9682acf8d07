"""Short trainings of a small expression network on drawn faces, for the tests of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from expression_faces import drawn, write_npz
from stopped_trainings import stopped_after

from fleeting import settings
from fleeting.training.expression.recipe import ExpressionRecipe, NetworkSettings
from fleeting.training.run import train
from fleeting.weights import checksum

CPU = torch.device("cpu")


def small(**changes: Any) -> ExpressionRecipe:
    recipe = ExpressionRecipe(
        network="expression", epochs=3, plain_epochs=1, batch=20, validation_percent=20, bfloat16=False, average=0.9,
        device="cpu", vote_weight=0.5, small_side=32, small_epochs=1,
        model=NetworkSettings(0.1, [8, 8, 16], [1, 1, 1], 0.1),
    )  # fmt: skip
    return replace(recipe, **changes)


def write_recipe(path: Path, recipe: ExpressionRecipe) -> Path:
    path.write_text(settings.to_toml(recipe), encoding="utf-8")
    return path


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def folder_of_faces(folder: Path) -> Path:
    """A folder with 280 drawn faces in the layout of FER-2013, 70 of them PublicTest."""
    pictures, label = drawn(280)
    write_npz(folder / "fer2013_training_publictest.npz", pictures, label, usage=np.arange(280) >= 210)
    return folder


def train_small(data: Path, folder: Path) -> Path:
    """The folder of an ended training."""
    train(write_recipe(folder / "expression.toml", small()), data=data, out=folder / "run")
    return folder / "run"


def train_and_stop(recipe: Path, *, data: Path, out: Path) -> None:
    """Train for two epochs, as if stopped then."""
    with stopped_after(2):
        train(recipe, data=data, out=out)
    assert len(history(out)) == 2


def assert_same_weights(first: Path, second: Path) -> None:
    states = [torch.load(folder / "checkpoint.pt", weights_only=True)["average"] for folder in (first, second)]
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=0, atol=0)
    checksums = {checksum(folder / "expression.onnx") for folder in (first, second)}
    assert len(checksums) == 1
