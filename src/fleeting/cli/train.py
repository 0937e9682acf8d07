"""``fleeting train``: from a recipe to a network."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe, a TOML file; those of the shipped networks are in recipes/.")],
    data: Annotated[Path, typer.Option("--data", help="Folder of the data that the recipe needs.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for checkpoints, log, network and card.")],
) -> None:
    """Train a network from its recipe (needs the extra 'research').

    Run the same command again to resume a stopped training.

    Example: fleeting train recipes/landmarks.toml --data ../shared/data --out runs/landmarks
    """
    from fleeting.training.run import train as run

    # A training takes up to an hour: what it is doing is shown without being asked for.
    logging.getLogger("fleeting.training").setLevel(logging.INFO)
    task = run(recipe, data=data, out=out)
    typer.echo(f"{task}: trained, see {out}")
