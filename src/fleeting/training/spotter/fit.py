"""Fits judges of candidates: on synthetic films, then with real surroundings, and without one film after the other."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fleeting.files import make_folder
from fleeting.settings import SpottingSettings
from fleeting.spotting.candidates import CHANNELS, SAMPLES, SCALARS
from fleeting.spotting.judge import Judge
from fleeting.spotting.spot import spot
from fleeting.training.calibration import fit_temperature
from fleeting.training.export import write_onnx
from fleeting.training.spotter.examples import NOTHING, Examples, examples_of
from fleeting.training.spotter.films import MeasuredFilm
from fleeting.training.spotter.network import ExportedSpottingNetwork, SpottingNetwork
from fleeting.training.spotter.patterns import flow_patterns, patterns_of
from fleeting.training.spotter.recipe import SpotterRecipe
from fleeting.training.spotter.trainer import Trainer, answers
from fleeting.weights.runtime import open_network

log = logging.getLogger(__name__)


def examples_for(
    how: SpotterRecipe,
    films: Sequence[MeasuredFilm],
    validation: Sequence[MeasuredFilm],
    real: Sequence[MeasuredFilm],
    *,
    data: Path,
) -> tuple[Examples, Examples]:
    """Return examples of films to learn from, and of others, to calibrate on."""
    spotting = SpottingSettings()
    patterns = patterns_of(films, spotting)
    if how.flow:
        patterns += flow_patterns(data / how.flow, "train")
    examples = examples_of(
        films,
        patterns,
        variants=how.variants,
        seed=how.seed,
        settings=spotting,
        real=real,
        real_variants=how.real_variants,
    )
    chosen = np.random.default_rng(how.seed).random(len(examples.label)) < how.nothing_share
    examples = examples.select(chosen | (examples.label != NOTHING))
    return examples, examples_of(validation, patterns, variants=0, seed=how.seed + 1, settings=spotting)


def fit_base(
    how: SpotterRecipe, examples: Examples, held_out: Examples, *, out: Path | None = None
) -> list[SpottingNetwork]:
    """Train the networks of a recipe on the examples without real motion.

    Parameters
    ----------
    how
        Epochs, rates, members.
    examples
        To learn; those of real films are left out.
    held_out
        Of other people, reported on.
    out
        Folder of the checkpoints; None for none.
    """
    synthetic, networks = examples.select(examples.real == ""), []
    for member in range(how.members):
        trainer = Trainer(replace(how, seed=how.seed + member), synthetic, held_out)
        trainer.run(out / f"network_{member + 1}" if out else None)
        networks.append(trainer.network)
    return networks


def fit_real(
    how: SpotterRecipe, base: Sequence[SpottingNetwork], examples: Examples, held_out: Examples
) -> tuple[list[SpottingNetwork], float, npt.NDArray[np.float32]]:
    """Go on from the networks of `fit_base` with all examples; returns networks, temperature, answers to `held_out`.

    The temperature is fitted on `held_out`, and the answers are divided by it.
    """
    networks = []
    for member, network in enumerate(base):
        if how.real_epochs and (examples.real != "").any():
            more = replace(how, seed=how.seed + 100 + member, epochs=how.real_epochs, learning_rate=how.real_rate)
            trainer = Trainer(more, examples, held_out, network=copy.deepcopy(network))
            trainer.run()
            networks.append(trainer.network)
        else:
            networks.append(network)
    answer = np.mean([answers(network, held_out) for network in networks], axis=0)
    temperature = fit_temperature(answer[:, :3], held_out.label)
    answer[:, :3] /= temperature
    return networks, temperature, answer


def talkers_left_out(
    how: SpotterRecipe,
    base: Sequence[SpottingNetwork],
    examples: Examples,
    held_out: Examples,
    talkers: Sequence[MeasuredFilm],
    *,
    out: Path,
) -> dict[str, Any]:
    """Count what is invented in films of talkers, each judged by networks that never saw its motion.

    The networks are written to ``without_00.onnx`` and so on, for ``benchmarks/spotting.py``.
    """
    invented, seconds = 0, 0.0
    for film in talkers:
        path = out / f"without_{film.real}.onnx"
        networks, temperature, _ = fit_real(how, base, examples.select(examples.real != film.real), held_out)
        write_network(networks, path, temperature=temperature)
        events, _ = spot(film.measured, judge=Judge(network=path))
        invented += sum(e.kind == "micro" for e in events)
        seconds += float(film.measured.time_s[-1])
        log.info("without %s: %d false micro-expressions in %.0f s so far", film.real, invented, seconds)
    low, high = poisson_interval(invented)
    return {
        "films": len(talkers),
        "seconds": round(seconds, 1),
        "false_micro": invented,
        "per_minute": round(60 * invented / seconds, 2),
        "per_minute_95": [round(60 * low / seconds, 2), round(60 * high / seconds, 2)],
    }


def poisson_interval(count: int) -> tuple[float, float]:
    """Return the exact 95 % interval of the mean of a Poisson distribution of which `count` was drawn."""
    from scipy.stats import chi2

    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.ppf(0.975, 2 * count + 2)) / 2


def write_network(networks: Sequence[SpottingNetwork], path: Path, *, temperature: float) -> None:
    """Write networks as one ONNX file, and make sure that it computes what they do."""
    make_folder(path.parent)
    exported = ExportedSpottingNetwork(networks, temperature=temperature).eval()
    example = (torch.zeros(2, CHANNELS, SAMPLES), torch.zeros(2, SCALARS))
    write_onnx(exported, example, path, inputs=["window", "scalars"], outputs=["probabilities", "times"])
    compare(exported, path)


def compare(network: ExportedSpottingNetwork, path: Path) -> None:
    """Make sure that the file computes what the network does.

    Raises
    ------
    RuntimeError
        Where it does not.
    """
    rng = np.random.default_rng(0)
    window = rng.standard_normal((5, CHANNELS, SAMPLES)).astype(np.float32)
    scalars = rng.standard_normal((5, SCALARS)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(window), torch.from_numpy(scalars))
    session = open_network(path)
    given = session.run(None, {"window": window, "scalars": scalars})
    difference = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(given, expected, strict=True))
    if difference > 1e-4:
        raise RuntimeError(f"The exported network differs from torch's by {difference:.3g} in its answers.")
