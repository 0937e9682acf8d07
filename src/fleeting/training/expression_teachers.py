"""Networks that a training of an expression network begins with or is taught by: those that other trainings ended with.

A network that is taught by several learns where they differ, and so where a label is doubtful (Hinton et al.,
"Distilling the knowledge in a neural network", 2015). Rounds of one line agree with each other, errors and all;
networks from other random weights do not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fleeting import settings
from fleeting.errors import SettingsError
from fleeting.models.deep_emotion import standardise
from fleeting.models.shipped_expression import exported_network
from fleeting.training.expression_answers import Network, Teacher
from fleeting.training.expression_lineage import Lineage, card_of, lineage
from fleeting.training.expression_pictures import Labelled
from fleeting.training.expression_recipe import ExpressionRecipe
from fleeting.training.pretrained_faces import begin_with, read_layers, weights_file
from fleeting.training.unfolding import unfold
from fleeting.weights.runtime import open_network

KEPT = "network.safetensors"
"""Name of the averaged network in the folder of an ended training."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a training begins as and is taught by, as its recipe says.

    Attributes
    ----------
    begins_as
        Nothing for random weights.
    teachers
        Those of `ExpressionRecipe.taught_by`.
    matched
        Those of `ExpressionRecipe.matched_by`.
    lineage
        Of the network.
    """

    begins_as: Network | None = None
    teachers: Sequence[Teacher] = ()
    matched: Sequence[Teacher] = ()
    lineage: Lineage = Lineage()


def sources(recipe: ExpressionRecipe, data: Labelled, *, beside: Path, stopped: bool) -> Sources:
    """Return what a training needs of others.

    Parameters
    ----------
    recipe
        Of the training.
    data
        Its training pictures.
    beside
        Folder in which the trainings lie.
    stopped
        Whether it goes on from its own checkpoint, so that what it began as is no longer needed.

    Raises
    ------
    SettingsError
        As `network_of` and `pretrained_faces.weights_file` do.
    """
    names = dict.fromkeys((*recipe.taught_by, *recipe.matched_by))
    teachers = {name: teacher_of(beside / name, recipe) for name in names}
    matched = [teachers[name] for name in recipe.matched_by]
    return Sources(
        begins_as=None if stopped else beginning(recipe, data, beside=beside),
        teachers=[teachers[name] for name in recipe.taught_by],
        matched=[
            replace(teacher, views=replace(teacher.views, tilt_deg=tilt))
            for teacher, tilt in zip(matched, recipe.matched_tilts or [t.views.tilt_deg for t in matched], strict=True)
        ],
        lineage=Lineage() if stopped else lineage(recipe, beside=beside),
    )


def teacher_of(folder: Path, recipe: ExpressionRecipe) -> Teacher:
    """Return what an ended training teaches: its averaged network, or the one that it exported.

    A folder without a checkpoint, but with the ONNX file and the card that a training ends with, serves as well. So a
    network that was shipped once teaches without being trained anew.

    Parameters
    ----------
    folder
        Its ``--out``.
    recipe
        Of the training that is taught.

    Raises
    ------
    SettingsError
        As `network_of` does.
    WeightsError
        Where the exported file has other layers than this version builds.
    """
    exported = _exported(folder, recipe)
    if exported is not None:
        return exported
    state, other = _ended(folder, recipe)
    return Teacher(_averaged(state, other), other.views())


def _exported(folder: Path, recipe: ExpressionRecipe) -> Teacher | None:
    """Return the exported network of a folder that has nothing else of a training, without normalisations."""
    path = folder / f"{recipe.network}.onnx"
    if any((folder / name).exists() for name in ("checkpoint.pt", KEPT)) or not path.exists():
        return None
    card = card_of(path.with_suffix(".json"))
    its = card["pictures"]["validation_percent"]
    _agree("validation_percent", recipe.validation_percent, its, where=f"the card of {path}")
    answer = exported_network(path, card, open_network(path))
    return Teacher(answer.network, answer.views)


def network_of(folder: Path, recipe: ExpressionRecipe) -> Network:
    """Return the averaged network of an ended training, in evaluation mode.

    Parameters
    ----------
    folder
        Its ``--out``.
    recipe
        Of the training that wants it.

    Raises
    ------
    SettingsError
        Where there is no such training, it has not ended, or it saw other pictures: those that one of them validates
        on, the other would have learned from.
    """
    return _averaged(*_ended(folder, recipe))


def _ended(folder: Path, recipe: ExpressionRecipe) -> tuple[dict[str, Any], ExpressionRecipe]:
    """Return state and recipe of an ended training on the same pictures."""
    command = f"fleeting train recipes/{folder.name}.toml --data DATA --out {folder}"
    path = folder / "checkpoint.pt"
    if path.exists():
        state = torch.load(path, weights_only=True, map_location="cpu")
    elif (folder / KEPT).exists():
        state = _kept(folder / KEPT)
    else:
        raise SettingsError(f"an ended training in {folder}", "none", f"Train it first: {command}")
    other = settings.from_dict(ExpressionRecipe, state["recipe"])
    if state["epoch"] < other.ends_at:
        raise SettingsError(
            f"an ended training in {folder}", f"{state['epoch']} of {other.ends_at} epochs", f"Go on with it: {command}"
        )
    for name in ("data", "validation_percent"):
        _agree(name, getattr(recipe, name), getattr(other, name), where=f"the training of {folder}")
    return state, other


def _agree(name: str, mine: object, its: object, *, where: str) -> None:
    """Refuse a training on other pictures than the one that wants it."""
    if mine != its:
        raise SettingsError(f"{name} = {mine!r} in {where}", repr(its), "Train both on the same.")


def keep(network: Network, recipe: ExpressionRecipe, folder: Path) -> None:
    """Write the averaged network of an ended training in half precision, for trainings that begin as it."""
    from safetensors.torch import save_file

    state = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in network.cpu().state_dict().items()}
    save_file(state, folder / KEPT, metadata={"recipe": json.dumps(asdict(recipe))})


def _kept(path: Path) -> dict[str, Any]:
    """Return of a state what `keep` has written; only ended trainings are kept."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        recipe = json.loads(file.metadata()["recipe"])
        average = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    return {"recipe": recipe, "epoch": settings.from_dict(ExpressionRecipe, recipe).ends_at, "average": average}


def _averaged(state: dict[str, Any], recipe: ExpressionRecipe) -> Network:
    network = recipe.build(deep=bool(recipe.last_blocks))
    network.load_state_dict(state.get("ended", state["average"]))
    return network.eval()


def beginning(recipe: ExpressionRecipe, data: Labelled, *, beside: Path) -> Network | None:
    """Return what a recipe begins as, or nothing for random weights.

    Of a training of which only the exported file is left, whose normalisations are folded into its convolutions, the
    network is given normalisations again (`unfolding.unfold`).

    Parameters
    ----------
    recipe
        Of the training.
    data
        Its training pictures.
    beside
        Folder in which the trainings lie.

    Raises
    ------
    SettingsError
        As `network_of`, `unfolding.unfold` and `pretrained_faces.weights_file` do.
    """
    if recipe.begins_as:
        exported = _exported(beside / recipe.begins_as, recipe)
        if exported is None:
            return network_of(beside / recipe.begins_as, recipe)
        network = recipe.build()
        unfold(exported.network, network, _first_of(data), where=recipe.begins_as)
        return network
    if not recipe.pretrained:
        return None
    torch.manual_seed(recipe.seed)  # the heads are random
    network = recipe.build()
    begin_with(network, read_layers(weights_file().read_bytes()), _first_of(data))
    return network


def _first_of(data: Labelled) -> Tensor:
    """Return as many training pictures, standardised, as normalisations need to begin with."""
    return standardise(data.pictures[:1024].cpu().float())


def begin_as(network: Network, started: Network, *, where: str) -> None:
    """Copy all weights of another network of the same size.

    Raises
    ------
    SettingsError
        Where kind or size differ.
    """
    mine, its = network.state_dict(), started.state_dict()
    sizes = [{name: tuple(value.shape) for name, value in state.items()} for state in (mine, its)]
    if sizes[0] != sizes[1]:
        count = [sum(value.numel() for value in state.values()) for state in (mine, its)]
        raise SettingsError(
            f"a network of {count[0]} numbers in {where}, as the recipe has it",
            f"another of {count[1]}",
            "Give the recipe the same network, widths and blocks.",
        )
    network.load_state_dict(its)
