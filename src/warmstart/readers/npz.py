"""Arrays of an ``.npz``: sizes that it declares are held to its bytes before memory is taken for them; no pickle is read."""

import math
import zipfile
import zlib
from typing import Any

from numpy.lib import format as npy
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.readers.text_io import RESTORE, open_binary

LARGE, MOST_TIMES = 100_000_000, 100
"""An array of more bytes than this may not be more than so many times its compressed form: it is no data but a bomb."""
_FAULTS = (
    OSError, ValueError, EOFError, KeyError, TypeError, SyntaxError, RuntimeError, MemoryError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip


def read_npz_arrays(path: str) -> dict[str, NDArray[Any]]:
    """Name → array.

    Raises:
        BadInput: no such file, a damaged one, an array of objects, or one that is not as large as it says.
    """
    with open_binary(path) as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                return {info.filename.removesuffix(".npy"): _array(archive, info) for info in archive.infolist()}
        except _FAULTS as error:
            raise BadInput(f"this .npz file cannot be read ({error})", where=path, next_step=RESTORE) from None


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    if info.file_size > max(LARGE, MOST_TIMES * info.compress_size):
        raise ValueError(f"{info.filename}: {info.file_size:,} bytes of {info.compress_size:,}")
    with archive.open(info) as file:
        read_header = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(file)
        declared, there = math.prod(shape) * dtype.itemsize, info.file_size - file.tell()
        if declared != there:
            raise ValueError(f"{info.filename}: an array of {declared:,} bytes, and {there:,} are there")
        file.seek(0)
        array: NDArray[Any] = npy.read_array(file)  # which reads no pickle unless it is told to
    return array
