"""Keywords of Python as flags: ``batch_size=8`` is ``--batch-size 8``."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from warmstart.base.errors import BadInput, nearest_name, suggest
from warmstart.base.settings import Settings
from warmstart.config.flags import flags_of
from warmstart.config.foreign_names import OURS, foreign_keyword_error


def flags_of_keywords(kind: type[Settings], keywords: Mapping[str, Any], known: Collection[str] = ()) -> dict[str, Any]:
    """The flags that some keywords are, with their values.

    Args:
        kind: the settings class of a verb.
        keywords: name → value.
        known: flags that the caller takes beside those of ``kind``; for errors only.

    Raises:
        BadInput: a keyword that is no flag of this verb; names the one that is meant, not all of them.
    """
    check_keywords(kind, keywords, known)
    return {_flag(name): value for name, value in keywords.items()}


def check_keywords(kind: type[Settings], names: Iterable[str], known: Collection[str] = ()) -> None:
    """Refuses a keyword that is no flag, as :func:`flags_of_keywords` does."""
    flags = [flag.name for flag in flags_of(kind) if flag.name.startswith("-")]
    for name in names:
        if _flag(name) in flags:
            continue
        near = suggest(name, [flag.strip("-").replace("-", "_") for flag in (*flags, *known)])
        theirs = name if near else nearest_name(name, OURS) or name  # a slip in another library's word
        raise foreign_keyword_error(name, theirs, kind, known=known) or BadInput(
            "unknown keyword", value=name, allowed="the flags of the command, without dashes (--batch-size: batch_size)",
            next_step=near or "warmstart VERB --help lists them",
        )  # fmt: skip


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
