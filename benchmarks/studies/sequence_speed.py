"""How long the sequence systems take: ``python benchmarks/studies/sequence_speed.py``.

Milliseconds per clip of each network as it is exported (ONNX Runtime, one thread, one clip at a time, median), and of
making its input from an event's crops; clips a second in training on ``--device``, one step after another. Weights are
random: they change no time. Writes ``results/sequence_speed.json`` and ``.md``; ``--label`` adds a row for a device.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fleeting.motion.clip_input import CROP_WIDTH, clip_input
from fleeting.recognisers.dsticnn.network import Dsticnn, DsticnnProbabilities
from fleeting.recognisers.dsticnn.recogniser import DsticnnSettings, DsticnnTask
from fleeting.recognisers.macro_to_micro.network import MiNetProbabilities, TwoStream
from fleeting.recognisers.macro_to_micro.recogniser import ALONE, MiNetSettings, MiNetTask
from fleeting.recognisers.sequences.clip_rows import CHANNELS, ClipRows
from fleeting.recognisers.sequences.fit import FitSettings, SequenceTrainer
from fleeting.training.export import store_in_half, write_onnx
from fleeting.weights.runtime import open_network

BENCHMARKS = Path(__file__).resolve().parents[1]
FRAMES = 50  # of an event: a quarter of a second at 200 frames/s


def exported(side: int, kind: str) -> dict[str, tuple[nn.Module, tuple[str, ...]]]:
    return {
        "dsticnn": (
            DsticnnProbabilities(Dsticnn(3, side=side, kind=kind)).eval(),
            ("probabilities", "frames_32", "frames_64"),
        ),
        "macro-to-micro": (MiNetProbabilities(TwoStream(3)).eval(), ("probabilities",)),
    }


def tasks(side: int, kind: str) -> dict[str, Callable[[], Any]]:
    return {
        "dsticnn": lambda: DsticnnTask(DsticnnSettings(side=side, kind=kind), classes=3, seed=0),
        "macro-to-micro": lambda: MiNetTask(MiNetSettings(side=side, **ALONE), classes=3, seed=0),
    }


def milliseconds(
    network: nn.Module, outputs: tuple[str, ...], channels: int, side: int, times: int
) -> tuple[float, float]:
    """Return the median over single clips, and megabytes of the file."""
    clips = torch.randint(0, 256, (1, channels, 64, side, side), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        write_onnx(network, (clips,), path, inputs=("clips",), outputs=outputs)
        store_in_half(path, least=256)
        session = open_network(path)
        size = path.stat().st_size / 1e6
    given = {"clips": clips.numpy()}
    return _median(lambda: session.run(None, given), times), size


def _median(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times + 2):
        started = time.process_time()  # of this thread's own work: other work on the machine does not count
        work()
        taken.append(time.process_time() - started)
    return 1000 * float(np.median(taken[2:]))


def clips_a_second(task: Any, channels: int, side: int, fit: FitSettings, steps: int) -> float:
    """Return how many clips are trained on in a second of the clock."""
    trainer = SequenceTrainer(task, fit, classes=3, seed=0)
    count = fit.batch * steps
    clips = torch.randint(0, 256, (count, channels, 64, side, side), dtype=torch.uint8)
    trainer.load_rows(ClipRows(clips, torch.arange(count) % 3))
    trainer.one_epoch()
    started = time.perf_counter()
    trainer.one_epoch()  # reads the losses at its end, which waits for a GPU
    return count / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=112)
    parser.add_argument("--kind", default="grey", help="what DSTICNN reads")
    parser.add_argument("--width", type=int, default=CROP_WIDTH, help="of the crops that the input is made of")
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--steps", type=int, default=1, help="training steps that are timed, after as many others")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--label", default="")
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    fit = FitSettings(batch=options.batch, device=options.device, precision=options.precision)
    label = options.label or f"{platform.processor() or platform.machine()}, one core"
    crops = np.random.default_rng(0).integers(0, 256, (FRAMES, 170, 140), dtype=np.uint8)
    made = {"length": 64, "side": options.side, "width": options.width}
    rows = {}
    for name, (network, outputs) in exported(options.side, options.kind).items():
        kind = options.kind if name == "dsticnn" else "grey"
        if name != "dsticnn" and options.kind != "grey":
            continue  # measured with grey pictures, the only ones that it reads
        channels = len(CHANNELS[kind])
        taken, size = milliseconds(network, outputs, channels, options.side, options.times)
        task = tasks(options.side, kind)[name]()
        rows[name] = {
            "input_ms": _median(lambda h=made | {"kind": kind}: clip_input(crops, **h), options.times),
            "network_ms": taken,
            "megabytes": size,
            "training_clips_per_s": clips_a_second(task, channels, options.side, fit, options.steps),
        }
        print(name, rows[name], flush=True)
    path = options.out / "sequence_speed.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    key = f"{label}, {options.kind}, {options.side} px of crops of {options.width}, {options.precision}"
    found[key] = {n: {k: round(v, 2) for k, v in r.items()} for n, r in rows.items()}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    lines = [
        "# Speed of the sequence systems",
        "",
        f"Per clip of {FRAMES} crops: input, and network as it is exported (ONNX Runtime, one thread; processor time,"
        " median). Training: clips a second of the clock on the device.",
        "",
        "| device | system | input | network | file | training |",
        "|---|---|---|---|---|---|",
    ]
    for device, systems in found.items():
        for name, r in systems.items():
            lines.append(
                f"| {device} | `{name}` | {r['input_ms']:.1f} ms | {r['network_ms']:.1f} ms | {r['megabytes']:.1f} MB |"
                f" {r['training_clips_per_s']:.1f} clips/s |"
            )
    (options.out / "sequence_speed.md").write_text(
        "\n".join([*lines, "", "By `python benchmarks/studies/sequence_speed.py`.", ""])
    )


if __name__ == "__main__":
    main()
