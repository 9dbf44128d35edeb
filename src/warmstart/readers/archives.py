"""Tar archives of text files, as IMDB is distributed: members are streamed one after the other, nothing is extracted.

Links, sparse files and names that lead out of the archive are refused.
"""

import contextlib
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from warmstart.base.errors import BadInput
from warmstart.readers.text_io import archive_errors, open_binary, read_blocks

MAX_HEADER_BYTES = 1 << 20
"""Bytes of a long-name or extended header, which the library reads into memory whole."""


class _Member(tarfile.TarInfo):
    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        member = super().frombuf(buf, encoding, errors)
        if member.type not in tarfile.REGULAR_TYPES and member.size > MAX_HEADER_BYTES:
            raise tarfile.TarError(f"a header of {member.size} bytes")
        return member


def read_members(path: str, extension: str = ".txt") -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and blocks of bytes of each member with that extension, in the archive's order; read each before the next.

    Args:
        path: the archive.
        extension: of the members to read, in small letters; empty for every file.

    Raises:
        BadInput: a broken archive, a link, an unsafe name, or no such member.
    """
    found = False
    with (
        open_binary(path) as stream,
        _damage_named(path),
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as archive,
    ):
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # the library keeps every header it has met
            _check(member, path)
            if member.isfile() and _wanted(member.name, extension):
                found = True
                content = archive.extractfile(member)
                assert content is not None
                yield member.name, _blocks(content, path)
        for _ in read_blocks(stream):  # to the end, where the packing keeps its checksum
            pass
    if not found:
        raise BadInput(f"no {extension} file in this archive", where=path, allowed=f"a tar of {extension} files")


def _blocks(content: IO[bytes], path: str) -> Iterator[bytes]:
    # Read by the caller, so outside the blocks that :func:`read_members` opened.
    with archive_errors(path), _damage_named(path):
        yield from read_blocks(content)


@contextlib.contextmanager
def _damage_named(path: str) -> Iterator[None]:
    try:
        yield
    except tarfile.TarError as error:
        raise BadInput(
            f"not a readable tar archive ({error})", where=path, next_step="fetch or make the file again"
        ) from None


def _wanted(name: str, extension: str) -> bool:
    name = PurePosixPath(name).name
    return name.lower().endswith(extension) and not name.startswith(".")


def _check(member: tarfile.TarInfo, path: str) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        kind = "a name that leads out of the archive"
    elif not (member.isfile() or member.isdir()) or member.issparse():
        kind = "a link, a device or a sparse file"
    else:
        return
    raise BadInput(
        f"the archive holds {kind}", where=path, value=member.name, allowed="plain files and folders",
        next_step="take it out of the archive",
    )  # fmt: skip
