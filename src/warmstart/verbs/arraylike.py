"""What NumPy, pandas, Arrow and polars call a table or a column, as lists of Python's own values; none of them is imported.

Missing values of pandas (NaN, NA, NaT) become ``None``, as Arrow has them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from warmstart.base.errors import BadInput


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a caller.

    Attributes:
        rows: mappings, where the columns have names; else the bare values, of a table with several columns lists of them.
        names: of the columns, where these have any.
        width: number of columns; ``None`` where it is no table.
    """

    rows: list[Any]
    names: tuple[str, ...] = ()
    width: int | None = None


def read_table(data: Iterable[Any]) -> Table:
    """The rows of a table or of anything else that can be iterated over.

    Raises:
        BadInput: two columns of one name.
    """
    data = data.toarray() if hasattr(data, "toarray") and hasattr(data, "nnz") else data  # a sparse matrix of SciPy
    names = _column_names(data)
    if names is None:
        return _unnamed(to_list(data), data.shape[1] if isinstance(data, np.ndarray) and data.ndim == 2 else None)
    if all(isinstance(name, int) for name in names):  # pandas numbers the columns that have no name
        return _unnamed([list(row.values()) for row in _records(data)], len(names))
    if len(set(names)) < len(names):
        raise BadInput("two columns have one name", where="rows", value=names, next_step="rename one of them")
    rows = [{str(name): value for name, value in row.items()} for row in _records(data)]
    return Table(rows, tuple(map(str, names)), len(names))


def read_column(data: Iterable[Any]) -> list[Any]:
    """The values of a list, an array, a Series, an Arrow column, or a table whose one column has a name."""
    found = read_table(data)
    return [next(iter(row.values())) for row in found.rows] if len(found.names) == 1 else found.rows


def indicator_columns(labels: Any) -> tuple[Any, ...]:
    """The labels that have a column each in a table of zeros and ones: names, or numbers from 0; empty of anything else."""
    names = _column_names(labels)
    shape: tuple[int, ...] = getattr(labels, "shape", ())
    if names is None:
        return tuple(range(shape[1])) if len(shape) == 2 and shape[1] > 1 else ()
    return tuple(names) if len(names) > 1 else ()


def to_list(data: Any) -> list[Any]:
    """The items of a column, as Python's own values."""
    if hasattr(data, "to_pylist"):  # Arrow
        return list(data.to_pylist())
    if hasattr(data, "notna"):  # pandas
        data = data.astype(object).where(data.notna(), None)
    return [to_python(value) for value in data]


def to_python(value: Any) -> Any:
    """Numbers and arrays of NumPy as those of Python, also inside of others; an image stays an array."""
    if isinstance(value, np.ndarray):
        return [to_python(each) for each in value.tolist()] if value.ndim < 2 else value
    if isinstance(value, Mapping):
        return {key: to_python(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(to_python, value)) if type(value) in (list, tuple) else value
    return value.item() if isinstance(value, np.generic) else value


def _column_names(data: Any) -> list[Any] | None:
    """The columns of a table as a library has them; ``None`` for anything that is no such table."""
    if hasattr(data, "to_pylist"):  # Arrow: tables and batches have a schema, columns have none
        return list(data.schema.names) if hasattr(data, "schema") else None
    if hasattr(data, "columns") and (hasattr(data, "to_dicts") or hasattr(data, "notna")):  # polars, pandas
        return list(data.columns)
    return None


def _records(data: Any) -> list[dict[Any, Any]]:
    """The rows of a table whose columns have names."""
    if hasattr(data, "to_pylist"):
        found = data.to_pylist()
    elif hasattr(data, "to_dicts"):
        found = data.to_dicts()
    else:
        found = data.astype(object).where(data.notna(), None).to_dict(orient="records")
    return [to_python(row) for row in found]


def _unnamed(rows: list[Any], width: int | None) -> Table:
    """Rows without names; those of one column are its values."""
    return Table([row[0] for row in rows] if width == 1 else rows, (), width)
