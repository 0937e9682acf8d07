"""What the expression network should see of a picture: ``python benchmarks/expression_views.py --data ../shared/data``.

A trained network answers for several `models.shipped_expression.Views` of each validation picture of FER-2013: mirror
image, tilted copies, zoom. Accuracy, and log loss at the temperature that is best for each, as the export fits it; how
many times the network runs. Of those that leave at least 150 faces a second on one core (two runs of a network of
this size) the most accurate one goes into the recipe; no other picture is seen. Writes ``expression_views.json`` and
``.md`` under ``results/`` for the network that is shipped, and ``expression_views_NAME.json`` and ``.md`` for that of
another ``--recipe recipes/NAME.toml``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import torch

from fleeting import settings, weights
from fleeting.datasets import fer2013
from fleeting.models.shipped_expression import Views
from fleeting.training.calibration import fit_temperature
from fleeting.training.expression_pictures import cross_entropy_of, labelled, logits_of
from fleeting.training.expression_recipe import ExpressionRecipe
from fleeting.training.expression_teachers import teacher_of

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
COMMAND = "python benchmarks/expression_views.py --data ../shared/data"
SHIPPED = Path(weights.card("expression")["recipe"])
TILTS, ZOOMS = (0.0, 4.0, 8.0, 12.0), (1.0, 0.97, 0.94)
SEEN = [Views(flip=False), *(Views(True, tilt, zoom) for tilt, zoom in product(TILTS, ZOOMS))]


def measure(data: Path, recipe: Path, run: Path) -> dict[str, Any]:
    """All figures."""
    chosen = settings.load(ExpressionRecipe, recipe)
    torch.set_num_threads(chosen.threads)
    network = teacher_of(run, chosen).network
    faces = fer2013.read(data / chosen.data)
    rows = fer2013.training_rows(faces, validation_percent=chosen.validation_percent).validation
    held = labelled(faces.select(rows), chosen, torch.device("cpu"))
    truth = held.label.numpy()
    found = []
    for views in SEEN:
        logits = logits_of(network, held, views)
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
        "command": COMMAND if recipe.stem == SHIPPED.stem else f"{COMMAND} --recipe recipes/{recipe.name}",
        "pictures": len(truth),
        "epochs": chosen.ends_at,
        "in the recipe": asdict(chosen.views()),
        "views": found,
    }


def table(found: dict[str, Any]) -> str:
    """Markdown of the results."""
    lines = [
        "# What the expression network sees of a picture",
        "",
        f"By `{found['command']}`: {found['pictures']} validation pictures of FER-2013, after {found['epochs']} epochs."
        " Log loss in nats at the best temperature of each; **bold**: in the recipe.",
        "",
        "| mirror image | tilts, degrees | zoom | runs of the network | accuracy, % | log loss |",
        "|---|---|---|---|---|---|",
    ]
    for row in found["views"]:
        mark = "**" if {k: row[k] for k in found["in the recipe"]} == found["in the recipe"] else ""
        tilt = f"±{row['tilt_deg']:g}" if row["tilt_deg"] else "0"
        lines.append(
            f"| {'yes' if row['flip'] else 'no'} | {tilt} | {row['zoom']:g} | {row['runs']} |"
            f" {mark}{100 * row['accuracy']:.1f}{mark} | {mark}{row['log_loss']:.3f}{mark} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of fer2013_training_publictest.npz")
    parser.add_argument("--recipe", type=Path, default=HERE.parent / SHIPPED)
    parser.add_argument("--runs", type=Path, default=HERE.parent / "runs", help="folder of the trainings")
    options = parser.parse_args()
    found = measure(options.data, options.recipe, options.runs / options.recipe.stem)
    name = "expression_views" + ("" if options.recipe.stem == SHIPPED.stem else f"_{options.recipe.stem}")
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (RESULTS / f"{name}.md").write_text(table(found), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
