"""Trainings of an expression network that begin as another one or are taught by others, and what these must be."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra research")

from expression_trainings import (  # noqa: E402
    CPU,
    assert_same_weights,
    folder_of_faces,
    small,
    train_and_stop,
    train_small,
    write_recipe,
)

from fleeting.datasets import fer2013  # noqa: E402
from fleeting.errors import SettingsError  # noqa: E402
from fleeting.models.deep_emotion import standardise  # noqa: E402
from fleeting.models.shipped_expression import Views  # noqa: E402
from fleeting.training.expression_answers import Teacher, mean_answers, said_of  # noqa: E402
from fleeting.training.expression_lineage import lineage  # noqa: E402
from fleeting.training.expression_pictures import labelled, logits_of  # noqa: E402
from fleeting.training.expression_recipe import NetworkSettings  # noqa: E402
from fleeting.training.expression_teachers import Sources, network_of, sources, teacher_of  # noqa: E402
from fleeting.training.expression_trainer import Trainer  # noqa: E402
from fleeting.training.pretrained_faces import INSTALL  # noqa: E402
from fleeting.training.run import train  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_faces(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_small(data, tmp_path_factory.mktemp("trained"))


def keep_the_exported(run: Path, folder: Path) -> None:
    """Of an ended training only what is shipped."""
    folder.mkdir()
    for name in ("expression.onnx", "expression.json"):
        shutil.copy(run / name, folder / name)


def test_a_training_may_begin_as_another_and_be_taught_by_several(trained: Path, data: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "first")
    peer = small(seed=4, model=NetworkSettings(0.1, [8, 16, 16], [1, 1, 1], 0.1))
    train(write_recipe(tmp_path / "second.toml", peer), data=data, out=tmp_path / "second")
    recipe = small(begins_as="first", taught_by=["first", "second"], taught=1.0, small_epochs=0, smoothing=0.0)
    path = write_recipe(tmp_path / "expression.toml", recipe)
    faces = fer2013.read(data / recipe.data)
    split = fer2013.training_rows(faces, validation_percent=recipe.validation_percent)
    rows = labelled(faces.select(split.train), recipe, CPU)
    teachers = [teacher_of(tmp_path / name, recipe) for name in recipe.taught_by]
    began = network_of(tmp_path / "first", recipe)
    trainer = Trainer(recipe, CPU, steps_per_epoch=9, others=Sources(began, teachers))
    for own in (trainer.net, trainer.average):
        for name, value in torch.load(trained / "checkpoint.pt", weights_only=True)["average"].items():
            assert torch.equal(own.state_dict()[name], value), name
    # From the first epoch on, half of the answer is each teacher's; they disagree.
    trainer.ask(rows)
    said = [torch.from_numpy(logits_of(teacher.network, rows, Views())).softmax(1) for teacher in teachers]
    assert float((said[0] - said[1]).abs().max()) > 0.05
    assert trainer.answers is not None
    torch.testing.assert_close(trainer.answers, (said[0] + said[1]) / 2)
    torch.testing.assert_close(mean_answers([*teachers, teachers[1]], rows), (said[0] + 2 * said[1]) / 3)
    train(path, data=data, out=tmp_path / "run")
    card = json.loads((tmp_path / "run" / "expression.json").read_text())
    assert [line.split()[2] for line in card["before"]] == ["recipes/first.toml", "recipes/second.toml"]
    with pytest.raises(SettingsError, match="another value of taught"):
        train(write_recipe(tmp_path / "b.toml", replace(recipe, taught=0.5)), data=data, out=tmp_path / "run")


def test_matched_networks_answer_for_the_very_pictures_that_are_shown(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        shutil.copytree(trained, tmp_path / name)
    recipe = small(matched_by=["first", "second"], matched=0.75, small_epochs=0, small_side=48)
    faces = fer2013.read(data / recipe.data)
    rows = labelled(faces, recipe, CPU)
    torch.manual_seed(1)
    matched = [network_of(tmp_path / "first", recipe), recipe.build().eval()]
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    for share in (0.0, 0.75):
        trainer = Trainer(
            replace(recipe, matched=share),
            CPU,
            steps_per_epoch=9,
            others=Sources(matched=[Teacher(network, Views()) for network in matched]),
        )
        loss = trainer._loss
        monkeypatch.setattr(trainer, "_loss", lambda f, t, v, of=loss: seen.append((f, t)) or of(f, t, v))
        trainer.learn(rows, torch.arange(20), torch.Generator().manual_seed(2))
        assert not any(p.grad is not None for network in matched for p in network.parameters())
    (pictures, labels), (same, targets) = seen
    torch.testing.assert_close(pictures, same)
    with torch.no_grad():
        said = torch.stack([network(pictures).softmax(1) for network in matched]).mean(0)
    torch.testing.assert_close(targets, 0.25 * labels + 0.75 * said)
    assert float((targets - labels).abs().max()) > 0.05
    train(write_recipe(tmp_path / "expression.toml", recipe), data=data, out=tmp_path / "run")
    card = json.loads((tmp_path / "run" / "expression.json").read_text())
    assert [line.split()[2] for line in card["before"]] == ["recipes/first.toml", "recipes/second.toml"]


def test_drawn_teachers_answer_in_turn_for_one_of_their_views() -> None:
    torch.manual_seed(1)
    recipe = small()
    networks = [recipe.build().eval() for _ in range(3)]
    seen = (Views(flip=False), Views(), Views(tilt_deg=20))
    teachers = [Teacher(network, views) for network, views in zip(networks, seen, strict=True)]
    faces = standardise(torch.rand(8, 1, 48, 48))
    shares = faces[:3], faces[3:6], faces[6:]
    with torch.no_grad():
        possible = [[t.network(x).softmax(1) for x in t.views.of(f)] for t, f in zip(teachers, shares, strict=True)]
    assert [len(views) for views in possible] == [1, 2, 4]
    generator = torch.Generator().manual_seed(0)
    drawn: list[set[int]] = [set(), set(), set()]
    for _ in range(40):
        said = said_of(teachers, faces, drawn_by=generator).split([3, 3, 2])
        for number, (one, views) in enumerate(zip(said, possible, strict=True)):
            near = [float((one - view).abs().max()) for view in views]
            assert min(near) < 1e-5
            drawn[number].add(near.index(min(near)))
    assert [len(views) for views in drawn] == [1, 2, 4]
    # As often as one another: the mean of many draws is what the mean of all views teaches.
    many = torch.stack([said_of(teachers, faces, drawn_by=generator) for _ in range(400)]).mean(0)
    every = torch.cat([torch.stack(views).mean(0) for views in possible])
    torch.testing.assert_close(many, every, atol=0.02, rtol=0)
    assert said_of(teachers, faces[:2], drawn_by=generator).shape == (2, 7)


def test_drawn_teachers_see_the_tilts_of_the_recipe(trained: Path, data: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        shutil.copytree(trained, tmp_path / name)
    recipe = small(matched_by=["first", "second", "first"], matched=0.5, matched_drawn=True)
    rows = labelled(fer2013.read(data / recipe.data), recipe, CPU)
    for tilts, expected in (([], [0.0, 0.0, 0.0]), ([5.0, 0.0, 8.0], [5.0, 0.0, 8.0])):
        found = sources(replace(recipe, matched_tilts=tilts), rows, beside=tmp_path, stopped=False)
        assert [teacher.views for teacher in found.matched] == [Views(tilt_deg=tilt) for tilt in expected]
    path = write_recipe(tmp_path / "expression.toml", replace(recipe, matched_tilts=[5.0, 0.0, 8.0]))
    train_and_stop(path, data=data, out=tmp_path / "run")
    for name in ("run", "whole"):
        train(path, data=data, out=tmp_path / name)
    assert_same_weights(tmp_path / "run", tmp_path / "whole")


def test_a_card_says_what_was_run_before_all_that_its_network_comes_from(tmp_path: Path) -> None:
    def command(name: str) -> str:
        return f"fleeting train recipes/{name}.toml --data ../shared/data --out runs/{name}"

    cards: dict[str, dict[str, Any]] = {
        "old": {},
        "a": {"before": ["pip install layers", command("old")], "begins_with": "layers of others"},
        "b": {"before": [command("old")], "begins_with": "more layers"},
    }
    for name, card in cards.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "expression.json").write_text(json.dumps(card), encoding="utf-8")
    found = lineage(small(begins_as="a", matched_by=["b", "old", "a"], matched=0.5), beside=tmp_path)
    assert found.before == (command("old"), command("b"), "pip install layers", command("a"))
    assert found.begins_with == "layers of others"
    assert lineage(small(taught_by=["a"], taught=0.5), beside=tmp_path).begins_with == ""
    assert lineage(small(pretrained="dlib"), beside=tmp_path).before == (INSTALL,)


def test_an_exported_network_teaches_without_its_checkpoint(data: Path, tmp_path: Path) -> None:
    recipe = small(zoom=0.9, model=NetworkSettings(0.1, [8, 12, 16], [1, 1, 1], 0.1))
    trained = tmp_path / "trained"
    train(write_recipe(tmp_path / "expression.toml", recipe), data=data, out=trained)
    keep_the_exported(trained, tmp_path / "first")
    rows = labelled(fer2013.read(data / recipe.data), recipe, CPU)
    found = teacher_of(tmp_path / "first", recipe)
    assert found.views == Views(zoom=0.9) == teacher_of(trained, recipe).views
    oracle = Teacher(network_of(trained, recipe), Views(zoom=0.9))
    torch.testing.assert_close(mean_answers([found], rows), mean_answers([oracle], rows), atol=0.01, rtol=0)
    with pytest.raises(SettingsError, match="validation_percent = 10 in the card of .*first.*got 20"):
        teacher_of(tmp_path / "first", replace(recipe, validation_percent=10))


@pytest.mark.parametrize("stem", ["unshuffled", "pooled"])
def test_a_training_may_begin_as_an_exported_network(stem: Any, data: Path, tmp_path: Path) -> None:
    size = NetworkSettings(0.1, [8, 8, 16], [1, 2, 1], 0.0, stem)
    train(write_recipe(tmp_path / "a.toml", small(model=size, epochs=4)), data=data, out=tmp_path / "whole")
    keep_the_exported(tmp_path / "whole", tmp_path / "first")
    recipe = small(model=size, begins_as="first")
    rows = labelled(fer2013.read(data / recipe.data), recipe, CPU)
    others = sources(recipe, rows, beside=tmp_path, stopped=False)
    exported = teacher_of(tmp_path / "first", recipe).network
    trainer = Trainer(recipe, CPU, steps_per_epoch=9, others=others)
    said = logits_of(exported, rows, Views())
    assert said.std() > 0.05
    for own in (trainer.net, trainer.average):
        np.testing.assert_allclose(logits_of(own, rows, Views()), said, atol=1e-3)
    # In training, where the pictures at hand normalise, it begins as the same, too.
    faces = standardise(rows.pictures.float())
    trainer.net.dropout.p = 0.0
    with torch.no_grad():
        found = trainer.net.train().answer(faces)
    assert float((found.logits - torch.from_numpy(logits_of(exported, rows, Views(flip=False)))).abs().max()) < 0.05
    torch.testing.assert_close(found.votes, found.logits)
    train(write_recipe(tmp_path / "b.toml", recipe), data=data, out=tmp_path / "second")
    assert json.loads((tmp_path / "second" / "expression.json").read_text())["before"] == [
        "fleeting train recipes/first.toml --data ../shared/data --out runs/first"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": NetworkSettings(0.1, [8, 12, 16], [1, 1, 2], 0.1)},
        {"model": NetworkSettings(0.1, [8, 12, 16], [1, 1, 1], 0.1, "pooled")},
    ],
)
def test_another_network_than_the_exported_one_cannot_begin_as_it(
    changes: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    size = NetworkSettings(0.1, [8, 12, 16], [1, 1, 1], 0.1)
    train(write_recipe(tmp_path / "a.toml", small(model=size, epochs=1)), data=data, out=tmp_path / "whole")
    keep_the_exported(tmp_path / "whole", tmp_path / "first")
    recipe = small(begins_as="first", **changes)
    with pytest.raises(SettingsError, match=r"the size that is exported in first.*same network, widths, blocks"):
        train(write_recipe(tmp_path / "b.toml", recipe), data=data, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_kept_network_serves_without_its_checkpoint(data: Path, tmp_path: Path) -> None:
    recipe = small(zoom=0.9, epochs=1)
    path = write_recipe(tmp_path / "expression.toml", recipe)
    train(path, data=data, out=tmp_path / "first")
    rows = labelled(fer2013.read(data / recipe.data), recipe, CPU)
    before = logits_of(network_of(tmp_path / "first", recipe), rows, Views())
    (tmp_path / "first" / "checkpoint.pt").unlink()
    again = network_of(tmp_path / "first", recipe)
    np.testing.assert_allclose(logits_of(again, rows, Views()), before, atol=0.02)
    assert teacher_of(tmp_path / "first", recipe).views == Views(zoom=0.9)
    train(
        write_recipe(tmp_path / "b.toml", replace(recipe, begins_as="first", matched_by=["first"], matched=0.5)),
        data=data,
        out=tmp_path / "second",
    )
    with pytest.raises(SettingsError, match="validation_percent = 10 .*got 20"):
        network_of(tmp_path / "first", replace(recipe, validation_percent=10))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"matched_by": ["first"]}, "matched above 0"),
        ({"matched": 0.5}, "matched above 0"),
        ({"matched_drawn": True}, "matched_drawn only where there is matched_by; got it alone"),
        ({"begins_as": "second"}, "an ended training in .*second; got none.*fleeting train recipes/second.toml"),
        ({"taught_by": ["stopped"], "taught": 0.5}, "got 2 of 4 epochs"),
        ({"begins_as": "first", "validation_percent": 10}, "validation_percent = 10 .*got 20"),
        ({"begins_as": "first", "model": NetworkSettings(0.1, [8, 8, 16], [1, 1, 2], 0.1)}, "same network, widths"),
        (
            {"begins_as": "first", "network": "deep_emotion", "vote_weight": 0, "small_epochs": 0},
            "same network, widths",
        ),
        ({"taught_by": ["first"]}, "taught above 0"),
        ({"matched_by": ["first"], "matched": 0.5, "matched_tilts": [8.0]}, "matched_tilts only with matched_drawn"),
        (
            {"matched_by": ["first"], "matched": 0.5, "matched_drawn": True, "matched_tilts": [8.0, 0.0]},
            "one for each of matched_by; got .8.0, 0.0. for .'first'.",
        ),
    ],
)
def test_teachers_that_do_not_fit_are_refused(
    changes: dict[str, Any], message: str, trained: Path, data: Path, tmp_path: Path
) -> None:
    for name in ("first", "stopped"):
        shutil.copytree(trained, tmp_path / name)
    state = torch.load(trained / "checkpoint.pt", weights_only=True)
    torch.save(state | {"epoch": 2}, tmp_path / "stopped" / "checkpoint.pt")
    with pytest.raises(SettingsError, match=message):
        train(write_recipe(tmp_path / "expression.toml", small(**changes)), data=data, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
