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
CONFIG, OLDER_CONFIG = "tokenizer_config.json", "special_tokens_map.json"


class Role(NamedTuple):
    """``key`` in transformers' files, and the names that are looked for where the key is missing."""

    key: str
    known: tuple[str, ...]


ROLES: dict[str, Role] = {
    "begin": Role("bos_token", (END, "<s>")),
    "end": Role("eos_token", (END, "</s>")),
    "cls": Role("cls_token", ("[CLS]", "<s>")),
    "sep": Role("sep_token", ("[SEP]", "</s>")),
    "mask": Role("mask_token", ("[MASK]", "<mask>")),
    "pad": Role("pad_token", ("[PAD]", "<pad>", END)),
    "unknown": Role("unk_token", ("[UNK]", "<unk>", END)),
}


def configuration(folder: Path) -> dict[str, Any]:
    """What ``tokenizer_config.json`` says, or nothing where there is none."""
    return _object(folder / CONFIG)


def named_roles(folder: Path) -> dict[str, str]:
    """Role → token, as far as ``tokenizer_config.json`` and, after it, ``special_tokens_map.json`` name one.

    Raises:
        BadInput: a damaged file, or a token that is given neither as text nor as ``{"content": text}``.
    """
    found: dict[str, str] = {}
    for path in (folder / CONFIG, folder / OLDER_CONFIG):
        values = _object(path)
        for name, role in ROLES.items():
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


def find_role(role: str, named: Mapping[str, str], has: Callable[[str], bool]) -> str | None:
    """The token that plays ``role``: the one ``named``, else the first well-known name that the vocabulary ``has``."""
    known = ROLES[role].known
    return next((name for name in (named.get(role), *known) if name is not None and has(name)), None)


def _object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    values = read_json(path)
    if not isinstance(values, dict):
        raise BadInput("not a JSON object", where=str(path), value=values, next_step="restore it from a copy")
    return values
