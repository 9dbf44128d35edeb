"""From the words after a verb to flags and their values; nothing is read by type yet.

argparse splits the words and prints the help. Its errors become the one sentence that every other error is.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from warmstart.base.errors import BadInput, suggest
from warmstart.base.settings import Settings
from warmstart.cli.verb import TOGETHER, Verb
from warmstart.config.flags import Flag, flags_of
from warmstart.config.foreign_names import foreign_name_error

_IGNORED = "ignored here; accepted so that a command can be explained as it is"
_ARGPARSE_ERROR = re.compile(r"argument ([^:]+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ParsedArguments:
    """The values of the flags by name, as they were typed, and of the options of every verb."""

    flags: dict[str, Any]
    recipe: str | None = None
    sets: list[str] = field(default_factory=list)
    out: str | None = None
    resume: bool = False
    strict: bool = False
    all: bool = False
    json: bool = False
    quiet: bool = False
    device: str | None = None
    parallel: str | None = None
    world: int | None = None
    tflops: float | None = None

    @property
    def resume_how(self) -> bool | Literal["strict"]:
        """Whether a run goes on, and whether from its newest checkpoint only."""
        return "strict" if self.strict else self.resume


def parse(verb: Verb, kind: type[Settings], argv: Sequence[str]) -> ParsedArguments:
    """Splits the words after a verb with the settings ``kind``.

    Raises:
        BadInput: an unknown option, an option without its value, a word that belongs to no option.
        SystemExit: after ``--help`` was shown.
    """
    parser = build_parser(verb, kind)
    found, rest = parser.parse_known_intermixed_args(list(argv))
    if rest:
        raise _unexpected_word(verb, kind, parser, rest)
    values = vars(found)
    flags = {flag.name: values.pop(flag.name) for flag in flags_of(kind) if flag.name in values}
    return ParsedArguments(flags, **values)


def help_text(verb: Verb, kind: type[Settings]) -> str:
    """What ``--help`` shows of a verb with the settings ``kind``."""
    return build_parser(verb, kind).format_help()


class _Parser(argparse.ArgumentParser):
    """argparse that raises instead of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        match = _ARGPARSE_ERROR.fullmatch(message)
        where, what = match.groups() if match else (self.prog, message)
        what = "takes no value" if what.startswith("ignored explicit argument") else what
        raise BadInput(what, where=where, next_step=f"{self.prog} --help lists the options and their values")


class _JoinValues(argparse.Action):
    """A flag that is given several times has several values: paths, or tasks."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        before = getattr(namespace, self.dest, None)
        setattr(namespace, self.dest, values if before is None else f"{before},{values}")


def _unexpected_word(
    verb: Verb, kind: type[Settings], parser: argparse.ArgumentParser, rest: Sequence[str]
) -> BadInput:
    where, step = verb.name, f"{parser.prog} --help lists the options"
    word = next((word for word in rest if word.startswith("-") and word != "-"), "").partition("=")[0]
    if not word:
        return BadInput("a word that belongs to no option", where=where, value=rest[0], next_step=step)
    foreign = foreign_name_error(word, kind, known=parser._option_string_actions)
    hint = suggest(word, parser._option_string_actions)
    return foreign or BadInput("unknown option", where=where, value=word, next_step=f"{hint} {step}".strip())


def build_parser(verb: Verb, kind: type[Settings]) -> argparse.ArgumentParser:
    """The parser of a verb with the settings ``kind``."""
    parser = _Parser(
        prog=f"warmstart {verb.name}",
        usage=f"warmstart {verb.name} {verb.usage}",
        description=verb.description,
        epilog=f"example:\n  {verb.example}",
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=30, width=110),
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    if verb.trains:
        run = parser.add_argument_group("Run")
        out, resume = "folder of the run, to be created (required)", "continue the run that stopped there"
        run.add_argument("--out", metavar="RUN", help=_IGNORED if verb.explains else out)
        run.add_argument("--resume", action="store_true", help=_IGNORED if verb.explains else resume)
        strict = "with --resume: refuse a damaged newest checkpoint (default: say so and go on from the one before)"
        run.add_argument("--strict", action="store_true", help=_IGNORED if verb.explains else strict)
        if verb.base_name in TOGETHER:
            run.add_argument(
                "--parallel", metavar="WAY", choices=("ddp", "fsdp"),
                help="under torchrun: ddp: each process has all weights; fsdp: a part of them (default: ddp)",
            )  # fmt: skip
    if verb.explains:
        run.add_argument("--all", action="store_true", help="all settings, those that are as by default too")
        run.add_argument(
            "--world", metavar="N", type=_positive(int), help="memory and time of N processes as well (docs/scale.md)"
        )
        run.add_argument(
            "--tflops",
            metavar="T",
            type=_positive(float),
            help="with --world: what a device computes (default: measured)",
        )
    groups: dict[str, Any] = {}
    for flag in flags_of(kind):
        group = groups.get(flag.title) or groups.setdefault(flag.title, parser.add_argument_group(flag.title))
        group.add_argument(flag.name, help=flag.help.replace("%", "%%"), **_argparse_form(flag))
    more = parser.add_argument_group("Every verb")
    more.add_argument("--recipe", metavar="FILE.yaml", help="file with any of the above by field; flags win over it")
    more.add_argument(
        "--set", metavar="A.B=VALUE", action="append", dest="sets",
        help="any field by its path; wins over flags; may be repeated",
    )  # fmt: skip
    if verb.computes:
        devices = "cpu, cuda, cuda:1, mps, xpu (default: cuda where there is one)"
        more.add_argument("--device", metavar="DEVICE", help=f"where to compute: {devices}")
    more.add_argument("--json", action="store_true", help="one JSON object on standard output, nothing else there")
    more.add_argument("--quiet", action="store_true", help="no words and no progress on standard error")
    return parser


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    """Reads a number above 0."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = kind("0")
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"got {text!r}; allowed: a number above 0")
        return value

    return read


def _argparse_form(flag: Flag) -> dict[str, Any]:
    """How argparse takes the words of a flag."""
    if not flag.name.startswith("-"):
        return {"nargs": "*" if flag.option.many else "?", "metavar": flag.name}
    if flag.is_switch:
        return {"action": "store_const", "const": True, "dest": flag.name}
    many: dict[str, Any] = {"nargs": "+", "action": "extend"} if flag.option.many is True else {}
    if not many and flag.option.joins_values:
        many = {"action": _JoinValues}
    return many | {"metavar": flag.option.metavar, "dest": flag.name}
