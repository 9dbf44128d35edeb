"""A page's content as a Parquet file that embedding-atlas opens.

Its columns as that project documents them: ``text``, ``x``, ``y``, ``vector``, and ``neighbors``, which holds the rows
of the nearest terms, from 0, and their distances (1 - cosine). Then the columns of the table.
"""

from pathlib import Path
from typing import Any

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.base.files import write_atomic
from warmstart.embed.columns import Classes, Scale
from warmstart.embed.explore import PageContent


def check_parquet(path: str | None) -> None:
    """Refuses a file that is not to be a Parquet, and any where the library is missing.

    Raises:
        BadInput: so.
    """
    if path is None:
        return
    if Path(path).suffix.lower() != ".parquet":
        raise BadInput(
            "no name for a Parquet file", where="--parquet", value=path, allowed="a name that ends in .parquet"
        )
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise BadInput(
            "writing Parquet needs the pyarrow package", where="--parquet", next_step="pip install 'warmstart[parquet]'"
        ) from None


def write_parquet(path: str, content: PageContent) -> None:
    """Writes the terms with the first map and the first source's vectors and neighbours."""
    import pyarrow
    import pyarrow.parquet

    places, width = content.maps[0].places_T2, content.vectors_TD.shape[1]
    missing = np.isnan(content.vectors_TD).any(axis=1)
    vectors = pyarrow.FixedSizeListArray.from_arrays(
        pyarrow.array(content.vectors_TD.ravel()), width, mask=pyarrow.array(missing)
    )
    columns: dict[str, Any] = {
        "text": content.words[: content.num_terms],
        "x": pyarrow.array(places[:, 0], from_pandas=True), "y": pyarrow.array(places[:, 1], from_pandas=True),
        "vector": vectors, "neighbors": pyarrow.array(_neighbours(content), _neighbours_type()),
    }  # fmt: skip
    for column in content.columns:
        columns[_free(column.name, columns)] = _values(column)
    table = pyarrow.table(columns)
    write_atomic(Path(path), lambda file: pyarrow.parquet.write_table(table, file))


def _neighbours_type() -> Any:
    import pyarrow

    return pyarrow.struct({"ids": pyarrow.list_(pyarrow.int64()), "distances": pyarrow.list_(pyarrow.float32())})


def _neighbours(content: PageContent) -> list[dict[str, list[Any]]]:
    own = content.neighbours[0]
    rows = []
    for words, cosines in zip(own.words_Tk, own.cosines_Tk, strict=True):
        kept = (words >= 0) & (words < content.num_terms)
        rows.append({"ids": words[kept].tolist(), "distances": (1 - cosines[kept]).tolist()})
    return rows


def _free(name: str, taken: dict[str, Any]) -> str:
    """A name that no column has yet."""
    while name in taken:
        name += "_"
    return name


def _values(column: Classes | Scale) -> Any:
    import pyarrow

    if isinstance(column, Scale):
        return pyarrow.array(column.values_T, from_pandas=True)
    return pyarrow.array(
        [None if code < 0 else column.names[code] for code in column.codes_T.tolist()], pyarrow.string()
    )
