"""Every shipped recipe composes, and trains two steps with the model made small."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmstart.base.settings import Settings
from warmstart.build.sizes import backbone_settings
from warmstart.cli.main import main
from warmstart.config.fields import default_at, field_paths
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe, PretrainRecipe
from warmstart.config.yaml_file import read_yaml
from warmstart.config.zeroshot_requests import ZeroshotRequest
from warmstart.tasks.catalogue import CATALOGUE
from warmstart.zeroshot.table import TASKS

RECIPES = Path(__file__).parents[2] / "recipes"
SHIPPED = sorted(RECIPES.rglob("*.yaml"))
GIVEN: dict[str, dict[str, Any]] = {
    "pretrain": {"--corpus": ["books"]},
    "finetune": {"--start": "none", "--task": "classification"},
    "embedding": {"--start": "none", "--task": "embedding"},
    "multitask": {"--start": "none"},
    "gpt1": {"--start": "none"},
    "ulmfit": {"--start": "none"},
    "mt_dnn": {"--start": "none"},
    "smart": {"--start": "none"},
    "gpt2": {"--run": "gpt2", "--data": "test.txt"},
    "seq2seq": {"--start": "bert", "--task": "seq2seq"},
    "encoder_decoder": {"--start": "none", "--task": "seq2seq"},
    "tagging": {"--start": "none", "--task": "tagging"},
}
KINDS: dict[str, type[Settings]] = {"pretrain": PretrainRecipe, "gpt2": ZeroshotRequest}
"""Folder → settings; those of a fine-tuning elsewhere."""
NAMED = ("gpt1", "ulmfit", "mt_dnn", "smart")
"""Folders whose recipes may name their task."""
TINY = {
    "bilm": ["preset=bilm-tiny", "layers=1", "width=16", "heads=2", "context=32"],
    "encoder-decoder": ["preset=encoder-decoder-tiny", "layers=1", "width=16", "heads=2", "context=32"],
    "lstm": ["preset=lstm-tiny", "layers=1", "width=16", "embedding_width=8", "context=32"],
    "gpt": ["preset=gpt1-tiny", "layers=1", "width=16", "heads=2", "context=32"],
}
PAIRS_MODEL = ["preset=bert-tiny", "layers=1", "width=16", "heads=2", "context=32"]
SHORT = ["length=2 steps", "batch_size=4", "precision=fp32", "evaluate_every=1 run", "schedule.warmup=1 steps"]


def test_there_are_recipes_for_both_verbs_and_for_generation() -> None:
    """Witness: the folders."""
    assert {path.parent.name for path in SHIPPED} == {*GIVEN}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(RECIPES).as_posix())
def test_a_recipe_composes_and_states_only_differences(path: Path) -> None:
    """Witness: the schema's defaults, leaf by leaf."""
    kind = KINDS.get(path.parent.name, FinetuneRecipe)
    given = GIVEN[path.parent.name] if "task" in read_yaml(str(path)).values else GIVEN["finetune"]
    found = compose(kind, recipe=str(path), flags=given if path.parent.name in NAMED else GIVEN[path.parent.name])
    stated = [place for place in read_yaml(str(path)).lines if place in set(field_paths(kind))]
    for place in stated:
        value: Any = found
        for name in place:
            value = getattr(value, name)
        assert value != default_at(kind, place), place


@pytest.mark.parametrize("path", sorted((RECIPES / "pretrain").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_recipe_of_pretraining_leaves_nothing_to_be_chosen(path: Path) -> None:
    """Invariant: what a paper did does not follow from our defaults: each recipe states what would be chosen for it."""
    found = compose(PretrainRecipe, recipe=str(path), flags=GIVEN["pretrain"])
    train = found.train
    stated = (found.model.preset, train.length, train.batch_size, train.optimizer.kind, train.optimizer.lr)
    assert None not in stated


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(RECIPES).as_posix())
def test_the_first_line_says_paper_figure_and_ours(path: Path) -> None:
    """Witness: the form that every recipe's first line has."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert re.match(r"# .*\b(et al\.|and \w+) \d{4}, \w+.*; ours (has not been run|.*\d)", first), first


def test_gpt1s_recipes_are_the_papers() -> None:
    """Witness: Radford et al. 2018, section 4.1."""
    found = compose(PretrainRecipe, recipe=str(RECIPES / "pretrain" / "gpt1.yaml"), flags=GIVEN["pretrain"])
    t = found.train
    assert (t.batch_size, t.length, t.optimizer.lr, t.optimizer.weight_decay) == (64, "100 epochs", 2.5e-4, 0.01)
    assert (t.schedule.decay, t.schedule.warmup, t.schedule.final_frac) == ("cosine", "2000 steps", 0)
    assert (found.model.preset, found.corpus.vocab_size) == ("gpt1", 40478)
    tuned = compose(FinetuneRecipe, recipe=str(RECIPES / "finetune" / "gpt1.yaml"), flags=GIVEN["finetune"])
    t = tuned.train
    assert (t.batch_size, t.length, t.optimizer.lr, t.schedule.warmup) == (32, "3 epochs", 6.25e-5, "0.002 run")
    assert (t.schedule.decay, tuned.lm_weight, tuned.head_dropout) == ("linear", 0.5, 0.1)


def test_every_row_of_gpt1s_tables_is_its_recipe_for_one_task() -> None:
    """Witness: the settings of gpt1.yaml; the rows of tables 2 to 5, whose tasks are known data sets, by hand."""
    rows = {path.stem: path for path in (RECIPES / "finetune" / "gpt1").glob("*.yaml")}
    without = {"no_auxiliary_lm": "lm_weight", "no_pretraining": "model"}
    tables = ["mnli", "snli", "scitail", "qnli", "rte", "storycloze", "race", "cola", "sst2", "mrpc", "stsb", "qqp"]
    assert {*rows} == {*tables, *without} and {*tables} <= {*CATALOGUE}
    whole = compose(
        FinetuneRecipe, recipe=str(RECIPES / "finetune" / "gpt1.yaml"), flags=GIVEN["finetune"]
    ).model_dump()
    for name, path in rows.items():
        given = GIVEN["finetune" if name in without else "gpt1"]
        found = compose(FinetuneRecipe, recipe=str(path), flags=given).model_dump()
        assert {key for key, value in found.items() if value != whole[key]} == {without.get(name, "task")}, name
        assert name in without or found["task"] | {"name": "classification"} == whole["task"]


def differences(path: Path, other: Path) -> set[str]:
    """The fields in which two recipes of a fine-tuning differ."""
    one, two = (
        compose(FinetuneRecipe, recipe=str(recipe), flags=GIVEN["finetune"]).model_dump() for recipe in (path, other)
    )
    leaves = dict(flat(one)), dict(flat(two))
    return {name for name in leaves[0] | leaves[1] if leaves[0].get(name) != leaves[1].get(name)}


def flat(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def test_every_row_of_ulmfits_tables_differs_as_the_row_says() -> None:
    """Witness: Howard and Ruder 2018, by hand: six data sets, and what their study of the classifier leaves out."""
    folder, whole = RECIPES / "finetune" / "ulmfit", RECIPES / "finetune" / "ulmfit.yaml"
    sets = {"imdb", "dbpedia", "trec6", "ag", "yelp_polarity", "yelp_full"}
    rates, thaw, fall = "train.optimizer.layer_decay", "train.unfreeze", "train.schedule.decay"
    rows = {
        "full": {rates, thaw, fall}, "full_discr": {thaw, fall}, "freez": {rates, fall}, "freez_discr": {fall},
        "freez_stlr": {rates}, "freez_cos": {rates, fall}, "last": {rates, thaw, fall, "scheme.kind"},
        "no_pretraining": {"model.preset"},
    }  # fmt: skip
    assert {path.stem for path in folder.glob("*.yaml")} == sets | {*rows}
    for name, changed in rows.items():
        assert differences(folder / f"{name}.yaml", whole) == changed, name
    for name in sets:
        found = compose(FinetuneRecipe, recipe=str(folder / f"{name}.yaml"), flags=GIVEN["ulmfit"])
        assert found.task.name == (name if name in CATALOGUE else "classification")


def test_every_row_of_smarts_tables_differs_as_the_row_says() -> None:
    """Witness: Jiang et al. 2020, by hand: nine data sets, and what their ablation leaves out."""
    folder, whole = RECIPES / "finetune" / "smart", RECIPES / "finetune" / "smart.yaml"
    sets = {"mnli", "qnli", "sst2", "mrpc", "stsb", "wnli", "snli", "scitail", "anli"}
    smoothness = {f"train.smoothness.{name}" for name in ("weight", "radius", "noise", "step_size")}
    rows = {"no_smoothness": smoothness, "no_proximal": {"train.smoothness.proximal"}}
    rows["neither"] = rows["no_smoothness"] | rows["no_proximal"]
    assert {path.stem for path in folder.glob("*.yaml")} == sets | {*rows} and sets <= {*CATALOGUE}
    for name, changed in rows.items():
        assert differences(folder / f"{name}.yaml", whole) == changed, name
    found = compose(FinetuneRecipe, recipe=str(whole), flags=GIVEN["finetune"]).train.smoothness
    assert (found.radius, found.noise, found.step_size, found.steps) == (1e-5, 1e-5, 1e-3, 1)
    assert (found.proximal, found.momentum) == (1, 0.99) and 1 <= found.weight <= 5


def test_every_row_of_unilmv2s_tables_is_a_recipe() -> None:
    """Witness: Bao et al. 2020 and the settings that its authors give, by hand."""
    given = GIVEN["seq2seq"]
    rows = {
        path.stem.removeprefix("unilm2_"): compose(FinetuneRecipe, recipe=str(path), flags=given)
        for path in (RECIPES / "finetune" / "seq2seq").glob("unilm2_*.yaml")
    }
    assert {*rows} == {"cnndm", "xsum", "gigaword", "squad_qg", "squad_qg_reversed"}
    xsum, cnndm = rows["xsum"], rows["cnndm"]
    assert (xsum.task.seq2seq.source_limit, xsum.task.seq2seq.target_limit, xsum.search.beam) == (720, 48, 8)
    assert (xsum.train.length, xsum.train.optimizer.lr, xsum.search.length_penalty) == ("48000 steps", 7e-5, 0.9)
    assert (cnndm.task.seq2seq.source_limit, cnndm.task.seq2seq.target_noise, cnndm.search.min_new) == (608, 0.7, 48)


def test_every_column_of_gpt2s_tables_is_a_task() -> None:
    """Witness: Radford et al. 2019, table 3 and section 3, by hand; the names of the zero-shot tasks."""
    found = {
        path.stem: compose(ZeroshotRequest, recipe=str(path), flags=GIVEN["gpt2"]).task
        for path in (RECIPES / "zeroshot" / "gpt2").glob("*.yaml")
    }
    assert {*found.values()} <= {*TASKS}
    assert {*found} == {
        "lambada", "cbt_cn", "cbt_ne", "wikitext2", "wikitext103", "ptb", "enwik8", "text8", "one_billion_words",
        "winograd", "coqa", "cnndm", "cnndm_no_hint", "translation", "natural_questions",
    }  # fmt: skip


def test_ramachandrans_recipes_are_the_papers() -> None:
    """Witness: Ramachandran et al. 2016 its settings for translation and for summaries."""
    folder = RECIPES / "finetune" / "encoder_decoder"
    given = {"--start": "none", "--task": "seq2seq"}
    wmt, few, summaries = (
        compose(FinetuneRecipe, recipe=str(folder / f"lstm_{name}.yaml"), flags=given)
        for name in ("wmt", "wmt_100k", "cnndm")
    )
    for found, (after, every) in ((wmt, ("400k", "50k")), (summaries, ("100k", "30k"))):
        schedule, optimizer = found.train.schedule, found.train.optimizer
        assert (schedule.decay, schedule.step_factor) == ("step", 0.8)
        assert (schedule.step_after, schedule.step_every) == (f"{after} steps", f"{every} steps")
        assert (optimizer.lr, optimizer.clip_norm, optimizer.weight_decay) == (5e-5, 5, 0)
        assert (found.search.beam, found.side_losses, found.model.decoder_residual) == (10, "alternating", "gated")
        assert (found.source_lm_weight, found.target_lm_weight) == (1, 1)
    sizes = [backbone_settings(found.model, 90000) for found in (wmt, summaries)]
    assert [(size.layers, size.cells, size.width) for size in sizes] == [(3, 4096, 1024), (2, 1024, 1024)]
    assert {sizes[0].embedding_dropout, sizes[0].layer_dropout, sizes[0].output_dropout} == {0.2}
    assert few.scheme.freeze_tables and few.task.train_frac == 0.025 and summaries.task.seq2seq.source_limit == 600


def test_the_original_is_the_released_codes() -> None:
    """Witness: the released code's arguments (train.py) and its optimizer (opt.py)."""
    found = compose(FinetuneRecipe, recipe=str(RECIPES / "finetune" / "gpt1_original.yaml"), flags=GIVEN["finetune"])
    t, o = found.train, found.train.optimizer
    assert (t.batch_size, t.length, t.seed, found.lm_weight, found.lm_average) == (32, "3 epochs", 42, 0.5, "sequence")
    assert (o.kind, o.lr, o.beta1, o.beta2, o.eps) == ("adam-2018", 6.25e-5, 0.9, 0.999, 1e-8)
    assert (o.weight_decay, o.clip_norm, found.head_dropout) == (0.01, 1, 0.1)
    assert (t.schedule.decay, t.schedule.warmup) == ("linear-2018", "0.002 run")
    assert found.model.joint_table and found.task.segment_limit == 512 // 2 - 2


@pytest.mark.parametrize(
    "path", [path for path in SHIPPED if path.parent.name == "seq2seq"], ids=lambda path: path.stem
)
def test_a_recipe_that_generates_trains_two_steps(path: Path, tmp_path: Path) -> None:
    """Witness: the report of the run, two steps long, from a tiny BERT."""
    from transformers import BertConfig, BertForMaskedLM

    words = [*"abcdefghijklmnop", "."]  # a beam needs more tokens than it is wide
    BertForMaskedLM(
        BertConfig(
            vocab_size=5 + len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=32,
        )
    ).save_pretrained(tmp_path / "bert")  # fmt: skip
    (tmp_path / "bert" / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]) + "\n"
    )
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "".join(json.dumps({"src": f"{'abcd'[n % 4]} {'efgh'[n // 4]}", "tgt": "a b"}) + "\n" for n in range(16))
    )
    sets = [f"train.{change}" for change in SHORT]
    sets += ["task.seq2seq.source_limit=12", "task.seq2seq.target_limit=8", "model.context=32", "search.min_new=0"]
    argv = [
        "finetune",
        "--recipe",
        str(path),
        "--start",
        str(tmp_path / "bert"),
        "--task",
        "seq2seq",
        "--train",
        str(rows),
    ]
    changes = (word for change in sets for word in ("--set", change))
    assert main([*argv, "--out", str(tmp_path / "run"), "--quiet", *changes]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["steps"] == 2 and report["metrics"]


@pytest.mark.parametrize(
    "path", [path for path in SHIPPED if path.parent.name == "encoder_decoder"], ids=lambda path: path.stem
)
def test_a_recipe_of_an_encoder_decoder_trains_two_steps(path: Path, tmp_path: Path) -> None:
    """Witness: the report of the run, two steps long, the model made small."""
    rows = [{"source": f"{'abcd'[n % 4]} {'efgh'[n // 4]}", "target": "a b"} for n in range(16)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sets = [f"train.{change}" for change in SHORT]
    own = ("cells=16", "upper_cells=16", "embedding_width=8") if "lstm" in path.name else ("heads=2",)
    sets += [f"model.{size}" for size in ("layers=2", "width=16", *own)]
    sets += ["task.seq2seq.source_limit=12", "task.seq2seq.target_limit=8", "control=false", "model.context=32"]
    sets += ["side_losses=summed", "scheme.freeze_tables=false", "task.train_frac=1", "search.min_new=0"]
    words = ["finetune", "--recipe", str(path), "--start", "none", "--task", "seq2seq", "--vocab-size", "257"]
    words += ["--train", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "run"), "--quiet"]
    assert main([*words, *(word for change in sets for word in ("--set", change))]) == 0
    assert json.loads((tmp_path / "run" / "report.json").read_text())["steps"] == 2


def test_elmo_and_the_tagger_that_reads_it_train_two_steps(tmp_path: Path) -> None:
    """Witness: the report of either run; the tagger's words are new to the language model, not their letters."""
    text, rows = tmp_path / "text.txt", tmp_path / "rows.conll"
    text.write_text("\n\n".join(f"The fox number {n} runs over the hill and back." for n in range(40)))
    rows.write_text("".join(f"Foxes O\nvisit O\nHilltop{n} B-LOC\n\n" for n in range(16)))
    own = {"pretrain": ("elmo_mini", TINY["lstm"]), "finetune": ("tagging/taglm", TINY["lstm"])}
    given = {
        "pretrain": ["--corpus", str(text), "--vocab-size", "257"],
        "finetune": [
            "--start",
            "none",
            "--task",
            "tagging",
            "--train",
            str(rows),
            "--text-inputs",
            str(tmp_path / "elmo"),
        ],
    }
    for verb, out in (("pretrain", "elmo"), ("finetune", "tagger")):
        recipe, sizes = own[verb]
        path = RECIPES / (f"pretrain/{recipe}.yaml" if verb == "pretrain" else f"finetune/{recipe}.yaml")
        sets = [f"model.{size}" for size in sizes] + [f"train.{change}" for change in SHORT]
        words = [verb, "--recipe", str(path), *given[verb], "--out", str(tmp_path / out), "--quiet"]
        assert main([*words, *(word for change in sets for word in ("--set", change))]) == 0
        assert json.loads((tmp_path / out / "report.json").read_text())["steps"] == 2
    settings = json.loads((tmp_path / "tagger" / "config.json").read_text())
    assert '"characters": 20' in json.dumps(settings)


@pytest.mark.parametrize(
    "path", [path for path in SHIPPED if path.parent.name == "multitask"], ids=lambda path: path.stem
)
def test_a_recipe_of_several_tasks_trains_two_steps(path: Path, tmp_path: Path) -> None:
    """Witness: the report of the run, two steps long, with examples of ours for every task."""
    rows = tmp_path / "rows.jsonl"
    pairs = [{"premise": f"a fox {n}", "hypothesis": "a dog", "label": "ab"[n % 2]} for n in range(16)]
    rows.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    names = [*compose(FinetuneRecipe, recipe=str(path), flags=GIVEN["multitask"]).tasks]
    sets = [f"tasks.{name}.{change}" for name in names for change in ("name=entailment", f"train={rows}")]
    sets += [
        f"tasks.{name}.{change}" for name in names for change in ("context=32", "train_frac=1", "pair_encoder=cross")
    ]
    sets += [f"model.{change}" for change in PAIRS_MODEL] + [f"train.{change}" for change in SHORT]
    words = [
        "finetune",
        "--recipe",
        str(path),
        "--start",
        "none",
        "--vocab-size",
        "257",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main([*words, "--head-init", "random", "--quiet", *(word for one in sets for word in ("--set", one))]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["steps"] == 2 and {*report["tasks"]} == {*names}


@pytest.mark.parametrize(
    "path",
    [path for path in SHIPPED if path.parent.name in ("pretrain", "finetune", "embedding")],
    ids=lambda path: path.stem,
)
def test_a_recipe_trains_two_steps(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the report of the run, two steps long."""
    text, rows = tmp_path / "text.txt", tmp_path / "rows.jsonl"
    text.write_text("\n\n".join(f"The fox number {n} runs over the hill and back." for n in range(40)))
    rows.write_text("".join(json.dumps({"text": f"a fox {n}", "label": "ab"[n % 2]}) + "\n" for n in range(16)))
    pairs = tmp_path / "pairs.jsonl"
    scored = [(f"a fox {n}", f"the fox {n % 5}", n % 5) for n in range(16)]
    unscored = "loss: ranking" in path.read_text(encoding="utf-8")
    names = ("anchor", "positive") if unscored else ("sentence1", "sentence2", "score")
    pairs.write_text("".join(json.dumps(dict(zip(names, row[: len(names)], strict=True))) + "\n" for row in scored))
    data = {
        "embedding": ["--start", "none", "--vocab-size", "257", "--task", "embedding", "--train", str(pairs)],
        "pretrain": ["--corpus", str(text), "--vocab-size", "257"],
        "finetune": ["--start", "none", "--vocab-size", "257", "--task", "classification", "--train", str(rows)],
    }[path.parent.name]
    if "cifar10" in path.name:
        np.savez(tmp_path / "images.npz", x=np.zeros((16, 8, 8, 3), np.uint8), y=np.arange(16) % 2)
        images = str(tmp_path / "images.npz")
        tuned = ["--start", "none", "--task", "images", "--train", images]
        data = ["--corpus", images] if path.parent.name == "pretrain" else [*tuned, "--dev", images]
    kind = next((kind for kind in TINY if kind in path.read_text(encoding="utf-8")), "gpt")
    sets = [f"model.{change}" for change in TINY[kind]] + [f"train.{change}" for change in SHORT]
    sets += ["seeds=1", "control=false"] * (path.parent.name == "finetune")
    sets += ["model.embedding_width=16"] * ("tied: true" in path.read_text(encoding="utf-8"))
    sets += ["task.embedding.sizes=16,8"] * (path.parent.name == "embedding")
    verb = "pretrain" if path.parent.name == "pretrain" else "finetune"
    words = [verb, "--recipe", str(path), *data, "--out", str(tmp_path / "run"), "--json"]
    assert main([*words, *(word for change in sets for word in ("--set", change))]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["steps"] == 2 and report["run"] == str(tmp_path / "run") and report["metrics"]
