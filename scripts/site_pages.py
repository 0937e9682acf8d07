"""What the site adds to ``docs/`` when ``mkdocs build`` runs (a hook of MkDocs, see mkdocs.yml).

Pages made from elsewhere: the measured results (``figures/``), every command from the program itself
(``reference/commands.md``), the Python reference from docstrings (``reference/python.md``), and the files of the
repository's root. Links between files of the repository become links between pages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import fleeting
from fleeting.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
ROOT_PAGES = ("MODEL_CARD.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")


def place(path: str) -> str:
    """Return where a file of the repository lies in the site."""
    if path in ("README.md", "docs"):
        return "index.md"
    if path in (*ROOT_PAGES, "LICENSE"):
        return f"project/{path}"
    for folder, name in (("docs/", ""), ("benchmarks/results/", "figures/")):
        if path.startswith(folder):
            return name + path.removeprefix(folder)
    raise PluginError(f"a page of the site links to {path}, which the site does not have")


def relinked(text: str, source: str) -> str:
    """Return the text of a repository file with its links made links of the site."""
    home = os.path.dirname(place(source))

    def link(found: re.Match[str]) -> str:
        target = found[2]
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        path = os.path.normpath(os.path.join(os.path.dirname(source), target))
        return f"{found[1]}{os.path.relpath(place(path), home or '.')}{found[3]}"

    return LINK.sub(link, text)


def _cell(text: Any) -> str:
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _options(command: Any) -> Iterator[str]:
    context = command.make_context(command.name, [], resilient_parsing=True)
    for option in command.params:
        if getattr(option, "hidden", False) or option.name == "help":
            continue
        names = ", ".join([*option.opts, *option.secondary_opts])
        if option.param_type_name == "argument":
            names = option.metavar or option.name.upper()
        default = option.get_default(context)
        shown = "" if default in (None, (), []) or callable(default) else f"`{_cell(default)}`"
        yield f"| `{names}` | {shown} | {_cell(getattr(option, 'help', '') or '')} |"


def commands() -> str:
    """Return a page of all commands with their options, from the program itself."""
    text = ["# Commands", "", "For everyone. Each command as `fleeting COMMAND --help` tells it.", ""]
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        if command.hidden:
            continue
        told, _, example = re.sub(r"[\b\f]", "", command.help).partition("Example:")
        text += [f"## {name}", "", told.strip(), "", "```console", " ".join(example.split()), "```", ""]
        text += ["| option | default | meaning |", "|---|---|---|", *_options(command), ""]
    return "\n".join(text)


def python() -> str:
    """Return the page of the Python reference; mkdocstrings fills it from the docstrings."""
    text = ["# Python reference", "", "For engineers. All public names, from their docstrings.", ""]
    for name in fleeting.__all__:
        home = getattr(fleeting, name)
        text += [f"::: {home.__module__}.{name}", ""]
    return "\n".join(text)


def figures() -> str:
    """Return a page that lists the measured results with their titles."""
    text = [
        "# Results",
        "",
        "For everyone who asks how good it is. Each table was written by the command that it names.",
        "",
    ]
    for path in sorted(RESULTS.glob("*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        text.append(f"- [{title}]({path.name})")
    return "\n".join([*text, ""])


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in ``docs/``."""
    made = {"reference/commands.md": commands(), "reference/python.md": python(), "figures/index.md": figures()}
    for path in [*(ROOT / name for name in ROOT_PAGES), *RESULTS.glob("*.md")]:
        source = path.relative_to(ROOT).as_posix()
        made[place(source)] = relinked(path.read_text(encoding="utf-8"), source)
    for where, text in made.items():
        files.append(File.generated(config, where, content=text))
    for path in [*RESULTS.glob("*.png"), *RESULTS.glob("*.json"), ROOT / "LICENSE"]:
        files.append(File.generated(config, place(path.relative_to(ROOT).as_posix()), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links between files of the repository links between pages, on the pages of ``docs/``."""
    return markdown if page.file.generated_by else relinked(markdown, f"docs/{page.file.src_uri}")
