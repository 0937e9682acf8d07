"""What is published says one version, and the files that build and ship it name what is there."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from documentation import ROOT

from fleeting.cli.app import app

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GROUP: Any = typer.main.get_command(app)
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_version_is_one() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [PROJECT["version"]]


def test_pythons_that_are_named_are_tested() -> None:
    named = [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    release = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert f"python: {named}".replace("'", '"') in release
    assert PROJECT["requires-python"] == f">={named[0]}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_scripts_that_are_there(path: Path) -> None:
    scripts = re.findall(r"run: (scripts/[\w-]+)", path.read_text(encoding="utf-8"))
    assert scripts
    assert all(os.access(ROOT / script, os.X_OK) for script in scripts)


def test_the_container_gets_what_it_copies_and_no_more() -> None:
    copied = [word for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored[0] == "*"
    assert sorted(copied) == sorted(line[1:] for line in ignored if line.startswith("!"))
    assert all((ROOT / name).exists() for name in copied)
    needed = {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "src", "constraints.txt"}
    assert set(copied) == needed
    (extras,) = re.findall(r'"/source\[([\w,]+)\]"', DOCKERFILE)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_container_runs_a_command_that_parses() -> None:
    found = {key: json.loads(words) for key, words in re.findall(r"^(ENTRYPOINT|CMD) (.+)$", DOCKERFILE, re.MULTILINE)}
    entry, words = found["ENTRYPOINT"], found["CMD"]
    assert entry == ["fleeting"]
    GROUP.commands[words[0]].make_context(words[0], words[1:])
    assert "EXPOSE " + words[words.index("--port") + 1] in DOCKERFILE
