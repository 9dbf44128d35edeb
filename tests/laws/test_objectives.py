"""An objective is one object: one from outside trains and is evaluated through the verbs, and nobody asks for its name."""

import ast
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import warmstart
import warmstart.base.errors
from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator
from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.models.sides import split_sides
from warmstart.objectives.corruption import Corruption, SideTokens
from warmstart.objectives.masking import Masking
from warmstart.objectives.objective import Objective
from warmstart.objectives.settings import MaskSettings
from warmstart.objectives.table import OBJECTIVES
from warmstart.text.word_boundaries import WordBoundaries

PACKAGE = Path(warmstart.base.errors.__file__).parents[1]
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent.name != "objectives"]
SEARCHED = ("mixture",)
"""Names of objectives that are words for nothing else."""


def skip(ids: np.ndarray) -> list[Example]:
    """A toy: read t, predict token t + 2."""
    reads = np.arange(len(ids) - 2)
    return [Example.left_to_right(ids[:-2], {"lm": Goal.each(reads, ids[2:])})] if len(ids) > 2 else []


SKIP = Objective(name="skip", card="A model of the token after next", frame=skip, lookahead=2)


def test_an_objective_from_outside_trains_and_is_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the targets, counted by hand: of each document in a row and its lookahead all tokens but the first two."""
    text, run, corpus = tmp_path / "text.jsonl", tmp_path / "run", tmp_path / "corpus"
    text.write_text("".join(json.dumps({"text": f"a film {n} of many"}) + "\n" for n in range(60)))
    given = {"corpus": str(text), "vocab_size": 270, "model": "gpt1-tiny", "length": "2 steps", "context": 16}
    with pytest.raises(BadInput, match=r"--objective: unknown objective; got 'skip'; allowed: autoencoder, backward"):
        warmstart.pretrain(str(run), objective="skip", **given)
    assert not run.exists()
    monkeypatch.setitem(OBJECTIVES, "skip", SKIP)
    report = warmstart.pretrain(str(run), objective="skip", **given)
    assert report["steps"] == 2 and report["metrics"]["loss"] > 0
    assert "A model of the token after next pre-trained on" in (run / "README.md").read_text()
    warmstart.prepare(str(text), str(corpus), tokenizer=str(run))
    found = warmstart.evaluate(str(run), str(corpus), precision="fp32")
    total = (corpus / "tokens.bin").stat().st_size // 2
    bounds = np.fromfile(corpus / "documents.bin", "<i8").tolist()
    targets = 0
    for start in range(0, total - 2, 16):
        stop = min(start + 18, total)
        cuts = [start, *(b for b in bounds if start < b < stop), stop]
        targets += sum(max(0, b - a - 2) for a, b in pairwise(cuts))
    assert found["tokens"] == targets > 200
    monkeypatch.undo()
    with pytest.raises(BadInput, match="unknown objective; got 'skip'"):
        warmstart.evaluate(str(run), str(corpus))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_piece_fits_into_the_context(name: str) -> None:
    """Invariant: no Example of as many ids as an objective takes has a position beyond the context."""
    objective = OBJECTIVES[name]
    masking = Masking(MaskSettings(), 500, 501, 502, None, 504, WordBoundaries(np.ones(504, bool), np.zeros(504, bool)))
    sides = SideTokens((501,), (502, 500), 502, (501,), 502)  # as many as any model has
    corruption = Corruption(MaskSettings(), objective.share, sides, tuple(range(400, 500)), 503, None, 504)
    for context in (8, 9, 32):
        ids = np.arange(objective.ids_within(context) + objective.lookahead * (objective.item == "row"))
        for seed in range(20):
            more = () if objective.masks is None else (generator(seed), masking)
            more = (generator(seed), corruption) if objective.corrupts else more
            examples = objective.frame(ids, *more)
            if objective.corrupts:  # an encoder-decoder has a context for each side
                both = [split_sides(collate([[example]])) for example in examples]
                assert all(int(side.positions.max()) < context for one in both for side in (one.source, one.target))
            else:
                assert max(int(example.positions.max()) for example in examples) < context


def test_the_help_names_all_objectives() -> None:
    """Invariant: the words that help prints without numpy are those of the table."""
    assert all(OBJECTIVES.help.values()) and all(name == one.name for name, one in OBJECTIVES.items())


# ---- nobody else asks which objective it is


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def comparisons(tree: ast.AST) -> Iterator[str]:
    """Where a tree compares an objective or its name, matches it, or names one of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [dotted(side).removesuffix(".name") for side in (node.left, *node.comparators)]
            tested = any(side.split(".")[-1] == "objective" for side in sides)
            lookup = isinstance(node.ops[0], ast.In | ast.NotIn) and sides[-1] == "OBJECTIVES"
            if tested and not lookup and not (isinstance(node.ops[0], ast.Is | ast.IsNot)):
                yield f"{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Match) and dotted(node.subject).removesuffix(".name").endswith("objective"):
            yield f"{node.lineno}: match {ast.unparse(node.subject)}"
        elif isinstance(node, ast.Constant) and node.value in SEARCHED:
            yield f"{node.lineno}: {node.value!r}"


@pytest.mark.parametrize(
    "source",
    [
        "if recipe.objective == 'causal': pass",
        "if objective in ('causal', 'both'): pass",
        "if built.objective.name != other: pass",
        "match recipe.objective:\n    case 'causal': pass",
        "TABLE = {'mixture': 1}",
    ],
)
def test_a_comparison_is_seen(source: str) -> None:
    """Witness: lines that ask which objective it is."""
    assert list(comparisons(ast.parse(source)))


def test_no_file_outside_asks_which_objective_it_is() -> None:
    found = [f"{path}:{line}" for path in FILES for line in comparisons(ast.parse(path.read_text("utf-8")))]
    assert found == []
