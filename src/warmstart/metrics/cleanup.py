"""What s2s-ft does to generated texts before it scores them, and the two baselines that every summary has to beat.

WordPiece breaks text at every mark; the references of CNN/DM, XSum and Gigaword are in the Penn Treebank's tokens. So the
pieces are put together as these are; ``cnndm`` also drops sentences that are short or say again what was said.
"""

import re
from collections.abc import Callable, Sequence

SENTENCE_END = "[X_SEP]"
_BRACKETS = {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}
_JOINS: tuple[tuple[str, str], ...] = (
    (r"\b(\w+)n ' t\b", r"\1 n't"),  # do n ' t → do n't
    (r"(?<=\w) ' (s|d|m|ll|re|ve)\b", r" '\1"),
    (r"\. \. \.", "..."),
    (r"(?<=\d) ([.,]) (?=\d)", r"\1"),  # 1 , 000 . 5 → 1,000.5
    (r"\b((?:[A-Za-z] \. ){2,})", lambda m: m[1].replace(" ", "") + " "),  # u . n . → u.n.
    (r"(?<=\w) - (?=\w)", "-"),
)  # type: ignore[assignment]


def penn_tokens(text: str) -> str:
    """Tokens of pieces: brackets and quotes by name, contractions, numbers, initials and hyphens put together."""
    for pattern, joined in _JOINS:
        text = re.sub(pattern, joined, f"{text} ").rstrip()
    tokens: list[str] = []
    opened = False
    for word in text.split():
        if word == '"':
            tokens.append("''" if opened else "``")
            opened = not opened
        else:
            tokens.append(_BRACKETS.get(word, word))
    return " ".join(tokens)


def summary(text: str, most_tokens: int = 0, overlap: float = 0.7, shortest: int = 5) -> str:
    """A summary of several sentences, a line each (CNN/DM).

    Args:
        text: with ``[X_SEP]`` between its sentences.
        most_tokens: that it keeps; 0: all.
        overlap: a sentence goes of whose words more than this share was in those kept before.
        shortest: tokens that a sentence has at least.
    """
    kept: list[list[str]] = []
    said: set[str] = set()
    for sentence in re.split(re.escape(SENTENCE_END), text, flags=re.IGNORECASE):
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


def lowered(text: str) -> str:
    """The same tokens in lower case, as the references of Gigaword and of question generation are."""
    return penn_tokens(text).lower()


CLEANUPS: dict[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "cnndm": lambda text: summary(text, most_tokens=60),
    "xsum": penn_tokens,
    "gigaword": lowered,
    "question": lowered,
}
"""Name of a data set's rules → what is done to each text."""


def lead(source: str, sentences: int = 3) -> str:
    """The first sentences of a source (Lead-3): lines where it has several, else up to each mark that ends one."""
    lines = [line for line in re.split(r"\n|" + re.escape(SENTENCE_END), source) if line.strip()]
    found = lines if len(lines) > 1 else re.split(r"(?<=[.!?。！？])\s*", source.strip())
    return "\n".join(part.strip() for part in [part for part in found if part.strip()][:sentences])


def group_references(sources: Sequence[str], targets: Sequence[str]) -> list[list[str]]:
    """For each source the targets of all rows that have the same source, as question generation is scored."""
    by_source: dict[str, list[str]] = {}
    for source, target in zip(sources, targets, strict=True):
        by_source.setdefault(source, []).append(target)
    return [by_source[source] for source in sources]
