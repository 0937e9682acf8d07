"""Train DSTICNN after a recipe, measure it on people who were held out, and write the network with its card."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from fleeting.files import make_folder
from fleeting.recognisers.dsticnn.network import Dsticnn, DsticnnProbabilities
from fleeting.recognisers.dsticnn.recogniser import DsticnnSettings, DsticnnTask
from fleeting.recognisers.sequences.fit import FittedSequence
from fleeting.recognisers.sequences.recipe import ClipSource, Shipment, read_micro, split_people, train_and_ship
from fleeting.recognisers.sequences.start import START, StartSettings, write_start
from fleeting.training import recipe as recipes


@dataclass(frozen=True, slots=True)
class DsticnnRecipe:
    """What `fleeting train` reads from ``recipes/dsticnn.toml``.

    Attributes
    ----------
    task, name
        ``dsticnn``, and the name of the network.
    seed
        Of the first weights and of what is drawn while training.
    source
        Clips and people.
    begin
        ``random`` weights, or those that learned ``drawn`` flow (`recognisers.sequences.start`).
    start
        How they learned it.
    network
        The network, its losses and how it is trained.
    """

    task: str = "dsticnn"
    name: str = "dsticnn"
    seed: int = 0
    source: ClipSource = field(default_factory=ClipSource)
    begin: Literal["random", "drawn"] = "random"
    start: StartSettings = field(default_factory=StartSettings)
    network: DsticnnSettings = field(default_factory=DsticnnSettings)


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Train, going on where a stopped training of the same recipe ended.

    The epoch is chosen on the validation people; the test people are measured once, after training.

    Raises
    ------
    SettingsError, DataError
        Where the recipe or the data cannot be used.
    OutputError
        Where the results cannot be written.
    """
    wanted = recipes.load(DsticnnRecipe, recipe)
    make_folder(out)
    samples, _ = read_micro(wanted.source, data=data, out=out)
    parts = split_people(samples, wanted.source)
    plan = wanted.network
    if wanted.begin == "drawn":
        first = DsticnnTask(plan, classes=len(samples.classes), seed=wanted.seed)
        path = out / START
        write_start(first, wanted.start, path, length=plan.length, side=plan.side, seed=wanted.seed)
        plan = replace(plan, start=str(path))
    task = DsticnnTask(plan, classes=len(samples.classes), seed=wanted.seed)
    fitted = FittedSequence(task, plan.kind, plan.length, plan.side)
    network = task.network
    assert isinstance(network, Dsticnn)
    what = Shipment(
        architecture="DSTICNN (Zhu and Chen 2022): two 3-D CNNs at 32 and 64 frames that taught each other",
        network=lambda temperature: DsticnnProbabilities(network.cpu(), temperature=temperature),
        outputs=("probabilities", "frames_32", "frames_64"),
        guided="; began with drawn flow of action units, without people" if wanted.begin == "drawn" else "",
    )
    train_and_ship(what, fitted, plan.fit, parts, recipe=wanted, file=recipe, out=out)
