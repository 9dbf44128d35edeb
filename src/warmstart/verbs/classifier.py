"""The scikit-learn-like face: ``Classifier(start).fit(texts, labels).predict(texts)``, or of rows with their keys."""

import contextlib
import shutil
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmstart.base.console import silence
from warmstart.base.errors import BadInput
from warmstart.base.files import temporary_folder
from warmstart.build.labelled_data import divide_rows
from warmstart.build.start import NO_START
from warmstart.config.keywords import flags_of_keywords
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.evaluation.evaluate import Evaluation, evaluate_records
from warmstart.evaluation.predict import predict_records
from warmstart.readers.problems import SkippedRows, skipped_rows
from warmstart.run.loading import load_run
from warmstart.study.trial import how_collapsed
from warmstart.tasks.answer import Prediction
from warmstart.tasks.columns import OpenLabels
from warmstart.tasks.dataset import TaskSet, records_from, task_from
from warmstart.tasks.table import answer_of, find_kind, options_of
from warmstart.verbs.arraylike import Table, indicator_columns, read_column, read_table
from warmstart.verbs.estimator import Estimator
from warmstart.verbs.finetune import finetune
from warmstart.verbs.members import run_predictor

Row = Mapping[str, Any]


class Classifier(Estimator):
    """A model for one labelled task of any kind (classes, scores, choices, tags, spans, texts), as scikit-learn has them.

    Rows are mappings with the keys of the task's files, or bare values: a text, a pair of texts, a list of words, a context
    with its choices. They come as a list, an array, a column or a table of pandas or Arrow, whose columns are the keys.

    Attributes:
        report_: what ``warmstart finetune`` says of the training.
        classes_: the labels of the training.
        n_features_in_: the number of columns; there where a table was fitted.
        feature_names_in_: their names; there where they have any.
    """

    def __init__(
        self, start: str = NO_START, task: str = "classification", *, verbose: bool = False, **options: Any
    ) -> None:
        """Nothing is read before :meth:`fit`.

        Args:
            start: a pre-trained run or model folder, or ``none``.
            task: the kind.
            verbose: whether the training says what it does, as the command does.
            options: flags of ``warmstart finetune`` without their dashes: ``lr=1e-4``, ``length="5 epochs"``;
                ``columns={"text": "review"}`` names the keys of all rows.

        Raises:
            BadInput: an option that is no such flag.
        """
        super().__init__(start, task, options, verbose)

    def fit(
        self, rows: Iterable[Any], labels: Iterable[Any] | None = None,
        dev: Iterable[Any] | tuple[Iterable[Any], Iterable[Any]] | None = None,
    ) -> "Classifier":  # fmt: skip
        """Fine-tunes on labelled examples; without ``dev`` a share (``dev_frac``) is held out.

        Args:
            rows: with their labels, or without.
            labels: one for each row, where the rows have none; of several labels lists, or a matrix or table of zeros and
                ones with a column for each label.
            dev: examples that choose the best weights: rows with their labels, or the pair ``(rows, labels)``.

        Warns:
            UserWarning: the training has collapsed: it ends with one answer for everything.

        Raises:
            BadInput: as ``warmstart finetune`` does; rows are named by their number.
        """
        recipe = self._recipe()
        table = self._read(rows)
        named, columns = self._labelled_rows(table, labels)
        skipped = skipped_rows(recipe.task.bad_rows, recipe.task.max_bad_rows)
        task, held_out = self._task(named, labels, columns, skipped), None
        counted = recipe.task.unseen_labels == "count" and task.label_names
        open_labels = OpenLabels(task.label_names) if counted else None
        if dev is not None:
            dev_rows, dev_labels = dev if _is_pair(dev) else (dev, None)
            more, columns = self._labelled_rows(self._read(dev_rows), dev_labels)
            held_out = task_from(self.task, more, open_labels or task.label_names, columns, skipped).records
        data = divide_rows(recipe.task, recipe.train.seed, task, held_out, skipped, open_labels)
        out = str(self._new_folder())
        with contextlib.nullcontext() if self.verbose else silence():
            self.report_: dict[str, Any] = finetune(recipe, out, data=data)
        if self.report_["collapsed"]:
            warnings.warn(f"a training has collapsed: {how_collapsed(self.report_)}", stacklevel=2)
        self._loaded = load_run(out)
        self._remember_columns(table)
        return self

    def _task(self, named: list[Row], labels: Any, columns: tuple[str, ...], skipped: SkippedRows | None) -> TaskSet:
        """The training rows; of an indicator matrix every column is a label, also one that holds nowhere."""
        values = indicator_columns(labels)
        names = tuple(map(str, values)) or None
        task = task_from(self.task, named, names, columns, skipped)
        return replace(task, label_values=() if all(isinstance(v, str) for v in values) else values) if values else task

    def _recipe(self) -> FinetuneRecipe:
        """The recipe that the parameters are.

        Raises:
            BadInput: a value that its field does not accept, or a file beside the rows.
        """
        flags = {"--start": str(self.start), "--task": self.task}
        recipe = compose(FinetuneRecipe, flags=flags | flags_of_keywords(FinetuneRecipe, self.options))
        files = [name for name in ("train", "dev", "test", "data") if getattr(recipe.task, name) is not None]
        if files:
            raise BadInput(
                "the rows are given to fit, so no file is read", where=f"Classifier({files[0]}=…)",
                next_step="leave it out, or call warmstart.finetune",
            )  # fmt: skip
        return recipe

    def _remember_columns(self, table: Table) -> None:
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
        if table.width is not None:
            self.n_features_in_ = table.width
        if table.names:
            self.feature_names_in_ = np.array(table.names, object)

    @staticmethod
    def load(run: str | Path, task: str | None = None) -> "Classifier":
        """A fine-tuned run, ready to predict; ``task``: which one of a run with several."""
        loaded = load_run(run).select(task)
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

    def predict(self, rows: Iterable[Any]) -> NDArray[Any] | list[list[Any]]:
        """[n] per row its label as the training data have it, its score, choice, answer or text.

        Several labels and the tags of words come as a list of lists, which may differ in length.
        """
        found = [each.score if each.label is None else each.label for each in self._predictions(rows)]
        if any(isinstance(each, list) for each in found):
            return found  # type: ignore[return-value]
        return np.array(found, self.classes_.dtype if len(self.classes_) else _plain_dtype(found))

    def predict_proba(self, rows: Iterable[Any]) -> NDArray[np.float64]:
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

    def _predictions(self, rows: Iterable[Any]) -> list[Prediction]:
        loaded = self._ready()
        spec = loaded.task()
        named, columns = self._named_rows(self._read(rows))
        records = records_from(
            spec.kind, named, spec.label_names, labelled=False, options=options_of(spec), columns=columns
        )  # fmt: skip
        return list(predict_records(run_predictor(loaded), records)) if named else []

    def _evaluation(self, rows: Iterable[Any], labels: Iterable[Any] | None, intervals: bool) -> Evaluation:
        loaded = self._ready()
        spec = loaded.task()
        named, columns = self._labelled_rows(self._read(rows), labels)
        records = records_from(spec.kind, named, spec.label_names, options=options_of(spec), columns=columns)
        return evaluate_records(run_predictor(loaded), records, 0 if intervals else None, title=None)

    def _read(self, rows: Iterable[Any]) -> Table:
        """The rows of whatever holds them.

        Raises:
            BadInput: one row alone.
        """
        if isinstance(rows, str | Mapping):
            raise BadInput(
                "one example where several are expected", where="rows", value=rows, next_step="put it in a list"
            )
        return read_table(rows)

    def _read_labels(self, labels: Iterable[Any]) -> list[Any]:
        """One label for each row; of a table with a column for each label those that hold."""
        names = indicator_columns(labels)
        if not names:
            return read_column(labels)
        rows = [row.values() if isinstance(row, Mapping) else row for row in read_table(labels).rows]
        kind = find_kind(self.task)
        return [
            kind.labels_of_columns(dict(zip(names, row, strict=True)), f"labels, row {n}")
            for n, row in enumerate(rows, 1)
        ]

    def _named_rows(self, table: Table) -> tuple[list[Row], tuple[str, ...]]:
        """Rows as mappings, and the names of their keys where these are not the task's own."""
        kind = find_kind(self.task)
        named = all(isinstance(row, Mapping) for row in table.rows)
        missing = next((n for n, row in enumerate(table.rows, 1) if row is None), None)
        if missing is not None:
            raise BadInput(
                "a row without a text", where=f"rows, row {missing}", value="a missing value", allowed="a text in every row",
                next_step="leave such rows out (dropna), or make them empty texts (fillna(''))",
            )  # fmt: skip
        found = [row if isinstance(row, Mapping) else kind.row_of(row) for row in table.rows]
        return found, self.columns if named else ()

    def _labelled_rows(self, table: Table, labels: Iterable[Any] | None) -> tuple[list[Row], tuple[str, ...]]:
        """The same, with their labels.

        Raises:
            BadInput: another number of labels than of rows.
        """
        found, columns = self._named_rows(table)
        if labels is None:
            return found, columns
        kind, given = find_kind(self.task), self._read_labels(labels)
        if len(given) != len(found):
            raise BadInput(
                "the number of labels is not the number of rows", where="labels", value=f"{len(given)} and {len(found)}",
                allowed="one label for each row",
            )  # fmt: skip
        labelled: list[Row] = [
            {**row, kind.label_column_for(label): label} for row, label in zip(found, given, strict=True)
        ]
        return labelled, tuple(name for name in columns if name.partition("=")[0] not in kind.label_columns)


def _plain_dtype(values: list[Any]) -> type | None:
    """Texts stay as they are, each as long as it is; numbers have a type of their own."""
    return object if values and isinstance(values[0], str) else None


def _is_pair(dev: Any) -> bool:
    """Whether it is ``(rows, labels)``."""
    return isinstance(dev, tuple) and len(dev) == 2 and not isinstance(dev[0], Mapping)
