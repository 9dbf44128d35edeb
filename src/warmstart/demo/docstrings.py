"""The demo's text: the English that every Python installation carries, and a labelled task made of it.

Nothing is downloaded, shipped or imported for this: docstrings are found by :mod:`ast` in the source files of the
standard library and of the installed packages, and the language reference is read from ``pydoc_data.topics``. The
labelled task asks which area of work a description comes from ('graphs', 'plotting', …). Its rows are held out by whole
module: docstrings of one module share phrases, names and authors, so the model is asked about modules of which it has
seen nothing, neither with a label nor without. What this is not: a benchmark; the texts differ with the installed
versions.

Cost: 45 MB of source read and about 15 seconds, on one core.
"""

import ast
import hashlib
import importlib.util
import os
import re
import sysconfig
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator

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

MIN_WORDS, MAX_WORDS = 12, 80
PER_MODULE = 8
"""Labelled texts taken from one module at most, so that a long file does not speak for its area."""

NEAR = 0.4
"""Two texts are near duplicates when this share of the shorter one's five-word sequences stands in the other."""


_UNFIT = re.compile("[\\x00-\\x08\\x0e-\\x1f\ud800-\udfff\ufffd]")
_SECTION = re.compile(
    r"(?:keyword |other )?(args?|arguments?|attributes?|examples?|inputs?|outputs?|parameters?|raises|references|"
    r"returns?|see also|shape|usage|warns|yields|notes?|warnings?)\s*:*"
)
_MARKUP = (
    (re.compile(r"`([^`<]*?)\s*<[^`>]*>`_{0,2}"), r"\1"),
    (re.compile(r"(?<!\w):[\w:+.-]+:(?=`)"), ""),
    (re.compile(r"\[[\w.]{1,12}\]_"), ""),
    (re.compile(r"https?://\S+"), ""),
    (re.compile(r"[`*]+~?|\|(?=\w)|(?<=\w)\|"), ""),
    (re.compile(r"\s+"), " "),
    (re.compile(r" +(?=[,.;:!?)](?:\s|$))"), ""),
)
_LIBRARY_NAMES = re.compile(
    r"\b\w*(?:torch|sympy|networkx|sklearn|scikit-?(?:learn|image)?|scipy|numpy|matplotlib|pyplot|c?python)[\w-]*",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"\b(?:[A-Za-z_]\w+\.)+(?=[A-Za-z_]\w)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(\"'])")
_NO_LETTER = re.compile(r"[^a-zA-Z ]")
_WORD = re.compile(r"[a-z0-9_]+")


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


@dataclass(frozen=True, slots=True)
class Sizes:
    """Labelled rows per area."""

    train: int = 80
    dev: int = 50
    test: int = 125


@dataclass(frozen=True, slots=True)
class DemoTask:
    """Texts for pre-training, and rows ``{"text", "label"}`` for the three splits; no text stands in two of the four."""

    corpus: list[str]
    train: list[dict[str, str]]
    dev: list[dict[str, str]]
    test: list[dict[str, str]]


def installed() -> list[Library]:
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
    """All docstrings of ``libraries`` (default: :func:`installed`, and the language reference), in a fixed order.

    Files are taken in the order of their path's checksum until :data:`MAX_CHARACTERS` are reached, so that the cut takes
    from everywhere in a large library. A file that cannot be read or parsed is passed over.
    """
    found = [] if libraries is not None else language_reference()
    for library in installed() if libraries is None else libraries:
        left = MAX_CHARACTERS
        for path in sorted(_source_files(library.root), key=lambda path: hashlib.sha256(os.fsencode(path)).digest()):
            if left <= 0:
                break
            here = list(_docstrings_of(library, path))
            left -= sum(len(docstring.text) for docstring in here)
            found += here
    return sorted(found, key=lambda docstring: (docstring.area, docstring.module, docstring.name, docstring.text))


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


def _docstrings_of(library: Library, path: str) -> Iterator[Docstring]:
    """The docstrings of one file: module, classes, functions, at any depth."""
    try:
        source = (library.root / path).read_bytes().decode("utf-8-sig")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in somebody else's file is not our user's concern
            tree = ast.parse(source)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return
    parts = path.removesuffix(".py").removesuffix("__init__").strip("/").replace("/", ".")
    module = ".".join(part for part in (library.name, parts) if part)
    waiting: list[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]] = [(module, tree)]
    while waiting:
        name, node = waiting.pop()
        text = ast.get_docstring(node)
        if text and not _UNFIT.search(text):
            yield Docstring(library.area, module, name, text)
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                waiting.append((f"{name}.{child.name}", child))


def paragraphs(text: str) -> Iterator[tuple[str, str]]:
    """Pairs of (section, paragraph on one line) of a docstring, without markup, examples, formulas and code.

    The section is '' before the first heading, then the heading in lower case (numpydoc's and Google's are known).
    """
    section, dropping = "", False
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").split("\n")
        indented = lines[0][:1].isspace()
        if dropping and indented:
            continue
        dropping = lines[0].startswith("..") or block.rstrip().endswith("::")
        heading = _SECTION.fullmatch(lines[0].strip().lower())
        if heading or (len(lines) > 1 and re.fullmatch(r"[-=~^*]{3,}", lines[1].strip())):
            section = heading[1] if heading else lines[0].strip().lower()
            lines = [line for line in lines[1:] if not re.fullmatch(r"\s*[-=~^*]{3,}\s*", line)]
        code = lines[:1] == [".."] or any(line.lstrip().startswith((">>>", "..")) for line in lines)
        paragraph = _without_markup(" ".join(lines))
        if not code and _is_prose(paragraph) and not (indented and not section):
            yield section, paragraph


def _without_markup(text: str) -> str:
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return text.strip()


def _is_prose(text: str) -> bool:
    """Letters and blanks make most of a sentence, and little of a formula, a table or a signature."""
    return bool(text) and len(_NO_LETTER.findall(text)) <= 0.15 * len(text)


def masked(text: str) -> str:
    """``text`` without what gives the answer away: of dotted names the last part, for names of libraries 'library'."""
    return _LIBRARY_NAMES.sub("library", _DOTTED.sub("", text))


def description(text: str) -> str:
    """The labelled item's text: the prose's first whole sentences, masked, 12 to 80 words; '' where there are none."""
    prose = " ".join(paragraph for section, paragraph in paragraphs(text) if section in ("", "note", "notes"))
    kept: list[str] = []
    for sentence in _SENTENCE_END.split(masked(prose)):
        if len(kept) + len(sentence.split()) > MAX_WORDS:
            break
        kept += sentence.split()
    return " ".join(kept) if len(kept) >= MIN_WORDS else ""


def make_task(docstrings: Sequence[Docstring], seed: int, sizes: Sizes | None = None) -> DemoTask:
    """Splits ``docstrings`` into the labelled task and the pre-training corpus, and says the counts.

    Whole modules are held out: a module belongs to train, dev, test or the corpus. An area with too few texts joins the
    corpus unlabelled.

    Raises:
        BadInput: fewer than two areas have enough texts.
    """
    sizes = sizes or Sizes()
    index = _NearIndex()
    rows: dict[str, list[dict[str, str]]] = {"train": [], "dev": [], "test": []}
    held_out: set[str] = set()
    areas = sorted({docstring.area for docstring in docstrings} - {""})
    short = []
    for area in areas:
        held = len(index)
        taken = _draw([docstring for docstring in docstrings if docstring.area == area], seed, sizes, index)
        if taken is None:
            index.forget(held)
            short.append(area)
            continue
        held_out |= taken.modules
        for split, texts in taken.texts.items():
            rows[split] += [{"text": text, "label": area} for text in texts]
    if len(areas) - len(short) < 2:
        raise BadInput(
            "too few docstrings for the demo's task", where="installed packages",
            value=f"areas with enough: {len(areas) - len(short)}", allowed="at least 2 areas with "
            f"{sizes.train + sizes.dev + sizes.test} texts each", next_step="install the package with its dependencies",
        )  # fmt: skip
    corpus = _corpus([docstring for docstring in docstrings if docstring.module not in held_out], index)
    for split, split_rows in rows.items():
        order = generator(seed, "demo", "rows", split).permutation(len(split_rows))
        rows[split] = [split_rows[i] for i in order]
    _say_counts(rows, corpus, short)
    return DemoTask(corpus, **rows)


@dataclass(frozen=True, slots=True)
class _Drawn:
    modules: set[str]
    texts: dict[str, list[str]]


def _draw(docstrings: Sequence[Docstring], seed: int, sizes: Sizes, index: "_NearIndex") -> _Drawn | None:
    """One area's labelled texts, from modules in random order, none near another; None where there are too few."""
    by_module: dict[str, list[Docstring]] = defaultdict(list)
    for docstring in docstrings:
        by_module[docstring.module].append(docstring)
    random = generator(seed, "demo", "modules", docstrings[0].area)
    names = sorted(by_module)
    waiting = [names[i] for i in random.permutation(len(names))]
    drawn = _Drawn(set(), {"test": [], "dev": [], "train": []})
    for split, wanted in (("test", sizes.test), ("dev", sizes.dev), ("train", sizes.train)):
        while len(drawn.texts[split]) < wanted:
            if not waiting:
                return None
            module = waiting.pop()
            here = by_module[module]
            fresh: list[str] = []
            for i in random.permutation(len(here)):
                text = description(here[i].text)
                if text and len(fresh) < min(PER_MODULE, wanted - len(drawn.texts[split])) and index.add(text):
                    fresh.append(text)
            drawn.texts[split].extend(fresh)
            drawn.modules.update([module] if fresh else [])
    return drawn


def _corpus(docstrings: Iterable[Docstring], held_out: "_NearIndex") -> list[str]:
    """The texts left for pre-training: each once, none near a labelled text."""
    texts: dict[tuple[str, ...], str] = {}
    for docstring in docstrings:
        text = "\n".join(paragraph for _, paragraph in paragraphs(docstring.text))
        words = tuple(_WORD.findall(text.lower()))
        if len(words) > 2 and words not in texts and not held_out.near(masked(text)):
            texts[words] = text
    return list(texts.values())


class _NearIndex:
    """Texts by their five-word sequences, to find near duplicates without comparing every pair."""

    def __init__(self) -> None:
        self._texts_with: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self._counts: list[int] = []

    def __len__(self) -> int:
        return len(self._counts)

    def forget(self, first: int) -> None:
        """Lets go of every text from number ``first`` on."""
        for texts in self._texts_with.values():
            while texts and texts[-1] >= first:
                texts.pop()
        del self._counts[first:]

    def near(self, text: str) -> bool:
        """Whether a text is held that shares :data:`NEAR` of the shorter one's sequences with ``text``."""
        sequences = five_word_sequences(text)
        shared = Counter(i for sequence in sequences for i in self._texts_with.get(sequence, ()))
        return any(count >= NEAR * min(len(sequences), self._counts[i]) for i, count in shared.items())

    def add(self, text: str) -> bool:
        """Takes ``text`` in unless it is near one that is held; whether it was taken."""
        if self.near(text):
            return False
        sequences = five_word_sequences(text)
        for sequence in sequences:
            self._texts_with[sequence].append(len(self._counts))
        self._counts.append(len(sequences))
        return True


def five_word_sequences(text: str) -> set[tuple[str, ...]]:
    """All runs of five words, in lower case and without punctuation; a shorter text is one run."""
    words = _WORD.findall(text.lower())
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))}


def _say_counts(rows: dict[str, list[dict[str, str]]], corpus: list[str], short: list[str]) -> None:
    megabytes = sum(len(text.encode("utf-8")) for text in corpus) / 1e6
    labels = sorted({row["label"] for row in rows["train"]})
    say(f"Text of this Python: {len(corpus):,} texts, {megabytes:.1f} MB for pre-training.")
    counts = ", ".join(f"{len(split_rows):,} {split}" for split, split_rows in rows.items())
    say(f"Task: from which of {len(labels)} areas is this description? {counts}; areas: {', '.join(labels)}.")
    if short:
        say(f"Left unlabelled, too few texts: {', '.join(short)}.")
