"""Our own kernels, where they were built and the processor can run them.

Those of kernels.c are for a few rows against much memory, that of tiles.c for float32 rows by AMX, which has bfloat16 only;
these are for inference: no gradients. Those of texts.c are for many short texts, in training too, those of passes.c for
passes over much memory (:mod:`~warmstart.models.passes`), those of cells.c for LSTMs (:mod:`~warmstart.models.cells`).

They are built when the package is installed and gcc is at hand; without them, or on another processor, callers take
torch's. What is computed is the same but for rounding.

Shapes: D width and O columns of a product; those of a table of keys and values are in :mod:`warmstart.models.beam_cache`.
"""

import ctypes
import functools
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from warmstart.base.arrays import Ints

Gelu = Literal["", "none", "tanh"]
EVEN = 32  # divides the width of a head that can be read, and that of a product
KEYS = 16  # columns of a table that are read together
_EVEN_HEAD = 16  # divides the width of a head of short texts
_VERSION = 2  # of what the functions are given; kernels.c says the same
_COLUMNS = 48  # of a weight, that lie together
_GELU: dict[Gelu, int] = {"": 0, "none": 1, "tanh": 2}


def onednn_has_bf16() -> bool:
    """Whether oneDNN multiplies bf16 here; the processor alone does not say it: ``ONEDNN_MAX_CPU_ISA`` may forbid it."""
    return bool(torch._C._has_mkldnn and torch.ops.mkldnn._is_mkldnn_bf16_supported())


_POINTER, _SIZE, _NUMBER = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
_ARGUMENTS = {
    "warmstart_kernels": {
        "warmstart_product": [*[_POINTER] * 4, *[_SIZE] * 3, *[_NUMBER] * 3],
        "warmstart_read": [*[_POINTER] * 7, ctypes.c_float, _NUMBER],
    },
    "warmstart_tiles": {"warmstart_split_product": [*[_POINTER] * 4, *[_SIZE] * 3, *[_NUMBER] * 4]},
    "warmstart_texts": {
        "warmstart_attend": [
            *[_POINTER] * 5,
            *[_SIZE] * 4,
            *[ctypes.c_float] * 2,
            ctypes.c_uint64,
            *[_NUMBER] * 4,
        ],
    },
    "warmstart_passes": {
        "warmstart_adam": [
            *[_POINTER] * 6,
            *[_SIZE] * 2,
            *[ctypes.c_float] * 2,
            *[ctypes.c_double] * 2,
            *[ctypes.c_float] * 3,
            *[_NUMBER] * 3,
        ],
        "warmstart_gelu": [*[_POINTER] * 3, _SIZE, *[_NUMBER] * 4],
        "warmstart_squares": [_POINTER, _SIZE, _NUMBER],
        "warmstart_drop": [
            *[_POINTER] * 3,
            _SIZE,
            *[ctypes.c_uint32] * 2,
            _NUMBER,
            ctypes.c_float,
            *[_NUMBER] * 2,
        ],
    },
    "warmstart_cells": {
        "warmstart_cells_forward": [*[_POINTER] * 5, *[_SIZE] * 2, ctypes.c_float, *[_NUMBER] * 2],
        "warmstart_cells_backward": [*[_POINTER] * 6, *[_SIZE] * 2, ctypes.c_float, *[_NUMBER] * 2],
    },
}
"""Of each file the function that gives its version, and what its kernels are given."""
_RESULTS = {"warmstart_squares": ctypes.c_double}
"""What a kernel gives that is no whole number."""
_OF_BF16 = ("warmstart_kernels", "warmstart_tiles")
_VECTORS = {"AVX512": 1, "AVX2": 0}
"""Of torch's names of processors, whether its vectors have 512 bits; ``ATEN_CPU_CAPABILITY`` may say a lesser one."""
FLOATING = (torch.float32, torch.bfloat16)
"""What the kernels for training take."""


def wide_vectors() -> int | None:
    """Whether the vectors of this processor have 512 bits, or 256; ``None`` where it has neither."""
    return _VECTORS.get(torch.backends.cpu.get_cpu_capability())


@functools.cache
def library(version: str = "warmstart_kernels") -> Any:
    """The kernels of one file, by the function that gives its version, or ``None`` where they cannot be used."""
    if version in _OF_BF16 and not onednn_has_bf16():  # so that one variable emulates another processor for all
        return None
    path = Path(__file__).with_name(f"_kernels{sysconfig.get_config_var('EXT_SUFFIX')}")
    try:
        found = ctypes.CDLL(str(path))
        if found[version]() != _VERSION:
            return None
    except (OSError, AttributeError):  # not built, or something else
        return None
    for name, arguments in _ARGUMENTS[version].items():
        getattr(found, name).argtypes = arguments
        getattr(found, name).restype = _RESULTS.get(name, _NUMBER)
    return found


def usable(dtype: torch.dtype, device: torch.device, width: int) -> bool:
    """Whether tensors of this kind can be given to the kernels of bfloat16 numbers."""
    return dtype == torch.bfloat16 and device.type == "cpu" and width % EVEN == 0 and library() is not None


def splits(dtype: torch.dtype, device: torch.device, width: int) -> bool:
    """Whether tensors of this kind can be given to :func:`split_product`."""
    fits = dtype == torch.float32 and device.type == "cpu" and width % EVEN == 0
    return fits and library("warmstart_tiles") is not None


def reads_texts(dtype: torch.dtype, device: torch.device, width: int) -> bool:
    """Whether :func:`attend_texts` can be given queries, keys and values of this kind, ``width`` wide in each head."""
    fits = dtype in FLOATING and device.type == "cpu" and width % _EVEN_HEAD == 0
    return fits and wide_vectors() is not None and library("warmstart_texts") is not None


class Texts(NamedTuple):
    """The texts of a Batch: [B] where each begins, how many tokens it has; whether these read only what came before."""

    starts: Ints
    lengths: Ints
    causal: bool


def attend_texts(
    out: torch.Tensor, qkv_N3D: torch.Tensor, grad_ND: torch.Tensor | None, texts: Texts, heads: int, dropout: float,
    key: int,
) -> torch.Tensor:  # fmt: skip
    """Fills ``out`` [N, D] with softmax(q·kᵀ/√K)·v inside each text, or with ``grad_ND`` by it [N, 3·D] with the gradient.

    Rows that are of no text stay as they are. All tensors lie in one piece and are of one kind.

    Args:
        out: what is written.
        qkv_N3D: the joint projection, queries first.
        grad_ND: the gradient of what was read, on the way back.
        texts: whose numbers lie in one piece each.
        heads: H.
        dropout: share of the weights that are set to 0.
        key: names which; the same there and back.
    """
    width = qkv_N3D.shape[1] // (3 * heads)
    pointers = (qkv_N3D.data_ptr(), None if grad_ND is None else grad_ND.data_ptr(), out.data_ptr())
    starts, lengths, causal = texts
    numbers = (starts.ctypes.data, lengths.ctypes.data, len(lengths), heads, width, int(lengths.max()))
    kind = (causal, out.dtype == torch.bfloat16, wide_vectors())
    fine = library("warmstart_texts").warmstart_attend(
        *pointers, *numbers, width**-0.5, dropout, key, *kind, torch.get_num_threads()
    )
    if not fine:
        raise MemoryError
    return out


def product(
    weight_OD: torch.Tensor, bias_O: torch.Tensor | None, gelu: Gelu = "", *, single: bool = False
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The product with a weight that is copied, x […, D] → x·weightᵀ + bias, […, O]; ``single`` gives float32.

    With ``gelu`` (``none``: exact, ``tanh``) that is applied to it.
    """
    columns, width = weight_OD.shape
    packed = _pack_weight(weight_OD.detach())
    bias = None if bias_O is None else bias_O.detach().float().contiguous()
    run, dtype = library().warmstart_product, torch.float32 if single else torch.bfloat16

    def multiply(x: torch.Tensor) -> torch.Tensor:
        if x.dtype != torch.bfloat16 or x.shape[-1] != width:
            raise ValueError(f"a product of bfloat16 rows of {width} numbers is given {x.dtype} {tuple(x.shape)}")
        x, out = x.contiguous(), torch.empty(*x.shape[:-1], columns, dtype=dtype, device="cpu")
        biases = None if bias is None else bias.data_ptr()
        run(
            x.data_ptr(), packed.data_ptr(), biases, out.data_ptr(), x.numel() // width, width, columns, _GELU[gelu],
            single, torch.get_num_threads(),
        )  # fmt: skip
        return out

    return multiply


def split_product(
    weight_OD: torch.Tensor, bias_O: torch.Tensor | None, gelu: Gelu = "", halves: Literal[1, 2] = 2,
    out: torch.dtype = torch.float32,
) -> Callable[[torch.Tensor], torch.Tensor]:  # fmt: skip
    """:func:`product` of float32 numbers, each split into two of bfloat16, to about 5e-6 of the largest result.

    Of one of its ``halves`` numbers are rounded to bfloat16 for the product, whose sums are float32; x may be so already.
    ``out`` is what the result is rounded to.
    """
    columns, width = weight_OD.shape
    packed = _pack_halves(weight_OD.detach(), halves)
    bias = None if bias_O is None else bias_O.detach().float().contiguous()
    run, taken = library("warmstart_tiles").warmstart_split_product, FLOATING[: 3 - halves]

    def multiply(x: torch.Tensor) -> torch.Tensor:
        if x.dtype not in taken or x.shape[-1] != width:
            raise ValueError(f"a product of float32 rows of {width} numbers is given {x.dtype} {tuple(x.shape)}")
        x, found = x.contiguous(), torch.empty(*x.shape[:-1], columns, dtype=out, device="cpu")
        pointers = (x.data_ptr(), packed.data_ptr(), None if bias is None else bias.data_ptr(), found.data_ptr())
        half = (x.dtype == torch.bfloat16) + 2 * (out == torch.bfloat16)
        sizes = (x.numel() // width, width, columns, halves, half, _GELU[gelu])
        if not run(*pointers, *sizes, torch.get_num_threads()):
            raise MemoryError
        return found

    return multiply


def _pack_halves(weight_OD: torch.Tensor, halves: Literal[1, 2]) -> torch.Tensor:
    """[O / 32, D / 32, halves, 2, 16, 16, 2] high and low halves, 16 pairs of 16 columns each, filled up with zeros."""
    columns, width = weight_OD.shape
    whole = torch.zeros(-(-columns // EVEN) * EVEN, width, device="cpu")
    whole[:columns] = weight_OD
    high = whole.bfloat16()
    split = torch.stack([high, (whole - high.float()).bfloat16()][:halves])
    return split.view(halves, -1, 2, 16, width // EVEN, 16, 2).permute(1, 4, 0, 2, 5, 3, 6).contiguous()


def _pack_weight(weight_OD: torch.Tensor) -> torch.Tensor:
    """[O / 48, D / 2, 48] pairs: those of 48 columns beside each other, the last block filled up with zeros."""
    weight_OD = weight_OD.contiguous()
    pairs = (weight_OD.clone() if weight_OD.storage_offset() % 2 else weight_OD).view(torch.int32)
    columns, width = pairs.shape
    whole, left = divmod(columns, _COLUMNS)
    packed = torch.empty(whole + (left > 0), width, _COLUMNS, dtype=torch.int32, device="cpu")
    packed[:whole] = pairs[: columns - left].view(whole, _COLUMNS, width).transpose(1, 2)
    if left:
        packed[whole, :, :left], packed[whole, :, left:] = pairs[columns - left :].T, 0
    return packed


def read(
    q_BHTK: torch.Tensor, kv_BN2GK: torch.Tensor, table: torch.Tensor, places_BN: torch.Tensor, bias_BHTC: torch.Tensor
) -> torch.Tensor:
    """[B, H, T, K] softmax(q·keysᵀ/√K + bias)·values of a table, after new keys and values were put to their places in it.

    The table [2, B, G, C, K] has its own order of keys within each ``KEYS`` columns; C is a multiple of these: only this
    function reads and writes it. It begins as zeros. Table and places lie in one piece, the bias in rows (:func:`in_rows`).
    """
    count, heads, asking, width = q_BHTK.shape
    groups, columns = table.shape[2:4]
    q, kv, bias = in_rows(q_BHTK), in_rows(kv_BN2GK), bias_BHTC
    if {x.dtype for x in (q, kv, table, bias)} != {torch.bfloat16} or bias.shape != (count, heads, asking, columns):
        raise ValueError(f"reading {tuple(table.shape)} in bfloat16 with a bias of {bias.dtype} {tuple(bias.shape)}")
    out = torch.empty(count, asking, heads, width, dtype=q.dtype, device="cpu")
    numbers = (
        *(count, heads, groups, columns, width, asking, kv.shape[1]),
        *q.stride()[:3], *kv.stride()[:4], *bias.stride()[:3],
    )  # fmt: skip
    pointers = (x.data_ptr() for x in (q, kv, table, places_BN, bias, out))
    library().warmstart_read(*pointers, (ctypes.c_long * len(numbers))(*numbers), width**-0.5, torch.get_num_threads())
    return out.transpose(1, 2)


def in_rows(x: torch.Tensor) -> torch.Tensor:
    """With its last axis in one piece."""
    return x if x.stride(-1) == 1 else x.contiguous()
