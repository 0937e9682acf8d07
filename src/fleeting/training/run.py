"""From a recipe to the training that it names.

A recipe is a TOML file with a ``task``; the module of that task has ``train(recipe, *, data, out)``.
"""

from __future__ import annotations

import difflib
import importlib
import tomllib
from pathlib import Path
from typing import Protocol

from fleeting.errors import MissingExtraError, SettingsError

TASKS: dict[str, str] = {
    "action_units": "fleeting.training.action_units.train",
    "dsticnn": "fleeting.recognisers.dsticnn.train",
    "expression": "fleeting.training.expression.train",
    "face_finder": "fleeting.training.face_finder.train",
    "fleeting": "fleeting.recognisers.fleeting.train",
    "flow_svm": "fleeting.recognisers.flow_svm.train",
    "landmarks": "fleeting.training.landmarks.train",
    "micro_flow": "fleeting.training.micro_flow.train",
    "macro_to_micro": "fleeting.recognisers.macro_to_micro.train",
    "spotter": "fleeting.training.spotter.train",
}
"""Module of every task; imported only when it is asked for, since most need torch or scikit-learn."""


class Train(Protocol):
    """Trains after a recipe and writes the network and its card into a folder."""

    def __call__(self, recipe: Path, *, data: Path, out: Path) -> None:
        """Train."""


def task_of(recipe: Path) -> str:
    """Task that a recipe names.

    Raises
    ------
    SettingsError
        Where the recipe cannot be read, or names no known task.
    """
    try:
        task = tomllib.loads(recipe.read_text(encoding="utf-8")).get("task")
    except OSError as error:
        raise SettingsError(
            "a recipe", f"{recipe} ({error.strerror})", "Recipes lie in the folder recipes/."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError("a TOML file", f"{recipe.name} ({error})", "Correct the line that is named.") from error
    if task not in TASKS:
        near = difflib.get_close_matches(str(task), TASKS, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"Known tasks: {', '.join(TASKS)}."
        raise SettingsError(f"a known task in {recipe.name}", repr(task), hint)
    return str(task)


def train(recipe: Path, *, data: Path, out: Path) -> str:
    """Train after a recipe.

    Parameters
    ----------
    recipe
        TOML file with a ``task`` of `TASKS`; its other keys belong to that task.
    data
        Folder of the picture and flow sets.
    out
        Folder of checkpoints, logs, the network and its card; a stopped training goes on from it.

    Returns
    -------
    str
        The task.

    Raises
    ------
    SettingsError
        For a recipe that cannot be used.
    DataError
        Where data is missing.
    MissingExtraError
        Where the research extra is not installed.
    """
    task = task_of(recipe)
    try:
        module = importlib.import_module(TASKS[task])
    except ImportError as error:
        if error.name and error.name.split(".")[0] == "fleeting":
            raise
        raise MissingExtraError("research", f"training ({error.name})") from error
    run: Train = module.train
    run(recipe, data=data, out=out)
    return task
