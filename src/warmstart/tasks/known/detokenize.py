"""The named rule for Penn Treebank tokens: back to text as people write it."""

import re

_JOINTS = (
    (re.compile(r"``\s*"), '"'),
    (re.compile(r"\s+''(?!\S)"), '"'),
    (re.compile(r"\s+(n't|'(?:s|m|d|re|ve|ll)?|[.,;:!?%)\]])(?=[\s\"]|$)"), r"\1"),
    (re.compile(r"([(\[$#])\s+"), r"\1"),
)


def detokenize(text: str) -> str:
    """Joins what the tokenizer has cut.

    >>> print(detokenize("He said `` hi '' , but she does n't . "))
    He said "hi", but she doesn't.
    """
    for pattern, joined in _JOINTS:
        text = pattern.sub(joined, text)
    return text.strip()
