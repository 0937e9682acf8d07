"""All folds at once against the plain loop, fold by fold: ``python benchmarks/studies/many_folds.py``.

The work is STSTNet's published training (Adam, 5e-5, 800 epochs, batches of 256 in the stored order) of every fold of
leave-one-subject-out. The plain loop is what everybody writes: for each fold a network of `torch.nn`,
`torch.optim.Adam`, batches cut from the fold's rows, which lie on the device already (so without the cost of a
`DataLoader`). Both do the same work in the same process with the same threads, a few epochs each, taking turns; the
plain loop trains a few of the folds. Seconds per fold and epoch are scaled to the whole. Whether the weights agree is
tested in ``tests/recognisers/test_many_folds.py``; here the outcome of one fold is compared after the timed epochs.
Writes ``results/many_folds.json`` and ``.md``; ``--device`` and ``--label`` add a row for another device.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

# Threads that wait must not keep a core busy: on a machine with other work that slows both ways down manifold.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np
import torch
from torch import nn

from fleeting.datasets import composite
from fleeting.datasets.samples import Samples, from_flow_images
from fleeting.recognisers.flow_networks import pixels
from fleeting.recognisers.folds.many_folds import EpochSettings, LabelledRows, same_start, train_folds
from fleeting.recognisers.ststnet import ststnet

BENCHMARKS = Path(__file__).resolve().parents[1]
DATA = BENCHMARKS.parent.parent / "shared" / "data" / "composite_flow_casme2_smic.npz"
EPOCHS, BATCH, RATE = 800, 256, 5e-5


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


class PlainLoop:
    """One fold after the other, each a network of its own."""

    def __init__(self, rows: LabelledRows, folds: list[np.ndarray], device: torch.device) -> None:
        self.device = device
        self.data = [(rows.inputs[f].to(device), rows.labels[f].to(device)) for f in folds]
        self.networks = [n.to(device).train() for n in same_start(ststnet, len(folds), seed=0)]
        self.optimisers = [torch.optim.Adam(n.parameters(), lr=RATE) for n in self.networks]
        self.loss = nn.CrossEntropyLoss()

    def epoch(self) -> None:
        """Train every fold for one epoch."""
        for (inputs, labels), network, optimiser in zip(self.data, self.networks, self.optimisers, strict=True):
            for x, y in zip(inputs.split(BATCH), labels.split(BATCH), strict=True):
                optimiser.zero_grad()
                self.loss(network(x), y).backward()
                optimiser.step()
        wait(self.device)


def measure(data: Samples, *, device: torch.device, epochs: int, plain_folds: int, at_once: int) -> dict[str, Any]:
    """Seconds per fold and epoch of both, the smallest of all rounds: other work on the machine only adds to them."""
    rows = LabelledRows(pixels(data.flow, scale=1.0), torch.from_numpy(data.label))
    folds = [np.flatnonzero(data.subject != s) for s in np.unique(data.subject)]
    settings = EpochSettings(
        epochs=epochs + 1, batch_size=BATCH, learning_rate=RATE, folds_at_once=at_once, device=device.type
    )
    together = train_folds(same_start(ststnet, len(folds), seed=0), rows, folds, settings, seed=0)
    plain = PlainLoop(rows, folds[:plain_folds], device)
    seconds: dict[str, list[float]] = {"plain loop": [], "all folds at once": []}
    used: dict[str, list[float]] = {name: [] for name in seconds}
    networks: Any = None
    for _ in range(epochs + 1):
        start, processor = time.perf_counter(), time.process_time()
        networks = next(together)
        wait(device)
        seconds["all folds at once"].append((time.perf_counter() - start) / len(folds))
        used["all folds at once"].append((time.process_time() - processor) / len(folds))
        start, processor = time.perf_counter(), time.process_time()
        plain.epoch()
        seconds["plain loop"].append((time.perf_counter() - start) / plain_folds)
        used["plain loop"].append((time.process_time() - processor) / plain_folds)
    found: dict[str, Any] = {}
    for name, taken in seconds.items():
        best = float(min(taken[1:]))  # the first epoch warms up
        found[name] = {
            "ms_per_fold_and_epoch": round(best * 1000, 3),
            "median_ms": round(float(np.median(taken[1:])) * 1000, 3),
            "processor_ms": round(float(np.median(used[name][1:])) * 1000, 3),
            f"minutes_for_{len(folds)}_folds_of_{EPOCHS}_epochs": round(best * len(folds) * EPOCHS / 60, 2),
        }
    found["times_faster"] = round(
        found["plain loop"]["ms_per_fold_and_epoch"] / found["all folds at once"]["ms_per_fold_and_epoch"], 2
    )
    found["times_faster_median"] = round(found["plain loop"]["median_ms"] / found["all folds at once"]["median_ms"], 2)
    found["times_less_processor_time"] = round(
        found["plain loop"]["processor_ms"] / found["all folds at once"]["processor_ms"], 2
    )
    last = [networks[0][-1].weight.detach(), plain.networks[0][-1].weight.detach().cpu()]
    change = (last[0] - same_start(ststnet, 1, seed=0)[0][-1].weight).abs().mean()
    found |= {"folds": len(folds), "rounds": epochs, "plain_folds": plain_folds, "folds_at_once": at_once}
    found["mean_difference_of_weights_over_mean_change"] = round(
        float(((last[0] - last[1]).abs().mean() / change).detach()), 3
    )
    return found


def table(results: dict[str, Any]) -> str:
    lines = [
        "# All folds at once",
        "",
        f"STSTNet's published training, {EPOCHS} epochs of every fold; a few epochs timed and scaled, the fastest"
        " round of each (in brackets the median). The plain loop trains fold by fold, its rows on the device already.",
        "",
        "| device | plain loop, ms a fold and epoch | all folds at once | times faster | times less processor time"
        " | whole training | at once |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, r in results["devices"].items():
        plain, ours = r["plain loop"], r["all folds at once"]
        whole = next(k for k in plain if k.startswith("minutes"))
        lines.append(
            f"| {name} | {plain['ms_per_fold_and_epoch']:.2f} ({plain['median_ms']:.2f})"
            f" | {ours['ms_per_fold_and_epoch']:.2f} ({ours['median_ms']:.2f})"
            f" | {r['times_faster']:.1f} ({r['times_faster_median']:.1f})"
            f" | {r['times_less_processor_time']:.1f} | {plain[whole]:.1f} min"
            f" | {ours[whole]:.1f} min |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--label", help="name of the device in the table")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=8, help="rounds timed")
    parser.add_argument("--plain-folds", type=int, default=4)
    parser.add_argument("--at-once", type=int, default=10, help="folds in one batch")
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "results")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = from_flow_images(composite.read(options.data))
    path = options.out / "many_folds.json"
    results: dict[str, Any] = {"devices": {}}
    if path.exists():
        results = json.loads(path.read_text(encoding="utf-8"))
    label = options.label or f"{options.threads} processor core{'s'[: options.threads - 1]}"
    load = round(os.getloadavg()[0], 1)
    device = torch.device(options.device)
    found = measure(
        data, device=device, epochs=options.epochs, plain_folds=options.plain_folds, at_once=options.at_once
    )
    machine = {"load_average": load, "torch": torch.__version__, "python": platform.python_version()}
    results["devices"][label] = found | machine
    print(json.dumps(found, indent=2), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (options.out / "many_folds.md").write_text(table(results), encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
