"""What is named on the command line → a space: a file of vectors."""

from collections.abc import Sequence
from pathlib import Path

from warmstart.base.errors import BadInput
from warmstart.embed.space import Space
from warmstart.readers.text_io import split_extensions
from warmstart.readers.word_vectors import read_word_vectors

_ENDINGS = (".vec", ".txt", ".bin", ".npz", ".safetensors", ".parquet")


def source_names(paths: Sequence[str]) -> list[str]:
    """A short name for each source: that of its file without endings; of two alike the whole paths.

    Raises:
        BadInput: one source twice.
    """
    short = [_short(path) for path in paths]
    names = [path if short.count(name) > 1 else name for path, name in zip(paths, short, strict=True)]
    for path in paths:
        if paths.count(path) > 1:
            raise BadInput("one source twice", where="SOURCE", value=path, next_step="name it once")
    return names


def _short(path: str) -> str:
    file = path.partition(",")[0].rstrip("/")
    name = Path(file).name
    extension, compression = split_extensions(file)
    if extension in _ENDINGS and not Path(file).is_dir():
        name = name[: len(name) - len(extension) - len(compression)]
    return name or file


def open_space(path: str, name: str, characters: str | None = None, encoding: str = "utf-8") -> Space:
    """The space of one source; ``characters``: a file of vectors of single characters.

    Raises:
        BadInput: no such file, or a damaged one.
    """
    letters = None if characters is None else Space("characters", read_word_vectors(characters, encoding=encoding))
    return Space(name, read_word_vectors(path, encoding=encoding), letters)
