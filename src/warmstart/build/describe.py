"""Examples in words: the tokens as a reader sees them, what each goal reads there, and which tokens are learned.

Shown before every training run and by ``explain``, so that a wrong frame is seen before an hour is spent on it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.example.example import LM, NEXT_VECTOR, Example, Goal
from warmstart.tasks.vocabulary import Vocabulary

WIDEST = 400  # characters of text shown of one Example: its beginning and its end
MOST = 12  # words shown with their tags


def describe(examples: Sequence[Example], tokenizer: Vocabulary, label_names: Sequence[str] = ()) -> list[str]:
    """Lines about the Examples of one Record.

    Args:
        examples: of one Record (or a single pre-training Example).
        tokenizer: that the ids come from.
        label_names: class or label number → name, where the task has names.

    Returns:
        For each Example its text, then one line per goal.
    """
    lines = []
    for number, example in enumerate(examples, start=1):
        of = f" ({number} of {len(examples)} that belong together)" if len(examples) > 1 else ""
        lines.append(f"{len(example)} tokens{of}, {_sight(example)}: {_shown(example.ids, tokenizer)}")
        for name, goal in example.goals.items():
            if name in (LM, NEXT_VECTOR):
                said = _next_tokens(example, goal, tokenizer)
            else:
                said = _SAID.get(name, _answer)(example, name, goal, tokenizer, label_names)
            lines.append(f"  {name}: {said}")
    return lines


def _sight(example: Example) -> str:
    if not example.turns.any():
        return "each sees all" if len(example) > 1 else "alone"
    if np.array_equal(example.turns[::-1], np.arange(len(example))):
        return "read from the end, each sees what comes after"
    return "each sees what came before" if np.array_equal(example.turns, np.arange(len(example))) else "sight by turns"


def _shown(ids: NDArray[Any], tokenizer: Vocabulary) -> str:
    return _quoted(tokenizer.decode(ids, skip_special_tokens=False))


def _quoted(text: str) -> str:
    if len(text) > WIDEST:
        text = f"{text[: WIDEST // 2]} … {text[-WIDEST // 2 :]}"
    return '"' + text.replace("\n", "⏎") + '"'


def _next_tokens(example: Example, goal: Goal, tokenizer: Vocabulary) -> str:
    """How many tokens are learned, which, where not all of them are, and whether they come next or stood there."""
    learned = goal.weights > 0
    count = int(learned.sum())
    if count == 0:
        return "nothing is learned"
    first, last = goal.reads[learned][[0, -1]]
    targets = goal.targets[learned][:: 1 if first <= last else -1]  # in the order of the text
    total = f", weight {goal.weights.sum():g} in all" if not np.all(goal.weights[learned] == 1) else ""
    return (
        f"reads {count} places from {first} to {last}, learns the token {_where(example, goal)} each{total}: "
        f"{_shown(targets, tokenizer)}"
    )


def _where(example: Example, goal: Goal) -> str:
    step = -1 if example.turns[0] > example.turns[-1] else 1
    inside = (goal.reads + step >= 0) & (goal.reads + step < len(example))
    if not np.array_equal(example.ids[goal.reads[inside] + step], goal.targets[inside]):
        return "at"
    return "after" if step == 1 else "before"


def _answer(example: Example, name: str, goal: Goal, tokenizer: Vocabulary, names: Sequence[str]) -> str:
    """Where a task's question is read and what the right answer is."""
    if len(goal.reads) > 1:
        return _at_every_token(goal, names)
    reads = ", ".join(f"{place} {_shown(example.ids[[place]], tokenizer)}" for place in goal.reads)
    if len(goal.targets) == 0:
        return f"reads token {reads} for the question asked above"
    target, weight = goal.targets[0], float(goal.weights[0])
    if weight == 0:
        return f"reads token {reads}, nothing is learned (no label)"
    if name == "labels":
        marked = np.flatnonzero(target)
        answer = ", ".join(_named(int(k), names) for k in marked) or "none"
    else:
        answer = f"{float(target):g}" if name == "score" else _named(int(target), names)
    return f"reads token {reads}, learns {answer}" + ("" if weight == 1 else f", weight {weight:g}")


def _at_every_token(goal: Goal, names: Sequence[str]) -> str:
    """A class that is asked for more and more, or read at all tokens together."""
    if len(goal.targets) == 0:
        return f"reads {len(goal.reads)} tokens for the question asked above"
    how = "together" if len(goal.targets) == 1 else f"with weights from {goal.weights[0]:g} to {goal.weights[-1]:g}"
    if not goal.weights.any():
        return f"reads {len(goal.reads)} tokens {how}, nothing is learned (no label)"
    return f"reads {len(goal.reads)} tokens {how}, learns {_named(int(goal.targets[0]), names)}"


def _tags(example: Example, name: str, goal: Goal, tokenizer: Vocabulary, names: Sequence[str]) -> str:
    """Which tokens are read for a tag, and which tag is learned there."""
    pairs = [
        f"{place} {_shown(example.ids[[place]], tokenizer)} {names[int(target)]}"
        for place, target in zip(goal.reads.tolist(), goal.targets.tolist(), strict=True)
    ]
    shown = ", ".join(pairs[:MOST]) + " …" * (len(pairs) > MOST)
    learns = "learns" if goal.weights.any() else "nothing is learned (no tags);"
    return f"reads {len(pairs)} words at their first token, {learns} {shown}"


def _span(example: Example, name: str, goal: Goal, tokenizer: Vocabulary, names: Sequence[str]) -> str:
    """Where an answer may be, and which one is learned."""
    head = (
        f"reads {len(goal.reads) - 1} tokens of the context, and {goal.reads[0]} "
        f"{_shown(example.ids[goal.reads[:1]], tokenizer)} for no answer"
    )
    weight = float(goal.weights[0])
    if weight == 0:
        return f"{head}; nothing is learned (no answer is known here)"
    first, last = (int(goal.reads[place]) for place in goal.targets[0])
    if not goal.targets[0].any():
        what = "that there is none here"
    else:
        what = f"the answer from {first} to {last} {_shown(example.ids[first : last + 1], tokenizer)}"
    return f"{head}; learns {what}" + ("" if weight == 1 else f", weight {weight:.3g}")


_SAID = {"tags": _tags, "span": _span}


def _named(number: int, names: Sequence[str]) -> str:
    return f"{number} ({names[number]})" if names else str(number)
