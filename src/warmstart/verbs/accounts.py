"""What was cut of the texts, and what could not be read, in words."""

from collections.abc import Mapping

from warmstart.tasks.framing import Account
from warmstart.tasks.spec import TaskSpec


def cut_in_words(spec: TaskSpec, account: Account) -> list[str]:
    """Nothing, where every text was read whole."""
    lines = []
    if account.cut and spec.kind == "seq2seq":
        lines.append(
            f"{account.cut:,} of {account.used:,} pairs were cut to their limits, {account.targets_cut:,} targets"
        )
    elif account.cut:
        what = "questions were cut to half of" if spec.kind == "span" else "texts were cut to"
        lines.append(f"{account.cut:,} of {account.used:,} {what} {spec.frame.context} tokens")
    return lines + unread_in_words(spec, account)


def unread_in_words(spec: TaskSpec, account: Account) -> list[str]:
    """Nothing, where every word and answer has a token to be read at."""
    if not account.unread:
        return []
    if spec.kind == "span":
        return [f"{account.unread:,} answers stand whole in no window, so that they can be neither learned nor found"]
    return [f"{account.unread:,} words have no token, or were cut away; each gets the tag {spec.tags.unread!r}"]


def signatures_in_words(signatures: Mapping[str, str]) -> list[str]:
    """How each metric of texts was computed."""
    return [f"{name}: {signature}" for name, signature in signatures.items() if signature]
