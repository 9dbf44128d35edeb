"""The scikit-learn-like face: ``Classifier(start).fit(texts, labels).predict(texts)``, or of rows with their keys."""

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.errors import BadInput
from warmstart.base.files import temporary_folder
from warmstart.build.labelled_data import divide_rows
from warmstart.build.start import NO_START
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.evaluation.evaluate import Evaluation, evaluate_records
from warmstart.evaluation.predict import predict_records
from warmstart.run.loading import LoadedRun, load_run
from warmstart.tasks.answer import Prediction
from warmstart.tasks.dataset import records_from, task_from
from warmstart.tasks.table import answer_of, find_kind, options_of
from warmstart.verbs.finetune import finetune
from warmstart.verbs.members import run_predictor

Row = Mapping[str, Any]


class Classifier:
    """A model for one labelled task of any kind (classes, scores, choices, tags, spans), in the manner of scikit-learn."""

    def __init__(self, start: str = NO_START, task: str = "classification", **options: Any) -> None:
        """Nothing is read before :meth:`fit`.

        Args:
            start: a pre-trained run or model folder, or ``none``.
            task: the kind.
            options: flags of ``warmstart finetune`` without their dashes: ``lr=1e-4``, ``length="5 epochs"``;
                ``columns={"text": "review"}`` names the keys of all rows.
        """
        self.start, self.task, self.options = start, task, options
        self.report_: dict[str, Any] = {}
        self._loaded: LoadedRun | None = None

    def fit(
        self, rows: Iterable[Any], labels: Iterable[Any] | None = None,
        dev: Iterable[Row] | tuple[Iterable[Any], Iterable[Any]] | None = None,
    ) -> "Classifier":  # fmt: skip
        """Fine-tunes on labelled examples; without ``dev`` a share (``dev_frac``) is held out.

        Args:
            rows: mappings with the keys of the task's files, or without them as :meth:`predict` takes them.
            labels: one for each row, where the rows have none.
            dev: examples that choose the best weights: rows with their labels, or the pair ``(rows, labels)``.

        Raises:
            BadInput: as ``warmstart finetune`` does; rows are named by their number.
        """
        flags = {f"--{name.replace('_', '-')}": value for name, value in self.options.items()}
        recipe = compose(FinetuneRecipe, flags={"--start": self.start, "--task": self.task} | flags)
        files = [name for name in ("train", "dev", "test", "data") if getattr(recipe.task, name) is not None]
        if files:
            raise BadInput(
                "the rows are given to fit, so no file is read", where=f"Classifier({files[0]}=…)",
                next_step="leave it out, or call warmstart.finetune",
            )  # fmt: skip
        named, columns = self._labelled_rows(rows, labels)
        task, held_out = task_from(self.task, named, columns=columns), None
        if dev is not None:
            more, columns = self._labelled_rows(*dev) if _is_pair(dev) else self._rows(dev)
            held_out = task_from(self.task, more, task.label_names, columns).records
        data = divide_rows(recipe.task, recipe.train.seed, task, held_out)
        home = tempfile.mkdtemp(prefix="warmstart-")
        weakref.finalize(self, shutil.rmtree, home, ignore_errors=True)
        out = str(Path(home) / "run")
        self.report_ = finetune(recipe, out, data=data)
        self._loaded = load_run(out)
        return self

    @staticmethod
    def load(run: str | Path) -> "Classifier":
        """A fine-tuned run, ready to predict."""
        loaded = load_run(run)
        found = Classifier(str(run), loaded.task().kind)
        found._loaded = loaded
        return found

    @property
    def columns(self) -> tuple[str, ...]:
        """The rows' names for the task's keys, ``key=column`` each; of a loaded run those of its training."""
        given = self.options.get("columns", () if self._loaded is None else self._loaded.task().columns)
        if isinstance(given, Mapping):
            return tuple(f"{key}={column}" for key, column in given.items())
        return tuple(given.split(",") if isinstance(given, str) else given)

    @property
    def classes_(self) -> NDArray[Any]:
        """[C] the labels of the training, in the order of :meth:`predict_proba`'s columns; empty where there are none."""
        spec = self._ready().task()
        values = spec.values_of(spec.label_names)
        return np.array(values, None if len({type(value) for value in values}) == 1 else object)

    def predict(self, rows: Sequence[Any]) -> list[Any]:
        """Per row its label as the training data have it, its labels, score or choice; the tags of its words; the answer.

        A row is a mapping with the task's keys, a text, a pair of texts, or a sentence as a list of words.
        """
        return [found.score if found.label is None else found.label for found in self._predictions(rows)]

    def predict_proba(self, rows: Sequence[Any]) -> NDArray[np.float64]:
        """[n, C] probabilities, in the order of :attr:`classes_`.

        Raises:
            BadInput: the task has no classes.
        """
        spec = self._ready().task()
        if not answer_of(spec).reads_text or not spec.label_names:
            raise BadInput("a row has no class", where="predict_proba", value=self.task, next_step="use predict")
        found = [[each.probabilities[name] for name in spec.label_names] for each in self._predictions(rows)]
        return np.array(found).reshape(-1, len(spec.label_names))

    def evaluate(self, rows: Iterable[Any], labels: Iterable[Any] | None = None) -> dict[str, Any]:
        """{"metrics", "intervals", "examples"} on labelled examples, given as to :meth:`fit`."""
        return self._evaluation(rows, labels, intervals=True).to_dict()

    def score(self, rows: Iterable[Any], labels: Iterable[Any] | None = None) -> float:
        """The main metric on labelled examples, given as to :meth:`fit`: of classes the accuracy."""
        return next(iter(self._evaluation(rows, labels, intervals=False).metrics.values()))

    def save(self, folder: str | Path) -> None:
        """Copies the whole run (weights, tokenizer, task, recipe, report) to a new ``folder``."""
        target = Path(folder)
        if target.exists():
            raise BadInput("the folder exists", where=str(target), next_step="choose another, or remove it first")
        with temporary_folder(target) as stage:
            shutil.copytree(self._ready().folder, stage, dirs_exist_ok=True)

    def _predictions(self, rows: Sequence[Any]) -> list[Prediction]:
        loaded = self._ready()
        spec = loaded.task()
        named, columns = self._rows(rows)
        records = records_from(
            spec.kind, named, spec.label_names, labelled=False, options=options_of(spec), columns=columns
        )  # fmt: skip
        return list(predict_records(run_predictor(loaded), records)) if len(rows) else []

    def _evaluation(self, rows: Iterable[Any], labels: Iterable[Any] | None, intervals: bool) -> Evaluation:
        loaded = self._ready()
        spec = loaded.task()
        named, columns = self._labelled_rows(rows, labels)
        records = records_from(spec.kind, named, spec.label_names, options=options_of(spec), columns=columns)
        return evaluate_records(run_predictor(loaded), records, 0 if intervals else None, title=None)

    def _rows(self, rows: Iterable[Any]) -> tuple[list[Row], tuple[str, ...]]:
        """Rows as mappings, and the names of their keys where these are not the task's own."""
        if isinstance(rows, str | Mapping):
            raise BadInput(
                "one example where several are expected", where="rows", value=rows, next_step="put it in a list"
            )
        kind, given = find_kind(self.task), list(rows)
        named = all(isinstance(row, Mapping) for row in given)
        found = [row if isinstance(row, Mapping) else kind.row_of(_to_python(row)) for row in given]
        return found, self.columns if named else ()

    def _labelled_rows(
        self, rows: Iterable[Any], labels: Iterable[Any] | None = None
    ) -> tuple[list[Row], tuple[str, ...]]:
        """The same, with their labels.

        Raises:
            BadInput: another number of labels than of rows.
        """
        found, columns = self._rows(rows)
        if labels is None:
            return found, columns
        kind, given = find_kind(self.task), [_to_python(label) for label in labels]
        if len(given) != len(found):
            raise BadInput(
                "the number of labels is not the number of rows", where="labels", value=f"{len(given)} and {len(found)}",
                allowed="one label for each row",
            )  # fmt: skip
        labelled: list[Row] = [
            {**row, kind.label_column_for(label): label} for row, label in zip(found, given, strict=True)
        ]
        return labelled, tuple(name for name in columns if name.partition("=")[0] not in kind.label_columns)

    def _ready(self) -> LoadedRun:
        if self._loaded is None:
            raise BadInput("this classifier has not learned anything", where="Classifier", next_step="call fit first")
        return self._loaded


def _to_python(value: Any) -> Any:
    """Numbers and arrays of NumPy as those of Python; an image stays an array."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) and value.ndim < 2 else value


def _is_pair(dev: Any) -> bool:
    """Whether it is ``(rows, labels)``."""
    return isinstance(dev, tuple) and len(dev) == 2 and not isinstance(dev[0], Mapping)
