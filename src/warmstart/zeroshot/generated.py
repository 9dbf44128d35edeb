"""Tasks that a language model answers by going on: questions, translation by example pairs, summaries behind ``TL;DR:``.

GPT-2, sections 3.5 to 3.8. A prompt has a part that may lose its end where it does not fit, such as an article, and one that
is never cut. The answer is the first line that is written; of a summary, the first three sentences.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from warmstart.base.errors import BadInput
from warmstart.decode.settings import GenerateSettings
from warmstart.example.record import Target
from warmstart.metrics.postprocess import lead_sentences
from warmstart.metrics.spans import exact_match, max_over_answers, word_f1
from warmstart.readers.rows import read_rows
from warmstart.readers.text_io import open_binary
from warmstart.tasks.dataset import read_records
from warmstart.tasks.row_source import ReadOptions
from warmstart.zeroshot.outcome import Outcome, Terms
from warmstart.zeroshot.scorer import Scorer
from warmstart.zeroshot.shots import with_shots
from warmstart.zeroshot.task import Item, Options, field, texts_field

CHUNK = 256
CONFIDENT = 0.01
"""Of the questions, those whose answers are likeliest."""
_COQA = "CoQA's JSON: data, with story, questions and answers"


class Prompt(NamedTuple):
    """What is continued.

    Attributes:
        head: may lose its end.
        tail: is read as it stands.
        answers: that are right.
        where: names its row.
        delimiter: before an answer, where the prompt is shown with it.
    """

    head: str
    tail: str
    answers: tuple[str, ...]
    where: str
    delimiter: str = " "

    @property
    def solved(self) -> str:
        """With its answer."""
        return f"{self.head}{self.tail}{self.delimiter}{self.answers[0]}"

    def behind(self, examples: str) -> "Prompt":
        """The same behind a text, of which the beginning is lost first."""
        return self._replace(head="", tail=examples + self.head + self.tail)


Metric = Callable[[str, str], float]


class GeneratedTask:
    """Prompts, how they are continued, and how the texts compare with the answers."""

    uses: tuple[str, ...] = ("shots", "shots_data")

    def __init__(
        self, prompts: Callable[[str, str], Iterator[Prompt]], settings: GenerateSettings,
        metrics: Mapping[str, Metric] | None = None, *, text_metrics: tuple[str, ...] = (),
        finish: Callable[[str], str] = str.strip, by_line: bool = True, confident: bool = False, between: str = "\n\n",
    ) -> None:  # fmt: skip
        """The task.

        Args:
            prompts: path and encoding → prompts.
            settings: of the decoding.
            metrics: of a text and one answer; the best answer counts.
            text_metrics: of all texts (docs/metrics.md).
            finish: from what is written to the answer.
            by_line: whether a line end is the end of what is written.
            confident: whether the metrics are also told of the likeliest answers.
            between: two solved examples.
        """
        self.prompts, self.settings, self.metrics = prompts, settings, dict(metrics or {})
        self.text_metrics, self.finish, self.by_line = text_metrics, finish, by_line
        self.confident, self.between = confident, between
        self.main = next(iter((*self.metrics, *text_metrics)))

    def items(self, path: str, options: Options) -> Iterator[Item]:
        """The prompts of a file."""
        found = self.prompts(path, options.encoding)
        if options.shots:
            examples = list(self.prompts(options.shots_data or path, options.encoding))
            found = with_shots(
                found, examples, options.shots, options.seed, apart=bool(options.shots_data), between=self.between
            )
        for prompt in found:
            yield Item(prompt, [prompt.head, prompt.tail], prompt.where)

    def outcomes(self, items: Iterable[Item], scorer: Scorer, options: Options) -> Iterator[Outcome]:
        """As :class:`~warmstart.zeroshot.task.ZeroshotTask` has it; the likeliest are known when all are answered."""
        settings, number = self.settings.model_copy(update={"seed": options.seed}), 0
        prompts, outcomes, chances = (item.asked for item in items), [], []
        while chunk := list(islice(prompts, CHUNK)):
            pairs = [(prompt.head, prompt.tail) for prompt in chunk]
            for prompt, one in zip(chunk, scorer.write(pairs, settings, number, by_line=self.by_line), strict=True):
                outcomes.append(self._outcome(prompt, self.finish(one.text)))
                chances.append(one.log_prob)
            number += len(chunk)
        most = max(1, round(CONFIDENT * len(outcomes)))
        likeliest = {*np.argsort(chances)[::-1][:most].tolist()} if self.confident else set()
        for place, outcome in enumerate(outcomes):
            more = {f"{name}_confident": terms for name, terms in outcome.terms.items()} if place in likeliest else {}
            yield outcome._replace(terms={**outcome.terms, **more})

    def _outcome(self, prompt: Prompt, text: str) -> Outcome:
        found = {name: Terms(max_over_answers(metric, text, prompt.answers)) for name, metric in self.metrics.items()}
        return Outcome(found, {"prediction": text, "references": list(prompt.answers)}, chance=0.0)


def natural_questions(path: str, encoding: str) -> Iterator[Prompt]:
    """Natural Questions (Kwiatkowski et al. 2019) without passages: a question and the answers that are right."""
    for row in read_rows(path, encoding):
        answers = texts_field(row, "answer", "nq_open")
        if not answers:
            raise BadInput("a question without an answer", where=row.where, allowed="one right answer or more")
        yield Prompt("", f"Q: {field(row, 'question', 'nq_open')}\nA:", tuple(answers), row.where)


def translation(path: str, encoding: str) -> Iterator[Prompt]:
    """``source = target``, a line each; rows with source and target, or two parallel files with a comma between them."""
    return _pairs(path, encoding, "", " =")


def summaries(path: str, encoding: str) -> Iterator[Prompt]:
    """An article and ``TL;DR:``."""
    return _pairs(path, encoding, "\nTL;DR:", "")


def summaries_without_hint(path: str, encoding: str) -> Iterator[Prompt]:
    """An article alone."""
    return _pairs(path, encoding, "\n", "")


def _pairs(path: str, encoding: str, hint: str, equals: str) -> Iterator[Prompt]:
    for record in read_records("seq2seq", path, (), ReadOptions(encoding)):
        source = record.texts["source"]
        text = source if isinstance(source, str) else " ".join(source)
        assert isinstance(record.label, Target)
        head, tail = ("", text + equals) if equals else (text, hint)
        yield Prompt(head, tail, (record.label.text,), record.where)


def coqa(path: str, encoding: str) -> Iterator[Prompt]:
    """CoQA (Reddy et al. 2019): a story, the questions and answers so far, and the next question.

    Raises:
        BadInput: another file.
    """
    with open_binary(path) as file:
        try:
            dialogues = json.loads(file.read().decode(encoding))["data"]
            yield from (
                prompt for number, one in enumerate(dialogues, 1) for prompt in _turns(one, f"{path}, story {number}")
            )
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise BadInput(
                f"not a file of coqa ({error})", where=path, allowed=_COQA, next_step="check the task: --task"
            ) from None


def _turns(dialogue: Mapping[str, Any], where: str) -> Iterator[Prompt]:
    told = "\n\n"
    others = dialogue.get("additional_answers", {}).values()
    for turn, (question, answer) in enumerate(zip(dialogue["questions"], dialogue["answers"], strict=True)):
        told += f"Q: {question['input_text']}\nA:"
        answers = (answer["input_text"], *(other[turn]["input_text"] for other in others))
        yield Prompt(dialogue["story"], told, answers, f"{where}, question {turn + 1}")
        told += f" {answer['input_text']}\n"


def first_sentences(text: str) -> str:
    """The first three sentences of what is written."""
    return lead_sentences(text.strip())


_SHORT, _LINE = GenerateSettings(greedy=True, max_new=32), GenerateSettings(greedy=True, max_new=100)
_SUMMARY = GenerateSettings(top_k=2, max_new=100)
_ROUGE = ("rouge1", "rouge2", "rougeL")
NATURAL_QUESTIONS = GeneratedTask(natural_questions, _SHORT, {"exact_match": exact_match}, confident=True)
COQA = GeneratedTask(coqa, _SHORT, {"f1": word_f1, "exact_match": exact_match})
TRANSLATION = GeneratedTask(translation, _LINE, text_metrics=("bleu",), between="\n")
SUMMARIES = GeneratedTask(summaries, _SUMMARY, text_metrics=_ROUGE, finish=first_sentences, by_line=False)
SUMMARIES_WITHOUT_HINT = GeneratedTask(
    summaries_without_hint, _SUMMARY, text_metrics=_ROUGE, finish=first_sentences, by_line=False
)
