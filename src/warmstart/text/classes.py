"""The tokenizer classes of ``transformers`` that are read, and from which files.

A class is more than its files: ``BertJapaneseTokenizer`` cuts words by a dictionary before it looks at a ``vocab.txt`` as
BERT has it. So a class that a folder names has to stand here, else its folder is refused. Where a folder names none, the
content of the files decides.
"""

from pathlib import Path

from warmstart.base.errors import BadInput
from warmstart.text.special_tokens import MODEL_CONFIG, TOKENIZER_CONFIG, read_object

TOKENIZER_FILE = "tokenizer.json"
SENTENCEPIECE = ("spm.model", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
"""What the models of SentencePiece are called beside DeBERTa, ALBERT, XLM-R and CamemBERT, and Llama."""
OF_TWO = ("source.spm", "target.spm")
"""Marian's: the ids are those of a ``vocab.json`` that both share."""
WORDPIECE, GPT1, GPT2 = "vocab.txt", "GPT-1's vocabulary and merges", "GPT-2's vocabulary and merges"
SPM = "a SentencePiece model"
CLASSES: dict[str, str | None] = {
    "Bert": WORDPIECE, "DistilBert": WORDPIECE, "Electra": WORDPIECE, "MobileBert": WORDPIECE, "ConvBert": WORDPIECE,
    "SqueezeBert": WORDPIECE, "OpenAIGPT": GPT1, "GPT2": GPT2, "Roberta": GPT2, "Bart": GPT2, "Longformer": GPT2,
    "MPNet": WORDPIECE, "Albert": SPM, "DebertaV2": SPM, "T5": SPM,
    "Llama": SPM, "CodeLlama": None, "Qwen2": None, "GPTNeoX": None, "Deberta": None, "Gemma": SPM, "Bloom": None,
    "CodeGen": None, "MBart": SPM, "MBart50": SPM, "Pegasus": SPM, "XLMRoberta": SPM, "Camembert": SPM,
    "Herbert": None, "PreTrained": None, "TokenizersBackend": None,
}  # fmt: skip
"""Class without ``Tokenizer`` and ``Fast`` → the older files that it is read from beside a ``tokenizer.json``, if any."""
_ONLY_FAST = ("PreTrained",)  # whose class without ``Fast`` is the base of classes in Python


MODEL_TYPES = {
    "albert": "Albert", "camembert": "Camembert", "deberta-v2": "DebertaV2", "gemma": "Gemma", "llama": "Llama",
    "mbart": "MBart", "mistral": "Llama", "mt5": "T5", "pegasus": "Pegasus", "t5": "T5", "xlm-roberta": "XLMRoberta",
}  # fmt: skip
"""``model_type`` of a config → the class that reads its SentencePiece model."""


def family_name(folder: Path) -> str:
    """The class that ``tokenizer_config.json`` or ``config.json`` names, without ``Tokenizer``; else by the model's type.

    A ``spm.model`` alone is DeBERTa's; empty where nothing says what a file is.
    """
    for name in (TOKENIZER_CONFIG, MODEL_CONFIG):
        named = read_object(folder / name).get("tokenizer_class")
        if isinstance(named, str) and _short(named) not in _ONLY_FAST:
            return _short(named)
    own = "DebertaV2" if (folder / SENTENCEPIECE[0]).is_file() else ""
    return MODEL_TYPES.get(str(read_object(folder / MODEL_CONFIG).get("model_type")), own)


def check_one_model(folder: Path) -> None:
    """Refuses a folder whose vocabulary two SentencePiece models cut into pieces.

    Raises:
        BadInput: with both files.
    """
    if (folder / OF_TWO[0]).is_file():
        raise BadInput(
            "a vocabulary that two SentencePiece models cut into pieces, one for each side, is not read",
            where=str(folder / OF_TWO[0]), value=" and ".join(OF_TWO), allowed=TOKENIZER_FILE,
            next_step="choose another model, such as an mBART",
        )  # fmt: skip


def check_class(folder: Path, files: str) -> None:
    """Refuses a folder whose tokenizer class does not read ``files`` as they are read here.

    Args:
        folder: of the model; ``tokenizer_config.json`` names the class, else ``config.json``.
        files: :data:`TOKENIZER_FILE`, or one of the older kinds.

    Raises:
        BadInput: with the name of the class.
    """
    for name in (TOKENIZER_CONFIG, MODEL_CONFIG):
        named = read_object(folder / name).get("tokenizer_class")
        if isinstance(named, str):
            _check(named, files, str(folder / name))
            return


def _check(named: str, files: str, where: str) -> None:
    short = _short(named)
    if short not in CLASSES or (short in _ONLY_FAST and not named.endswith("Fast")):
        known = sorted(f"{name}TokenizerFast" if name in _ONLY_FAST else _full(name) for name in CLASSES)
        raise BadInput(
            "a tokenizer of this class is not read", where=where, value=named, allowed=", ".join(known),
            next_step="choose a model with one of these",
        )  # fmt: skip
    if files not in (TOKENIZER_FILE, CLASSES[short]):
        raise BadInput(
            f"a tokenizer of this class is not read from {files}", where=where, value=named,
            allowed=" or ".join(filter(None, (TOKENIZER_FILE, CLASSES[short]))),
            next_step="save it once more with transformers, which writes a tokenizer.json",
        )  # fmt: skip


def _short(named: str) -> str:
    return named.removesuffix("Fast").removesuffix("Tokenizer")


def _full(name: str) -> str:
    return name if name == "TokenizersBackend" else f"{name}Tokenizer"
