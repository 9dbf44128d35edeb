"""Recipes from files, flags and --set, and back to a file."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warmstart.base.errors import BadInput
from warmstart.config.load import BASE, changes_to_yaml, compose, to_yaml
from warmstart.config.requests import REQUESTS, PredictRequest
from warmstart.config.schema import RECIPES, CorpusRecipe, FinetuneRecipe, ModelRecipe, PretrainRecipe
from warmstart.config.task_recipe import TaskRecipe
from warmstart.train.settings import OptimizerSettings, ScheduleSettings, TrainSettings

CORPUS = {"--corpus": ["books"]}
RUN = {"--run": ["runs/it"], "--input": "in.txt", "--output": "-"}


def write_recipe(folder: Path, text: str) -> str:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_later_words_win(tmp_path: Path) -> None:
    """Witness: the order defaults < file < flags < --set, one field for each step of it."""
    recipe = write_recipe(tmp_path, "train: {seed: 2, batch_size: 3, patience: 4}\ncorpus: {paths: [a, b]}\n")
    found = compose(
        PretrainRecipe, recipe=recipe, flags={"--batch-size": "5", "--patience": "6"}, sets=["train.patience=7"]
    )
    t = found.train
    assert (t.accumulation, t.seed, t.batch_size, t.patience, found.corpus.paths) == (1, 2, 5, 7, ("a", "b"))


def test_a_group_given_in_part_differs_from_its_own_default() -> None:
    """Witness: fine-tuning's defaults, which are not those of the group's own class: its rate and length follow later."""
    found = compose(FinetuneRecipe, flags={"--start": "none", "--task": "choice", "--batch-size": "8"})
    assert found.train == FinetuneRecipe.model_fields["train"].default.model_copy(update={"batch_size": 8})
    assert (found.train.optimizer.lr, found.train.schedule.decay, found.train.length) == (None, "linear", None)


CHANGED: list[tuple[type[FinetuneRecipe] | type[PretrainRecipe], dict[str, Any], dict[str, Any]]] = [
    (PretrainRecipe, CORPUS, {"corpus": {"paths": ["books"]}}),
    (PretrainRecipe, CORPUS | {"--evaluate-every": "1 epoch"},
     {"corpus": {"paths": ["books"]}, "train": {"evaluate_every": "1 epoch"}}),
    (FinetuneRecipe, {"--start": "none", "--task": "choice", "--length": "1 epoch", "--warmup": "0.1 run", "--beam": 3},
     {"start": "none", "task": {"name": "choice"}, "search": {"beam": 3}, "train": {"length": "1 epoch"}}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "flags", "expected"), CHANGED)
def test_only_what_differs_from_the_defaults(
    tmp_path: Path, kind: type[FinetuneRecipe], flags: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Witness: the flags that are no default of this verb, though they may be one of their group; and the tree again."""
    recipe = compose(kind, flags=flags)
    text = changes_to_yaml(recipe)
    assert yaml.safe_load(text) == expected
    assert compose(kind, recipe=write_recipe(tmp_path, text)) == recipe


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("train: {optimizer: {lr: 1e-4}}", "train.optimizer.lr", 1e-4),  # a string to YAML 1.1
        ("train: {seed: 012}", "train.seed", 12),  # ten to YAML 1.1
        ("corpus: {paths: [no, 1.0, 2026-01-01]}", "corpus.paths", ("no", "1.0", "2026-01-01")),  # false, 1.0, a date
        ("corpus: {encoding: 'null'}", "corpus.encoding", "null"),
        ("model: {dropout: null}\ntrain:\n", "model.dropout", None),
        ("model: {dropout: }", "train.seed", 1),
        ("", "train.seed", 1),
    ],
)
def test_values_are_read_by_the_type_of_their_field(tmp_path: Path, text: str, path: str, value: Any) -> None:
    """Witness: what YAML 1.1 makes of these values, and what their authors meant."""
    found: Any = compose(PretrainRecipe, recipe=write_recipe(tmp_path, text), flags={} if "paths" in text else CORPUS)
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value and type(found) is type(value)


def test_lists_have_commas_between_in_flags_and_sets() -> None:
    """Witness: the same list, given in three ways."""
    values = [{"--clean": "ftfy,gpt1"}, {"--clean": ["ftfy", "gpt1"]}, {"--clean": ("ftfy", "gpt1")}]
    found = [compose(PretrainRecipe, flags=CORPUS | flags) for flags in values]
    found.append(compose(PretrainRecipe, flags=CORPUS, sets=["corpus.clean=ftfy, gpt1"]))
    assert {recipe.corpus.clean for recipe in found} == {("ftfy", "gpt1")}


@pytest.mark.parametrize("words", [(",", "the", "."), ("a,b", 'say "so"'), ('"',)])
def test_a_comma_is_named_as_in_csv(words: tuple[str, ...]) -> None:
    """Witness: Python's own CSV writer, and the same words as a list."""
    line = io.StringIO()
    csv.writer(line).writerow(words)
    values: list[Any] = [line.getvalue().strip(), list(words)]
    found = [compose(PredictRequest, flags=RUN | {"--ignored": value}) for value in values]
    found.append(compose(PredictRequest, flags=RUN, sets=[f"search.ignored={values[0]}"]))
    assert [recipe.search.ignored for recipe in found] == [words] * 3
    with pytest.raises(BadInput, match="not closed") as caught:
        compose(PredictRequest, flags=RUN | {"--ignored": '","",the'})
    assert caught.value.where == "--ignored"


def refused(**given: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        compose(PretrainRecipe, **{"flags": CORPUS, **given})
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "value", "hint"),
    [
        ("train:\n  optimizer:\n    lrr: 3\n", 3, "train.optimizer.lrr", "train.optimizer.lr"),
        ("lr: 3\n", 1, "lr", "train.optimizer.lr"),
        ("model:\n  preset: gpt1\n  layer: 3\n", 3, "model.layer", "model.layers"),
        ("trian:\n", 1, "trian", "train"),
    ],
)
def test_an_unknown_key_is_named_in_full_with_a_suggestion(
    tmp_path: Path, text: str, line: int, value: str, hint: str
) -> None:
    """Witness: the key as written and the one that was meant."""
    path = write_recipe(tmp_path, text)
    error = refused(recipe=path)
    assert (error.what, error.where, error.value) == ("unknown key", f"{path}:{line}", value)
    assert error.next_step == f"did you mean {hint!r}?" and error.allowed


@pytest.mark.parametrize(
    ("flags", "allowed"),
    [
        ({"--lr": "fast"}, "a number > 0"),
        ({"--lr": "0"}, "a number > 0"),
        ({"--lr": "nan"}, "a number > 0"),
        ({"--batch-size": "2.5"}, "a whole number >= 1"),
        ({"--batch-size": "0"}, "a whole number >= 1"),
        ({"--dev-frac": "1"}, "a number >= 0 and < 1"),
        ({"--dropout": "-1"}, "a number >= 0 and < 1"),
        ({"--decay": "cosin"}, "linear, cosine, constant, wsd, step, slanted, linear-2018, cosine-2018"),
        ({"--corpus": []}, "a list such as [a, b]"),
        ({"--length": "3"}, "a number and one of steps, epochs, tokens, run"),
    ],
)
def test_a_refused_flag_is_named_with_what_is_allowed(flags: dict[str, Any], allowed: str) -> None:
    """Witness: the field's type and bounds as the schema states them."""
    [(name, value)] = flags.items()
    error = refused(flags=CORPUS | flags)
    assert (error.where, error.value, error.allowed) == (name, value, allowed)
    assert error.what and error.next_step


@pytest.mark.parametrize("key", ["length", "evaluate_every", "unfreeze", "schedule.warmup", "schedule.cooldown"])
def test_a_length_without_a_unit_is_refused_where_it_stands(tmp_path: Path, key: str) -> None:
    """Witness: the unit that is missing; the line, the flag and the assignment that lack it."""
    keys = ["train", *key.split(".")]
    path = write_recipe(tmp_path, "\n".join("  " * depth + f"{name}:" for depth, name in enumerate(keys)) + " 3\n")
    found = [refused(recipe=path), refused(sets=[f"train.{key}=3"])]
    assert [error.where for error in found] == [f"{path}:{len(keys)}, train.{key}", f"--set train.{key}"]
    for error in found:
        assert (error.what, error.value) == ("not a length of training", "3")
        assert error.allowed == "a number and one of steps, epochs, tokens, run" and "3 epochs" in error.next_step


def test_a_refused_value_in_a_file_or_set_is_named_by_its_source(tmp_path: Path) -> None:
    """Witness: the line, and the words after --set; a flag that wins over a line is the one to blame."""
    path = write_recipe(tmp_path, "train:\n  seed: x\ncorpus:\n  paths: a.txt\n")
    assert refused(recipe=path, sets=["train.seed=1"], flags={}).where == f"{path}:4, corpus.paths"
    assert refused(recipe=path).where == f"{path}:2, train.seed"
    assert refused(recipe=path, sets=["train.seed=y"]).where == "--set train.seed"
    assert refused(recipe=path, flags=CORPUS | {"--seed": "z"}).where == "--seed"
    assert refused(sets=["train=3"]).what == "not a group of keys"
    assert refused(recipe=write_recipe(tmp_path, "train: 3"), sets=["train.seed=1"]).where == f"{path}:1, train"
    assert (
        refused(recipe=write_recipe(tmp_path, "corpus:\n  paths:\n  - [a]\n"), flags={}).where
        == f"{path}:3, corpus.paths.0"
    )
    assert refused(flags=CORPUS | {"--lrr": "3"}).next_step == "did you mean '--lr'?"


def test_what_is_missing_is_named_by_its_flag() -> None:
    """Witness: the flags that a user would type next."""
    error = refused(flags={})
    assert error.where == "--corpus" and "give --corpus" in error.next_step and "corpus.paths" in error.next_step
    with pytest.raises(BadInput) as caught:
        compose(FinetuneRecipe, flags={"--start": "none"})
    assert caught.value.where == "--task"


@pytest.mark.parametrize("text", ["seed", "=3", "train..seed=3", ".seed=1"])
def test_a_set_that_is_no_assignment(text: str) -> None:
    """Witness: the form a.b=value."""
    error = refused(sets=[text])
    assert (error.where, error.value, error.allowed) == ("--set", text, "a.b=value") and error.next_step


LENGTHS = st.builds("{} {}".format, st.integers(0, 10**9), st.sampled_from(["steps", "epochs", "tokens", "run"]))
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NAME = TEXT.filter(lambda name: "=" not in name)  # with one it is a task and its folder
SHARE = st.floats(0, 1, exclude_max=True)
POSITIVE = st.floats(1e-300, 1e300)
TRAIN = st.builds(
    TrainSettings,
    seed=st.integers(-(2**70), 2**70),
    length=LENGTHS,
    batch_size=st.integers(1),
    optimizer=st.builds(OptimizerSettings, lr=POSITIVE, beta1=SHARE, eps=POSITIVE),
    schedule=st.builds(ScheduleSettings, decay=st.sampled_from(["linear", "cosine"]), warmup=LENGTHS, final_frac=SHARE),
)
MODEL = st.builds(ModelRecipe, preset=TEXT, layers=st.none() | st.integers(1), dropout=st.none() | SHARE)
PRETRAIN = st.builds(
    PretrainRecipe,
    corpus=st.builds(
        CorpusRecipe,
        paths=st.lists(TEXT, min_size=1, max_size=3).map(tuple),
        tokenizer=st.none() | TEXT,
        clean=st.lists(TEXT, max_size=3).map(tuple),
    ),
    model=MODEL,
    dev_frac=SHARE,
    train=TRAIN,
)
FINETUNE = st.builds(
    FinetuneRecipe,
    start=TEXT,
    task=st.builds(TaskRecipe, name=NAME, train=st.none() | TEXT, class_weights=st.sampled_from(["none", "balanced"])),
    transfer_layers=st.none() | st.integers(0),
    control=st.booleans(),
    model=MODEL,
    train=TRAIN,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recipe=PRETRAIN | FINETUNE)
def test_a_resolved_recipe_reads_back_equal(tmp_path: Path, recipe: PretrainRecipe | FinetuneRecipe) -> None:
    """Witness: the recipe itself, and PyYAML's own safe reader, which sees the same keys."""
    text = to_yaml(recipe)
    assert compose(type(recipe), recipe=write_recipe(tmp_path, text)) == recipe
    assert list(yaml.safe_load(text)) == [
        name for name in type(recipe).model_fields if getattr(recipe, name) is not None
    ]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text("ab:,[]{}&*!|>'\"%@`#-? \n\t0\x00~", max_size=40))
def test_any_text_as_a_recipe_is_read_or_refused(tmp_path: Path, text: str) -> None:
    """Witness: an invariant: nothing but BadInput, in one line that names the file."""
    try:
        compose(PretrainRecipe, recipe=write_recipe(tmp_path, text), flags=CORPUS)
    except BadInput as error:
        assert "recipe.yaml" in error.where and "\n" not in str(error)


def test_an_unknown_keyword_is_answered_without_all_the_others() -> None:
    """Bad input: one short sentence, with a suggestion where one is near."""
    with pytest.raises(BadInput) as error:
        compose(FinetuneRecipe, flags={"--foo-bar": 3})
    assert str(error.value) == "unknown option; got '--foo-bar'; the verb's --help lists the options."
    with pytest.raises(BadInput, match=r"got '--batchsize'; did you mean '--batch-size'\?"):
        compose(FinetuneRecipe, flags={"--batchsize": 3})


def test_a_recipe_states_what_differs_from_another(tmp_path: Path) -> None:
    """Witness: both files written as one; what cannot be read says in which file it stands."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "base.yaml").write_text("train: {batch_size: 7, optimizer: {lr: 1e-4}}\nseeds: 2\n")
    (tmp_path / "deep" / "own.yaml").write_text("base: ../base.yaml\ntrain: {optimizer: {beta2: 0.98}}\nseeds: 3\n")
    (tmp_path / "one.yaml").write_text("train: {batch_size: 7, optimizer: {lr: 1e-4, beta2: 0.98}}\nseeds: 3\n")
    flags = {"--start": "none", "--task": "classification"}
    found, whole = (
        compose(FinetuneRecipe, recipe=str(tmp_path / name), flags=flags) for name in ("deep/own.yaml", "one.yaml")
    )
    assert found == whole
    (tmp_path / "base.yaml").write_text("base: deep/own.yaml\n")
    with pytest.raises(BadInput, match="leads back to itself"):
        compose(FinetuneRecipe, recipe=str(tmp_path / "deep" / "own.yaml"), flags=flags)
    (tmp_path / "base.yaml").write_text("seedz: 1\n")
    with pytest.raises(BadInput, match=r"base\.yaml:1.*seedz"):
        compose(FinetuneRecipe, recipe=str(tmp_path / "deep" / "own.yaml"), flags=flags)


@pytest.mark.parametrize("name", [*RECIPES, *REQUESTS])
def test_no_setting_has_the_name_of_the_key_for_another_recipe(name: str) -> None:
    """Invariant: ``base`` at the top of a file names the recipe that it differs from, whatever the verb."""
    assert BASE not in {**RECIPES, **REQUESTS}[name].model_fields
