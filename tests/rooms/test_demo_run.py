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
