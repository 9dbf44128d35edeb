"""What is named on the command line → a space: a file of vectors, or a model that makes them for given words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from warmstart.base.errors import BadInput
from warmstart.base.settings import HUB_PREFIX
from warmstart.embed.contextual import ContextualEncoder, EncoderOptions
from warmstart.embed.space import Space
from warmstart.embed.static import StaticEncoder, is_static
from warmstart.readers.text_io import read_lines, split_extensions
from warmstart.readers.word_vectors import read_word_vectors
from warmstart.transfer.hub import model_folder

_ENDINGS = (".vec", ".txt", ".bin", ".npz", ".safetensors", ".parquet")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How sources are opened.

    Attributes:
        encoder: how a model makes vectors.
        characters: file of vectors of single characters.
        corpus: text over whose places a model's vectors of words are averaged; ``None``: each word is read by itself.
        encoding: of files.
    """

    encoder: EncoderOptions
    characters: str | None = None
    corpus: str | None = None
    encoding: str = "utf-8"


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


def is_model(path: str) -> bool:
    """Whether a source is a model: a folder, or the id of one."""
    return path.startswith(HUB_PREFIX) or Path(path).is_dir()


def open_encoder(path: str, options: EncoderOptions) -> ContextualEncoder | StaticEncoder:
    """The model of a run, a model folder or a hub id, or static vectors of a folder."""
    folder = model_folder(path)
    return StaticEncoder.load(folder) if is_static(folder) else ContextualEncoder.load(path, options)


def open_space(path: str, name: str, words: Iterable[str], options: SourceOptions) -> Space:
    """The space of one source.

    Args:
        path: of a file of vectors, or of a run or model folder.
        name: of the space.
        words: of which a model makes vectors; a file has its own.
        options: how.

    Raises:
        BadInput: no such file or model, a damaged one, or no word that a model has a vector for.
    """
    letters = None
    if options.characters is not None:
        letters = Space("characters", read_word_vectors(options.characters, encoding=options.encoding))
    if not is_model(path):
        return Space(name, read_word_vectors(path, encoding=options.encoding), letters)
    encoder = open_encoder(path, options.encoder)
    if options.corpus is None:
        vectors = encoder.word_vectors(words)
    else:
        vectors = encoder.averaged_vectors(words, read_lines(options.corpus, options.encoding))
    return Space(name, vectors, letters, encoder.encode)
