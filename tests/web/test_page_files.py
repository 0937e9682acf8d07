"""The page's files: one look with the report, keys that the documentation lists, nothing from elsewhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "src" / "fleeting" / "web" / "static"
CHECKS = Path(__file__).parent / "page"


def rows_of_keys() -> list[tuple[str, str]]:
    """What each action does and its keys, from `keys.js`."""
    text = (STATIC / "keys.js").read_text(encoding="utf-8")
    table = re.search(r"export const KEYS = (\[.*?\n\]);", text, re.DOTALL)
    assert table
    values = json.loads(re.sub(r",(\s*\])", r"\1", table.group(1)))
    return [(what, " or ".join(f"`{key}`" for key in keys)) for _, _, what, keys in values]


def test_the_documentation_lists_every_key() -> None:
    text = (ROOT / "docs" / "how-to" / "workbench.md").read_text(encoding="utf-8")
    listed = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines()]
    for what, keys in rows_of_keys():
        assert (keys, what) in listed, f"docs/how-to/workbench.md lacks the row: | {keys} | {what} |"


def test_no_key_does_two_things() -> None:
    keys = [key for _, keys in rows_of_keys() for key in keys.split(" or ")]
    assert len(keys) == len(set(keys))


def test_the_colours_are_those_of_the_report() -> None:
    report = (STATIC.parents[1] / "report" / "report.css").read_text(encoding="utf-8")
    page = (STATIC / "workbench.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w+)", part.split("@media print")[0]))
        for part in report.split("@media (prefers-color-scheme: dark)", 1)
    )
    ours = {name: pair for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", page)}
    assert ours == {name: [value, dark[name]] for name, value in light.items()}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.sources += [v for k, v in attrs if k in ("src", "href") and v and not v.startswith("#")]
        self.inline += [tag for k, _ in attrs if k == "style" or k.startswith("on")]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in values) else []


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """Every file that is asked for is there, none names another host, and no script or style is inline."""
    page = _Page()
    page.feed((STATIC / "index.html").read_text(encoding="utf-8"))
    assert page.inline == []
    assert page.sources
    for source in page.sources:
        assert (STATIC / source.removeprefix("/static/")).is_file(), source
    for path in STATIC.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r'^import .*? from "(.*?)";$', text, re.MULTILINE):
            assert (STATIC / name).is_file(), f"{path.name}: {name}"
        hosts = set(re.findall(r"https?://[\w.-]+", text)) - {"http://www.w3.org"}  # the name of SVG
        assert not hosts, f"{path.name}: {hosts}"
        assert "innerHTML" not in text, f"{path.name} makes markup from text"


def test_no_script_is_too_long_to_be_read() -> None:
    long = {p.name: n for p in STATIC.glob("*.js") if (n := len(p.read_text(encoding="utf-8").splitlines())) > 350}
    assert not long


@pytest.mark.skipif(
    shutil.which("npx") is None or not (CHECKS / "node_modules").is_dir(),
    reason="no TypeScript; scripts/test-page brings it where npm is",
)
def test_the_types_of_the_scripts_are_right() -> None:
    done = subprocess.run(
        ["npx", "--no-install", "tsc", "-p", "."], cwd=CHECKS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
