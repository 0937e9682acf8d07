"""Train the judge of candidates on measured films: ``fleeting train recipes/spotter.toml``."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fleeting.errors import LeakageError
from fleeting.files import make_folder, write_text
from fleeting.settings import SpottingSettings
from fleeting.spotting.candidates import CHANNELS, SAMPLES, SCALARS, mirrored
from fleeting.training import recipe as recipes
from fleeting.training.calibration import fit_temperature
from fleeting.training.export import write_onnx
from fleeting.training.loop import Loop, Plan
from fleeting.training.recipe import Count, CountOrNone, NotNegative, Positive, Share, ShareBelowOne
from fleeting.training.spotter.examples import Examples, MeasuredFilm, examples_of, load_films, patterns_of
from fleeting.training.spotter.network import CLASSES, TIME_SCALE, ExportedSpottingNetwork, SpottingNetwork
from fleeting.weights import checksum
from fleeting.weights.runtime import open_network

log = logging.getLogger(__name__)

TIMES_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class SpotterRecipe:
    """What `fleeting train` reads from ``recipes/spotter.toml``.

    Attributes
    ----------
    task
        Always ``spotter``.
    films, validation
        Folders of measured films of training and of validation people (``benchmarks/spotting_measurements.py``).
    seed
        Of movements put on top, weights and order.
    variants
        How often each film is used with movements put on top, beside once as it is.
    epochs, batch, learning_rate, weight_decay
        Of AdamW, on a cosine down to zero.
    width, dropout
        Of `training.spotter.network.SpottingNetwork`.
    jitter
        Standard deviation of the noise that is added to windows.
    hidden
        Probability with which each curve of a window is hidden in training.
    members
        Networks that are trained from different seeds; their probabilities are averaged.
    """

    task: str = "spotter"
    films: str = "runs/spotting_train"
    validation: str = "runs/spotting_validation"
    seed: int = 0
    variants: CountOrNone = 8
    epochs: Count = 20
    batch: Count = 128
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 2e-2
    width: Count = 40
    dropout: ShareBelowOne = 0.3
    jitter: NotNegative = 0.1
    hidden: Share = 0.1
    members: Count = 1


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Train, calibrate on validation people, and write ``spotter.onnx`` and ``spotter.json``.

    A stopped training goes on where it was; each network has a folder of its own, ``network_1`` and so on.

    Parameters
    ----------
    recipe
        TOML of `SpotterRecipe`.
    data
        Not read: the films were made from it.
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
    films, validation = load_films(Path(how.films)), load_films(Path(how.validation))
    shared = {f.person for f in films} & {f.person for f in validation}
    if shared:
        raise LeakageError("validation people of their own", f"{sorted(shared)[0]} in both sets", "Make them anew.")
    spotting = SpottingSettings()
    patterns = patterns_of(films, spotting)
    examples = examples_of(films, patterns, variants=how.variants, seed=how.seed, settings=spotting)
    held_out = examples_of(validation, patterns, variants=0, seed=how.seed + 1, settings=spotting)
    log.info(
        "%d films, %d patterns; classes %s, held out %s", len(films), len(patterns), *map(counts, (examples, held_out))
    )
    networks = []
    for member in range(how.members):
        trainer = Trainer(replace(how, seed=how.seed + member), examples, held_out)
        trainer.run(out / f"network_{member + 1}")
        networks.append(trainer.network)
    answer = np.mean([answers(network, held_out) for network in networks], axis=0)
    temperature = fit_temperature(answer[:, :3], held_out.label)
    answer[:, :3] /= temperature
    ship(networks, how, temperature=temperature, films=films, out=out, scores=scores_of(answer, held_out))


def counts(examples: Examples) -> dict[str, int]:
    """Examples of each class."""
    return {name: int((examples.label == k).sum()) for k, name in enumerate(CLASSES)}


class Trainer(Loop):
    """Teaches one network; `held_out` is only reported on, and the weights after the last epoch are kept."""

    def __init__(self, how: SpotterRecipe, examples: Examples, held_out: Examples) -> None:
        torch.manual_seed(how.seed)
        network = SpottingNetwork(width=how.width, dropout=how.dropout)
        optimiser = torch.optim.AdamW(network.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay)
        super().__init__(network, optimiser, Plan(epochs=how.epochs), recipe=how)
        self.examples, self.held_out = examples, held_out
        self.rates = cosine_rates(how.learning_rate, how.epochs * (len(examples.label) // how.batch))
        self.rng = np.random.default_rng(how.seed)

    def batches(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield windows, scalars, classes and times."""
        return batches(self.examples, self.recipe, self.rng)

    def rate(self) -> float:
        """Return the rate of the cosine."""
        return self.rates[self.step]

    def loss(self, window: Tensor, scalars: Tensor, label: Tensor, times: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the cross-entropy, and the error of the times of micro-expressions."""
        answer = self.network(window, scalars)
        loss = nn.functional.cross_entropy(answer[:, :3], label, label_smoothing=0.02)
        known = ~torch.isnan(times[:, 0])
        if known.any():
            loss = loss + TIMES_WEIGHT * nn.functional.smooth_l1_loss(
                answer[known, 3:], times[known] / TIME_SCALE, beta=0.2
            )
        return loss, {"loss": loss}

    def measure(self, terms: dict[str, float]) -> dict[str, Any]:
        """Return the loss, and scores on those held out."""
        return {**terms, "held_out": scores_of(answers(self.network, self.held_out), self.held_out)}

    def extra(self) -> dict[str, Any]:
        """Return the state of the source of chance, which one epoch after the other draws from."""
        return dict(self.rng.bit_generator.state)

    def take(self, extra: dict[str, Any]) -> None:
        """Go on drawing from there."""
        self.rng.bit_generator.state = extra


def cosine_rates(rate: float, steps: int) -> list[float]:
    """Return the rate of every step on a cosine down to zero, as torch's scheduler sets them."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(()))], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    rates = []
    for _ in range(steps):
        rates.append(float(optimiser.param_groups[0]["lr"]))
        optimiser.step()
        schedule.step()
    return rates


def batches(
    examples: Examples, how: SpotterRecipe, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """One epoch in random order; half of the windows mirrored, all with a little noise."""
    order = rng.permutation(len(examples.label))
    for first in range(0, len(order) - how.batch + 1, how.batch):
        chosen = order[first : first + how.batch]
        window = examples.window[chosen]
        flip = rng.random(len(chosen)) < 0.5
        window[flip] = mirrored(window[flip])
        # Of some windows a part is hidden, so that no single curve decides.
        window *= rng.random((len(chosen), CHANNELS, 1)) >= how.hidden
        window += how.jitter * rng.standard_normal(window.shape, np.float32)
        scalars, label, times = examples.scalars[chosen], examples.label[chosen], examples.times[chosen]
        yield torch.from_numpy(window), torch.from_numpy(scalars), torch.from_numpy(label), torch.from_numpy(times)


@torch.no_grad()
def answers(network: SpottingNetwork, examples: Examples) -> npt.NDArray[np.float32]:
    """Answers (n, 6) of the network."""
    network.eval()
    # As numpy's: a tensor of one index would index one example, not a batch of one.
    parts = [part.numpy() for part in torch.split(torch.arange(len(examples.label)), 512)]
    rows = [network(torch.from_numpy(examples.window[p]), torch.from_numpy(examples.scalars[p])) for p in parts]
    return np.asarray(torch.cat(rows).numpy(), np.float32)


def scores_of(answer: npt.NDArray[np.floating], examples: Examples) -> dict[str, float]:
    """Log loss in nats, best F1 of micro-expressions over thresholds (by candidate), median errors in seconds."""
    logits = answer[:, :3]
    gap = np.nanmedian(np.abs(answer[:, 3:] * TIME_SCALE - examples.times), axis=0)
    shifted = logits - logits.max(1, keepdims=True)
    share = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
    truth = examples.label == 1
    order = np.argsort(-share[:, 1])
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + max(truth.sum(), 1))
    best = int(np.argmax(f1))
    loss = -np.log(np.maximum(share[np.arange(len(share)), examples.label], 1e-9)).mean()
    return {
        "log_loss": round(float(loss), 4),
        "accuracy": round(float((share.argmax(1) == examples.label).mean()), 4),
        "best_f1_of_candidates": round(float(f1[best]), 4),
        "probability_at_best_f1": round(float(share[order[best], 1]), 3),
        **{f"{name}_error_s": round(float(g), 4) for name, g in zip(("onset", "apex", "offset"), gap, strict=True)},
    }


def ship(
    networks: Sequence[SpottingNetwork],
    how: SpotterRecipe,
    *,
    temperature: float,
    films: Sequence[MeasuredFilm],
    out: Path,
    scores: dict[str, float],
) -> None:
    """Write the network as ONNX, compare it with torch, and write its card."""
    make_folder(out)
    path = out / "spotter.onnx"
    exported = ExportedSpottingNetwork(networks, temperature=temperature).eval()
    example = (torch.zeros(2, CHANNELS, SAMPLES), torch.zeros(2, SCALARS))
    write_onnx(exported, example, path, inputs=["window", "scalars"], outputs=["probabilities", "times"])
    compare(exported, path)
    card: dict[str, Any] = {
        "name": "spotter",
        "task": "judge candidates for events: nothing, micro-expression or blink",
        "version": 1,
        "data": "films of portraits (YouTube Faces frames with points, US congress and CC0 portraits) with synthetic "
        "movements and disturbances, measured by this package; movements put on top of measured ones",
        "subjects": {"films": len(films), "people": len({f.person for f in films})},
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
            "protocol": "candidates in films of validation people; benchmarks/results/spotting.md has people and "
            "films that nothing was chosen on",
            "temperature": round(temperature, 3),
            **scores,
        },
        "threshold": {
            "min_probability": SpottingSettings().min_probability,
            "chosen": "on validation films: from .7 to .9 F1 of events differs by less than .03, false events without "
            "expressions fall",
        },
        "seed": how.seed,
        "parameters": sum(p.numel() for network in networks for p in network.parameters()),
        "settings": asdict(how),
        "limits": "All training movements are synthetic. Real speech, laughter and large turns of the head are more "
        "varied than the synthetic ones.",
        "licence": "MIT; learned from data published for research use",
        "sha256": checksum(path),
    }
    write_text(out / "spotter.json", json.dumps(card, indent=2) + "\n")
    log.info("wrote %s (%d kB)", path, path.stat().st_size // 1000)


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
