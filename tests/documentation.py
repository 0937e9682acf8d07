"""What the documentation contains: fenced blocks, commands, links, tables."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES: tuple[Path, ...] = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
SHELL = frozenset({"", "console", "bash", "sh"})
PROGRAMS = ("fleeting", "python", "pip", "scripts/", ".venv/", "ruff", "mypy", "pytest")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the word after the fence, its text."""

    page: str
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command line of a page, in words; ``fenced`` where a reader is meant to copy it whole."""

    page: str
    words: tuple[str, ...]
    fenced: bool

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [Block(name_of(page), language, text) for language, text in found]


def prose(page: Path) -> str:
    """Text without fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def _is_command(line: str) -> bool:
    first = line.split(" ")[0]
    return any(first == p or (p.endswith("/") and first.startswith(p)) for p in PROGRAMS)


def commands(page: Path) -> list[Command]:
    """All command lines of fenced blocks, then those of inline code."""
    found = []
    for block in blocks(page):
        if block.language not in SHELL:
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            # A block without a language may be a drawing; one that is called a console holds commands only.
            if line.strip() and not line.startswith("#") and (block.language or _is_command(line)):
                found.append(Command(block.page, tuple(shlex.split(line, comments=True)), True))
    for code in re.findall(r"`([^`]+)`", prose(page)):
        line = " ".join(code.split())
        if _is_command(line) and " " in line:
            found.append(Command(name_of(page), tuple(shlex.split(line)), False))
    return found


def links(page: Path) -> list[str]:
    """Targets of all links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """Anchors of all headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", h).lower()) for h in headings)
    return {h.replace(" ", "-") for h in plain}


def table_rows(page: Path, head: str) -> list[list[str]]:
    """Cells of all tables whose first heading is `head`."""
    rows: list[list[str]] = []
    inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [c.strip() for c in line.strip("|").split("|")]
        if cells[0] == head:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            rows.append(cells)
    return rows


def load_script(name: str) -> Any:
    """Return ``scripts/NAME.py`` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
