"""Images: CIFAR-10 (Krizhevsky 2009), 60,000 of 32 x 32 pixels in ten classes."""

import re
from collections.abc import Iterator

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.readers.archives import read_members
from warmstart.readers.images import read_image_rows
from warmstart.readers.rows import Row
from warmstart.tasks.known.files import Folder, SplitReader

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BINARY, BINARY_TAR = "cifar-10-batches-bin", "cifar-10-binary.tar"
BATCHES = {"train": r"data_batch_\d\.bin", "test": r"test_batch\.bin"}
SIDE = 32


def _cifar10(name: str) -> SplitReader:
    """A part: the official binary files (the class and the red, green and blue plane of each image), else image files."""

    def part(folder: Folder) -> Iterator[Row]:
        if list(folder.subfolder(BINARY).path.glob("*.bin")) or folder.has(BINARY_TAR):
            return _binary(folder, BATCHES[name])
        if (folder.path / name).is_dir():
            return read_image_rows(str(folder.path), name)
        archive = folder.find(f"{name}.tar", "train_20k.tar" if name == "train" else "test_4k.tar")
        if archive is not None:
            return read_image_rows(str(archive), name)
        if (folder.path / "cifar10.npz").is_file():
            return read_image_rows(str(folder.path / "cifar10.npz"), name)
        raise folder.missing(BINARY_TAR, f"{name}.tar", folders=(BINARY, name))

    return part


def _binary(folder: Folder, pattern: str) -> Iterator[Row]:
    found = False
    for name, data in _files(folder):
        if re.search(rf"(?:^|[/:]){pattern}$", name):
            found = True
            yield from _records(name, data)
    if not found:
        raise folder.missing(BINARY_TAR, folders=(BINARY,))


def _files(folder: Folder) -> Iterator[tuple[str, bytes]]:
    if batches := sorted(folder.subfolder(BINARY).path.glob("*.bin")):
        for path in batches:
            yield str(path), path.read_bytes()
        return
    archive = folder.file(BINARY_TAR)
    for name, blocks in read_members(str(archive), extension=".bin"):
        yield f"{archive}:{name}", b"".join(blocks)


def _records(where: str, data: bytes) -> Iterator[Row]:
    size = 1 + 3 * SIDE * SIDE
    if len(data) % size:
        raise BadInput(
            "not a file of CIFAR-10", where=where, value=f"{len(data)} bytes", allowed=f"a multiple of {size}",
            next_step="fetch the file again",
        )  # fmt: skip
    table = np.frombuffer(data, np.uint8).reshape(-1, size)
    if len(table) and table[:, 0].max() >= len(CLASSES):
        raise BadInput("not a class of CIFAR-10", where=where, value=int(table[:, 0].max()), allowed="0 to 9")
    for number, line in enumerate(table, start=1):
        planes = line[1:].reshape(3, SIDE, SIDE)
        place = f"{where}:{number}"
        yield Row({"image": planes.transpose(1, 2, 0), "label": CLASSES[line[0]], "file": place}, place)


CIFAR10_SPLITS = {name: _cifar10(name) for name in BATCHES}
