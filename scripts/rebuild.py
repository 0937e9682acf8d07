"""Say how every shipped network is made: commands, hours and data; or make one anew.

    scripts/rebuild
    scripts/rebuild --run flow_svm --data ../shared/data

Commands and data are those of the cards and of the recipes. Where one command is not enough, the reason is said.
What --run makes lies in ``runs/rebuild/NAME`` and is compared with the shipped network; nothing of the package is
replaced.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "src" / "fleeting" / "weights"
DATA_KEYS = ("data", "films", "validation", "real", "flow", "faces", "table", "teacher")
"""Keys of recipes that name files or folders."""

TEACHER = "python -m fleeting.training.landmarks.teacher --data {data} --out runs/teacher"
FIRST = {
    "landmarks": (TEACHER,),
    "face_finder": (TEACHER,),
    "spotter": (
        "python benchmarks/spotting_measurements.py --part train --clips 120 --out runs/spotting_train",
        "python benchmarks/spotting_measurements.py --part train --kind severe --first 1000 --clips 90 "
        "--out runs/spotting_train",
        "python benchmarks/spotting_measurements.py --part validation --clips 40 --out runs/spotting_validation",
    ),
}
"""What must run before the training; the recipes say so too."""

NOT_ONE = {
    "expression": "No command of this version makes it. It came from eight trainings, one after the other; their "
    "recipes are at commit f87cb37. recipes/expression.toml trains another network of its kind, taught by this one.",
    "landmarks": "Two commands. The first labels the portraits with MediaPipe, in an environment of its own.",
    "face_finder": "Two commands. The first labels the portraits with MediaPipe, in an environment of its own.",
    "spotter": "Four commands. Three make and measure the films that the training reads.",
}
"""Networks that one command does not make anew, and why."""

HOURS = {
    "action_units": "half an hour on a processor, most of it for moving portraits",
    "dsticnn": "minutes on a processor",
    "fleeting": "minutes on a processor",
    "flow_svm": "minutes on a processor",
    "macro_to_micro": "minutes on a processor",
    "micro_flow": "half an hour to an hour on a processor",
}
"""How long the training takes, where somebody has said so; for all others it was not measured."""


@dataclass(frozen=True)
class Making:
    """How a shipped network is made.

    Attributes
    ----------
    name, sha256
        Of the network.
    commands
        To run one after the other; empty where no command makes it.
    hours, data
        In words.
    files
        Of the folder of data, and of ``runs/``, that its recipe names.
    why_not
        Why one command is not enough; empty where it is.
    """

    name: str
    sha256: str
    commands: tuple[str, ...]
    hours: str
    data: str
    files: tuple[str, ...]
    why_not: str


def makings(data: str = "../shared/data") -> list[Making]:
    """Return every shipped network, in alphabetical order."""
    return [_making(path, data) for path in sorted(WEIGHTS.glob("*.json"))]


def _making(path: Path, data: str) -> Making:
    name = path.stem
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    recipe = ROOT / "recipes" / f"{name}.toml"
    train = f"fleeting train recipes/{name}.toml --data {shlex.quote(data)} --out runs/rebuild/{name}"
    first = tuple(text.format(data=shlex.quote(data)) for text in FIRST.get(name, ()))
    return Making(
        name,
        str(card["sha256"]),
        () if "history" in card else (*first, train),
        HOURS.get(name, "not measured"),
        str(card["data"]),
        tuple(dict.fromkeys([*_files(tomllib.loads(recipe.read_text(encoding="utf-8"))), *_files(card)])),
        NOT_ONE.get(name, ""),
    )


def _files(recipe: dict[str, Any]) -> Iterator[str]:
    for key, value in recipe.items():
        if isinstance(value, dict):
            yield from _files(value)
        elif key in DATA_KEYS and isinstance(value, str) and re.fullmatch(r"runs/\w+|\w+\.\w+", value):
            yield value


def text(one: Making) -> str:
    """Return what is said of one network."""
    lines = [one.name, f"  SHA-256  {one.sha256}"]
    if one.why_not:
        lines.append(f"  NOT BY ONE COMMAND. {one.why_not}")
    lines += [f"  run      {command}" for command in one.commands]
    lines += [
        f"  takes    {one.hours}",
        f"  data     {one.data}",
        f"  files    {', '.join(one.files) or 'of the sets that are named'}",
    ]
    return "\n".join(lines)


def run(one: Making) -> int:
    """Run the commands of a network, and say whether the result is the shipped one; return the exit status."""
    if not one.commands:
        print(f"{one.name}: {one.why_not}", file=sys.stderr)
        return 1
    for command in one.commands:
        words = shlex.split(command)
        words = [sys.executable, *(["-m", "fleeting", *words[1:]] if words[0] == "fleeting" else words[1:])]
        print(f"== {command}", flush=True)
        if status := subprocess.run(words, cwd=ROOT, check=False).returncode:
            return status
    made = ROOT / "runs" / "rebuild" / one.name / f"{one.name}.onnx"
    same = hashlib.sha256(made.read_bytes()).hexdigest() == one.sha256
    print(f"{made}: {'the shipped network, byte for byte' if same else 'not byte for byte the shipped network'}")
    return 0


def main() -> int:
    """List all, or make one; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", metavar="NAME", choices=[one.name for one in makings()], help="make this network anew")
    parser.add_argument("--data", default="../shared/data", help="folder of the data sets; %(default)s")
    asked = parser.parse_args()
    known = {one.name: one for one in makings(asked.data)}
    if asked.run:
        return run(known[asked.run])
    print("\n\n".join(map(text, known.values())))
    rest = [name for name, one in known.items() if one.why_not]
    print(f"\n{len(known) - len(rest)} of {len(known)} by one command. Not: {', '.join(rest)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
