"""Preparing by Ray Data beside preparing here. It takes a minute or more: Ray starts a small cluster of its own."""

import sys
import typing
from importlib.util import find_spec
from pathlib import Path

import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.corpora.engines import ENGINES
from warmstart.corpora.scan import SourceJobs
from warmstart.corpora.settings import PrepareSettings

TEXT = "".join(f"Line {n}: “the fox” runs over hill {n % 31} — and back again.\n\n" for n in range(40_000))


def files(folder: Path) -> dict[str, bytes]:
    """Contents by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def text(tmp_path: Path) -> str:
    """Two files of 2.5 MB: some jobs, one of them of both."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / "text").mkdir(exist_ok=True)
        (tmp_path / "text" / name).write_text(f"{name} {TEXT}", encoding="utf-8")
    return str(tmp_path / "text")


@pytest.mark.filterwarnings("ignore")  # Ray warns of itself
@pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed")
def test_a_corpus_by_ray_has_the_same_bytes(text: str, tmp_path: Path) -> None:
    """Witness: the corpus that is prepared without Ray."""
    warmstart.prepare(text, out=str(tmp_path / "vocabulary"), vocab_size=300, clean=["gpt1"])
    settings = {"paths": text, "tokenizer": str(tmp_path / "vocabulary"), "clean": ["gpt1"], "workers": 2}
    warmstart.prepare(out=str(tmp_path / "local"), **settings)
    warmstart.prepare(out=str(tmp_path / "ray"), engine="ray", **settings)
    assert files(tmp_path / "ray") == files(tmp_path / "local")


def test_without_the_extra_it_is_named(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: nothing is written before everything is there."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"warmstart\[ray\]"):
        warmstart.prepare(text, out=str(tmp_path / "corpus"), vocab_size=300, engine="ray")
    assert not (tmp_path / "corpus").exists()


def test_jobs_may_be_read_by_another_process_and_from_the_middle(text: str) -> None:
    """Invariant: read again, and without the first, they are the same; together they are the text."""
    paths = tuple(sorted(map(str, Path(text).iterdir())))
    size = sum(Path(path).stat().st_size for path in paths)
    jobs = list(SourceJobs(paths, "utf-8", size, sys.maxsize, 0))
    assert len(jobs) > 3
    assert list(SourceJobs(paths, "utf-8", size, sys.maxsize, 2)) == jobs[2:]
    whole = "".join(chunk.text for job in jobs for chunk in job)
    assert whole == "".join(Path(path).read_text(encoding="utf-8") for path in paths)


def test_what_may_be_asked_for_is_what_there_is() -> None:
    """Law: the names of the setting are those of the table."""
    assert set(typing.get_args(PrepareSettings.model_fields["engine"].annotation)) == ENGINES.keys()
