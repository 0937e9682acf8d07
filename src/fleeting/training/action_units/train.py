"""Train the network of action units on all coded clips, and write it with its card."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fleeting import weights
from fleeting.files import make_folder, write_bytes, write_text
from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.naming.action_units import UNITS
from fleeting.settings import to_dict
from fleeting.training import recipe as recipes
from fleeting.training.action_units import export
from fleeting.training.action_units.clips import CodedClips, read_clips
from fleeting.training.action_units.model import Start, UnitModel, UnitSettings, fit, make_start
from fleeting.training.action_units.moved_portraits import kept_images

log = logging.getLogger(__name__)

PROTOCOL = (
    "trained on one laboratory and measured on the other (casme2 -> samm, samm -> casme2), and folds over all people;"
    " probabilities and bars made inside the training people"
)
LOOKED_AT = (
    "About 66 variants (kernels and their widths, scalings of the image, networks with and without synthetic movements,"
    " the classes of SMIC as a further task, rules for thresholds) were compared by training on one laboratory and"
    " testing on the other, and in folds over people of the same clips; most differ by less than chance. The choice of"
    " the family has therefore seen every person: a test on others may come out lower."
)


@dataclass(frozen=True, slots=True)
class UnitsRecipe:
    """What `fleeting train` reads from ``recipes/action_units.toml``.

    Attributes
    ----------
    task, name
        ``action_units``, and the name of the network.
    data, table
        File of flow images, and table of the units of its clips, relative to the data folder.
    scores
        Result of the benchmark, relative to the recipe, for the card; empty for none.
    seed
        Of portraits, movements, projections, network and inner folds.
    settings
        Of the model.
    """

    task: str = "action_units"
    name: str = "action_units"
    data: str = "composite_flow_three_labs.npz"
    table: str = "action_units.csv"
    scores: str = ""
    seed: int = 0
    settings: UnitSettings = field(default_factory=UnitSettings)


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Train on all coded clips and write ``NAME.onnx`` and its card ``NAME.json``.

    Parameters
    ----------
    recipe
        TOML file of `UnitsRecipe`.
    data
        Folder of the coded clips and the portraits.
    out
        Folder to write to; made if it is missing.

    Raises
    ------
    SettingsError, DataError
        Where the recipe or the data cannot be used.
    OutputError
        Where the results cannot be written.
    """
    wanted = recipes.load(UnitsRecipe, recipe)
    clips = read_clips(data / wanted.data, data / wanted.table)
    model = fit(clips, start_of(wanted, data, out), wanted.settings, seed=wanted.seed)
    network = out / f"{wanted.name}.onnx"
    write_bytes(network, export.graph(model).SerializeToString())
    scores = _scores(recipe.parent / wanted.scores) if wanted.scores else {}
    card = _card(network, model, clips, scores) | {
        "recipe": {k: v for k, v in to_dict(wanted).items() if k != "settings"} | {"settings": asdict(wanted.settings)},
        "command": f"fleeting train recipes/{recipe.name} --data DATA --out OUT",
    }
    write_text(out / f"{wanted.name}.json", json.dumps(card, indent=2) + "\n")


def start_of(wanted: UnitsRecipe, data: Path, folder: Path) -> Start:
    """Return what is learned from moved portraits, whose flow images are kept in a folder."""
    make_folder(folder)
    images, truth = kept_images(data, folder, wanted.settings.films, seed=wanted.seed)
    return make_start(images, truth, wanted.settings, seed=wanted.seed)


def _scores(path: Path) -> dict[str, Any]:
    """Means of the benchmark, without the floor; those of each unit are in its own file."""
    if not path.exists():
        return {}
    results = json.loads(path.read_text(encoding="utf-8"))
    found = {
        protocol: {key: value for key, value in by_model["action_units"].items() if key != "units"}
        for protocol, by_model in results["protocols"].items()
    }
    return found | {"protocol": PROTOCOL, "looked_at": LOOKED_AT}


def _card(network: Path, model: UnitModel, clips: CodedClips, scores: dict[str, Any]) -> dict[str, Any]:
    shows = (clips.truth == 1).any(2).sum(0)
    return {
        "name": network.stem,
        "task": "name the action units of a movement and their side from its flow image",
        "version": "2",
        "architecture": (
            "ridge regression of each unit on random Fourier features, the same for a face and its mirror image; its"
            " weights start from those of moved portraits; a network of two convolutions, trained on moved portraits,"
            " tells the side"
        ),
        "data": (
            f"{len(clips.images)} coded clips of CASME II and SAMM as flow images of the MEGC 2019 composite set"
            " (research use; not included); portraits of landmarks68 and interfaces_cc0, moved by known units and"
            " measured by this package's flow"
        ),
        "subjects": sorted(map(str, np.unique(clips.subject))),
        "preprocessing": (
            "flow from onset to apex on the canonical crop, head motion removed, as fleeting.motion.flow_image; the"
            " network itself subtracts the median of each channel, divides by its standard deviation and cuts off"
        ),
        "inputs": {"flow": {"shape": ["n", SIZE, SIZE, 3], "dtype": "uint8", "channels": list(CHANNELS)}},
        "outputs": {
            "answers": {
                "shape": ["n", len(UNITS), 3],
                "dtype": "float32",
                "last axis": ["moved (calibrated)", "left, if moved", "right, if moved"],
            }
        },
        "labels": list(UNITS),
        "reported_from": {name: round(float(t), 4) for name, t in zip(UNITS, model.fitted.thresholds, strict=True)},
        "examples": {name: int(count) for name, count in zip(UNITS, shows, strict=True)},
        "chosen": {
            "slope": model.fitted.slope,
            "offset": dict(zip(UNITS, map(float, model.fitted.offset), strict=True)),
        },
        "scores": scores,
        "limits": [
            "Trained on clips of 38 adults who were filmed frontally, in good light, in two laboratories.",
            "Units with few coded clips (see examples) rest mostly on synthetic movements; their figures are rough.",
            "Sides rest on synthetic movements alone: few coded clips are one-sided.",
            "Knows 15 units; a movement of any other is given to one of these or to none.",
            "Intensity is not predicted.",
            "A unit is a movement, not an emotion.",
        ],
        "licence": "MIT for the weights; the training data stays under its own research terms",
        "sha256": weights.checksum(network),
    }
