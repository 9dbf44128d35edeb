"""Ids and goals in words, for the dry run: what the descriptions of all answers share."""

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from warmstart.example.example import Example, Goal
from warmstart.tasks.parts import Account
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.vocabulary import Vocabulary

MAX_CHARACTERS = 400  # of the text of one Example that are shown: its beginning and its end


def quote_ids(ids: NDArray[Any], vocabulary: Vocabulary) -> str:
    """The text of some ids, special tokens included."""
    text = vocabulary.decode(ids, skip_special_tokens=False)
    if len(text) > MAX_CHARACTERS:
        text = f"{text[: MAX_CHARACTERS // 2]} … {text[-MAX_CHARACTERS // 2 :]}"
    return '"' + text.replace("\n", "⏎") + '"'


def label_text(number: int, names: Sequence[str]) -> str:
    """A class or choice, with its name where it has one."""
    return f"{number} ({names[number]})" if names else str(number)


def weight_text(weight: float, form: str = "g") -> str:
    """A weight, where it is not 1."""
    return "" if weight == 1 else f", weight {weight:{form}}"


def describe_one_read(example: Example, goal: Goal, vocabulary: Vocabulary, answer_text: Callable[[Any], str]) -> str:
    """Where a text is read as a whole, and what is learned there."""
    reads = ", ".join(f"{place} {quote_ids(example.ids[[place]], vocabulary)}" for place in goal.reads)
    if len(goal.targets) == 0:
        return f"reads token {reads} for the question asked above"
    weight = float(goal.weights[0])
    if weight == 0:
        return f"reads token {reads}, nothing is learned (no label)"
    return f"reads token {reads}, learns {answer_text(goal.targets[0])}{weight_text(weight)}"


def describe_every_token(goal: Goal, names: Sequence[str]) -> str:
    """A class that is asked for more and more, or read at all tokens together."""
    if len(goal.targets) == 0:
        return f"reads {len(goal.reads)} tokens for the question asked above"
    how = "together" if len(goal.targets) == 1 else f"with weights from {goal.weights[0]:g} to {goal.weights[-1]:g}"
    if not goal.weights.any():
        return f"reads {len(goal.reads)} tokens {how}, nothing is learned (no label)"
    return f"reads {len(goal.reads)} tokens {how}, learns {label_text(int(goal.targets[0]), names)}"


def windows_lines(account: Account, frame: FrameSettings) -> list[str]:
    """The line of the dry run about texts that are read in windows; none, where there are none."""
    if not account.windowed:
        return []
    apart = "half of a window" if frame.stride is None else f"{frame.stride} tokens"
    return [
        f"windows    {account.windowed:,} of {account.used:,} training texts are longer than {frame.context} tokens and are "
        f"read in {account.windows:,} windows, {apart} apart"
    ]


def long_texts_line(account: Account, what: str, limit: str) -> str:
    """The line of the dry run about texts that are too long."""
    share = account.cut / account.used
    return (
        f"cut        {account.cut:,} training {what} ({share:.1%}) are longer than {limit} tokens and lose "
        f"{account.tokens_cut:,} tokens in all (--long-text refuse would stop instead)"
    )
