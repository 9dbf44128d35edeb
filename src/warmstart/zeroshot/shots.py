"""Solved examples before a question (k shots): drawn by seed, for each question anew, never the question itself."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator

BETWEEN = "\n\n"


class Shown(Protocol):
    """A question that can be shown with its answer, and stand behind others."""

    @property
    def solved(self) -> str:
        """With its answer."""
        ...

    def behind(self: "Q", examples: str) -> "Q":
        """The same behind a text."""
        ...


Q = TypeVar("Q", bound=Shown)


def with_shots(
    questions: Iterable[Q], examples: Sequence[Q], shots: int, seed: int, *, apart: bool, between: str = BETWEEN
) -> Iterator[Q]:
    """Each question behind ``shots`` of the examples.

    Args:
        questions: in order.
        examples: to draw from.
        shots: how many, at least 1.
        seed: of the draws; those of question i follow from (seed, i).
        apart: whether the questions are not the examples themselves, in the same order.
        between: what stands behind each example.

    Raises:
        BadInput: too few examples.
    """
    if len(examples) < shots + (not apart):
        raise BadInput(
            "too few examples to draw from", where="--shots", value=shots,
            allowed=f"at most {len(examples) - (not apart)}", next_step="lower it, or name a larger --shots-data",
        )  # fmt: skip
    for number, question in enumerate(questions):
        drawn = generator(seed, "shots", number).choice(len(examples), shots + (not apart), replace=False).tolist()
        others = [place for place in drawn if apart or place != number][:shots]
        yield question.behind("".join(examples[place].solved + between for place in others))
