"""The table of flags beside the fields that it sets."""

import re

import pytest

from warmstart.base.settings import Settings
from warmstart.cli.verbs import VERBS, settings_of
from warmstart.config.fields import NO_DEFAULT, default_at, field_at, in_brackets, is_list, keys, plain
from warmstart.config.flags import FINETUNE, SETTINGS, TABLES, Flag, flags_of
from warmstart.config.schema import FinetuneRecipe, PretrainRecipe
from warmstart.models.presets import PRESETS
from warmstart.tasks.catalogue import CATALOGUE
from warmstart.tasks.settings import KIND_NAMES
from warmstart.text.clean import CLEANING_RULES

ALL = [(table, flag) for table in TABLES for flag in flags_of(table)]


@pytest.mark.parametrize(("table", "flag"), ALL, ids=[f"{table} {flag.name}" for table, flag in ALL])
def test_a_flag_has_the_form_of_its_field(table: str, flag: Flag) -> None:
    """Witness: the schema."""
    field = field_at(settings_of(table), flag.path.split("."))
    assert field is not None, flag.path
    assert flag.switch == (plain(field.annotation) is bool)
    assert not flag.many or is_list(field)
    assert flag.help and len(flag.help) < 250


def test_each_verb_has_a_table_and_each_class_its_verb() -> None:
    """Witness: the verbs and their classes."""
    assert set(VERBS) == set(TABLES)
    assert {settings_of(table).__name__: table for table in TABLES} == SETTINGS
    for table in TABLES:
        names = [flag.name for flag in flags_of(table)]
        assert len(set(names)) == len(names)


def test_the_words_in_the_help_are_the_words_that_exist() -> None:
    """Witness: the tables of presets, tasks and rules, which the help may not be imported with."""
    help_of = {
        flag.name: flag.help for table in (TABLES["prepare"], FINETUNE) for flags in table.values() for flag in flags
    }
    about = VERBS["finetune"].about.partition("Known data sets")[2].replace(".\n", " ").removesuffix(".")
    said = [
        (help_of["--model"], PRESETS),
        (help_of["--task"], KIND_NAMES),
        (about, CATALOGUE),
        (help_of["--clean"], CLEANING_RULES),
    ]
    for text, known in said:
        words = set(re.split(r"[(),;:\s]+", text))
        assert set(known) <= words, text


@pytest.mark.parametrize("kind", [PretrainRecipe, FinetuneRecipe])
def test_required_fields_have_a_flag(kind: type[Settings]) -> None:
    """Witness: the schema: what has no default can be given on the command line."""
    flags = {flag.path for flag in flags_of(SETTINGS[kind.__name__])}
    for path in keys(kind):
        inner = any(other[: len(path)] == path and len(other) > len(path) for other in keys(kind))
        assert inner or default_at(kind, path) is not NO_DEFAULT or ".".join(path) in flags


def test_help_says_choices_and_the_default_of_this_verb() -> None:
    """Witness: GPT-1's fine-tuning (section 4.1) beside its pre-training."""
    path = ("train", "schedule", "decay")
    words = "linear, cosine, constant, wsd, slanted, linear-2018, cosine-2018"
    assert in_brackets(FinetuneRecipe, path) == f"({words}; default: linear)"
    assert in_brackets(PretrainRecipe, path) == f"({words}; default: cosine)"
    assert in_brackets(FinetuneRecipe, ("task", "name")) == "(required)"
    assert in_brackets(FinetuneRecipe, ("train", "patience")) == "(default: 0)"
    assert in_brackets(FinetuneRecipe, ("control",)) == in_brackets(FinetuneRecipe, ("task", "train")) == ""
