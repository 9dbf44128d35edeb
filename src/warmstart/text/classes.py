"""The tokenizer classes of ``transformers`` that are read, and from which files.

A class is more than its files: ``BertJapaneseTokenizer`` cuts words by a dictionary before it looks at a ``vocab.txt`` as
BERT has it. So a class that a folder names has to stand here, else its folder is refused. Where a folder names none, the
content of the files decides.
"""

from pathlib import Path

from warmstart.base.errors import BadInput
from warmstart.text.special_tokens import MODEL_CONFIG, TOKENIZER_CONFIG, read_object

TOKENIZER_FILE = "tokenizer.json"
SPIECE = "spiece.model"
SENTENCEPIECE = ("spm.model", SPIECE, "sentencepiece.bpe.model", "tokenizer.model")
"""What the models of SentencePiece are called beside DeBERTa, ALBERT, XLM-R and CamemBERT, and Llama."""
OF_TWO = ("source.spm", "target.spm")
"""Marian's: the ids are those of a ``vocab.json`` that both share."""
WORDPIECE, GPT1, GPT2 = "vocab.txt", "GPT-1's vocabulary and merges", "GPT-2's vocabulary and merges"
CLASSES: dict[str, str | None] = {
    "Bert": WORDPIECE, "DistilBert": WORDPIECE, "Electra": WORDPIECE, "MobileBert": WORDPIECE, "ConvBert": WORDPIECE,
    "SqueezeBert": WORDPIECE, "OpenAIGPT": GPT1, "GPT2": GPT2, "Roberta": GPT2, "Bart": GPT2, "Longformer": GPT2,
    "MPNet": WORDPIECE, "Albert": None, "DebertaV2": None,
    "Llama": None, "CodeLlama": None, "Qwen2": None, "GPTNeoX": None, "Gemma": None, "Bloom": None,
    "CodeGen": None, "T5": SPIECE, "MBart": None, "MBart50": None, "Pegasus": None, "XLMRoberta": None, "Camembert": None,
    "Herbert": None, "PreTrained": None, "TokenizersBackend": None,
}  # fmt: skip
"""Class without ``Tokenizer`` and ``Fast`` → the older files that it is read from beside a ``tokenizer.json``, if any."""
_ONLY_FAST = ("PreTrained",)  # whose class without ``Fast`` is the base of classes in Python


def check_alone(folder: Path) -> None:
    """Refuses a folder whose vocabulary is a model of SentencePiece and nothing else.

    Raises:
        BadInput: with the file, and how a ``tokenizer.json`` comes of it.
    """
    if (folder / OF_TWO[0]).is_file():
        raise BadInput(
            "a vocabulary that two SentencePiece models cut into pieces, one for each side, is not read",
            where=str(folder / OF_TWO[0]), value=" and ".join(OF_TWO), allowed=TOKENIZER_FILE,
            next_step="choose another model, such as an mBART",
        )  # fmt: skip
    found = next((name for name in SENTENCEPIECE if (folder / name).is_file()), None)
    if found is not None:
        raise BadInput(
            f"a SentencePiece model without a {TOKENIZER_FILE} is not read", where=str(folder / found),
            allowed=TOKENIZER_FILE,
            next_step="make it: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) in transformers",
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
    short = named.removesuffix("Fast").removesuffix("Tokenizer")
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


def _full(name: str) -> str:
    return name if name == "TokenizersBackend" else f"{name}Tokenizer"
