"""A page about vectors: one HTML file that opens from a disk and asks for nothing from anywhere.

Beside the program of the page, which ``web/`` at the top of the project builds, it holds one block of base64: gzip of four
bytes (the length of a head, little-endian), that head (JSON: words, names, and where which array stands) and the arrays. No
word stands in the page itself, so none can end an element or begin one. The browser runs no script but the page's own.
"""

import base64
import gzip
import hashlib
import json
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from warmstart.embed.columns import Classes, Scale
from warmstart.embed.explore import WAYS, PageContent

FOLDER = Path(__file__).parent / "web"


class _Array(NamedTuple):
    """Where an array stands: its type as JavaScript names it, its first byte behind the head, and its length."""

    type: str
    start: int
    length: int


class _Body:
    """The arrays of a page, one behind the other."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def add(self, array: NDArray[Any], kind: str) -> _Array:
        """Adds an array; where it stands."""
        start, data = len(self.bytes), np.ascontiguousarray(array, _TYPES[kind])
        self.bytes += data.tobytes() + b"\0" * (-data.nbytes % 4)
        return _Array(kind, start, data.size)


_TYPES = {"Float32Array": "<f4", "Int32Array": "<i4", "Uint8Array": "u1"}


def page_html(content: PageContent, title: str) -> str:
    """The page; the same content gives the same bytes."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    script = (FOLDER / "explore.js").read_text("utf-8")
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template("explore.html.j2").render(
        title=title, script=script, style=(FOLDER / "explore.css").read_text("utf-8"),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        licences=(FOLDER / "LICENCES.txt").read_text("utf-8"),
        data=base64.b64encode(packed(content, title)).decode(),
    )  # fmt: skip


def packed(content: PageContent, title: str) -> bytes:
    """What the page's program reads: gzip of the head's length, the head and the arrays."""
    body = _Body()
    head = json.dumps(_head(content, title, body), ensure_ascii=False, allow_nan=False).encode()
    head += b" " * (-len(head) % 4)
    return gzip.compress(struct.pack("<I", len(head)) + head + bytes(body.bytes), 6, mtime=0)


def _head(content: PageContent, title: str, body: _Body) -> dict[str, Any]:
    return {
        "title": title,
        "kind": "text" if content.are_texts else "word",
        "words": content.words,
        "terms": content.num_terms,
        "ways": WAYS,
        "maps": [
            {"source": one.source, "layout": one.layout, "places": body.add(one.places_T2, "Float32Array")}
            for one in content.maps
        ],
        "sources": [
            {
                "name": one.source, "words": one.num_words, "width": one.width,
                "neighbours": body.add(one.words_Tk, "Int32Array"),
                "cosines": body.add(one.cosines_Tk, "Float32Array"), "found": body.add(one.ways_T, "Uint8Array"),
            }
            for one in content.neighbours
        ],
        "columns": [_column(one, body) for one in content.columns],
    }  # fmt: skip


def _column(column: Classes | Scale, body: _Body) -> dict[str, Any]:
    if isinstance(column, Scale):
        return {"name": column.name, "values": body.add(column.values_T, "Float32Array")}
    return {"name": column.name, "names": column.names, "codes": body.add(column.codes_T, "Int32Array")}
