"""The command line: each command parses, calls one function, and prints."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; exit status 0 only if everything succeeded."""
    from fleeting.cli.app import app, run

    sys.exit(run(app))
