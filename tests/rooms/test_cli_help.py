"""The kept help of a verb: the same text as a new one, whatever has become of the file."""

import os
from pathlib import Path

import pytest

from warmstart.cli import help as module
from warmstart.cli.help import cached_help
from warmstart.cli.main import main


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WARMSTART_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("verb", ["finetune", "explain finetune", "predict"])
def test_the_second_help_is_the_first(verb: str, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: argparse, which shows the same help where another word stands beside ``--help``."""
    texts = []
    for words in (["--help"], ["-h"], ["--quiet", "--help"]):
        assert main([*verb.split(), *words]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] == texts[2] != ""
    assert [file.name for file in cache.iterdir()] == [f"help-{verb.replace(' ', '-')}.txt"]


def test_a_changed_package_makes_a_new_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the counter of helps made."""
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    (package / "inner" / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(module, "PACKAGE", package)
    made = iter("abcdefg")
    ask = lambda: cached_help("verb", lambda: next(made))  # noqa: E731
    assert [ask(), ask()] == ["a", "a"]
    (package / "inner" / "a.py").write_text("x = 12\n")
    assert [ask(), ask()] == ["b", "b"]
    os.utime(package / "inner" / "a.py", ns=(1, 1))
    assert ask() == "c"
    (package / "b.py").touch()
    assert ask() == "d"


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"another stamp\nanother help"])
def test_a_damaged_file_is_written_again(cache: Path, damage: bytes) -> None:
    """Witness: the help that was made."""
    assert cached_help("verb", lambda: "help") == "help"
    (cache / "help-verb.txt").write_bytes(damage)
    assert cached_help("verb", lambda: "help") == "help"
    assert cached_help("verb", lambda: "never asked") == "help"


def test_no_place_to_keep_it_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: a file where the folder should be, and an account without a home."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("WARMSTART_CACHE", str(tmp_path / "file"))
    assert cached_help("verb", lambda: "help") == "help"
    monkeypatch.setattr(module, "cache_folder", lambda: None)
    assert cached_help("verb", lambda: "other") == "other"
