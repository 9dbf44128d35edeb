"""``warmstart VERB …``: the words after it to a recipe, the recipe to the verb, failures to exit codes.

Help and errors that can be told early come without importing any of the libraries that a verb needs (docs/cli.md).
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from warmstart.base.console import print_error, print_json, set_quiet
from warmstart.base.errors import BadInput, WarmstartError, unknown_name_error
from warmstart.base.threads import spin_briefly
from warmstart.cli.checks import check_recipe_paths, check_typed_paths, check_words
from warmstart.cli.parser import Typed, parse
from warmstart.cli.show import show
from warmstart.cli.verbs import EXPLAIN, EXPLAIN_DOES, VERBS, Asked, Verb, explaining, settings_of

if TYPE_CHECKING:
    from warmstart.base.settings import Settings

DONE, FAILED, INTERRUPTED = 0, 1, 130

_HELP = """\
usage: warmstart VERB [options]

Turns raw text and some labels into the best language model that the two can give, and shows by measurement
what the pre-training bought.

verbs:
{verbs}

example:
  warmstart pretrain --corpus books/ --model gpt1-mini --out runs/books
  warmstart finetune --start runs/books --task classification --train train.jsonl --dev dev.jsonl --out runs/mine
  warmstart predict --run runs/mine --input new.jsonl --output predictions.jsonl

Every verb has its own help: warmstart pretrain --help. Every verb takes --recipe FILE.yaml and --set a.b=value.
exit codes: 0 done, 1 failed while running, 2 bad usage or bad input (nothing written), 75 stopped by SIGTERM and
saved (run it again with --resume), 130 interrupted and saved
"""


def entry() -> None:
    """The console script."""
    spin_briefly()
    code = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    sys.exit(code)


def main(argv: Sequence[str]) -> int:
    """Runs one command; returns its exit code and never raises."""
    try:
        return _main(list(argv))
    except WarmstartError as failure:
        print_error(f"warmstart: {failure}")
        return failure.exit_code
    except SystemExit as leaving:  # argparse, after showing a verb's help
        return leaving.code if isinstance(leaving.code, int) else DONE
    except KeyboardInterrupt:
        print_error("warmstart: interrupted.")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        _drop_output()
        return DONE
    except Exception as failure:
        import traceback

        debug = os.environ.get("WARMSTART_LOG") == "debug"
        hint = "" if debug else "; WARMSTART_LOG=debug shows where"
        said = " ".join(str(failure).split()) or "no message"
        print_error((traceback.format_exc() if debug else "") + f"warmstart: {type(failure).__name__}: {said}{hint}.")
        return FAILED


def _main(argv: list[str]) -> int:
    if argv and (argv[0] in ("-h", "--help") or argv in ([EXPLAIN, "-h"], [EXPLAIN, "--help"])):
        sys.stdout.write(_HELP.format(verbs="\n".join(_lines())))
        return DONE
    if argv and argv[0] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"warmstart {version('warmstart')}\n")
        return DONE
    verb, rest = _verb(argv)
    return _run(verb, rest)


def _names() -> list[str]:
    return [*VERBS, EXPLAIN]


def _lines() -> list[str]:
    does = {name: verb.does for name, verb in VERBS.items()} | {EXPLAIN: EXPLAIN_DOES}
    return [f"  {name:<10}{words}" for name, words in does.items()]


def _verb(argv: list[str]) -> tuple[Verb, list[str]]:
    """The verb and the words after it; ``explain`` stands before another verb."""
    if not argv:
        raise BadInput("no verb", allowed=", ".join(_names()), next_step="warmstart --help shows what each does")
    word, *rest = argv
    if word != EXPLAIN:
        return _known(word, VERBS), rest
    trained = {name: verb for name, verb in VERBS.items() if verb.trains}
    if not rest:
        raise BadInput(
            "explain what", where=EXPLAIN, allowed=", ".join(trained),
            next_step=f"write for example: warmstart {EXPLAIN} finetune --start RUN …",
        )  # fmt: skip
    return explaining(_known(rest[0], trained, EXPLAIN)), rest[1:]


def _known(word: str, verbs: dict[str, Verb], where: str = "") -> Verb:
    if word in verbs:
        return verbs[word]
    if word.startswith("-"):
        raise BadInput("unknown option", where=where, value=word, next_step="the verb comes first: warmstart --help")
    raise unknown_name_error("verb", word, _names() if verbs is VERBS else verbs, where)


def _run(verb: Verb, argv: list[str]) -> int:
    typed = parse(verb, argv)
    set_quiet(typed.quiet)
    check_typed_paths(verb.table, typed.flags, typed.recipe)
    recipe = _recipe(verb, typed)
    if verb.trains and not verb.explains and typed.out is None:
        raise BadInput("missing", where="--out", allowed="a folder that is new or empty", next_step="give --out RUN")
    result = verb.run(recipe, Asked(typed.out or "", typed.resume))
    if typed.json:
        print_json(result)
    else:
        show(verb, result)
    return DONE


def _recipe(verb: Verb, typed: Typed) -> "Settings":
    """The settings that were asked for, checked as far as that goes in a moment."""
    from warmstart.config.load import compose

    recipe = compose(settings_of(verb.table), recipe=typed.recipe, flags=typed.flags, sets=typed.sets)
    check_recipe_paths(verb.table, recipe)
    check_words(verb.table, recipe)
    if typed.json and getattr(recipe, "output", "") == "-":
        raise BadInput(
            "--json and --output - both want standard output", where="--output", value="-", allowed="a file",
            next_step="leave --json out, or name a file",
        )  # fmt: skip
    return recipe


def _drop_output() -> None:
    """Sends what is still buffered nowhere, so that the interpreter does not stumble over it on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
