"""The demo's text: what is found, how it is cleaned, and that nothing leaks from the held-out rows."""

import inspect
import itertools
import json
import json.decoder
import json.encoder
import sys
from pathlib import Path

import numpy as np
import pytest

from warmstart.base.errors import BadInput
from warmstart.demo.docstrings import (
    MAX_CHARACTERS,
    Docstring,
    Library,
    collect,
    installed_libraries,
    language_reference,
)
from warmstart.demo.prose import description, mask_names
from warmstart.demo.task import NEAR, DemoTask, Sizes, five_word_sequences, make_task

SIZES = Sizes(train=6, dev=4, test=8)


def test_found_docstrings_are_those_of_the_imported_objects() -> None:
    """Witness: ``inspect.getdoc`` on the imported module, class, method and functions of ``json``."""
    found = {d.name: d.text for d in collect([Library("standard library", "json", Path(json.__file__).parent)])}
    live = {
        "json": json,
        "json.loads": json.loads,
        "json.decoder.JSONDecoder": json.decoder.JSONDecoder,
        "json.decoder.JSONDecoder.raw_decode": json.decoder.JSONDecoder.raw_decode,
        "json.encoder.JSONEncoder.default": json.encoder.JSONEncoder.default,
    }
    assert {name: found[name] for name in live} == {name: inspect.getdoc(thing) for name, thing in live.items()}


def test_every_area_is_installed_with_the_package_and_the_language_reference_is_there() -> None:
    """Witness: the dependencies of pyproject bring each area; ``help('if')`` is a page about ``if``; nothing is imported."""
    before = set(sys.modules)
    areas = {library.area for library in installed_libraries()} - {""}
    assert len(areas) == 8
    assert not {"networkx", "sympy"} & (set(sys.modules) - before)
    pages = {d.name: d.text for d in language_reference()}
    assert "conditional execution" in pages["pydoc_data.topics.if"]


def test_unreadable_files_are_passed_over_and_no_code_runs(tmp_path: Path) -> None:
    """Witness: files that Python itself refuses, one that would raise when imported, and warnings turned into errors."""
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "latin.py").write_bytes('"""caf\xe9 au lait."""'.encode("latin-1"))
    (tmp_path / "null.py").write_bytes(b'"""zero."""\x00')
    (tmp_path / "surrogate.py").write_text('"""A lone \\ud800 half."""')
    (tmp_path / "deep.py").write_text("x = " + "(" * 5000 + ")" * 5000)
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nowhere.py")
    (tmp_path / "escape.py").write_text('"""Read me."""\nx = "\\d"\nraise SystemExit("imported")\n')
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "case.py").write_text('"""A test."""')
    assert collect([Library("a", "lib", tmp_path)]) == [Docstring("a", "lib.escape", "lib.escape", "Read me.")]


def test_a_large_library_is_cut_and_the_order_is_fixed(tmp_path: Path) -> None:
    """Witness: sizes counted here; a second reading gives the same."""
    for i in range(8):
        (tmp_path / f"m{i}.py").write_text(f'"""{i} {"word " * (MAX_CHARACTERS // 20)}"""')
    library = Library("a", "lib", tmp_path)
    found = collect([library])
    assert len(found) == 4  # each is a little over a quarter of the limit
    assert found == collect([library])


def test_a_description_is_masked_prose_without_code() -> None:
    """Witness: a docstring written here with every kind of thing that is to go."""
    text = inspect.cleandoc("""
        Compute the :func:`~scipy.linalg.solve` of ``numpy.linalg.norm`` for PyTorch tensors [1]_ and more than that.
        See https://example.org/x for *all* the details that `this page <https://e.org>`_ has.

        .. versionadded:: 1.2
            Not this.

        >>> solve(1, 2)
        never

        Parameters
        ----------
        a : array_like
            Never this table of parameters.

        Notes
        -----
        The notes are read as well, since they are prose.
    """)
    assert description(text) == (
        "Compute the solve of norm for library tensors and more than that. See for all the details that this page has. "
        "The notes are read as well, since they are prose."
    )
    assert description("Too short to be told apart.") == ""


@pytest.mark.parametrize(
    "name", ["torch", "PyTorch", "SymPy", "networkx.Graph", "scikit-learn", "NumPy's", "matplotlib"]
)
def test_no_library_name_is_left(name: str) -> None:
    """Witness: the names themselves."""
    assert name.lower()[:5] not in mask_names(f"This is {name} at work.").lower()


def _library(root: Path, area: str, *, modules: int = 14, per_module: int = 4) -> Library:
    """A package whose every docstring is random words around its module's name, so that origin can be read off the text."""
    random = np.random.default_rng(len(area))
    words = [f"{area}{''.join(map(chr, random.integers(97, 123, 5)))}" for _ in range(400)]
    root.mkdir()
    for m in range(modules):
        functions = []
        for f in range(per_module):
            text = " ".join([f"{area}module{m}x", *random.choice(words, 20)]) + "."
            functions.append(f'def f{f}():\n    """{text}"""\n')
        (root / f"m{m:02}.py").write_text("\n".join(functions))
    return Library(area, area, root)


@pytest.fixture
def docstrings(tmp_path: Path) -> list[Docstring]:
    return collect([_library(tmp_path / area, area) for area in ("alpha", "beta", "gamma")])


def _splits(task: DemoTask) -> dict[str, list[str]]:
    rows = {"train": task.train, "dev": task.dev, "test": task.test}
    return {"corpus": task.corpus, **{split: [row["text"] for row in kept] for split, kept in rows.items()}}


def test_splits_are_balanced_whole_modules_and_repeatable(docstrings: list[Docstring]) -> None:
    """Witness: each text carries its module's name as its first word."""
    task = make_task(docstrings, 1, SIZES)
    for rows, size in ((task.train, 6), (task.dev, 4), (task.test, 8)):
        labels = [row["label"] for row in rows]
        assert {label: labels.count(label) for label in labels} == {"alpha": size, "beta": size, "gamma": size}
        assert all(row["text"].startswith(row["label"]) for row in rows)
    modules = {split: {text.split()[0] for text in texts} for split, texts in _splits(task).items()}
    assert modules["corpus"]
    for one, other in itertools.combinations(modules, 2):
        assert not modules[one] & modules[other]
    assert task == make_task(docstrings, 1, SIZES)
    assert task.test != make_task(docstrings, 2, SIZES).test


def test_near_duplicates_of_held_out_texts_are_nowhere_else(docstrings: list[Docstring]) -> None:
    """Witness: brute force over all pairs, after every text was planted again with changed words in other modules."""
    copies = []
    for d in docstrings:
        words = d.text.split()
        words[0], words[9] = f"{d.area}copied", "changed"
        copies.append(Docstring(d.area, f"{d.area}.copy{len(copies) % 40}", f"{d.name}.copy", " ".join(words)))
    splits = _splits(make_task([*docstrings, *copies], 3, SIZES))
    for one, other in itertools.product(splits, ("train", "dev", "test")):
        for i, text in enumerate(splits[one]):
            for j, held_out in enumerate(splits[other]):
                if one == other and i == j:
                    continue
                a, b = five_word_sequences(text), five_word_sequences(held_out)
                assert len(a & b) < NEAR * min(len(a), len(b)), (one, other, text, held_out)


def test_an_area_with_too_few_texts_is_left_unlabelled(
    docstrings: list[Docstring], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: a fourth library of three modules, whose words turn up in the corpus alone."""
    task = make_task([*docstrings, *collect([_library(tmp_path / "tiny", "tiny", modules=3)])], 1, SIZES)
    assert {row["label"] for row in task.train} == {"alpha", "beta", "gamma"}
    assert any(text.startswith("tiny") for text in task.corpus)
    assert "too few texts: tiny" in capsys.readouterr().err


def test_one_area_alone_is_refused(docstrings: list[Docstring]) -> None:
    """Witness: the parts of the sentence."""
    with pytest.raises(BadInput) as caught:
        make_task([d for d in docstrings if d.area == "beta"], 1, SIZES)
    error = caught.value
    assert error.what and error.where and error.next_step
    assert "2 areas with 18 texts each" in error.allowed
    assert "areas with enough: 1" in str(error.value)
