"""``warmstart embed train``: vectors of words from raw text."""

import time
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.units import Length
from warmstart.config.embed_requests import EmbedTrainRequest
from warmstart.embed.word_training import Sentences, WordTraining, check_gensim, train_words, vectors_of, write_fasttext
from warmstart.embed.writing import check_ending, write_vectors
from warmstart.verbs.output import check_not_there


def embed_train(request: EmbedTrainRequest) -> dict[str, Any]:
    """Writes the vectors of the words of a text: {"out", "words", "width", "seconds"}.

    Raises:
        BadInput: the file exists or has an unknown ending, gensim is not there, a text that cannot be read, or no word that
            comes often enough. Nothing is then written.
    """
    check_ending(request.out)
    check_not_there(request.out)
    epochs = _epochs(request.length)
    check_gensim()
    began_s = time.monotonic()
    options = WordTraining(
        request.kind, request.architecture, request.size, request.window, request.min_count, epochs, request.seed,
        request.workers,
    )  # fmt: skip
    model = train_words(Sentences(request.texts, request.encoding, request.lower), options)
    words, vectors = vectors_of(model)
    if request.kind == "fasttext" and Path(request.out).suffix == ".bin":
        write_fasttext(request.out, model)
    else:
        write_vectors(request.out, words, vectors)
    seconds = round(time.monotonic() - began_s, 1)
    return {"out": request.out, "words": len(words), "width": request.size, "seconds": seconds}


def _epochs(length: str) -> int:
    found = Length.parse(length, "--length")
    if found.unit != "epochs" or found.value < 1 or found.value != int(found.value):
        raise BadInput(
            "texts are read as a whole here", where="--length", value=length, allowed="whole epochs",
            next_step="write for example '5 epochs'",
        )  # fmt: skip
    return int(found.value)
