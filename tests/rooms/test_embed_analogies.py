"""Analogies: every metric by brute force over sorted words, gensim where it is installed, and both forms of the file."""

from pathlib import Path

import numpy as np
import pytest

from warmstart.base.errors import BadInput
from warmstart.embed.analogies import Analogy, Method, precision_at, rank_answers, read_analogies, reciprocal_ranks
from warmstart.embed.space import Space
from warmstart.readers.vector_table import WordVectors

STEPS = ("word", "lower", "joined", "mean")
WORDS = [f"w{n}" for n in range(40)] + ["new_york", "ha", "noi"]


def space(seed: int = 0, width: int = 6) -> Space:
    matrix = np.random.default_rng(seed).normal(size=(len(WORDS), width)).astype(np.float32)
    return Space("some", WordVectors(list(WORDS), matrix))


def questions(count: int = 60, seed: int = 1) -> list[Analogy]:
    rng = np.random.default_rng(seed)
    return [Analogy("s", *(WORDS[n] for n in rng.choice(40, 4, replace=False))) for _ in range(count)]


def brute_rank(space: Space, question: Analogy, method: Method) -> int:
    """The place of the answer among all words but those of the question, best first."""
    unit = space.vectors.matrix.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    a, b, c = (unit[space.rows[word]] for word in (question.a, question.b, question.c))
    if method == "3cosadd":
        scores = unit @ ((b - a + c) / np.linalg.norm(b - a + c))
    else:
        near = [(1 + unit @ other) / 2 for other in (a, b, c)]
        scores = near[1] * near[2] / (near[0] + 1e-3)
    order = [space.words[row] for row in np.argsort(-scores)]
    left = [word for word in order if word not in (question.a, question.b, question.c)]
    return left.index(question.answer) + 1


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
def test_ranks(method: Method) -> None:
    """Witness: all words sorted by the formula of the paper, question by question."""
    found = rank_answers(space(), questions(), STEPS, method)
    assert found.tolist() == [brute_rank(space(), question, method) for question in questions()]


def test_what_is_not_covered_has_no_rank_and_an_answer_in_the_question_the_last() -> None:
    """Invariant: unknown words, answers that are only the mean of other words; the mean of a phrase may be asked about."""
    asked = [
        Analogy("", "w0", "w1", "nothing", "w2"), Analogy("", "w0", "w1", "w2", "ha noi"),
        Analogy("", "w0", "w1", "w2", "w1"), Analogy("", "w0", "ha noi", "w2", "New York"),
    ]  # fmt: skip
    ranks = rank_answers(space(), asked, STEPS)
    assert ranks[:3].tolist() == [0, 0, len(WORDS)]
    own = space()
    unit = own.vectors.matrix / np.linalg.norm(own.vectors.matrix, axis=1, keepdims=True)
    phrase = own.vectors.matrix[[own.rows["ha"], own.rows["noi"]]].mean(axis=0)
    scores = unit @ (phrase / np.linalg.norm(phrase) - unit[0] + unit[2])
    scores[[0, 2]] = -np.inf
    assert ranks[3] == (scores > scores[own.rows["new_york"]]).sum() + 1


def test_metrics_of_ranks() -> None:
    """Witness: by hand."""
    ranks = np.array([1, 2, 0, 12])
    assert precision_at(ranks, 1).tolist() == [1, 0, 0, 0] and precision_at(ranks, 5).tolist() == [1, 1, 0, 0]
    np.testing.assert_allclose(reciprocal_ranks(ranks), [1, 0.5, 0, 1 / 12], rtol=1e-6)
    assert reciprocal_ranks(ranks, 10).tolist() == [1, 0.5, 0, 0]


def test_accuracy_is_gensims(tmp_path: Path) -> None:
    """Witness: gensim's ``evaluate_word_analogies``."""
    models = pytest.importorskip("gensim.models")
    theirs = models.KeyedVectors(6)
    theirs.add_vectors(WORDS, space().vectors.matrix)
    asked = questions(80)
    for question in asked[:40]:  # so that some are right
        near = theirs.most_similar([question.b, question.c], [question.a], topn=1)[0][0]
        asked.append(Analogy("s", question.a, question.b, question.c, near))
    (tmp_path / "q.txt").write_text(": s\n" + "".join(f"{q.a} {q.b} {q.c} {q.answer}\n" for q in asked))
    accuracy, _ = theirs.evaluate_word_analogies(str(tmp_path / "q.txt"))
    ours = rank_answers(space(), read_analogies(str(tmp_path / "q.txt")), STEPS)
    assert precision_at(ours, 1).mean() == pytest.approx(accuracy) and accuracy > 0.3


def test_both_forms_of_the_file(tmp_path: Path) -> None:
    """Witness: the lines as they were written."""
    (tmp_path / "a.txt").write_text(": capitals\nAthens Greece Oslo Norway\n")
    (tmp_path / "b.txt").write_text(": | family\n\ncậu bé | cô gái | anh_trai | em_gái\n", encoding="utf-8")
    assert read_analogies(str(tmp_path / "a.txt")) == [Analogy("capitals", "Athens", "Greece", "Oslo", "Norway")]
    assert read_analogies(str(tmp_path / "b.txt")) == [Analogy("family", "cậu bé", "cô gái", "anh_trai", "em_gái")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (": s\na b c\n", "q.txt:2: not an analogy; got 'a b c'; allowed: four words"),
        (": s\na | b | c\n", "q.txt:2: not an analogy"),
        (": s\n", "q.txt: a file without analogies"),
    ],
)
def test_a_wrong_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """Bad input."""
    (tmp_path / "q.txt").write_text(text)
    with pytest.raises(BadInput) as caught:
        read_analogies(str(tmp_path / "q.txt"))
    assert message in str(caught.value)
