"""The verbs: what each is for, what it reads, and the plain function that it calls (imported only when it runs)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warmstart.base.settings import Settings

EXPLAIN = "explain"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a verb's function gets beside its settings."""

    out: str = ""
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    Attributes:
        name: as it is typed.
        does: one line for the list of verbs.
        usage: the shortest useful command.
        about: what a person should know who reads only this.
        example: one worked example.
        run: settings and what was asked beside them → the result that ``--json`` shows.
        trains: whether it makes a run folder: takes ``--out`` and ``--resume``.
    """

    name: str
    does: str
    usage: str
    about: str
    example: str
    run: Callable[[Any, Asked], Any]
    trains: bool = False

    @property
    def table(self) -> str:
        """The name of its flags: ``explain`` reads those of the verb that it explains."""
        return self.name.removeprefix(f"{EXPLAIN} ")

    @property
    def explains(self) -> bool:
        """Whether it only says what another verb would do."""
        return self.name.startswith(EXPLAIN)


def settings_of(table: str) -> "type[Settings]":
    """The settings class of a verb, by the name of its table of flags."""
    from warmstart.config import requests, schema

    kinds: dict[str, type[Settings]] = {
        "prepare": requests.PrepareRequest,
        "pretrain": schema.PretrainRecipe,
        "finetune": schema.FinetuneRecipe,
        "evaluate": requests.EvaluateRequest,
        "predict": requests.PredictRequest,
        "submit": requests.SubmitRequest,
        "generate": requests.GenerateRequest,
        "score": requests.ScoreRequest,
        "rerank": requests.RerankRequest,
        "report": requests.ReportRequest,
        "convert": requests.ConvertRequest,
        "demo": requests.DemoRequest,
    }
    return kinds[table]


def _prepare(settings: Any, asked: Asked) -> Any:
    from warmstart.verbs.prepare import prepare

    return prepare(settings)


def _pretrain(settings: Any, asked: Asked) -> Any:
    from warmstart.verbs.pretrain import pretrain

    return pretrain(settings, asked.out, asked.resume)


def _finetune(settings: Any, asked: Asked) -> Any:
    from warmstart.verbs.finetune import finetune

    return finetune(settings, asked.out, asked.resume)


def _explain(settings: Any, asked: Asked) -> Any:
    from warmstart.verbs.explain import explain

    return explain(settings)


def _evaluate(settings: Any, asked: Asked) -> Any:
    from warmstart.config.requests import arguments
    from warmstart.verbs.evaluate import evaluate

    return evaluate(**arguments(settings))


def _predict(settings: Any, asked: Asked) -> Any:
    from warmstart.config.requests import arguments
    from warmstart.verbs.predict import predict

    return predict(**arguments(settings))


def _submit(settings: Any, asked: Asked) -> Any:
    from warmstart.verbs.submit import submit

    return submit(**settings.model_dump())


def _generate(settings: Any, asked: Asked) -> Any:
    from warmstart.config.requests import arguments
    from warmstart.verbs.generate import generate

    return {"generations": generate(**arguments(settings))}


def _score(settings: Any, asked: Asked) -> Any:
    from warmstart.verbs.score import score

    return score(**settings.model_dump())


def _rerank(settings: Any, asked: Asked) -> Any:
    from warmstart.verbs.rerank import rerank

    return rerank(**settings.model_dump())


def _report(settings: Any, asked: Asked) -> Any:
    from warmstart.verbs.report import report

    return report(list(settings.runs), settings.out)


def _convert(settings: Any, asked: Asked) -> Any:
    from warmstart.verbs.convert import convert

    return convert(settings.source, settings.out, settings.to)


def _demo(settings: Any, asked: Asked) -> Any:
    from warmstart.demo.run import demo

    return demo(settings.out)


_ALL = (
    Verb(
        "demo",
        "the whole story on text that this machine has, in minutes",
        "[--out DIR]",
        "Reads the English that every Python installation carries, learns a vocabulary, pre-trains a small model,\n"
        "fine-tunes it on a labelled task beside the same model from random weights, and compares the two.\n"
        "Downloads nothing.",
        "warmstart demo\n  makes runs/demo with a page, report.html, to look at",
        _demo,
    ),
    Verb(
        "prepare",
        "raw text to a corpus: cleaned, tokenised, ready for many runs",
        "TEXT… [--task NAME --data DIR] --out CORPUS [--tokenizer DIR | --vocab-size N]",
        "Reads txt, JSONL, CSV, TSV, Parquet (each also .gz, .zst), files, folders and globs. Learns a vocabulary\n"
        "unless one is given. The result does not depend on the number of workers. --task adds the training texts of a\n"
        "known data set (as finetune knows them), so that a task's own text can be learned from before its labels.",
        "warmstart prepare books/ reviews.jsonl.gz --clean ftfy --vocab-size 8192 --out corpus\n"
        "  makes the folder corpus; then: warmstart pretrain --corpus corpus …",
        _prepare,
    ),
    Verb(
        "pretrain",
        "a language model from text",
        "--corpus CORPUS|TEXT… --model PRESET --out RUN [--resume]",
        "Trains a language model on a prepared corpus or on raw text. Says first what it will do: examples in\n"
        "words, sizes, steps, memory, time. A stopped run is continued by the same command with --resume.",
        "warmstart pretrain --corpus books/ --model gpt1-mini --length '8M tokens' --out runs/books\n"
        "  makes runs/books; then: warmstart finetune --start runs/books …",
        _pretrain,
        trains=True,
    ),
    Verb(
        "finetune",
        "a model for a task, from pre-trained weights or from random ones",
        "--start RUN|none --task KIND|NAME --train FILE --dev FILE --out RUN [--resume]",
        "Learns a task from labelled examples, keeps the weights that did best on dev, and judges them.\n"
        "With --seeds N and --control it shows what the pre-training bought, and how sure that is.\n"
        "Known data sets, read from the folder --data as they are distributed: cola, sst2, rt_polarity, imdb, 20news,\n"
        "dbpedia; snli, snli_cad, snli+cad, mnli, scitail, qnli, rte, wnli; mrpc, qqp, stsb; dream, race, race_m,\n"
        "race_h, race_m+dream, storycloze, copa, csqa, openbookqa, arc_easy, arc_challenge; wnut17_ner, wikigold_ner,\n"
        "ud_english_ewt, ud_vietnamese_vtb; tydiqa_en; cifar10; and, to judge on only, mnli_1k, xnli, xquad_en, mlqa_en.",
        "warmstart finetune --start runs/books --task classification --train train.jsonl --dev dev.jsonl \\\n"
        "    --seeds 3 --control --out runs/reviews\n"
        '  reads lines such as {"text": "a fine film", "label": "positive"};\n'
        "  then: warmstart predict --run runs/reviews …",
        _finetune,
        trains=True,
    ),
    Verb(
        "evaluate",
        "how well a run does on labelled examples",
        "--run RUN --data FILE|DIR|ID [--task NAME] [--split PART]",
        "Shows the metrics of the task, each with its 95 % bootstrap interval.",
        'warmstart evaluate --run runs/reviews --data test.jsonl --json\n  {"metrics": …, "intervals": …, "examples": …}',
        _evaluate,
    ),
    Verb(
        "predict",
        "labels and probabilities for new examples",
        "--run RUN --input FILE|- --output FILE|-",
        "Writes one JSON line per example, in order, with label, score, probabilities and the row's other columns.",
        "warmstart predict --run runs/reviews --input new.csv --output predictions.jsonl",
        _predict,
    ),
    Verb(
        "submit",
        "predictions for GLUE's test files, as the zip that its site takes",
        "RUN… --data GLUE_DIR --out FILE.zip",
        "Each run answers the test files of the task that it has learned from GLUE's folder; a run for mnli answers\n"
        "MNLI-m, MNLI-mm and AX. The zip is checked against GLUE's rules; what is missing in it is said.",
        "warmstart submit runs/rte runs/sst2 --data glue --out submission.zip",
        _submit,
    ),
    Verb(
        "generate",
        "text that continues a beginning",
        "--run RUN --prompt TEXT… | --input FILE",
        "Continues each beginning with the run's language model.",
        "warmstart generate --run runs/books --prompt 'It was a dark' --max-new 30 --top-p 0.9 --samples 2",
        _generate,
    ),
    Verb(
        "score",
        "texts of any system against the true ones, and two systems against each other",
        "--data FILE --predictions FILE|lead3|copy [--against FILE|lead3|copy]",
        "Shows the metrics of texts, each with its 95 % bootstrap interval; with --against also how often chance alone\n"
        "would make so great a difference (paired approximate randomisation).",
        "warmstart score --data test.jsonl --predictions texts.jsonl --against lead3 --metrics rouge1,rouge2,rougeL",
        _score,
    ),
    Verb(
        "rerank",
        "other texts from the lattices of a search, by other lengths",
        "--run RUN --lattices FILE --output FILE [--length-penalty A | --per-token X [--expected N]]",
        "Chooses among all texts that a search kept; the model is not asked again.",
        "warmstart predict --run runs/xsum --input test.jsonl --output a.jsonl --beam 5 --lattices kept.jsonl\n"
        "  then: warmstart rerank --run runs/xsum --lattices kept.jsonl --output b.jsonl --length-penalty 0.9",
        _rerank,
    ),
    Verb(
        "report",
        "one page of tables and curves about some runs",
        "RUN… --out FILE.html",
        "Puts runs beside each other on one self-contained HTML page.",
        "warmstart report runs/books runs/reviews --out report.html",
        _report,
    ),
    Verb(
        "convert",
        "a model folder in another form: for transformers, for warmstart, or ONNX",
        "SOURCE --out DEST [--to hf|warmstart|onnx]",
        "A run already is a folder that transformers loads, wherever its architecture has a name there. This reads any\n"
        "folder that warmstart can read, the ten .npy files of GPT-1's 2018 release too, and writes another.",
        "warmstart convert model-2018/ --out gpt1\n"
        "  then: warmstart finetune --start gpt1 …, or AutoModelForCausalLM.from_pretrained('gpt1')",
        _convert,
    ),
)
VERBS: dict[str, Verb] = {verb.name: verb for verb in _ALL}
EXPLAIN_DOES = "what pretrain or finetune would do, in words; runs nothing"


def explaining(verb: Verb) -> Verb:
    """The verb that says what ``verb`` would do with the same words after it."""
    return replace(
        verb,
        name=f"{EXPLAIN} {verb.name}",
        about=f"Says what warmstart {verb.name} would do: examples in words, sizes, steps, memory, time.\n"
        "Takes the same options, trains nothing and writes nothing.",
        example=f"warmstart {EXPLAIN} " + verb.example.partition("\n")[0].removeprefix("warmstart ").rstrip("\\ "),
        run=_explain,
    )
