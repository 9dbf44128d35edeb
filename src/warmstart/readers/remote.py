"""Files in other places, by their address: ``s3://``, ``gs://``, ``hf://``, ``https://`` and what else fsspec knows.

They are read as a stream, from start to end; nothing is copied to this machine. Behind the extra ``remote``.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from warmstart.base.errors import BadInput

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://")
_MAGIC = re.compile(r"[*?\[]")
INSTALL = "pip install 'warmstart[remote]'"


def is_remote(path: str) -> bool:
    """Whether a path is an address."""
    return _ADDRESS.match(path) is not None


@contextlib.contextmanager
def open_remote(path: str) -> Iterator[BinaryIO]:
    """The bytes at an address, as they are there.

    Raises:
        BadInput: nothing there, no access, a package that is missing, or (while the block reads) a connection that breaks.
    """
    system, inner = _file_system(path)
    with _remote_errors(path), system.open(inner, "rb") as stream:
        yield cast(BinaryIO, stream)


def list_remote(path: str) -> list[str]:
    """The addresses of a file, of all files below a folder, hidden ones left out, or of those that a glob names.

    Raises:
        BadInput: as :func:`open_remote`; nothing there.
    """
    system, inner = _file_system(path)
    begin = _MAGIC.split(inner)[0]
    with _remote_errors(path):
        if begin != inner:
            names = [name for name in system.glob(inner) if not system.isdir(name)]
        elif system.isdir(inner):
            names = system.find(inner)
        elif system.exists(inner):
            return [path]
        else:
            raise FileNotFoundError("nothing is there")
    return [str(system.unstrip_protocol(name)) for name in names if "/." not in name.removeprefix(begin.rstrip("/"))]


def _file_system(path: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise BadInput("reading addresses needs the fsspec package", where=path, next_step=INSTALL) from None
    try:
        with _remote_errors(path):
            system, inner = url_to_fs(path)
    except ImportError as error:
        raise BadInput(f"reading this address needs another package ({error})", where=path, next_step=INSTALL) from None
    except ValueError as error:
        raise BadInput(
            f"no such kind of address ({error})", where=path, allowed="s3://, gs://, hf://, https:// and what fsspec knows",
            next_step="check its beginning",
        ) from None  # fmt: skip
    return system, str(inner)


@contextlib.contextmanager
def _remote_errors(path: str) -> Iterator[None]:
    """Turns what a file system raises into a :class:`BadInput` that names the address."""
    try:
        yield
    except FileNotFoundError:
        raise BadInput("nothing is at this address", where=path, next_step="check it") from None
    except OSError as error:
        raise BadInput(
            f"cannot be read ({error.strerror or error})",
            where=path,
            next_step="check the connection and who may read it",
        ) from None
