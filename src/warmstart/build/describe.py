"""Examples in words: the tokens as a reader sees them, what each goal reads there, and which tokens are learned.

Shown before every training run and by ``explain``, so that a wrong frame is seen before an hour is spent on it.
"""

from collections.abc import Sequence

import numpy as np

from warmstart.example.example import NEXT_GOALS, PAIRS, SOFT, Example, Goal
from warmstart.tasks.answer import Answer
from warmstart.tasks.describe import quote_ids
from warmstart.tasks.embedding_answer import EMBEDDING
from warmstart.tasks.vocabulary import Vocabulary

MOST_SHOWN = 12
"""Numbers of a teacher's answer that are shown."""
_OTHERS: dict[str, Answer] = {PAIRS: EMBEDDING}
"""Goal that is no task's own → what answers it."""


def describe(
    examples: Sequence[Example], vocabulary: Vocabulary, answer: Answer | None = None, label_names: Sequence[str] = ()
) -> list[str]:
    """Lines about the Examples of one Record.

    Args:
        examples: of one Record (or a single pre-training Example).
        vocabulary: that the ids come from.
        answer: of the task; ``None`` for pre-training.
        label_names: class or label number → name, where the task has names.

    Returns:
        For each Example its text, then one line per goal.
    """
    lines = []
    for number, example in enumerate(examples, start=1):
        of = f" ({number} of {len(examples)} that belong together)" if len(examples) > 1 else ""
        lines.append(f"{len(example)} tokens{of}, {_sight(example)}: {quote_ids(example.ids, vocabulary)}")
        for name, goal in example.goals.items():
            if answer is None or (goal.head or name) in NEXT_GOALS:
                words = _next_tokens(example, goal, vocabulary)
            elif goal.answer == SOFT:
                words = _soft(goal)
            else:
                words = _OTHERS.get(name, answer).describe(example, goal, vocabulary, label_names)
            lines.append(f"  {name}: {words}")
    return lines


def _soft(goal: Goal) -> str:
    """The first numbers of a teacher's answer."""
    numbers = (goal.targets if goal.shares is None else goal.shares).ravel()
    shown = ", ".join(f"{number:.3f}" for number in numbers[:MOST_SHOWN])
    return f"learns a teacher's answer: {shown}" + (" …" if len(numbers) > MOST_SHOWN else "")


def _sight(example: Example) -> str:
    if not example.turns.any():
        return "each sees all" if len(example) > 1 else "alone"
    if np.array_equal(example.turns[::-1], np.arange(len(example))):
        return "read from the end, each sees what comes after"
    if np.array_equal(example.turns, np.arange(len(example))):
        return "each sees what came before"
    read = int((example.turns == 0).sum())
    if np.array_equal(example.turns, np.maximum(np.arange(len(example)) - read + 1, 0)):
        return f"a source of {read} is seen whole, of the target what came before"
    return "sight by turns"


def _next_tokens(example: Example, goal: Goal, vocabulary: Vocabulary) -> str:
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
        f"{quote_ids(targets, vocabulary)}"
    )


def _where(example: Example, goal: Goal) -> str:
    step = -1 if example.turns[0] > example.turns[-1] else 1
    inside = (goal.reads + step >= 0) & (goal.reads + step < len(example))
    if not np.array_equal(example.ids[goal.reads[inside] + step], goal.targets[inside]):
        return "at"
    return "after" if step == 1 else "before"
