"""``warmstart demo``: the whole story on the text that this machine has.

Docstrings → corpus → a small pre-trained model → the same small task from its weights and from random ones, three seeds
each → a table, predictions, a sample and one page. Every step is the verb that a user would call; an interrupted demo goes
on where it stopped, a finished one shows its result again.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import InterruptError, TerminationError
from warmstart.base.files import read_json, write_text
from warmstart.base.formatting import format_duration, format_table
from warmstart.base.run_folder import REPORT, RunFolder
from warmstart.base.signals import stop_at_once
from warmstart.config.schema import CorpusRecipe, FinetuneRecipe, ModelRecipe, PretrainRecipe
from warmstart.config.task_recipe import TaskRecipe
from warmstart.demo.budget import LEAST_TOKENS, read_or_choose_budget
from warmstart.demo.docstrings import collect
from warmstart.demo.task import make_task
from warmstart.reporting.blocks import Block, Cell, Code, Figure, Heading, Number, Paragraph, Table
from warmstart.reporting.page import comparison_figures, curve_figures, write_page
from warmstart.reporting.runs import RunReport, read_runs
from warmstart.study.factors import PRETRAINED, SCRATCH
from warmstart.train.settings import OptimizerSettings, ScheduleSettings, TrainSettings
from warmstart.verbs.api import generate
from warmstart.verbs.classifier import Classifier
from warmstart.verbs.finetune import finetune
from warmstart.verbs.pretrain import pretrain

SEED = 1
PROMPT = "returns the"
RULES = ("whitespace", "lower")


def demo(out: str = "runs/demo") -> dict[str, Any]:
    """Runs the demo in the folder ``out``.

    Returns:
        {"run", "steps", "tokens", "seconds", "metrics", "pretrained", "scratch", "page"}.

    Raises:
        BadInput: ``out`` holds something else, or too few packages are installed to make a task from.
        TerminationError, InterruptError: a signal came; the demo goes on when it is called again.
    """
    sentence = f"{out}: stopped; run the same command again to continue."
    try:
        with stop_at_once(lambda: sentence):
            return _demo(Path(out))
    except (TerminationError, InterruptError) as error:  # of a training, which speaks of its own command
        raise type(error)(sentence) from None


def _demo(root: Path) -> dict[str, Any]:
    began_at_s = time.monotonic()
    data = _data(root / "data")
    plan = read_or_choose_budget(root / "budget.json", pretraining(data, LEAST_TOKENS))
    say(plan.sentence())
    language = _once(pretraining(data, plan.tokens), root / "language-model", pretrain)
    tuned = _once(finetuning(data, root / "language-model", plan.epochs), root / "task", finetune)
    test = [json.loads(line) for line in (data / "test.jsonl").read_text(encoding="utf-8").split("\n") if line]
    examples = predictions(root / "task", test)
    sample = generate(str(root / "language-model"), PROMPT, max_new=60, temperature=0.8, top_k=40, seed=SEED)[0]
    written = PROMPT + sample["text"]
    page = root / "report.html"
    runs = read_runs(root / "task") + read_runs(root / "language-model")  # an arm has one colour in all figures
    _write_page(page, language, tuned, runs, examples, written)
    _say_result(tuned, examples, written, page, time.monotonic() - began_at_s)
    return {
        "run": str(root),
        "steps": language["steps"],
        "tokens": language["tokens"],
        "seconds": round(time.monotonic() - began_at_s, 1),
        "metrics": tuned["metrics"],
        PRETRAINED: {key: tuned[PRETRAINED][key] for key in ("mean", "std", "values")},
        SCRATCH: {key: tuned[SCRATCH][key] for key in ("mean", "std", "values")},
        "page": str(page),
    }


def pretraining(data: Path, tokens: int) -> PretrainRecipe:
    """By Muon: after 1M tokens by AdamW this model is no better a start than random weights."""
    return PretrainRecipe(
        corpus=CorpusRecipe(paths=(str(data / "corpus.jsonl"),), vocab_size=4096, clean=RULES),
        model=ModelRecipe(preset="gpt1-micro"),
        dev_frac=0.01,
        snapshots=True,
        train=TrainSettings(
            seed=SEED,
            length=f"{tokens} tokens",
            batch_size=32,
            evaluate_every="0.25 run",
            optimizer=OptimizerSettings(kind="muon", lr=3e-3, beta2=0.95, weight_decay=0.1),
            schedule=ScheduleSettings(decay="cosine", warmup="0.08 run"),
        ),
    )


def finetuning(data: Path, start: Path, epochs: int) -> FinetuneRecipe:
    """Both arms alike: the same size, rate, length and seeds; only the weights at step 0 differ."""
    files = {split: str(data / f"{split}.jsonl") for split in ("train", "dev", "test")}
    return FinetuneRecipe(
        start=str(start),
        model=ModelRecipe(dropout=0.1),
        task=TaskRecipe(name="classification", **files),
        seeds=3,
        control=True,
        lm_weight=0,
        train=TrainSettings(
            seed=SEED,
            length=f"{epochs} epochs",
            batch_size=16,
            evaluate_every="1 run",
            optimizer=OptimizerSettings(lr=5e-4),
            schedule=ScheduleSettings(decay="linear", warmup="0.1 run"),
        ),
    )


def _once(recipe: Any, folder: Path, verb: Any) -> dict[str, Any]:
    """The report of a training that is done, continued, or begun."""
    run = RunFolder(folder)
    if run.is_finished:
        say(f"{folder} is finished already")
        report: dict[str, Any] = read_json(folder / REPORT)
        return report
    say(f"\n{'continuing' if run.is_started else 'training'} {folder}")
    return verb(recipe, str(folder), resume=run.is_started)  # type: ignore[no-any-return]


def _data(folder: Path) -> Path:
    """The corpus and the labelled rows, collected once; the test rows are written last."""
    if not (folder / "test.jsonl").is_file():
        say("reading the docstrings of this Python installation")
        task = make_task(collect(), SEED)
        _write_rows(folder / "corpus.jsonl", [{"text": text} for text in task.corpus])
        for split in ("train", "dev", "test"):
            _write_rows(folder / f"{split}.jsonl", getattr(task, split))
    return folder


def _write_rows(path: Path, rows: Sequence[dict[str, str]]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def predictions(run: Path, test: Sequence[dict[str, str]]) -> list[str]:
    """Three test rows in words: what it said, how sure, and what is true; one of them wrong, if any is."""
    model = Classifier.load(run)
    few = test[:60]
    found = model.predict([row["text"] for row in few])
    confidence = model.predict_proba([row["text"] for row in few]).max(1)
    wrong = [i for i, row in enumerate(few) if found[i] != row["label"]]
    right = [i for i in range(len(few)) if i not in wrong]
    chosen = (right[:2] + wrong[:1] + right[2:] + wrong[1:])[:3]
    return [
        f"“{_shorten(few[i]['text'])}” → {found[i]} ({confidence[i]:.0%})"
        + (", right" if found[i] == few[i]["label"] else f", but it is {few[i]['label']}")
        for i in chosen
    ]


def _shorten(text: str, limit: int = 110) -> str:
    return text if len(text) <= limit else f"{text[:limit].rsplit(' ', 1)[0]} …"


def _arms(tuned: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [("with pre-training", tuned[PRETRAINED]), ("without (random start)", tuned[SCRATCH])]


def _baselines(tuned: dict[str, Any]) -> list[tuple[str, float]]:
    """What a person would use instead."""
    return [
        (f"{name}: {one['what']}", one["metrics"][tuned["metric"]]) for name, one in tuned["baselines"]["each"].items()
    ]


def _say_result(tuned: dict[str, Any], examples: Sequence[str], sample: str, page: Path, seconds: float) -> None:
    rows = [
        [name, f"{arm['mean']:.1%}", f"{100 * arm['std']:.1f}", "  ".join(f"{v:.1%}" for v in arm["values"])]
        for name, arm in _arms(tuned)
    ]
    rows += [[name, f"{value:.1%}", "", ""] for name, value in _baselines(tuned)]
    say("\n" + format_table([f"{tuned['metric']} on {tuned['split']}", "mean", "± points", "each seed"], rows))
    say(_verdict(tuned))
    say("\nthree predictions")
    for line in examples:
        say(f"  {line}")
    say(f"\na sample of generated text\n  {sample.strip()}")
    say(f"\nthe whole story in {format_duration(seconds)}; the page: {page}")


def _verdict(tuned: dict[str, Any]) -> str:
    return f"{tuned['comparison']['sentence']} {tuned['baselines']['sentence']}"


def _write_page(
    page: Path,
    language: dict[str, Any],
    tuned: dict[str, Any],
    runs: Sequence[RunReport],
    examples: Sequence[str],
    sample: str,
) -> None:
    arms: list[tuple[Cell, ...]] = [
        (name, Number(arm["mean"], arm["std"]), *map(Number, arm["values"])) for name, arm in _arms(tuned)
    ]
    seeds = tuple(f"seed {number}" for number in range(1, len(tuned[PRETRAINED]["values"]) + 1))
    arms += [(name, Number(value), *["–"] * len(seeds)) for name, value in _baselines(tuned)]
    task_runs = [run for run in runs if run.final.seeds]
    blocks: list[Block] = [
        Paragraph(
            "A small language model was pre-trained on the docstrings of this machine's Python packages. Then the same "
            "small task – which area of work does a description come from? – was learned from its weights and from "
            "random ones, with equal settings."
        ),
        Heading("What pre-training bought"),
        Table((f"{tuned['metric']} on {tuned['split']}", "mean ± std", *seeds), tuple(arms)),
        Paragraph(_verdict(tuned)),
        *[block for block in comparison_figures(task_runs, "test") if isinstance(block, Figure)][:1],
        Heading("Three predictions"),
        *[Paragraph(line) for line in examples],
        Heading("A sample of generated text"),
        Code(sample),
        Heading("Pre-training"),
        Paragraph(
            f"{language['tokens']:,} tokens in {format_duration(language['seconds'])}; perplexity on held-out text "
            f"{language['metrics']['perplexity']:.1f}."
        ),
        *curve_figures(runs),
    ]
    write_page(page, "What pre-training bought", blocks)
