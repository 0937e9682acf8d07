"""Train the judge of candidates on measured films: ``fleeting train recipes/spotter.toml``."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fleeting.datasets import composite
from fleeting.errors import LeakageError
from fleeting.files import write_text
from fleeting.settings import SpottingSettings
from fleeting.spotting.candidates import CHANNELS, SAMPLES, SCALARS
from fleeting.training import recipe as recipes
from fleeting.training.spotter.examples import Examples
from fleeting.training.spotter.films import MeasuredFilm, load_films, load_real
from fleeting.training.spotter.fit import examples_for, fit_base, fit_real, talkers_left_out, write_network
from fleeting.training.spotter.network import CLASSES, SpottingNetwork
from fleeting.training.spotter.patterns import flow_people
from fleeting.training.spotter.recipe import SpotterRecipe
from fleeting.training.spotter.trainer import scores_of
from fleeting.weights import checksum

log = logging.getLogger(__name__)


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Train, calibrate on validation people, and write ``spotter.onnx`` and ``spotter.json``.

    A stopped training goes on where it was; each network has a folder of its own, ``network_1`` and so on.

    Parameters
    ----------
    recipe
        TOML of `SpotterRecipe`.
    data
        Holds the motion of real people and the flow images that the recipe names.
    out
        Folder to write to.

    Raises
    ------
    DataError
        Where there are no measured films.
    LeakageError
        Where a person is in both folders.
    """
    how = recipes.load(SpotterRecipe, recipe)
    films, examples, held_out = gather(how, data)
    base = fit_base(how, examples, held_out, out=out)
    networks, temperature, answer = fit_real(how, base, examples, held_out)
    write_network(networks, out / "spotter.onnx", temperature=temperature)
    scores: dict[str, Any] = scores_of(answer, held_out)
    talkers = [f for f in films if f.talks]
    if talkers:
        scores["talkers_left_out"] = talkers_left_out(how, base, examples, held_out, talkers, out=out)
    seen = flow_people(composite.read(data / how.flow), "train") if how.flow else []
    ship(networks, how, temperature=temperature, films=films, seen=seen, out=out, scores=scores)


def gather(how: SpotterRecipe, data: Path) -> tuple[list[MeasuredFilm], Examples, Examples]:
    """Return the films, the examples of training and those of validation people.

    Raises
    ------
    DataError, LeakageError
        As in `train`.
    """
    films, validation = load_films(Path(how.films)), load_films(Path(how.validation))
    shared = {f.person for f in films} & {f.person for f in validation}
    if shared:
        raise LeakageError("validation people of their own", f"{sorted(shared)[0]} in both sets", "Make them anew.")
    real = load_real(data / how.real) if how.real else []
    examples, held_out = examples_for(how, films, validation, real, data=data)
    log.info("%d films; classes %s, held out %s", len(films), *map(counts, (examples, held_out)))
    return [*films, *real], examples, held_out


def counts(examples: Examples) -> dict[str, int]:
    """Examples of each class."""
    return {name: int((examples.label == k).sum()) for k, name in enumerate(CLASSES)}


def ship(
    networks: Sequence[SpottingNetwork],
    how: SpotterRecipe,
    *,
    temperature: float,
    films: Sequence[MeasuredFilm],
    seen: Sequence[str],
    out: Path,
    scores: dict[str, Any],
) -> None:
    """Write the card of the network."""
    path = out / "spotter.onnx"
    card: dict[str, Any] = {
        "name": "spotter",
        "task": "judge candidates for events: nothing, micro-expression or blink",
        "version": 2,
        "data": "films of portraits (YouTube Faces frames with points, US congress and CC0 portraits) with synthetic "
        "movements and disturbances, and real people who talk, gesture and grimace, all measured by this package; "
        "movements put on top of them: synthetic ones, and those of flow images of SMIC and SAMM (training people of "
        "training.people; none of CASME II)",
        "subjects": {
            "films": len(films),
            "people": len({f.person for f in films}),
            "real_films": sum(bool(f.real) for f in films),
        },
        "subjects_seen": list(seen),
        "recipe": "recipes/spotter.toml",
        "command": "fleeting train recipes/spotter.toml --data ../shared/data --out runs/spotter",
        "preprocessing": "spotting.candidates.describe",
        "inputs": {
            "window": f"(n, {CHANNELS}, {SAMPLES}) float32: regions in units of the noise and of the peak, eyes, head",
            "scalars": f"(n, {SCALARS}) float32",
        },
        "outputs": {
            "probabilities": "(n, 3) float32",
            "times": "(n, 3) float32: onset, apex, offset of a micro-expression, seconds after the candidate's apex",
        },
        "labels": list(CLASSES),
        "scores": {
            "protocol": "candidates in films of validation people; talkers_left_out: whole films of real people, each "
            "judged by networks that never saw its motion, exact 95 % interval; people and films that nothing was "
            "chosen on are in benchmarks/results/spotting.md",
            "temperature": round(temperature, 3),
            **scores,
        },
        "threshold": {
            "min_probability": SpottingSettings().min_probability,
            "chosen": "on validation films and on talkers left out: from .7 to .9 F1 of events differs little, and "
            "nothing is invented in talkers; below, something is",
        },
        "seed": how.seed,
        "parameters": sum(p.numel() for network in networks for p in network.parameters()),
        "settings": asdict(how),
        "limits": "Movements are put on top, none was filmed in its own surroundings. Of real people there are 105 s: "
        "laughter, large turns of the head and other languages are more varied. In speech a short movement of the "
        "mouth is taken for a syllable, whatever it is.",
        "licence": "MIT; learned from data published for research use",
        "sha256": checksum(path),
    }
    write_text(out / "spotter.json", json.dumps(card, indent=2) + "\n")
    log.info("wrote %s (%d kB)", path, path.stat().st_size // 1000)
