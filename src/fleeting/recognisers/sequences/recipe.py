"""What the recipes of the sequence systems share: clips, a split by people, honest scores, the file and its card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from fleeting import metrics
from fleeting.datasets.load import load_samples
from fleeting.datasets.samples import Samples, joined
from fleeting.errors import DataError, SettingsError
from fleeting.labels import UNSURE
from fleeting.recognisers.sequences.clip_rows import crop_width
from fleeting.recognisers.sequences.fit import FitSettings, FittedSequence, SequenceTrainer, log_probabilities
from fleeting.recognisers.sequences.sets import SequenceSettings, SetName, make_sets
from fleeting.training.calibration import fit_temperature
from fleeting.training.export import store_in_half, write_card, write_onnx

Parts = dict[str, Samples]
"""``train``, ``validation`` and ``test``, of different people."""


@dataclass(frozen=True, slots=True)
class ClipSource:
    """Where the clips come from, and who is held out.

    Attributes
    ----------
    sets
        ``NAME=PATH`` of data sets of micro-expressions with prepared sequences, paths relative to the data folder;
        where there are none, sequences are drawn (`sequence_sets`) into ``OUT/sequences``.
    macro
        The same of macro-expressions, such as ``ckplus=cohn-kanade``; drawn where there are none.
    classes
        Number of classes.
    validation_percent, test_percent
        Shares of the people on whom epochs are chosen, and on whom the result is measured, once.
    seed
        Deals the people.
    flow
        File of flow images whose motion is transferred, relative to the data folder.
    drawn
        How sequences are drawn.
    """

    sets: list[str] = field(default_factory=list)
    macro: list[str] = field(default_factory=list)
    classes: int = 3
    validation_percent: int = 15
    test_percent: int = 25
    seed: int = 0
    flow: str = "composite_flow_three_labs.npz"
    drawn: SequenceSettings = field(default_factory=SequenceSettings)

    def __post_init__(self) -> None:
        held = self.validation_percent + self.test_percent
        if min(self.validation_percent, self.test_percent) < 1 or held > 80:
            raise SettingsError(
                "at least 1 % of the people for validation and for the test, and 80 % at most for both",
                f"{self.validation_percent} and {self.test_percent}",
                "Correct the recipe.",
            )


def absolute(text: str, data: Path) -> str:
    """Return ``NAME=PATH`` with its path below the data folder."""
    name, _, path = text.partition("=")
    return f"{name}={data / path}"


def read_sequences(texts: Sequence[str], *, classes: int) -> Samples:
    """Return several data sets with sequences as one.

    Raises
    ------
    DataError
        Where one has no sequences, or they differ in classes or in size.
    """
    parts = [load_samples(text, classes=classes) for text in texts]
    shapes = {None if p.sequence is None else p.sequence.shape[1:] for p in parts}
    if None in shapes or len(shapes) > 1 or len({p.classes for p in parts}) > 1:
        raise DataError(
            "sequences of one size and the same classes in all data sets",
            f"shapes {', '.join(map(str, shapes))}",
            "Prepare all sets with the same --frames and --width.",
        )
    return joined(parts)


def read_micro(source: ClipSource, *, data: Path, out: Path) -> tuple[Samples, dict[SetName, Path]]:
    """Return the micro-expressions, and the files of the sets that were drawn (none where data sets are named)."""
    if source.sets:
        return read_sequences([absolute(text, data) for text in source.sets], classes=source.classes), {}
    paths = make_sets(data, out / "sequences", source.drawn, flow=source.flow)
    return load_samples(f"prepared={paths['transferred']}", classes=source.classes), paths


def split_people(samples: Samples, source: ClipSource) -> Parts:
    """Deal the people to training, validation and test.

    Raises
    ------
    DataError
        For fewer than three people, or a part without some class.
    """
    people = np.unique(samples.subject)
    if len(people) < 3:
        raise DataError("clips of at least 3 people", f"{len(people)}", "Add people.")
    dealt = np.random.default_rng(source.seed).permutation(people)
    test = max(1, round(len(people) * source.test_percent / 100))
    validation = max(1, round(len(people) * source.validation_percent / 100))
    names = {"test": dealt[:test], "validation": dealt[test : test + validation], "train": dealt[test + validation :]}
    parts = {name: samples.select(np.isin(samples.subject, names[name])) for name in ("train", "validation", "test")}
    for name, part in parts.items():
        missing = set(range(len(samples.classes))) - set(part.label.tolist())
        if missing:
            raise DataError(
                f"clips of every class among the people of the part '{name}'",
                f"none of {', '.join(samples.classes[i] for i in sorted(missing))}",
                "Change the seed or the shares in the recipe.",
            )
    return parts


def scores(
    probabilities: npt.NDArray[np.float32], samples: Samples, *, draws: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """Return UF1 and UAR of probabilities (n, classes), pooled, and 95 % intervals over bootstraps of people."""
    classes = len(samples.classes)
    people, place = np.unique(samples.subject, return_inverse=True)
    counts = np.zeros((len(people), classes, classes), np.int64)
    np.add.at(counts, (place, samples.label, probabilities.argmax(1)), 1)
    exact = metrics.scores_of_counts(counts.sum(0))
    drawn = metrics.bootstrap_scores(counts[None], draws=draws, seed=seed)
    found: dict[str, Any] = {}
    for name in ("uf1", "uar"):
        found[name] = round(float(exact[name]), 4)
        found[f"{name}_interval"] = [round(float(q), 4) for q in np.quantile(drawn[name], (0.025, 0.975))]
    return found


@dataclass(frozen=True, slots=True)
class Shipment:
    """What a system says of its file.

    Attributes
    ----------
    architecture, guided
        Texts of the card; what a network was guided by is added to its data.
    network
        Makes the network that is shipped, from clips to one or several (n, classes), of a temperature.
    outputs
        Names of these.
    """

    architecture: str
    network: Callable[[float], nn.Module]
    outputs: tuple[str, ...]
    guided: str = ""


def train_and_ship(
    what: Shipment, fitted: FittedSequence, how: FitSettings, parts: Parts, *, recipe: Any, file: Path, out: Path
) -> None:
    """Train, and write ``NAME.onnx`` with its weights in half precision and its card ``NAME.json``.

    Training goes on where a stopped one of the same recipe ended. Epoch and temperature are chosen on the validation
    people; the test people are measured once, after training.

    Parameters
    ----------
    what
        Network and texts.
    fitted, how
        Around the task that is to be trained, and how.
    parts
        Of `split_people`.
    recipe, file
        The recipe, with ``name``, ``seed`` and ``source``, and where it was read from.
    out
        Folder of the checkpoint, the curves and the files.
    """
    trainer = SequenceTrainer(fitted.task, how, classes=len(parts["train"].classes), seed=recipe.seed)
    validation = fitted.rows(parts["validation"])
    trainer.fit(fitted.rows(parts["train"]), validation, out=out, recipe=recipe)
    said = next(iter(log_probabilities(fitted.task, validation).values())).numpy()
    temperature = fit_temperature(np.asarray(said, np.float32), parts["validation"].label)
    test, drawn = parts["test"], not recipe.source.sets
    own, *others = ((name, scores(rows, test)) for name, rows in fitted.by_answer(test).items())
    people = len(np.unique(test.subject))
    protocol = f"hold-out of {people} people who were neither trained nor chosen on; {len(test)} clips"
    example = fitted.rows(test.select(np.arange(1))).clips
    path = out / f"{recipe.name}.onnx"
    network = what.network(temperature).eval()
    write_onnx(network, (example,), path, inputs=("clips",), outputs=what.outputs)
    store_in_half(path, least=256)
    _, channels, length, side, _ = example.shape
    width = crop_width(test)
    card = {
        "name": recipe.name,
        "task": "recognise the emotion of a micro-expression from its frames",
        "version": "1",
        "architecture": what.architecture,
        "data": (TRANSFERRED_DATA if drawn else ", ".join(recipe.source.sets)) + what.guided,
        "subjects": sorted({str(s) for name in ("train", "validation") for s in parts[name].subject}),
        "recipe": f"recipes/{file.name}",
        "settings": plain(recipe),
        "command": f"fleeting train recipes/{file.name} --data DATA --out OUT",
        "preprocessing": (
            "canonical crops from onset to offset, the head held still by flow; fleeting.motion.clip_input makes them"
            f" {length} square pictures of {side} pixels from crops {width} pixels wide; standardised inside the"
            " network"
        ),
        "inputs": {
            "clips": {
                "shape": ["n", channels, length, side, side],
                "dtype": "uint8",
                "kind": fitted.kind,
                "width": width,
            }
        },
        "outputs": {name: {"shape": ["n", len(test.classes)], "dtype": "float32"} for name in what.outputs},
        "labels": list(test.classes),
        "unsure": {"label": UNSURE, "threshold": 0.0},
        "chosen": {"epoch": trainer.best_epoch, "temperature": temperature},
        "scores": own[1] | {"protocol": protocol} | dict(others),
        "limits": list(TRANSFERRED_LIMITS if drawn else TRANSFERRED_LIMITS[1:]),
        "licence": "MIT for the weights; the training data stays under its own research terms",
    }
    write_card(path, card)


def plain(settings: Any) -> Any:
    """Return settings as plain values, without the machine's device and threads."""
    if is_dataclass(settings):
        names = [f.name for f in fields(settings) if f.name not in ("device", "threads")]
        return {name: plain(getattr(settings, name)) for name in names}
    return [plain(v) for v in settings] if isinstance(settings, (list, tuple)) else settings


TRANSFERRED_DATA = (
    "motion of the MEGC 2019 composite set (CASME II, SMIC and SAMM parts; research use; not included) transferred to"
    " US congress and CC0 portraits: real patterns of motion, at an assumed size and course over time, on other faces"
)
TRANSFERRED_LIMITS = (
    "Trained on no video of a micro-expression: on portraits that were moved as published flow images say. How well it"
    " does on real recordings is not known.",
    "Knows three classes only; has no class for a movement without emotion, such as speech, chewing or a twitch.",
    "A micro-expression is not a lie, and the error rates are high even on sequences like those of its training.",
)
"""What the card says where nothing else was trained on."""
