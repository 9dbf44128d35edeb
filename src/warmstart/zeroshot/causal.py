"""Runs read from left to right: the log-probability of each token after all before it."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from warmstart.base.arrays import Ints
from warmstart.base.errors import DivergenceError
from warmstart.decode.packed import PackedSoftmax, packed_softmax
from warmstart.example.batch import Batch
from warmstart.example.example import LM, Example
from warmstart.models.model import Model
from warmstart.models.softmax import SCORED
from warmstart.models.softmax import TokenScores as TokenLosses
from warmstart.streams.stream import split_batches
from warmstart.text.tokenizer import Tokenizer
from warmstart.zeroshot.likelihood import TokenRun, TokenScores
from warmstart.zeroshot.shared import Group, groups_of

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
        alone = [Group([run], run.first) for run in runs]
        groups = groups_of(runs) if self.model.backbone.reads_branches else alone
        answers = answer(self.model, [[group.example()] for group in groups])
        for group, found in zip(groups, answers, strict=True):
            stops = np.cumsum([len(run.ids) - run.first for run in group.runs])[:-1]
            for log_probs, right in zip(np.split(found.log_probs, stops), np.split(found.right, stops), strict=True):
                yield check_numbers(TokenScores(log_probs, right))

    def first_guesses(self, runs: Sequence[TokenRun], banned: Ints) -> list[bool]:
        """As :class:`~warmstart.zeroshot.likelihood.TokenModel` has it."""
        return first_guesses(
            self.model,
            [Group([TokenRun(run.ids[: run.first + 1], run.first)], run.first).example() for run in runs],
            banned,
        )


def answer(model: Model, records: Sequence[list[Example]], max_tokens: int = MAX_TOKENS) -> Iterator[TokenScores]:
    """The scores of the questions that each record's Examples ask, in order."""
    if not records:
        return
    # Those with branches come together, as they have another kernel of attention.
    order = sorted(range(len(records)), key=lambda n: (_branches(records[n]), -sum(map(len, records[n]))))
    losses, right = [], []
    with packed_softmax(model, SCORED) as softmax:
        for batch in split_batches([records[place] for place in order], 1, max_tokens):
            found = _score(model, softmax, batch)
            losses.append(found.losses.cpu().numpy())
            right.append(found.right.cpu().numpy())
    log_probs, marks = -np.concatenate(losses), np.concatenate(right)
    counts = np.array([sum(len(example.goals[LM].targets) for example in record) for record in records])
    stops = np.cumsum(counts[order])
    for place in np.argsort(order).tolist():
        part = slice(int(stops[place] - counts[order[place]]), int(stops[place]))
        yield TokenScores(log_probs[part], marks[part])


def _branches(record: list[Example]) -> bool:
    return any(example.branches is not None for example in record)


@torch.inference_mode()
def _score(model: Model, softmax: PackedSoftmax, batch: Batch) -> TokenLosses:
    batch = batch.to(next(model.parameters()).device)
    return softmax.score(model.run(batch).reads[LM], batch.goals[LM].targets)


def check_numbers(scores: TokenScores) -> TokenScores:
    """The scores, where they are numbers.

    Raises:
        DivergenceError: they are not.
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
