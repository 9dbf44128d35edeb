"""What a verb is; the table of all verbs is :mod:`warmstart.cli.verbs`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

EXPLAIN = "explain"
TOGETHER = ("pretrain", "finetune")
"""Verbs that several processes do together, under ``torchrun``."""
EXPLAIN_SUMMARY = "what pretrain or finetune would do, in words; trains nothing"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a verb gets beside its settings: where it writes, whether it continues a run, what it shows and as what.

    Of ``explain``: how many processes are to be described, how they share the weights, and how fast each computes.
    """

    out: str = ""
    resume: bool | Literal["strict"] = False
    all: bool = False
    json: bool = False
    world: int | None = None
    parallel: str = "ddp"
    tflops: float | None = None


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
        trains: whether it makes a run folder: takes ``--out``, ``--resume`` and ``--strict``.
        explained: whether ``explain`` says what it would do.
        continues: whether, stopped and run again, it goes on where it was without being told to.
        computes: whether it runs a model: takes ``--device``.
    """

    name: str
    summary: str
    usage: str
    description: str
    example: str
    run: Callable[[Any, RunOptions], Any]
    trains: bool = False
    explained: bool = False
    continues: bool = False
    computes: bool = True

    @property
    def answers_sigterm(self) -> bool:
        """Whether SIGTERM ends it with words and an exit code of its own, since what is done is kept."""
        return (self.trains or self.continues) and not self.explains

    @property
    def base_name(self) -> str:
        """The verb whose settings it takes: ``explain`` takes those of the verb that it explains."""
        return self.name.removeprefix(f"{EXPLAIN} ")

    @property
    def explains(self) -> bool:
        """Whether it only says what another verb would do."""
        return self.name.startswith(EXPLAIN)
