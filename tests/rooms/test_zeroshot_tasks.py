"""Zero-shot tasks: rows as their authors publish them, to the texts that are judged; the verb from end to end."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap

import warmstart
from warmstart.base.errors import BadInput
from warmstart.build.zeroshot import find_task
from warmstart.cli.main import main
from warmstart.metrics.generation import TextStatistics
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.run.metadata import RunMetadata
from warmstart.run.writing import write_model
from warmstart.text.tokenizer import Tokenizer
from warmstart.zeroshot.acceptability import best_threshold
from warmstart.zeroshot.choices import Question, outcome
from warmstart.zeroshot.detokenize import penn_treebank, wikitext
from warmstart.zeroshot.likelihood import Likelihood
from warmstart.zeroshot.outcome import gain_of, mean, metrics_of, part_of, statistics_of
from warmstart.zeroshot.table import TASKS
from warmstart.zeroshot.task import Options

LINES = ["The heron stands in the reeds because it waits.", "A fish swims past, and the heron sees it."]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks") / "run"
    folder.mkdir()
    tokenizer = Tokenizer.train(LINES * 5, 300)
    model = Model.fresh(ModelSettings(backbone=preset("gpt1-tiny", vocab_size=tokenizer.vocab_size)), 1)
    write_model(folder, model, tokenizer, RunMetadata(), "A test.")
    return folder


def question(task: str, tmp_path: Path, row: dict[str, Any], **options: Any) -> Question:
    """The question that one row of a task's file becomes."""
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row) + "\n")
    [item] = find_task(task).items(str(file), Options(**options))
    found: Question = item.asked
    return found


ROWS: dict[str, tuple[dict[str, Any], str, list[str], int]] = {
    "hellaswag": (
        {"ctx_a": "[header] A man rows.", "ctx_b": "he", "activity_label": "Rowing", "label": "1",
         "endings": ["sleeps [step] well.", "rows on."]},
        "Rowing: A man rows. He", [" sleeps well.", " rows on."], 1,
    ),
    "piqa": (
        {"goal": "dry a boat", "sol1": "wipe it", "sol2": "sink it", "label": 0},
        "Question: dry a boat\nAnswer:", [" wipe it", " sink it"], 0,
    ),
    "arc": (
        {"question": {"stem": "What flies?", "choices": [{"text": "heron", "label": "A"}, {"text": "rock", "label": "B"}]},
         "answerKey": "A"},
        "Question: What flies?\nAnswer:", [" heron", " rock"], 0,
    ),
    "openbookqa": (
        {"question_stem": "A heron eats", "choices": {"text": ["fish", "iron"], "label": ["A", "B"]}, "answerKey": "A"},
        "A heron eats", [" fish", " iron"], 0,
    ),
    "sciq": (
        {"support": " Herons eat fish.", "question": "What do herons eat?", "distractor1": "tin", "distractor2": "ice",
         "distractor3": "tar", "correct_answer": "fish"},
        "Herons eat fish.\nQuestion: What do herons eat?\nAnswer:", [" tin", " ice", " tar", " fish"], 3,
    ),
    "boolq": (
        {"passage": "Herons fly.", "question": "do herons fly", "answer": True},
        "Herons fly.\nQuestion: do herons fly?\nAnswer:", [" no", " yes"], 1,
    ),
    "copa": (
        {"premise": "The heron flew up.", "choice1": "A dog came.", "choice2": "It slept.", "question": "cause", "label": 0},
        "The heron flew up because", [" a dog came.", " it slept."], 0,
    ),
    "storycloze": (
        {**{f"InputSentence{n}": f"S{n}." for n in range(1, 5)}, "AnswerRightEnding": "2",
         "RandomFifthSentenceQuiz1": "x", "RandomFifthSentenceQuiz2": "y"},
        "S1. S2. S3. S4.", [" x", " y"], 1,
    ),
    "race": (
        {"article": "Herons fly.", "question": "What flies?", "options": ["herons", "rocks"], "answer": "A"},
        "Herons fly.\nQuestion: What flies?\nAnswer:", [" herons", " rocks"], 0,
    ),
    "sst2": (
        {"sentence": "a fine film ", "label": "1"}, "a fine film very", [" negative", " positive"], 1,
    ),
    "blimp": ({"sentence_good": "Herons fly.", "sentence_bad": "Herons flies."}, "", ["Herons fly.", "Herons flies."], 0),
}  # fmt: skip


@pytest.mark.parametrize("task", ROWS)
def test_rows_become_the_published_prompts(task: str, tmp_path: Path) -> None:
    """Witness: the prompts of lm-evaluation-harness's task files (GPT-1's own reading for RACE), written out by hand."""
    row, context, choices, label = ROWS[task]
    found = question(task, tmp_path, row)
    assert found == Question.of(context, choices, label, found.pairs[0].where, "")._replace(sizes=found.sizes)
    assert found.sizes == tuple(len(choice.strip().encode()) for choice in choices)


def test_a_row_without_an_answer_is_left_out_and_one_of_another_task_refused(tmp_path: Path) -> None:
    """Witness: HellaSwag's test rows have no label; the sentence names file, line and the fields that are there."""
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(ROWS["hellaswag"][0] | {"label": ""}) + "\n")
    assert list(find_task("hellaswag").items(str(file), Options())) == []
    with pytest.raises(
        BadInput, match=r"rows.jsonl:1: no field 'sol1': not a row of piqa; got 'ctx_a, ctx_b, .*--task"
    ):
        list(find_task("piqa").items(str(file), Options()))
    with pytest.raises(BadInput, match=r"--task: unknown zero-shot task; got 'hellaswagg'; .*did you mean 'hellaswag'"):
        find_task("hellaswagg")


def test_a_dialogue_is_asked_as_a_passage_is(tmp_path: Path) -> None:
    """Witness: DREAM's published form (turns, questions with choice and answer, a number), written by hand."""
    file = tmp_path / "dev.json"
    turns, asked = ["W: What flies?", "M: Herons."], {"question": "What does?", "choice": ["rocks", "herons"]}
    file.write_text(json.dumps([[turns, [asked | {"answer": "herons"}], "1-1"]]))
    [item] = find_task("dream").items(str(file), Options())
    context = "W: What flies?\nM: Herons.\nQuestion: What does?\nAnswer:"
    assert item.asked == Question.of(context, ["rocks", "herons"], 1, item.asked.pairs[0].where)
    file.write_text(json.dumps([[turns, [asked | {"answer": "heron"}], "1-1"]]))
    with pytest.raises(BadInput, match=r"dialogue 1-1: the answer is no choice; got 'heron'; allowed: rocks, herons"):
        list(find_task("dream").items(str(file), Options()))
    file.write_text(json.dumps({"article": "Herons fly."}))
    with pytest.raises(BadInput, match=r"dev.json: not a file of this data set"):
        list(find_task("dream").items(str(file), Options()))


@pytest.mark.parametrize(
    ("task", "changes", "told"),
    [
        ("arc", {"question": {"stem": "What bends?"}}, "question': no field 'choices': not a row of arc"),
        ("arc", {"question": "What bends?", "choices": [{"label": "A"}]}, "not choices with their letters"),
        ("arc", {"question": "What bends?", "choices": {"text": ["reeds"]}}, "not choices with their letters"),
        ("openbookqa", {"question_stem": 3}, "the field 'question_stem' does not hold what openbookqa has"),
        ("hellaswag", {"endings": ["a", 3]}, "field 'endings': not texts"),
        ("race", {"options": ["a", None]}, "field 'options': not texts"),
        ("piqa", {"label": "²"}, "field 'label': no choice of this number"),
        ("piqa", {"label": "--1"}, "field 'label': no choice of this number"),
        ("cola", {"label": "good"}, "field 'label': no choice of this number; got 'good'; allowed: 0 to 1"),
        ("cola", {"label": 2}, "field 'label': no choice of this number; got 2; allowed: 0 to 1"),
        ("cola", {"label": -1}, "no label"),
        ("nq_open", {"answer": []}, "a question without an answer"),
        ("coqa", {"data": ["a story"]}, "not a file of coqa"),
        ("cbt", {}, "the answer is no candidate"),
    ],
)
def test_a_broken_row_is_one_sentence(task: str, changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    """Witness: the rows by hand, each with one thing that the authors' files do not have; the sentence names the place."""
    row = {"sentence": "Herons fly.", "question": "What flies?"} | (ROWS[task][0] if task in ROWS else {}) | changes
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row) + "\n" if changes else "21 The XXXXX is here .\t\n")
    with pytest.raises(BadInput, match=told):
        list(find_task(task).items(str(file), Options()))


def schema(tmp_path: Path, task: str, *lines: str) -> Question:
    file = tmp_path / "schemas.txt"
    file.write_text("\n".join(lines) + "\n\n")
    [item] = find_task(task).items(str(file), Options())
    found: Question = item.asked
    return found


def test_a_candidate_takes_the_place_of_its_pronoun(tmp_path: Path) -> None:
    """Witness: Trinh and Le's two scorings of their first sentence, and forms of the candidates, written out by hand."""
    lines = ("The trophy doesn't fit in the suitcase because  [MASK]  is too big. ", "[MASK]", " The trophy , The suitcase ",
             " The trophy ")  # fmt: skip
    partial, full = schema(tmp_path, "wsc273", *lines), schema(tmp_path, "wsc273_full", *lines)
    begin = "The trophy doesn't fit in the suitcase because"
    assert [pair[:2] for pair in partial.pairs] == [
        (f"{begin} the {x}", " is too big.") for x in ("trophy", "suitcase")
    ]
    assert [pair[:2] for pair in full.pairs] == [("", f"{begin} the {x} is too big.") for x in ("trophy", "suitcase")]
    assert partial.label == full.label == 0
    begins = schema(tmp_path, "pdp60", "Dad paid the man. [MASK]  went home.", "[MASK]", " Dad , the man ", " the man ")
    assert [pair.context for pair in begins.pairs] == ["Dad paid the man. Dad", "Dad paid the man. The man"]
    second = schema(tmp_path, "dprd", "Ants say they win, but they lose his bet.", "they", "Ants,bees", "bees")
    assert [pair[:2] for pair in second.pairs] == [
        (f"Ants say they win, but {x}", " lose his bet.") for x in ("Ants", "bees")
    ]
    owner = schema(tmp_path, "dprd", "Ann met Bo since his car broke.", "his", "Ann,Bo", "Bo")
    assert owner.pairs[1].context == "Ann met Bo since Bo's"
    for broken in (("A sentence.", "it", "a,b"), ("A sentence.", "it", "a,b", "a"), ("It is.", "It", "a,b", "c")):
        with pytest.raises(BadInput, match=r"schemas.txt"):
            schema(tmp_path, "dprd", *broken)


@pytest.mark.data
@pytest.mark.parametrize(("task", "file", "count"), [("wsc273", "wsc273/wsc273.txt", 273), ("pdp60", "pdp60/PDP.txt", 60),
                                                     ("dprd", "dprd/test.c.txt", 564)])  # fmt: skip
def test_the_official_files_are_read_as_they_lie(data_dir: Path, task: str, file: str, count: int) -> None:
    """Witness: the published numbers of schemas; only what follows the candidate is judged, and that is the same."""
    found = [item.asked for item in find_task(task).items(str(data_dir / file), Options())]
    assert len(found) == count
    assert all(len({pair.continuation for pair in one.pairs}) == 1 and one.pairs[0].continuation for one in found)


@pytest.mark.data
def test_dialogues_are_read_as_they_lie(data_dir: Path) -> None:
    """Witness: Sun et al. 2019, Table 2: 2,040 questions in the part for development."""
    assert len(list(find_task("dream").items(str(data_dir / "dream/dev.json.gz"), Options()))) == 2040


def test_detokenised_text_and_counted_words() -> None:
    """Witness: the public rules of the specification, by hand."""
    assert (
        wikitext(' = Herons = \n a @-@ b , c . d ( e ) " f " , 3 @.@ 5 x \n')
        == ' = Herons =\na-b, c. d (e) "f", 3.5 x\n'
    )
    assert wikitext("the herons ' reeds , or not") == "the herons' reeds, or not"
    assert penn_treebank("it is n't the firm 's $ N more \n x \n") == "it isn't the firm's $1 more\nx\n"


def test_metrics_are_sums_over_any_part() -> None:
    """Witness: means by hand, of all and of a part."""

    def found(*totals: float) -> list[Likelihood]:
        return [Likelihood(np.array([each / 2] * 2, np.float32), np.array([True, False])) for each in totals]

    def asked(*sizes: int) -> Question:
        return Question.of("", ["x" * size for size in sizes], 0, "row")

    rows = [
        outcome(asked(1, 1), found(-1, -2)),
        outcome(asked(4, 1), found(-3, -2)),
        outcome(asked(1, 1), found(-3, -2)),
    ]
    statistics = statistics_of(rows)
    shown = metrics_of(statistics)
    assert shown["metrics"]["accuracy"] == pytest.approx(1 / 3)
    assert shown["metrics"]["accuracy_byte"] == pytest.approx(2 / 3) and shown["examples"] == 3
    assert metrics_of(part_of(statistics, [True, False, False]))["metrics"]["accuracy"] == 1.0
    bare = outcome(asked(1, 1), found(-3, -2), found(-9, -2))
    assert bare.terms["accuracy_unconditional"].numerator == 1.0 and bare.terms["accuracy"].numerator == 0.0


def test_shots_are_others_rows_drawn_by_seed(tmp_path: Path) -> None:
    """Invariants: k solved rows before each, never its own, the same for the same seed."""
    file = tmp_path / "rows.jsonl"
    file.write_text(
        "".join(json.dumps({"goal": f"goal {n}", "sol1": "a", "sol2": "b", "label": n % 2}) + "\n" for n in range(6))
    )
    drawn = [
        [item.asked.pairs[0].context for item in find_task("piqa").items(str(file), Options(shots=3, seed=seed))]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    for number, context in enumerate(drawn[0]):
        *solved, last = context.split("\n\n")
        assert last == f"Question: goal {number}\nAnswer:" and len({*solved}) == 3
        assert all(one.endswith((" a", " b")) and f"goal {number}\n" not in one for one in solved)
    with pytest.raises(BadInput, match=r"--shots: too few examples to draw from; got 6; allowed: at most 5"):
        list(find_task("piqa").items(str(file), Options(shots=6)))


TEMPLATE = """
context: "{review} It was"
choices: [bad, good]
label: stars
names: {"1": bad, "5": good}
"""


def test_a_task_of_ones_own(tmp_path: Path) -> None:
    """Witness: the texts by hand; a template with a missing field is named with its row."""
    task = tmp_path / "reviews.yaml"
    task.write_text(TEMPLATE)
    own = question(str(task), tmp_path, {"review": "A fine film.", "stars": 5})
    assert own == Question.of("A fine film. It was", ["bad", "good"], 1, own.pairs[0].where)
    with pytest.raises(
        BadInput, match=r"rows.jsonl:1: the template's field 'review' is not in the row; got 'reviews, stars'"
    ):
        question(str(task), tmp_path, {"reviews": "A fine film.", "stars": 5})
    with pytest.raises(BadInput, match=r"field 'stars': the label is no choice; got 3; allowed: 1, 5, bad, good"):
        question(str(task), tmp_path, {"review": "A film.", "stars": 3})
    task.write_text("choices: '{endings}'\nlabel: right\n")
    listed = question(str(task), tmp_path, {"endings": ["no", "yes"], "right": "yes"})
    assert [pair.continuation for pair in listed.pairs] == [" no", " yes"] and listed.label == 1
    for text, what in (("choices: [a]\nlable: x\n", "not a task"), ("a: [", "not a readable YAML"),
                       ("choices: ['{a']\nlabel: x\n", "template that cannot be read")):  # fmt: skip
        task.write_text(text)
        with pytest.raises(BadInput, match=what):
            find_task(str(task))


def shown(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert main(["zeroshot", *map(str, words), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_verb_from_end_to_end(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the shape of evaluate's result, and the rows that are written; text in pages and rows of choices."""
    page = " = One = \n \n " + LINES[0] + " \n = Two = \n \n = = Part = = \n " + LINES[1] + " \n"
    (tmp_path / "wiki.txt").write_text(page)
    found = shown(capsys, "--run", run, "--task", "wikitext2", "--data", tmp_path / "wiki.txt")
    assert found["examples"] == 2 and {"metrics", "intervals", "examples", "task"} == {*found}
    assert found["metrics"]["bits_per_byte"] == pytest.approx(np.log2(found["metrics"]["byte_perplexity"]))
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROWS["piqa"][0]) + "\n")
    words = ("--run", run, "--task", "piqa", "--data", tmp_path / "rows.jsonl", "--unconditional", "Answer:")
    found = shown(capsys, *words, "--output", tmp_path / "out.jsonl")
    assert {"accuracy", "accuracy_token", "accuracy_byte", "accuracy_unconditional"} == {*found["metrics"]}
    face = warmstart.zero_shot(str(run), "piqa", str(tmp_path / "rows.jsonl"), unconditional="Answer:")
    assert face == found
    [row] = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert row["prediction"] == int(np.argmax(row["log_probs"])) and row["label"] == 0
    assert main(["zeroshot", *map(str, words), "--output", str(tmp_path / "out.jsonl")]) == 2
    assert "the output file exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("task", "option", "value"),
    [("lambada", "--shots", "2"), ("cola", "--unconditional", "Answer:"), ("text", "--long-text", "refuse"),
     ("piqa", "--min-context", "4"), ("coqa", "--long-text", "refuse"), ("piqa", "--shots-data", "{file}")],
)  # fmt: skip
def test_an_option_that_changes_nothing_is_refused(
    task: str, option: str, value: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: docs/cli.md: bad usage is one sentence with the option's name, exit code 2, nothing written."""
    file, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    file.write_text(json.dumps(ROWS["piqa"][0]) + "\n")
    words = ["--run", str(run), "--task", task, "--data", str(file), "--output", str(out)]
    assert main(["zeroshot", *words, option, value.format(file=file)]) == 2
    assert capsys.readouterr().err.startswith(f"warmstart: {option}: ") and not out.exists()


def test_a_text_without_a_word_has_no_perplexity(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the perplexity per word of no words is not defined."""
    (tmp_path / "ptb.txt").write_text("\n\n")
    assert main(["zeroshot", "--run", str(run), "--task", "ptb", "--data", str(tmp_path / "ptb.txt")]) == 2
    assert "ptb.txt: no word to judge" in capsys.readouterr().err


def test_the_last_word_without_stop_words(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Invariants: a filter only takes away first guesses that are no answer, and a stop word is never one."""
    passages = ["the heron stands in the reeds", "a fish swims past it"]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in passages))
    found = shown(capsys, "--run", run, "--task", "lambada", "--data", tmp_path / "p.jsonl")["metrics"]
    assert found["accuracy_filtered"] <= 0.5 and found["accuracy"] <= found["accuracy_last_token"]
    (tmp_path / "p.jsonl").write_text(json.dumps({"text": "word"}) + "\n")
    assert main(["zeroshot", "--run", str(run), "--task", "lambada", "--data", str(tmp_path / "p.jsonl")]) == 2
    assert "not a passage with a last word" in capsys.readouterr().err


def test_every_task_of_the_table_is_there() -> None:
    """Invariant: each line leads to something that reads and judges."""
    assert all(hasattr(TASKS[name], "items") and hasattr(TASKS[name], "outcomes") for name in TASKS)


def test_the_missing_word_of_a_book(tmp_path: Path) -> None:
    """Witness: a question of the official form, its texts written out by hand."""
    lines = [f"{n} Sentence {n} , he said ." for n in range(1, 21)]
    lines.append("21 `` The XXXXX -LRB- grey -RRB- is here , '' he said .\theron\t\theron|rock")
    (tmp_path / "cbt.txt").write_text("\n".join(lines) + "\n\n")
    [item] = find_task("cbt").items(str(tmp_path / "cbt.txt"), Options())
    context = " ".join(f"Sentence {n}, he said." for n in range(1, 21)) + ' "The'
    assert [pair[:2] for pair in item.asked.pairs] == [
        (context, f' {word} (grey) is here," he said.') for word in ("heron", "rock")
    ]
    assert item.asked.label == 0
    (tmp_path / "cbt.txt").write_text("1 A sentence .\n")
    with pytest.raises(BadInput, match="sentences without a question"):
        list(find_task("cbt").items(str(tmp_path / "cbt.txt"), Options()))


def test_the_threshold_of_acceptability_is_the_best() -> None:
    """Witness: scikit-learn's correlation at every threshold."""
    from sklearn.metrics import matthews_corrcoef

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 40)
    scores = labels + rng.normal(0, 1, 40)
    best = best_threshold(scores, labels)
    every = [matthews_corrcoef(labels, scores >= each) for each in np.sort(scores)]
    assert matthews_corrcoef(labels, scores >= best) == pytest.approx(max(every))
    assert best == np.sort(scores)[int(np.argmax(every))]


def test_cola_is_judged_by_the_other_half(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: CoLA's own table without a header; scikit-learn's correlation of the rows that are written."""
    from sklearn.metrics import matthews_corrcoef

    rng = np.random.default_rng(1)
    words = " ".join(LINES).split()
    rows = [f"src\t{rng.integers(0, 2)}\t*\t{' '.join(rng.choice(words, 6))}" for _ in range(30)]
    (tmp_path / "dev.tsv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "out.jsonl"
    found = shown(capsys, "--run", run, "--task", "cola", "--data", tmp_path / "dev.tsv", "--output", out)["metrics"]
    told = [json.loads(line) for line in out.read_text().splitlines()]
    labels, guesses = ([row[key] for row in told] for key in ("label", "prediction"))
    assert labels == [int(row.split("\t")[1]) for row in rows]
    assert found["matthews"] == pytest.approx(matthews_corrcoef(labels, guesses))
    assert found["accuracy"] == pytest.approx(np.mean(np.array(labels) == guesses))


def test_the_curve_of_a_pretraining(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the last model that was kept is the run itself, but for the precision; the steps of the evaluations."""
    (tmp_path / "text.txt").write_text("\n".join(LINES * 60))
    out = tmp_path / "lm"
    words = ["pretrain", "--corpus", tmp_path / "text.txt", "--vocab-size", 280, "--model", "gpt1-tiny",
             "--length", "4 steps", "--evaluate-every", "2 steps", "--dev-frac", 0.2, "--snapshots",
             "--out", out, "--json"]  # fmt: skip
    assert main(list(map(str, words))) == 0
    capsys.readouterr()
    (tmp_path / "pairs.jsonl").write_text(
        json.dumps({"sentence_good": LINES[0], "sentence_bad": LINES[0][::-1]}) + "\n"
    )
    asked = ("--run", out, "--task", "blimp", "--data", tmp_path / "pairs.jsonl")
    found = shown(capsys, *asked, "--curve")
    assert [point["step"] for point in found["curve"]] == [2, 4]
    assert found["curve"][-1]["metrics"] == found["metrics"]
    assert main(["zeroshot", *map(str, asked[2:]), "--run", str(out / "snapshots" / "step-000000002"), "--curve"]) == 2
    assert "no model was kept on the way of this run" in capsys.readouterr().err
    assert (found["main"], found["chance"], found["best"]) == ("accuracy", 0.5, 1.0)
    first, last = (point["metrics"]["accuracy"] for point in found["curve"])
    assert found["gain"]["value"] == pytest.approx(last - first)
    rows = str(tmp_path / "rows.jsonl")
    assert main(["zeroshot", *map(str, asked), "--curve", "--best", "0.4", "--output", rows]) == 2
    assert not Path(rows).exists()  # nothing is written where anything is refused
    assert "--best: the best score is not above chance; got 0.4; allowed: more than 0.5" in capsys.readouterr().err
    assert main(["zeroshot", *map(str, asked), "--best", "0.9"]) == 2
    assert "--best: only a curve has a best score" in capsys.readouterr().err
    (tmp_path / "curve.json").write_text(json.dumps(found))
    assert main(["report", str(out), str(tmp_path / "curve.json"), "--out", str(tmp_path / "page.html")]) == 0
    assert "Zero-shot scores over the pre-training" in (tmp_path / "page.html").read_text()
    assert main(["report", str(tmp_path / "pairs.jsonl"), "--out", str(tmp_path / "page.html")]) == 2
    assert "no curve of zero-shot scores" in capsys.readouterr().err


def test_the_gain_of_the_last_model_is_over_the_same_examples() -> None:
    """Witness: the interval of the mean of differences by SciPy's bootstrap; far narrower than that of two samples."""
    rng = np.random.default_rng(0)
    before = rng.random(200) < 0.5
    after = before | (rng.random(200) < 0.1)
    rows = [np.stack([marks.astype(float), np.ones(200)], 1) for marks in (before, after)]
    found = gain_of(*(TextStatistics(one, mean) for one in rows))
    difference = after.astype(float) - before
    theirs = bootstrap((difference,), np.mean, method="percentile", random_state=1).confidence_interval
    assert found.value == pytest.approx(difference.mean())
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_a_masked_model_without_its_head_for_words_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: transformers: BertModel has no head for words, BertForMaskedLM has one."""
    from transformers import BertConfig, BertForMaskedLM, BertModel

    words = Tokenizer.train(LINES * 5, 280).with_special_tokens(["[CLS]", "[SEP]", "[MASK]"])
    config = BertConfig(
        vocab_size=words.vocab_size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32,
    )  # fmt: skip
    (tmp_path / "pairs.jsonl").write_text(json.dumps({"sentence_good": LINES[0], "sentence_bad": LINES[1]}) + "\n")
    for kind, code in ((BertForMaskedLM, 0), (BertModel, 2)):
        folder = tmp_path / kind.__name__
        kind(config).save_pretrained(folder)
        words.save(folder)
        asked = ["--run", str(folder), "--task", "blimp", "--data", str(tmp_path / "pairs.jsonl")]
        assert main(["zeroshot", *asked]) == code
    assert "this model has no head for words, so its likelihoods would say nothing" in capsys.readouterr().err


def test_a_checkpoint_of_tensorflow_is_told_how_to_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the names of the files of GPT-2's release of 2019, and the sentence."""
    for name in ("checkpoint", "encoder.json", "hparams.json", "model.ckpt.data-00000-of-00001", "model.ckpt.index",
                 "model.ckpt.meta", "vocab.bpe"):  # fmt: skip
        (tmp_path / name).write_bytes(b"")
    assert main(["generate", "--run", str(tmp_path), "--prompt", "a"]) == 2
    told = capsys.readouterr().err
    assert "a checkpoint of TensorFlow, which is not read here; got 'model.ckpt.index'" in told and "from_tf" in told
