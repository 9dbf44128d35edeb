"""What ``tokenizer_config.json`` says of a ``tokenizer.json`` beside it, where the class that it names goes by the config.

The classes of BERT and GPT-2 set these switches of the file anew, so a published folder may hold a file that lowers the case
beside a config that does not. BPE dropout, a noise for training that a file may still hold, is always off: the same text has
the same ids.
"""

from pathlib import Path

import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

from warmstart.base.errors import BadInput
from warmstart.text.classes import CLASSES, GPT2, WORDPIECE, family_name
from warmstart.text.special_tokens import TOKENIZER_CONFIG, read_tokenizer_config

_BERT = {"do_lower_case": "lowercase", "tokenize_chinese_chars": "handle_chinese_chars"}
"""Key of the config → switch of BERT's normalizer."""
_ACCENTS, _PREFIX = "strip_accents", "add_prefix_space"


def apply_switches(backend: tokenizers.Tokenizer, folder: Path) -> tokenizers.Tokenizer:
    """The tokenizer of ``folder``, changed in place as its config and its class say.

    Raises:
        BadInput: a switch that is no truth value.
    """
    if isinstance(backend.model, models.BPE):
        backend.model.dropout = None
    files = CLASSES.get(family_name(folder))
    normalizer, splitter = backend.normalizer, backend.pre_tokenizer
    if files == WORDPIECE and isinstance(normalizer, normalizers.BertNormalizer):
        for key, name in _BERT.items():
            setattr(normalizer, name, _switch(folder, key, getattr(normalizer, name)))
        normalizer.strip_accents = _switch(folder, _ACCENTS, None)  # where the config says nothing: as the case goes
        backend.normalizer = normalizer
    if files == GPT2 and isinstance(splitter, pre_tokenizers.ByteLevel):
        splitter.add_prefix_space = bool(_switch(folder, _PREFIX, False))
        backend.pre_tokenizer = splitter
    return backend


def _switch(folder: Path, key: str, default: bool | None) -> bool | None:
    """What the config says under a key, else ``default``."""
    value = read_tokenizer_config(folder).get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadInput(
            "not true or false", where=f"{folder / TOKENIZER_CONFIG}: {key}", value=value, allowed="true or false"
        )
    return value
