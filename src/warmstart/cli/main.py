"""``warmstart VERB …``: which verb, and from failures to exit codes.

The top help and an unknown verb come at once: what a verb needs is imported only when it is named (docs/cli.md).
"""

import gc
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from warmstart.base.clock import begin_command
from warmstart.base.console import print_error
from warmstart.base.errors import BadInput, WarmstartError, unknown_name_error
from warmstart.base.imports import no_garbage_collection
from warmstart.base.native import set_native
from warmstart.base.signals import stop_at_once
from warmstart.cli.help import cached_help
from warmstart.cli.verb import EXPLAIN, EXPLAIN_SUMMARY, Verb
from warmstart.cli.verbs import EXPLAIN_HELP, VERBS, explaining

DONE, FAILED, INTERRUPTED = 0, 1, 130

_HELP = """\
usage: warmstart VERB [options]

Turns raw text and some labels into the best language model that the two can give, and shows by measurement
what the pre-training bought.

verbs:
{verbs}

example:
  warmstart pretrain --corpus books/ --out runs/books
  warmstart finetune --start runs/books --task classification --train train.jsonl --dev dev.jsonl --out runs/mine
  warmstart predict --run runs/mine --input new.jsonl --output predictions.jsonl

Every verb has its own help: warmstart pretrain --help. Every verb takes --recipe FILE.yaml and --set a.b=value.
exit codes: 0 done, 1 failed while running, 2 bad usage or bad input (nothing written), 75 stopped by SIGTERM and
saved, where there was something to save (run it again with --resume), 130 interrupted and saved
"""

_GROUP_HELP = """\
usage: warmstart {group} VERB [options]

verbs:
{verbs}

Each has its own help.
"""


def entry() -> None:
    """The console script."""
    begin_command()
    set_native()
    silence_libraries()
    code = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    gc.freeze()  # the interpreter would look through all libraries for garbage once more before it ends
    sys.exit(code)


def silence_libraries() -> None:
    """Keeps warnings of libraries to themselves, here and in worker processes; ``WARMSTART_LOG=debug`` shows them.

    They speak to whoever writes programs with these libraries. Python's own options (-W, PYTHONWARNINGS) count as ever.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # as without it, but no advice where a process is begun
    if os.environ.get("WARMSTART_LOG") != "debug" and not sys.warnoptions:
        warnings.simplefilter("ignore")
        os.environ["PYTHONWARNINGS"] = "ignore"


def main(argv: Sequence[str]) -> int:
    """Runs one command; returns its exit code and never raises."""
    try:
        return _main(list(argv))
    except WarmstartError as failure:
        if str(failure):  # else another process of the same training has said it
            print_error(f"warmstart: {failure}")
        return failure.exit_code
    except SystemExit as exit:  # argparse, after showing a verb's help
        return exit.code if isinstance(exit.code, int) else DONE
    except KeyboardInterrupt:
        print_error("warmstart: interrupted.")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output has closed it
        _drop_output()
        return DONE
    except Exception as failure:
        import traceback

        debug = os.environ.get("WARMSTART_LOG") == "debug"
        hint = "" if debug else "; WARMSTART_LOG=debug shows where"
        message = " ".join(str(failure).split()) or "no message"
        print_error(
            (traceback.format_exc() if debug else "") + f"warmstart: {type(failure).__name__}: {message}{hint}."
        )
        return FAILED


def _main(argv: list[str]) -> int:
    if argv in ([EXPLAIN, "-h"], [EXPLAIN, "--help"]):
        sys.stdout.write(EXPLAIN_HELP)
        return DONE
    if argv and argv[0] in ("-h", "--help"):
        sys.stdout.write(_HELP.format(verbs="\n".join(_verb_lines())))
        return DONE
    if argv and argv[0] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"warmstart {version('warmstart')}\n")
        return DONE
    if argv[1:] in (["-h"], ["--help"]) and _in_group(argv[0]):
        sys.stdout.write(_GROUP_HELP.format(group=argv[0], verbs="\n".join(_verb_lines(argv[0]))))
        return DONE
    verb, rest = _split_verb(argv)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would look for some in every installed package
    if rest in (["-h"], ["--help"]):
        sys.stdout.write(cached_help(verb.name, lambda: _make_help(verb)))
        return DONE
    with no_garbage_collection(), _stoppable(verb):
        from warmstart.cli.command import read_command

        command = read_command(verb, rest)
    command.run()
    return DONE


def _stoppable(verb: Verb) -> AbstractContextManager[None]:
    """Answers SIGTERM also while the words of a command that can go on are read; the command itself does so later."""
    if not verb.answers_sigterm:
        return nullcontext()
    return stop_at_once(lambda: f"{verb.name}: stopped by SIGTERM before it began: run the same command again.")


def _make_help(verb: Verb) -> str:
    with no_garbage_collection():
        from warmstart.cli.command import settings_class
        from warmstart.cli.parser import help_text

        return help_text(verb, settings_class(verb))


def _verb_names() -> list[str]:
    """First words of commands."""
    return list(dict.fromkeys([name.partition(" ")[0] for name in VERBS] + [EXPLAIN]))


def _verb_lines(group: str = "") -> list[str]:
    """The list of verbs; of those of a group, the ones whose first word it is."""
    summaries = {name: verb.summary for name, verb in VERBS.items()} | {EXPLAIN: EXPLAIN_SUMMARY}
    return [
        f"  {name:<18}{summary}" for name, summary in summaries.items() if not group or name.startswith(f"{group} ")
    ]


def _in_group(group: str) -> dict[str, Verb]:
    """Second word → verb, of the verbs that begin with the word ``group``."""
    return {name.partition(" ")[2]: verb for name, verb in VERBS.items() if name.startswith(f"{group} ")}


def _split_verb(argv: list[str]) -> tuple[Verb, list[str]]:
    """The verb and the words after it; ``explain`` stands before another verb."""
    if not argv:
        raise BadInput(
            "no verb", allowed=", ".join(_verb_names()), next_step="warmstart --help says what each of them does"
        )
    word, *rest = argv
    if word != EXPLAIN:
        return _second_word(word, rest) if _in_group(word) else (_known_verb(word, VERBS), rest)
    trained = {name: verb for name, verb in VERBS.items() if verb.explained}
    if not rest:
        raise BadInput(
            "no verb to explain", where=EXPLAIN, allowed=", ".join(trained),
            next_step=f"write for example: warmstart {EXPLAIN} finetune --start RUN …",
        )  # fmt: skip
    return explaining(_known_verb(rest[0], trained, EXPLAIN)), rest[1:]


def _second_word(group: str, rest: list[str]) -> tuple[Verb, list[str]]:
    verbs = _in_group(group)
    if not rest:
        raise BadInput(
            "no verb", where=group, allowed=", ".join(verbs), next_step=f"warmstart {group} --help says what each does"
        )
    return _known_verb(rest[0], verbs, group), rest[1:]


def _known_verb(word: str, verbs: dict[str, Verb], where: str = "") -> Verb:
    if word in verbs:
        return verbs[word]
    if word.startswith("-"):
        example = f"warmstart {where} {next(iter(verbs))} …" if where else "warmstart --help"
        raise BadInput("unknown option", where=where, value=word, next_step=f"the verb comes first: {example}")
    raise unknown_name_error("verb", word, _verb_names() if verbs is VERBS else verbs, where)


def _drop_output() -> None:
    """Sends what is still buffered nowhere, so that the interpreter does not stumble over it on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
