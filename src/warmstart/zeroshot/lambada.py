"""LAMBADA (Paperno et al. 2016): the last word of a passage, which only all of it tells.

=======================  ==========================================================================
``accuracy``             every token of the word is the model's first guess
``perplexity``           the exponential of the mean of -log p(word | passage)
``accuracy_last_token``  the word's last token is the first guess after all before it
``accuracy_filtered``    as ``accuracy``, where the word's first token may be no stop word
=======================  ==========================================================================

GPT-2 (section 3.3) reports its accuracy without and with a filter of stop words, not which; these are scikit-learn's. Which
of the first and the third its small models' figures are is disputed, so both are told.
"""

from collections.abc import Iterable, Iterator
from itertools import islice, tee

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row, read_rows
from warmstart.readers.text_io import read_lines, split_extensions
from warmstart.zeroshot.likelihood import Likelihood, Pair
from warmstart.zeroshot.outcome import Outcome, Terms
from warmstart.zeroshot.scorer import Scorer
from warmstart.zeroshot.task import Item, Options, field

CHUNK = 256


class LastWordTask:
    """Passages whose last word is guessed."""

    main = "accuracy"
    text_metrics: tuple[str, ...] = ()
    uses: tuple[str, ...] = ("long_text",)

    def __init__(self, *, gpt2: bool = False) -> None:
        """``gpt2``: passages as OpenAI prepared them: straight quotation marks, and a line end before each."""
        self.gpt2 = gpt2

    def items(self, path: str, options: Options) -> Iterator[Item]:
        """The passages of a file: rows with ``text``, or a passage a line."""
        for row in _passages(path, options.encoding):
            text = field(row, "text", "lambada")
            if self.gpt2:
                text = "\n" + text.translate(str.maketrans("“”", '""')).strip()
            context, blank, word = text.rstrip().rpartition(" ")
            if not context.strip() or not word:
                raise BadInput(
                    "not a passage with a last word", where=row.where, value=text, allowed="two words or more",
                    next_step="remove the line",
                )  # fmt: skip
            yield Item(Pair(context, blank + word, row.where), [text], row.where)

    def outcomes(self, items: Iterable[Item], scorer: Scorer, options: Options) -> Iterator[Outcome]:
        """As :class:`~warmstart.zeroshot.task.ZeroshotTask` has it."""
        pairs, asked = tee(item.asked for item in items)
        found = scorer.score(asked)
        while chunk := list(islice(pairs, CHUNK)):
            likelihoods = list(islice(found, len(chunk)))
            for one, filtered in zip(likelihoods, _filtered(chunk, likelihoods, scorer), strict=True):
                yield _outcome(one, filtered)


def _passages(path: str, encoding: str) -> Iterator[Row]:
    if split_extensions(path)[0] == ".txt":
        for number, line in enumerate(read_lines(path, encoding), start=1):
            if line.strip():
                yield Row({"text": line.strip()}, f"{path}:{number}")
    else:
        yield from read_rows(path, encoding)


def _filtered(pairs: list[Pair], found: list[Likelihood], scorer: Scorer) -> list[bool]:
    """Whether each word is guessed when stop words are not; only the words that this can change are asked for again."""
    may_gain = [not one.right[0] and bool(one.right[1:].all()) for one in found]
    again = iter(scorer.first_guesses([pair for pair, gains in zip(pairs, may_gain, strict=True) if gains]))
    words = scorer.stop_words
    return [
        next(again) if gains else one.greedy and pair.continuation.strip().lower() not in words
        for pair, one, gains in zip(pairs, found, may_gain, strict=True)
    ]


def _outcome(one: Likelihood, filtered: bool) -> Outcome:
    terms = {
        "accuracy": Terms(float(one.greedy)),
        "perplexity": Terms(-one.total),
        "accuracy_last_token": Terms(float(one.right[-1])),
        "accuracy_filtered": Terms(float(filtered)),
    }
    row = {"right": one.greedy, "log_prob": round(one.total, 6), "tokens": len(one.log_probs), "cut": one.cut}
    return Outcome(terms, row, chance=0.0)
