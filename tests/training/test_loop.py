"""Every training goes on where it was stopped, to the same bytes, and its history holds each epoch once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

for needed in ("torch", "onnx", "sklearn", "tensorboard"):
    pytest.importorskip(needed, reason="training needs the research extra")

import test_macro_to_micro as macro_to_micro  # noqa: E402
import test_micro_flow_network as micro_flow  # noqa: E402
import test_train_face_finder as face_finder  # noqa: E402
import test_train_landmarks as landmarks  # noqa: E402
import test_train_spotter as spotter  # noqa: E402
import torch  # noqa: E402
from expression_trainings import folder_of_faces, small, write_recipe  # noqa: E402
from sequence_clips import moving_clips, stored_clips  # noqa: E402
from stopped_trainings import stopped_after  # noqa: E402
from test_sequence_recipes import RECIPE  # noqa: E402
from torch import nn  # noqa: E402

from fleeting.errors import SettingsError  # noqa: E402
from fleeting.recognisers.macro_to_micro.guide import macro_rows, train_manet  # noqa: E402
from fleeting.training import history, loop  # noqa: E402
from fleeting.training.face_finder.train import HardScenes  # noqa: E402
from fleeting.training.face_finder.train import fit as fit_finder  # noqa: E402
from fleeting.training.run import train  # noqa: E402

pytestmark = pytest.mark.torch

Training = Callable[[Path], None]
"""Trains into a folder; called again with the same folder, it goes on."""


def expression(folder: Path, *, network: str) -> Training:
    data = folder_of_faces(folder)
    changes = {} if network == "expression" else {"vote_weight": 0.0, "small_epochs": 0}
    recipe = write_recipe(folder / "expression.toml", small(network=network, **changes))
    return lambda out: train(recipe, data=data, out=out) and None


def of_landmarks(folder: Path) -> Training:
    landmarks.draw_set(folder)
    # Tasks stop early: when, must be in the checkpoint.
    stopping = "stop_window = 1\nstop_threshold = 0.0"
    recipe = landmarks.write_recipe(folder / "recipe.toml", epochs=4, more=stopping)
    return lambda out: train(recipe, data=folder, out=out) and None


def of_face_finder(folder: Path) -> Training:
    # Every scene without a face is shown again: what is kept of them must be in the checkpoint.
    scenes = replace(face_finder.recipe().scenes, empty_share=0.7)
    recipe = face_finder.recipe(cycles=[20], check_every=5, hard_share=0.5, scenes=scenes)
    maker = face_finder.SceneMaker(face_finder.FACES, [], settings=recipe.scenes, erased=0)
    held = face_finder.face_finder.validation_scenes(maker, count=2)
    return lambda out: fit_finder(recipe, maker, held, out=out) and None


def of_micro_flow(folder: Path) -> Training:
    how = micro_flow.MicroFlowRecipe(steps=8, batch=2, pairs=8, warm_steps=2, save_every=2, check_every=100)
    return lambda out: micro_flow.fit(micro_flow.Trainer(how), micro_flow.made_up_pool(), {}, out=out)


def of_spotter(folder: Path) -> Training:
    spotter.write(folder / "films", [spotter.film(i, f"person {i}") for i in range(3)])
    spotter.write(folder / "validation", [spotter.film(i, f"other {i}") for i in range(10, 12)])
    recipe = spotter.recipe(folder, epochs=4)
    return lambda out: train(recipe, data=folder, out=out) and None


def of_dsticnn(folder: Path) -> Training:
    stored_clips(folder / "clips.npz", moving_clips(36))
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.replace("epochs = 5", "epochs = 4").replace("dropout = 0.0", "dropout = 0.3"))
    return lambda out: train(recipe, data=folder, out=out) and None


def of_manet(folder: Path) -> Training:
    one = replace(macro_to_micro.ONE, epochs=4)
    how = replace(macro_to_micro.MACRO, still=one, moving=one)
    clips = macro_rows(moving_clips(24, seed=4), how, seed=0)
    return lambda out: train_manet(macro_to_micro.faces(), clips, how, seed=0, out=out) and None


TRAININGS: dict[str, tuple[Callable[[Path], Training], str]] = {
    "expression": (lambda folder: expression(folder, network="expression"), ""),
    "deep_emotion": (lambda folder: expression(folder, network="deep_emotion"), ""),
    "landmarks": (of_landmarks, ""),
    "face_finder": (of_face_finder, ""),
    "micro_flow": (of_micro_flow, ""),
    "spotter": (of_spotter, "network_1"),
    "dsticnn": (of_dsticnn, ""),
    "macro_to_micro": (of_manet, "still"),
}
"""Makes a training of four epochs in a folder of its data, and names the folder of its checkpoint within its output."""


@pytest.mark.parametrize("name", TRAININGS)
def test_a_stopped_training_ends_with_the_same_bytes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_finder.face_finder, "SHAPES", ((96, 96),))
    keep = HardScenes.keep
    monkeypatch.setattr(HardScenes, "keep", lambda self, scenes, heat: keep(self, scenes, heat, least=0.0))
    make, inside = TRAININGS[name]
    training = make(tmp_path)
    training(tmp_path / "whole")
    with stopped_after(3, before_its_checkpoint=True):  # its row is in the history already
        training(tmp_path / "stopped")
    torch.rand(7)  # another process has drawn other numbers by now
    training(tmp_path / "stopped")
    whole, resumed = (tmp_path / part / inside for part in ("whole", "stopped"))
    states = [torch.load(folder / loop.CHECKPOINT, weights_only=True) for folder in (whole, resumed)]
    for part in ("network", "average"):
        if states[0][part] is not None:
            for key, value in states[0][part].items():
                assert value.numpy().tobytes() == states[1][part][key].numpy().tobytes(), f"{part} {key}"
    rows = [[json.loads(line) for line in (f / history.HISTORY).read_text().splitlines()] for f in (whole, resumed)]
    assert [row["epoch"] for row in rows[1]] == [1, 2, 3, 4]
    for row in (*rows[0], *rows[1]):
        row.pop("seconds")
    assert rows[0] == rows[1]
    assert list((resumed / history.BOARD).glob("events.*"))


class Slope(loop.Loop):
    """Learns a number; the score of an epoch is what it is told."""

    def __init__(self, scores: list[float], *, patience: int = 0, latest: bool = False) -> None:
        network = nn.Linear(1, 1, bias=False)
        plan = loop.Plan(epochs=len(scores), patience=patience)
        super().__init__(network, torch.optim.SGD(network.parameters(), lr=1.0), plan)
        self.scores, self.latest_of_equals = scores, latest

    def batches(self):  # type: ignore[no-untyped-def]
        return [(torch.ones(2, 1),)] * 3

    def rate(self) -> float:
        return 0.25 * (self.step + 1)

    def loss(self, batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        total = self.network(batch).mean()
        return total, {"value": total}

    def score(self, row) -> float:  # type: ignore[no-untyped-def]
        return self.scores[self.epoch - 1]


def test_each_step_has_its_own_rate() -> None:
    slope = Slope([1.0, 1.0])
    before = slope.network.weight.item()
    slope.run()
    # The gradient is 1 throughout.
    assert slope.network.weight.item() == pytest.approx(before - sum(0.25 * k for k in range(1, 7)))
    assert (slope.epoch, slope.step) == (2, 6)


@pytest.mark.parametrize(
    ("scores", "patience", "latest", "epochs", "best"),
    [
        ([3.0, 1.0, 2.0, 1.0], 0, False, 4, 2),
        ([3.0, 1.0, 2.0, 1.0], 0, True, 4, 4),
        ([3.0, 1.0, 2.0, 2.5, 0.1], 2, False, 4, 2),
    ],
)
def test_the_best_epoch_is_kept_and_patience_ends_it(
    scores: list[float], patience: int, latest: bool, epochs: int, best: int
) -> None:
    slope = Slope(scores, patience=patience, latest=latest)
    slope.run()
    assert (slope.epoch, slope.best_epoch) == (epochs, best)


def test_a_history_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text('{"epoch": 1, "step": 3}\n{"epoch": 2, "step": 6}\n{"epo')
    assert [row["epoch"] for row in history._rows(tmp_path / "history.jsonl", 3)] == [1]
    assert [row["epoch"] for row in history._rows(tmp_path / "history.jsonl", 9)] == [1, 2]


def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path) -> None:
    loop.write_checkpoint(tmp_path / "checkpoint.pt", {"net": {}, "recipe": {}})
    with pytest.raises(SettingsError, match="a checkpoint of this version"):
        loop.read_checkpoint(tmp_path / "checkpoint.pt", loop.Plan(), free=(), device=torch.device("cpu"))
