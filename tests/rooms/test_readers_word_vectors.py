"""Word vectors: both forms of the file, a start from them, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from warmstart.base.errors import BadInput
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.readers.word_vectors import read_word_vectors
from warmstart.transfer.vectors import check_width, start_from_vectors


def every(word: str) -> bool:
    return True


@pytest.mark.parametrize("head", ["", "3 2\n"])
def test_both_forms(tmp_path: Path, head: str) -> None:
    """Witness: the numbers as they were written; the first of two vectors of one word."""
    file = tmp_path / "v.txt"
    file.write_text(f"{head}the 1.5 -2\n, 0 3e-2\nthe 9 9\n", encoding="utf-8")
    found = read_word_vectors(str(file), every)
    assert {word: vector.tolist() for word, vector in found.items()} == {
        "the": [1.5, -2.0], ",": [0.0, pytest.approx(0.03)]
    }  # fmt: skip
    assert list(read_word_vectors(str(file), ",".__eq__)) == [","]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a 1 2\nb 1\n",
            "v.txt:2: this vector has another width than those before; got '1 numbers'; allowed: a word and 2 numbers",
        ),
        ("2 3\na 1 2\n", "v.txt:2: this vector has another width"),
        ("a 1 x\n", "v.txt:1: not a vector; got '1 x'; allowed: numbers"),
        ("a 1 nan\n", "v.txt:1: not a vector; got '1 nan'; allowed: finite numbers"),
        ("a 1 1e39\n", "v.txt:1: not a vector; got '1 1e39'; allowed: finite numbers of float32"),
        ("3 2\na 1 2\nb 1 2\n", "the file has fewer vectors than its first line says; got 2; allowed: 3"),
        ("a\n", "v.txt:1: this vector has another width"),
        ("", "no word of the vocabulary has a vector here"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """Bad input."""
    (tmp_path / "v.txt").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_word_vectors(str(tmp_path / "v.txt"), every)
    assert message in str(caught.value)


def test_rows_begin_as_their_vectors_and_all_else_is_as_drawn() -> None:
    """Witness: the same model initialised again; the account counts every weight."""
    settings = ModelSettings(backbone=preset("lstm-tiny", vocab_size=20, embedding_width=3))
    model, original = (Model.fresh(settings, 1) for _ in range(2))
    account = start_from_vectors(model, {4: np.ones(3, np.float32), 7: np.zeros(3, np.float32)})
    table, before = model.backbone.tokens.weight, original.backbone.tokens.weight
    assert table[4].tolist() == [1, 1, 1] and table[7].tolist() == [0, 0, 0]
    others = [row for row in range(20) if row not in (4, 7)]
    assert torch.equal(table[others], before[others])
    assert account.weights_loaded == 6 and account.weights_initialised == model.num_parameters - 6
    with pytest.raises(BadInput, match=r"not as wide.*got 4.*--set model.embedding_width=4"):
        check_width({0: np.zeros(4, np.float32)}, settings.backbone, "v.txt")
