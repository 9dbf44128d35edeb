"""The demo's labelled task, made of docstrings: which area of work does a description come from ('graphs', 'plotting', …)?

Its rows are held out by whole module: docstrings of one module share phrases, names and authors, so the model is asked
about modules of which it has seen nothing, neither with a label nor without. What this is not: a benchmark; the texts
differ with the installed versions.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator
from warmstart.demo.docstrings import Docstring
from warmstart.demo.prose import description, mask_names, paragraphs

PER_MODULE = 8
"""Labelled texts taken from one module at most, so that a long file does not speak for its area."""

NEAR = 0.4
"""Two texts are near duplicates when this share of the shorter one's five-word sequences stands in the other."""

_WORD = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Labelled rows per area."""

    train: int = 40
    dev: int = 25
    test: int = 100


@dataclass(frozen=True, slots=True)
class DemoTask:
    """Texts for pre-training, and rows ``{"text", "label"}`` for the three splits; no text stands in two of the four."""

    corpus: list[str]
    train: list[dict[str, str]]
    dev: list[dict[str, str]]
    test: list[dict[str, str]]


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
class _AreaRows:
    modules: set[str]
    texts: dict[str, list[str]]


def _draw(docstrings: Sequence[Docstring], seed: int, sizes: Sizes, index: "_NearIndex") -> _AreaRows | None:
    """One area's labelled texts, from modules in random order, none near another; None where there are too few."""
    by_module: dict[str, list[Docstring]] = defaultdict(list)
    for docstring in docstrings:
        by_module[docstring.module].append(docstring)
    random = generator(seed, "demo", "modules", docstrings[0].area)
    names = sorted(by_module)
    waiting = [names[i] for i in random.permutation(len(names))]
    drawn = _AreaRows(set(), {"test": [], "dev": [], "train": []})
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
        if len(words) > 2 and words not in texts and not held_out.near(mask_names(text)):
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
