"""Objective: all that is particular to one way of pre-training, in plain values; ``build/`` makes sources of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from warmstart.example.example import Example


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What a pre-training asks of a model, and all that follows from it. The defaults are those of the next token.

    Attributes:
        name: as it is typed after ``--objective``.
        card: what a model card calls a model that has learned it.
        frame: makes Examples of one piece of a text. It is called with the ids; where tokens are masked also with the
            generator that draws which, and the :class:`~warmstart.objectives.masking.Masking`.
        sight: what the model must see: ``causal``: what came before; ``full``: the whole text; ``prefix``: a source as a
            whole, and of a target what came before; ``cloze``: all but the token that is predicted.
        direction: from which end the model then reads any text.
        item: what is shuffled and counted: ``row``: a row of the corpus, cut where documents end; ``document``: a whole one.
        lookahead: tokens after a row that its frame gets too, as targets.
        extra_tokens: special tokens that a frame adds at most.
        copies: how often a frame holds each id: 2 where a text is written again.
        masks: what is masked together where the recipe does not say; ``None``: nothing is masked.
        corrupts: a text is corrupted to be written again: the frame is called with the ids, a generator and the
            :class:`~warmstart.objectives.corruption.Corruption`.
        share: how much of a text is masked where the recipe does not say.
        new_tokens: other tokens that the tokenizer needs, and gets where it lacks them.
        special_tokens: role → name of the special tokens that the tokenizer needs, and gets where it has none of that role.
        lm_transform: the softmax over the vocabulary reads the states through BERT's layer.
        carries: a model may carry its state from row to row of a text.
        reads_images: the frame also takes the rows of an image.
        evaluation: by which other objective ``evaluate`` measures a model that has learned this one.
    """

    name: str
    card: str
    frame: Callable[..., list[Example]]
    sight: Literal["causal", "full", "prefix", "cloze"] = "causal"
    direction: Literal["forward", "backward", "both"] = "forward"
    item: Literal["row", "document"] = "row"
    lookahead: int = 1
    extra_tokens: int = 0
    copies: int = 1
    masks: Literal["tokens", "words", "spans", "blocks"] | None = None
    corrupts: bool = False
    share: float = 0.15
    new_tokens: tuple[str, ...] = ()
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    lm_transform: bool = False
    carries: bool = False
    reads_images: bool = False
    evaluation: "Objective | None" = None

    def ids_within(self, tokens: int) -> int:
        """The most ids of a text whose Example has ``tokens`` tokens at most."""
        return (tokens - self.extra_tokens + self.copies - 1) // self.copies
