"""What plain methods answer to each form of task: from the labels alone, and by regression on features of the texts.

A form says which texts of a Record have a row of features, how scikit-learn learns its labels from these rows, and what is
answered without reading anything: the class that most examples have, the mean score, each word's commonest tag. An
:class:`~warmstart.tasks.answer.Answer` names its form; predictions are in the form that its ``evaluate`` takes.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from warmstart.example.record import Answers, Record
from warmstart.metrics.metric import Array
from warmstart.metrics.postprocess import COPIES
from warmstart.tasks.seq2seq_texts import source_text, target_text
from warmstart.tasks.spec import TaskSpec

GUESS = "guess"
MOST_SOURCES, _AT_A_TIME = 100_000, 500
Rows = Any
"""[n, F] features, dense or SciPy's sparse rows."""
Guess = Callable[[Record], Any]


class Way(NamedTuple):
    """A plain method that needs no features: what it is, in words, and what it answers to Records."""

    what: str
    answer: Callable[[Sequence[Record]], list[Any]]


class PlainForm:
    """One form of task.

    Attributes:
        guessed: what the guess answers, in words.
    """

    guessed: ClassVar[str]

    def guess(self, train: Sequence[Record], spec: TaskSpec) -> Guess:
        """The best answer that reads no text, or, of words and contexts, no more than what stood in training."""
        raise NotImplementedError

    def ways(self, train: Sequence[Record], tested: Sequence[Record], spec: TaskSpec) -> dict[str, Way]:
        """The methods that need no features, by name, as far as they differ on ``tested``."""
        return {GUESS: Way(self.guessed, lambda records: list(map(self.guess(train, spec), records)))}

    def texts(self, record: Record) -> list[tuple[str, ...]]:
        """One text, or two that are compared, for each row of features; nothing where regression does not apply."""
        return [tuple(map(str, record.texts.values()))] if record.texts else []

    def regress(
        self, train: Sequence[Record], rows: Rows, tested: Sequence[Record], tested_rows: Rows, strength: float
    ) -> list[Any]:
        """Predictions for Records, by regression.

        Args:
            train: the training Records.
            rows: their features.
            tested: the Records to answer.
            tested_rows: their features.
            strength: scikit-learn's ``C``: how little the weights are held back.
        """
        raise NotImplementedError


class ClassForm(PlainForm):
    """One of several classes: logistic regression."""

    guessed = "the commonest class"

    def guess(self, train: Sequence[Record], spec: TaskSpec) -> Guess:
        """The class of most training examples."""
        commonest = _commonest([record.label for record in train])
        return lambda _: commonest

    def regress(
        self, train: Sequence[Record], rows: Rows, tested: Sequence[Record], tested_rows: Rows, strength: float
    ) -> list[Any]:
        """The likeliest class."""
        return [int(label) for label in _classes(np.array([one.label for one in train]), rows, tested_rows, strength)]


class LabelsForm(PlainForm):
    """Any number of labels: a logistic regression for each."""

    guessed = "the labels that most examples have"

    def guess(self, train: Sequence[Record], spec: TaskSpec) -> Guess:
        """[K] 1 for each label that holds for more than half, or else for the commonest alone: F1 rewards no silence."""
        shares = _marks(train, len(spec.label_names)).mean(0)
        found = (shares > 0.5) | ((shares == shares.max()) & (shares.max() <= 0.5))
        return lambda _: found.astype(np.int64)

    def regress(
        self, train: Sequence[Record], rows: Rows, tested: Sequence[Record], tested_rows: Rows, strength: float
    ) -> list[Any]:
        """[K] 1 for each label that holds more likely than not."""
        size = 1 + max((number for one in train for number in _numbers(one)), default=0)
        marks = _marks(train, size)
        return list(np.stack([_classes(marks[:, k], rows, tested_rows, strength) for k in range(size)], 1))


class ScoreForm(PlainForm):
    """A score: ridge regression."""

    guessed = "the mean"

    def guess(self, train: Sequence[Record], spec: TaskSpec) -> Guess:
        """The mean score."""
        mean = float(np.mean([record.label for record in train]))
        return lambda _: mean

    def regress(
        self, train: Sequence[Record], rows: Rows, tested: Sequence[Record], tested_rows: Rows, strength: float
    ) -> list[Any]:
        """The score."""
        from sklearn.linear_model import Ridge

        model = Ridge(alpha=1.0 / strength).fit(rows, [record.label for record in train])
        return [float(score) for score in model.predict(tested_rows)]


class ChoiceForm(PlainForm):
    """One of some choices: logistic regression on whether a choice is right; the likeliest of a question is answered."""

    guessed = "the place where most right choices stand"

    def guess(self, train: Sequence[Record], spec: TaskSpec) -> Guess:
        """The commonest place, or the last one where there are fewer choices."""
        commonest = _commonest([record.label for record in train])
        return lambda record: min(commonest, len(record.texts["choices"]) - 1)

    def texts(self, record: Record) -> list[tuple[str, ...]]:
        """Context and question beside each choice."""
        asked = f"{record.texts['context']} {record.texts['question']}".strip()
        return [(asked, choice) for choice in record.texts["choices"]]

    def regress(
        self, train: Sequence[Record], rows: Rows, tested: Sequence[Record], tested_rows: Rows, strength: float
    ) -> list[Any]:
        """The index of the likeliest choice."""
        right = [place == one.label for one in train for place in range(len(one.texts["choices"]))]
        return [int(own.argmax()) for own in _scores(right, rows, tested, tested_rows, strength)]


class OrderForm(PlainForm):
    """The order of candidates: logistic regression on whether a candidate is right."""

    guessed = "the order of the places where right candidates stand most"

    def guess(self, train: Sequence[Record], spec: TaskSpec) -> Guess:
        """How often a right candidate stands at each place."""
        counts = Counter(place for record in train for place in _numbers(record))
        return lambda record: np.array([float(counts[place]) for place in range(len(record.texts["choices"]))])

    def texts(self, record: Record) -> list[tuple[str, ...]]:
        """The query beside each candidate."""
        return [(str(record.texts["query"]), choice) for choice in record.texts["choices"]]

    def regress(
        self, train: Sequence[Record], rows: Rows, tested: Sequence[Record], tested_rows: Rows, strength: float
    ) -> list[Any]:
        """The score of each candidate."""
        right = [place in _numbers(one) for one in train for place in range(len(one.texts["choices"]))]
        return _scores(right, rows, tested, tested_rows, strength)


def _scores(
    right: Sequence[bool], rows: Rows, tested: Sequence[Record], tested_rows: Rows, strength: float
) -> list[Array]:
    """How likely each choice of each Record is right, by logistic regression over all choices."""
    from sklearn.linear_model import LogisticRegression

    scores = LogisticRegression(C=strength, max_iter=5000).fit(rows, right).decision_function(tested_rows)
    return list(np.split(scores, np.cumsum([len(one.texts["choices"]) for one in tested])[:-1]))


class TagsForm(PlainForm):
    """A tag for each word: a dictionary."""

    guessed = "each word's commonest tag"

    def guess(self, train: Sequence[Record], spec: TaskSpec) -> Guess:
        """The tag that a word, as it is written, has most often; of a new word the commonest tag of all."""
        seen: dict[str, Counter[int]] = {}
        for record in train:
            for word, tag in zip(record.texts["tokens"], _numbers(record), strict=True):
                seen.setdefault(word, Counter())[tag] += 1
        other = sum(seen.values(), Counter[int]()).most_common(1)[0][0]
        best = {word: tags.most_common(1)[0][0] for word, tags in seen.items()}
        return lambda record: [spec.label_names[best.get(word, other)] for word in record.texts["tokens"]]

    def texts(self, record: Record) -> list[tuple[str, ...]]:
        """Words one by one have no bag."""
        return []


class AnswersForm(PlainForm):
    """A piece of the context: a dictionary of answers."""

    guessed = "the commonest answer of training that stands in the context"

    def guess(self, train: Sequence[Record], spec: TaskSpec) -> Guess:
        """Of all training answers that the context holds the commonest, of equally common ones the longest; else none."""
        counts = Counter(one.label.texts[0] for one in train if isinstance(one.label, Answers) and one.label.texts)
        ranked = sorted(counts, key=lambda text: (-counts[text], -len(text), text))
        return lambda record: next((text for text in ranked if text in str(record.texts["context"])), "")

    def texts(self, record: Record) -> list[tuple[str, ...]]:
        """Places in a context have no bag."""
        return []


class TextForm(PlainForm):
    """A text that is written: what stands in the source, or in the target of another source."""

    guessed = "the commonest target"
    COPIED: ClassVar[dict[str, str]] = {
        "copy": "the source", "lead1": "its first sentence", "lead3": "its first three sentences"
    }  # fmt: skip

    def guess(self, train: Sequence[Record], spec: TaskSpec) -> Guess:
        """The commonest target."""
        commonest = Counter(map(target_text, train)).most_common(1)[0][0]
        return lambda _: commonest

    def ways(self, train: Sequence[Record], tested: Sequence[Record], spec: TaskSpec) -> dict[str, Way]:
        """The guess; the source, its first sentence, its first three (Lead-3); the target of the nearest training source."""
        found, seen = super().ways(train, tested, spec), set[tuple[str, ...]]()
        for name, copy in COPIES.items():
            texts = tuple(copy(source_text(record)) for record in tested)
            if texts not in seen:
                found[name] = Way(self.COPIED[name], lambda _, texts=texts: list(texts))  # type: ignore[misc]
            seen.add(texts)
        nearest = "the target of the training source that is nearest by TF-IDF of words"
        return found | {"nearest": Way(nearest, lambda records: _nearest_targets(train[:: _every(train)], records))}

    def texts(self, record: Record) -> list[tuple[str, ...]]:
        """Nothing is chosen among."""
        return []


FORMS: dict[str, PlainForm] = {
    "one class": ClassForm(),
    "several labels": LabelsForm(),
    "one score": ScoreForm(),
    "one choice": ChoiceForm(),
    "order of candidates": OrderForm(),
    "tag of each word": TagsForm(),
    "answer in a context": AnswersForm(),
    "text": TextForm(),
}
"""What an Answer names as its ``plain_form`` → how it is learned."""


def _every(train: Sequence[Record]) -> int:
    """Of many training examples every n-th is looked through."""
    return -(-len(train) // MOST_SOURCES)


def _nearest_targets(train: Sequence[Record], records: Sequence[Record]) -> list[str]:
    """By cosine, some Records at a time: a matrix of all pairs would not fit into memory."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(sublinear_tf=True)
    known = words.fit_transform([*map(source_text, train), "no text"])[:-1].T.tocsr()
    found: list[str] = []
    for start in range(0, len(records), _AT_A_TIME):
        likeness = words.transform(map(source_text, records[start : start + _AT_A_TIME])) @ known
        found += [target_text(train[place]) for place in np.asarray(likeness.argmax(axis=1)).ravel().tolist()]
    return found


def _classes(labels: Any, rows: Rows, tested: Rows, strength: float) -> Any:
    """[n] classes by logistic regression; the only class where there is one."""
    from sklearn.linear_model import LogisticRegression

    if (labels == labels[0]).all():
        return np.full(tested.shape[0], labels[0])
    return LogisticRegression(C=strength, max_iter=5000).fit(rows, labels).predict(tested)


def _commonest(labels: Sequence[Any]) -> Any:
    """The commonest label; of equally common ones the smallest."""
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _numbers(record: Record) -> tuple[int, ...]:
    return record.label if isinstance(record.label, tuple) else ()


def _marks(records: Sequence[Record], size: int) -> Array:
    """[n, size] 1 for each label that holds."""
    marks: Array = np.zeros((len(records), size))
    for row, record in zip(marks, records, strict=True):
        row[list(_numbers(record))] = 1
    return marks
