"""Words of other libraries: the error names our option. Witness: the meaning of the word in its own library's manual."""

import shlex
from pathlib import Path

import pytest

from warmstart.base.errors import BadInput
from warmstart.cli.parser import parse
from warmstart.cli.verbs import VERBS
from warmstart.config.flags import flags_of
from warmstart.config.foreign_names import NEEDLESS, OURS, RUN_OPTIONS, foreign_name_error
from warmstart.config.load import compose
from warmstart.config.requests import REQUESTS
from warmstart.config.schema import RECIPES, FinetuneRecipe

KINDS = {**RECIPES, **REQUESTS}
TUNE = {"--start": "none", "--task": "choice"}


@pytest.mark.parametrize(
    ("command", "step"),
    [
        ("finetune --epochs 3", "--length '3 epochs'"),
        ("finetune --num-train-epochs=3", "--length '3 epochs'"),
        ("finetune --num_train_epochs 3", "--length '3 epochs'"),
        ("pretrain --max-update 9", "--length '2000 steps'"),
        ("finetune --learning-rate 1e-4", "--lr"),
        ("finetune --per-device-train-batch-size 8", "--batch-size"),
        ("pretrain --max-seq-length 8", "--context"),
        ("generate --max-length 8", "--max-new"),
        ("generate --num-beams 8", "--beam"),
        ("finetune --model-name-or-path x", "--start MODEL"),
        ("predict --model-name-or-path x", "--run MODEL"),
        ("finetune --output-dir x", "--out RUN"),
        ("predict --output-dir x", "--output FILE"),
        ("finetune --train-file x", "--train FILE"),
        ("pretrain --train-file x", "--corpus FILE"),
        ("finetune --validation-file x", "--dev FILE"),
        ("finetune --warmup-ratio 0.1", "--warmup '0.06 run'"),
        ("finetune --fp16", "--precision auto"),
        ("finetune --resume-from-checkpoint x", "--resume"),
        ("finetune --do-train", "leave it out"),
        ("finetune --no-cuda", "--device cpu"),
        ("predict --use-cpu", "--device cpu"),
        ("finetune --save-total-limit 3", "--keep-checkpoints 2"),
        ("pretrain --report-to wandb", "--track tensorboard"),
    ],
)
def test_the_error_names_our_option(command: str, step: str) -> None:
    """Witness: what the word means to the library that has it."""
    verb, *words = command.split()
    with pytest.raises(BadInput) as caught:
        parse(VERBS[verb], KINDS[verb], words)
    sentence = str(caught.value)
    assert (
        sentence.startswith(f"{words[0].partition('=')[0]}: ") and step in sentence and "did you mean" not in sentence
    )


def test_keys_and_keywords_get_the_same_answer(tmp_path: Path) -> None:
    """Witness: the key of ours that has this meaning, and the line of the file."""
    (tmp_path / "mine.yaml").write_text("seeds: 2\ntrain:\n  learning_rate: 1e-4\n")
    with pytest.raises(BadInput, match=r"mine.yaml:3: train.learning_rate: .* train.optimizer.lr here; write train.op"):
        compose(FinetuneRecipe, recipe=str(tmp_path / "mine.yaml"), flags=TUNE)
    with pytest.raises(BadInput, match=r"^--set: num_train_epochs: .* write --set train.length='3 epochs'"):
        compose(FinetuneRecipe, flags=TUNE, sets=["num_train_epochs=3"])
    with pytest.raises(BadInput, match=r"^--per-device-train-batch-size: .* write --batch-size 32"):
        compose(FinetuneRecipe, flags=TUNE | {"--per-device-train-batch-size": 4})


def test_no_word_of_the_table_is_ours() -> None:
    """Witness: the flags and keys of every verb, which win over the table; a word that no verb has anything for is idle."""
    flags = {flag.name.strip("-") for kind in KINDS.values() for flag in flags_of(kind)}
    assert not flags & (OURS.keys() | NEEDLESS.keys()) and not OURS.keys() & NEEDLESS.keys()
    for word, written in OURS.items():
        known = [
            name for name, kind in KINDS.items() if foreign_name_error(word, kind, known=(*RUN_OPTIONS, "--device"))
        ]
        assert known or written == ("--columns text=A,label=B",), word


@pytest.mark.parametrize("written", sorted({w for many in OURS.values() for w in many if not w.split()[-1].isupper()}))
def test_the_examples_can_be_typed(written: str) -> None:
    """Witness: the settings themselves, which take each example."""
    name, *values = shlex.split(written)
    kinds = [kind for kind in KINDS.values() if any(flag.name == name for flag in flags_of(kind))]
    for kind in kinds:
        needed = {
            flag.name: ["x"] if flag.option.many else "choice" for flag in flags_of(kind) if flag.field.is_required()
        }
        compose(kind, flags=needed | {name: values[0] if values else True})
