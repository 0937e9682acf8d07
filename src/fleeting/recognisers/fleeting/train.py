"""Train the shipped recogniser: all subjects, calibrated on out-of-fold scores, with its card."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fleeting.datasets import composite
from fleeting.datasets.samples import from_flow_images
from fleeting.files import make_folder, write_bytes
from fleeting.recognisers.fleeting import export as fleeting_export
from fleeting.recognisers.fleeting.recogniser import Fleeting, FleetingSettings
from fleeting.recognisers.half_face import export as recogniser_export
from fleeting.recognisers.half_face.train import benchmark_scores
from fleeting.settings import to_dict
from fleeting.training import recipe as recipes
from fleeting.training.export import write_card

log = logging.getLogger(__name__)

SCORED_AS = "shipped"
"""Its entry in the result of ``benchmarks/fleeting``."""


@dataclass(frozen=True, slots=True)
class FleetingRecipe:
    """What `fleeting train` reads from ``recipes/fleeting.toml``.

    Attributes
    ----------
    task, name
        ``fleeting``, and the name of the network.
    data
        File of flow images, relative to the data folder.
    scores
        Result of the benchmark, relative to the recipe, whose entry `SCORED_AS` goes into the card; empty for none.
    seed
        Of synthetic movements, projections, networks and inner folds.
    """

    task: str = "fleeting"
    name: str = "fleeting"
    data: str = "composite_flow_casme2_smic.npz"
    scores: str = ""
    seed: int = 0


def train(recipe: Path, *, data: Path, out: Path, plan: FleetingSettings | None = None) -> None:
    """Train on all subjects of the recipe's data and write ``NAME.onnx`` and its card; `plan` replaces the defaults.

    Raises
    ------
    SettingsError, DataError
        Where the recipe or the data cannot be used.
    OutputError
        Where the results cannot be written.
    """
    wanted = recipes.load(FleetingRecipe, recipe)
    images = composite.read(data / wanted.data)
    kind = Fleeting(plan or FleetingSettings())
    fitted = kind.fit(from_flow_images(images), None, seed=wanted.seed)
    log.info("temperature %.3f, threshold %.2f", fitted.temperature, fitted.threshold)
    make_folder(out)
    network = out / f"{wanted.name}.onnx"
    write_bytes(network, fleeting_export.graph(fitted).SerializeToString())
    card = recogniser_export.card(
        network,
        threshold=fitted.threshold,
        subjects=sorted(map(str, np.unique(images.subject))),
        clips=len(images),
        chosen={"temperature": fitted.temperature},
        scores=benchmark_scores(recipe.parent / wanted.scores, SCORED_AS) if wanted.scores else {},
    )
    card |= {
        "version": "2",
        "architecture": (
            "mean of the logarithms of two members' probabilities, each the same for a face and its mirror image: ridge"
            " regression on random Fourier features, and a network of two convolutions that was first trained on"
            " synthetic movements"
        ),
        "data": card["data"] + f"; {kind.plan.synthetic.count} synthetic flow images of action units, without people",
        "recipe": to_dict(wanted) | {"settings": asdict(kind.plan)},
        "command": f"fleeting train recipes/{recipe.name} --data DATA --out OUT",
    }
    write_card(network, card)
