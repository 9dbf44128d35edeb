"""Arrays of an ``.npz``: NumPy's own writer as witness; what lies about its size takes no memory."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from warmstart.base.errors import BadInput
from warmstart.readers.npz import read_npz_arrays


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_arrays_are_what_numpy_wrote(write: object, tmp_path: Path) -> None:
    """Witness: NumPy's writer; an order of columns, no numbers at all, texts, a scalar."""
    wanted = {
        "a": np.arange(12.0).reshape(3, 4).T, "none": np.zeros((0, 5)), "words": np.array(["a", "naïve"]),
        "one": np.array(3),
    }  # fmt: skip
    assert callable(write)
    write(tmp_path / "a.npz", **wanted)
    found = read_npz_arrays(str(tmp_path / "a.npz"))
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


def write_member(path: Path, data: bytes, compression: int = zipfile.ZIP_STORED) -> str:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x.npy", data)
    return str(path)


def header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize("shape", [(10**12,), (2,), (-1,)])
def test_a_size_that_is_not_there_is_refused_before_memory_is_taken(shape: tuple[int, ...], tmp_path: Path) -> None:
    """Witness: tracemalloc; eight bytes, declared as terabytes, as sixteen bytes, as less than none."""
    path = write_member(tmp_path / "a.npz", header(shape) + bytes(8))
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match=r"this \.npz file cannot be read"):
            read_npz_arrays(path)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    """Witness: 160 MB of zeros, which take 160 kB."""
    path = write_member(tmp_path / "a.npz", header((20_000_000,)) + bytes(160_000_000), zipfile.ZIP_DEFLATED)
    assert Path(path).stat().st_size < 200_000
    with pytest.raises(BadInput, match="160,000,"):
        read_npz_arrays(path)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    """Witness: an object whose loading would leave a file."""
    np.savez(tmp_path / "a.npz", x=np.array([Trap(str(tmp_path / "sprung"))], dtype=object))
    with pytest.raises(BadInput, match=r"this \.npz file cannot be read"):
        read_npz_arrays(str(tmp_path / "a.npz"))
    assert not (tmp_path / "sprung").exists()


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")
