"""A demo that is stopped."""

import signal
from pathlib import Path

import pytest

from warmstart.base.errors import InterruptError, TerminationError
from warmstart.demo import run


@pytest.mark.parametrize("error", [TerminationError, InterruptError])
def test_a_stopped_demo_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[TerminationError | InterruptError]
) -> None:
    """Invariant: by its own command, which has no --resume, whatever the training under way says; the same exit code."""

    def stopping(_: object) -> None:
        raise error("the training: run the same command with --resume")

    monkeypatch.setattr(run, "_data", stopping)
    with pytest.raises(error, match=r"demo: stopped; run the same command again to continue\.$"):
        run.demo(str(tmp_path / "demo"))


def test_sigterm_between_two_parts_of_a_demo_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant: exit code 75."""
    monkeypatch.setattr(run, "_data", lambda _: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(TerminationError, match="run the same command again") as caught:
        run.demo(str(tmp_path / "demo"))
    assert caught.value.exit_code == 75


def test_the_table_has_what_a_person_would_use_instead(capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the table by hand, and both sentences."""
    each = {"guess": {"what": "the commonest class", "metrics": {"accuracy": 0.125}}}
    arm = {"mean": 0.5, "std": 0.01, "values": [0.49, 0.51]}
    tuned = {
        "metric": "accuracy", "split": "test", "pretrained": arm, "scratch": arm, "comparison": {"sentence": "It gains."},
        "baselines": {"each": each, "sentence": "It gains over guess."},
    }  # fmt: skip
    run._say_result(tuned, ["a"], "b", Path("page.html"), 1.0)
    said = capsys.readouterr().err
    assert "without (random start)      50.0%       1.0  49.0%  51.0%\nguess: the commonest class  12.5%" in said
    assert "It gains. It gains over guess." in said
