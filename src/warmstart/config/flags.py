"""The flags of the command line: short names of recipe fields, one table per verb. Light: imports nothing.

The type of a flag, its choices and its default are those of its field; only its help and its form stand here.
"""

from dataclasses import dataclass, replace
from typing import Literal

HUB = "hf:"
"""How the ids of data sets on the hub begin."""
LENGTH = "LENGTH"
"""Stands for a length with its unit in the help."""

PathKind = Literal["", "file", "files", "folder", "either", "text", "model"]


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag.

    Attributes:
        name: as it is typed; without ``--`` it is a positional argument.
        path: the recipe field that it sets.
        help: what it is, without type and default.
        shown: stands for the value in the help.
        many: takes one value or more.
        switch: takes none and means yes.
        exists: what kind of path the value must be; ``files`` is a file, or several with commas between; ``text`` is
            files, folders, globs or ``-``; ``model`` is a folder or the id of a model on the hub.
        unless: words that are no paths.
        unless_begins: the beginning of words that are no paths.
    """

    name: str
    path: str
    help: str
    shown: str = "VALUE"
    many: bool = False
    switch: bool = False
    exists: PathKind = ""
    unless: tuple[str, ...] = ()
    unless_begins: str = ""


Table = dict[str, tuple[Flag, ...]]
"""Title of a group in the help → its flags."""

_VOCABULARY = (
    Flag(
        "--tokenizer",
        "tokenizer",
        "folder with a tokenizer.json to use (default: one is learned)",
        "DIR",
        exists="either",
    ),
    Flag("--vocab-size", "vocab_size", "entries of a vocabulary that is learned", "N"),
    Flag("--vocabulary", "vocabulary", "what a token of a vocabulary that is learned is"),
)
_NEW_VOCABULARY = Flag("--new-vocabulary", "new_vocabulary",
                       "give the start another vocabulary; rows of tokens that both have are kept", switch=True)  # fmt: skip
_TEXT = (
    Flag("--clean", "clean", "cleaning rules, in order, with commas: ftfy, gpt1, spacy, unwrap, breaks, whitespace, lower",
         "RULES"),
    Flag("--encoding", "encoding", "of text files", "NAME"),
)  # fmt: skip
_MODEL = (
    Flag(
        "--model",
        "model.preset",
        "size: gpt1 (116.5M weights), gpt2, gpt1-mini, gpt1-micro, gpt1-tiny, bert, bert-mini, bert-tiny, modern, "
        "modern-mini; lstm, lstm-gpt1, lstm-awd, lstm-mini, lstm-tiny",
        "PRESET",
    ),
    Flag("--layers", "model.layers", "layers, where they differ from the preset", "N"),
    Flag("--width", "model.width", "width of the states", "N"),
    Flag("--heads", "model.heads", "attention heads; they divide the width", "N"),
    Flag("--hidden", "model.hidden", "width inside the feed-forward part", "N"),
    Flag("--norm", "model.norm", "layer norm after each sum (post: GPT-1) or before each part (pre: GPT-2)"),
    Flag("--activation", "model.activation", "in the feed-forward part: GELU by tanh (GPT-1) or exact, SiLU, ReLU"),
    Flag("--dropout", "model.dropout", "of embedding, attention and residual alike", "P"),
)
_TRAIN = (
    Flag("--length", "train.length", "how long: '3 epochs', '2000 steps', '8M tokens'", LENGTH),
    Flag("--batch-size", "train.batch_size", "examples (or rows of text) per step", "N"),
    Flag("--accumulation", "train.accumulation", "parts that a batch is computed in, at least", "N"),
    Flag("--max-tokens", "train.max_tokens", "tokens computed at a time: bounds the memory, not the result", "N"),
    Flag("--by-length", "train.by_length", "texts of similar length in a batch: faster for an LSTM", switch=True),
    Flag("--optimizer", "train.optimizer.kind", "muon moves the matrices of the blocks by it, all else by AdamW"),
    Flag("--lr", "train.optimizer.lr", "peak learning rate", "RATE"),
    Flag("--warmup", "train.schedule.warmup", "linear warm-up: '2000 steps', '0.01 run'", LENGTH),
    Flag("--decay", "train.schedule.decay", "of the learning rate after the warm-up; wsd stays up until the cooldown"),
    Flag("--cooldown", "train.schedule.cooldown", "linear end of --decay wsd: '0.2 run'", LENGTH),
    Flag("--layer-decay", "train.optimizer.layer_decay", "each layer's rate is the one above it divided by this", "D"),
    Flag("--unfreeze", "train.unfreeze", "length after which the next lower layer begins to move: '1 epoch'", LENGTH),
    Flag("--softmax", "train.softmax", "of the language model: over all tokens, or over some that each step draws"),
    Flag("--samples", "train.samples", "tokens that --softmax sampled draws", "N"),
    Flag("--ar", "train.ar", "weight of the squares of the last states (AWD-LSTM: 2)", "ALPHA"),
    Flag("--tar", "train.tar", "weight of the squares of their changes from token to token (AWD-LSTM: 1)", "BETA"),
    Flag("--weight-decay", "train.optimizer.weight_decay", "decoupled, on weights that are no bias and no gain", "W"),
    Flag("--clip-norm", "train.optimizer.clip_norm", "largest norm of the whole gradient", "NORM"),
    Flag("--seed", "train.seed", "of everything that is random", "N"),
    Flag("--precision", "train.precision", "of the computation; auto takes bf16 where the processor has it"),
    Flag("--evaluate-every", "train.evaluate_every", "how often dev is judged, a length", LENGTH),
    Flag("--patience", "train.patience", "judgements without a new best before stopping early; 0: never", "N"),
    Flag("--save-every", "train.save_every_s", "seconds between checkpoints", "SECONDS"),
)


def _under(group: str, flags: tuple[Flag, ...]) -> tuple[Flag, ...]:
    """The same flags for fields that stand in a group."""
    return tuple(replace(flag, path=f"{group}.{flag.path}") for flag in flags)


_RUN = Flag("--run", "run", "finished run, model folder or hub id", "RUN", exists="model")
_RUNS = Flag("--run", "run", "finished run, model folder or hub id; several of one task answer together", "RUN", many=True,
             exists="model")  # fmt: skip
_PRECISION = Flag("--precision", "precision", "of the computation; auto takes bf16 where the processor has it")

_SEARCH = (
    Flag("--max-new", "max_new", "tokens of a text at most (default: the target limit)", "N"),
    Flag("--min-new", "min_new", "tokens of a text at least", "N"),
    Flag("--beam", "beam", "texts kept at a time; 1: the likeliest token, one by one", "N"),
    Flag("--length-penalty", "length_penalty", "scores are divided by ((5 + length) / 6) to this power", "ALPHA"),
    Flag("--best", "best", "texts that a search gives", "N"),
    Flag("--groups", "groups", "groups of the beam that avoid each other's tokens", "N"),
    Flag("--diversity", "diversity", "what a token costs that a group before has taken", "COST"),
    Flag("--no-repeat", "no_repeat", "no n tokens come twice", "N"),
    Flag("--ignored", "ignored", "words that may come again all the same, with commas between", "WORDS"),
    Flag("--forbidden", "forbidden", "words that never come, with commas between", "WORDS"),
    Flag("--prefix", "prefix", "how every text begins", "TEXT"),
    Flag("--compat", "compat", "s2s-ft: the beam search of that code, rule by rule"),
)

_DRAWING = (
    Flag("--temperature", "temperature", "below 1 plays safe, above 1 dares", "T"),
    Flag("--top-k", "top_k", "choose among the k likeliest tokens; 0: among all", "K"),
    Flag("--top-p", "top_p", "choose among the likeliest tokens that hold this probability together", "P"),
    Flag("--samples", "samples", "texts that are drawn for each", "N"),
    Flag("--seed", "seed", "of the choices", "N"),
)
_LABEL_MAP = Flag(
    "--label-map",
    "label_map",
    "other names for the run's labels, with commas between: negative=0,positive=1",
    "OWN=OTHER",
)

PREPARE: Table = {
    "Text": (
        Flag("TEXT", "paths", "files, folders, globs, or - for standard input", "TEXT", many=True, exists="text"),
        Flag(
            "--task",
            "task",
            "a known data set, whose training texts are learned from too, without their labels",
            "NAME",
        ),
        Flag("--data", "data", "its folder, as distributed", "DIR", exists="folder"),
        *_TEXT,
    ),
    "Vocabulary": _VOCABULARY,
    "Making": (
        Flag("--out", "out", "folder of the corpus, to be made", "CORPUS"),
        Flag("--workers", "workers", "processes; the result does not depend on their number (default: all cores)", "N"),
    ),
}
PRETRAIN: Table = {
    "Text": (
        Flag("--corpus", "corpus.paths", "a corpus made by prepare, text (files, folders, globs, -), or images "
             "(folders, .tar, .npz)", "TEXT", many=True, exists="text"),
        *_under("corpus", _TEXT),
        *_under("corpus", _VOCABULARY),
        Flag("--objective", "objective", "what is learned: the next token, the one before (reading from the end), both, to "
             "write a document that was read (SA-LSTM), masked tokens (BERT), these under four kinds of sight (UniLM), or "
             "at once and one by one (UniLMv2)"),
        Flag("--mask", "mask.units", "what is masked together (default: blocks for pseudo-masked, else tokens)"),
        Flag("--mask-share", "mask.share", "of the tokens that is masked", "SHARE"),
        Flag("--dev-frac", "dev_frac", "share of the text held out to be judged on", "SHARE"),
        Flag("--carry", "carry", "an LSTM's state goes on from row to row of a long document; rows are not shuffled",
             switch=True),
    ),
    "Model": (
        Flag("--start", "start", "run or model folder (or hub id) whose weights, size and tokenizer are taken, to go on "
             "from", "RUN|none", exists="model", unless=("none",)),
        _NEW_VOCABULARY,
        *_MODEL, Flag("--context", "model.context", "tokens that the model sees at once", "N")),
    "Training": _TRAIN,
}  # fmt: skip
FINETUNE: Table = {
    "Start": (
        Flag("--start", "start", "run or model folder (or hub id) whose weights and tokenizer are taken, or none",
             "RUN|none", exists="model", unless=("none",)),
        Flag("--vectors", "vectors", "with --start none: a file of word vectors (text, also .gz) that embeddings begin as",
             "FILE", exists="file"),
        Flag("--transfer-layers", "transfer_layers", "take only the first k layers; 0: only the embeddings", "K"),
        _NEW_VOCABULARY,
    ),
    "Task": (
        Flag("--task", "task.name", "classification, entailment, similarity, regression, choice, multilabel, tagging, "
             "span, images, seq2seq (with --train), or the name of a known data set (with --data)", "KIND|NAME"),
        Flag("--train", "task.train", "labelled examples to learn from: JSONL, CSV, TSV, Parquet; tagging also CoNLL, "
             "span also SQuAD, seq2seq also two text files: SOURCES,TARGETS; images a folder CLASS/NAME.png, a tar of it "
             "or .npz", "FILE", exists="either"),
        Flag("--dev", "task.dev", "labelled examples to choose the best weights by", "FILE", exists="either"),
        Flag("--test", "task.test", "labelled examples for the last word", "FILE", exists="either"),
        Flag("--data", "task.data", "folder of a known data set, as distributed; with a kind, one of the hub: "
             "hf:owner/name[:config]", "DIR|ID", exists="folder", unless_begins=HUB),
        Flag("--dev-frac", "task.dev_frac", "share of the training examples that serves as dev where there is none",
             "SHARE"),
        Flag("--train-frac", "task.train_frac", "share of the training examples that is used", "SHARE"),
        Flag("--encoding", "task.encoding", "of the files", "NAME"),
        Flag("--long-text", "task.long_text", "what to do with a text that is longer than the context"),
        Flag("--context", "task.context", "tokens that one example may have (default: what the model can see)", "N"),
        Flag("--class-weights", "task.class_weights", "balanced: rare classes count more"),
        Flag("--metric", "task.metric", "what dev is judged by (default: the metric of the task)", "NAME"),
        Flag("--tag-column", "task.tagging.column", "tagging: column of the tag in CoNLL files, from 1 (default: the last; "
             "UPOS in CoNLL-U)", "N"),
        Flag("--stride", "task.span.stride", "span: tokens between two windows on a context that is too long", "N"),
        Flag("--max-answer", "task.span.max_answer", "span: tokens that an answer may have", "N"),
    ),
    "Sequence to sequence": (
        Flag("--algorithm", "task.seq2seq.algorithm", "how the target is learned"),
        Flag("--source-limit", "task.seq2seq.source_limit", "tokens of the source that are read (default: what the target "
             "leaves)", "N"),
        Flag("--target-limit", "task.seq2seq.target_limit", "tokens of the target that are learned, its end included", "N"),
        Flag("--long-target", "task.seq2seq.long_target", "what to do with a target that is longer"),
        Flag("--target-noise", "task.seq2seq.target_noise", "share of the target that is noised (default: 0.5; 0 without a "
             "mask token)", "P"),
        Flag("--source-noise", "task.seq2seq.source_noise", "share of the source that is noised", "P"),
        Flag("--smoothing", "task.seq2seq.smoothing", "share of the label that all other tokens have together", "P"),
        Flag("--decoded-dev", "task.decoded_dev", "dev examples that are decoded to judge by while it learns; 0: all", "N"),
        Flag("--cleanup", "task.seq2seq.cleanup", "rules for texts before they are scored"),
        *_under("search", _SEARCH),
    ),
    "Scheme": (
        Flag("--scheme", "scheme.kind", "which weights move: all, the heads, the heads and the top layers, or LoRA"),
        Flag("--scheme-layers", "scheme.layers", "how many layers move with --scheme top", "K"),
        Flag("--lora-rank", "scheme.rank", "rank of what LoRA adds to each matrix", "R"),
        Flag("--lora-alpha", "scheme.alpha", "LoRA's product counts alpha / rank", "ALPHA"),
    ),
    "Objective": (
        Flag("--lm-weight", "lm_weight",
             "weight of the auxiliary language model (default: 0.5, and 0 for a bidirectional model)", "LAMBDA"),
        Flag("--lm-average", "lm_average", "what counts alike in it"),
        Flag("--lm-frame", "lm_frame", "what it learns: the next token, or to write the text after it was read"),
        Flag("--label-gain", "label_gain", "linear: in training the class is asked for at every token, more and more"),
        Flag("--head-hidden", "head_hidden", "width of a layer before the classifier; 0: none", "N"),
        Flag("--head-pool", "head_pool", "concat: the classifier reads the last, greatest and mean state of a text"),
        Flag("--head-norm", "head_norm", "batch: batch norm and dropout before each linear of the classifier"),
        Flag("--head-dropout", "head_dropout", "on the state that the classifier reads", "P"),
    ),
    "Model (for --start none; from a start only --dropout may differ)": (*_MODEL, *_VOCABULARY),
    "Training": (
        Flag("--seeds", "seeds", "how many runs, with seeds from --seed on", "N"),
        Flag("--control", "control", "train the same model from random weights beside it, and compare",
             switch=True),
        *_TRAIN,
    ),
}  # fmt: skip
EVALUATE: Table = {
    "What to judge": (
        _RUNS,
        Flag("--data", "data", "labelled examples: JSONL, CSV, TSV, Parquet (CoNLL, SQuAD; SOURCES,TARGETS); the folder of "
             "a known data set; hf:owner/name[:config]; for a language model text or a corpus", "FILE|DIR|ID",
             exists="either", unless_begins=HUB),
        Flag("--task", "task", "known data set in the folder (default: the one that the run has learned)", "NAME"),
        Flag("--split", "split", "part of a data set to judge on (default: test where it has labels, else dev)", "PART"),
        Flag("--context", "context", "tokens of text that a language model reads in one go (default: as it was trained; an "
             "LSTM can read any number)", "N"),
        _LABEL_MAP,
        Flag("--encoding", "encoding", "of the file", "NAME"),
        _PRECISION,
    ),
    "Sequence to sequence (default: as the run was judged)": (
        Flag("--metrics", "metrics", "rouge1, rouge2, rougeL, rougeLsum, bleu4, bleu, chrf, ter, meteor, with commas "
             "between", "NAMES"),
        *_under("search", (*_SEARCH, *_DRAWING)),
    ),
}  # fmt: skip
PREDICT: Table = {
    "What to predict": (
        _RUNS,
        Flag("--input", "input", "examples, or - for standard input (JSONL); labels are not needed; images: also a folder",
             "FILE|-", exists="either", unless=("-",)),
        Flag("--output", "output", "predictions as JSONL, or - for standard output", "FILE|-"),
        _LABEL_MAP,
        Flag("--encoding", "encoding", "of the input", "NAME"),
        Flag("--long-text", "long_text", "what to do with a text longer than the context (default: as trained)"),
        _PRECISION,
    ),
    "Sequence to sequence (default: as the run was judged)": (
        Flag("--lattices", "lattices", "also write what the search kept, to rank it again off line", "FILE"),
        *_under("search", (*_SEARCH, *_DRAWING)),
    ),
}  # fmt: skip
SUBMIT: Table = {
    "What to submit": (
        Flag("RUN", "runs", "runs that have learned GLUE's tasks, one for each", "RUN", many=True, exists="folder"),
        Flag("--data", "data", "folder that holds GLUE's own folders: CoLA, SST-2, …", "GLUE_DIR", exists="folder"),
        Flag("--out", "out", "the submission", "FILE.zip"),
        _PRECISION,
    )
}
GENERATE: Table = {
    "What to continue": (
        _RUN,
        Flag("--prompt", "prompts", "the beginning of a text; several may be named", "TEXT", many=True),
        Flag("--input", "input", "a file with one beginning per line, or - for standard input", "FILE|-",
             exists="file", unless=("-",)),
        Flag("--encoding", "encoding", "of the file", "NAME"),
    ),
    "How": (
        *_SEARCH,
        *_DRAWING,
        Flag("--greedy", "greedy", "always take the likeliest token", switch=True),
        _PRECISION,
    ),
}  # fmt: skip
SCORE: Table = {
    "What to score": (
        Flag("--data", "data", "rows with source and target: JSONL, CSV, TSV, Parquet, or SOURCES,TARGETS", "FILE",
             exists="files"),
        Flag("--predictions", "predictions", "texts in the same order: one per line, or a table with a column prediction; "
             "lead3: the first three sentences of the source; copy: the source", "FILE|lead3|copy", exists="file",
             unless=("lead3", "copy")),
        Flag("--against", "against", "another system, for a paired test", "FILE|lead3|copy", exists="file",
             unless=("lead3", "copy")),
        Flag("--metrics", "metrics", "rouge1, rouge2, rougeL, rougeLsum, bleu4, bleu, chrf, ter, meteor, with commas "
             "between", "NAMES"),
        Flag("--cleanup", "cleanup", "rules for texts before they are scored"),
        Flag("--grouped", "grouped", "all targets of one source are its references", switch=True),
        Flag("--encoding", "encoding", "of the files", "NAME"),
    )
}  # fmt: skip
RERANK: Table = {
    "What to rank again": (
        Flag("--run", "run", "run whose vocabulary spells the texts", "RUN", exists="model"),
        Flag("--lattices", "lattices", "what predict --lattices wrote", "FILE", exists="file"),
        Flag("--output", "output", "texts as JSONL, or - for standard output", "FILE|-"),
        Flag("--length-penalty", "length_penalty", "scores are divided by ((5 + length) / 6) to this power", "ALPHA"),
        Flag(
            "--per-token",
            "per_token",
            "added for each token; with --expected taken off for each token away from it",
            "X",
        ),
        Flag("--expected", "expected", "a length", "N"),
        Flag("--min-new", "min_new", "tokens of a text at least", "N"),
    )
}
REPORT: Table = {
    "What to report": (
        Flag("RUN", "runs", "folders of finished runs", "RUN", many=True, exists="folder"),
        Flag("--out", "out", "the page", "FILE.html"),
    )
}
CONVERT: Table = {
    "What to convert": (
        Flag("SOURCE", "source", "run, model folder, hub id, or the folder of the 2018 release", "SOURCE", exists="model"),
        Flag("--out", "out", "folder to make", "DEST"),
        Flag("--to", "to", "hf: the folder that transformers loads; warmstart: our own names; onnx: one file"),
    )
}  # fmt: skip
DEMO: Table = {"Where": (Flag("--out", "out", "folder for everything that the demo makes", "DIR"),)}

TABLES: dict[str, Table] = {
    "prepare": PREPARE,
    "pretrain": PRETRAIN,
    "finetune": FINETUNE,
    "evaluate": EVALUATE,
    "predict": PREDICT,
    "submit": SUBMIT,
    "generate": GENERATE,
    "score": SCORE,
    "rerank": RERANK,
    "report": REPORT,
    "convert": CONVERT,
    "demo": DEMO,
}
SETTINGS = {
    "PrepareRequest": "prepare",
    "PretrainRecipe": "pretrain",
    "FinetuneRecipe": "finetune",
    "EvaluateRequest": "evaluate",
    "PredictRequest": "predict",
    "SubmitRequest": "submit",
    "GenerateRequest": "generate",
    "ScoreRequest": "score",
    "RerankRequest": "rerank",
    "ReportRequest": "report",
    "ConvertRequest": "convert",
    "DemoRequest": "demo",
}
"""Name of a settings class → the verb that it belongs to; the classes themselves would have to be imported."""


def flags_of(verb: str) -> tuple[Flag, ...]:
    """All flags of a verb."""
    return tuple(flag for flags in TABLES[verb].values() for flag in flags)
