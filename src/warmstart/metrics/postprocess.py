"""Post-processing of generated texts before they are scored, as in s2s-ft; the Lead-3 baseline of summaries.

The references of CNN/DM, XSum, Gigaword and SQuAD's questions are in the Penn Treebank's tokens. WordPiece splits text at
every punctuation mark, and decoders join punctuation to the word before it. The rules bring all these forms to the
Treebank's tokens and keep those. ``cnndm`` also drops short or repeated sentences and the end of a long summary, but not of
a reference.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

SENTENCE_END = re.compile(r"\[ ?x ?_ ?sep ?\]|<s_sep>|\n", re.IGNORECASE)
"""Between two sentences of a summary: s2s-ft's separator, also in pieces, UniLM's in references, or the end of a line."""
_LINE_SENTENCE_END = re.compile(
    r"(?<![.\s][A-Z]\.)(?<!Mr\.|Ms\.|Dr\.|St\.|vs\.)(?<!Mrs\.)(?<=[.!?…])[\"'”’»)\]]*\s+(?=[^a-z\s])|(?<=[。！？])\s*"
)
"""Between two sentences of a line: spaces after . ! ? or …, but not after an abbreviation or before a small letter."""
_BRACKETS = {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}
_RULES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(?<!\S)- ?([lr][rsc]b) ?-(?!\S)", r" -\1- "),  # the name of a bracket, in pieces
    (r'([()\[\]{}"])', r" \1 "),
    (r"\b(\w*?) ?n ?' ?t\b", r"\1 n't"),  # don't, do n ' t → do n't
    (r"(?<=\w) ?' ?(s|d|m|ll|re|ve)\b", r" '\1"),
    (r"\. ?\. ?\.", " ..."),
    # 1 , 000. 5 → 1,000.5 and 4 : 51 → 4:51, but 7, 2016 is a list
    (r"(?<=\d) ?, (?=\d{3}\b)|(?<=\d) ?\. (?=\d)|(?<=\d) : (?=\d\d\b)", lambda m: m[0].strip()),
    (r"(?<![\w.])(?:[A-Za-z] ?\. ?){2,}", lambda m: m[0].replace(" ", "") + " "),  # u . n. → u.n.
    (r"(?<=\w) ([-/]) (?=\w)", r"\1"),
    (r"(?<=[\w'])([,;:?!])(?=\s)", r" \1"),
    (r"(?<=\s)([^\s.]+)\.(?=[\s'\"]*$)", r"\1 ."),  # of the last word, unless it is initials
    (r"(?<=\s)([-`'])\s\1(?=\s)", r"\1\1"),
)  # fmt: skip


def penn_tokens(text: str) -> str:
    """The Penn Treebank's tokens: single punctuation marks, names of brackets and quotes, whole numbers and initials."""
    for pattern, token in _RULES:
        text = re.sub(pattern, token, f" {text} ").strip()
    tokens: list[str] = []
    is_open = False
    for word in text.split():
        if word == '"':
            tokens.append("''" if is_open else "``")
            is_open = not is_open
        else:
            tokens.append(_BRACKETS.get(word, word))
    return " ".join(tokens)


def clean_summary(text: str, max_tokens: int = 0, max_overlap: float = 0.7, min_tokens: int = 5) -> str:
    """A summary of several sentences (CNN/DM), one per line.

    Args:
        text: the summary, with ``[X_SEP]`` or the end of a line between sentences.
        max_tokens: of the result; 0: no limit.
        max_overlap: drops a sentence if more than this fraction of its words is in the sentences before it.
        min_tokens: drops a sentence with fewer tokens.
    """
    sentences: list[list[str]] = []
    seen: set[str] = set()
    for sentence in SENTENCE_END.split(text):
        tokens = penn_tokens(sentence).split()
        words = {token.lower() for token in tokens}
        if len(tokens) < min_tokens or (words and len(words & seen) / len(words) > max_overlap):
            continue
        room = max_tokens - sum(map(len, sentences)) if max_tokens else len(tokens)
        if room <= 0:
            break
        sentences.append(tokens[:room])
        seen |= words
    return "\n".join(" ".join(tokens) for tokens in sentences)


def clean_reference(text: str) -> str:
    """All sentences of a reference (CNN/DM), one per line."""
    return "\n".join(filter(None, map(penn_tokens, SENTENCE_END.split(text))))


def lower_penn_tokens(text: str) -> str:
    """The tokens in lower case, as in the references of Gigaword and of question generation."""
    return penn_tokens(text).lower()


class Postprocessor(NamedTuple):
    """The rules for a generated text and those for a reference."""

    text: Callable[[str], str]
    reference: Callable[[str], str]


NO_POSTPROCESSING = Postprocessor(str, str)
CNNDM_TOKENS = 160  # the length of the targets in training (s2s-ft's recipes; the default of its script is 60)
POSTPROCESSORS: dict[str, Postprocessor] = {
    "none": NO_POSTPROCESSING,
    "cnndm": Postprocessor(lambda text: clean_summary(text, CNNDM_TOKENS), clean_reference),
    "xsum": Postprocessor(penn_tokens, penn_tokens),
    "gigaword": Postprocessor(lower_penn_tokens, lower_penn_tokens),
    "question": Postprocessor(lower_penn_tokens, lower_penn_tokens),
}
"""Name of a data set → its rules."""


def lead_sentences(source: str, count: int = 3) -> str:
    """The first sentences of a source (Lead-3): its lines if it has several, else split at sentence ends."""
    lines = [line for line in SENTENCE_END.split(source) if line.strip()]
    sentences = lines if len(lines) > 1 else _LINE_SENTENCE_END.split(source.strip())
    return "\n".join(part.strip() for part in [part for part in sentences if part.strip()][:count])


COPIES: dict[str, Callable[[str], str]] = {
    "copy": str,
    "lead1": lambda source: lead_sentences(source, 1),
    "lead3": lead_sentences,
}
"""Name of a system that needs no model → what it makes of a source."""


def group_references(sources: Sequence[str], targets: Sequence[str]) -> list[list[str]]:
    """For each source the targets of all rows with the same source: the references of question generation."""
    by_source: dict[str, list[str]] = {}
    for source, target in zip(sources, targets, strict=True):
        by_source.setdefault(source, []).append(target)
    return [by_source[source] for source in sources]
