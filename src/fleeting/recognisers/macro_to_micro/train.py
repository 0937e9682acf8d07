"""Train macro-to-micro by a recipe: MaNet, its guide, MiNet; measure on people held out; write MiNet and its card."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

from fleeting.datasets.load import load_samples
from fleeting.datasets.registry import named_data
from fleeting.datasets.samples import Samples
from fleeting.errors import DataError
from fleeting.files import make_folder
from fleeting.labels import THREE
from fleeting.recognisers.macro_to_micro.guide import (
    GUIDE,
    MacroGuide,
    MacroSettings,
    drawn_rows,
    macro_rows,
    train_manet,
    write_guide,
)
from fleeting.recognisers.macro_to_micro.network import MiNetProbabilities, TwoStream
from fleeting.recognisers.macro_to_micro.recogniser import MiNetSettings, MiNetTask
from fleeting.recognisers.macro_to_micro.still_faces import still_faces
from fleeting.recognisers.sequences.fit import FittedSequence
from fleeting.recognisers.sequences.recipe import (
    ClipSource,
    Shipment,
    absolute,
    read_micro,
    read_sequences,
    split_people,
    train_and_ship,
)
from fleeting.training import recipe as recipes

log = logging.getLogger(__name__)

_GUIDED = {
    "grey": "; guided by FER-2013 faces and macro-expressions",
    "flow": "; guided by drawn flow of macro-expressions, without people",
}


@dataclass(frozen=True, slots=True)
class MacroToMicroRecipe:
    """What `fleeting train` reads from ``recipes/macro_to_micro.toml``.

    Attributes
    ----------
    task, name
        ``macro_to_micro``, and the name of the network.
    seed
        Of the first weights and of what is drawn while training.
    faces
        FER-2013, relative to the data folder.
    source
        Clips and people.
    macro
        How MaNet is trained.
    network
        MiNet; its guide is MaNet's of this training unless it names another.
    """

    task: str = "macro_to_micro"
    name: str = "macro_to_micro"
    seed: int = 0
    faces: str = "fer2013_training_publictest.npz"
    source: ClipSource = field(default_factory=ClipSource)
    macro: MacroSettings = field(default_factory=MacroSettings)
    network: MiNetSettings = field(default_factory=MiNetSettings)


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Train, going on where a stopped training of the same recipe ended.

    Raises
    ------
    SettingsError, DataError
        Where the recipe or the data cannot be used.
    OutputError
        Where the results cannot be written.
    """
    wanted = recipes.load(MacroToMicroRecipe, recipe)
    make_folder(out)
    samples, drawn = read_micro(wanted.source, data=data, out=out)
    parts = split_people(samples, wanted.source)
    plan = wanted.network
    if plan.guided and not plan.guide:
        if not (out / GUIDE).exists():
            network, guide = _manet(wanted, drawn.get("macro"), data=data, out=out)
            write_guide(guide, network, out / GUIDE, wanted.macro)
        plan = replace(plan, guide=str(out / GUIDE))
    task = MiNetTask(plan, classes=len(samples.classes), seed=wanted.seed)
    fitted = FittedSequence(task, plan.kind, plan.length, plan.side)
    what = Shipment(
        architecture="MiNet (Xia and Wang 2021): ResNet-18-shaped network on the apex, 3-D CNN on 16 frames"
        + (", guided while training by a frozen MaNet" if plan.guided else ""),
        network=lambda temperature: MiNetProbabilities(task.minet.cpu(), temperature=temperature),
        outputs=("probabilities",),
        guided=_GUIDED[wanted.macro.kind] if plan.guided else "",
    )
    train_and_ship(what, fitted, plan.fit, parts, recipe=wanted, file=recipe, out=out)


def _manet(wanted: MacroToMicroRecipe, drawn: Path | None, *, data: Path, out: Path) -> tuple[TwoStream, MacroGuide]:
    settings, seed = wanted.macro, wanted.seed
    if settings.kind == "flow":
        return train_manet(None, drawn_rows(settings, seed=seed), settings, seed=seed, out=out)
    macro = macro_clips(wanted.source, drawn, data=data)
    if macro.classes != THREE.classes:
        raise DataError("3 classes, those that faces have too", str(len(macro.classes)), "Set classes = 3.")
    faces = still_faces(data / wanted.faces, THREE, most=settings.faces, seed=seed)
    return train_manet(faces, macro_rows(macro, settings, seed=seed), settings, seed=seed, out=out)


def macro_clips(source: ClipSource, drawn: Path | None, *, data: Path) -> Samples:
    """Return clips of macro-expressions: those of the data sets that the recipe names, else the drawn ones.

    Raises
    ------
    DataError
        Where there are none.
    """
    if source.macro:
        texts = [absolute(text, data) for text in source.macro]
        log.info("macro-expressions of %s", ", ".join(named_data(text).label for text in texts))
        return read_sequences(texts, classes=source.classes)
    if drawn is None:
        raise DataError(
            "macro-expressions", "none", "Name a set in macro = [...], such as CK+; or leave sets empty to draw both."
        )
    return load_samples(f"prepared={drawn}", classes=source.classes)
