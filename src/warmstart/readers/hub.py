"""Reads data sets of the Hugging Face hub as rows, through the ``datasets`` library (the extra ``hub``).

An id is ``hf:owner/name`` or ``hf:owner/name:config``; instead of the name it may have a local folder that the library can
read. The library downloads a data set once and then reads its cache; it obeys ``HF_HUB_OFFLINE`` and
``HF_DATASETS_OFFLINE``. It runs no code of a data set.
"""

from collections.abc import Callable, Iterator
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.base.settings import HUB_PREFIX
from warmstart.readers.remote import is_remote
from warmstart.readers.rows import Row, not_utf8

MISSING_LABEL = -1  # in data sets of the hub, a class that is not known


def is_hub_id(text: str) -> bool:
    """Whether ``text`` names a data set of the hub; ``hf://…`` is the address of a file there."""
    return text.startswith(HUB_PREFIX) and not is_remote(text)


def read_hub_splits(hub_id: str) -> dict[str, Iterator[Row]]:
    """The rows of each split; classes are names, and a missing class is ``None``.

    Raises:
        BadInput: the library is not installed, or it cannot load the data set.
    """
    name, _, config = hub_id.removeprefix(HUB_PREFIX).partition(":")
    if not name:
        raise BadInput(
            "this names no data set", where="--data", value=hub_id, allowed="hf:owner/name or hf:owner/name:config"
        )
    splits = _load_dataset(hub_id, name, config or None)
    return {split: _rows(dataset, f"{hub_id}, {split}") for split, dataset in splits.items()}


def _load_dataset(hub_id: str, name: str, config: str | None) -> Any:
    try:
        import datasets
    except ImportError:
        raise BadInput(
            "reading from the hub needs the datasets package", where="--data", value=hub_id,
            next_step="pip install 'warmstart[hub]'",
        ) from None  # fmt: skip
    datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(name, config)
    except Exception as error:  # the library raises errors of many types: its own, the network's, Python's
        message = str(error).partition("\n")[0]
        raise BadInput(
            f"the data set cannot be loaded ({type(error).__name__}: {message})", where="--data", value=hub_id,
            allowed="hf:owner/name or hf:owner/name:config", next_step="check the name and the connection",
        ) from None  # fmt: skip


def _rows(dataset: Any, where: str) -> Iterator[Row]:
    decoders = {column: _class_decoder(feature) for column, feature in dataset.features.items()}
    number, examples = 0, iter(dataset)
    while True:
        number += 1
        try:
            fields = next(examples)
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            raise not_utf8(error, f"{where}:{number}") from None
        names = {column: decode(fields[column]) for column, decode in decoders.items() if decode is not None}
        yield Row(dict(fields) | names, f"{where}:{number}")


def _class_decoder(feature: Any) -> Callable[[Any], Any] | None:
    """From class numbers, or lists of them, to names; ``None`` where the column has no classes."""
    int2str = getattr(feature, "int2str", None)
    if int2str is not None:
        return lambda value: None if value in (None, MISSING_LABEL) else int2str(value)
    items_int2str = getattr(getattr(feature, "feature", None), "int2str", None)
    if items_int2str is not None:
        return lambda values: None if values is None else [items_int2str(value) for value in values]
    return None
