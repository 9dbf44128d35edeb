"""Completion scripts: what a real shell answers, and every option that the help lists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from warmstart.cli.main import main
from warmstart.cli.verb import EXPLAIN
from warmstart.cli.verbs import VERBS
from warmstart.tasks.known.names import DATASET_NAMES
from warmstart.tasks.table import KINDS


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def helps(verb: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The options that a verb's help lists."""
    assert main([*verb.split(), "--help"]) == 0
    return set(re.findall(r"(?m)^  (?:-\w, )?(--[a-z0-9-]+)", capsys.readouterr().out))


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: bash itself, which runs the script; the helps, the tables of verbs, kinds and data sets."""
    lines = [
        ("warmstart", ""), ("warmstart", "fi"), ("warmstart", "explain", ""), ("warmstart", "convert", "--to", ""),
        ("warmstart", "finetune", "--task", ""), ("warmstart", "finetune", "--ta"), ("warmstart", "finetune", "--start", ""),
        ("warmstart", "explain", "finetune", "--"), ("warmstart", "finetune", "--"), ("warmstart", "completion", "z"),
        ("warmstart", "finetune", "--control", "--task", "cl"),
    ]  # fmt: skip
    (tmp_path / "warmstart").write_text(script("bash", capsys))
    asked = "\n".join(
        f"COMP_WORDS=({' '.join(repr(word) for word in line)}); COMP_CWORD={len(line) - 1}; COMPREPLY=(); _warmstart; "
        'echo "${COMPREPLY[*]}"'
        for line in lines
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", f"source {tmp_path / 'warmstart'}; {asked}"], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert done.stderr == ""
    found = dict(zip(lines, map(str.split, done.stdout.splitlines()), strict=True))
    assert set(found["warmstart", ""]) == {*(verb.split()[0] for verb in VERBS), EXPLAIN, "--help", "--version"}
    assert found["warmstart", "fi"] == ["finetune"] and found["warmstart", "completion", "z"] == ["zsh"]
    assert found["warmstart", "explain", ""] == ["pretrain", "finetune"]
    assert set(found["warmstart", "finetune", "--task", ""]) == {*KINDS, *DATASET_NAMES}
    assert found["warmstart", "finetune", "--start", ""] == []  # the shell completes paths by itself
    assert found["warmstart", "finetune", "--control", "--task", "cl"] == ["classification"]
    assert {"--task", "--target-limit"} <= set(found["warmstart", "finetune", "--ta"])
    assert set(found["warmstart", "convert", "--to", ""]) >= {"hf", "warmstart", "onnx"}
    for verb in ("finetune", "explain finetune"):
        assert set(found["warmstart", *verb.split(), "--"]) == helps(verb, capsys)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_know_every_option(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Witness: the helps; the shell's own check of the syntax, where it is installed."""
    text = script(shell, capsys)
    for verb in (*VERBS, "explain pretrain"):
        for option in helps(verb, capsys):
            assert (f"'*{option}[" if shell == "zsh" else f" -l {option[2:]} ") in text, (verb, option)
    if shutil.which(shell):
        (tmp_path / "script").write_text(text)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Bad input: one sentence, exit code 2."""
    assert main(["completion", "tcsh"]) == 2
    assert "SHELL: unknown choice; got 'tcsh'; allowed: bash, zsh, fish" in capsys.readouterr().err
