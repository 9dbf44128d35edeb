"""``warmstart embed neighbours``: the nearest words of words, of several sources side by side."""

from typing import Any

from warmstart.base.errors import BadInput
from warmstart.config.embed_requests import EmbedNeighboursRequest
from warmstart.embed.neighbours import neighbours
from warmstart.embed.sources import is_model
from warmstart.embed.space import check_steps
from warmstart.verbs.embed_sources import open_spaces, read_vocabulary


def embed_neighbours(request: EmbedNeighboursRequest) -> dict[str, Any]:
    """Finds the nearest words.

    Returns:
        {"neighbours": [{"word", "sources": {source: {"found": way, "nearest": [[word, cosine], …]}}}]}.

    Raises:
        BadInput: no word, none that a source has a vector of, a model without a vocabulary, or a source that cannot be read.
    """
    check_steps(request.find, "--find")
    words = list(request.words)
    if request.input is not None:
        words += read_vocabulary(request.input, request.encoding)
    if not words:
        raise BadInput("no word", allowed="--words WORD… or --input FILE", next_step="name the words")
    model = next((path for path in request.sources if is_model(path)), None)
    if model is not None and request.vocabulary is None:
        raise BadInput(
            "a model has no list of words of its own", where=model, allowed="with --vocabulary FILE",
            next_step="name the words that may be neighbours, one a line",
        )  # fmt: skip
    candidates = [] if request.vocabulary is None else read_vocabulary(request.vocabulary, request.encoding)
    spaces = open_spaces(request, [*words, *candidates])
    found = {space.name: neighbours(space, words, request.find, request.top) for space in spaces}
    if not any(one.nearest for own in found.values() for one in own):
        raise BadInput(
            "no source has a vector of any of these words", where=", ".join(found), value=", ".join(words[:5]),
            next_step="use sources for the language and the case of these words",
        )  # fmt: skip
    return {
        "neighbours": [
            {"word": word, "sources": {name: found[name][number]._asdict() for name in found}}
            for number, word in enumerate(words)
        ]
    }
