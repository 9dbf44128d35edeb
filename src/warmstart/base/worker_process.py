"""A module of this package run as a program of its own, which talks over its standard input and output.

Unlike the processes of ``multiprocessing`` it does not run the parent's own script again.
"""

import os
import subprocess
import sys
from pathlib import Path


def start_module(name: str, *arguments: str, group: int | None = None, **environment: str) -> "subprocess.Popen[bytes]":
    """Starts ``python -m name``, with pipes for its input and output.

    Args:
        name: of the module, with dots.
        arguments: what follows it.
        group: its group of processes; 0: one of its own, which Ctrl-C at the terminal does not reach. ``None``: ours.
        environment: variables that it has beside ours.
    """
    paths = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(  # noqa: S603  (our own module, our own arguments)
        [sys.executable, "-P", "-m", name, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": paths} | environment,
        process_group=group,
    )
