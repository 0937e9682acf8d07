"""``scripts/rebuild`` knows every shipped network, and says plainly which one command does not make anew."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from documentation import ROOT, load_script

from fleeting import weights

rebuild = load_script("rebuild")
MAKINGS = {one.name: one for one in rebuild.makings()}


def test_every_shipped_network_is_listed() -> None:
    assert tuple(MAKINGS) == weights.names()
    done = subprocess.run([sys.executable, "scripts/rebuild.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name, one in MAKINGS.items():
        card = weights.card(name)
        assert f"{name}\n  SHA-256  {card['sha256']}" in done.stdout
        assert card["data"] in done.stdout
        assert all(f"  run      {command}" in done.stdout for command in one.commands)
    assert "not measured" in done.stdout
    assert done.stdout.endswith("7 of 11 by one command. Not: expression, face_finder, landmarks, spotter.\n")


@pytest.mark.parametrize("name", weights.names())
def test_what_is_said_is_what_card_and_recipe_say(name: str) -> None:
    one, card = MAKINGS[name], weights.card(name)
    recipe = (ROOT / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    assert (len(one.commands) == 1) == (one.why_not == ""), "more or fewer than one command needs a reason"
    if "at commit" in str(card["recipe"]):
        assert one.commands == (), "the recipe that is left makes another network"
        return
    *first, train = (shlex.split(command) for command in one.commands)
    assert train[:3] == shlex.split(card["command"])[:3]
    told = " ".join(recipe.replace("#", " ").split())
    for words in first:
        assert " ".join(words[:3]) in told, "the recipe says what comes first"
        place = words[2].replace(".", "/") + ".py" if words[1] == "-m" else words[1]
        assert (ROOT / place).exists() or (ROOT / "src" / place).exists()
    assert all(file in recipe + json.dumps(card) for file in one.files)


def test_it_runs_the_commands_and_compares(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def pretend(words: list[str], *, cwd: Path, check: bool) -> subprocess.CompletedProcess[str]:
        ran.append(words)
        made = cwd / "runs" / "rebuild" / "flow_svm" / "flow_svm.onnx"
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes((weights.folder() / "flow_svm.onnx").read_bytes()[: None if len(ran) == 1 else 100])
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(rebuild, "ROOT", tmp_path)
    monkeypatch.setattr(rebuild.subprocess, "run", pretend)
    assert rebuild.run(MAKINGS["flow_svm"]) == 0
    assert ran[0][1:5] == ["-m", "fleeting", "train", "recipes/flow_svm.toml"]
    assert "the shipped network, byte for byte" in capsys.readouterr().out
    assert rebuild.run(MAKINGS["flow_svm"]) == 0
    assert "not byte for byte the shipped network" in capsys.readouterr().out
    assert rebuild.run(MAKINGS["expression"]) == 1
    assert len(ran) == 2
    assert "eight trainings" in capsys.readouterr().err
