"""``python -m warmstart``: the same as the command ``warmstart``."""

from warmstart.cli.main import entry

entry()
