"""``fleeting --help``: every command, in its group, on a line of its own that is not cut off."""

from __future__ import annotations

from typer.testing import CliRunner

from fleeting.cli.app import ALIASES, GROUPS, app


def test_every_command_is_listed_whole_under_its_group() -> None:
    page = CliRunner().invoke(app, ["--help"], terminal_width=80).output
    lines = page.splitlines()
    assert max(map(len, lines)) <= 80
    assert "..." not in page.split("Options:")[1]
    for heading, commands in GROUPS.items():
        place = lines.index(f"{heading}:")
        listed = [line.split() for line in lines[place + 1 : place + 1 + len(commands)]]
        assert [words[0] for words in listed] == list(commands)
        assert [" ".join(words[1:]) for words in listed] == [said for _, said in commands.values()]


def test_american_spellings_run_the_same_commands() -> None:
    for name in ALIASES:
        found = CliRunner().invoke(app, [name, "--help"])
        assert found.exit_code == 0
        assert f" {name} " not in CliRunner().invoke(app, ["--help"]).output
