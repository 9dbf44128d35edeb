"""Two texts that are read apart: their sequences, the one question of both, the cut, windows, and when it is chosen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import warmstart
from warmstart.base.errors import BadInput
from warmstart.base.files import write_json
from warmstart.build.task import FEW_PAIRS, is_bi_encoder
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.batch import collate
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.tasks.frames import build_frame, frame_records
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import KINDS, answer_of
from warmstart.text.tokenizer import TASK_TOKENS, Tokenizer

WORDS = ["brook", "delta", "estuary", "ford", "glacier", "inlet", "lagoon", "marsh", "pond", "rapids", "spring", "tarn"]
PAIRS = {"entailment": ("premise", "hypothesis"), "similarity": ("sentence1", "sentence2")}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train([" ".join(WORDS)], 300).with_special_tokens(TASK_TOKENS)


def spec_of(kind: str, **frame: Any) -> TaskSpec:
    settings = FrameSettings(**{"context": 16, "lm": False, "apart": True, "reads": "all"} | frame)
    return TaskSpec(kind=kind, label_names=("dry", "wet"), frame=settings)


def pair(kind: str, first: int, second: int) -> Record:
    texts = (
        " ".join(WORDS[(5 * number + n) % 12] for n in range(count)) for number, count in enumerate((first, second))
    )
    return Record(dict(zip(PAIRS[kind], texts, strict=True)), 1, where="here")


def model_of(kind: str, vocab_size: int, pool: str = "mean") -> Model:
    head = HeadSettings(kind="class", size=2, pool=pool, pair=KINDS[kind].pair, dropout=0.0)  # type: ignore[arg-type]
    body = preset("gpt1-tiny", vocab_size=vocab_size, context=64, init_std=0.3)
    return Model.fresh(ModelSettings(backbone=body, heads={"label": head}), 3).eval()


@pytest.mark.parametrize("pool", ["mean", "sum"])
@pytest.mark.parametrize("kind", PAIRS)
def test_one_question_of_two_sequences(kind: str, pool: str, tokenizer: Tokenizer) -> None:
    """Witness: each text run alone, its states' mean (or its last state) taken by hand, and the comparison in NumPy."""
    spec = spec_of(kind, reads="all" if pool == "mean" else "summary")
    frame, model = build_frame(spec, tokenizer), model_of(kind, tokenizer.vocab_size, pool)
    records = [pair(kind, 3, 5), pair(kind, 2, 1), pair(kind, 6, 2)]
    framed = frame_records(spec, records, tokenizer)
    with torch.no_grad():
        found = model.answers(collate(framed.examples))["label"].numpy()
    head: Any = model.head("label")
    weight, bias = head.linear.weight.detach().numpy(), head.linear.bias.detach().numpy()
    for number, parts in enumerate(framed.parts):
        vectors = []
        for ids in parts.texts:
            ids = np.concatenate([[frame.start], ids, [frame.extract]])
            batch = collate([[Example.left_to_right(ids, {})]])
            with torch.no_grad():
                states = model.backbone(batch, model.backbone.tables()).numpy()
            vector = states.mean(0) if pool == "mean" else states[-1]
            vectors.append(vector / np.linalg.norm(vector))
        u, v = vectors
        own = [u, v] if kind == "entailment" else []
        rows = np.concatenate([*own, np.abs(u - v), [10 * (u @ v)]])
        np.testing.assert_allclose(found[number], weight @ rows + bias, atol=1e-4)


def test_the_order_of_two_like_texts_does_not_matter(tokenizer: Tokenizer) -> None:
    """Invariant: similarity answers alike in either order, entailment does not."""
    for kind, names in PAIRS.items():
        model = model_of(kind, tokenizer.vocab_size)
        one = pair(kind, 3, 5)
        other = Record(dict(zip(names, reversed(list(one.texts.values())), strict=True)), 1)
        with torch.no_grad():
            both = model.answers(collate(frame_records(spec_of(kind), [one, other], tokenizer).examples))["label"]
        assert torch.allclose(both[0], both[1], atol=1e-5) == (kind == "similarity")


@pytest.mark.parametrize("kind", PAIRS)
def test_each_text_has_the_context_for_itself(kind: str, tokenizer: Tokenizer) -> None:
    """Witness: each text cut alone, as ids[: context - 2]; what is lost is counted once."""
    frame, record = build_frame(spec_of(kind), tokenizer), pair(kind, 40, 3)
    framed = frame_records(spec_of(kind), [record], tokenizer)
    whole = [tokenizer.encode_batch([str(text)])[0] for text in record.texts.values()]
    for example, ids in zip(framed.examples[0], whole, strict=True):
        assert example.ids.tolist() == [frame.start, *ids[:14].tolist(), frame.extract]
    assert framed.account.tokens_cut == sum(max(0, len(ids) - 14) for ids in whole) > 0
    assert framed.account.longest == max(map(len, whole)) + 2


@pytest.mark.parametrize("kind", PAIRS)
def test_windows_of_a_long_text(kind: str, tokenizer: Tokenizer) -> None:
    """Witness: the windows that a text alone has; beside each stands the whole other text, and their weights sum to 1."""
    record = pair(kind, 40, 2)
    framed = frame_records(spec_of(kind, long_text="windows", stride=5), [record], tokenizer)
    long, short = (tokenizer.encode_batch([str(text)])[0] for text in record.texts.values())
    starts = [0]
    while starts[-1] + 14 < len(long):
        starts.append(starts[-1] + 5)
    wanted = [ids for s in starts for ids in (long[s : s + 14].tolist(), short.tolist())]
    assert [example.ids[1:-1].tolist() for example in framed.examples[0]] == wanted
    weights = [example.goals["label"].weights.sum() for example in framed.examples[0]]
    assert sum(weights) == pytest.approx(1.0) and weights[1::2] == [0.0] * len(starts)


def sentence_encoder(folder: Path) -> str:
    """What says that a folder is one: sentence-transformers' list of modules."""
    write_json(folder / "modules.json", [{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])
    write_json(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True})
    write_json(folder / "config.json", {"model_type": "bert"})
    return str(folder)


def test_what_is_chosen(tmp_path: Path) -> None:
    """Witness: the rule of docs/train.md: a sentence encoder and few pairs; a flag wins; one text is no pair."""
    start = sentence_encoder(tmp_path / "encoder")

    def chosen(kind: str, count: int, **flags: Any) -> bool:
        given = {"--start": start, "--task": kind} | {f"--{name.replace('_', '-')}": flags[name] for name in flags}
        return is_bi_encoder(compose(FinetuneRecipe, flags=given), KINDS[kind], count)

    assert chosen("similarity", 16) and chosen("entailment", FEW_PAIRS - 1) and not chosen("similarity", FEW_PAIRS)
    assert chosen("similarity", 10**6, pair_encoder="bi") and not chosen("similarity", 16, pair_encoder="cross")
    assert not chosen("classification", 16) and not chosen("similarity", 16, head_pool="sum")
    plain = tmp_path / "plain"
    write_json(plain / "config.json", {"model_type": "bert"})
    assert not chosen("similarity", 16, start=str(plain))


def test_one_text_cannot_be_read_apart(tmp_path: Path) -> None:
    """Bad input: one sentence, nothing is written."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"text": "day {n}", "label": {n % 2}}}\n' for n in range(8)))
    with pytest.raises(BadInput, match=r"--pair-encoder: .*'bi for classification'"):
        warmstart.finetune(
            str(tmp_path / "run"), start="none", task="classification", train=str(path), dev=str(path),
            model="gpt1-tiny", vocab_size=262, pair_encoder="bi",
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_a_left_to_right_model_learns_pairs_apart(tmp_path: Path) -> None:
    """Witness: pairs of equal words against pairs of others; what is evaluated again is what training reported."""
    path = tmp_path / "pairs.csv"
    rows = [f"{WORDS[n % 12]} {WORDS[n % 5]},{WORDS[(n + 7 * (n % 2)) % 12]} {WORDS[n % 5]},{n % 2}" for n in range(60)]
    path.write_text("\n".join(["sentence1,sentence2,label", *rows]) + "\n")
    report = warmstart.finetune(
        str(tmp_path / "run"), start="none", task="similarity", train=str(path), dev=str(path), model="gpt1-tiny",
        vocab_size=280, pair_encoder="bi", length="60 steps", lr=3e-3, precision="fp32",
    )  # fmt: skip
    assert report["metrics"]["accuracy"] > 0.9
    again = warmstart.evaluate(str(tmp_path / "run"), str(path), precision="fp32")
    assert again["metrics"] == report["metrics"] and answer_of(spec_of("similarity")).goal == "label"


def test_few_pairs_apart_teach_the_head_alone(tmp_path: Path) -> None:
    """Witness: the start's own weights, to the bit; all move where that is asked for, or where pairs are read together."""
    path, flags = (
        tmp_path / "pairs.csv",
        {"vocab_size": 280, "model": "gpt1-tiny", "start": "none", "length": "2 steps"},
    )
    rows = [f"{WORDS[n % 12]},{WORDS[(n + 7 * (n % 2)) % 12]},{n % 2}" for n in range(24)]
    path.write_text("\n".join(["sentence1,sentence2,label", *rows]) + "\n")
    given: dict[str, Any] = {"task": "similarity", "train": str(path), "precision": "fp32"}
    warmstart.finetune(str(tmp_path / "start"), **given, **flags)
    given |= {"start": str(tmp_path / "start"), "new_head": True}
    said = "\n".join(warmstart.explain("finetune", **given, pair_encoder="bi")["words"])
    assert "rate 1.5e-05, the head alone, by 24 training examples" in said
    asked: dict[str, dict[str, Any]] = {
        "apart": {"pair_encoder": "bi"}, "all": {"pair_encoder": "bi", "scheme": "full"}, "together": {}
    }  # fmt: skip
    moved = {}
    for name, more in asked.items():
        warmstart.finetune(str(tmp_path / name), **given, **more, length="2 steps")
        before, after = (load_file(tmp_path / one / "model.safetensors") for one in ("start", name))
        moved[name] = [key for key in after if key.startswith("backbone.blocks") and not before[key].equal(after[key])]
    assert not moved["apart"] and moved["all"] and moved["together"]
