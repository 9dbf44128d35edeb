"""Atomic writes of files and folders, what stands on the disk, JSON.

A file or folder is there as a whole or not at all, and open to whom the umask says. The user can do something about a
full disk, so for every writer it becomes a :class:`~warmstart.base.errors.BadInput` here.

A file is brought to the disk before it gets its name. The name itself stands on the disk once its folder is synced too
(:func:`sync_folder`); until then a loss of power may leave what was there before.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from warmstart.base.errors import BadInput, DiskFull

_UNWRITABLE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR,
    errno.EEXIST,
)  # fmt: skip
_UNSUPPORTED = (errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns 'no space left', 'read-only' and what else is wrong with a place into a :class:`BadInput` that names it."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(
                "no space left on the disk, and what was there before is as it was", where=str(path),
                next_step="free some space, then run the same command again",
            ) from error  # fmt: skip
        if error.errno in _UNWRITABLE:
            raise BadInput(
                f"cannot write here ({error.strerror})", where=str(path), next_step="choose another folder"
            ) from error
        raise


def write_atomic(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Calls ``write`` on a temporary file beside ``path``, syncs that file and renames it to ``path``.

    Whenever the process dies, ``path`` holds the old bytes or the new ones, never a part.
    """
    path = Path(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_name(path)
        try:
            with open(temporary, "xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _temporary_name(path: Path) -> Path:
    """A name beside ``path`` that nothing has; what is made under it has the mode that the umask gives."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


@contextlib.contextmanager
def mode_of_umask(path: Path) -> Iterator[None]:
    """Gives ``path`` the mode that any new file has, whatever the library that writes it in the block gives it."""
    path.touch()
    mode = path.stat().st_mode
    yield
    path.chmod(mode)


def write_bytes(path: Path, data: bytes) -> None:
    """Atomic write of ``data``."""
    write_atomic(path, lambda file: file.write(data))


def write_text(path: Path, text: str) -> None:
    """Atomic write of ``text`` as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Atomic write of ``value`` as indented JSON; NaN is an error, since JSON has none."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """What :func:`write_json` writes."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def read_json(path: Path) -> Any:
    """The JSON value in ``path``; a missing or broken file is a :class:`BadInput` that names it."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput("file not found", where=str(path), next_step="check the path") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(
            f"not a readable JSON file ({error})",
            where=str(path),
            next_step="restore it from a copy or create it again",
        ) from None


LFS_POINTER = b"version https://git-lfs"
"""How the file begins that Git LFS leaves in the place of a large one."""


def check_no_pointer(path: Path) -> None:
    """Refuses what Git LFS puts in the place of a file that is not fetched; what cannot be opened is left to others.

    A pipe is not opened: who writes into it would find that its reader has gone.
    """
    begin = b""
    with contextlib.suppress(OSError):
        if path.is_file():
            with open(path, "rb") as file:
                begin = file.read(len(LFS_POINTER))
    if begin == LFS_POINTER:
        raise BadInput(
            "the file itself is not here, only the pointer to it that Git LFS leaves", where=str(path),
            next_step="fetch it: git lfs pull",
        )  # fmt: skip


def check_free_space(path: Path, size: int) -> None:
    """Raises :class:`BadInput` if the disk of ``path`` has fewer than ``size`` bytes free."""
    existing = next(p for p in [path.absolute(), *path.absolute().parents] if p.exists())
    free = shutil.disk_usage(existing).free
    if free < size:
        raise BadInput(
            "too little space on the disk for what this writes", where=str(path), value=f"{free / 1e6:,.0f} MB free",
            allowed=f"at least {size / 1e6:,.0f} MB", next_step="free some space or choose another folder",
        )  # fmt: skip


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Waits until a file is on the disk, so that a loss of power cannot leave it empty."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk; one that knows no such thing (some of networks) has none."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Waits until all files in and below a folder are on the disk, and their names."""
    for place, _, names in os.walk(folder):
        for name in names:
            sync(Path(place, name))
        sync_folder(Path(place))


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it where they are missing, and brings their names to the disk."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)


@contextlib.contextmanager
def locked_folder(folder: Path, busy: BadInput | None) -> Iterator[None]:
    """Holds the lock of ``folder`` while the block runs; the lock goes with the process, however it ends.

    A disk that knows no locks of folders (some of networks) holds none.

    Raises:
        BadInput: ``busy``, where somebody else holds it; ``None`` waits until nobody does.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if busy is None else fcntl.LOCK_NB))
        except BlockingIOError as held:
            raise (busy or held) from None
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside ``target``: it becomes ``target`` when the block ends, and is removed after an error.

    All of it is on the disk before it has its name, and its name when this returns.
    """
    target = Path(target)
    with disk_errors(target):
        make_folder(target.parent)
        temporary = _temporary_name(target)
        temporary.mkdir()
        try:
            yield temporary
            sync_tree(temporary)
            _replace_folder(temporary, target)
            sync_folder(target.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _replace_folder(source: Path, target: Path) -> None:
    """Renames folder ``source`` to ``target``; an existing ``target`` is renamed first and removed last."""
    if not target.exists():
        os.replace(source, target)
        return
    backup = target.with_name(f".{target.name}.old")
    shutil.rmtree(backup, ignore_errors=True)
    os.replace(target, backup)
    os.replace(source, target)
    shutil.rmtree(backup, ignore_errors=True)
