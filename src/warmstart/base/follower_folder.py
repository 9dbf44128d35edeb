"""The run folder as the processes see it that do not lead a training: they read it and leave all writing to the first."""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from warmstart.base.launch import rank_of_process
from warmstart.base.run_folder import Resume, RunFolder
from warmstart.base.signals import stop_at_once


class FollowerFolder(RunFolder):
    """A :class:`~warmstart.base.run_folder.RunFolder` that nothing is written to, locked or checked in."""

    @contextlib.contextmanager
    def hold(self, *, wait: bool = False) -> Iterator[None]:
        """Answers SIGTERM while the block runs; the leading process holds the lock."""
        with stop_at_once(self.stop_sentence):
            yield

    def check_free(self, *, resume: Resume, config: str, chosen: Collection[Sequence[str]] = ()) -> None:
        """Leaves this to the leading process."""

    def check_data(self, fingerprints: Mapping[str, Any]) -> None:
        """Leaves this to the leading process."""

    def create(self, config: str, manifest: dict[str, Any], compute: dict[str, Any] | None = None) -> None:
        """Writes nothing."""

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Writes nothing."""

    def truncate_metrics(self, step: int, evaluated_step: int = 0) -> None:
        """Writes nothing."""

    def write_account(self, account: dict[str, Any]) -> None:
        """Writes nothing."""

    def finish(self, report: dict[str, Any]) -> None:
        """Writes nothing."""

    def tidy(self) -> None:
        """Removes nothing."""


def open_run(path: Path | str) -> RunFolder:
    """The run folder at ``path``, as this process may use it."""
    return RunFolder(path) if rank_of_process() == 0 else FollowerFolder(path)
