"""What the verbs of embeddings need to know."""

from typing import Annotated, Any, Literal

from warmstart.base.settings import LENGTH, LengthText, PathRule, Setting, Settings, copy_setting
from warmstart.text.settings import Encoding
from warmstart.train.settings import Precision


def _files(help: str, flag: str) -> Any:
    return Setting((), help, flag=flag, metavar="FILE", many=True, path=PathRule("file"))


class SourceSettings(Settings):
    """Where vectors come from, and how the vector of a term is found."""

    title = "Sources"

    sources: Annotated[
        tuple[str, ...],
        Setting(
            help="files of vectors: .vec, .txt, .bin, .npz, .safetensors, .parquet (FILE,VOCABULARY where the words stand "
            "in another file); runs and model folders",
            flag="SOURCE", many=True, path=PathRule("any", hub=True), min_length=1,
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
    layer: int = Setting(
        -1, "of a model: whose states are read; 0: the embeddings, -1: the last", flag="--layer", metavar="N"
    )
    mix: tuple[float, ...] = Setting(
        (), "of a model: how much each layer counts, from the embeddings up, such as 0,0,1,1,1,1,1; their weighted mean is "
        "read in the place of --layer (ELMo's scalar mix)", flag="--mix", metavar="WEIGHTS",
    )  # fmt: skip
    pooling: Literal["mean", "cls", "lasttoken"] | None = Setting(
        None, "of a model: how the states of a text become its vector (default: as a sentence encoder says, else mean)",
        flag="--pooling",
    )  # fmt: skip
    word_pooling: Literal["mean", "first", "last"] = Setting(
        "mean", "of a model: which sub-words make the vector of a word", flag="--word-pooling"
    )
    corpus: str | None = Setting(
        None, "of a model: average a word's vector over its places in this text, a sentence a line (default: each word is "
        "read by itself)", flag="--corpus", metavar="FILE", path=PathRule("file"),
    )  # fmt: skip
    precision: Precision = "fp32"
    encoding: Encoding = "utf-8"


class EmbedEvaluateRequest(SourceSettings):
    """``warmstart embed evaluate``."""

    title = "What to evaluate"

    analogies: tuple[str, ...] = _files("analogies: four words a line, or a | b | c | d", "--analogies")
    similarity: tuple[str, ...] = _files("pairs of words with a score of people", "--similarity")
    categories: tuple[str, ...] = _files("words with their categories", "--categories")
    outliers: tuple[str, ...] = _files("words that belong together, an empty line, words that do not", "--outliers")
    sentences: tuple[str, ...] = _files(
        "pairs of sentences with a score: columns sentence1, sentence2, score; STS-B's own files", "--sentences"
    )
    retrieval: tuple[str, ...] = Setting(
        (), "folders of queries, a corpus and which texts are right: corpus.jsonl, queries.jsonl, qrels/test.tsv (BEIR)",
        flag="--retrieval", metavar="FOLDER", many=True, path=PathRule("folder"),
    )  # fmt: skip
    classification: tuple[str, ...] = _files(
        "labelled texts, which regression learns from the vectors: columns text and label; of four sources or more also how "
        "the other tests go with it", "--classification",
    )  # fmt: skip
    vocabulary: str | None = Setting(
        None, "words that a model may answer analogies with, one a line (default: the words of the tests)",
        flag="--vocabulary", metavar="FILE", path=PathRule("file"),
    )  # fmt: skip
    method: Literal["3cosadd", "3cosmul"] = Setting("3cosadd", "how analogies are answered", flag="--method")
    compat: Literal["none", "etnlp"] = Setting(
        "none", "etnlp: the figures of that tool, for comparison with its tables; of analogies only", flag="--compat"
    )


class EmbedExtractRequest(SourceSettings):
    """``warmstart embed extract``."""

    title = "What to extract"

    vocabulary: str | None = Setting(
        None, "words, one a line", flag="--vocabulary", metavar="FILE", path=PathRule("file")
    )
    texts: str | None = Setting(
        None, "texts, one a line or in a table's column text; a model makes their vectors, or the mean of their words",
        flag="--texts", metavar="FILE", path=PathRule("file"),
    )  # fmt: skip
    out: Annotated[
        str,
        Setting(
            help="file to write: .vec, .txt, .bin, .npz, .safetensors, .parquet", flag="--out", metavar="FILE",
            path=PathRule("new"),
        ),
    ]  # fmt: skip
    normalise: Literal["none", "parts", "whole"] = Setting(
        "none", "parts: the vector of each source has length 1; whole: that of all together", flag="--normalise"
    )
    pca: int | None = Setting(None, "keep so many principal components", flag="--pca", metavar="N", ge=1)
    unknown: Literal["leave-out", "zeros"] = Setting(
        "leave-out", "what becomes of a word that no source has a vector for", flag="--unknown"
    )


class EmbedNeighboursRequest(SourceSettings):
    """``warmstart embed neighbours``."""

    title = "Neighbours of what"

    words: tuple[str, ...] = Setting((), "words", flag="--words", metavar="WORD", many=True)
    input: str | None = Setting(None, "more words, one a line", flag="--input", metavar="FILE", path=PathRule("file"))
    top: int = Setting(10, "neighbours of each", flag="--top", metavar="N", ge=1)
    vocabulary: str | None = Setting(
        None, "of a model: the words that may be neighbours, one a line", flag="--vocabulary", metavar="FILE",
        path=PathRule("file"),
    )  # fmt: skip


class EmbedExploreRequest(SourceSettings):
    """``warmstart embed explore``."""

    title = "What to look at"

    words: str | None = Setting(
        None, "words, one a line, or a table with a column word; its other columns colour the map (default: the first words "
        "of the sources)", flag="--words", metavar="FILE", path=PathRule("file"),
    )  # fmt: skip
    texts: str | None = Setting(
        None, "texts, one a line, or a table with a column text; its other columns colour the map", flag="--texts",
        metavar="FILE", path=PathRule("file"),
    )  # fmt: skip
    columns: str | None = Setting(
        None, "a table with more columns to colour the map by: JSONL, JSON, CSV, TSV or Parquet", flag="--columns",
        metavar="FILE", path=PathRule("file"),
    )  # fmt: skip
    out: Annotated[str, Setting(help="page to write", flag="--out", metavar="FILE.html", path=PathRule("new"))]
    map: tuple[str, ...] = Setting(
        ("pca",),
        "maps, separated by commas: pca, tsne, umap (default: pca)",
        flag="--map",
        metavar="MAPS",
        min_length=1,
    )
    top: int = Setting(10, "neighbours of each", flag="--top", metavar="N", ge=1, le=100)
    points: int = Setting(50_000, "words or texts at most", flag="--points", metavar="N", ge=1, le=200_000)
    parquet: str | None = Setting(
        None, "write the same as a Parquet that embedding-atlas opens, too", flag="--parquet", metavar="FILE",
        path=PathRule("new"),
    )  # fmt: skip
    serve: bool = Setting(False, "show the page to the browsers of this machine until Ctrl-C", flag="--serve")
    port: int = Setting(0, "of --serve; 0: any that is free", flag="--port", metavar="N", ge=0, le=65_535)


class EmbedDistilRequest(Settings):
    """``warmstart embed distil``."""

    title = "What to distil"

    source: Annotated[
        str,
        Setting(
            help="a run, a model folder or a hub id, best a sentence encoder", flag="SOURCE",
            path=PathRule("model"),
        ),
    ]  # fmt: skip
    out: Annotated[
        str, Setting(help="folder to write", flag="--out", metavar="FOLDER", path=PathRule("new"))
    ]  # fmt: skip
    size: int = Setting(256, "principal components that are kept, at most", flag="--size", metavar="N", ge=1)
    sif: float = Setting(
        3e-5, "how much less frequent tokens count: a of a / (a + p); 0: all alike", flag="--sif", metavar="A", ge=0
    )
    layer: int = copy_setting(SourceSettings, "layer", -1)
    pooling: Literal["mean", "cls", "lasttoken"] | None = copy_setting(SourceSettings, "pooling")
    precision: Precision = "fp32"


class EmbedTrainRequest(Settings):
    """``warmstart embed train``."""

    title = "What to train"

    texts: Annotated[
        tuple[str, ...],
        Setting(
            help="text, a sentence a line (also .gz, .zst)", flag="TEXT", many=True, path=PathRule("file"), min_length=1
        ),
    ]
    out: Annotated[
        str,
        Setting(
            help="file to write: .vec, .txt, .bin, .npz, .safetensors, .parquet; of fasttext a .bin has the parts of words, "
            "too, so that any word has a vector", flag="--out", metavar="FILE", path=PathRule("new"),
        ),
    ]  # fmt: skip
    kind: Literal["word2vec", "fasttext"] = Setting(
        "word2vec", "a vector for each word, or made of the parts of words", flag="--kind"
    )
    architecture: Literal["skipgram", "cbow"] = Setting(
        "skipgram", "each word guesses its neighbours, or they guess it", flag="--architecture"
    )
    size: int = Setting(100, "numbers of a vector", flag="--size", metavar="N", ge=1)
    window: int = Setting(5, "words to each side, at most", flag="--window", metavar="N", ge=1)
    min_count: int = Setting(5, "leave out words that come less often", flag="--min-count", metavar="N", ge=1)
    length: LengthText = Setting(
        "5 epochs", "how often the text is read, in whole epochs", flag="--length", metavar=LENGTH
    )
    lower: bool = Setting(False, "lower case", flag="--lower")
    workers: int = Setting(
        1, "threads; with more than one the vectors are not the same again", flag="--workers", metavar="N", ge=1
    )
    seed: int = Setting(1, "of all draws", flag="--seed", metavar="N", ge=0, le=2**31 - 1)
    encoding: Encoding = "utf-8"


EMBED_REQUESTS: dict[str, type[Settings]] = {
    "embed extract": EmbedExtractRequest,
    "embed evaluate": EmbedEvaluateRequest,
    "embed neighbours": EmbedNeighboursRequest,
    "embed explore": EmbedExploreRequest,
    "embed distil": EmbedDistilRequest,
    "embed train": EmbedTrainRequest,
}
"""Verb of embeddings → its settings."""
