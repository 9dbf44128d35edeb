"""What the pages name exists: linked files and headings, files, flags, settings, presets, imports."""

import ast
import importlib
import io
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import pytest
from pages import PAGES, ROOT, anchors, blocks, commands, links, name, prose

from warmstart.cli.command import settings_class
from warmstart.cli.main import main
from warmstart.cli.parser import parse
from warmstart.cli.verbs import VERBS
from warmstart.config.load import compose
from warmstart.tasks.catalogue import CATALOGUE

FILE = re.compile(r"(?<![\w/.-])((?:docs|tests|bench|recipes|src)/[\w./-]*\.\w+)")
COMMENTED = [path for folder in ("src", "recipes", "tests", "bench") for path in sorted((ROOT / folder).rglob("*.*"))]
GROUPS = "|".join(["explain", *dict.fromkeys(verb.split()[0] for verb in VERBS if " " in verb)])
VERB = re.compile(rf"(?:^|[\s`(;|&])warmstart ((?:(?:{GROUPS}) )?[a-z]+) ([^`]*)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
OTHERS = {"--version", "--config-settings", "--upgrade", "--num-train-epochs", "--index-url"} | {
    *("--nnodes", "--nproc-per-node", "--node-rank", "--master-addr", "--master-port", "--max-restarts"),  # torchrun's
    *("--nodes", "--ntasks-per-node", "--gpus-per-node", "--cpus-per-task", "--time"),  # SLURM's
    *("--signal", "--requeue", "--open-mode"),
}
"""Flags of other programs that the pages name."""

each_page = pytest.mark.parametrize("path", PAGES, ids=name)


@cache
def flags(verb: str) -> frozenset[str]:
    """The flags that a verb's own help lists."""
    shown = io.StringIO()
    with redirect_stdout(shown):
        assert main([*verb.split(), "--help"]) == 0, verb
    return frozenset(re.findall(r"(?m)^  (?:-\w, )?(--[a-z0-9-]+)", shown.getvalue()))


@cache
def bench_flags() -> frozenset[str]:
    return frozenset(FLAG.findall(" ".join(path.read_text("utf-8") for path in (ROOT / "bench").glob("*.py"))))


def block_commands(path: Path) -> list[str]:
    return [line for block in blocks(path) if block.language != "python" for line in commands(block.text)]


def inline_commands(path: Path) -> list[str]:
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose(path))]


def split(texts: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Every ``warmstart VERB …`` in some texts: the verb and the words after it."""
    for text in texts:
        for verb, rest in VERB.findall(text):
            yield verb, shlex.split(re.split(r"\s[|;&>](?:\s|$)|\)$|(?:^|\s)#\s|2>", rest)[0])


@each_page
def test_links_lead_somewhere(path: Path) -> None:
    """Witness: the files and their headings."""
    for file, anchor in links(path):
        target = (path.parent / file) if file else path
        assert target.exists(), f"{name(path)}: no file {file}"
        assert not anchor or anchor in anchors(target), f"{name(path)}: {file} has no heading {anchor}"


def test_files_that_are_named_exist() -> None:
    """Witness: the folders; pages, comments and docstrings alike."""
    readers = [*PAGES, *(path for path in COMMENTED if path.suffix in (".py", ".yaml") and path != Path(__file__))]
    named = [(name(path), file) for path in readers for file in FILE.findall(path.read_text(encoding="utf-8"))]
    assert [(path, file) for path, file in named if not (ROOT / file.rstrip(".")).exists()] == []


@each_page
def test_files_of_rooms_that_are_named_exist(path: Path) -> None:
    """Witness: the package, the tests and the benchmarks; ``room/file.py`` is a place in the package."""
    for code in re.findall(r"`([\w/]+\.(?:py|c))`", prose(path)):
        room = ROOT / "src" / "warmstart" / path.stem
        places = [room / code, ROOT / code, ROOT / "src" / "warmstart" / code]
        if "/" not in code:
            places += (ROOT / "tests").rglob(code)
        assert any(place.exists() for place in places), f"{name(path)}: {code}"


@each_page
def test_commands_use_flags_that_exist(path: Path) -> None:
    """Witness: the help of each verb; for flags that stand alone the help of all and the benchmarks' own."""
    for verb, words in split([*block_commands(path), *inline_commands(path)]):
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= flags(verb), (verb, words)
    every = frozenset().union(*(flags(verb) for verb in (*VERBS, "explain"))) | bench_flags() | OTHERS
    assert set(FLAG.findall(path.read_text("utf-8"))) <= every, name(path)


@each_page
def test_whole_commands_become_settings(path: Path) -> None:
    """Witness: the typed tree, which refuses an unknown preset, choice, field or recipe."""
    for verb, words in split(block_commands(path)):
        text = " ".join(words).replace("$DATA", "data")
        if not words or "…" in text or "$" in text or verb not in VERBS or words[-1] in ("--help", "-h"):
            continue
        typed = parse(VERBS[verb], settings_class(VERBS[verb]), [word.replace("$DATA", "data") for word in words])
        recipe = str(ROOT / typed.recipe) if typed.recipe else None
        compose(settings_class(VERBS[verb]), recipe=recipe, flags=typed.flags, sets=typed.sets)


@each_page
def test_what_a_page_imports_exists(path: Path) -> None:
    """Witness: the package, for every import of ours in a block of Python."""
    for block in blocks(path):
        source = block.text
        if block.language == "bash" and "python - <<'END'" in source:
            source = "\n".join(re.findall(r"(?s)python - <<'END'[^\n]*\n(.*?)\nEND", source))
        elif block.language != "python" or ">>>" in source:
            source = "\n".join(line.removeprefix(">>> ") for line in source.splitlines() if line.startswith(">>> "))
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("warmstart"):
                module = importlib.import_module(node.module or "")
                missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                assert missing == [], f"{name(path)}:{block.line}"


def test_extras_and_counts_are_right() -> None:
    """Witness: pyproject.toml's extras, and the catalogue of known data sets."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for path in PAGES:
        for extras in re.findall(r"(?:warmstart|\.)\[([a-z0-9,]+)\]", path.read_text(encoding="utf-8")):
            assert set(extras.split(",")) <= known.keys(), name(path)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{len(CATALOGUE)} [known data sets]" in readme
    listed = re.search(r"with extras \(([^)]*)\)", readme)
    assert listed and set(re.findall(r"`(\w+)`", listed[1])) == known.keys() - {"dev", "bench"}
