"""Special tokens by kind: ``bos``, ``eos``, ``cls``, ``sep``, ``mask``, ``pad``, ``unk``.

The files that ``transformers`` writes beside a vocabulary name them. Where these files have no name, the first of the common
names that the vocabulary has is the token: those of BERT, RoBERTa and GPT-2.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json

END = "<|endoftext|>"
TOKENIZER_CONFIG, SPECIAL_TOKENS_MAP = "tokenizer_config.json", "special_tokens_map.json"
MODEL_CONFIG, GENERATION_CONFIG = "config.json", "generation_config.json"


class SpecialToken(NamedTuple):
    """``key`` in transformers' files, and the common names of the token where the files do not have the key."""

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
    """The content of ``tokenizer_config.json``; empty where there is no such file."""
    return read_object(folder / TOKENIZER_CONFIG)


def read_special_tokens(folder: Path) -> dict[str, str]:
    """Kind → token, for each kind that ``tokenizer_config.json`` or else ``special_tokens_map.json`` names.

    Raises:
        BadInput: a damaged file, or a token that is neither a text nor ``{"content": text}``.
    """
    tokens: dict[str, str] = {}
    for path in (folder / TOKENIZER_CONFIG, folder / SPECIAL_TOKENS_MAP):
        values = read_object(path)
        for kind, special in SPECIAL_TOKENS.items():
            token = values.get(special.key)
            token = token.get("content", token) if isinstance(token, dict) else token
            if not isinstance(token, str | None):
                raise BadInput(
                    "not the name of a token", where=f"{path}: {special.key}", value=token,
                    allowed='text, {"content": text} or null',
                )  # fmt: skip
            if token is not None:
                tokens.setdefault(kind, token)
    return tokens


def reads_bos(folder: Path) -> bool:
    """Whether a tokenizer of older files puts the ``bos`` token before every text; a ``tokenizer.json`` says it itself."""
    return read_tokenizer_config(folder).get("add_bos_token") is True


def read_pad_id(folder: Path) -> int | None:
    """The id of padding that the ``config.json`` of a model beside the vocabulary names, if it does."""
    found = read_object(folder / MODEL_CONFIG).get("pad_token_id")
    return found if type(found) is int and found >= 0 else None


def read_end_ids(folder: Path) -> list[int]:
    """The ids of the tokens that end a text, as the two configs of a model beside the vocabulary name one or several.

    Raises:
        BadInput: a damaged file, or neither a number nor numbers.
    """
    found: list[int] = []
    for name in (MODEL_CONFIG, GENERATION_CONFIG):
        ends = read_object(folder / name).get("eos_token_id")
        listed = ends if isinstance(ends, list) else [] if ends is None else [ends]
        if not all(type(end) is int for end in listed):
            raise BadInput(
                "not the ids of end tokens", where=f"{folder / name}: eos_token_id", value=ends,
                allowed="a whole number, several, or null",
            )  # fmt: skip
        found += listed
    return [end for end in dict.fromkeys(found) if end >= 0]


def named_special_tokens(folder: Path) -> set[str]:
    """All tokens that the two files name as special, whatever for."""
    found: set[str] = set()
    for name in (TOKENIZER_CONFIG, SPECIAL_TOKENS_MAP):
        values = read_object(folder / name)
        more = [values.get(key) for key in ("additional_special_tokens", "extra_special_tokens")]
        listed = [token for tokens in more for token in (tokens.values() if isinstance(tokens, dict) else tokens or ())]
        named = [value for key, value in values.items() if key.endswith("_token")]
        tokens = (token.get("content") if isinstance(token, dict) else token for token in (*named, *listed))
        found |= {token for token in tokens if isinstance(token, str)}
    return found


def find_special_token(kind: str, names: Mapping[str, str], has_token: Callable[[str], bool]) -> str | None:
    """The token of a kind: the one in ``names``, else the first common name; ``None`` if the vocabulary has neither."""
    candidates = (names.get(kind), *SPECIAL_TOKENS[kind].common_names)
    return next((name for name in candidates if name is not None and has_token(name)), None)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where there is no such file.

    Raises:
        BadInput: the file is damaged or holds something else.
    """
    if not path.is_file():
        return {}
    values = read_json(path)
    if not isinstance(values, dict):
        raise BadInput("not a JSON object", where=str(path), value=values, next_step="restore it from a copy")
    return values
