"""Recipes are read by one reader: unknown keys are named with the nearest known one, numbers stay within ranges."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest

for needed in ("torch", "onnx", "sklearn"):
    pytest.importorskip(needed, reason="training needs the research extra")

from fleeting.errors import SettingsError  # noqa: E402
from fleeting.training import recipe as recipes  # noqa: E402
from fleeting.training.recipe import Count, Positive, Range, Share  # noqa: E402
from fleeting.training.run import train  # noqa: E402


@dataclass(frozen=True, slots=True)
class Inner:
    share: Share = 0.5
    shift: Annotated[float, Range(0, 0.5, below=True)] = 0.1


@dataclass(frozen=True, slots=True)
class Outer:
    epochs: Count = 3
    rate: Positive = 0.1
    inner: Inner = field(default_factory=Inner)


def read(folder: Path, text: str) -> Outer:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return recipes.load(Outer, path)


def test_values_at_the_ends_of_their_ranges_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, "epochs = 1\nrate = 2\n[inner]\nshare = 1\nshift = 0.0\n")
    assert found == Outer(1, 2.0, Inner(1.0, 0.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = 0", "at least 1 epochs in .*; got 0"),
        ("rate = 0.0", "rate above 0 in .*; got 0"),
        ("[inner]\nshare = 1.5", "a share of 0 to 1 in .*; got 1.5"),
        ("[inner]\nshift = 0.5", "a shift of 0 to below 0.5 in .*; got 0.5"),
        ("epoch = 2", "Did you mean 'epochs'"),
        ('epochs = "two"', "type int"),
    ],
)
def test_others_are_refused_with_what_was_expected(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("task", "wrong", "message"),
    [
        ("expression", "epochs = 0", "at least 1 epochs"),
        ("landmarks", "not_face_share = 1.0", "a not_face_share of 0 to below 1"),
        ("face_finder", "learning_rate = -1.0", "learning_rate above 0"),
        ("micro_flow", "batch = 0", "at least 1 batch"),
        ("spotter", "hidden = 2.0", "a hidden of 0 to 1"),
        ("dsticnn", "[network.fit]\nepochs = 0", "at least 1 epochs"),
        ("macro_to_micro", "[source.drawn]\ncopies = 0", "at least 1 copies"),
    ],
)
def test_every_training_reads_its_recipe_so(task: str, wrong: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(f'task = "{task}"\n{wrong}\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        train(path, data=tmp_path, out=tmp_path / "out")
