"""Files: whole or not there, and open to whom the umask says."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import warmstart
from warmstart.base.errors import BadInput
from warmstart.base.files import check_no_pointer, read_json, temporary_folder, write_bytes

LABELLED = [{"text": f"a {word} film", "label": word} for word in ("good", "bad")] * 4


@pytest.fixture(params=[0o022, 0o027], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_all_that_a_run_leaves_has_the_mode_of_the_umask(umask: int, tmp_path: Path) -> None:
    """Witness: a file and a folder that Python itself makes beside a corpus, a run and another form of it."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in LABELLED))
    rows = str(home / "rows.jsonl")
    warmstart.prepare(rows, str(home / "corpus"), vocab_size=258, workers=1)
    given = {"task": "classification", "train": rows, "dev": rows, "retries": 0, "tokenizer": str(home / "corpus")}
    tiny = {"model": "gpt1-tiny", "precision": "fp32", "length": "1 step", "batch_size": 4, "vocab_size": 258}
    warmstart.finetune(str(home / "task"), start="none", **given, **tiny)
    warmstart.convert(str(home / "task"), str(home / "other"), to="warmstart")
    wanted = {path.is_dir(): path.stat().st_mode for path in (home, home / "rows.jsonl")}
    found = {path: path.stat().st_mode for path in home.rglob("*")}
    assert {path.name for path in found} >= {"model.safetensors", "tokens.bin", "config.json", "report.json"}
    assert found == {path: wanted[path.is_dir()] for path in found}


def test_an_interrupted_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    """Invariant: after an error in the middle nothing is there but what was."""
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(TypeError):
        write_bytes(path, "no bytes")  # type: ignore[arg-type]
    with pytest.raises(KeyError), temporary_folder(tmp_path / "folder") as stage:
        (stage / "part").write_bytes(b"x")
        raise KeyError
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("file", b"old")]


def test_a_pipe_is_left_to_its_reader(tmp_path: Path) -> None:
    """Witness: POSIX, where opening a named pipe that nobody writes into waits, and closing it breaks the one who does."""
    os.mkfifo(tmp_path / "pipe")
    check_no_pointer(tmp_path / "pipe")  # returns


@pytest.mark.parametrize(
    ("text", "what"),
    [("[" * 100_000, "nested too deeply"), ("9" * 5_000, "4300 digits"), ('"\udcff"', "utf-8"), ("", "char 0")],
    ids=["deep", "long number", "bytes", "empty"],
)
def test_json_that_python_does_not_read_is_one_sentence(text: str, what: str, tmp_path: Path) -> None:
    """Bad input: what json.loads refuses by each of its exceptions."""
    path = tmp_path / "config.json"
    path.write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(BadInput, match=rf"config\.json: not a readable JSON file \(.*{what}"):
        read_json(path)
