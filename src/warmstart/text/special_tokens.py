"""Special tokens by their role: which token ends a text, which one masks, which one fills up.

Names come from the files that ``transformers`` writes beside a vocabulary; where those are silent, from the names that
BERT, RoBERTa and GPT-2 made common. A name that the vocabulary does not hold plays no role.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json

END = "<|endoftext|>"
TOKENIZER_CONFIG, SPECIAL_TOKENS_MAP = "tokenizer_config.json", "special_tokens_map.json"


class SpecialToken(NamedTuple):
    """``key`` in transformers' files, and the names that are looked for where the key is missing."""

    key: str
    common_names: tuple[str, ...]


SPECIAL_TOKENS: dict[str, SpecialToken] = {
    "bos": SpecialToken("bos_token", (END, "<s>")),
    "eos": SpecialToken("eos_token", (END, "</s>")),
    "cls": SpecialToken("cls_token", ("[CLS]", "<s>")),
    "sep": SpecialToken("sep_token", ("[SEP]", "</s>")),
    "mask": SpecialToken("mask_token", ("[MASK]", "<mask>")),
    "pad": SpecialToken("pad_token", ("[PAD]", "<pad>", END)),
    "unk": SpecialToken("unk_token", ("[UNK]", "<unk>", END)),
}


def read_tokenizer_config(folder: Path) -> dict[str, Any]:
    """What ``tokenizer_config.json`` says, or nothing where there is none."""
    return _object(folder / TOKENIZER_CONFIG)


def read_special_tokens(folder: Path) -> dict[str, str]:
    """Role → token, as far as ``tokenizer_config.json`` and, after it, ``special_tokens_map.json`` name one.

    Raises:
        BadInput: a damaged file, or a token that is given neither as text nor as ``{"content": text}``.
    """
    found: dict[str, str] = {}
    for path in (folder / TOKENIZER_CONFIG, folder / SPECIAL_TOKENS_MAP):
        values = _object(path)
        for name, role in SPECIAL_TOKENS.items():
            token = values.get(role.key)
            token = token.get("content", token) if isinstance(token, dict) else token
            if not isinstance(token, str | None):
                raise BadInput(
                    "not the name of a token", where=f"{path}: {role.key}", value=token,
                    allowed='text, {"content": text} or null',
                )  # fmt: skip
            if token is not None:
                found.setdefault(name, token)
    return found


def find_special_token(role: str, named: Mapping[str, str], has: Callable[[str], bool]) -> str | None:
    """The token that plays ``role``: the one ``named``, else the first well-known name that the vocabulary ``has``."""
    known = SPECIAL_TOKENS[role].common_names
    return next((name for name in (named.get(role), *known) if name is not None and has(name)), None)


def _object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    values = read_json(path)
    if not isinstance(values, dict):
        raise BadInput("not a JSON object", where=str(path), value=values, next_step="restore it from a copy")
    return values
