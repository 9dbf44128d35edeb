"""The folders of a study: its own, and that of its trials, which several studies may share.

Whatever a stop comes to, a study goes on by the same command, without ``--resume``; so its folders, and those of its trials,
say so.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warmstart.base.errors import BadInput, InterruptError, TerminationError
from warmstart.base.files import read_json
from warmstart.base.run_folder import BEFORE_CONFIG, CONFIG, MANIFEST, RunFolder
from warmstart.config.study import StudyRecipe

STUDY_VERB, TRIALS = "study", "trials"
TRIAL = re.compile(r"\.?[0-9a-f]{16}.*")
"""What stands in a folder of trials: fingerprints, and what is being written there."""


class StudyFolder(RunFolder):
    """The folder of a study, or of one of its trials."""

    def stop_sentence(self, how: str = "stopped by SIGTERM") -> str:
        """What to say wherever the process is stopped: what stands already is never trained again."""
        return f"{self.path}: {how}; run the same command again to go on."


@contextmanager
def stopped_as_study(out: Path | str) -> Iterator[None]:
    """While the block runs, a stop of any training in it is told as one of the study in the folder ``out``."""
    try:
        yield
    except (TerminationError, InterruptError) as error:
        how = "interrupted" if isinstance(error, InterruptError) else "stopped by SIGTERM"
        raise type(error)(StudyFolder(out).stop_sentence(how)) from None


def trials_folder(recipe: StudyRecipe, root: RunFolder) -> Path:
    """Where the trials of a study are: in its own folder, or in the one that it shares."""
    return root.path / TRIALS if recipe.trials is None else Path(recipe.trials)


@contextmanager
def left_if_trained(root: RunFolder, trials: Path) -> Iterator[None]:
    """Leaves nothing of a study that begins in the block and whose first trial is refused before it trains."""
    is_new, is_own = not root.is_started, not trials.exists()
    try:
        yield
    except BadInput:
        if is_new and trials.is_dir() and not any(trials.iterdir()):
            for name in (CONFIG, MANIFEST):
                (root.path / name).unlink(missing_ok=True)
            if is_own:
                trials.rmdir()
        raise


def check_folders(recipe: StudyRecipe, root: RunFolder) -> None:
    """Refuses folders that hold something else than a study and trials.

    Raises:
        BadInput: one of them does.
    """
    if _holds_else(root.path):
        raise BadInput(
            "the output folder holds something else than a study", where=str(root.path),
            next_step="choose an empty or new --out",
        )  # fmt: skip
    shared = trials_folder(recipe, root)
    if shared.is_file() or (shared.is_dir() and not all(TRIAL.fullmatch(path.name) for path in shared.iterdir())):
        raise BadInput(
            "this holds something else than trials of studies", where="--trials", value=str(shared),
            allowed="an empty or new folder, or the one that another study has named",
            next_step="name such a folder, or leave it out",
        )  # fmt: skip


def _holds_else(path: Path) -> bool:
    if path.is_file():
        return True
    if not path.is_dir() or (path / TRIALS).is_dir():
        return False
    manifest = path / MANIFEST
    if manifest.is_file() and read_json(manifest).get("verb") == STUDY_VERB:
        return False
    return any(not one.name.startswith(BEFORE_CONFIG) for one in path.iterdir())
