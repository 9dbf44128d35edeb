"""What the verbs of embeddings need to know."""

from typing import Annotated, Any, Literal

from warmstart.base.settings import PathRule, Setting, Settings
from warmstart.text.settings import Encoding


def _files(help: str, flag: str) -> Any:
    return Setting((), help, flag=flag, metavar="FILE", many=True, path=PathRule("file"))


class SourceSettings(Settings):
    """Where vectors come from, and how the vector of a term is found."""

    title = "Sources"

    sources: Annotated[
        tuple[str, ...],
        Setting(
            help="files of vectors: .vec, .txt, .bin, .npz, .safetensors, .parquet; FILE,VOCABULARY where the words stand "
            "in another file", flag="SOURCE", many=True, path=PathRule("any", hub=True), min_length=1,
        ),
    ]  # fmt: skip
    find: tuple[str, ...] = Setting(
        ("word", "lower", "joined", "number", "punctuation", "mean", "subwords", "characters"),
        "ways to find the vector of a term, separated by commas, tried in this order (default: word, lower, joined, number, "
        "punctuation, mean, subwords, characters)", flag="--find", metavar="WAYS",
    )  # fmt: skip
    characters: str | None = Setting(
        None, "vectors of single characters, whose mean stands for a word that is not found otherwise",
        flag="--characters", metavar="FILE", path=PathRule("file"),
    )  # fmt: skip
    encoding: Encoding = "utf-8"


class EmbedEvaluateRequest(SourceSettings):
    """``warmstart embed evaluate``."""

    title = "What to evaluate"

    analogies: tuple[str, ...] = _files("analogies: four words a line, or a | b | c | d", "--analogies")
    similarity: tuple[str, ...] = _files("pairs of words with a score of people", "--similarity")
    categories: tuple[str, ...] = _files("words with their categories", "--categories")
    outliers: tuple[str, ...] = _files("words that belong together, an empty line, words that do not", "--outliers")
    method: Literal["3cosadd", "3cosmul"] = Setting("3cosadd", "how analogies are answered", flag="--method")
    compat: Literal["none", "etnlp"] = Setting(
        "none", "etnlp: the figures of that tool, for comparison with its tables; of analogies only", flag="--compat"
    )


EMBED_REQUESTS: dict[str, type[Settings]] = {
    "embed evaluate": EmbedEvaluateRequest,
}
"""Verb of embeddings → its settings."""
