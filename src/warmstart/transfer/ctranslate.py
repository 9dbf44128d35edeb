"""A model for CTranslate2, a fast engine for CPUs and GPUs: made by its own converter, and then compared with ours.

The converter knows an architecture by the class of its config, and some of what a config says it does not read (the eps of a
norm, a bias of the softmax); what it made is therefore run on rows of random tokens before anybody relies on it. A left-to-
right language model becomes a ``Generator``, a bidirectional model an ``Encoder`` with its last states and, of BERT, the
pooler's. Heads of tasks have no place there. Behind the extra ``ctranslate2``.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, write_json
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.models.model import Model

LENGTHS = (1, 7, 12, 5)  # tokens of the rows that both read
TOLERANCE = 1e-3
"""How far a number may be from ours, of the largest one."""


def export_ctranslate2(model: Model, source: Path, folder: Path) -> float:
    """Writes ``model.bin``, ``config.json`` and the vocabulary into ``folder``.

    Args:
        model: float32, in evaluation mode.
        source: the same model as a folder that ``transformers`` loads, with its tokenizer.
        folder: exists.

    Returns:
        How far the engine's numbers were from ours, of the largest one.

    Raises:
        BadInput: the packages are missing, the engine has no such architecture, or does not compute what this model does.
    """
    if model.settings.backbone.two_stacks:
        raise BadInput(
            "an encoder-decoder is not written for CTranslate2 here", where="--to", value="ctranslate2", allowed="--to hf",
            next_step="give the folder of --to hf to ct2-transformers-converter",
        )  # fmt: skip
    converters = _import()
    inner, config = folder / "ctranslate2", read_json(source / "config.json")
    write_json(source / "config.json", {"position_embedding_type": "absolute"} | config)  # which its converter asks for
    try:
        with _quiet():
            converters.TransformersConverter(str(source)).convert(str(inner))
    except (ValueError, AttributeError, KeyError, AssertionError, NotImplementedError, RuntimeError) as error:
        said = str(error).strip().split("\n")[0] or type(error).__name__
        raise _refused(f"its converter says: {said}") from error
    _name_all_tokens(inner)
    far = _distance(model, inner)
    if not far <= TOLERANCE:
        raise _refused(f"what it made differs from this model by {far:.2g} of its largest number")
    for path in inner.iterdir():
        shutil.move(path, folder / path.name)
    inner.rmdir()
    return far


def _import() -> Any:
    try:
        import transformers  # noqa: F401  (the converter reads the folder with it)
        from ctranslate2 import converters
    except ImportError:
        raise BadInput(
            "writing for CTranslate2 needs other packages", where="--to", value="ctranslate2",
            next_step="pip install 'warmstart[ctranslate2]'",
        ) from None  # fmt: skip
    return converters


def _refused(why: str) -> BadInput:
    return BadInput(
        f"CTranslate2 does not take this model ({why})", where="--to", value="ctranslate2", allowed="--to hf, --to onnx",
        next_step="see docs/transfer.md for what it takes",
    )  # fmt: skip


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars and reports of ``transformers``, which says that a head is missing where none is wanted."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        logging.enable_progress_bar()


def _name_all_tokens(folder: Path) -> None:
    """Of a vocabulary without a token for what is unknown, such as one of bytes, the engine reads no file without this."""
    config, [name] = read_json(folder / "config.json"), folder.glob("vocabulary.*")
    first = read_json(name)[0] if name.suffix == ".json" else name.read_text(encoding="utf-8").split("\n")[0]
    named = config.get("eos_token") or config.get("bos_token") or first
    tokens = {key: named for key, value in config.items() if key.endswith("_token") and value is None}
    write_json(folder / "config.json", config | tokens)


def _distance(model: Model, folder: Path) -> float:
    """The greatest difference between the engine's numbers and ours, logits or states, of the largest of ours."""
    draw = np.random.default_rng(0)
    longest = model.settings.backbone.max_length
    rows = [draw.integers(0, model.settings.backbone.vocab_size, min(length, longest)) for length in LENGTHS]
    read = _read_both_ways if model.settings.backbone.sight == "full" else _read_left_to_right
    distances = [
        float((found[: len(wanted)] - wanted).abs().max() / wanted.abs().max())
        for found, wanted in zip(*read(model, rows, str(folder)), strict=True)
    ]
    return max(distances)


def _read_left_to_right(model: Model, rows: list[Any], folder: str) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """[T, V] logits of each row, theirs and ours."""
    import ctranslate2

    generator = ctranslate2.Generator(folder, compute_type="float32")
    ours = [model.backbone(collate([[Example.left_to_right(row, {})]])) for row in rows]
    found = generator.forward_batch([row.tolist() for row in rows])
    return _rows(found), [model.next_token_logits(states) for states in ours]


def _read_both_ways(model: Model, rows: list[Any], folder: str) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """[T, D] states of each row, theirs and ours."""
    import ctranslate2

    encoder = ctranslate2.Encoder(folder, compute_type="float32")
    ours = [model.backbone(collate([[Example.full_sight(row, {}, np.zeros_like(row))]])) for row in rows]
    return _rows(encoder.forward_batch([row.tolist() for row in rows]).last_hidden_state), ours


def _rows(view: Any) -> list[torch.Tensor]:
    return list(torch.from_numpy(np.array(view)))
