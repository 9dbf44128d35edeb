"""What scikit-learn asks of an estimator, without importing it: parameters, tags, whether it is fitted, and pickling.

``clone``, ``cross_val_score``, ``GridSearchCV`` and ``Pipeline`` need no more; scikit-learn is imported only when it asks.
"""

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, Self

from warmstart.base.errors import BadInput
from warmstart.config.keywords import check_keywords
from warmstart.config.schema import FinetuneRecipe
from warmstart.run.loading import LoadedRun, load_run
from warmstart.tasks.table import answer_of, find_kind

OWN = ("start", "task", "verbose")
_RUN = "run"


class UnfittedError(BadInput, ValueError, AttributeError):
    """Nothing has been learned yet; what is fitted is missing, also to ``hasattr``."""


class Estimator:
    """Parameters of a fine-tuning, and the run that it becomes."""

    def __init__(self, start: str, task: str, options: dict[str, Any], verbose: bool = False) -> None:
        """Nothing is read yet; ``options`` are flags of ``warmstart finetune`` by their keywords.

        ``verbose``: whether the training says what it does.

        Raises:
            BadInput: an option that is no such flag.
        """
        check_keywords(FinetuneRecipe, options)
        self.start, self.task, self.options, self.verbose = start, task, options, verbose
        self._loaded: LoadedRun | None = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """``start``, ``task``, ``verbose`` and the options that were given: all that scikit-learn's ``clone`` asks for."""
        return {name: getattr(self, name) for name in OWN} | self.options

    def set_params(self, **params: Any) -> Self:
        """Sets ``start``, ``task``, ``verbose`` or any option, those that were not given before too.

        Raises:
            BadInput: an option that is no flag of ``warmstart finetune``.
        """
        options = {name: value for name, value in params.items() if name not in OWN}
        check_keywords(FinetuneRecipe, options)
        for name in OWN:
            setattr(self, name, params.get(name, getattr(self, name)))
        self.options = self.options | options
        return self

    def __repr__(self) -> str:
        shown = {name: value for name, value in self.get_params().items() if name != "verbose" or value}
        given = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"{type(self).__name__}({given})"

    def __sklearn_is_fitted__(self) -> bool:
        return self._loaded is not None

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        answer = find_kind(self.task).answer(()) if self._loaded is None else answer_of(self._loaded.task())
        kind = answer.estimator_type
        return Tags(
            estimator_type=kind,
            target_tags=TargetTags(required=False),
            classifier_tags=ClassifierTags() if kind == "classifier" else None,
            regressor_tags=RegressorTags() if kind == "regressor" else None,
            input_tags=InputTags(one_d_array=True, two_d_array=True, string=True, dict=True),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the model, and the files of its run in its place."""
        state = {name: value for name, value in self.__dict__.items() if name != "_loaded"}
        if self._loaded is not None:
            folder = self._loaded.folder
            files = (path for path in sorted(folder.rglob("*")) if path.is_file())
            state[_RUN] = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Writes these files to a folder of its own, and reads the model there as any other."""
        files = state.pop(_RUN, None)
        self.__dict__.update(state)
        self._loaded = None
        if files is not None:
            folder = self._new_folder()
            for name, content in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            self._loaded = load_run(folder)

    def _new_folder(self) -> Path:
        """A folder for a run, not yet there; it goes with this object."""
        home = tempfile.mkdtemp(prefix="warmstart-")
        weakref.finalize(self, shutil.rmtree, home, ignore_errors=True)
        return Path(home) / "run"

    def _ready(self) -> LoadedRun:
        if self._loaded is None:
            name = type(self).__name__
            raise UnfittedError("this classifier has not learned anything", where=name, next_step="call fit first")
        return self._loaded
