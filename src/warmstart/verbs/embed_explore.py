"""``warmstart embed explore``: a page on which vectors are looked at, in a browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.files import write_text
from warmstart.base.formatting import format_count
from warmstart.config.embed_requests import EmbedExploreRequest
from warmstart.embed.atlas import check_parquet, write_parquet
from warmstart.embed.columns import Table, columns_of, read_table
from warmstart.embed.explore import PageContent, frequent_words, page_content
from warmstart.embed.layouts import check_layouts
from warmstart.embed.page import page_html
from warmstart.embed.sources import is_model
from warmstart.embed.space import Space, check_steps
from warmstart.readers.vector_table import WordVectors
from warmstart.reporting.page import check_page_path
from warmstart.verbs.embed_sources import open_spaces
from warmstart.verbs.output import check_not_there
from warmstart.verbs.serving import page_server, serve_until_stopped


def embed_explore(request: EmbedExploreRequest) -> dict[str, Any]:
    """Writes a page, and with ``serve`` shows it to this machine's browsers until Ctrl-C.

    Returns:
        {"out", "terms": number, "left_out": number, "sources": {name: number of terms with a vector}, "parquet": file or
        ``None``}.

    Raises:
        BadInput: a file that exists, words and texts together, a model without either, a table that names none of the
            terms, a map that there is not, too few terms, or a source that cannot be read. Nothing is then written.
    """
    _check(request)
    content, left_out = _content(request, _given(request))
    html = page_html(content, " · ".join(one.source for one in content.neighbours))
    server = page_server(html, request.port) if request.serve else None
    write_text(Path(request.out), html)
    if request.parquet is not None:
        write_parquet(request.parquet, content)
    if server is not None:
        serve_until_stopped(server)
    known = {one.source: int(np.count_nonzero(one.ways_T)) for one in content.neighbours}
    return {
        "out": request.out, "terms": content.num_terms, "left_out": left_out, "sources": known, "parquet": request.parquet,
    }  # fmt: skip


def _check(request: EmbedExploreRequest) -> None:
    check_steps(request.find, "--find")
    check_layouts(request.map)
    check_page_path(Path(request.out))
    check_parquet(request.parquet)
    check_not_there(request.out, request.parquet)
    if request.words is not None and request.texts is not None:
        raise BadInput(
            "words or texts, one of the two", allowed="--words FILE or --texts FILE", next_step="make a page of each"
        )
    model = next((path for path in request.sources if is_model(path)), None)
    if model is not None and request.words is None and request.texts is None:
        raise BadInput(
            "a model has no list of words of its own", where=model, allowed="with --words FILE or --texts FILE",
            next_step="name the words or the texts, one a line",
        )  # fmt: skip


def _given(request: EmbedExploreRequest) -> Table | None:
    """The terms that a file names."""
    path = request.words or request.texts
    return None if path is None else read_table(path, request.encoding)


def _content(request: EmbedExploreRequest, given: Table | None) -> tuple[PageContent, int]:
    """What the page holds, and how many terms it leaves out."""
    terms = [] if given is None else given.terms[: request.points]
    beside = None if request.columns is None else read_table(request.columns, request.encoding)
    spaces = open_spaces(request, terms if request.texts is None else ())
    num_terms = max(len(space.words) for space in spaces) if given is None else len(given.terms)
    terms = frequent_words(spaces, request.points) if given is None else terms
    if request.texts is not None:
        spaces = [_of_texts(space, terms, request.find) for space in spaces]
    left_out = max(0, num_terms - len(terms))
    if left_out:
        say(f"the first {len(terms):,} of {num_terms:,} {'words' if request.texts is None else 'texts'} (--points)")
    columns = _columns(request, given, beside, terms)
    steps = ("word",) if request.texts is not None else request.find
    content = page_content(spaces, terms, steps, request.map, request.top, columns, are_texts=request.texts is not None)
    return content, left_out


def _of_texts(space: Space, texts: list[str], steps: Sequence[str]) -> Space:
    """A space whose words are texts, without those that have no vector."""
    vectors = space.encode(texts, steps)
    rows = np.flatnonzero(vectors.any(axis=1))
    return Space(space.name, WordVectors([texts[row] for row in rows], vectors[rows]))


def _columns(request: EmbedExploreRequest, given: Table | None, beside: Table | None, terms: list[str]) -> list[Any]:
    columns = dict(given.columns) if given is not None else {}
    if beside is not None:
        known = len({*beside.terms} & {*terms})
        if not known:
            raise BadInput(
                "the table names none of the terms", where=request.columns or "", value=beside.terms[0],
                allowed="a column word or text with the terms as they stand on the page",
                next_step="check the case of the words, and the name of the column",
            )  # fmt: skip
        say(f"{request.columns}: {format_count(known, 'term')} of {len(terms):,}")
        columns |= beside.columns
    return columns_of(terms, columns)
