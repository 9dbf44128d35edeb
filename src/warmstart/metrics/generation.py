"""Metrics of generated texts: ROUGE, BLEU, chrF, TER and METEOR through their libraries, and question generation's BLEU-4.

Each metric is an array of statistics per text, [n, S], and a formula of their sums, so intervals and tests resample texts
without computing any again. All metrics are 0 to 100; a lower TER is better. Where the references are not English, words
are those of :mod:`warmstart.metrics.unicode_words`, and the signature names them.

====================  ==================================================================================
rouge1 … rougeLsum    F of rouge-score (Lin 2004), with stemming (English), best reference; mean over texts
bleu4                 corpus BLEU-4 of tokens between spaces (Papineni et al. 2002), no smoothing
bleu, chrf, ter       sacrebleu's, with its signature (Post 2018)
meteor                nltk's, where WordNet is installed
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
from warmstart.metrics.names import GENERATION_METRICS, ROUGE, SACREBLEU
from warmstart.metrics.unicode_words import (
    UnicodeTokenizer,
    has_non_english_letters,
    is_ideographic,
    separate_ideographs,
)

DEFAULT_METRIC = "rougeL"
FALLBACK_METRIC = "bleu4"  # needs no library
INSTALL_HINT = "pip install 'warmstart[generation]'"
MAX_NGRAM = 4

References = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, eq=False)
class TextStatistics:
    """A metric of n texts as sufficient statistics.

    Attributes:
        rows: [n, S] statistics of each text.
        formula: [B, S] sums over texts → [B] metrics.
        signature: how the metric was computed.
    """

    rows: Array
    formula: Callable[[Array], Array]
    signature: str = field(default="")

    @property
    def value(self) -> float:
        """The metric of all texts."""
        return float(self.formula(self.rows.sum(0, keepdims=True))[0])


def is_available(name: str) -> bool:
    """Whether the library and the data of a metric are installed."""
    try:
        check_generation_metric(name)
    except BadInput:
        return False
    return True


def check_generation_metric(
    name: str, where: str = "--metric", names: Sequence[str] = (*GENERATION_METRICS, "loss")
) -> None:
    """Checks that ``name`` is one of ``names``, and that its library and data are installed.

    Raises:
        BadInput: one of these is not so.
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
    """The metric ``name`` of texts, each with one or more references.

    Raises:
        BadInput: as :func:`check_generation_metric`.
    """
    check_generation_metric(name)
    if name in ROUGE:
        return _rouge(name, texts, references)
    if name == "bleu4":
        return _bleu4(texts, references)
    return _meteor(texts, references) if name == "meteor" else _sacrebleu(name, texts, references)


def bootstrap_texts(statistics: TextStatistics, seed: int, resamples: int = NUM_RESAMPLES) -> ConfidenceInterval:
    """Percentile bootstrap interval; a resample draws texts."""
    rng, n = generator(seed, "bootstrap"), len(statistics.rows)
    metrics = []
    for start in range(0, resamples, 100):
        counts = rng.multinomial(n, np.full(n, 1 / n), size=min(100, resamples - start))
        metrics.append(statistics.formula(counts.astype(np.float64) @ statistics.rows))
    low, high = np.quantile(np.concatenate(metrics), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return ConfidenceInterval(statistics.value, float(low), float(high))


@dataclass(frozen=True, slots=True)
class Difference:
    """The gain of one system over another, and the probability of a gain as large by chance."""

    gain: float
    p_value: float


def approximate_randomization(
    first: TextStatistics, second: TextStatistics, seed: int, trials: int = 10_000
) -> Difference:
    """Paired approximate randomisation of two systems on the same texts (Riezler and Maxwell 2005), two-sided."""
    gain = first.value - second.value
    rng, total = generator(seed, "randomisation"), first.rows.sum(0) + second.rows.sum(0)
    as_large = 0
    for start in range(0, trials, 500):
        keep = rng.integers(0, 2, (min(500, trials - start), len(first.rows))).astype(np.float64)
        sums = keep @ first.rows + (1 - keep) @ second.rows
        gains = first.formula(sums) - first.formula(total - sums)
        as_large += int((np.abs(gains) >= abs(gain) - 1e-12).sum())
    return Difference(gain, (as_large + 1) / (trials + 1))


def _mean(scores: Sequence[float], signature: str = "") -> TextStatistics:
    """The mean of one score per text, in percent."""
    values = np.stack([np.array(scores, np.float64), np.ones(len(scores))], 1)
    return TextStatistics(values, lambda sums: 100 * sums[:, 0] / sums[:, 1], signature)


def _rouge(name: str, texts: Sequence[str], references: References) -> TextStatistics:
    from importlib.metadata import version

    from rouge_score.rouge_scorer import RougeScorer

    is_unicode = has_non_english_letters(references)
    scorer = RougeScorer([name], tokenizer=UnicodeTokenizer()) if is_unicode else RougeScorer([name], use_stemmer=True)
    scores = [
        max(scorer.score(reference, text)[name].fmeasure for reference in several)
        for text, several in zip(texts, references, strict=True)
    ]
    how = "words of any script, no stemming" if is_unicode else "stemming"
    return _mean(scores, f"rouge-score {version('rouge-score')}, F, {how}")


def _bleu4(texts: Sequence[str], references: References) -> TextStatistics:
    tokenize, how = _tokenizer(references)
    values = [
        _bleu_counts(tokenize(t), [*map(tokenize, several)]) for t, several in zip(texts, references, strict=True)
    ]
    return TextStatistics(np.array(values, np.float64), _bleu_formula, f"BLEU-4, {how}, no smoothing")


def _tokenizer(references: References) -> tuple[Callable[[str], list[str]], str]:
    """The tokenizer for metrics that have none of their own, and its description."""
    if is_ideographic(references):
        return lambda text: separate_ideographs(text).split(), "each Han character or kana a token"
    return str.split, "tokens between spaces"


def _bleu_counts(text: Sequence[str], references: Sequence[Sequence[str]]) -> list[int]:
    """For each n up to 4 the right n-grams and all n-grams; the length, and the reference length closest to it."""
    counts = []
    for n in range(1, MAX_NGRAM + 1):
        allowed: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            allowed |= _ngrams(reference, n)
        ngrams = _ngrams(text, n)
        counts += [sum((ngrams & allowed).values()), sum(ngrams.values())]
    closest = min((len(reference) for reference in references), key=lambda size: (abs(size - len(text)), size))
    return [*counts, len(text), closest]


def _ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def _bleu_formula(sums: Array) -> Array:
    right, total = sums[:, 0 : 2 * MAX_NGRAM : 2], sums[:, 1 : 2 * MAX_NGRAM : 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_precision = np.where(right > 0, np.log(right / np.maximum(total, 1)), -np.inf).mean(1)
        log_brevity = np.minimum(0, 1 - sums[:, -1] / np.maximum(sums[:, -2], 1))
    bleu: Array = 100 * np.exp(log_precision + log_brevity)
    return bleu


def _sacrebleu(name: str, texts: Sequence[str], references: References) -> TextStatistics:
    import sacrebleu.metrics as classes

    options: dict[str, dict[str, Any]] = {"bleu": {}, "chrf": {}, "ter": {}}
    if is_ideographic(references):
        options |= {"bleu": {"tokenize": "zh"}, "ter": {"normalized": True, "asian_support": True}}
    metric: Any = {"bleu": classes.BLEU, "chrf": classes.CHRF, "ter": classes.TER}[name](**options[name])
    num_references = max(map(len, references))
    columns = [[several[i] if i < len(several) else None for several in references] for i in range(num_references)]
    metric.corpus_score(list(texts), columns)  # sets the number of references in the signature
    values = np.array(metric._extract_corpus_statistics(list(texts), columns), np.float64)

    def formula(sums: Array) -> Array:
        return np.array([metric._compute_score_from_stats(row.tolist()).score for row in sums])

    return TextStatistics(values, formula, str(metric.get_signature()))


def _wordnet(where: str = "--metric") -> Any:
    """Nltk's WordNet.

    Raises:
        BadInput: its data is not installed.
    """
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError:
        raise BadInput(
            "METEOR needs the data of WordNet, which is not installed", where=where, value="meteor",
            allowed=", ".join(name for name in GENERATION_METRICS if name != "meteor"),
            next_step="download it with python -m nltk.downloader wordnet, or set NLTK_DATA to a folder that has it",
        ) from None  # fmt: skip
    return wordnet


def _meteor(texts: Sequence[str], references: References) -> TextStatistics:
    from importlib.metadata import version

    from nltk.translate.meteor_score import meteor_score

    wordnet = _wordnet()
    tokenize, how = _tokenizer(references)
    scores = [
        meteor_score([*map(tokenize, several)], tokenize(text), wordnet=wordnet)
        for text, several in zip(texts, references, strict=True)
    ]
    return _mean([s if math.isfinite(s) else 0.0 for s in scores], f"METEOR of nltk {version('nltk')}, {how}")
