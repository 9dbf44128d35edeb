"""Task frames of a model that reads from the end: the outer marks change places, and the first token is read."""

from typing import Any

import numpy as np
import pytest

from warmstart.tasks.dataset import task_from
from warmstart.tasks.frames import frame_records
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import answer_of
from warmstart.text.tokenizer import DELIMITER, EXTRACT, START, TASK_TOKENS, Tokenizer

ROWS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "classification": ({"text": "a b c", "label": "x"}, ["> a b c <"]),
    "entailment": ({"premise": "a b", "hypothesis": "c", "label": "x"}, ["> a b | c <"]),
    "similarity": ({"sentence1": "a b", "sentence2": "c", "score": 2.0}, ["> a b | c <", "> c | a b <"]),
    "choice": ({"context": "a", "question": "", "choices": ["c", "b c"], "label": 1}, ["> a | c <", "> a | b c <"]),
}
SIGNS = {"<": START, "|": DELIMITER, ">": EXTRACT}


def framed(kind: Any, direction: Any = "backward", **changes: Any) -> tuple[list[Any], Tokenizer, str]:
    row = ROWS[kind][0]
    tokenizer = Tokenizer.train(["a b c"] * 3, 300, vocabulary="words").with_special_tokens(TASK_TOKENS)
    other = {"choice": {"label": 0}, "similarity": {"score": 1.0}}.get(kind, {"label": "y"})
    rows = [row, row | other]
    task = task_from(kind, rows)
    frame = FrameSettings(context=64, direction=direction, **changes)
    spec = TaskSpec(kind=kind, label_names=task.label_names, frame=frame)
    return frame_records(spec, task.records, tokenizer).examples[0], tokenizer, answer_of(spec).goal


@pytest.mark.parametrize("kind", ROWS)
def test_frames(kind: str) -> None:
    """Witness: by hand: the ids in the order of the text; turns and positions fall; each token but the first guesses the
    one before it."""
    examples, tokenizer, goal = framed(kind)
    assert len(examples) == len(ROWS[kind][1])
    asked = 0
    for example, text in zip(examples, ROWS[kind][1], strict=True):
        count = len(text.split())
        assert example.ids.tolist() == [tokenizer.token_to_id(SIGNS.get(word, word)) for word in text.split()]
        assert example.turns.tolist() == example.positions.tolist() == list(range(count))[::-1]
        assert example.goals[goal].reads.tolist() == [0]
        lm = example.goals["lm"]
        assert lm.reads.tolist() == list(range(1, count))[::-1]
        assert lm.targets.tolist() == example.ids[lm.reads - 1].tolist()
        assert lm.question.tolist() == list(range(asked, asked + count - 1))
        asked += count - 1


def test_where_the_class_is_read() -> None:
    """Witness: by hand: the gain rises towards the first token, and pooled states end with that of the first."""
    [rising], *_ = framed("classification", reads="rising")
    assert rising.goals["label"].reads.tolist() == [4, 3, 2, 1, 0]
    np.testing.assert_allclose(rising.goals["label"].weights, np.arange(5) / 4)
    [every], *_ = framed("classification", reads="all")
    assert every.goals["label"].reads.tolist() == [4, 3, 2, 1, 0]


def test_reading_and_then_writing() -> None:
    """Witness: by hand: after the text, from its end, comes the text again, from its end."""
    [_, written], tokenizer, _ = framed("classification", lm_frame="autoencoder")
    names = [tokenizer.token_to_id(SIGNS.get(word, word)) for word in ["a", "b", "c", "<", ">", "a", "b", "c", "<"]]
    assert written.ids.tolist() == names and written.turns.tolist() == list(range(9))[::-1]
    assert written.goals["lm"].targets.tolist() == names[4:][::-1]


@pytest.mark.parametrize("kind", ["classification", "entailment", "similarity"])
def test_from_both_ends(kind: str) -> None:
    """Witness: the frames of each direction: all for one question, which the first owns; the next tokens are numbered on."""
    (both, _, goal), (to_right, *_), (to_left, *_) = (framed(kind, way) for way in ("both", "forward", "backward"))
    assert len(both) == 2 * len(to_right)
    numbers = np.concatenate([example.goals["lm"].question for example in both])
    assert numbers.tolist() == list(range(len(numbers)))
    assert [len(example.goals[goal].targets) for example in both] == [1] + [0] * (len(both) - 1)
    for ours, theirs in zip(both, [*to_right, *to_left], strict=True):
        for name in ("ids", "turns", "positions"):
            assert getattr(ours, name).tolist() == getattr(theirs, name).tolist()
        assert ours.goals[goal].reads.tolist() == theirs.goals[goal].reads.tolist()
        assert ours.goals[goal].question.tolist() == [0]
        assert ours.goals["lm"].targets.tolist() == theirs.goals["lm"].targets.tolist()
