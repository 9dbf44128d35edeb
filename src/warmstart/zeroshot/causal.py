"""Runs read from left to right: the log-probability of each token after all before it."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from warmstart.base.arrays import Ints
from warmstart.base.errors import DivergenceError
from warmstart.example.example import LM, Example, Goal
from warmstart.models.model import Model
from warmstart.streams.stream import split_batches
from warmstart.text.tokenizer import Tokenizer
from warmstart.zeroshot.likelihood import TokenRun, TokenScores
from warmstart.zeroshot.shared import answer_groups, groups_of

MAX_TOKENS = 4096
"""Of a Batch."""


class CausalModel:
    """A left-to-right language model as a :class:`~warmstart.zeroshot.likelihood.TokenModel`."""

    fewest = 1

    def __init__(self, model: Model, tokenizer: Tokenizer) -> None:
        """Puts the model into evaluation mode."""
        self.model = model.eval()
        self.room = model.settings.backbone.max_length + 1  # the last token is predicted, not read
        self.begin = tokenizer.begin_ids
        end = () if tokenizer.end_id is None else (tokenizer.end_id,)
        self.opening = self.begin or end

    def answer(self, runs: Sequence[TokenRun]) -> Iterator[TokenScores]:
        """As :class:`~warmstart.zeroshot.likelihood.TokenModel` has it; runs of similar length are read together."""
        groups = groups_of(runs) if self.model.backbone.reads_texts_whole else []
        several = [group for group in groups if len(group.runs) > 1]
        found: dict[int, TokenScores] = {}
        for group, scores in answer_groups(self.model, several):
            found |= dict(enumerate(scores, start=group.start))
        alone = [number for number in range(len(runs)) if number not in found]
        found |= zip(alone, answer(self.model, [[_example(runs[number])] for number in alone]), strict=True)
        return (check_numbers(found[number]) for number in range(len(runs)))

    def first_guesses(self, runs: Sequence[TokenRun], banned: Ints) -> list[bool]:
        """As :class:`~warmstart.zeroshot.likelihood.TokenModel` has it."""
        return first_guesses(
            self.model, [_example(TokenRun(run.ids[: run.first + 1], run.first)) for run in runs], banned
        )


def _example(run: TokenRun) -> Example:
    reads = np.arange(run.first - 1, len(run.ids) - 1)
    return Example.left_to_right(run.ids[:-1], {LM: Goal.each(reads, run.ids[run.first :])})


def answer(model: Model, records: Sequence[list[Example]], max_tokens: int = MAX_TOKENS) -> Iterator[TokenScores]:
    """The scores of the questions that each record's Examples ask, in order."""
    if not records:
        return
    device = next(model.parameters()).device
    order = np.argsort([-sum(map(len, record)) for record in records], kind="stable")
    losses, right = [], []
    for batch in split_batches([records[place] for place in order.tolist()], 1, max_tokens):
        found = model.score_tokens(batch.to(device))
        losses.append(found.losses.cpu().numpy())
        right.append(found.right.cpu().numpy())
    log_probs, marks = -np.concatenate(losses), np.concatenate(right)
    counts = np.array([sum(len(example.goals[LM].targets) for example in record) for record in records])
    stops = np.cumsum(counts[order])
    for place in np.argsort(order).tolist():
        part = slice(int(stops[place] - counts[order[place]]), int(stops[place]))
        yield TokenScores(log_probs[part], marks[part])


def check_numbers(scores: TokenScores) -> TokenScores:
    """The scores, where they are numbers.

    Raises:
        Diverged: they are not.
    """
    if np.isnan(scores.log_probs).any():
        raise DivergenceError("a log-probability is not a number: the model's weights are not usable")
    return scores


@torch.inference_mode()
def first_guesses(model: Model, examples: Sequence[Example], banned: Ints) -> list[bool]:
    """Whether the one token that each Example asks for is the likeliest of those that are not ``banned``."""
    device, right = next(model.parameters()).device, []
    for batch in split_batches([[example] for example in examples], 1, MAX_TOKENS):
        logits = model.next_token_logits(model.run(batch.to(device)).reads[LM])
        logits[:, torch.from_numpy(banned).to(device)] = float("-inf")
        right += (logits.argmax(-1).cpu() == batch.goals[LM].targets).tolist()
    return right
