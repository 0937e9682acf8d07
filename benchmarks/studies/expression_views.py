"""What the expression network should see of a picture.

    python benchmarks/studies/expression_views.py --data ../shared/data

The shipped network answers for several `training.expression.shipped.Views` of each validation picture of FER-2013:
mirror image, tilted copies, zoom. Accuracy, and log loss at the temperature that is best for each, as the export fits
it; how many times the network runs. Of those that leave at least 150 faces a second on one core (two runs of a
network of this size) the most accurate one is what it sees; no other picture is used. Writes
``expression_views.json`` and ``.md`` under ``results/``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import torch

from fleeting import weights
from fleeting.datasets import fer2013
from fleeting.training.calibration import fit_temperature
from fleeting.training.expression.pictures import cross_entropy_of, labelled, logits_of
from fleeting.training.expression.recipe import ExpressionRecipe
from fleeting.training.expression.shipped import Views, shipped_network

RESULTS = Path(__file__).resolve().parents[1] / "results"
COMMAND = "python benchmarks/studies/expression_views.py --data ../shared/data"
TILTS, ZOOMS = (0.0, 4.0, 8.0, 12.0), (1.0, 0.97, 0.94)
SEEN = [Views(flip=False), *(Views(True, tilt, zoom) for tilt, zoom in product(TILTS, ZOOMS))]


def measure(data: Path) -> dict[str, Any]:
    """All figures."""
    torch.set_num_threads(1)
    shipped = shipped_network("expression")
    recipe = ExpressionRecipe(validation_percent=weights.card("expression")["pictures"]["validation_percent"])
    faces = fer2013.read(data / recipe.data)
    rows = fer2013.training_rows(faces, validation_percent=recipe.validation_percent).validation
    held = labelled(faces.select(rows), recipe, torch.device("cpu"))
    truth = held.label.numpy()
    found = []
    for views in SEEN:
        logits = logits_of(shipped.network, held, views)
        temperature = fit_temperature(logits, truth)
        found.append(
            asdict(views)
            | {
                "runs": len(views.of(torch.zeros(1, 1, 48, 48))),
                "accuracy": round(float((logits.argmax(1) == truth).mean()), 4),
                "log_loss": round(cross_entropy_of(logits / temperature, truth), 4),
            }
        )
        print(found[-1], flush=True)
    return {
        "command": COMMAND,
        "pictures": len(truth),
        "shipped": asdict(shipped.views),
        "views": found,
    }


def table(found: dict[str, Any]) -> str:
    """Markdown of the results."""
    lines = [
        "# What the expression network sees of a picture",
        "",
        f"By `{found['command']}`: {found['pictures']} validation pictures of FER-2013. Log loss in nats at the best"
        " temperature of each; **bold**: as shipped.",
        "",
        "| mirror image | tilts, degrees | zoom | runs of the network | accuracy, % | log loss |",
        "|---|---|---|---|---|---|",
    ]
    for row in found["views"]:
        mark = "**" if {k: row[k] for k in found["shipped"]} == found["shipped"] else ""
        tilt = f"±{row['tilt_deg']:g}" if row["tilt_deg"] else "0"
        lines.append(
            f"| {'yes' if row['flip'] else 'no'} | {tilt} | {row['zoom']:g} | {row['runs']} |"
            f" {mark}{100 * row['accuracy']:.1f}{mark} | {mark}{row['log_loss']:.3f}{mark} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of fer2013_training_publictest.npz")
    found = measure(parser.parse_args().data)
    (RESULTS / "expression_views.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "expression_views.md").write_text(table(found), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
