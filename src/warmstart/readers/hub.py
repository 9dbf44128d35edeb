"""Data sets of the Hugging Face hub to rows, through the ``datasets`` library (the extra ``hub``).

An id is ``hf:owner/name`` or ``hf:owner/name:config``; a local folder that the library can read may stand in place of the
name. What was fetched once is read from the library's cache; ``HF_HUB_OFFLINE`` and ``HF_DATASETS_OFFLINE`` hold. No code
of a data set is run.
"""

from collections.abc import Callable, Iterator
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row

HUB_PREFIX = "hf:"
MISSING_LABEL = -1  # how the hub writes a class that is not given


def is_hub_id(text: str) -> bool:
    """Whether this names a data set of the hub."""
    return text.startswith(HUB_PREFIX)


def read_hub_splits(hub_id: str) -> dict[str, Iterator[Row]]:
    """The rows of each split; classes are given by their names, and missing ones as ``None``.

    Raises:
        BadInput: the library is not installed, or it cannot load the data set.
    """
    name, _, config = hub_id.removeprefix(HUB_PREFIX).partition(":")
    if not name:
        raise BadInput(
            "no data set named", where="--data", value=hub_id, allowed="hf:owner/name or hf:owner/name:config"
        )
    loaded = _load(hub_id, name, config or None)
    return {split: _rows(found, f"{hub_id}, {split}") for split, found in loaded.items()}


def _load(hub_id: str, name: str, config: str | None) -> Any:
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
    except Exception as error:  # the library raises its own, the network's and Python's kinds alike
        said = str(error).partition("\n")[0]
        raise BadInput(
            f"the data set cannot be loaded ({type(error).__name__}: {said})", where="--data", value=hub_id,
            allowed="hf:owner/name or hf:owner/name:config", next_step="check the name and the connection",
        ) from None  # fmt: skip


def _rows(found: Any, where: str) -> Iterator[Row]:
    named = {column: _names(feature) for column, feature in found.features.items()}
    readers = {column: read for column, read in named.items() if read is not None}
    for number, fields in enumerate(found, start=1):
        yield Row(
            dict(fields) | {column: read(fields[column]) for column, read in readers.items()}, f"{where}:{number}"
        )


def _names(feature: Any) -> Callable[[Any], Any] | None:
    """How a column of class numbers, or of lists of them, is read by name; ``None`` for any other column."""
    one = getattr(feature, "int2str", None)
    if one is not None:
        return lambda value: None if value in (None, MISSING_LABEL) else one(value)
    each = getattr(getattr(feature, "feature", None), "int2str", None)
    if each is not None:
        return lambda values: None if values is None else [each(value) for value in values]
    return None
