"""Reads a path, an address or ``-`` for standard input as bytes, text or lines; each error names file and line.

Files that end in ``.gz`` or ``.zst`` are decompressed. Decoding is strict, and a byte order mark is dropped. A line ends at
LF or CRLF, which both become a newline, and nowhere else: a carriage return, a form feed or U+2028 inside a line belongs to
its text. All functions stream: their memory does not grow with the file.
"""

import codecs
import contextlib
import gzip
import io
import os
import select
import sys
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from warmstart.base.errors import BadInput, suggest
from warmstart.base.files import check_no_pointer
from warmstart.readers.remote import is_remote, open_remote

STDIN = "-"
RESTORE = "download or create the file again"
BLOCK_BYTES = 1 << 18
"""Bytes that one read asks for."""
MAX_LINE_CHARS = 1 << 26
"""Longest line: a file without line ends must not fill the memory."""

_COMPRESSED = (".gz", ".zst")
_BINARY = {
    b"\x1f\x8b": "it begins as gzip does: give it a name that ends in .gz",
    b"\x28\xb5\x2f\xfd": "it begins as zstd does: give it a name that ends in .zst",
    b"BZh": "it begins as bzip2 does: unpack it, bunzip2 -k",
    b"\xfd7zXZ": "it begins as xz does: unpack it, xz -dk",
    b"PAR1": "it begins as Parquet does: name the format, --format parquet",
    b"PK\x03\x04": "it begins as a ZIP archive or a spreadsheet does: unpack it, or export it as CSV",
    b"\xd0\xcf\x11\xe0": "it begins as an old spreadsheet does: export it as CSV",
}
"""First bytes of files that are often taken for text → what to do."""
_GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)


class _ZstdDamage(Exception):
    """Zstd data that end early or are no zstd data."""


def split_extensions(path: str) -> tuple[str, str]:
    """The extension of the format and that of the compression: ``corpus.JSONL.gz`` → ``(".jsonl", ".gz")``."""
    stem, last = os.path.splitext(os.path.basename(path).lower())
    if last == ".tgz":
        return ".tar", ".gz"
    return (os.path.splitext(stem)[1], last) if last in _COMPRESSED else (last, "")


@contextlib.contextmanager
def open_binary(path: str) -> Iterator[BinaryIO]:
    """The decompressed bytes of ``path``, as a stream to read from start to end.

    Raises:
        BadInput: no such file, a folder, a file that cannot be read, or (while the block reads) damaged compression.
    """
    compression = split_extensions(path)[1]
    with contextlib.ExitStack() as stack:
        stack.enter_context(archive_errors(path))
        raw = sys.stdin.buffer if path == STDIN else stack.enter_context(open_raw(path))
        if compression == ".gz":
            yield stack.enter_context(cast(BinaryIO, gzip.GzipFile(fileobj=raw)))
        elif compression == ".zst":
            yield stack.enter_context(cast(BinaryIO, io.BufferedReader(_Zstd(raw), BLOCK_BYTES)))
        else:
            yield raw


@contextlib.contextmanager
def archive_errors(path: str) -> Iterator[None]:
    """Turns what gzip and zstd raise for damaged data into a :class:`BadInput` that names ``path``."""
    try:
        yield
    except (*_GZIP_ERRORS, _ZstdDamage) as error:
        raise BadInput(
            f"the compressed file is cut short or damaged ({error})", where=path, next_step=RESTORE
        ) from None


def open_raw(path: str) -> contextlib.AbstractContextManager[BinaryIO]:
    """The bytes of a file or at an address, compressed as they are.

    Raises:
        BadInput: as :func:`open_binary`.
    """
    return open_remote(path) if is_remote(path) else _open_file(path)


def _open_file(path: str) -> BinaryIO:
    step = "check the path"
    check_no_pointer(Path(path))
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
    """Decompresses zstd frames; unlike the library's own reader it notices data that end early."""

    def __init__(self, raw: BinaryIO) -> None:
        try:
            import zstandard
        except ImportError:
            raise BadInput(
                "reading .zst needs the zstandard package", next_step="pip install 'warmstart[zstd]'"
            ) from None
        self._raw, self._library = raw, zstandard
        self._frame: Any = None
        self._compressed = self._decompressed = b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._decompressed:
            # 4 KiB at a time, since these may already decompress to a hundred megabytes.
            self._compressed = self._compressed or self._raw.read(1 << 12)
            if not self._compressed:
                if self._frame is not None:
                    raise _ZstdDamage("it ends inside a frame")
                return 0
            self._decompress()
        count = min(len(target), len(self._decompressed))
        target[:count] = self._decompressed[:count]
        self._decompressed = self._decompressed[count:]
        return count

    def _decompress(self) -> None:
        if self._frame is None:
            self._frame = self._library.ZstdDecompressor().decompressobj()
        try:
            self._decompressed = self._frame.decompress(self._compressed)
        except self._library.ZstdError as error:
            raise _ZstdDamage(error) from None
        self._compressed = b""
        if self._frame.eof:
            self._compressed, self._frame = self._frame.unused_data, None


def read_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """The rest of ``stream``, block by block."""
    while block := stream.read(BLOCK_BYTES):
        yield block


def check_encoding(encoding: str) -> str:
    """The decoder's name for ``encoding``; that of UTF-8 accepts a byte order mark.

    Raises:
        BadInput: Python has no such encoding.
    """
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
    """The text of blocks of bytes, block by block; CRLF becomes a newline, a carriage return alone stays as it is.

    Where UTF-8 is expected and the first bytes are the byte order mark of UTF-16, the text is UTF-16.

    Raises:
        BadInput: a byte that is none of ``encoding``, with its line and its place in the file; a text that should be UTF-8
            and begins as UTF-16 without a byte order mark does, or as zeroed blocks of a disk do.
    """
    name = check_encoding(encoding)
    line, num_bytes = 1, 0
    held = ""  # a carriage return at the end of a block: the next may begin with its line feed
    first, rest = _split_first(blocks)
    if name == "utf-8-sig" and first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = "utf-16"  # no UTF-8 begins so
    elif name == "utf-8-sig" and 0 in first[:2]:
        raise BadInput("not utf-8 text (a zero among its first two bytes)", where=where, next_step=_zeros_step(first))
    decoder = codecs.getincrementaldecoder(name)()
    try:
        for block in chain([first], rest):
            num_bytes += len(block)
            text = held + decoder.decode(block)
            held = "\r" if text.endswith("\r") else ""
            line += text.count("\n")
            yield text.removesuffix("\r").replace("\r\n", "\n")
        yield held + decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        place = num_bytes - len(error.object) + error.start
        line += error.object[: error.start].decode(name, "ignore").count("\n")
        raise BadInput(
            f"not {encoding} text ({error.reason} at byte {place})",
            where=f"{where}:{line}",
            value=error.object[error.start : error.start + 1],
            next_step=_what_it_is(first) or "set the encoding of the file, for example --encoding cp1252",
        ) from None


def _what_it_is(first: bytes) -> str:
    """What to do with a file that begins as no text does; empty for any other."""
    return next((step for start, step in _BINARY.items() if first.startswith(start)), "")


def _zeros_step(first: bytes) -> str:
    """What to do with a file that has a zero among its first two bytes."""
    if not any(first[:2]):
        return RESTORE
    end = "be" if first[0] == 0 else "le"
    return f"it may be UTF-16 without a byte order mark: --encoding utf-16-{end}"


def _split_first(blocks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first block, and the others; of at least two bytes, where there are so many."""
    rest = iter(blocks)
    first = next(rest, b"")
    while len(first) == 1 and (more := next(rest, b"")):
        first += more
    return first, rest


def read_arriving_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """The rest of ``stream``, each block as soon as there is anything.

    It waits outside of the stream's own lock, so that a program may end while a thread waits here.
    """
    read: Any = getattr(stream, "read1", stream.read)
    while True:
        with contextlib.suppress(OSError, ValueError):  # a stream in memory has no descriptor to wait for
            select.select([stream.fileno()], [], [])
        block = read(BLOCK_BYTES)
        if not block:
            return
        yield block


def read_text_blocks(path: str, encoding: str = "utf-8") -> Iterator[str]:
    """The text of one file, block by block; of standard input as it comes."""
    with open_binary(path) as stream:
        blocks = read_arriving_blocks(stream) if path == STDIN else read_blocks(stream)
        yield from decode_blocks(blocks, encoding, path)


def read_lines(path: str, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of one text file, each with its newline (which the last one may lack).

    Raises:
        BadInput: a file that cannot be read, a line that is too long, or lines that end at carriage returns alone.
    """
    parts: list[str] = []  # of the line that is not complete yet
    num_chars, number = 0, 1
    for block in read_text_blocks(path, encoding):
        first, *more = block.split("\n")
        parts.append(first)
        num_chars += len(first)
        if num_chars > MAX_LINE_CHARS:
            raise BadInput(
                "this line is too long", where=f"{path}:{number}", allowed=f"<= {MAX_LINE_CHARS} characters",
                next_step="is this a text file with line ends?",
            )  # fmt: skip
        for line in more:
            yield "".join(parts) + "\n"
            parts, number = [line], number + 1
        num_chars = sum(map(len, parts)) if more else num_chars
    if num_chars:
        last = "".join(parts)
        if number == 1 and last.rstrip("\r").count("\r") > 1:
            raise BadInput(
                "the lines of this file end at carriage returns alone", where=path, allowed="LF or CRLF",
                next_step=f"convert them: tr '\\r' '\\n' < {path}",
            )  # fmt: skip
        yield last
