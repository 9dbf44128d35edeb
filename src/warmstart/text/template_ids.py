"""The special tokens that another library's tokenizer puts around a text or a pair of texts, as ids.

A folder says it in the post-processor of ``tokenizer.json``; where there is no such file, by ``add_bos_token`` and
``add_eos_token`` in ``tokenizer_config.json``, which ``transformers`` ignores beside it.
"""

from pathlib import Path
from typing import Any, NamedTuple

import tokenizers

from warmstart.base.errors import BadInput
from warmstart.text.classes import TOKENIZER_FILE
from warmstart.text.sentencepiece import read_sentencepiece_tokenizer
from warmstart.text.special_tokens import read_tokenizer_config
from warmstart.text.tokenizer import Tokenizer

Ids = tuple[int, ...]
FIRST, SECOND = 0, 1
TYPED_CLASSES = ("Bert", "Electra", "Deberta")


class TemplateIds(NamedTuple):
    """Ids before and behind a text; and before, between and behind two, which may have others."""

    one: tuple[Ids, Ids] = ((), ())
    pair: tuple[Ids, Ids, Ids] = ((), (), ())


def read_template_ids(folder: Path) -> TemplateIds:
    """What the tokenizer in ``folder`` adds to a text and to a pair.

    Raises:
        BadInput: there is no tokenizer, or it has a token for no text.
    """
    tokenizer, path = Tokenizer.load(folder), folder / TOKENIZER_FILE
    backend = tokenizers.Tokenizer.from_file(str(path)) if path.is_file() else read_sentencepiece_tokenizer(folder)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()
        return _template_ids(backend, str(path))
    config = read_tokenizer_config(folder)
    bos, eos = (
        (tokenizer.special_token_id(kind),)
        if config.get(f"add_{kind}_token") and tokenizer.special_token(kind) is not None
        else ()
        for kind in ("bos", "eos")
    )
    return TemplateIds((bos, eos), (bos, eos + bos, eos))


def has_token_types(folder: Path) -> bool:
    """Whether the tokenizer in ``folder`` tells a model which text of a pair a token is of.

    ``transformers`` 5 gives types where the config lists them; where it lists nothing, with the class of BERT, ELECTRA and
    DeBERTa, and not with that of another family or one that is of no family.
    """
    config = read_tokenizer_config(folder)
    names = config.get("model_input_names")
    if isinstance(names, list):
        return "token_type_ids" in names
    return str(config.get("tokenizer_class") or TYPED_CLASSES[0]).startswith(TYPED_CLASSES)


def _template_ids(backend: Any, where: str) -> TemplateIds:
    """What the post-processor adds to a word that has a token."""
    pieces = (backend.id_to_token(number) for number in range(backend.get_vocab_size()))
    word = next((one for one in ("a", *pieces) if one and backend.encode(one, add_special_tokens=False).ids), None)
    if word is None:
        raise BadInput("this tokenizer has a token for no text", where=where, next_step="restore it from a copy")
    alone, pair = backend.encode(word), backend.encode(word, word)
    first, second = _place(pair, FIRST), _place(pair, SECOND)
    ids, own = tuple(pair.ids), _place(alone, FIRST)
    return TemplateIds(
        (tuple(alone.ids[: own.start]), tuple(alone.ids[own.stop :])),
        (ids[: first.start], ids[first.stop : second.start], ids[second.stop :]),
    )


def _place(encoded: Any, text: int) -> slice:
    """Where the tokens of one of the texts stand."""
    first: int = encoded.sequence_ids.index(text)
    return slice(first, first + encoded.sequence_ids.count(text))
