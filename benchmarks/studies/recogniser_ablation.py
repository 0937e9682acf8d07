"""What the parts of the recogniser give: ``python benchmarks/studies/recogniser_ablation.py``.

Ten-fold cross-validation over subjects, dealt twice, and training on one of the two data sets and testing on the other:
the two measures by which the family was chosen. All folds of a variant are trained in one batch, without inner folds.
Writes ``results/recogniser_ablation.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fleeting import metrics
from fleeting.datasets import composite
from fleeting.datasets.composite import FlowImages
from fleeting.datasets.samples import from_flow_images
from fleeting.recognisers.contract import TrainingRows
from fleeting.recognisers.fleeting.network import flow_inputs, mirrored_inputs
from fleeting.recognisers.fleeting.recogniser import FittedFleeting, Fleeting, FleetingSettings
from fleeting.recognisers.folds.inner_folds import subject_folds
from fleeting.recognisers.folds.many_folds import logits_of
from fleeting.recognisers.half_face.linear import LinearSettings, fit
from fleeting.training.calibration import log_loss

BENCHMARKS = Path(__file__).resolve().parents[1]
DATA = BENCHMARKS.parent.parent / "shared" / "data" / "composite_flow_casme2_smic.npz"
DEALS, FOLDS = 2, 10
NOBODY = np.array([], np.int64)
BOTH = ("casme2", "smic")

Split = tuple[np.ndarray, np.ndarray]
Answers = list[np.ndarray]


def splits(data: FlowImages) -> list[Split]:
    """Rows to train on and to test on: the dealt folds, then one data set against the other, both ways."""
    dealt = [subject_folds(data.subject, folds=FOLDS, seed=100 + deal) for deal in range(DEALS)]
    dataset = np.array([name.split("/")[0] for name in data.subject])
    sides = [np.flatnonzero(dataset == name) for name in BOTH]
    return [(f.train, f.validation) for folds in dealt for f in folds] + [(sides[0], sides[1]), (sides[1], sides[0])]


def score(data: FlowImages, answers: Answers) -> dict[str, Any]:
    """UF1, UAR and balanced log loss of the logits of each split's test rows, by kind of split."""
    found = []
    places = [range(d * FOLDS, (d + 1) * FOLDS) for d in range(DEALS)] + [[DEALS * FOLDS], [DEALS * FOLDS + 1]]
    tests = [test for _, test in splits(data)]
    for place in places:
        logits, truth = (
            np.concatenate(x) for x in zip(*((answers[i], data.label[tests[i]]) for i in place), strict=True)
        )
        best = logits.argmax(1)
        found.append([metrics.uf1(truth, best), metrics.uar(truth, best), log_loss(logits, truth, balanced=True)])
    kinds = {"10 folds": np.mean(found[:DEALS], 0), "casme2 to smic": found[-2], "smic to casme2": found[-1]}
    return {
        kind: dict(zip(("uf1", "uar", "log_loss"), (round(float(v), 4) for v in values), strict=True))
        for kind, values in kinds.items()
    }


def variant(data: FlowImages, plan: FleetingSettings, *, seed: int) -> dict[str, Answers]:
    """Logits of the kernel machine alone, the network alone and both, on each split's test rows."""
    folds = [TrainingRows(str(i), train, NOBODY) for i, (train, _) in enumerate(splits(data))]
    fitted = Fleeting(replace(plan, inner_folds=0)).fit_many(from_flow_images(data), folds, seed=seed)
    found: dict[str, Answers] = {"kernel": [], "network": [], "both": []}
    for model, (_, test) in zip(fitted, splits(data), strict=True):
        assert isinstance(model, FittedFleeting)
        inputs, members = flow_inputs(data.flow[test]), model.members
        turned = mirrored_inputs(inputs)
        found["kernel"].append(members.features(inputs) @ members.ridge)
        network = [(logits_of(n, inputs) + logits_of(n, turned)) / 2 for n in members.networks]
        found["network"].append(torch.stack(network).mean(0).numpy())
        found["both"].append(members.logits(inputs))
    return found


def half_faces(data: FlowImages) -> Answers:
    return [fit(data.select(train), LinearSettings()).logits(data.flow[test]) for train, test in splits(data)]


def table(results: dict[str, Any]) -> str:
    lines = [
        "# What the parts of the recogniser give",
        "",
        "UF1 / UAR, and in brackets the log loss with classes balanced. Ten folds over subjects, dealt twice; and"
        " training on one data set, testing on the other. One seed: differences of .01 mean nothing. The family was"
        " chosen by these measures.",
        "",
        "| | 10 folds | CASME II, then SMIC | SMIC, then CASME II |",
        "|---|---|---|---|",
    ]
    for name, kinds in results.items():
        cells = (f"{r['uf1']:.3f} / {r['uar']:.3f} ({r['log_loss']:.2f})" for r in kinds.values())
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "results")
    options = parser.parse_args()
    data, plan = composite.read(options.data), FleetingSettings()
    results = {"logistic regression of half faces": score(data, half_faces(data))}
    # Without synthetic movements the networks start from chance; a rate of nothing leaves their first weights alone.
    alone = replace(
        plan,
        pretraining=replace(plan.pretraining, epochs=1, learning_rate=0.0),
        training=replace(plan.training, extra_batch=0),
    )
    for name, settings, parts in (
        ("both, without synthetic movements", alone, ("both",)),
        (
            "both, synthetic movements without blinks",
            replace(plan, synthetic=replace(plan.synthetic, blink=0.0)),
            ("both",),
        ),
        ("as shipped", plan, ("kernel", "network", "both")),
    ):
        found = variant(data, settings, seed=options.seed)
        for part in parts:
            called = name if part == "both" else f"{part} alone"
            results[called] = score(data, found[part])
            print(called, results[called], flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "recogniser_ablation.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (options.out / "recogniser_ablation.md").write_text(table(results), encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
