"""What a loss of power may leave of a folder: only what was synced is sure to be there.

A :class:`Recorder` listens to the fsync calls of a process: a file's bytes, and the names in a folder, are on the disk once
they were synced, and no earlier. :func:`lose_power` then makes the folder what a disk may hold after the process has died:
each name and each file as it was last synced, as it was in memory, or, of bytes, something in between.
"""

import json
import os
import random
import shutil
import stat
from pathlib import Path

Names = dict[str, tuple[int, bool]]
"""Name in a folder → number of its inode, and whether that is a folder."""


class Recorder:
    """Notes what is on the disk, in the folder ``store`` beside ``root``; what is there at first is on the disk."""

    def __init__(self, root: Path, store: Path) -> None:
        """Begins to listen, for the life of this process."""
        self._device = root.stat().st_dev
        self._files, self._folders, self._held = store / "files", store / "folders", store / "held"
        for path in (self._files, self._folders, self._held):
            path.mkdir(parents=True)
        for place, _, names in os.walk(root):
            for path in (Path(place), *(Path(place, name) for name in names)):
                descriptor = os.open(path, os.O_RDONLY)
                self._note(descriptor)
                os.close(descriptor)
        fsync = os.fsync

        def noted(descriptor: int) -> None:
            fsync(descriptor)
            self._note(descriptor)

        os.fsync = noted

    def _note(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            names = {entry.name: (entry.inode(), entry.is_dir()) for entry in os.scandir(descriptor)}
            _replace(self._folders / str(found.st_ino), json.dumps(names).encode())
            os.dup(descriptor)  # as long as it is open its number is not given to another
            return
        place = f"/proc/self/fd/{descriptor}"
        held = self._held / str(found.st_ino)
        if not held.exists():
            os.link(os.readlink(place), held)
        with open(held, "rb") as file:
            _replace(self._files / str(found.st_ino), file.read())


def _replace(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


def lose_power(root: Path, store: Path, rng: random.Random) -> None:
    """Makes ``root`` what a disk may hold of it."""
    image = store / "image"
    current = {}
    for place, _, _ in os.walk(root):
        current[os.stat(place).st_ino] = Path(place)
    _folder(root.stat().st_ino, image, store, current, rng)
    shutil.rmtree(root)
    image.rename(root)


def _folder(number: int, target: Path, store: Path, current: dict[int, Path], rng: random.Random) -> None:
    synced, now = _synced_names(store, number), _names(current.get(number))
    target.mkdir()
    whole = rng.choice((synced, now, None))
    for name in sorted({*synced, *now}):
        entry = (rng.choice((synced, now)) if whole is None else whole).get(name)
        if entry is None:
            continue
        inode, is_folder = entry
        if is_folder:
            _folder(inode, target / name, store, current, rng)
        else:
            path = None if number not in current else current[number] / name
            (target / name).write_bytes(_bytes(inode, path, store, rng))


def _synced_names(store: Path, number: int) -> Names:
    path = store / "folders" / str(number)
    return (
        {name: (entry[0], entry[1]) for name, entry in json.loads(path.read_bytes()).items()} if path.exists() else {}
    )


def _names(path: Path | None) -> Names:
    return {} if path is None else {entry.name: (entry.inode(), entry.is_dir()) for entry in os.scandir(path)}


def _bytes(inode: int, path: Path | None, store: Path, rng: random.Random) -> bytes:
    """The bytes of a file: as they were synced and, of what came after, nothing, all or a part."""
    synced, held = store / "files" / str(inode), store / "held" / str(inode)
    known = synced.read_bytes() if synced.exists() else b""
    now = known
    if held.exists():
        now = held.read_bytes()
    elif path is not None and path.is_file() and path.stat().st_ino == inode:
        now = path.read_bytes()
    if not now.startswith(known):
        return rng.choice((known, now))
    rest = now[len(known) :]
    return known + rng.choice((b"", rest, rest[: rng.randint(0, len(rest))], bytes(len(rest))))
