"""The command line: `plackett --help`."""

from plackett.cli.program import app, main

__all__ = ["app", "main"]
