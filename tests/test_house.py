"""The house is in order: a network has one name everywhere, and a room says what it is."""

from __future__ import annotations

import ast
import importlib.machinery
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from documentation import PAGES, ROOT, prose, table_rows

from fleeting import weights
from fleeting.training.run import TASKS

SOURCE = ROOT / "src" / "fleeting"
NETWORKS = weights.names()
RECIPES = tuple(sorted(path.stem for path in (ROOT / "recipes").glob("*.toml")))
ROOMS = tuple(sorted(path.parent for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE))
MOST_MODULES = 22

MEASURED_WITH = {
    "deep_emotion": ("expression", "both networks read the same pictures and are compared"),
    "dsticnn": ("sequences", "both systems learn from the same sequences and are compared"),
    "macro_to_micro": ("sequences", "both systems learn from the same sequences and are compared"),
    "spotter": ("spotting", "the judge is one step of the spotter, which is measured as a whole"),
}
"""Networks without a benchmark of their own: the one that measures them, and why."""


def recipe(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / "recipes" / f"{name}.toml").read_text(encoding="utf-8"))


def trained_by(asked: dict[str, Any]) -> str:
    """Network that a recipe trains: its task, or one of several that the task knows."""
    network = asked.get("network")
    return network if isinstance(network, str) else str(asked["task"])


def benchmark_of(name: str) -> Path | None:
    script = ROOT / "benchmarks" / f"{name}.py"
    found = [p for p in (script, script.with_suffix("") / "__main__.py") if p.is_file()]
    assert len(found) <= 1, f"two benchmarks are called {name}"
    return found[0] if found else None


def as_words(text: str) -> str:
    """Lower case, without marks; hyphens and underscores as spaces, as the same name is written in code and prose."""
    return " ".join(re.sub(r"[^a-z0-9]+", " ", text.lower()).split())


def headings() -> list[str]:
    pages = [page for page in PAGES if (ROOT / "docs") in page.parents and page.name != "index.md"]
    return [as_words(h) for page in pages for h in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_one_room(name: str) -> None:
    rooms = [room for room in ("recognisers", "training") if (SOURCE / room / name).is_dir()]
    assert len(rooms) == 1, f"{name} lives in {rooms}"


@pytest.mark.parametrize("name", NETWORKS)
def test_its_recipe_and_its_card_bear_its_name(name: str) -> None:
    asked = recipe(name)
    assert trained_by(asked) == name
    assert asked.get("name", name) == name
    card = json.loads((SOURCE / "weights" / f"{name}.json").read_text(encoding="utf-8"))
    assert card["name"] == name
    assert weights.checksum(SOURCE / "weights" / f"{name}.onnx") == card["sha256"]
    source = card["recipe"]
    if isinstance(source, dict):
        assert source["name"] == name
    elif "at commit" in source:  # a recipe of the past, under the name that it had
        return
    else:
        assert source == f"recipes/{name}.toml"
    assert card["command"].startswith(f"fleeting train recipes/{name}.toml ")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_benchmark_measures_it(name: str) -> None:
    own = benchmark_of(name)
    if name in MEASURED_WITH:
        assert own is None, f"{name} has a benchmark: take it out of the exceptions"
        name = MEASURED_WITH[name][0]
        own = benchmark_of(name)
    assert own is not None, f"there is no benchmarks/{name}.py"
    assert (ROOT / "benchmarks" / "results" / f"{name}.json").is_file()


def test_the_exceptions_are_networks() -> None:
    assert set(MEASURED_WITH) <= set(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_heading_of_the_documentation_names_it(name: str) -> None:
    assert any(f" {as_words(name)} " in f" {heading} " for heading in headings()), f"no heading in docs/ names {name}"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_a_network_that_has_a_room(name: str) -> None:
    asked = recipe(name)
    assert asked["task"] in TASKS
    network = trained_by(asked)
    assert name in (network, f"{network}_full"), f"recipes/{name}.toml trains {network}"


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_the_room_that_does_it(task: str) -> None:
    package, room, name, module = TASKS[task].split(".")
    assert (package, name, module) == ("fleeting", task, "train")
    assert (SOURCE / room / name / f"{module}.py").is_file()


@pytest.mark.parametrize("folder", ["benchmarks", "benchmarks/studies"])
def test_no_script_hides_the_package(folder: str) -> None:
    """Python looks beside a script first: a file fleeting.py there would be imported instead."""
    found = importlib.machinery.PathFinder.find_spec("fleeting", [str(ROOT / folder), str(SOURCE.parent)])
    assert found is not None
    assert found.origin == str(SOURCE / "__init__.py")
    hidden = {p.stem for p in (ROOT / folder).glob("*.py")} & set(sys.stdlib_module_names)
    assert not hidden


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(SOURCE).as_posix())
def test_a_room_says_what_it_is_and_where_to_start(room: Path) -> None:
    text = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert len(text.split()) >= 20, f"{room.name}/__init__.py needs a paragraph"
    modules = {path.stem for path in room.glob("*.py")} - {"__init__"}
    assert len(modules) <= MOST_MODULES, f"{room.name} has {len(modules)} modules side by side"
    inside = modules | {path.parent.name for path in room.glob("*/__init__.py")}
    assert inside & set(re.findall(r"\w+", text)), f"{room.name}/__init__.py names none of its modules"


def test_no_module_is_named_after_nothing() -> None:
    empty = {"utils", "util", "common", "core", "base", "helpers", "misc"}
    assert not [p for p in SOURCE.rglob("*") if p.stem in empty and (p.suffix == ".py" or p.is_dir())]


def test_every_room_stands_in_the_table() -> None:
    rows = table_rows(ROOT / "CONTRIBUTING.md", "room")
    told = {name: what for rooms, what in rows for name in re.findall(r"`(\w+)/`", rooms)}
    rooms = {room.name for room in ROOMS if room.parent == SOURCE}
    assert set(told) == rooms
    modules = {name for rooms, _ in rows for name in re.findall(r"`(\w+\.py)`", rooms)}
    assert modules == {p.name for p in SOURCE.glob("*.py")} - {"__init__.py", "__main__.py"}
    for room in ROOMS:
        if room.parent != SOURCE:
            top = room.relative_to(SOURCE).parts[0]
            assert f"`{room.name}/`" in told[top], f"{room.relative_to(SOURCE)} is not in the table"
