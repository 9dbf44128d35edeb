"""What others call an option → ours: the words of transformers, sentence-transformers, fairseq and litgpt.

A flag, a key of a recipe and a keyword of Python are looked up alike. None of these words is accepted: one option has one
name, and the error says which.
"""

import shlex
from collections.abc import Collection

from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings
from warmstart.config.flags import flags_of

RUN_OPTIONS = ("--out", "--resume", "--strict")
"""Options of the verbs that train which are no settings."""

_LENGTH, _STEPS = ("--length '3 epochs'",), ("--length '2000 steps'",)
_BATCH, _CONTEXT = ("--batch-size 32",), ("--context 256", "--max-new 256")
_START, _OUT = ("--start MODEL", "--run MODEL", "SOURCE"), ("--out RUN", "--output FILE")
_TRAIN, _DEV, _TEST = ("--train FILE", "--corpus FILE", "TEXT"), ("--dev FILE", "--dev-frac 0.05", "--data FILE"), (
    "--test FILE", "--data FILE", "--input FILE",
)  # fmt: skip
_WARMUP, _EVERY, _AUTO = ("--warmup '100 steps'",), ("--evaluate-every '1 epoch'",), ("--precision auto",)

OURS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("epoch", "epochs", "n-epochs", "num-epochs", "max-epoch", "max-epochs", "num-train-epochs"), _LENGTH),
    **dict.fromkeys(("steps", "num-steps", "max-steps", "max-update", "train-steps", "max-train-steps"), _STEPS),
    **dict.fromkeys(("learning-rate", "peak-lr", "max-lr"), ("--lr 1e-4",)),
    **dict.fromkeys(
        ("train-batch-size", "per-device-train-batch-size", "per-gpu-train-batch-size", "global-batch-size", "max-sentences",
         "micro-batch-size", "bsz"), _BATCH,
    ),
    **dict.fromkeys(("gradient-accumulation-steps", "accumulate-grad-batches", "update-freq"), ("--accumulation 4",)),
    **dict.fromkeys(
        ("max-length", "max-len", "max-seq-length", "max-seq-len", "seq-length", "seq-len", "sequence-length", "block-size",
         "model-max-length", "max-position-embeddings", "max-positions", "tokens-per-sample"), _CONTEXT,
    ),
    **dict.fromkeys(("max-source-length", "max-source-positions"), ("--source-limit 464",)),
    **dict.fromkeys(("max-target-length", "val-max-target-length", "max-target-positions"), ("--target-limit 48",)),
    **dict.fromkeys(("max-new-tokens", "max-gen-length", "max-len-b"), ("--max-new 40",)),
    **dict.fromkeys(("min-new-tokens", "min-len"), ("--min-new 4",)),
    **dict.fromkeys(("num-beams", "beam-size", "beam-width"), ("--beam 5",)),
    **dict.fromkeys(("lenpen", "len-penalty"), ("--length-penalty 0.6",)),
    **dict.fromkeys(("no-repeat-ngram-size",), ("--no-repeat 3",)),
    **dict.fromkeys(("num-return-sequences", "nbest"), ("--best 5", "--samples 5")),
    **dict.fromkeys(
        ("model-name-or-path", "model-name", "model-path", "model-id", "pretrained-model-name-or-path", "pretrained-model",
         "checkpoint-dir", "initial-checkpoint-dir", "restore-file", "finetune-from-model"), _START,
    ),
    **dict.fromkeys(("output-dir", "out-dir", "output-path", "save-dir", "save-path"), _OUT),
    **dict.fromkeys(("train-file", "train-data", "train-dataset", "training-file", "trainpref"), _TRAIN),
    **dict.fromkeys(
        ("validation-file", "valid-file", "validation-data", "val-file", "eval-file", "eval-data", "eval-dataset",
         "dev-file", "validpref"), _DEV,
    ),
    **dict.fromkeys(("validation-split-percentage", "val-split-fraction"), ("--dev-frac 0.05",)),
    **dict.fromkeys(("test-file", "test-data", "predict-file", "testpref"), _TEST),
    **dict.fromkeys(("dataset-name", "dataset"), ("--data hf:OWNER/NAME",)),
    **dict.fromkeys(("task-name", "task-type"), ("--task NAME",)),
    **dict.fromkeys(("text-column-name", "text-column", "label-column-name", "label-column"), ("--columns text=A,label=B",)),
    **dict.fromkeys(("tokenizer-name", "tokenizer-dir", "tokenizer-name-or-path"), ("--tokenizer DIR",)),
    **dict.fromkeys(("config-name", "arch", "model-type", "model-size"), ("--model PRESET",)),
    **dict.fromkeys(("hidden-size", "n-embd", "d-model", "encoder-embed-dim"), ("--width 384",)),
    **dict.fromkeys(("num-hidden-layers", "num-layers", "n-layer", "n-layers", "encoder-layers"), ("--layers 6",)),
    **dict.fromkeys(("num-attention-heads", "num-heads", "n-head", "n-heads"), ("--heads 6",)),
    **dict.fromkeys(("warmup-ratio", "warmup-proportion"), ("--warmup '0.06 run'",)),
    **dict.fromkeys(("warmup-steps", "num-warmup-steps", "warmup-updates", "lr-warmup-steps"), _WARMUP),
    **dict.fromkeys(("lr-scheduler-type", "lr-scheduler", "lr-schedule", "scheduler"), ("--decay linear",)),
    **dict.fromkeys(("max-grad-norm", "max-norm", "gradient-clip-val", "grad-clip"), ("--clip-norm 1",)),
    **dict.fromkeys(("optim", "optimizer-type"), ("--optimizer adamw",)),
    **dict.fromkeys(("fp16", "amp", "use-amp", "mixed-precision", "memory-efficient-fp16"), _AUTO),
    **dict.fromkeys(("bf16", "fp16-full-eval", "bf16-full-eval"), ("--precision bf16",)),
    **dict.fromkeys(
        ("eval-steps", "eval-interval", "evaluation-steps", "evaluation-strategy", "eval-strategy", "validate-interval",
         "validate-interval-updates", "val-check-interval"), _EVERY,
    ),
    **dict.fromkeys(("save-steps", "save-interval", "save-interval-updates", "save-strategy"), ("--save-every 300",)),
    **dict.fromkeys(("save-total-limit", "keep-last-epochs"), ("--keep-checkpoints 2",)),
    **dict.fromkeys(("report-to",), ("--track tensorboard",)),
    **dict.fromkeys(("no-cuda", "use-cpu"), ("--device cpu",)),
    **dict.fromkeys(("early-stopping-patience", "early-stopping"), ("--patience 3",)),
    **dict.fromkeys(("metric-for-best-model", "best-checkpoint-metric", "eval-metric"), ("--metric NAME",)),
    **dict.fromkeys(("resume-from-checkpoint", "resume-from"), ("--resume",)),
    **dict.fromkeys(("label-smoothing", "label-smoothing-factor"), ("--smoothing 0.1",)),
    **dict.fromkeys(("lora-r", "lora-dim"), ("--lora-rank 8",)),
    **dict.fromkeys(("use-lora", "use-peft", "peft"), ("--scheme lora",)),
    **dict.fromkeys(("random-seed", "data-seed"), ("--seed 1",)),
    **dict.fromkeys(("group-by-length",), ("--by-length",)),
}  # fmt: skip
"""Their word → how ours is written: the first that a verb has counts."""

NEEDLESS: dict[str, str] = {
    **dict.fromkeys(("do-train", "do-eval", "do-predict"), "the verb says what is done: finetune, evaluate, predict"),
    "overwrite-output-dir": "a folder that holds a run is never overwritten: choose another --out",
    **dict.fromkeys(("num-labels", "num-classes"), "the labels are those of the training file"),
    **dict.fromkeys(("per-device-eval-batch-size", "eval-batch-size"), "evaluation chooses its own batches"),
    **dict.fromkeys(("dry-run", "fast-dev-run"), "a verb says what a training would do: warmstart explain finetune …"),
    "load-best-model-at-end": "the best weights on dev are always kept",
    **dict.fromkeys(("logging-steps", "log-interval"), "every step is logged, in metrics.jsonl of the run"),
    "device": "the GPU is used where there is one, or what --device of a command that runs a model names",
    **dict.fromkeys(("gpus", "n-gpu", "devices"), "torchrun starts a process for each GPU (docs/scale.md)"),
    **dict.fromkeys(("trust-remote-code",), "no code of a model folder is ever run"),
}  # fmt: skip
"""Their word → why there is no such option here."""


def foreign_name_error(
    word: str, kind: type[Settings], where: str = "", *, known: Collection[str] = ()
) -> BadInput | None:
    """The error for a word of another library, or ``None`` where it is no such word, or this verb has nothing like it.

    Args:
        word: a flag, or a key by its path.
        kind: the settings of the verb.
        where: the file and line or option that the word stands in, where that is not the word itself.
        known: options beside those of ``kind``.
    """
    place = f"{where}: {word}" if where else word
    if (reason := NEEDLESS.get(_plain(word))) is not None:
        return BadInput(f"there is no such option here; {reason}", where=place, next_step="leave it out")
    flags = {flag.name: flag for flag in flags_of(kind)}
    written = _ours(word, (*flags, *known))
    if written is None:
        return None
    ours, *values = shlex.split(written)
    if ours in flags and not word.startswith("-"):
        return _key_error(place, ".".join(flags[ours].path), values[0] if values else "true", where == "--set")
    return BadInput(f"this option is {ours} here", where=place, next_step=f"write {written}")


def foreign_keyword_error(
    written: str, word: str, kind: type[Settings], *, known: Collection[str] = ()
) -> BadInput | None:
    """As :func:`foreign_name_error` for a keyword of Python, ``written`` so, in Python's spelling: ``batch_size=32``."""
    if (reason := NEEDLESS.get(_plain(word))) is not None:
        return BadInput(f"there is no such option here; {reason}", where=written, next_step="leave it out")
    example = _ours(word, (*(flag.name for flag in flags_of(kind) if flag.name.startswith("-")), *known))
    if example is None:
        return None
    ours, *values = shlex.split(example)
    name = ours.strip("-").replace("-", "_")
    value = values[0] if values else "True"
    shown = value if value.replace(".", "").replace("e-", "").isdecimal() or not values else repr(value)
    return BadInput(f"this option is {name} here", where=written, next_step=f"write {name}={shown}")


def _plain(word: str) -> str:
    """The last part of a flag, key or keyword, as the tables have it."""
    return word.rpartition(".")[2].strip("-").lower().replace("_", "-")


def _ours(word: str, known: Collection[str]) -> str | None:
    """What is written here instead, with an example of its value, as far as it is among the ``known`` options."""
    return next((written for written in OURS.get(_plain(word), ()) if written.split()[0] in known), None)


def _key_error(place: str, path: str, value: str, assigned: bool) -> BadInput:
    """The error for a key of a recipe, or of an assignment."""
    written = f"--set {path}={shlex.quote(value)}" if assigned else f"{path}: {value}"
    return BadInput(f"this key is {path} here", where=place, next_step=f"write {written}")
