"""Both expression networks on FER-2013's PublicTest: ``python benchmarks/expression.py --data ../shared/data``.

Accuracy with a 95 % bootstrap interval over pictures, macro F1, macro recall, calibration error; for comparison people:
how often the majority of FER+ voters names the set's own label. A paired test (McNemar, exact) compares the two
networks. Speed: faces per second of processor time of one core through ONNX Runtime, one face a call and 32. Training
curves come from ``history.jsonl`` under ``--runs``, or from the former results where there is none.
Writes ``results/expression.json``, ``results/expression.md`` and ``results/expression.png``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from fleeting import weights
from fleeting.datasets import fer2013
from fleeting.evaluation.expression import NETWORKS, summarise
from fleeting.labels import SEVEN_CLASSES

RESULTS = Path(__file__).resolve().parent / "results"
COMMAND = "python benchmarks/expression.py --data ../shared/data"
PUBLISHED = {
    "Minaee et al. 2021, their own report": "70.0 (split not stated)",
    "public re-implementations of it": "44 to 58 (their users' reports)",
}
DRAWS = 2000


def interval(right: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of a mean of (n,) bool."""
    rng = np.random.default_rng(seed)
    draws = rng.binomial(len(right), right.mean(), DRAWS) / len(right)  # the same as drawing rows with replacement
    return float(np.quantile(draws, 0.025)), float(np.quantile(draws, 0.975))


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Exact two-sided p of as many or more rows that one alone got right, where both are equally good."""
    from scipy.stats import binomtest

    only = int((first & ~second).sum()), int((second & ~first).sum())
    return float(binomtest(only[0], sum(only), 0.5).pvalue) if sum(only) else 1.0


def speed(name: str, pictures: np.ndarray, batch: int, *, seconds: float = 3.0) -> float:
    """Faces per second of processor time; the median of calls within `seconds`."""
    session = weights.session(name)
    calls: list[float] = []
    begun = time.perf_counter()
    i = 0
    while time.perf_counter() - begun < seconds or len(calls) < 5:
        faces = pictures[i : i + batch]
        i = (i + batch) % (len(pictures) - batch)
        started = time.process_time()
        session.run(None, {"faces": faces})
        calls.append(time.process_time() - started)
    return batch / float(np.median(calls))


def people(faces: fer2013.FacePictures) -> dict[str, Any]:
    """How often the majority of FER+ voters, and a single one, name the label of the set itself."""
    assert faces.votes is not None
    seven = fer2013.seven_of_votes(faces.votes)
    voted = seven.sum(1) > 0
    one = faces.votes / faces.votes.sum(1, keepdims=True)
    places = [
        fer2013.VOTES.index(v) for v in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    ]
    return {
        "majority": float((seven.argmax(1) == faces.label)[voted].mean()),
        "single_voter": float(one[np.arange(len(faces)), np.array(places)[faces.label]].mean()),
    }


def curve(name: str, runs: Path, former: dict[str, Any]) -> list[dict[str, float]]:
    """Rows of the history of the training that a shipped network is from."""
    path = runs / Path(weights.card(name)["recipe"]).stem / "history.jsonl"
    if not path.exists():
        return list(former.get(name, {}).get("curve", []))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def measure(data: Path, runs: Path) -> dict[str, Any]:
    """All figures."""
    stored = RESULTS / "expression.json"
    former = json.loads(stored.read_text(encoding="utf-8"))["networks"] if stored.exists() else {}
    faces = fer2013.read(data / "fer2013_training_publictest.npz")
    faces = faces.select(faces.part == fer2013.PUBLIC_TEST)
    networks: dict[str, Any] = {}
    right: dict[str, np.ndarray] = {}
    for name in NETWORKS.values():
        session, card = weights.session(name), weights.card(name)
        found = [session.run(None, {"faces": faces.pictures[i : i + 64]})[0] for i in range(0, len(faces), 64)]
        probabilities = np.concatenate(found)
        right[name] = probabilities.argmax(1) == faces.label
        scores = summarise(probabilities, faces.label)
        scores.pop("reliability")
        networks[name] = {
            **scores,
            "accuracy_interval": interval(right[name]),
            "validation_accuracy": card["scores"]["validation"]["accuracy"],
            "parameters": card["parameters"],
            "megabytes": (weights.folder() / f"{name}.onnx").stat().st_size / 1e6,
            "faces_per_s_single": speed(name, faces.pictures, 1),
            "faces_per_s_32": speed(name, faces.pictures, 32),
            "sha256": card["sha256"],
            "curve": curve(name, runs, former),
        }
    return {
        "command": COMMAND,
        "protocol": f"FER-2013 PublicTest, {len(faces)} pictures, the set's own labels; it chose no setting",
        "people": people(faces),
        "networks": networks,
        "p_value": mcnemar(*right.values()),
    }


def table(found: dict[str, Any]) -> str:
    """Markdown of the results."""
    lines = [
        "# Expressions of a face picture",
        "",
        f"By `{found['command']}`. {found['protocol']}. Accuracy in percent, with a 95 % interval (bootstrap).",
        "",
        "| | accuracy | validation | macro F1 | macro recall | ECE | parameters | MB | faces/s | 32 a call |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in found["networks"].items():
        low, high = row["accuracy_interval"]
        lines.append(
            f"| {name} | {100 * row['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}] "
            f"| {100 * row['validation_accuracy']:.1f} | {row['uf1']:.3f} | {row['uar']:.3f} | {row['ece']:.3f} "
            f"| {row['parameters']:,} | {row['megabytes']:.2f} | {row['faces_per_s_single']:.0f} "
            f"| {row['faces_per_s_32']:.0f} |"
        )
    for name, value in PUBLISHED.items():
        lines.append(f"| {name} | {value} | | | | | | | | |")
    lines += [
        f"| majority of ten FER+ voters | {100 * found['people']['majority']:.1f} | | | | | | | | |",
        f"| one FER+ voter | {100 * found['people']['single_voter']:.1f} | | | | | | | | |",
        "",
        f"Paired test of the two networks (McNemar, exact): p = {found['p_value']:.2g}.",
    ]
    for name, row in found["networks"].items():
        lines += [
            "",
            f"## {name}: truth in rows, answers in columns",
            "",
            "| | " + " | ".join(SEVEN_CLASSES) + " | recall |",
        ]
        lines.append("|---" * (len(SEVEN_CLASSES) + 2) + "|")
        for kind, counts in zip(SEVEN_CLASSES, row["confusion"], strict=True):
            recall = row["by_class"].get(kind, {}).get("recall")
            lines.append(f"| {kind} | {' | '.join(map(str, counts))} | {recall} |")
    return "\n".join(lines) + "\n"


def figure(found: dict[str, Any], path: Path) -> None:
    """Learning curves beside the confusion matrices."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    networks = found["networks"]
    _, axes = plt.subplots(1, 1 + len(networks), figsize=(5 * (1 + len(networks)), 4.4), layout="constrained")
    for name, row in networks.items():
        if row["curve"]:
            epochs = [r["epoch"] for r in row["curve"]]
            axes[0].plot(epochs, [100 * r["validation_accuracy"] for r in row["curve"]], label=name)
    axes[0].set(xlabel="epoch", ylabel="validation accuracy, %", title="Learning curves")
    axes[0].legend()
    axes[0].grid(alpha=0.3)
    for axis, (name, row) in zip(axes[1:], networks.items(), strict=True):
        counts = np.array(row["confusion"], float)
        shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for i, j in np.ndindex(*shares.shape):
            axis.text(j, i, f"{shares[i, j]:.0f}", ha="center", va="center", color="w" if shares[i, j] > 55 else "k")
        places = range(len(SEVEN_CLASSES))
        axis.set_xticks(places, SEVEN_CLASSES, rotation=45)
        axis.set_yticks(places, SEVEN_CLASSES)
        axis.set(title=f"{name}: {100 * row['accuracy']:.1f} %", xlabel="answer", ylabel="truth")
    plt.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of fer2013_training_publictest.npz")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the trainings, for their curves")
    chosen = parser.parse_args()
    found = measure(chosen.data, chosen.runs)
    text = table(found)
    (RESULTS / "expression.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "expression.md").write_text(text, encoding="utf-8")
    figure(found, RESULTS / "expression.png")
    print(text)


if __name__ == "__main__":
    main()
