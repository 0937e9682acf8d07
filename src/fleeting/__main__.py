"""``python -m fleeting``."""

from fleeting.cli import main

main()
