"""The flags, which stand on the fields that they set."""

import re
from typing import Annotated, get_args

import pytest

from warmstart.base.settings import Group, Setting, Settings, copy_setting
from warmstart.cli.verbs import VERBS
from warmstart.config.fields import NO_DEFAULT, default_at, field_at, field_paths, is_list
from warmstart.config.flags import Flag, flags_of
from warmstart.config.load import compose
from warmstart.config.requests import REQUESTS
from warmstart.config.schema import RECIPES, FinetuneRecipe, PretrainRecipe
from warmstart.config.study import StudyRecipe
from warmstart.metrics.names import GENERATION_METRICS
from warmstart.metrics.postprocess import POSTPROCESSORS
from warmstart.models.presets import PRESETS
from warmstart.tasks.catalogue import CATALOGUE
from warmstart.tasks.known.names import DATASET_NAMES, EVALUATION_DATASETS, TRAINING_DATASETS
from warmstart.tasks.settings import Postprocess
from warmstart.tasks.table import KINDS
from warmstart.text.clean import CLEANING_RULES
from warmstart.text.settings import VocabularyKind
from warmstart.text.vocabularies import TRAINERS

SETTINGS: dict[str, type[Settings]] = {**RECIPES, "study": StudyRecipe, **REQUESTS}
ALL = [(verb, flag) for verb, kind in SETTINGS.items() for flag in flags_of(kind)]


class Inner(Settings):
    """A group with a title of its own."""

    title = "Inner"

    rate: float = Setting(0.5, "a rate", flag="--rate", metavar="R", gt=0)
    seed: int = Setting(1, "a seed", flag="--seed")


class Base(Settings):
    """What a class inherits."""

    title = "Base"

    old: bool = Setting(False, "inherited", flag="--old")


class Tree(Base):
    """One of each."""

    title = "Tree"

    name: Annotated[str, Setting(help="a name", flag="--name")]
    inner: Inner = Group(Inner, rate=2.0, omit=("seed",))
    other: int = copy_setting(Inner, "seed", 3)
    titled: Inner = Group(Inner, title="Elsewhere", omit=("rate", "seed"), remembered=True)
    quiet: int = Setting(7, "no flag")


def test_flags_are_found_by_walking_the_tree() -> None:
    """Witness: a small tree: own fields first, then inherited ones; defaults and titles of the place, not of the class."""
    found = [(flag.name, ".".join(flag.path), flag.title, flag.help) for flag in flags_of(Tree)]
    assert found == [
        ("--name", "name", "Tree", "a name (required)"),
        ("--seed", "other", "Tree", "a seed (default: 3)"),
        ("--rate", "inner.rate", "Inner", "a rate (default: 2.0)"),
        ("--old", "old", "Base", "inherited"),
    ]
    tree = compose(Tree, flags={"--name": "x", "--rate": "3", "--old": True})
    assert (tree.inner.rate, tree.inner.seed, tree.other, tree.old) == (3.0, 1, 3, True)


def test_defaults_that_a_run_remembers_are_not_shown() -> None:
    """Witness: the same group, once with its defaults and once with those of a run."""

    class Both(Settings):
        inner: Inner = Group(Inner, remembered=True)

    assert [flag.help for flag in flags_of(Both)] == ["a rate", "a seed"]
    assert [flag.help for flag in flags_of(Inner)] == ["a rate (default: 0.5)", "a seed (default: 1)"]


@pytest.mark.parametrize(("verb", "flag"), ALL, ids=[f"{verb} {flag.name}" for verb, flag in ALL])
def test_a_flag_has_the_form_of_its_field(verb: str, flag: Flag) -> None:
    """Witness: the schema."""
    field = field_at(SETTINGS[verb], flag.path)
    assert field is flag.field
    assert not flag.option.many or is_list(field)
    assert not flag.is_switch or default_at(SETTINGS[verb], flag.path) is False  # a switch can only say yes
    assert field.description and len(field.description) < 250
    assert flag.title


def test_each_verb_has_its_settings_and_no_flag_twice() -> None:
    """Witness: the verbs and their classes."""
    assert set(VERBS) == set(SETTINGS)
    for kind in SETTINGS.values():
        names = [flag.name for flag in flags_of(kind)]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", SETTINGS.values())
def test_every_setting_says_what_it_is(kind: type[Settings]) -> None:
    """Witness: the schema: each leaf has a help, whether it has a flag or not."""
    paths = list(field_paths(kind))
    for path in paths:
        field = field_at(kind, path)
        assert field is not None
        inner = any(other[: len(path)] == path and len(other) > len(path) for other in paths)
        assert inner or field.description, path


def test_the_words_in_the_help_are_the_words_that_exist() -> None:
    """Witness: the tables of presets (without those for tests), kinds, data sets, rules and metrics."""
    sizes = {name for name in PRESETS if not name.endswith("-tiny")}
    help_of = {
        flag.name: flag.help for kind in (SETTINGS["score"], FinetuneRecipe, PretrainRecipe) for flag in flags_of(kind)
    }
    about = VERBS["finetune"].description.partition("Known data sets")[2].replace(".\n", " ").removesuffix(".")
    shown = [
        (help_of["--model"], sizes), (help_of["--task"], KINDS), (about, CATALOGUE),
        (help_of["--clean"], CLEANING_RULES), (help_of["--metrics"], GENERATION_METRICS),
    ]  # fmt: skip
    for text, known in shown:
        words = set(re.split(r"[(),;:\s]+", text))
        assert set(known) <= words, text


def test_the_names_of_known_data_sets_are_those_of_the_catalogue() -> None:
    """Witness: the catalogue, and which of its entries have a part to train on."""
    trained = {name for name, known in CATALOGUE.items() if "train" in known.splits}
    assert (set(TRAINING_DATASETS), set(EVALUATION_DATASETS)) == (trained, CATALOGUE.keys() - trained)
    assert len(set(DATASET_NAMES)) == len(DATASET_NAMES)


def test_the_choices_are_the_names_in_the_tables() -> None:
    """Witness: the tables that the chosen words are looked up in."""
    assert set(get_args(get_args(Postprocess)[0])) == set(POSTPROCESSORS)
    assert set(get_args(VocabularyKind)) == set(TRAINERS)


@pytest.mark.parametrize("kind", SETTINGS.values())
def test_default_groups_are_valid(kind: type[Settings]) -> None:
    """Witness: pydantic, which does not look at defaults by itself."""
    for path in field_paths(kind):
        default = default_at(kind, path)
        if isinstance(default, Settings):
            assert type(default).model_validate(default.model_dump()) == default
            assert type(default).model_validate(default.model_dump(exclude_unset=True)) == default


@pytest.mark.parametrize("kind", [PretrainRecipe, FinetuneRecipe])
def test_required_fields_have_a_flag(kind: type[Settings]) -> None:
    """Witness: the schema: what has no default can be given on the command line."""
    flags = {flag.path for flag in flags_of(kind)}
    for path in field_paths(kind):
        inner = any(other[: len(path)] == path and len(other) > len(path) for other in field_paths(kind))
        assert inner or default_at(kind, path) is not NO_DEFAULT or path in flags


def test_help_says_choices_and_the_default_of_this_verb() -> None:
    """Witness: the schedules of docs/train.md: of fine-tuning, and of pre-training."""
    tuned, pretrained = ({flag.name: flag.help for flag in flags_of(kind)} for kind in (FinetuneRecipe, PretrainRecipe))
    words = "linear, cosine, constant, wsd, slanted, linear-2018, cosine-2018"
    assert tuned["--decay"].endswith(f"({words}; default: linear)")
    assert pretrained["--decay"].endswith(f"({words}; default: wsd)")
    assert tuned["--task"].endswith("(required)")
    assert tuned["--patience"].endswith("(default: 0)")
    assert tuned["--control"] == field_at(FinetuneRecipe, ["control"]).description  # type: ignore[union-attr]
    assert tuned["--train"] == field_at(FinetuneRecipe, ["task", "train"]).description  # type: ignore[union-attr]
