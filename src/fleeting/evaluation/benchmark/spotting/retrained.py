"""The spotter with its judge trained anew, from nothing, on the people of a fold who are not held out.

Of each training person: the candidates of the films as they are, labelled by the marked intervals
(`training.spotter.examples.label_of`), and those of variants with the person's own micro-expressions put on top once
more. Blinks are marked in none of the data sets, so those that the shipped spotter finds count as blinks. A part of the
training people is held out to choose the temperature and the smallest probability of a micro-expression (best F1 over
candidates; the shipped one where these people show none). The network that was fitted without them is the one that is
tested. All else of the spotter is as shipped.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from fleeting.errors import DataError
from fleeting.evaluation.benchmark.spotting.spotters import Spot, TrainingFilm
from fleeting.records import EVENT_KINDS, EventKind
from fleeting.scale.job import Result
from fleeting.settings import SpottingSettings
from fleeting.spotting.candidates import CHANNELS, SAMPLES, SCALARS
from fleeting.spotting.judge import Judge
from fleeting.spotting.measurements import Measurements
from fleeting.spotting.spot import spot
from fleeting.synthesis.truth import TruthRow
from fleeting.training.calibration import fit_temperature
from fleeting.training.spotter.examples import MICRO, Examples, candidates_of, examples_of
from fleeting.training.spotter.films import MeasuredFilm
from fleeting.training.spotter.patterns import patterns_of

if TYPE_CHECKING:
    from fleeting.training.spotter.network import ExportedSpottingNetwork

VARIANTS = 2
"""How often each film is used with movements put on top, beside once as it is."""

LEAST_STEPS = 1000
"""Of a training: where examples are few, more epochs are taken."""

HELD_OUT = 0.2
"""Share of the training people on whom temperature and smallest probability are chosen."""

PROBABILITIES = (0.5, 0.95)
"""Within these the smallest probability is chosen."""

_PARTS = tuple(part.name for part in fields(Examples))
_AS_IT_IS = "as_it_is_"


class Retrained:
    """See the head of the module."""

    name = "retrained"
    learns = True

    def __init__(self) -> None:
        import torch  # noqa: F401  # said to be missing before any film is measured

        from fleeting.training.spotter.recipe import SpotterRecipe

        # Of recipes/spotter.toml, with one network instead of two.
        self.recipe = SpotterRecipe(
            variants=VARIANTS, epochs=8, learning_rate=1.5e-3, weight_decay=0.05, width=24, dropout=0.4
        )

    def settings(self) -> dict[str, Any]:
        """Return the recipe, and what is chosen from."""
        left_out = ("task", "films", "validation", "seed")
        recipe = {name: value for name, value in asdict(self.recipe).items() if name not in left_out}
        return {
            "recipe": recipe,
            "least_steps": LEAST_STEPS,
            "held_out": HELD_OUT,
            "probabilities": list(PROBABILITIES),
        }

    def prepare(self, films: Sequence[TrainingFilm]) -> Result:
        """Return the examples of one person, and those of the films as they are."""
        how = SpottingSettings()
        known = [film_with_truth(film) for film in films]
        if not any(candidates_of(film, how) for film in known):
            return {}
        patterns = patterns_of(known, how)
        as_they_are = examples_of(known, (), variants=0, seed=0, settings=how)
        # Without a pattern a variant would be the film once more.
        more = examples_of(known, patterns, variants=VARIANTS, seed=0, settings=how) if patterns else as_they_are
        return {name: getattr(more, name) for name in _PARTS} | {
            _AS_IT_IS + name: getattr(as_they_are, name) for name in _PARTS
        }

    def fit(
        self, train: Mapping[str, Result], validation: Mapping[str, Result], *, seed: int
    ) -> tuple[Spot, dict[str, Any]]:
        """Train a judge.

        Raises
        ------
        DataError
            Where the training people show no micro-expression that is among the candidates.
        """
        from fleeting.training.spotter.network import ExportedSpottingNetwork
        from fleeting.training.spotter.train import counts
        from fleeting.training.spotter.trainer import Trainer, answers, scores_of

        inner = set() if validation else _inner(sorted(train), seed)
        examples = _joined(part for person, part in train.items() if person not in inner)
        chosen_on = validation or {person: train[person] for person in sorted(inner)}
        held_out = _joined(chosen_on.values(), _AS_IT_IS)
        if not _shows_micro(examples):
            raise DataError(
                "micro-expressions of training people among the candidates",
                "none",
                "Train on more people, or on films with clearer movements.",
            )
        batch = min(self.recipe.batch, max(len(examples.label) // 4, 2))
        epochs = max(self.recipe.epochs, math.ceil(LEAST_STEPS / max(len(examples.label) // batch, 1)))
        recipe = replace(self.recipe, seed=seed, batch=batch, epochs=epochs)
        learner = Trainer(recipe, examples, held_out if _shows_micro(held_out) else examples)
        learner.run()
        temperature, probability = 1.0, SpottingSettings().min_probability
        if _shows_micro(held_out):
            answer = answers(learner.network, held_out)
            # Few people who are all told right say nothing of how sure one may be of others.
            temperature = max(fit_temperature(answer[:, :3], held_out.label), 1.0)
            answer[:, :3] /= temperature
            probability = float(np.clip(scores_of(answer, held_out)["probability_at_best_f1"], *PROBABILITIES))
        judge = _judge(ExportedSpottingNetwork([learner.network], temperature=temperature))
        how = replace(SpottingSettings(), min_probability=probability)

        def spot_anew(measured: Measurements) -> Sequence[Any]:
            return spot(measured, how, judge=judge)[0]

        chosen = {
            "min_probability": probability,
            "temperature": round(temperature, 3),
            "examples": counts(examples),
            "chosen_on": sorted(chosen_on),
        }
        return spot_anew, chosen


def film_with_truth(one: TrainingFilm) -> MeasuredFilm:
    """Return a film as the training of the judge reads it: times in seconds, sizes as measured, blinks as found."""
    film, measured = one.film, one.measured
    last = len(measured.time_s) - 1
    truth: list[TruthRow] = []

    def add(kind: EventKind, onset: int, apex: int, offset: int) -> None:
        moved = np.linalg.norm(measured.displacement[apex] - measured.displacement[onset], axis=-1)
        onset_s, apex_s, offset_s = (float(measured.time_s[frame]) for frame in (onset, apex, offset))
        truth.append(
            TruthRow(
                film.id,
                onset,
                apex,
                offset,
                kind,
                onset_s=onset_s,
                apex_s=apex_s,
                offset_s=offset_s,
                peak_percent_iod=float(np.nan_to_num(moved).max()),
            )
        )

    for row in film.rows:
        if row.onset is None or row.offset is None:
            continue
        onset, offset = film.image(row.onset), film.image(row.offset)
        apex = (onset + offset) // 2 if row.apex is None else film.image(row.apex)
        if offset >= 0 and onset <= last:
            onset, apex, offset = (int(np.clip(frame, 0, last)) for frame in (onset, apex, offset))
            add(next(kind for kind in EVENT_KINDS if kind == row.type), onset, apex, offset)
    for event in spot(measured)[0]:
        if event.kind == "blink":
            add("blink", event.onset_frame, event.apex_frame, event.offset_frame)
    return MeasuredFilm(film.id, film.dataset, film.fps, film.person, measured, tuple(truth))


def _inner(people: Sequence[str], seed: int) -> set[str]:
    """People to choose on: a share of them, but never the last one."""
    count = min(max(1, round(HELD_OUT * len(people))), len(people) - 1)
    return {str(person) for person in np.random.default_rng(seed).permutation(people)[: max(count, 0)]}


def _joined(parts: Iterable[Result], prefix: str = "") -> Examples | None:
    """Return the examples of several people as one; None where there is none."""
    some = [part for part in parts if part]
    if not some:
        return None
    return Examples(**{name: np.concatenate([part[prefix + name] for part in some]) for name in _PARTS})


def _shows_micro(examples: Examples | None) -> TypeGuard[Examples]:
    return examples is not None and bool((examples.label == MICRO).any())


def _judge(network: ExportedSpottingNetwork) -> Judge:
    import torch

    from fleeting.training.export import write_onnx

    example = (torch.zeros(2, CHANNELS, SAMPLES), torch.zeros(2, SCALARS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spotter.onnx"
        write_onnx(network.eval(), example, path, inputs=["window", "scalars"], outputs=["probabilities", "times"])
        return Judge(network=path)
