"""Suggestions: the slips of people who type, and words that mean something else. Witness: what was meant, by hand."""

import pytest

from warmstart.base.errors import nearest_name, suggest
from warmstart.cli.main import VERBS
from warmstart.config.fields import field_paths
from warmstart.config.flags import flags_of
from warmstart.config.schema import RECIPES
from warmstart.metrics.names import GENERATION_METRICS
from warmstart.models.presets import PRESETS
from warmstart.objectives.table import OBJECTIVES
from warmstart.tasks.known.names import DATASET_NAMES
from warmstart.tasks.table import KINDS

FLAGS = [flag.name for flag in flags_of(RECIPES["finetune"])]
TASKS = [*KINDS, *DATASET_NAMES]
KEYS = sorted({path[-1] for path in field_paths(RECIPES["finetune"])})

NEAR = [
    (FLAGS, "--lrr", "--lr"), (FLAGS, "--bacth-size", "--batch-size"), (FLAGS, "--batch_size", "--batch-size"),
    (FLAGS, "--warm-up", "--warmup"), (FLAGS, "--drop-out", "--dropout"), (FLAGS, "--layer", "--layers"),
    (FLAGS, "--evalute-every", "--evaluate-every"), (FLAGS, "--size-batch", "--batch-size"), (FLAGS, "--beams", "--beam"),
    (VERBS, "finetnue", "finetune"), (VERBS, "fine-tune", "finetune"), (VERBS, "pretrian", "pretrain"),
    (VERBS, "eval", "evaluate"), (VERBS, "prediction", "predict"), (VERBS, "generator", "generate"),
    (PRESETS, "gpt1-min", "gpt1-mini"), (PRESETS, "gpt-1", "gpt1"), (PRESETS, "lstm_mini", "lstm-mini"),
    (TASKS, "classify", "classification"), (TASKS, "clasification", "classification"), (TASKS, "regress", "regression"),
    (TASKS, "seq2sec", "seq2seq"), (TASKS, "imbd", "imdb"), (TASKS, "snly", "snli"),
    (OBJECTIVES, "causl", "causal"), (OBJECTIVES, "mask", "masked"), (OBJECTIVES, "pseudo_masked", "pseudo-masked"),
    (GENERATION_METRICS, "rouge-1", "rouge1"), (GENERATION_METRICS, "RougeL", "rougeL"),
    (KEYS, "weigth_decay", "weight_decay"), (KEYS, "patiense", "patience"), (KEYS, "optimiser", "optimizer"),
]  # fmt: skip

FAR = [
    (FLAGS, "--epochs"), (FLAGS, "--fp16"), (FLAGS, "--do-train"), (FLAGS, "--max-length"), (FLAGS, "--gpus"),
    (FLAGS, "--hub-token"), (FLAGS, "--log"), (VERBS, "serve"), (VERBS, "test"), (VERBS, "download"), (VERBS, "train"),
    (PRESETS, "roberta"), (PRESETS, "llama"), (PRESETS, "distilbert"), (PRESETS, "gpt3"), (PRESETS, "t5"),
    (TASKS, "translation"), (TASKS, "summarization"), (TASKS, "qa"), (TASKS, "squad2"), (TASKS, "cnn"),
    (OBJECTIVES, "contrastive"), (OBJECTIVES, "electra"), (GENERATION_METRICS, "perplexity"), (GENERATION_METRICS, "f1"),
    (KEYS, "epochs"), (KEYS, "gpus"), (("bert", "roberta", "gpt2"), "modernbert"), (("qwen3",), "qwen2"),
]  # fmt: skip


@pytest.mark.parametrize(("names", "word", "meant"), NEAR, ids=lambda value: value if isinstance(value, str) else "")
def test_a_slip_is_understood(names: list[str], word: str, meant: str) -> None:
    """Witness: the name that was meant."""
    assert nearest_name(word, names) == meant and suggest(word, names) == f"did you mean {meant!r}?"


@pytest.mark.parametrize(("names", "word"), FAR, ids=lambda value: value if isinstance(value, str) else "")
def test_another_word_gets_no_suggestion(names: list[str], word: str) -> None:
    """Witness: none of the names was meant."""
    assert nearest_name(word, names) is None and suggest(word, names) == ""


def test_every_single_slip_is_found_again() -> None:
    """Witness: brute force: two letters swapped, or one left out or doubled, in every flag of five letters or more.

    A slip that is as near to another flag, by one letter for another (tack: track, task), may be that.
    """
    for name in (name for name in FLAGS if len(name) >= 7):
        bare = name[2:]
        for i in range(1, len(bare)):
            swapped = f"{bare[: i - 1]}{bare[i]}{bare[i - 1]}{bare[i + 1 :]}"
            for slip in (swapped, bare[:i] + bare[i + 1 :], bare[:i] + bare[i - 1 :]):
                if f"--{slip}" not in FLAGS:
                    assert nearest_name(f"--{slip}", FLAGS) in {name, *_one_letter_off(f"--{slip}")}, slip


def _one_letter_off(slip: str) -> list[str]:
    return [
        flag for flag in FLAGS if len(flag) == len(slip) and sum(a != b for a, b in zip(flag, slip, strict=True)) == 1
    ]
