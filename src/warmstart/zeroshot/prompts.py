"""Tasks with choices that people compare models on today: from a row, as its authors publish it, to a question.

The prompts are those of lm-evaluation-harness, so that figures compare.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from warmstart.base.errors import BadInput
from warmstart.readers.rows import Row
from warmstart.tasks.known.choices import check_rows, dialogues
from warmstart.zeroshot.choices import Question
from warmstart.zeroshot.likelihood import Pair
from warmstart.zeroshot.task import check_number, field, label_field, texts_field

_MARKS, _TITLE = re.compile(r"\[.*?\]"), " [title]"
_CONNECTIVES = {"cause": "because", "effect": "therefore"}
_BLANK = "_"


def _without_marks(text: str) -> str:
    """A text of WikiHow without what HellaSwag has kept of its pages' marks."""
    return _MARKS.sub("", text.strip().replace(_TITLE, ". ")).replace("  ", " ")


def hellaswag(row: Row) -> Question | None:
    """HellaSwag (Zellers et al. 2019): four endings of a scene."""
    name = "hellaswag"
    begin, end, activity = (field(row, key, name) for key in ("ctx_a", "ctx_b", "activity_label"))
    endings = [_without_marks(ending) for ending in texts_field(row, "endings", name)]
    label = label_field(row, "label", name, len(endings)) if "label" in row.fields else None
    if label is None:
        return None
    return Question.of(_without_marks(f"{activity}: {begin} {end.capitalize()}"), endings, label, row.where)


def piqa(row: Row) -> Question | None:
    """PIQA (Bisk et al. 2020): two solutions; the labels, where they are a file of their own, stand in the rows."""
    choices = [field(row, key, "piqa") for key in ("sol1", "sol2")]
    label = label_field(row, "label", "piqa", 2)
    prompt = f"Question: {field(row, 'goal', 'piqa')}\nAnswer:"
    return None if label is None else Question.of(prompt, choices, label, row.where)


def _labelled(row: Row, choices: Any, task: str) -> tuple[list[str], int]:
    """Texts of choices with letters, and the number of the right one: a list of objects, or an object of lists."""
    texts, letters = (_parts(choices, key) for key in ("text", "label"))
    if not texts or len(texts) != len(letters) or not all(isinstance(one, str) for one in (*texts, *letters)):
        raise BadInput(
            "not choices with their letters", where=f"{row.where}, field 'choices'", value=choices,
            allowed='a list of {"text": …, "label": …}, or an object of both lists', next_step="correct the row",
        )  # fmt: skip
    key = field(row, "answerKey", task).strip()
    return texts, check_number(letters.index(key) if key in letters else -1, key, len(texts), row, "answerKey")


def _parts(choices: Any, key: str) -> list[Any]:
    """What each of the choices has under a key; nothing where they are of another form."""
    if isinstance(choices, Mapping):
        return list(found) if isinstance(found := choices.get(key), list | tuple) else []
    return [one.get(key) for one in choices if isinstance(one, Mapping)]


def arc(row: Row) -> Question:
    """ARC (Clark et al. 2018), as its authors or as tables of the hub have it."""
    asked = field(row, "question", "arc", (str, dict))
    stem, choices = _stem(row, asked, "arc") if isinstance(asked, dict) else (asked, _choices(row, "arc"))
    texts, label = _labelled(row, choices, "arc")
    return Question.of(f"Question: {stem}\nAnswer:", texts, label, row.where)


def openbookqa(row: Row) -> Question:
    """OpenBookQA (Mihaylov et al. 2018): the question begins the sentence that a choice ends."""
    name = "openbookqa"
    if "question_stem" in row.fields:
        stem, choices = field(row, "question_stem", name), _choices(row, name)
    else:
        stem, choices = _stem(row, field(row, "question", name, dict), name)
    texts, label = _labelled(row, choices, name)
    return Question.of(stem, texts, label, row.where)


def _choices(row: Row, task: str) -> Any:
    return field(row, "choices", task, (dict, list))


def _stem(row: Row, asked: dict[str, Any], task: str) -> tuple[str, Any]:
    """Stem and choices of a question that holds both."""
    inner = Row(asked, f"{row.where}, field 'question'")
    return field(inner, "stem", task), _choices(inner, task)


def sciq(row: Row) -> Question:
    """SciQ (Welbl et al. 2017), with the passage that supports the answer."""
    keys = ("distractor1", "distractor2", "distractor3", "correct_answer")
    support, question, *choices = (field(row, key, "sciq") for key in ("support", "question", *keys))
    return Question.of(f"{support.lstrip()}\nQuestion: {question}\nAnswer:", choices, 3, row.where)


def boolq(row: Row) -> Question:
    """BoolQ (Clark et al. 2019): yes or no of a passage."""
    right = next((key for key in ("answer", "label") if key in row.fields), "answer")
    passage, question = (field(row, key, "boolq") for key in ("passage", "question"))
    label = int(field(row, right, "boolq", (bool, int)))
    prompt = f"{passage}\nQuestion: {question}?\nAnswer:"
    return Question.of(prompt, ["no", "yes"], check_number(label, label, 2, row, right), row.where)


def winogrande(row: Row) -> Question | None:
    """WinoGrande (Sakaguchi et al. 2020): what follows the blank is judged behind each option (partial scoring)."""
    sentence = field(row, "sentence", "winogrande")
    label = label_field(row, "answer", "winogrande", 2, first=1)
    if label is None or _BLANK not in sentence:
        return None
    before, after = sentence.split(_BLANK, 1)
    options = [field(row, key, "winogrande") for key in ("option1", "option2")]
    pairs = tuple(Pair(before + option, f" {after.strip()}", row.where) for option in options)
    return Question(pairs, label)


def copa(row: Row) -> Question:
    """COPA (Roemmele et al. 2011), as SuperGLUE has it: a cause or an effect, joined by its word."""
    premise, kind = field(row, "premise", "copa"), field(row, "question", "copa")
    choices = [field(row, key, "copa") for key in ("choice1", "choice2")]
    label = label_field(row, "label", "copa", 2)
    if kind not in _CONNECTIVES or label is None:
        raise BadInput(
            "not a question of copa", where=row.where, value=kind, allowed="cause or effect, with a label",
            next_step="correct the row",
        )  # fmt: skip
    context = f"{premise.strip().rstrip('.')} {_CONNECTIVES[kind]}"
    return Question.of(context, [choice[:1].lower() + choice[1:] for choice in choices], label, row.where)


def storycloze(row: Row) -> Question:
    """Story Cloze Test (Mostafazadeh et al. 2016): two endings of a story of four sentences."""
    told = [field(row, f"InputSentence{n}", "storycloze") for n in range(1, 5)]
    endings = [field(row, f"RandomFifthSentenceQuiz{n}", "storycloze") for n in (1, 2)]
    label = label_field(row, "AnswerRightEnding", "storycloze", 2, first=1)
    if label is None:
        raise BadInput("no right ending", where=row.where, allowed="1 or 2", next_step="name a part with labels")
    return Question.of(" ".join(told), endings, label, row.where)


def race(row: Row) -> Question:
    """RACE (Lai et al. 2017), a question a row: GPT-1's heuristic takes the answer of the greatest mean."""
    article, question, answer = (field(row, key, "race") for key in ("article", "question", "answer"))
    options = texts_field(row, "options", "race")
    label = check_number(ord(answer[:1] or "?") - ord("A"), answer, len(options), row, "answer")
    return Question.of(f"{article}\nQuestion: {question}\nAnswer:", options, label, row.where)


def read_dialogues(path: str, encoding: str) -> Iterator[Row]:
    """The questions of DREAM's JSON; its encoding is JSON's own.

    Raises:
        BadInput: another file.
    """
    file = Path(path)
    return check_rows(file, dialogues(file))


def dream(row: Row) -> Question:
    """DREAM (Sun et al. 2019), read as RACE is: a dialogue, a turn a line, in the place of the article."""
    told, asked, answer = (field(row, key, "dream") for key in ("context", "question", "answer"))
    choices = field(row, "choices", "dream", list)
    if answer not in choices:
        raise BadInput(
            "the answer is no choice", where=row.where, value=answer, allowed=", ".join(choices),
            next_step="correct the dialogue",
        )  # fmt: skip
    return Question.of(f"{told}\nQuestion: {asked}\nAnswer:", choices, choices.index(answer), row.where)


def sst2(row: Row) -> Question:
    """SST-2 by GPT-1's heuristic (Figure 2, right): after the sentence and ``very``, which of two words is likelier."""
    label = label_field(row, "label", "sst2", 2)
    if label is None:
        raise BadInput("no label", where=row.where, allowed="0 or 1", next_step="name a part with labels")
    return Question.of(f"{field(row, 'sentence', 'sst2').rstrip()} very", ["negative", "positive"], label, row.where)


def minimal_pair(row: Row) -> Question:
    """BLiMP (Warstadt et al. 2020) and its like: of two sentences the grammatical one is likelier."""
    good, bad = (field(row, f"sentence_{kind}", "blimp") for kind in ("good", "bad"))
    return Question.of("", [good, bad], 0, row.where, delimiter="")
