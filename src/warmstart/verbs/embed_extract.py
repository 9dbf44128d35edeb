"""``warmstart embed extract``: the vectors of a vocabulary, or of texts, to a file."""

from typing import Any

import numpy as np

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.config.embed_requests import EmbedExtractRequest
from warmstart.embed.columns import read_texts
from warmstart.embed.extract import Extracted, extract, principal_components
from warmstart.embed.space import Space, check_steps, to_unit
from warmstart.embed.writing import check_ending, write_vectors
from warmstart.verbs.embed_sources import open_spaces, read_vocabulary
from warmstart.verbs.output import check_not_there


def embed_extract(request: EmbedExtractRequest) -> dict[str, Any]:
    """Writes vectors.

    Returns:
        {"out", "words", "width", "left_out": number, "found": {source: {way: number}}}.

    Raises:
        BadInput: the file exists or has an unknown ending, neither words nor texts or both, a source that cannot be read,
            or no word with a vector. Nothing is then written.
    """
    check_steps(request.find, "--find")
    check_ending(request.out)
    check_not_there(request.out)
    if (request.vocabulary is None) == (request.texts is None):
        raise BadInput(
            "words or texts, one of the two", allowed="--vocabulary FILE or --texts FILE",
            next_step="name the words, one a line, or the texts, one a line",
        )  # fmt: skip
    found = _words(request) if request.texts is None else _texts(request, request.texts)
    vectors = found.vectors_TD if request.pca is None else principal_components(found.vectors_TD, request.pca)
    write_vectors(request.out, found.terms, vectors)
    for name, counts in found.counts.items():
        say(f"{name}: " + ", ".join(f"{way} {count:,}" for way, count in counts.items()))
    return {
        "out": request.out, "words": len(found.terms), "width": int(vectors.shape[1]), "left_out": len(found.left_out),
        "found": found.counts,
    }  # fmt: skip


def _words(request: EmbedExtractRequest) -> Extracted:
    words = read_vocabulary(request.vocabulary or "", request.encoding)
    spaces = open_spaces(request, words)
    return extract(spaces, words, request.find, request.normalise, keep_unknown=request.unknown == "zeros")


def _texts(request: EmbedExtractRequest, path: str) -> Extracted:
    texts = read_texts(path, request.encoding)
    parts = [_encode(space, texts, request) for space in open_spaces(request, ())]
    vectors = np.concatenate(parts, axis=1)
    return Extracted(texts, to_unit(vectors) if request.normalise == "whole" else vectors, [], {})


def _encode(space: Space, texts: list[str], request: EmbedExtractRequest) -> Any:
    vectors = space.encode(texts, request.find)
    return to_unit(vectors) if request.normalise == "parts" else vectors
