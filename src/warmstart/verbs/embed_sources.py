"""The sources of a verb of embeddings, opened, with a line about each."""

from collections.abc import Iterable

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.formatting import format_count
from warmstart.config.embed_requests import SourceSettings
from warmstart.embed.contextual import EncoderOptions
from warmstart.embed.sources import SourceOptions, open_space, source_names
from warmstart.embed.space import Space
from warmstart.readers.text_io import read_lines


def open_spaces(request: SourceSettings, words: Iterable[str]) -> list[Space]:
    """The spaces of a request; a model makes the vectors of ``words``.

    Raises:
        BadInput: a source that cannot be read, or one twice.
    """
    encoder = EncoderOptions(request.layer, request.pooling, request.word_pooling, request.precision, request.mix)
    options = SourceOptions(encoder, request.characters, request.corpus, request.encoding)
    names, asked = source_names(request.sources), list(words)
    spaces = []
    for path, name in zip(request.sources, names, strict=True):
        space = open_space(path, name, asked, options)
        spaces.append(space)
        again = space.vectors.num_duplicates
        say(
            f"{name}: {format_count(len(space.words), 'word')}, {space.width} numbers each"
            + (f"; {format_count(again, 'word')} again, of which the first vector counts" if again else "")
        )
    return spaces


def read_vocabulary(path: str, encoding: str) -> list[str]:
    """The words of a file, one a line, each once.

    Raises:
        BadInput: a file without words.
    """
    words = list(dict.fromkeys(line.strip("\r\n ") for line in read_lines(path, encoding)))
    words = [word for word in words if word]
    if not words:
        raise BadInput("a file without words", where=path, allowed="one word a line")
    return words
