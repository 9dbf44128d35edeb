"""What s2s-ft does to generated texts before it scores them, and the two baselines that every summary has to beat.

The references of CNN/DM, XSum, Gigaword and SQuAD's questions are in the Penn Treebank's tokens. WordPiece breaks text
at every mark, and decoders tie marks to the word before them. All these forms become the Treebank's, and its own stays.
``cnndm`` also drops sentences that are short or say again what was said, and the end of a long summary; not so references.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

SENTENCE_END = re.compile(r"\[ ?x ?_ ?sep ?\]|<s_sep>|\n", re.IGNORECASE)
"""Between two sentences of a summary: s2s-ft's mark, also in pieces, UniLM's in references, or the end of a line."""
_BETWEEN = re.compile(
    r"(?<![.\s][A-Z]\.)(?<!Mr\.|Ms\.|Dr\.|St\.|vs\.)(?<!Mrs\.)(?<=[.!?…])[\"'”’»)\]]*\s+(?=[^a-z\s])|(?<=[。！？])\s*"
)
"""Between two sentences of a line: blanks behind a mark, unless what comes next goes on small or a word is abbreviated."""
_BRACKETS = {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}
_RULES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(?<!\S)- ?([lr][rsc]b) ?-(?!\S)", r" -\1- "),  # a bracket by name, in pieces
    (r'([()\[\]{}"])', r" \1 "),
    (r"\b(\w*?) ?n ?' ?t\b", r"\1 n't"),  # don't, do n ' t → do n't
    (r"(?<=\w) ?' ?(s|d|m|ll|re|ve)\b", r" '\1"),
    (r"\. ?\. ?\.", " ..."),
    # 1 , 000. 5 → 1,000.5 and 4 : 51 → 4:51, but 7, 2016 is a list
    (r"(?<=\d) ?, (?=\d{3}\b)|(?<=\d) ?\. (?=\d)|(?<=\d) : (?=\d\d\b)", lambda m: m[0].strip()),
    (r"(?<![\w.])(?:[A-Za-z] ?\. ?){2,}", lambda m: m[0].replace(" ", "") + " "),  # u . n. → u.n.
    (r"(?<=\w) ([-/]) (?=\w)", r"\1"),
    (r"(?<=[\w'])([,;:?!])(?=\s)", r" \1"),
    (r"(?<=\s)([^\s.]+)\.(?=[\s'\"]*$)", r"\1 ."),  # of the last word, which is no initials
    (r"(?<=\s)([-`'])\s\1(?=\s)", r"\1\1"),
)  # fmt: skip


def penn_tokens(text: str) -> str:
    """Marks by themselves, brackets and quotes by name; contractions, numbers, initials and hyphens put together."""
    for pattern, token in _RULES:
        text = re.sub(pattern, token, f" {text} ").strip()
    tokens: list[str] = []
    opened = False
    for word in text.split():
        if word == '"':
            tokens.append("''" if opened else "``")
            opened = not opened
        else:
            tokens.append(_BRACKETS.get(word, word))
    return " ".join(tokens)


def clean_summary(text: str, most_tokens: int = 0, overlap: float = 0.7, shortest: int = 5) -> str:
    """A summary of several sentences, a line each (CNN/DM).

    Args:
        text: with ``[X_SEP]`` or the end of a line between its sentences.
        most_tokens: that it keeps; 0: all.
        overlap: a sentence goes of whose words more than this share was in those kept before.
        shortest: tokens that a sentence has at least.
    """
    kept: list[list[str]] = []
    said: set[str] = set()
    for sentence in SENTENCE_END.split(text):
        tokens = penn_tokens(sentence).split()
        words = {token.lower() for token in tokens}
        if len(tokens) < shortest or (words and len(words & said) / len(words) > overlap):
            continue
        room = most_tokens - sum(map(len, kept)) if most_tokens else len(tokens)
        if room <= 0:
            break
        kept.append(tokens[:room])
        said |= words
    return "\n".join(" ".join(tokens) for tokens in kept)


def clean_reference(text: str) -> str:
    """All sentences of a summary as they are, a line each."""
    return "\n".join(filter(None, map(penn_tokens, SENTENCE_END.split(text))))


def lower_penn_tokens(text: str) -> str:
    """The same tokens in lower case, as the references of Gigaword and of question generation are."""
    return penn_tokens(text).lower()


class Postprocessor(NamedTuple):
    """What is done to each text, and to each reference."""

    text: Callable[[str], str]
    reference: Callable[[str], str]


NO_POSTPROCESSING = Postprocessor(str, str)
CNNDM_TOKENS = 160  # as long as the targets that are learned (s2s-ft's recipes; the default of its script is 60)
POSTPROCESSORS: dict[str, Postprocessor] = {
    "none": NO_POSTPROCESSING,
    "cnndm": Postprocessor(lambda text: clean_summary(text, CNNDM_TOKENS), clean_reference),
    "xsum": Postprocessor(penn_tokens, penn_tokens),
    "gigaword": Postprocessor(lower_penn_tokens, lower_penn_tokens),
    "question": Postprocessor(lower_penn_tokens, lower_penn_tokens),
}
"""Name of a data set → its rules."""


def lead_sentences(source: str, count: int = 3) -> str:
    """The first sentences of a source (Lead-3): lines where it has several, else up to each mark that ends one."""
    lines = [line for line in SENTENCE_END.split(source) if line.strip()]
    found = lines if len(lines) > 1 else _BETWEEN.split(source.strip())
    return "\n".join(part.strip() for part in [part for part in found if part.strip()][:count])


def group_references(sources: Sequence[str], targets: Sequence[str]) -> list[list[str]]:
    """For each source the targets of all rows that have the same source, as question generation is scored."""
    by_source: dict[str, list[str]] = {}
    for source, target in zip(sources, targets, strict=True):
        by_source.setdefault(source, []).append(target)
    return [by_source[source] for source in sources]
