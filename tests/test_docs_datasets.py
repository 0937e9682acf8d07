"""What docs/how-to/datasets.md says is so."""

from __future__ import annotations

import re

import pytest
import typer
from documentation import PAGES, ROOT, blocks, commands, table_rows

from fleeting.cli.data import data
from fleeting.datasets.manifest import COLUMNS, CORRECTION_COLUMNS
from fleeting.datasets.readers import own
from fleeting.datasets.registry import DATASETS, named_data
from fleeting.labels import SCHEMES

PAGE = ROOT / "docs" / "how-to" / "datasets.md"


def names(head: str) -> set[str]:
    return {name for row in table_rows(PAGE, head) for name in re.findall(r"`([\w-]+)`", row[0])}


def test_every_data_set_is_documented() -> None:
    assert names("name") == set(DATASETS)


def test_the_columns_are_documented() -> None:
    assert names("column of a manifest") == set(COLUMNS)
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text or f"`{name}" in text for name in CORRECTION_COLUMNS)


def test_the_columns_of_ones_own_table_are_documented() -> None:
    assert names("column of your own table") == {*own.COLUMNS, *own.SUBJECT, *own.EXTRA} - {"units"} | {"action_units"}


def test_the_schemes_are_documented() -> None:
    assert {int(row[0]) for row in table_rows(PAGE, "classes")} == set(SCHEMES)


SHOWN = [tuple(line.split()) for b in blocks(PAGE) for line in b.text.splitlines() if line.startswith("fleeting ")]
GIVEN = {c.words for page in PAGES for c in commands(page) if c.fenced} | set(SHOWN)
OURS = sorted(words for words in GIVEN if words[:2] in (("fleeting", "data"), ("fleeting", "prepare")))


@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_commands_name_known_data_sets(words: tuple[str, ...]) -> None:
    if words[1] == "data":
        group = typer.main.get_command(data)
        context = group.make_context("data", list(words[2:]), resilient_parsing=True)
        group.commands[words[2]].make_context(words[2], list(words[3:]), parent=context)  # type: ignore[attr-defined]
    for word in words[2:]:
        if re.fullmatch(r"[a-z0-9-]+=.+", word) and word != "NAME=PATH":
            named_data(word)
