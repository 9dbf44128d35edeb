"""Measures of generated texts: ROUGE, BLEU, chrF, TER and METEOR through their libraries, and question generation's BLEU-4.

Each is kept as numbers per text, [n, S], and a formula from their sums to the metric, so that intervals and tests resample
texts without counting anew. All metrics are 0 to 100; of TER less is better. Where the references are not English, words
are those of :mod:`warmstart.metrics.unicode_words`, and the signature says so.

====================  ==================================================================================
rouge1 … rougeLsum    F of rouge-score (Lin 2004), with stemming (English), best reference; mean over texts
bleu4                 corpus BLEU-4 of tokens between blanks (Papineni et al. 2002), no smoothing
bleu, chrf, ter       sacrebleu's, with its signature (Post 2018)
meteor                nltk's, where WordNet is at hand
====================  ==================================================================================
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.base.seeds import generator
from warmstart.metrics.bootstrap import CONFIDENCE, NUM_RESAMPLES, ConfidenceInterval
from warmstart.metrics.metric import Array
from warmstart.metrics.unicode_words import (
    UnicodeTokenizer,
    has_non_english_letters,
    is_ideographic,
    separate_ideographs,
)

ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")
SACREBLEU = ("bleu", "chrf", "ter")
GENERATION_METRICS = (*ROUGE, "bleu4", *SACREBLEU, "meteor")
DEFAULT_METRIC = "rougeL"
FALLBACK_METRIC = "bleu4"  # needs no library
INSTALL_HINT = "pip install 'warmstart[generation]'"
MAX_NGRAM = 4

References = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, eq=False)
class TextStatistics:
    """A metric of n texts.

    Attributes:
        rows: [n, S] what each text adds.
        formula: [B, S] sums → [B] values.
        signature: how it was computed, where a library says so.
    """

    rows: Array
    formula: Callable[[Array], Array]
    signature: str = field(default="")

    @property
    def value(self) -> float:
        """The metric of all texts."""
        return float(self.formula(self.rows.sum(0, keepdims=True))[0])


def is_available(name: str) -> bool:
    """Whether the library of a metric is installed."""
    try:
        check_generation_metric(name)
    except BadInput:
        return False
    return True


def check_generation_metric(
    name: str, where: str = "--metric", names: Sequence[str] = (*GENERATION_METRICS, "loss")
) -> None:
    """Refuses a metric that is not among ``names``, and one whose library or data is missing.

    Raises:
        BadInput: either.
    """
    if name not in names:
        raise unknown_name_error("metric for this task", name, names, where)
    package = (
        "rouge_score" if name in ROUGE else "sacrebleu" if name in SACREBLEU else "nltk" if name == "meteor" else ""
    )
    try:
        if package == "rouge_score":
            import rouge_score  # noqa: F401
        elif package == "sacrebleu":
            import sacrebleu  # noqa: F401
        elif package == "nltk":
            _wordnet(where)
    except ImportError:
        raise BadInput(
            f"the metric {name} needs the package {package}", where=where, value=name,
            allowed=" and ".join(name for name in (FALLBACK_METRIC, "loss") if name in names) + " without it",
            next_step=INSTALL_HINT,
        ) from None  # fmt: skip


def compute_statistics(name: str, texts: Sequence[str], references: References) -> TextStatistics:
    """The metric ``name`` of texts, each against one or more references.

    Raises:
        BadInput: as :func:`check_generation_metric`.
    """
    check_generation_metric(name)
    if name in ROUGE:
        return _rouge(name, texts, references)
    if name == "bleu4":
        return _bleu4(texts, references)
    return _meteor(texts, references) if name == "meteor" else _sacre(name, texts, references)


def bootstrap_texts(counted: TextStatistics, seed: int, resamples: int = NUM_RESAMPLES) -> ConfidenceInterval:
    """Percentile bootstrap interval; what is drawn are texts."""
    draw, n = generator(seed, "bootstrap"), len(counted.rows)
    values = []
    for start in range(0, resamples, 100):
        counts = draw.multinomial(n, np.full(n, 1 / n), size=min(100, resamples - start))
        values.append(counted.formula(counts.astype(np.float64) @ counted.rows))
    low, high = np.quantile(np.concatenate(values), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return ConfidenceInterval(counted.value, float(low), float(high))


@dataclass(frozen=True, slots=True)
class Difference:
    """How much one system is above another, and how often chance alone would give as much."""

    gain: float
    p_value: float


def approximate_randomization(
    first: TextStatistics, second: TextStatistics, seed: int, trials: int = 10_000
) -> Difference:
    """Paired approximate randomisation of two systems on the same texts (Riezler and Maxwell 2005), two-sided."""
    gain = first.value - second.value
    draw, total = generator(seed, "randomisation"), first.rows.sum(0) + second.rows.sum(0)
    as_great = 0
    for start in range(0, trials, 500):
        stays = draw.integers(0, 2, (min(500, trials - start), len(first.rows))).astype(np.float64)
        one = stays @ first.rows + (1 - stays) @ second.rows
        found = first.formula(one) - first.formula(total - one)
        as_great += int((np.abs(found) >= abs(gain) - 1e-12).sum())
    return Difference(gain, (as_great + 1) / (trials + 1))


def _mean(scores: Sequence[float], signature: str = "") -> TextStatistics:
    """The mean of numbers that each text has by itself."""
    rows = np.stack([np.array(scores, np.float64), np.ones(len(scores))], 1)
    return TextStatistics(rows, lambda sums: 100 * sums[:, 0] / sums[:, 1], signature)


def _rouge(name: str, texts: Sequence[str], references: References) -> TextStatistics:
    from importlib.metadata import version

    from rouge_score.rouge_scorer import RougeScorer

    foreign = has_non_english_letters(references)
    scorer = RougeScorer([name], tokenizer=UnicodeTokenizer()) if foreign else RougeScorer([name], use_stemmer=True)
    scores = [
        max(scorer.score(reference, text)[name].fmeasure for reference in several)
        for text, several in zip(texts, references, strict=True)
    ]
    how = "words of any script, no stemming" if foreign else "stemming"
    return _mean(scores, f"rouge-score {version('rouge-score')}, F, {how}")


def _bleu4(texts: Sequence[str], references: References) -> TextStatistics:
    tokens, how = _tokens(references)
    rows = [_bleu_row(tokens(t), [*map(tokens, several)]) for t, several in zip(texts, references, strict=True)]
    return TextStatistics(np.array(rows, np.float64), _bleu_of, f"BLEU-4, {how}, no smoothing")


def _tokens(references: References) -> tuple[Callable[[str], list[str]], str]:
    """How texts come to tokens where a metric leaves that to others, and that in words."""
    if is_ideographic(references):
        return lambda text: separate_ideographs(text).split(), "each Han character or kana a token"
    return str.split, "tokens between blanks"


def _bleu_row(text: Sequence[str], references: Sequence[Sequence[str]]) -> list[int]:
    """Right and all n-grams for n up to 4, the length, and that of the reference closest to it."""
    row = []
    for n in range(1, MAX_NGRAM + 1):
        most: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            most |= _grams(reference, n)
        found = _grams(text, n)
        row += [sum((found & most).values()), sum(found.values())]
    closest = min((len(reference) for reference in references), key=lambda size: (abs(size - len(text)), size))
    return [*row, len(text), closest]


def _grams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def _bleu_of(sums: Array) -> Array:
    right, told = sums[:, 0 : 2 * MAX_NGRAM : 2], sums[:, 1 : 2 * MAX_NGRAM : 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(right > 0, np.log(right / np.maximum(told, 1)), -np.inf).mean(1)
        brevity = np.minimum(0, 1 - sums[:, -1] / np.maximum(sums[:, -2], 1))
    found: Array = 100 * np.exp(logs + brevity)
    return found


def _sacre(name: str, texts: Sequence[str], references: References) -> TextStatistics:
    import sacrebleu.metrics as kinds

    asked: dict[str, dict[str, Any]] = {"bleu": {}, "chrf": {}, "ter": {}}
    if is_ideographic(references):
        asked |= {"bleu": {"tokenize": "zh"}, "ter": {"normalized": True, "asian_support": True}}
    metric: Any = {"bleu": kinds.BLEU, "chrf": kinds.CHRF, "ter": kinds.TER}[name](**asked[name])
    most = max(map(len, references))
    columns = [[several[i] if i < len(several) else None for several in references] for i in range(most)]
    metric.corpus_score(list(texts), columns)  # so that the signature knows how many references there are
    rows = np.array(metric._extract_corpus_statistics(list(texts), columns), np.float64)

    def formula(sums: Array) -> Array:
        return np.array([metric._compute_score_from_stats(row.tolist()).score for row in sums])

    return TextStatistics(rows, formula, str(metric.get_signature()))


def _wordnet(where: str = "--metric") -> Any:
    """Nltk's WordNet.

    Raises:
        BadInput: its data is not at hand.
    """
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError:
        raise BadInput(
            "METEOR needs the data of WordNet, which is not at hand", where=where, value="meteor",
            allowed=", ".join(name for name in GENERATION_METRICS if name != "meteor"),
            next_step="python -m nltk.downloader wordnet fetches it; NLTK_DATA names another folder that holds it",
        ) from None  # fmt: skip
    return wordnet


def _meteor(texts: Sequence[str], references: References) -> TextStatistics:
    from importlib.metadata import version

    from nltk.translate.meteor_score import meteor_score

    wordnet = _wordnet()
    tokens, how = _tokens(references)
    scores = [
        meteor_score([*map(tokens, several)], tokens(text), wordnet=wordnet)
        for text, several in zip(texts, references, strict=True)
    ]
    return _mean([s if math.isfinite(s) else 0.0 for s in scores], f"METEOR of nltk {version('nltk')}, {how}")
