"""Write MODEL_CARD.md from the cards beside the shipped networks: ``python scripts/model_card.py``.

``--check`` writes nothing and returns 1 where the file is out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "src" / "fleeting" / "weights"

HEAD = """\
# Model card

The networks that Fleeting ships, all of them trained by this project. Written by `python scripts/model_card.py` from
the cards beside the networks (`src/fleeting/weights/*.json`); do not edit by hand.

```python
from fleeting import weights

for name in weights.names():
    print(name, weights.card(name)["scores"]["protocol"])
```

## What they are for

Measuring brief facial movements in a video of a person who agreed to it: research, teaching, self-observation, and as a
first pass for a trained coder who looks at every event.

**Not for** telling lies from truth, judging what a person feels or thinks, choosing or grading people, or watching them
without their knowledge. A movement of the face is not an emotion, and an emotion is not a reason. In the European
Union, systems that infer emotions at the workplace and in education are prohibited except for medical or safety reasons
(Regulation (EU) 2024/1689, article 5(1)(f)).

**Who is missing.** The training data are mostly adults in public life and the participants of two laboratories. How the
error differs by age, skin colour, sex or disability was not measured: the data carry no such labels. Expect it to
differ.

Networks are opened by ONNX Runtime after their SHA-256 was compared with the card; nothing is loaded from pickles, and
nothing is downloaded.
"""


def cards() -> dict[str, dict[str, Any]]:
    """Card of every shipped network by name."""
    return {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in sorted(WEIGHTS.glob("*.json"))}


def number(value: Any) -> str:
    """Return a value for a table: numbers with at most four significant digits, lists joined."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(number(v) for v in value)
    return str(value)


def flat(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of nested dictionaries, each with its path in words; matrices become one row a line."""
    for key, value in values.items():
        name = f"{path} {key.replace('_', ' ')}".strip()
        if isinstance(value, dict):
            yield from flat(value, name)
        elif isinstance(value, list) and value and isinstance(value[0], list):
            yield name, "; ".join(number(row) for row in value)
        elif value is not None:
            yield name, number(value)


def _people(card: dict[str, Any]) -> str:
    subjects = card["subjects"]
    if isinstance(subjects, dict):
        return ", ".join(f"{name} {count}" for name, count in subjects.items())
    return f"{len(subjects)}, named in the card"


def _sentences(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def network(name: str, card: dict[str, Any]) -> str:
    """Section of one network."""
    size = (WEIGHTS / f"{name}.onnx").stat().st_size
    scores = {k: v for k, v in card["scores"].items() if k not in ("protocol", "looked_at")}
    rows = [
        ("file", f"`{name}.onnx`, {size / 1e6:.2f} MB, SHA-256 `{card['sha256'][:16]}…`, version {card['version']}"),
        ("data", _sentences(card["data"])),
        ("people", _people(card)),
        ("preprocessing", card["preprocessing"]),
        ("labels", ", ".join(card["labels"])),
        ("recipe", f"`{card['recipe'] if isinstance(card['recipe'], str) else f'recipes/{name}.toml'}`"),
        ("command", f"`{card['command']}`"),
        ("licence", card["licence"]),
    ]
    if "begins_with" in card:
        rows.insert(2, ("begins with", card["begins_with"]))
    if "history" in card:
        rows.insert(-1, ("history", card["history"]))
    if "unsure" in card:
        rows.insert(-3, ("unsure", f"below a probability of {card['unsure']['threshold']}"))
    lines = [f"## {name}", "", f"Task: {card['task']}.", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in rows]
    lines += [
        "",
        f"**Limits.** {_sentences(card['limits'])}",
        "",
        f"**Scores.** Protocol: {card['scores']['protocol']}.",
    ]
    if "looked_at" in card["scores"]:
        lines += ["", f"How it was arrived at: {card['scores']['looked_at']}"]
    lines += ["", "| score | value |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in flat(scores)]
    return "\n".join(lines) + "\n"


def model_card() -> str:
    """Text of MODEL_CARD.md."""
    return "\n".join([HEAD, *(network(name, card) for name, card in cards().items())])


def main() -> int:
    """Write the file, or check it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; return 1 where the file is out of date")
    check = parser.parse_args().check
    path, text = ROOT / "MODEL_CARD.md", model_card()
    stale = not path.exists() or path.read_text(encoding="utf-8") != text
    if stale and not check:
        path.write_text(text, encoding="utf-8")
    if stale:
        print(f"{path.name}: {'out of date' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
