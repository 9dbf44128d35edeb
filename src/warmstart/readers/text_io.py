"""A path, or ``-`` for standard input, to bytes, text and lines, with every complaint naming file and line.

``.gz`` and ``.zst`` are seen through. Text is decoded strictly, a byte order mark is dropped, line ends become newlines.
Everything streams: memory does not grow with the file.
"""

import codecs
import contextlib
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, BinaryIO, cast

from warmstart.base.errors import BadInput, suggest

STDIN = "-"
BLOCK_BYTES = 1 << 18
"""Bytes read at a time."""
MAX_LINE_CHARS = 1 << 26
"""Characters a line may have: a file without line ends must not fill the memory."""

_PACKED = (".gz", ".zst")
_DAMAGED_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)


class _Damaged(Exception):
    """A zstd archive that ends early or holds something else."""


def split_extensions(path: str) -> tuple[str, str]:
    """The endings that decide how ``path`` is read: ``corpus.JSONL.gz`` → ``(".jsonl", ".gz")``."""
    stem, packed = os.path.splitext(os.path.basename(path).lower())
    if packed == ".tgz":
        return ".tar", ".gz"
    return (os.path.splitext(stem)[1], packed) if packed in _PACKED else (packed, "")


@contextlib.contextmanager
def open_binary(path: str) -> Iterator[BinaryIO]:
    """The unpacked bytes of ``path`` as a stream to read from start to end.

    Raises:
        BadInput: no such file, a folder, not readable, or, while it is read in the block, a damaged archive.
    """
    packed = split_extensions(path)[1]
    with contextlib.ExitStack() as stack:
        stack.enter_context(archive_errors(path))
        raw = sys.stdin.buffer if path == STDIN else stack.enter_context(_open_file(path))
        if packed == ".gz":
            yield stack.enter_context(cast(BinaryIO, gzip.GzipFile(fileobj=raw)))
        elif packed == ".zst":
            yield stack.enter_context(cast(BinaryIO, io.BufferedReader(_Zstd(raw), BLOCK_BYTES)))
        else:
            yield raw


@contextlib.contextmanager
def archive_errors(path: str) -> Iterator[None]:
    """Turns what the unpackers raise on a damaged archive into a sentence about ``path``."""
    try:
        yield
    except (*_DAMAGED_GZIP, _Damaged) as error:
        raise BadInput(
            f"the archive is cut short or damaged ({error})", where=path, next_step="fetch or make the file again"
        ) from None


def _open_file(path: str) -> BinaryIO:
    step = "check the path"
    try:
        return open(path, "rb")
    except FileNotFoundError:
        folder = os.path.dirname(path) or "."
        beside = os.listdir(folder) if os.path.isdir(folder) else []
        hint = suggest(os.path.basename(path), beside)
        raise BadInput("file not found", where=path, next_step=hint or step) from None
    except IsADirectoryError:
        raise BadInput("a folder, where a file is needed", where=path, next_step="name a file in it") from None
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=path, next_step=step) from None


class _Zstd(io.RawIOBase):
    """Unpacks zstd frames; unlike the library's own reader it notices an archive that ends early."""

    def __init__(self, raw: BinaryIO) -> None:
        try:
            import zstandard
        except ImportError:
            raise BadInput(
                "reading .zst needs the zstandard package", next_step="pip install 'warmstart[zstd]'"
            ) from None
        self._raw, self._library = raw, zstandard
        self._frame: Any = None
        self._packed = self._unpacked = b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._unpacked:
            # Little at a time: 4 KiB can already unpack to a hundred megabytes.
            self._packed = self._packed or self._raw.read(1 << 12)
            if not self._packed:
                if self._frame is not None:
                    raise _Damaged("it ends inside a frame")
                return 0
            self._unpack()
        count = min(len(target), len(self._unpacked))
        target[:count] = self._unpacked[:count]
        self._unpacked = self._unpacked[count:]
        return count

    def _unpack(self) -> None:
        if self._frame is None:
            self._frame = self._library.ZstdDecompressor().decompressobj()
        try:
            self._unpacked = self._frame.decompress(self._packed)
        except self._library.ZstdError as error:
            raise _Damaged(error) from None
        self._packed = b""
        if self._frame.eof:
            self._packed, self._frame = self._frame.unused_data, None


def read_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """The rest of ``stream``, a block at a time."""
    while block := stream.read(BLOCK_BYTES):
        yield block


def check_encoding(encoding: str) -> str:
    """The decoder's name for ``encoding``; UTF-8 is read with or without a byte order mark."""
    try:
        with contextlib.suppress(UnicodeDecodeError):
            b"a".decode(encoding)
        name = codecs.lookup(encoding).name
    except LookupError:
        raise BadInput(
            "unknown encoding", where="--encoding", value=encoding, allowed="utf-8, cp1252, latin-1, utf-16, …"
        ) from None
    return "utf-8-sig" if name == "utf-8" else name


def decode_blocks(blocks: Iterable[bytes], encoding: str, where: str) -> Iterator[str]:
    """Bytes to text, block by block, with every kind of line end as a newline.

    Raises:
        BadInput: a byte that ``encoding`` does not have, with its line and place in the file.
    """
    name = check_encoding(encoding)
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(name)(), translate=True)
    line, fed = 1, 0
    try:
        for block in blocks:
            fed += len(block)
            text = decoder.decode(block)
            line += text.count("\n")
            yield text
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        place = fed - len(error.object) + error.start
        line += error.object[: error.start].decode(name, "ignore").count("\n")
        raise BadInput(
            f"not {encoding} text ({error.reason} at byte {place})",
            where=f"{where}:{line}",
            value=error.object[error.start : error.start + 1],
            next_step="name the encoding of the file, for example --encoding cp1252",
        ) from None


def read_text_blocks(path: str, encoding: str = "utf-8") -> Iterator[str]:
    """The text of one file, block by block."""
    with open_binary(path) as stream:
        yield from decode_blocks(read_blocks(stream), encoding, path)


def read_lines(path: str, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of one text file, each with its newline (which the last one may lack)."""
    rest: list[str] = []
    held, number = 0, 1
    for block in read_text_blocks(path, encoding):
        first, *more = block.split("\n")
        rest.append(first)
        held += len(first)
        if held > MAX_LINE_CHARS:
            raise BadInput(
                "a line too long", where=f"{path}:{number}", allowed=f"<= {MAX_LINE_CHARS} characters",
                next_step="is this a text file with line ends?",
            )  # fmt: skip
        for line in more:
            yield "".join(rest) + "\n"
            rest, number = [line], number + 1
        held = sum(map(len, rest)) if more else held
    if held:
        yield "".join(rest)
