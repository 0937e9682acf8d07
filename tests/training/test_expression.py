"""The networks of facial expressions: their shapes, their training, what is exported of them, and what is measured."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from expression_faces import drawn

torch = pytest.importorskip("torch", reason="needs the extra research")

from expression_trainings import (  # noqa: E402
    CPU,
    assert_same_weights,
    folder_of_faces,
    history,
    small,
    train_and_stop,
    train_small,
    write_recipe,
)

from fleeting import settings  # noqa: E402
from fleeting.datasets import fer2013  # noqa: E402
from fleeting.errors import SettingsError  # noqa: E402
from fleeting.recognisers.deep_emotion.network import DeepEmotion, standardise  # noqa: E402
from fleeting.training.expression import train as expression  # noqa: E402
from fleeting.training.expression.export import export as write_onnx  # noqa: E402
from fleeting.training.expression.network import ExpressionNetwork  # noqa: E402
from fleeting.training.expression.pictures import affine_maps, batches, erase, labelled, mixing, settle, steps_in, warp  # noqa: E402  # noqa: E402
from fleeting.training.expression.recipe import (  # noqa: E402
    AugmentSettings,
    ExpressionRecipe,
    NetworkSettings,
    check,
)
from fleeting.training.expression.shipped import ExpressionAnswer, Views, shipped_network  # noqa: E402
from fleeting.training.expression.train import Trainer  # noqa: E402
from fleeting.training.loop import choose_device  # noqa: E402
from fleeting.training.run import train  # noqa: E402
from fleeting.weights import checksum  # noqa: E402
from fleeting.weights.runtime import open_network  # noqa: E402

pytestmark = pytest.mark.torch

RECIPES = Path(__file__).parents[2] / "recipes"


def fixed(net: DeepEmotion, *affine: float) -> DeepEmotion:
    with torch.no_grad():
        net.affine[2].bias.copy_(torch.tensor(affine))
    return net


def test_the_faithful_network_has_the_shapes_of_the_paper() -> None:
    net = DeepEmotion().eval()
    faces = torch.rand(3, 1, 48, 48)
    maps = net.path(faces)
    assert maps.shape == (3, 10, 9, 9)
    assert maps.flatten(1).shape[1] == 810 == net.first.in_features
    assert net.localisation(faces).shape == (3, 90)
    assert net(faces).shape == (3, 7)
    assert sum(p.numel() for p in net.parameters()) == 47657
    assert [w.shape for w in net.penalised()] == [(50, 810), (7, 50)]


def test_the_transformer_warps_the_feature_maps_and_starts_as_the_identity() -> None:
    net = DeepEmotion().eval()
    faces = torch.rand(2, 1, 48, 48)
    maps = net.path(faces)
    torch.testing.assert_close(net.transform(maps, faces), maps, atol=1e-5, rtol=0)
    # x' = -x mirrors the maps; x' = x + 1/4 reads one cell of the eight further to the right.
    mirrored = fixed(net, -1, 0, 0, 0, 1, 0).transform(maps, faces)
    torch.testing.assert_close(mirrored, maps.flip(3), atol=1e-5, rtol=0)
    moved = fixed(net, 1, 0, 0.25, 0, 1, 0).transform(maps, faces)
    torch.testing.assert_close(moved[..., :-1], maps[..., 1:], atol=1e-5, rtol=0)
    theta = torch.tensor([[1.1, 0.2, 0.1], [-0.1, 0.9, -0.2]])
    grid = torch.nn.functional.affine_grid(theta.expand(2, 2, 3), [2, 10, 9, 9], align_corners=True)
    oracle = torch.nn.functional.grid_sample(maps, grid, align_corners=True)
    turned = fixed(net, *theta.flatten().tolist()).transform(maps, faces)
    torch.testing.assert_close(turned, oracle, atol=1e-5, rtol=0)


def test_the_localisation_network_learns() -> None:
    net = DeepEmotion()
    net(torch.rand(4, 1, 48, 48)).square().sum().backward()
    assert net.affine[2].weight.grad.abs().sum() > 0


def test_our_network_attends_to_places() -> None:
    torch.manual_seed(0)
    net = ExpressionNetwork(widths=(8, 8, 16), blocks=(1, 1, 1)).eval()
    for side in (32, 48):
        answer = net.answer(torch.rand(2, 1, side, side))
        assert answer.attention.shape == (2, side // 8, side // 8)
        torch.testing.assert_close(answer.attention.sum((1, 2)), torch.ones(2))
        assert answer.logits.shape == answer.votes.shape == (2, 7)


def test_the_shipped_recipes_build_their_networks() -> None:
    for name, most in (("deep_emotion", 50_000), ("expression", 2_000_000)):
        recipe = settings.load(ExpressionRecipe, RECIPES / f"{name}.toml")
        check(recipe)
        assert recipe.network == name
        assert sum(p.numel() for p in recipe.build().parameters()) <= most


def test_standardised_pictures_do_not_change_with_light() -> None:
    faces = torch.rand(2, 1, 48, 48) * 200
    ours = standardise(faces)
    torch.testing.assert_close(ours.mean((1, 2, 3)), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(ours.std((1, 2, 3)), torch.ones(2), atol=1e-2, rtol=0)
    torch.testing.assert_close(standardise(faces * 0.5 + 20), ours, atol=1e-3, rtol=0)
    assert not standardise(torch.full((1, 1, 48, 48), 7.0)).any()


# ---------------------------------------------------------------- augmentation


def test_augmentation_is_the_same_for_a_seed_and_stays_within_its_settings() -> None:
    chosen = AugmentSettings()
    first, second = (affine_maps(500, chosen, torch.Generator().manual_seed(1)) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    matrix = first[:, :, :2].double()
    sizes = torch.linalg.det(matrix).abs().sqrt()
    assert 0.87 < sizes.min() < 0.9
    assert 1.1 < sizes.max() < 1.13
    mirrored = torch.linalg.det(matrix) < 0
    assert 0.4 < mirrored.float().mean() < 0.6
    assert first[:, :, 2].abs().max() <= 2 * chosen.shift
    none = affine_maps(10, AugmentSettings(0, 0, 0, 0, 0), torch.Generator().manual_seed(1))
    faces = torch.rand(10, 1, 48, 48)
    unchanged = warp(faces, none, side=48)
    expected = torch.where((none[:, 0, 0] < 0).reshape(-1, 1, 1, 1), faces.flip(3), faces)
    torch.testing.assert_close(unchanged, expected, atol=1e-4, rtol=0)
    assert warp(faces, none, side=32).shape == (10, 1, 32, 32)


def test_a_cubic_warp_is_that_of_opencv_and_keeps_fine_lines() -> None:
    faces = torch.rand(3, 1, 48, 48, generator=torch.Generator().manual_seed(0)) * 255
    maps = affine_maps(3, AugmentSettings(), torch.Generator().manual_seed(1))
    found = warp(faces, maps, side=48, interpolation="cubic")
    for face, changed, theta in zip(faces, found, maps.double().numpy(), strict=True):
        # From pixels to -1..1 and back again.
        place = (np.arange(48) * 2 + 1) / 48 - 1
        x, y = np.meshgrid(place, place)
        old = np.einsum("ij,jyx->iyx", theta, np.stack([x, y, np.ones_like(x)]))
        u, v = (((axis + 1) * 48 - 1) / 2 for axis in old)
        oracle = cv2.remap(
            face[0].numpy(),
            u.astype(np.float32),
            v.astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        # OpenCV rounds places to 1/32 of a pixel.
        assert np.abs(oracle - changed[0].numpy()).mean() < 3
    line = torch.zeros(1, 1, 48, 48)
    line[..., 24] = 1
    half = torch.tensor([[[1.0, 0.0, 1 / 48], [0.0, 1.0, 0.0]]])
    peaks = [float(warp(line, half, side=48, interpolation=kind).max()) for kind in ("linear", "cubic")]
    assert peaks == pytest.approx([0.5, 0.594], abs=0.002)


def test_erasing_leaves_half_of_the_pictures_alone() -> None:
    erased = erase(torch.ones(400, 1, 48, 48), 0.3, torch.Generator().manual_seed(0))
    share = (erased == 0).float().mean((1, 2, 3))
    assert 0.4 < (share > 0).float().mean() < 0.6
    assert 0 < share.max() <= 0.31**2
    # What is erased is one rectangle.
    one = (erased[int(share.argmax()), 0] == 0).numpy()
    rows, columns = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
    assert one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


def test_mixing_prefers_one_picture() -> None:
    generator = torch.Generator().manual_seed(0)
    shares = [mixing(AugmentSettings(mixup=0.2), generator) for _ in range(100)]
    assert all(0.5 <= s <= 1 for s in shares)
    assert len(set(shares)) > 90
    assert mixing(AugmentSettings(mixup=0.0), generator) == 1


# ---------------------------------------------------------------- training


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_faces(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_small(data, tmp_path_factory.mktemp("trained"))


def test_the_faithful_network_learns_200_faces(data: Path) -> None:
    faces = fer2013.read(data / "fer2013_training_publictest.npz").select(np.arange(200))
    recipe = replace(settings.load(ExpressionRecipe, RECIPES / "deep_emotion.toml"), epochs=6, batch=20, bfloat16=False)
    trainer = Trainer(recipe, CPU, steps_per_epoch=10)
    rows = labelled(faces, recipe, CPU)
    generator = torch.Generator().manual_seed(0)
    losses = [
        float(trainer.learn(rows, batch, generator)["loss"])
        for _ in range(6)
        for batch in batches(len(rows), recipe.batch, generator)
    ]
    assert np.mean(losses[:5]) > 1.7
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_a_training_ends_with_network_and_card(trained: Path) -> None:
    rows = history(trained)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss"] < rows[0]["loss"]
    card = json.loads((trained / "expression.json").read_text())
    assert card["sha256"] == checksum(trained / "expression.onnx")
    assert card["scores"]["public_test"]["pictures"] == 70
    assert card["pictures"]["trained on"] + card["pictures"]["chosen on"] == 210
    assert set(card["scores"]["validation"]["recall"]) <= set(card["labels"])
    assert 0.05 <= card["temperature"] <= 20


def test_a_stopped_training_ends_with_the_same_weights(trained: Path, data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "expression.toml", small())
    train_and_stop(recipe, data=data, out=tmp_path / "run")
    train(recipe, data=data, out=tmp_path / "run")
    assert_same_weights(trained, tmp_path / "run")


def test_another_recipe_does_not_go_on_and_another_machine_does(trained: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="another value of seed"):
        train(write_recipe(tmp_path / "expression.toml", small(seed=5)), data=data, out=trained)
    train(write_recipe(tmp_path / "expression.toml", small(device="auto")), data=data, out=trained)
    assert len(history(trained)) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"small_side": 30}, "small_side of 24"),
        ({"epochs": 0}, "at least 1 epoch"),
        ({"network": "deep_emotion"}, "one head"),
        ({"penalty": 0.1}, "Use weight_decay"),
        ({"taught": 1.5}, "taught from 0 to 1"),
        ({"taught": 0.5}, "where there is taught_by"),
        ({"model": NetworkSettings(widths=[8, 8])}, "three widths"),
    ],
)
def test_impossible_recipes_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        check(small(**changes))


def test_a_training_that_asks_for_cuda_does_not_run_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="a CUDA device"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == choose_device("cuda").type == "cuda"
    assert choose_device("cpu").type == "cpu"


def test_targets_hold_labels_votes_and_smoothing() -> None:
    pictures, label = drawn(7)
    votes = np.zeros((7, 10), np.float32)
    votes[0, [4, 6]] = (8, 2)  # angry by the label; two of ten say fear
    faces = fer2013.FacePictures(pictures, label, np.full(7, "Training"), np.arange(7).astype(str), votes)
    rows = labelled(faces, small(vote_share=0.5, smoothing=0.07), CPU)
    torch.testing.assert_close(rows.targets.sum(1), torch.ones(7))
    assert rows.targets[0, 0].item() == pytest.approx(0.93 * 0.9 + 0.01)
    assert rows.targets[0, 2].item() == pytest.approx(0.93 * 0.1 + 0.01)
    # Where nobody voted for one of the seven, the label stands alone.
    assert rows.targets[1, 1].item() == pytest.approx(0.93 + 0.01)
    assert not rows.votes[1].any()


def test_the_last_epochs_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    def erased(*_: object) -> torch.Tensor:
        raise AssertionError("erased")

    recipe = small(augment=AugmentSettings(mixup=1e6), plain_rate=1e-4)
    trainer = Trainer(recipe, CPU, steps_per_epoch=5)
    pictures, label = drawn(8)
    none = np.full(8, "")
    faces = labelled(fer2013.FacePictures(pictures, label, none, none), recipe, CPU)
    monkeypatch.setattr(expression, "erase", erased)
    with pytest.raises(AssertionError, match="erased"):
        trainer.learn(faces, torch.arange(8), torch.Generator())
    trainer.epoch, trainer.step = recipe.epochs, 5 * recipe.epochs
    assert rate(trainer) == pytest.approx(1e-4)
    monkeypatch.setattr(expression, "mixing", lambda settings, _: 1.0 if settings.mixup == 0 else 0.5)
    trainer.learn(faces, torch.arange(8), torch.Generator())
    trainer.step = 5 * (recipe.epochs + 1)
    assert rate(trainer) == pytest.approx(1e-6)


def rate(trainer: Trainer) -> float:
    return trainer.phase.learning_rate(trainer.step, steps_per_epoch=trainer.steps_per_epoch)


def test_a_settled_network_answers_in_use_as_in_training_for_unchanged_pictures(data: Path) -> None:
    torch.manual_seed(1)
    recipe = small(model=NetworkSettings(0.0, [8, 8, 16], [1, 1, 1], 0.0))
    network = recipe.build()
    rows = labelled(fer2013.read(data / recipe.data), recipe, CPU)
    faces = standardise(rows.pictures.float())
    with torch.no_grad():
        for parameter in network.parameters():  # also what begins at zero
            parameter.add_(0.1 * torch.randn_like(parameter))
        oracle = network.train()(faces)
        before = network.eval()(faces)
        settle(network, rows, size=len(rows), seed=0)
        after = network(faces)
    assert not network.training
    assert float((before - oracle).abs().max()) > 0.1
    torch.testing.assert_close(after, oracle, atol=0.02, rtol=0)
    settle(network, rows, size=50, seed=0)
    batches_of = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(norm.momentum == 0.1 and int(norm.num_batches_tracked) == 6 for norm in batches_of)


def test_a_training_that_settles_ends_so_and_goes_on_as_if_it_had_not(
    trained: Path, data: Path, tmp_path: Path
) -> None:
    recipe = small(settled=True)
    shutil.copytree(trained, tmp_path / "run")
    path = write_recipe(tmp_path / "expression.toml", recipe)
    train(path, data=data, out=tmp_path / "run")
    before, after = (torch.load(p / "checkpoint.pt", weights_only=True) for p in (trained, tmp_path / "run"))
    assert all(torch.equal(before["average"][name], value) for name, value in after["average"].items())
    assert checksum(trained / "expression.onnx") != checksum(tmp_path / "run" / "expression.onnx")
    shutil.copytree(tmp_path / "run", tmp_path / "again")
    train(write_recipe(tmp_path / "expression.toml", small()), data=data, out=tmp_path / "again")
    assert_same_weights(trained, tmp_path / "again")


def test_a_network_is_taught_what_a_shipped_one_says(data: Path, tmp_path: Path) -> None:
    recipe = small(taught_by="deep_emotion", taught=1.0, validation_percent=6, epochs=1, plain_epochs=0, average=0.0)
    teacher = expression.teacher_of(recipe)
    assert teacher is not None
    rows = labelled(fer2013.read(data / recipe.data).select(np.arange(40)), recipe, CPU)
    trainer = Trainer(recipe, CPU, steps_per_epoch=2, teacher=teacher)
    trainer.ask(rows)
    said = shipped_network("deep_emotion")(rows.pictures[:, 0]).log() * teacher.temperature
    torch.testing.assert_close(trainer.answers, said.softmax(1), atol=1e-4, rtol=1e-3)
    # With nothing but these answers for labels, the set's own labels do not matter.
    steps = []
    for changed in (rows, replace(rows, targets=rows.targets.flip(0))):
        trainer = Trainer(recipe, CPU, steps_per_epoch=2, teacher=teacher)
        trainer.ask(changed)
        steps.append(float(trainer.learn(changed, torch.arange(20), torch.Generator().manual_seed(0))["loss"]))
    assert steps[0] == steps[1]
    path = write_recipe(tmp_path / "expression.toml", recipe)
    train(path, data=data, out=tmp_path / "run")
    card = json.loads((tmp_path / "run" / "expression.json").read_text())
    assert card["data"].endswith("answers of the shipped network deep_emotion")
    with pytest.raises(SettingsError, match="validation_percent = 6, that of the shipped deep_emotion; got 20"):
        train(write_recipe(tmp_path / "b.toml", replace(recipe, validation_percent=20)), data=data, out=tmp_path / "b")


def test_batches_hold_every_row_at_most_once() -> None:
    for count, size, expected in ((50, 20, 3), (49, 20, 2), (7, 20, 1), (40, 20, 2)):
        found = list(batches(count, size, torch.Generator().manual_seed(0)))
        assert len(found) == expected == steps_in(count, size)
        rows = torch.cat(found)
        assert len(rows.unique()) == len(rows)


# ---------------------------------------------------------------- export


@pytest.mark.parametrize("network", ["deep_emotion", "expression"])
@pytest.mark.parametrize(
    "views", [Views(flip=False), Views(), Views(tilt_deg=8.0), Views(zoom=0.97), Views(tilt_deg=8.0, zoom=0.9)], ids=str
)
def test_the_exported_file_says_what_the_network_says(network: str, views: Views, tmp_path: Path) -> None:
    torch.manual_seed(3)
    recipe = small(network=network, small_epochs=0, vote_weight=0.0)
    net = recipe.build().eval()
    if isinstance(net, DeepEmotion):
        fixed(net, 1.1, 0.1, 0.05, -0.1, 0.9, 0.02)
    wrapped = ExpressionAnswer(net, temperature=0.5, views=views)
    assert write_onnx(wrapped, tmp_path / "net.onnx") < 0.02
    session = open_network(tmp_path / "net.onnx")
    pictures, _ = drawn(9, seed=4)
    found = session.run(None, {"faces": pictures})[0]
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    with torch.no_grad():
        np.testing.assert_allclose(found, wrapped(torch.from_numpy(pictures)).numpy(), atol=0.005)
    mirrored = session.run(None, {"faces": np.ascontiguousarray(pictures[:, :, ::-1])})[0]
    assert np.allclose(found, mirrored, atol=1e-5) == views.flip


def test_tilted_views_are_turned_about_the_middle_to_both_sides() -> None:
    x = torch.zeros(1, 1, 48, 48)
    x[0, 0, 22:26, 40:42] = 1.0  # a bar to the right of the middle
    seen = Views(flip=False, tilt_deg=10.0, zoom=0.9).of(standardise(x))
    assert len(seen) == 2
    centres = []
    for view in seen:
        torch.testing.assert_close(view.mean(), torch.tensor(0.0), atol=1e-4, rtol=0)
        weight = (view[0, 0] - view.min()).double()
        row = torch.arange(48, dtype=torch.float64)
        centres.append([float((weight.sum(a) * row).sum() / weight.sum()) - 23.5 for a in (0, 1)])
    (x1, y1), (x2, y2) = centres
    distance = 17.0 / 0.9
    assert x1 == pytest.approx(distance * math.cos(math.radians(10)), abs=0.3)
    assert x2 == pytest.approx(x1, abs=0.1)
    assert y1 == pytest.approx(-y2, abs=0.1)
    assert abs(y1) == pytest.approx(distance * math.sin(math.radians(10)), abs=0.3)
    assert len(Views(tilt_deg=10.0).of(x)) == 4
    assert len(Views().of(x)) == 2
    (same,) = Views(flip=False).of(x)
    assert same is x


def test_a_zoomed_view_shows_the_middle_larger() -> None:
    x = torch.zeros(1, 1, 48, 48)
    x[0, 0, 22:26, 38:42] = 1.0
    (view,) = Views(flip=False, zoom=0.8).of(standardise(x))
    weight = (view[0, 0] - view.min()).double()
    row = torch.arange(48, dtype=torch.float64)
    assert float((weight.sum(0) * row).sum() / weight.sum()) - 23.5 == pytest.approx(16.0 / 0.8, abs=0.1)
    # A square of 4 x 4 pixels covers 5 x 5 at 0.8 of the sides.
    assert float(weight.sum() / weight.max()) == pytest.approx(25, rel=0.1)
