"""One sentence, a tag for each of its words: ``[start] words [extract]``, each word read at its first token.

Where the tags mark entities (BIO, BIOES), these are what is evaluated and what predictions list.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import Any, ClassVar

import numpy as np

from warmstart.base.arrays import Floats, Ints, shared_ones
from warmstart.base.errors import BadInput, suggest
from warmstart.example.example import Example, Goal
from warmstart.example.record import Label, Record
from warmstart.metrics.comparison import is_collapsed, is_one_answer
from warmstart.metrics.entities import OUTSIDE, bioes_tag, convert_tags, get_entities, odd_tags, tag_scheme, usual_forms
from warmstart.metrics.tagging import check_seqeval, entity_metrics, entity_ratios, tag_ratios
from warmstart.readers.conll import CONLL_EXTENSIONS, read_sentences
from warmstart.readers.rows import Row
from warmstart.tasks.answer import Answer, Prediction, RawOutput, Scores, ratio_scores
from warmstart.tasks.columns import (
    ONE_TEXT,
    Columns,
    Draft,
    LabelNumbers,
    as_list,
    first_present,
    names_at,
    number_of,
    sort_names,
    text_at,
)
from warmstart.tasks.describe import quote_ids
from warmstart.tasks.framing import Frame
from warmstart.tasks.kind import TaskKind
from warmstart.tasks.parts import Account, Parts
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.settings import TaggingSettings
from warmstart.tasks.soft import SMALLEST, SoftLabel, softmax
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.tasks.words import WordTokenizer, join_words, tokenize_sentence

MAX_WORDS = 12  # words that the dry run shows with their tags


class TagsAnswer(Answer):
    """A tag for each word; the output is [W, C], for each word that is read the logits of its tags.

    Those of a chain are the scores of the best paths, so the likeliest tag of each word is that of the likeliest path.
    """

    goal = "tags"
    head, chain_head = "class", "crf"
    reads_text = averageable = False
    has_soft = True
    pipeline = "token-classification"
    plain_form = "tag of each word"
    words_read: ClassVar[str] = "words at their first token, tags that mark no entities"

    def metrics(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """The share of right tags."""
        return ("accuracy",)

    def join(self, outputs: Sequence[Floats], how: str = "mean") -> Floats:
        """[W, C] as they are: each word is asked for in one window."""
        return np.concatenate(outputs)

    def soft_value(self, spec: TaskSpec, output: RawOutput) -> Any:
        """Of each word its tags with their probabilities; ``None`` of one that is read at no token."""
        found: list[dict[str, float] | None] = [None] * len(output.record.texts["tokens"])
        for word, shares in zip(words_read(output.parts).tolist(), softmax(output.raw).tolist(), strict=True):
            found[word] = {
                name: share for name, share in zip(spec.label_names, shares, strict=True) if share >= SMALLEST
            }
        return found

    def soft_goals(self, goals: Sequence[Goal], label: SoftLabel) -> list[Goal]:
        """[W, C] the probabilities of the tags of the words that are read; those of no tags count nothing."""
        [goal], numbers = goals, {name: number for number, name in enumerate(label.names)}
        value, count = label.value, len(label.record.texts["tokens"])
        allowed = f"for each of {count} words an object of tags with their probabilities, or null"
        if not isinstance(value, list) or len(value) != count:
            raise label.error("no soft labels of these words", allowed)
        targets = np.full((len(goal.reads), len(numbers)), 1 / len(numbers), np.float32)
        weights = goal.weights.copy()
        for row, word in enumerate(words_read(label.parts).tolist()):
            if value[word] is None:
                weights[row] = 0.0
                continue
            one = label._replace(value=value[word], where=f"{label.where}, word {word + 1}")
            if not isinstance(one.value, dict) or not one.value.keys() <= numbers.keys():
                raise one.error("no soft labels of these tags", f"probabilities of {', '.join(label.names)}")
            targets[row] = one.probabilities([one.value.get(name, 0.0) for name in label.names], "probabilities")
        return [replace(goal, targets=targets, weights=weights)]

    def predict(self, spec: TaskSpec, output: RawOutput) -> Any:
        """The likeliest tag of each word; a word that is read at no token has the tag kept for such words."""
        tags = [_unread_tag(spec)] * len(output.record.texts["tokens"])
        for word, best in zip(words_read(output.parts).tolist(), output.raw.argmax(axis=1).tolist(), strict=True):
            tags[word] = spec.label_names[best]
        return tags

    def truth(self, spec: TaskSpec, record: Record, vocabulary: Vocabulary) -> Any:
        """The right tags of a labelled sentence."""
        assert isinstance(record.label, tuple)
        return [spec.label_names[number] for number in record.label]

    def evaluate(
        self, spec: TaskSpec, truths: Sequence[Any], predictions: Sequence[Any], seed: int | None,
        metrics: Sequence[str] = (),
    ) -> Scores:  # fmt: skip
        """Accuracy over words; intervals are drawn over sentences."""
        _check_words(truths)
        words = np.array(list(chain(*truths))), np.array(list(chain(*predictions)))
        return ratio_scores(tag_ratios(truths, predictions), seed, is_collapsed(*words))

    def prediction(self, spec: TaskSpec, output: RawOutput) -> Prediction:
        """The words with their tags."""
        tags = self.predict(spec, output)
        values = spec.values_of(tags)
        words = output.record.texts["tokens"]
        row = self.row(words, tags) | {"tags": values}
        return Prediction(values, None, {}, output.raw, row=row, inputs={"tokens": list(words)})

    def row(self, words: str | tuple[str, ...], tags: list[str]) -> dict[str, Any]:
        """What is written about a sentence, after its words."""
        return {"tags": tags}

    def describe(self, example: Example, goal: Goal, vocabulary: Vocabulary, names: Sequence[str]) -> str:
        """Which tokens are read for a tag, and which tag is learned there."""
        pairs = [
            f"{place} {quote_ids(example.ids[[place]], vocabulary)} {names[int(target)]}"
            for place, target in zip(goal.reads.tolist(), goal.targets.tolist(), strict=True)
        ]
        listed = ", ".join(pairs[:MAX_WORDS]) + (" …" if len(pairs) > MAX_WORDS else "")
        learns = "learns" if goal.weights.any() else "nothing is learned (no tags);"
        return f"reads {len(pairs)} {self.words_read}, {learns} {listed}"


class EntitiesAnswer(TagsAnswer):
    """Tags that mark entities."""

    words_read = "words at their first token"

    def metrics(self, label_names: Sequence[str]) -> tuple[str, ...]:
        """Of entities; accuracy over words."""
        return ("f1", "precision", "recall", "accuracy")

    def check_installed(self) -> None:
        """Entities are evaluated by seqeval."""
        check_seqeval()

    def evaluate(
        self, spec: TaskSpec, truths: Sequence[Any], predictions: Sequence[Any], seed: int | None,
        metrics: Sequence[str] = (),
    ) -> Scores:  # fmt: skip
        """Entity F1 by seqeval.

        Few words are part of an entity, so a tagger may be of use that gets fewer words right than "O" everywhere does.
        """
        _check_words(truths)
        collapsed = is_one_answer(list(chain(*truths)), list(chain(*predictions)))
        scores = ratio_scores(entity_ratios(truths, predictions), seed, collapsed)
        return replace(scores, metrics=entity_metrics(truths, predictions))

    def row(self, words: str | tuple[str, ...], tags: list[str]) -> dict[str, Any]:
        """The tags and the entities, in words from 0."""
        found = [
            entity._asdict() | {"text": join_words(words[entity.start : entity.end])} for entity in get_entities(tags)
        ]
        return super().row(words, tags) | {"entities": found}


TAGS, ENTITIES = TagsAnswer(), EntitiesAnswer()


class Tagging(TaskKind):
    """One sentence, a tag for each word."""

    name = "tagging"
    text_columns = (("tokens",), ("words",), *ONE_TEXT)
    kept_columns = ("text", "sentence")  # the words stand in the answer
    label_columns = ("tags", "ner_tags", "labels")
    foreign_goal = "tags"
    options_class = TaggingSettings
    own_formats = ("conll", "conllu")
    own_endings = CONLL_EXTENSIONS  # CoNLL's .tsv goes before the table's
    rewrites = False
    reads_windows = True
    rate_factor = 4.0

    def answer(self, label_names: Sequence[str]) -> Answer:
        """Tags, or tags that mark entities."""
        return ENTITIES if tag_scheme(tuple(label_names)) else TAGS

    def read_own_file(self, path: str, read: ReadOptions) -> Iterator[Row]:
        """The sentences of a CoNLL file."""
        return read_sentences(path, read.encoding, getattr(read.options, "column", None), read.format, read.skipped)

    def find_texts(self, row: Row) -> Columns | None:
        """The words of a sentence, or of a text, which is split at blanks."""
        columns = first_present(row, self.text_columns)
        if columns is None:
            return None
        if columns in ONE_TEXT:
            return Columns({"tokens": tuple(text_at(row, columns[0]).split())}, columns)
        tokens = as_list(row.fields[columns[0]], row.place(columns[0]))
        if not all(isinstance(token, str) for token in tokens):
            raise BadInput(
                "a word is not text",
                where=row.place(columns[0]),
                value=tokens,
                allowed="a list of strings",
            )
        # A word is in memory once, not at each of its places.
        return Columns({"tokens": tuple(sys.intern(str(token)) for token in tokens)}, columns)

    def learn_labels(self, drafts: Sequence[Draft]) -> tuple[str, ...]:
        """All tags that occur, in BIO or BIOES where they mark entities.

        Raises:
            BadInput: a few tags mark no entities among others that do, or all mark them in another form.
        """
        names = {tag for found in drafts for tag in _tags(found)}
        if odd := odd_tags(names):
            raise _odd_tag(drafts, list(map(_tags, drafts)), odd, names)
        if usual := usual_forms(sorted(names)):
            raise _other_form(usual, drafts[0])
        scheme = tag_scheme(tuple(sorted(names)))
        scheme = "BIO" if scheme == "IOB1" else scheme
        return sort_names({tag for found in drafts for tag in convert_tags(_tags(found), scheme)})

    def label_values(self, found: Draft) -> Sequence[Any]:
        """The members of the list."""
        return as_list(found.label, found.label_place)

    def parse_label(self, found: Draft, numbers: Mapping[str, int]) -> Label:
        """The numbers of the tags."""
        known = numbers.known if isinstance(numbers, LabelNumbers) else tuple(numbers)
        names = _names_by_tag(known)
        tags = [names.get(tag, tag) for tag in convert_tags(_tags(found), tag_scheme(known))]
        return tuple(number_of(tag, numbers, f"{found.label_place}, word {n}") for n, tag in enumerate(tags, start=1))

    def varied_labels(self, records: Iterable[Record]) -> Iterable[Any] | None:
        """The tags of all words."""
        return (tag for record in records if isinstance(record.label, tuple) for tag in record.label)

    def labels_of(self, record: Record, names: Sequence[str]) -> Iterable[str]:
        """The types of the entities, or the tags of all words."""
        if not isinstance(record.label, tuple):
            return ()
        tags = [names[number] for number in record.label]
        return [one.type for one in get_entities(tags)] if tag_scheme(tuple(names)) else tags

    def row_of(self, value: Any) -> Mapping[str, Any]:
        """A sentence as a list of words, or a text."""
        return super().row_of(value) if isinstance(value, str) else {"tokens": list(value)}

    def stratum(self, record: Record) -> Label:
        """Sentences have no class."""
        return None

    def training_texts(self, records: Iterable[Record]) -> Iterator[str]:
        """Whole sentences."""
        return (join_words(record.texts["tokens"]) for record in records)

    def encode(self, records: Sequence[Record], vocabulary: Vocabulary, rules: Sequence[str]) -> Iterator[Parts]:
        """The ids of each sentence and where its words begin in them."""
        word_tokenizer = WordTokenizer(require_text(vocabulary, "--task"), rules)
        for record in records:
            words = record.texts["tokens"]
            assert isinstance(words, tuple)
            ids, first = tokenize_sentence(words, word_tokenizer)
            yield Parts((ids,), word_starts=first)

    def examples(self, record: Record, parts: Parts, frame: Frame) -> list[Example]:
        """One question per word that has a token, read there; words that were cut away are not asked for.

        Worked example, with one word a token but Brussels, which has two: ``{"tokens": ["he", "left", "Brussels"],
        "tags": ["O", "O", "B-LOC"]}`` among the tags B-LOC, O gives::

            ids     start  he  left  Bruss  els  extract
            tags    read 1, question 0 → 1;  read 2, question 1 → 1;  read 3, question 2 → 0
            lm      read 0 … 4 → he left Bruss els extract
        """
        assert parts.word_starts is not None
        words = words_read(parts)
        labels = record.label if isinstance(record.label, tuple) else None
        targets = np.zeros(len(words), np.int64) if labels is None else np.array(labels, np.int64)[words]
        weights = np.zeros(len(words), np.float32) if labels is None else shared_ones(len(words))
        goal = Goal.each(frame.text_start + parts.word_starts[words], targets, weights)
        return [frame.example(frame.sequence(parts.texts), goal)]

    def count_unread(self, record: Record, parts: Parts, examples: Sequence[Example]) -> int:
        """Words without a token among those that were kept."""
        assert parts.word_starts is not None
        return len(parts.word_starts) - len(words_read(parts))

    def learn_options(
        self, options: TaggingSettings, records: Sequence[Record], label_names: Sequence[str],
        text_segments: tuple[int, int],
    ) -> TaggingSettings:  # fmt: skip
        """The tag of a word that is read at no token: ``O`` where there is one, else the commonest."""
        if "O" in label_names:
            return options
        counts = np.zeros(len(label_names), np.int64)
        for record in records:
            if isinstance(record.label, tuple):
                counts += np.bincount(record.label, minlength=len(label_names))
        commonest = label_names[int(counts.argmax())]
        return options.model_copy(update={"unread": commonest})

    def foreign_options(self, label_names: Sequence[str]) -> TaggingSettings:
        """Words that are read at no token get the first tag, where there is no ``O``."""
        return (
            TaggingSettings() if not label_names or OUTSIDE in label_names else TaggingSettings(unread=label_names[0])
        )

    def describe_unread(self, spec: TaskSpec, account: Account) -> list[str]:
        """How many words have no token."""
        if not account.unread:
            return []
        return [f"{account.unread:,} words have no token, or were cut away; each gets the tag {_unread_tag(spec)!r}"]


def _check_words(truths: Sequence[Sequence[str]]) -> None:
    """Raises :class:`BadInput` where no sentence has a word: then no metric is defined."""
    if not any(truths):
        raise BadInput(
            "no word to evaluate on", where="records", value=0, allowed="a sentence with a word",
            next_step="check that this is the file you meant",
        )  # fmt: skip


def words_read(parts: Parts) -> Ints:
    """The numbers of the words that have a token among those that were kept."""
    assert parts.word_starts is not None
    return np.flatnonzero((parts.word_starts >= 0) & (parts.word_starts < len(parts.texts[0])))


def _unread_tag(spec: TaskSpec) -> str:
    """The tag of a word that is read at no token."""
    return TaggingSettings.model_validate(spec.options).unread


@cache
def _names_by_tag(names: tuple[str, ...]) -> Mapping[str, str]:
    """A tag of BIOES → the model's own name for it, which may be one of BILOU or BMES."""
    return {bioes_tag(name): name for name in names} if tag_scheme(names) == "BIOES" else {}


def _odd_tag(
    drafts: Sequence[Draft], tags_of: Sequence[list[str]], odd: Sequence[str], names: Collection[str]
) -> BadInput:
    """The error that names the first tag which marks no entity, and how many words have such a tag."""
    found, tags = next((f, tags) for f, tags in zip(drafts, tags_of, strict=True) if not set(odd).isdisjoint(tags))
    place, tag = next((n, tag) for n, tag in enumerate(tags, start=1) if tag in odd)
    count, total = sum(tag in odd for tags in tags_of for tag in tags), sum(map(len, tags_of))
    marks = sorted({*names, OUTSIDE} - {*odd})
    hint = f"did you mean {OUTSIDE!r}?" if tag.lower() in ("o", "0", "") else suggest(tag, marks)
    return BadInput(
        f"{count:,} of {total:,} tags have another form than those that mark entities",
        where=f"{found.label_place}, word {place}", value=tag, allowed=", ".join(marks),
        next_step=f"{hint} correct the tag, or write {OUTSIDE} for words outside of all entities".strip(),
    )  # fmt: skip


def _other_form(usual: Mapping[str, str], first: Draft) -> BadInput:
    """The error for tags that would be learned as words' own, and never be evaluated as entities."""
    return BadInput(
        "these tags seem to mark entities in another form", where=first.label_place, value=", ".join(usual),
        allowed=", ".join(usual.values()), next_step="write them so: then they are evaluated as entities",
    )  # fmt: skip


def _tags(found: Draft) -> list[str]:
    """The tags of a sentence as they are written, as many as it has words."""
    tags, words = names_at(found), found.texts["tokens"]
    if len(tags) != len(words):
        raise BadInput(
            f"{len(tags)} tags for {len(words)} words", where=found.label_place, allowed="one tag for each word",
            next_step="mend the row or leave it out",
        )  # fmt: skip
    return tags
