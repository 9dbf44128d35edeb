"""What a verb is; the table of all verbs is :mod:`warmstart.cli.verbs`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

EXPLAIN = "explain"
EXPLAIN_SUMMARY = "what pretrain or finetune would do, in words; trains nothing"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a verb gets beside its settings: where it writes, whether it continues a run, what it shows and as what."""

    out: str = ""
    resume: bool = False
    all: bool = False
    json: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    Attributes:
        name: as it is typed.
        summary: one line for the list of verbs.
        usage: the shortest useful command.
        description: what a person should know who reads only this.
        example: one worked example.
        run: settings and options → the result that ``--json`` shows.
        trains: whether it makes a run folder: takes ``--out`` and ``--resume``.
        explained: whether ``explain`` says what it would do.
    """

    name: str
    summary: str
    usage: str
    description: str
    example: str
    run: Callable[[Any, RunOptions], Any]
    trains: bool = False
    explained: bool = False

    @property
    def base_name(self) -> str:
        """The verb whose settings it takes: ``explain`` takes those of the verb that it explains."""
        return self.name.removeprefix(f"{EXPLAIN} ")

    @property
    def explains(self) -> bool:
        """Whether it only says what another verb would do."""
        return self.name.startswith(EXPLAIN)
