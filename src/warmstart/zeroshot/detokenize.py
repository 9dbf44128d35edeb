"""From a benchmark's tokens back to text as people write it: the public rules, since OpenAI's own are not published.

GPT-2, section 3.1, says what they are for. Perplexity is counted per unit of the *original* text, so a rule changes what
the model reads and not what is counted.
"""

import re
from collections.abc import Callable, Sequence

Rules = Sequence[tuple[re.Pattern[str], str]]


def _rules(*pairs: tuple[str, str]) -> Rules:
    return tuple((re.compile(pattern), text) for pattern, text in pairs)


_WIKITEXT = _rules(
    (r"s '", "s'"),
    (r" @-@ ", "-"),
    (r" @,@ ", ","),
    (r" @\.@ ", "."),
    *((rf" {re.escape(mark)} ", f"{mark} ") for mark in ":;.!?,"),
    (r"\(\s*([^\)]*?)\s*\)", r"(\1)"),
    (r"\[\s*([^\]]*?)\s*\]", r"[\1]"),
    (r"\{\s*([^}]*?)\s*\}", r"{\1}"),
    (r'"\s*([^"]*?)\s*"', r'"\1"'),
    (r"'\s*([^']*?)\s*'", r"'\1'"),
    (r"= = = =", "===="),
    (r"= = =", "==="),
    (r"= =", "=="),
    (r" \N{DEGREE SIGN} ", "\N{DEGREE SIGN}"),
    (r" \n", r"\n"),
    (r"\n ", r"\n"),
    (r" N ", " 1 "),
    (r" 's", "'s"),
)
_PTB = _rules(
    (r" '", "'"), (r" \n", r"\n"), (r"\n ", r"\n"), (r" n't", "n't"), (r" N ", "1 "), (r"\$ 1", "$1"), (r"# 1", "#1")
)  # fmt: skip


def _apply(rules: Rules, text: str) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def wikitext(text: str) -> str:
    r"""WikiText's tokens to text.

    >>> wikitext(" He was 3 @.@ 5 m tall ( roughly ) , they said . \n")
    ' He was 3.5 m tall (roughly), they said.\n'
    """
    return _apply(_WIKITEXT, text)


def penn_treebank(text: str) -> str:
    r"""The Penn Treebank's tokens, as its language model corpus has them, to text.

    >>> penn_treebank("it was n't $ N but the firm 's own \n")
    "it wasn't $1 but the firm's own\n"
    """
    return _apply(_PTB, text)


DETOKENIZERS: dict[str, Callable[[str], str]] = {"wikitext": wikitext, "ptb": penn_treebank, "none": str}
