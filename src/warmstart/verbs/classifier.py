"""The scikit-learn-like face: ``Classifier(start).fit(rows, dev=rows).predict(texts)``."""

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
from warmstart.evaluation.evaluate import evaluate_records
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

    def fit(self, rows: Iterable[Row], dev: Iterable[Row] | None = None) -> "Classifier":
        """Fine-tunes on ``rows`` with the keys of the task's files; without ``dev`` a share (``dev_frac``) is held out.

        Raises:
            BadInput: as ``warmstart finetune`` does; rows are named by their number.
        """
        flags = {f"--{name.replace('_', '-')}": value for name, value in self.options.items()}
        recipe = compose(FinetuneRecipe, flags={"--start": self.start, "--task": self.task} | flags)
        task = task_from(self.task, rows, columns=self.columns)
        held_out = None if dev is None else task_from(self.task, dev, task.label_names, self.columns).records
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
    def classes_(self) -> tuple[str, ...]:
        """Label names, in the order of :meth:`predict_proba`'s columns; empty for scores, choices and spans."""
        return self._ready().task().label_names

    def predict(self, rows: Sequence[str | Sequence[str] | Row]) -> list[Any]:
        """Per row the label's name, labels' names, score or choice; the tags of its words; the answer's text.

        A row is a mapping with the task's keys, a text, or a sentence as a list of words.
        """
        return [found.score if found.label is None else found.label for found in self._predictions(rows)]

    def predict_proba(self, rows: Sequence[str | Row]) -> NDArray[np.float64]:
        """[n, C] probabilities, in the order of :attr:`classes_`.

        Raises:
            BadInput: the task has no classes.
        """
        if not answer_of(self._ready().task()).reads_text or not self.classes_:
            raise BadInput("a row has no class", where="predict_proba", value=self.task, next_step="use predict")
        found = [[each.probabilities[name] for name in self.classes_] for each in self._predictions(rows)]
        return np.array(found).reshape(-1, len(self.classes_))

    def evaluate(self, rows: Iterable[Row]) -> dict[str, Any]:
        """{"metrics", "intervals", "examples"} on labelled rows."""
        loaded = self._ready()
        spec = loaded.task()
        options = options_of(spec)
        records = records_from(spec.kind, rows, spec.label_names, options=options, columns=self.columns)
        return evaluate_records(run_predictor(loaded), records).to_dict()

    def save(self, folder: str | Path) -> None:
        """Copies the whole run (weights, tokenizer, task, recipe, report) to a new ``folder``."""
        target = Path(folder)
        if target.exists():
            raise BadInput("the folder exists", where=str(target), next_step="choose another, or remove it first")
        with temporary_folder(target) as stage:
            shutil.copytree(self._ready().folder, stage, dirs_exist_ok=True)

    def _predictions(self, rows: Sequence[str | Sequence[str] | Row]) -> list[Prediction]:
        loaded = self._ready()
        spec = loaded.task()
        if isinstance(rows, str):
            raise BadInput(
                "one text where several are expected", where="rows", value=rows, next_step="put it in a list"
            )
        kind = find_kind(spec.kind)
        columns = () if all(not isinstance(row, Mapping) for row in rows) else self.columns
        fields = (row if isinstance(row, Mapping) else kind.row_of(row) for row in rows)
        records = records_from(
            spec.kind, fields, spec.label_names, labelled=False, options=options_of(spec), columns=columns
        )  # fmt: skip
        return list(predict_records(run_predictor(loaded), records)) if len(rows) else []

    def _ready(self) -> LoadedRun:
        if self._loaded is None:
            raise BadInput("this classifier has not learned anything", where="Classifier", next_step="call fit first")
        return self._loaded
