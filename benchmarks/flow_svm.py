"""What each part of the revised-flow system gives: ``python benchmarks/flow_svm.py``.

Sequences of real motion on portraits (`recognisers.sequences.sets`: every flow image of the composite set moves a
portrait of its subject's own), one subject held out at a time, the same folds for every variant: the whole flow
against the revised feature, methods of flow, 36 regions against a grid. The learned flow was trained on real
movements of the 70 % of subjects that `training.people` gives to training, mixed two by two and without their labels.
Writes ``results/flow_svm.json`` and ``results/flow_svm.md``.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.metrics import f1_score, recall_score

from fleeting.datasets.load import load_samples
from fleeting.datasets.samples import Samples
from fleeting.motion.flow import METHODS
from fleeting.recognisers.flow_svm.recogniser import FlowSvm, FlowSvmSettings
from fleeting.recognisers.sequences.sets import SequenceSettings, make_sets

FLOW = "composite_flow_casme2_smic.npz"
PLAIN = FlowSvmSettings(frames=5, variances=(0.95,), strengths=(1.0, 10.0), widths=(0.1, 0.3))
"""A smaller grid than the system's own, the same for every variant."""


def variants() -> dict[str, FlowSvmSettings]:
    """Return settings by what is different."""
    found = {f"revised, {name}": replace(PLAIN, method=name) for name in METHODS}  # type: ignore[arg-type]
    found["revised, dis, grid of 36 cells"] = replace(PLAIN, layout="grid")
    found["whole flow, dis"] = replace(PLAIN, revised=False)
    return found


def measure(samples: Samples, how: FlowSvmSettings) -> dict[str, Any]:
    """Scores over all held-out subjects, values of the feature, and milliseconds of one core per clip for it."""
    system = FlowSvm(how)
    began = time.process_time()
    features = system.features(samples)
    milliseconds = 1000 * (time.process_time() - began) / len(samples)
    said = np.zeros(len(samples), np.int64)
    for subject in np.unique(samples.subject):
        test = samples.subject == subject
        said[test] = system.fit(samples.select(~test), None, seed=0).probabilities(samples.select(test)).argmax(1)
    return {
        "values": int(features.shape[1]),
        "uf1": round(float(f1_score(samples.label, said, average="macro")), 4),
        "uar": round(float(recall_score(samples.label, said, average="macro")), 4),
        "ms_per_clip": round(milliseconds, 1),
    }


def table(results: dict[str, Any]) -> str:
    """Markdown of the results."""
    lines = [
        "# Revised flow and a support vector machine",
        "",
        f"`python benchmarks/flow_svm.py`: {results['clips']} sequences of {results['subjects']} subjects, real motion "
        "on portraits; one subject held out at a time, the same folds; choices inside the fold. 5 frames of each, "
        "crops of 112 x 136 px; milliseconds of one core per clip for the feature.",
        "",
        "| variant | values | UF1 | UAR | ms per clip |",
        "|---|---|---|---|---|",
    ]
    for name, r in results["variants"].items():
        lines.append(f"| {name} | {r['values']} | {r['uf1']:.3f} | {r['uar']:.3f} | {r['ms_per_clip']:g} |")
    return "\n".join(lines) + "\n"


def write(results: dict[str, Any], folder: Path) -> None:
    """Write what is known so far, in the order of the variants."""
    results["variants"] = {name: results["variants"][name] for name in variants() if name in results["variants"]}
    (folder / "flow_svm.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (folder / "flow_svm.md").write_text(table(results), encoding="utf-8")


def main() -> None:
    """Draw, measure, write."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=here.parent.parent / "shared" / "data")
    parser.add_argument("--runs", type=Path, default=here.parent / "runs" / "flow_svm" / "sequences")
    parser.add_argument("--only", help="names of variants that contain this")
    parser.add_argument("--out", type=Path, default=here / "results")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    how = SequenceSettings(length=9, copies=1, count=3)
    paths = make_sets(options.data, options.runs, how, flow=FLOW)
    samples = load_samples(f"prepared={paths['transferred']}")
    path = options.out / "flow_svm.json"
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"variants": {}}
    results |= {"clips": len(samples), "subjects": len(np.unique(samples.subject))}
    for name, settings in variants().items():
        if options.only is None or options.only in name:
            results["variants"][name] = measure(samples, settings)
            print(name, results["variants"][name], flush=True)
            write(results, options.out)
    print(table(results))


if __name__ == "__main__":
    main()
