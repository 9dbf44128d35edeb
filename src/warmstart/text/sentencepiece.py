"""Tokenizers of models whose vocabulary is a file of SentencePiece's and nothing else, as objects of ``tokenizers``.

The ids are those that SentencePiece gives, moved where a family moves them (:data:`FAMILIES`). What the library cannot do in
the same way is refused: other algorithms than Unigram and BPE, blanks behind words, pieces that are switched off.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers

from warmstart.base.errors import BadInput
from warmstart.text.added_tokens import insert_tokens, read_added_tokens
from warmstart.text.classes import SENTENCEPIECE, SPM, check_class, family_name
from warmstart.text.sentencepiece_model import (
    Algorithm,
    Piece,
    PieceKind,
    SentencePieceModel,
    damaged,
    read_sentencepiece_model,
)
from warmstart.text.special_tokens import read_special_tokens, read_tokenizer_config
from warmstart.text.template import Template

BLANK = "\u2581"
CONVERT = "make a tokenizer.json: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) in transformers"
UNK_PENALTY = 100.0  # off the score of a piece that is not to be found

Pieces = list[Piece]
Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Family:
    """What a family of models adds to the file.

    Attributes:
        pieces: the vocabulary in the order of ids, of that of the file.
        normalizers: what is done to a text before the file's own normaliser.
        template: what stands around a text, and around two.
        language: the code of a language in the template, in whose place ``src_lang`` of the config stands.
    """

    pieces: Callable[[Pieces, Config], Pieces] = lambda pieces, config: pieces
    normalizers: Callable[[Config], list[Any]] = lambda config: []
    template: Template | None = None
    language: str = ""


def _control(text: str) -> Piece:
    return Piece(text, 0.0, PieceKind.CONTROL)


def _with_mask(pieces: Pieces, config: Config) -> Pieces:
    """DeBERTa's: the mask behind all others, unless the file has one."""
    return pieces if any(piece.text == "[MASK]" for piece in pieces) else [*pieces, _control("[MASK]")]


def _fairseq(pieces: Pieces, config: Config) -> Pieces:
    """XLM-R's: fairseq's four special tokens in place of the file's three, and the mask."""
    first = [_control("<s>"), _control("<pad>"), _control("</s>"), Piece("<unk>", 0.0, PieceKind.UNKNOWN)]
    return [*first, *pieces[3:], _control("<mask>")]


_LANGUAGES = (
    "ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN", "hi_IN", "it_IT", "ja_XX", "kk_KZ",
    "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP", "nl_XX", "ro_RO", "ru_RU", "si_LK", "tr_TR", "vi_VN", "zh_CN", "af_ZA",
    "az_AZ", "bn_IN", "fa_IR", "he_IL", "hr_HR", "id_ID", "ka_GE", "km_KH", "mk_MK", "ml_IN", "mn_MN", "mr_IN", "pl_PL",
    "ps_AF", "pt_XX", "sv_SE", "sw_KE", "ta_IN", "te_IN", "th_TH", "tl_XX", "uk_UA", "ur_PK", "xh_ZA", "gl_ES", "sl_SI",
)  # fmt: skip
"""Those of mBART-50 in the order of their ids, of which the first 25 are mBART's."""


def _with_languages(count: int) -> Callable[[Pieces, Config], Pieces]:
    """mBART's: XLM-R's, with the codes of its languages before the mask."""

    def pieces(own: Pieces, config: Config) -> Pieces:
        *known, mask = _fairseq(own, config)
        return [*known, *map(_control, _LANGUAGES[:count]), mask]

    return pieces


def _pegasus(pieces: Pieces, config: Config) -> Pieces:
    """Pegasus's: padding and end, two masks and a row of unused tokens, then the file's others from the unknown one on."""
    names = ["<mask_1>", "<mask_2>", *(f"<unk_{number}>" for number in range(2, int(config.get("offset", 103))))]
    return [*pieces[:2], *map(_control, names), *pieces[2:]]


def _camembert(pieces: Pieces, config: Config) -> Pieces:
    """CamemBERT's: fairseq's four and the file's unknown piece, of which padding and unknown serve; and the mask."""
    first = [_control("<s>NOTUSED"), _control("<pad>"), _control("</s>NOTUSED"), Piece("<unk>", 0.0, PieceKind.UNKNOWN)]
    return [*first, _control("<unk>NOTUSED"), *pieces[1:], _control("<mask>")]


def _sentinels(pieces: Pieces, config: Config) -> Pieces:
    """T5's: a hundred sentinels from the last to the first, unless the file has them."""
    own = {piece.text for piece in pieces}
    names = [f"<extra_id_{number}>" for number in reversed(range(int(config.get("extra_ids", 100))))]
    return [*pieces, *(_control(name) for name in names if name not in own)]


def _albert_pieces(pieces: Pieces, config: Config) -> Pieces:
    """ALBERT's: pieces with a comma behind a digit are found last, since its own program takes them apart."""

    def is_odd(text: str) -> bool:
        return len(text) > 1 and text[-1] == "," and text[-2].isdigit()

    return [piece._replace(score=piece.score - UNK_PENALTY) if is_odd(piece.text) else piece for piece in pieces]


def _albert_normalizers(config: Config) -> list[Any]:
    found: list[Any] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not config.get("keep_accents", False):
        found += [normalizers.NFKD(), normalizers.StripAccents()]
    return found + ([normalizers.Lowercase()] if config.get("do_lower_case", True) else [])


def _deberta_normalizers(config: Config) -> list[Any]:
    return [normalizers.Lowercase()] if config.get("do_lower_case", False) else []


_BERT = Template(("[CLS]", "$A", "[SEP]"), ("[CLS]", "$A", "[SEP]", "$B:1", "[SEP]:1"))
_ROBERTA = Template(("<s>", "$A", "</s>"), ("<s>", "$A", "</s>", "</s>", "$B", "</s>"))
FAMILIES: dict[str, Family] = {
    "Albert": Family(_albert_pieces, _albert_normalizers, _BERT),
    "Camembert": Family(_camembert, template=_ROBERTA),
    "DebertaV2": Family(_with_mask, _deberta_normalizers, _BERT),
    "Gemma": Family(template=Template.begin(("<bos>",))),
    "Llama": Family(template=Template.begin(("<s>",))),
    "MBart": Family(
        _with_languages(25),
        template=Template(("$A", "</s>", "en_XX"), ("$A", "$B", "</s>", "en_XX")),
        language="en_XX",
    ),
    "MBart50": Family(
        _with_languages(52),
        template=Template(("en_XX", "$A", "</s>"), ("en_XX", "$A", "$B", "</s>")),
        language="en_XX",
    ),
    "Pegasus": Family(_pegasus, template=Template(("$A", "</s>"), ("$A", "$B", "</s>"))),
    "T5": Family(_sentinels, template=Template(("$A", "</s>"), ("$A", "</s>", "$B", "</s>"))),
    "XLMRoberta": Family(_fairseq, template=_ROBERTA),
}
"""Class of transformers without ``Tokenizer`` → what is particular."""


def read_sentencepiece_tokenizer(folder: Path) -> tokenizers.Tokenizer | None:
    """The tokenizer of the SentencePiece model in ``folder``, its template as post-processor; ``None`` if there is none.

    Raises:
        BadInput: the file is damaged or cannot be converted, or its family is not known.
    """
    path = next((folder / name for name in SENTENCEPIECE if (folder / name).is_file()), None)
    if path is None:
        return None
    check_class(folder, SPM)
    name, config = family_name(folder), read_tokenizer_config(folder)
    if name not in FAMILIES:
        raise BadInput(
            "it is not known which family this SentencePiece model belongs to", where=str(path), value=name or None,
            allowed=", ".join(f"{known}Tokenizer" for known in FAMILIES),
            next_step="name the class as tokenizer_class in tokenizer_config.json",
        )  # fmt: skip
    if config.get("split_by_punct"):
        raise BadInput("split_by_punct is not read", where=str(path), value=True, allowed="false", next_step=CONVERT)
    family, model = FAMILIES[name], read_sentencepiece_model(path)
    backend = convert(model, str(path), family.pieces(list(model.pieces), config), family.normalizers(config))
    backend = insert_tokens(backend, read_added_tokens(folder), str(folder))
    template = _template(family, read_special_tokens(folder), config)
    if template is not None and all(backend.token_to_id(token) is not None for token in template.special_tokens):
        backend.post_processor = template.build_post_processor(lambda token: int(backend.token_to_id(token) or 0))
    return backend


def _template(family: Family, special_tokens: Mapping[str, str], config: Config) -> Template | None:
    """What stands around texts; where that is the begin token alone, the one that the folder names, if it wants any."""
    template = family.template
    if template is None or template.after:
        code = config.get("src_lang") or family.language
        return template if template is None or not family.language else template.replace(family.language, str(code))
    return (
        Template.begin((special_tokens.get("bos", template.before[0]),)) if config.get("add_bos_token", True) else None
    )


def convert(
    model: SentencePieceModel, where: str, pieces: Pieces | None = None, before: list[Any] | None = None
) -> tokenizers.Tokenizer:
    """A tokenizer with SentencePiece's ids.

    Args:
        model: the content of the file.
        where: its path, for messages.
        pieces: the vocabulary in the order of ids, where a family has another than the file.
        before: what is done to a text before the file's own normaliser.

    Raises:
        BadInput: the library cannot give the same ids.
    """
    pieces = list(model.pieces) if pieces is None else pieces
    charsmap = _charsmap(model, where)
    _check(model, where, pieces, normalizers.Sequence(charsmap))
    backend = tokenizers.Tokenizer(
        _unigram(model, pieces) if model.algorithm == Algorithm.UNIGRAM else _bpe(model, pieces)
    )
    backend.normalizer = normalizers.Sequence([*(before or []), *charsmap, *_normalizers(model)])
    splits = _splits(model)
    if splits:
        backend.pre_tokenizer = pre_tokenizers.Sequence(splits)
    backend.decoder = _decoder(model)
    special = [piece.text for piece in pieces if piece.kind in (PieceKind.CONTROL, PieceKind.UNKNOWN)]
    backend.add_special_tokens([tokenizers.AddedToken(text, special=True, normalized=False) for text in special])
    return backend


def _charsmap(model: SentencePieceModel, where: str) -> list[Any]:
    """The file's table of characters as a normaliser, if it has one."""
    try:
        return [normalizers.Precompiled(model.charsmap)] if model.charsmap else []
    except Exception as error:  # the library raises plain Exception
        raise damaged(where) from error


def _check(model: SentencePieceModel, where: str, pieces: Pieces, charsmap: Any) -> None:
    """Refuses what the library does in another way, and a file that is not as its family has it."""
    kept = {piece.text for piece in pieces}
    user_defined = model.of_kind(PieceKind.USER_DEFINED)
    changed = next((text for text in user_defined if charsmap.normalize_str(text) != text), None)
    problems = {
        "its algorithm": model.algorithm not in (Algorithm.UNIGRAM, Algorithm.BPE)
        and Algorithm(model.algorithm).name.lower(),
        "blanks behind words": model.blank_behind,
        "blanks that stay blanks": not model.escapes_blanks,
        "pieces that are switched off": next(iter(model.of_kind(PieceKind.UNUSED)), False),
        "a piece of a user's that its normaliser changes": changed,
        "a piece where its family has a special token": next(
            (t for t in model.of_kind(PieceKind.NORMAL) if t not in kept), None
        ),
    }
    for problem, value in problems.items():
        if value:
            raise BadInput(
                f"this SentencePiece model does not convert exactly: {problem}", where=where, value=value,
                allowed="Unigram or BPE, as its defaults are", next_step=CONVERT,
            )  # fmt: skip


def _unigram(model: SentencePieceModel, pieces: Pieces) -> Any:
    """A piece of a user's has the score that SentencePiece gives it while it looks for the best pieces."""
    normal = [piece.score for piece in model.pieces if piece.kind == PieceKind.NORMAL]
    least, greatest = min(normal, default=0.0), max(normal, default=0.0)

    def score(piece: Piece) -> float:
        if piece.kind == PieceKind.USER_DEFINED:
            return len(piece.text.encode()) * greatest - 0.1
        return piece.score if piece.kind == PieceKind.NORMAL else least

    unknown = next(number for number, piece in enumerate(pieces) if piece.kind == PieceKind.UNKNOWN)
    vocab = [(piece.text, score(piece)) for piece in pieces]
    return models.Unigram(vocab, unk_id=unknown, byte_fallback=model.byte_fallback)


def _bpe(model: SentencePieceModel, pieces: Pieces) -> Any:
    """Two pieces are joined where what comes of it is one, that of the greatest score first."""
    vocab = {piece.text: number for number, piece in enumerate(pieces)}
    scores = {piece.text: piece.score for piece in model.pieces if piece.kind == PieceKind.NORMAL}
    merges = [
        (-score, vocab[text], text[:place], text[place:])
        for text, score in scores.items()
        for place in range(1, len(text))
        if text[:place] in scores and text[place:] in scores
    ]
    [unknown] = model.of_kind(PieceKind.UNKNOWN)
    return models.BPE(
        vocab=vocab, merges=[(left, right) for _, _, left, right in sorted(merges)], unk_token=unknown, fuse_unk=True,
        byte_fallback=model.byte_fallback, ignore_merges=bool(model.of_kind(PieceKind.USER_DEFINED)),
    )  # fmt: skip


def _normalizers(model: SentencePieceModel) -> list[Any]:
    found: list[Any] = []
    if model.joins_blanks:
        found += [
            normalizers.Replace(tokenizers.Regex(rf"\A +|[ {BLANK}]+\z"), ""),
            normalizers.Replace(tokenizers.Regex(" {2,}"), " "),
        ]
    if model.adds_blank:
        found.append(normalizers.Prepend(BLANK))
    return [*found, normalizers.Replace(" ", BLANK)]


def _splits(model: SentencePieceModel) -> list[Any]:
    """Where pieces never meet: at pieces of a user's (BPE), before bytes as text, at blanks if no piece goes over one."""
    found = []
    user_defined = sorted(model.of_kind(PieceKind.USER_DEFINED), key=len, reverse=True)
    if user_defined and model.algorithm == Algorithm.BPE:
        found.append(pre_tokenizers.Split(tokenizers.Regex("|".join(map(_escaped, user_defined))), "isolated"))
    readable = model.of_kind(PieceKind.NORMAL, PieceKind.USER_DEFINED)
    if BLANK in readable and not any(BLANK in text[1:] for text in readable):
        found.append(pre_tokenizers.Split(BLANK, "merged_with_next"))
    if model.byte_fallback and model.algorithm == Algorithm.UNIGRAM:
        found.append(pre_tokenizers.Split(tokenizers.Regex("<(?=0x[0-9A-F]{2}>)"), "isolated"))
    return found


def _escaped(text: str) -> str:
    """A text as a pattern of itself, in the library's dialect."""
    return "".join(rf"\x{{{ord(character):x}}}" for character in text)


def _decoder(model: SentencePieceModel) -> Any:
    found = [decoders.Replace(BLANK, " "), *([decoders.ByteFallback()] if model.byte_fallback else []), decoders.Fuse()]
    return decoders.Sequence([*found, *([decoders.Strip(" ", 1, 0)] if model.adds_blank else [])])
