"""Tar archives, such as the one that IMDB comes in: members are read one after the other, and nothing is extracted.

Links, sparse files and names that lead out of the archive are errors.
"""

import contextlib
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from warmstart.base.errors import BadInput
from warmstart.readers.text_io import RESTORE, archive_errors, open_binary, read_blocks

MAX_HEADER_BYTES = 1 << 20
"""Longest header: the library reads headers of long names into memory as a whole."""


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
        BadInput: a damaged archive, a link, an unsafe name, or no such member.
    """
    is_empty = True
    with (
        open_binary(path) as stream,
        _tar_errors(path),
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as archive,
    ):
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # the library keeps every header
            _check_member(member, path)
            if member.isfile() and _has_extension(member.name, extension):
                is_empty = False
                content = archive.extractfile(member)
                assert content is not None
                yield member.name, _blocks(content, path)
        for _ in read_blocks(stream):  # to the end, where the compression has its checksum
            pass
    if is_empty:
        raise BadInput(f"this archive has no {extension} file", where=path, allowed=f"a tar of {extension} files")


def _blocks(content: IO[bytes], path: str) -> Iterator[bytes]:
    # The caller reads these, outside the with blocks of read_members.
    with archive_errors(path), _tar_errors(path):
        yield from read_blocks(content)


@contextlib.contextmanager
def _tar_errors(path: str) -> Iterator[None]:
    try:
        yield
    except tarfile.TarError as error:
        raise BadInput(f"this tar archive cannot be read ({error})", where=path, next_step=RESTORE) from None


def _has_extension(name: str, extension: str) -> bool:
    name = PurePosixPath(name).name
    return name.lower().endswith(extension) and not name.startswith(".")


def _check_member(member: tarfile.TarInfo, path: str) -> None:
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
