"""Words of a command line come in, printed lines and an exit status go out.

`app` knows the commands, a module each: it parses, calls one function of `fleeting.api` or of a room, and prints. Start
with `app`, then with `analyse`.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; exit status 0 only if everything succeeded."""
    from fleeting.cli.app import app, run

    sys.exit(run(app))
