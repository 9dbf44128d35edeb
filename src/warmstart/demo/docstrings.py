"""The demo's text: the English that every Python installation carries.

Nothing is downloaded, shipped or imported for this: docstrings are found by :mod:`ast` in the source files of the
standard library and of the installed packages, and the language reference is read from ``pydoc_data.topics``. What becomes
of them stands in :mod:`warmstart.demo.task`.

Cost: 45 MB of source read and about 18 seconds of processor time, shared by all cores.
"""

import ast
import gc
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from warmstart.base.console import print_json

AREAS = {
    "torch": "deep learning",
    "sympy": "symbolic mathematics",
    "networkx": "graphs",
    "sklearn": "machine learning",
    "scipy": "scientific computing",
    "numpy": "arrays",
    "matplotlib": "plotting",
    "": "standard library",
}
"""Top-level package → the label of its docstrings; the empty name stands for the standard library."""

OTHERS = (
    "fsspec", "ftfy", "huggingface_hub", "jinja2", "joblib", "mpmath", "PIL", "pip", "pydantic", "rich", "safetensors",
    "setuptools", "tokenizers", "tqdm",
)  # fmt: skip
"""Packages that come along with ours; read for pre-training only."""

SKIPPED = frozenset(
    [
        "__pycache__",
        "_distutils",
        "_external",
        "_vendor",
        "array_api_compat",
        "array_api_extra",
        "dist-packages",
        "externals",
        "idlelib",
        "lib2to3",
        "site-packages",
        "test",
        "tests",
        "turtledemo",
    ]
)
"""Folders of tests, of copies of other libraries, and of what is no part of the library."""

MAX_CHARACTERS = 3_000_000
"""Docstring characters taken from one library, so that the largest does not drown the rest."""

_UNFIT = re.compile("[\\x00-\\x08\\x0e-\\x1f\ud800-\udfff\ufffd]")


@dataclass(frozen=True, slots=True)
class Library:
    """A tree of source files: the label of its docstrings ('' = unlabelled), its dotted name ('' = none), its folder."""

    area: str
    name: str
    root: Path


@dataclass(frozen=True, slots=True)
class Docstring:
    """One docstring: its area ('' = unlabelled), the module it stands in, its dotted name and its raw text."""

    area: str
    module: str
    name: str
    text: str


def installed_libraries() -> list[Library]:
    """The libraries of this Python, found without importing them; one that is not installed is left out."""
    libraries = []
    for name in (*AREAS, *OTHERS):
        spec = importlib.util.find_spec(name) if name else None
        folders = list(spec.submodule_search_locations or []) if spec else []
        if not name:
            folders = [sysconfig.get_path("stdlib")]
        libraries += [Library(AREAS.get(name, ""), name, Path(folder)) for folder in folders[:1]]
    return libraries


def collect(libraries: Sequence[Library] | None = None) -> list[Docstring]:
    """All docstrings of ``libraries`` (default: :func:`installed_libraries`, and the language reference), in a fixed order.

    Each library is read in a process of its own, on as many cores as there are.
    """
    found = [] if libraries is not None else language_reference()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for here in pool.map(_read_elsewhere, installed_libraries() if libraries is None else libraries):
            found += here
    return sorted(found, key=lambda docstring: (docstring.area, docstring.module, docstring.name, docstring.text))


def _read_elsewhere(library: Library) -> list[Docstring]:
    """Runs this module as a program that reads one library and prints it."""
    package = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(  # noqa: S603  (our own module, our own arguments)
        [sys.executable, "-P", "-m", __name__, library.name, str(library.root)],
        stdout=subprocess.PIPE, check=True, env=os.environ | {"PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    return [Docstring(library.area, *row) for row in json.loads(done.stdout)]


def read_library(name: str, root: Path) -> Iterator[tuple[str, str, str]]:
    """Module, dotted name and text of the docstrings in the folder ``root`` of the package ``name``.

    Files are taken in the order of their path's checksum until :data:`MAX_CHARACTERS` are reached, so that the cut takes
    from everywhere in a large library. A file that cannot be read or parsed is passed over.
    """
    left = MAX_CHARACTERS
    for path in sorted(_source_files(root), key=lambda path: hashlib.sha256(os.fsencode(path)).digest()):
        if left <= 0:
            break
        here = list(_docstrings_of(name, root, path))
        left -= sum(len(text) for _, _, text in here)
        yield from here


def language_reference() -> list[Docstring]:
    """The pages of ``help('topics')``; empty where Python was installed without them."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        return []
    module = "pydoc_data.topics"
    return [Docstring("", module, f"{module}.{name}", text) for name, text in sorted(topics.items())]


def _source_files(root: Path) -> Iterator[str]:
    """Paths of Python files relative to ``root``, with ``/``."""
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in SKIPPED]
        for file in files:
            if file.endswith(".py"):
                yield (Path(folder) / file).relative_to(root).as_posix()


def _docstrings_of(package: str, root: Path, path: str) -> Iterator[tuple[str, str, str]]:
    """The docstrings of one file: module, classes, functions, at any depth."""
    try:
        source = (root / path).read_bytes().decode("utf-8-sig")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in somebody else's file is not our user's concern
            tree = ast.parse(source)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return
    parts = path.removesuffix(".py").removesuffix("__init__").strip("/").replace("/", ".")
    module = ".".join(part for part in (package, parts) if part)
    waiting: list[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]] = [(module, tree)]
    while waiting:
        name, node = waiting.pop()
        text = ast.get_docstring(node)
        if text and not _UNFIT.search(text):
            yield module, name, text
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                waiting.append((f"{name}.{child.name}", child))


if __name__ == "__main__":
    gc.disable()  # syntax trees hold no circles: looking for some takes a fifth of the time
    print_json(list(read_library(sys.argv[1], Path(sys.argv[2]))))
