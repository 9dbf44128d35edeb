"""The verbs: what each is for, what it reads, and what calls its plain function (:mod:`~warmstart.cli.calls`).

Light: the top help reads this table, so it imports nothing that a verb needs.
"""

from dataclasses import replace
from textwrap import fill
from typing import Any

from warmstart.base.imports import no_garbage_collection
from warmstart.cli import calls
from warmstart.cli.verb import EXPLAIN, RunOptions, Verb
from warmstart.tasks.known.names import EVALUATION_DATASETS, TRAINING_DATASETS
from warmstart.zeroshot.table import TASKS as ZEROSHOT_TASKS


def _completion(settings: Any, options: RunOptions) -> Any:
    with no_garbage_collection():
        from warmstart.cli.completion import completion

    return completion(
        settings.shell, [*VERBS.values(), *map(explaining, filter(lambda verb: verb.explained, VERBS.values()))]
    )


_DATASETS = fill(
    f"Known data sets, read from the folder --data as they are distributed: {', '.join(TRAINING_DATASETS)}; and, for "
    f"evaluation only, {', '.join(EVALUATION_DATASETS)}.",
    width=110, break_on_hyphens=False,
)  # fmt: skip

_ZEROSHOT = f"Known tasks:\n{fill(', '.join(ZEROSHOT_TASKS), width=110, break_on_hyphens=False)}."

_ALL = (
    Verb(
        "demo",
        "the whole story on text that this machine has, in minutes",
        "[--out DIR]",
        "Reads the English that every Python installation carries, learns a vocabulary, pre-trains a small model,\n"
        "fine-tunes it on a labelled task beside the same model from random weights, and compares the two.\n"
        "Downloads nothing.",
        "warmstart demo\n  makes runs/demo with a page, report.html, to look at",
        calls.call_demo,
    ),
    Verb(
        "prepare",
        "raw text to a corpus: cleaned, tokenised, ready for many runs",
        "TEXT… [--task NAME --data DIR] --out CORPUS [--tokenizer DIR | --vocab-size N]",
        "Reads txt, JSONL, CSV, TSV, Parquet (each also .gz, .zst), files, folders and globs. Learns a vocabulary\n"
        "unless one is given. The result does not depend on the number of workers. --task adds the training texts of a\n"
        "known data set (as finetune knows them), so that a model can be pre-trained on a task's own text. Stopped and\n"
        "run again it goes on where it was.",
        "warmstart prepare books/ reviews.jsonl.gz --clean ftfy --vocab-size 8192 --out corpus\n"
        "  makes the folder corpus; then: warmstart pretrain --corpus corpus …",
        calls.call_prepare,
        continues=True,
        computes=False,
    ),
    Verb(
        "pretrain",
        "a language model from text",
        "--corpus CORPUS|TEXT… --out RUN [--model PRESET] [--resume]",
        "Trains a language model on a prepared corpus or on raw text. What is not named follows from the text:\n"
        "model, length, optimizer, rate. Shows first what it will do: some examples in words, sizes, steps, memory, time.\n"
        "The same command with --resume continues a run that stopped.",
        "warmstart pretrain --corpus books/ --out runs/books\n"
        "  makes runs/books; then: warmstart finetune --start runs/books …",
        calls.call_pretrain,
        trains=True,
        explained=True,
    ),
    Verb(
        "finetune",
        "a model for a task, from pre-trained weights or from random ones",
        "--start RUN|none --task KIND|NAME --train FILE --dev FILE --out RUN [--resume]",
        "Trains on labelled examples, keeps the weights that did best on dev, and evaluates them.\n"
        "With --seeds N and --control it shows what the pre-training bought, and how sure that is.\n"
        f"{_DATASETS}",
        "warmstart finetune --start runs/books --task classification --train train.jsonl --dev dev.jsonl \\\n"
        "    --seeds 3 --control --out runs/reviews\n"
        '  reads lines such as {"text": "a fine film", "label": "positive"};\n'
        "  then: warmstart predict --run runs/reviews …",
        calls.call_finetune,
        trains=True,
        explained=True,
    ),
    Verb(
        "study",
        "does pre-training pay on these labels: many trainings, compared",
        "DESIGN --start RUN --task KIND|NAME --train FILE --test FILE --out STUDY",
        "DESIGN is labels, ablation, layers, search, pretraining, tasks or zeroshot.\n"
        "Trains what its design asks for, with every seed, beside a bag of words and the start as it is, and compares all\n"
        "over seeds and examples together. The same command goes on where it was stopped; nothing is run twice.\n"
        "Takes the options of finetune.",
        "warmstart study labels --sizes 8,32,128 --start runs/books --task classification --train train.jsonl \\\n"
        "    --test test.jsonl --out runs/labels\n"
        "  makes runs/labels with report.html",
        calls.call_study,
        trains=True,
        continues=True,
    ),
    Verb(
        "evaluate",
        "how well a run does on labelled examples",
        "--run RUN --data FILE|DIR|ID [--task NAME] [--split PART]",
        "Shows the metrics of the task, each with its 95 % bootstrap interval.",
        'warmstart evaluate --run runs/reviews --data test.jsonl --json\n  {"metrics": …, "intervals": …, "examples": …}',
        calls.call_evaluate,
    ),
    Verb(
        "predict",
        "labels and probabilities for new examples",
        "--run RUN --input FILE|- --output FILE|-",
        "Writes one JSON line per example, in order, with label, score, probabilities and the row's other columns.",
        "warmstart predict --run runs/reviews --input new.csv --output predictions.jsonl",
        calls.call_predict,
    ),
    Verb(
        "submit",
        "predictions for GLUE's test files, as the zip that its site takes",
        "RUN… --data GLUE_DIR --out FILE.zip",
        "Each run predicts the test files of the GLUE task that it was trained on; a run for mnli those of MNLI-m,\n"
        "MNLI-mm and AX. Checks the zip against GLUE's rules and names the files that are missing.",
        "warmstart submit runs/rte runs/sst2 --data glue --out submission.zip",
        calls.call_submit,
    ),
    Verb(
        "generate",
        "text that continues a prompt",
        "--run RUN --prompt TEXT… | --input FILE",
        "Continues each prompt with the run's language model.",
        "warmstart generate --run runs/books --prompt 'It was a dark' --max-new 30 --top-p 0.9 --samples 2",
        calls.call_generate,
    ),
    Verb(
        "score",
        "generated texts of any system against references, and two systems against each other",
        "--data FILE --predictions FILE|lead1|lead3|copy [--against FILE|lead1|lead3|copy]",
        "Shows the metrics of texts, each with its 95 % bootstrap interval; with --against also how likely so large\n"
        "a difference is by chance (paired approximate randomisation).",
        "warmstart score --data test.jsonl --predictions texts.jsonl --against lead3 --metrics rouge1,rouge2,rougeL",
        calls.call_score,
        computes=False,
    ),
    Verb(
        "rerank",
        "other texts from what a beam search kept, by another length penalty",
        "--run RUN --lattices FILE --output FILE [--length-penalty A | --per-token X [--expected N]]",
        "Chooses anew among all texts that predict --lattices kept; does not run the model.",
        "warmstart predict --run runs/xsum --input test.jsonl --output a.jsonl --beam 5 --lattices kept.jsonl\n"
        "  then: warmstart rerank --run runs/xsum --lattices kept.jsonl --output b.jsonl --length-penalty 0.9",
        calls.call_rerank,
        computes=False,
    ),
    Verb(
        "zeroshot",
        "what a language model knows without fine-tuning: LAMBADA, WikiText, Winograd, HellaSwag and their like",
        "--run RUN --task NAME|FILE.yaml --data FILE",
        "Judges texts and choices by their likelihood, without training. Takes runs and model folders, left-to-right or\n"
        f"masked. {_ZEROSHOT}",
        "warmstart zeroshot --run runs/books --task lambada --data lambada_test.jsonl\n"
        "  shows accuracy and perplexity, each with its 95 % bootstrap interval",
        calls.call_zeroshot,
    ),
    Verb(
        "overlap",
        "how much of some examples stands in the text that a model was trained on",
        "--corpus CORPUS|TEXT… --data FILE…",
        "Compares 8-grams of lower-cased words, as GPT-2's authors did. What a corpus holds is kept in its folder.",
        "warmstart overlap --corpus corpus --data test.jsonl --output overlap.jsonl\n"
        "  then: warmstart zeroshot … --overlap corpus shows what it changes",
        calls.call_overlap,
        computes=False,
    ),
    Verb(
        "report",
        "one page of tables and curves of several runs",
        "RUN… --out FILE.html [--export DIR] [--watch]",
        "Puts runs and studies beside each other on one self-contained HTML page.",
        "warmstart report runs/books runs/reviews --out report.html",
        calls.call_report,
        computes=False,
    ),
    Verb(
        "convert",
        "a model folder in another form: for transformers, peft, warmstart, ONNX or CTranslate2",
        "SOURCE --out DEST [--to hf|warmstart|onnx|peft|ctranslate2]",
        "A run already is a folder that transformers loads, wherever transformers has its architecture. This reads any\n"
        "folder that warmstart can read, also the ten .npy files of GPT-1's 2018 release, and writes another.",
        "warmstart convert model-2018/ --out gpt1\n"
        "  then: warmstart finetune --start gpt1 …, or AutoModelForCausalLM.from_pretrained('gpt1')",
        calls.call_convert,
    ),
    Verb(
        "embed extract",
        "the vectors of words or texts, from one source or several side by side",
        "SOURCE… --vocabulary FILE | --texts FILE --out FILE",
        "Sources are files of vectors, runs and model folders. Says how each word was found. A folder of\n"
        "sentence-transformers gives the vectors that this library gives.",
        "warmstart embed extract glove.txt fasttext.bin --vocabulary words.txt --normalise parts --pca 300 --out joined.vec",
        calls.call_embed_extract,
    ),
    Verb(
        "embed evaluate",
        "how good vectors are: analogies, similarity, categories, odd ones out, pairs of sentences",
        "SOURCE… --analogies | --similarity | --categories | --outliers | --sentences FILE…",
        "Shows each metric with its 95 % bootstrap interval and how much of the test the source covers; over the items\n"
        "that all sources cover it compares them, corrected for the number of comparisons.",
        "warmstart embed evaluate glove.txt GoogleNews.bin --analogies questions-words.txt --similarity simlex.tsv",
        calls.call_embed_evaluate,
    ),
    Verb(
        "embed neighbours",
        "the nearest words of words, of several sources side by side",
        "SOURCE… --words WORD… | --input FILE [--top N]",
        "Nearest by cosine, among the words of the source; of a model among those of --vocabulary.",
        "warmstart embed neighbours glove.txt fasttext.bin --words king queen --top 5",
        calls.call_embed_neighbours,
        computes=False,
    ),
    Verb(
        "embed explore",
        "a page to look at vectors: a map, search, the nearest words of every source side by side",
        "SOURCE… [--words FILE | --texts FILE] --out FILE.html [--map pca,tsne,umap] [--serve]",
        "Writes one HTML file that any browser opens from the disk; it needs no network. Neighbours are exact.\n"
        "Columns of the table with the words or texts, or of --columns, colour the map.",
        "warmstart embed explore glove.txt fasttext.bin --out words.html\n"
        "  warmstart embed explore sentence-encoder/ --texts reviews.jsonl --map umap --out reviews.html --serve",
        calls.call_embed_explore,
    ),
    Verb(
        "embed distil",
        "static vectors of sentences from a model: a vector of each token, whose mean is that of a text",
        "SOURCE --out FOLDER [--size N]",
        "Reads every token of the vocabulary by itself, keeps the principal components, and lets frequent tokens count\n"
        "less. The folder is a source for embed, and one of sentence-transformers.",
        "warmstart embed distil sentence-transformers/all-MiniLM-L6-v2 --out static",
        calls.call_embed_distil,
    ),
    Verb(
        "embed train",
        "vectors of words from raw text: word2vec, fastText (extra word2vec)",
        "TEXT… --out FILE [--kind word2vec|fasttext] [--size N]",
        "A line is a sentence. By gensim; with one worker the same text gives the same vectors.",
        "warmstart embed train wiki.txt.gz --lower --out words.vec\n"
        "  warmstart embed train wiki.txt.gz --kind fasttext --out words.bin",
        calls.call_embed_train,
    ),
    Verb(
        "completion",
        "a script with which a shell completes verbs, options and their values",
        "bash|zsh|fish",
        "Prints the script. It knows the options of this version; make it again after an upgrade.",
        "warmstart completion bash > ~/.local/share/bash-completion/completions/warmstart\n"
        "  zsh:  warmstart completion zsh > DIR/_warmstart, with DIR in $fpath before compinit\n"
        "  fish: warmstart completion fish > ~/.config/fish/completions/warmstart.fish",
        _completion,
        computes=False,
    ),
)
VERBS: dict[str, Verb] = {verb.name: verb for verb in _ALL}
EXPLAIN_HELP = """\
usage: warmstart explain pretrain|finetune [options of that verb] [--all]

Says what a training would do, without training and without writing anything: some examples in words, what is
learned from them, sizes, steps, memory and time on this machine, and the settings that differ from the defaults.
With --control it describes both arms. Takes the options of the verb that it explains, as they are; --out and
--resume are accepted and ignored.

options of its own:
  --all                       all settings, those that are as by default too
  --world N                   memory and time of N processes as well, shared as --parallel says
  --tflops T                  with --world: the devices compute T TFLOP/s (default: as this machine does)
  --json                      one JSON object on standard output: {"words": …, "settings": …, "recipe": …}
  -h, --help                  this; warmstart explain finetune --help lists the options of finetune

example:
  warmstart explain finetune --start runs/books --task classification --train train.jsonl --dev dev.jsonl --control
"""


def explaining(verb: Verb) -> Verb:
    """The verb that says what ``verb`` would do with the same words after it."""
    return replace(
        verb,
        name=f"{EXPLAIN} {verb.name}",
        description=f"Says what warmstart {verb.name} would do: examples in words, sizes, steps, memory, time, and the\n"
        "settings that differ from the defaults. Takes the same options, trains nothing and writes nothing.",
        example=f"warmstart {EXPLAIN} " + verb.example.partition("\n")[0].removeprefix("warmstart ").rstrip("\\ "),
        run=calls.call_explain,
    )
