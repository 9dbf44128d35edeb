"""The trials of a study on the disk: each has a folder by what it is, so that nothing that is finished is run again.

The name of a folder is the fingerprint of all that a result depends on: the recipe with everything chosen, the records, the
start, the vocabulary, the version of this program; so studies that share a folder of trials share what they have in common.
The weights of a finished trial are removed: of a study one wants the
figures, and `config.yaml` is the recipe that makes the model again.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from warmstart.base.files import read_json
from warmstart.base.run_folder import (
    ACCOUNT,
    COLLAPSED,
    COMPUTE,
    CONFIG,
    EXAMPLES,
    MANIFEST,
    METRICS,
    PSEUDO_VALUES,
    REPORT,
    RunFolder,
)
from warmstart.build.chosen import choose_settings
from warmstart.build.finetuning import Finetuning, build_finetuning
from warmstart.build.labelled_data import LabelledData
from warmstart.config.load import to_yaml
from warmstart.config.schema import FinetuneRecipe
from warmstart.study.again import run_trial
from warmstart.study.baselines import FILE, Baseline, Baselines, fit_once
from warmstart.study.examples import read_examples
from warmstart.study.folder import StudyFolder
from warmstart.study.trial import Setup, Trial, data_sizes
from warmstart.train.precision import default_device, settings_of_run

KEPT = {ACCOUNT, COLLAPSED, COMPUTE, CONFIG, EXAMPLES, FILE, MANIFEST, METRICS, PSEUDO_VALUES, REPORT}
KEPT |= {"tensorboard", "mlflow.db", "wandb"}  # what trackers have written
"""What of a finished trial stays."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One trial as a study asks for it: its place in the table, its recipe and the data that it sees.

    Attributes:
        row: what differs in its recipe, in a few words.
        column: what differs in its data; empty where nothing does.
        recipe: with its seed.
        data: what it learns from and is tested on.
        tried: whether it only serves to choose settings by its dev, and its test is not looked at.
    """

    row: str
    column: str
    recipe: FinetuneRecipe
    data: LabelledData
    tried: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a trial came to: one figure, and what groups of examples add to it.

    Attributes:
        name: of its folder, within the study's.
        value: of the metric on the test examples.
        dev: of the metric on dev.
        pseudo_values: of the metric (:mod:`~warmstart.metrics.jackknife`); empty where it has none.
        seconds: of training.
        collapsed: whether it has learned nothing.
        right: ``1`` for each test example that it has right; empty where none is right or wrong.
        what: a baseline is, in words.
    """

    name: str
    value: float
    dev: float
    pseudo_values: list[float]
    seconds: float
    collapsed: bool = False
    right: str = ""
    what: str = ""


class TrialStore:
    """The trials of a study, each below one folder, which may hold those of other studies as well."""

    def __init__(self, path: Path, recipe: FinetuneRecipe) -> None:
        """Nothing is read yet; ``path``: the folder of trials; ``recipe`` names the start of the baselines."""
        self.path, self._baselines = path, Baselines(recipe)
        self._data: LabelledData | None = None
        self._framed: list[Finetuning] = []

    def run(self, cell: Cell) -> Result:
        """The result of a trial: that of its folder, or else it is trained, or goes on where it was stopped."""
        recipe, built = self._build(cell)
        return result_of(self.train(cell.row, recipe, built), built.metric)

    def train(self, row: str, recipe: FinetuneRecipe, built: Finetuning, *, keeps_weights: bool = False) -> RunFolder:
        """The folder of a finished trial, by what it is; ``recipe`` has nothing left open."""
        folder = StudyFolder(self.path / fingerprint(to_yaml(recipe), built))
        with folder.hold(wait=True):  # a process of a study that was killed may be saving it
            if not folder.is_finished:
                compute = settings_of_run(folder, recipe.train.precision, default_device())
                setup = Setup(compute, data_sizes(built) | {"fingerprints": built.fingerprints()})
                run_trial(Trial(row, recipe, folder), built, setup, resume=folder.is_started)
            if not keeps_weights:
                slim(folder)
        return folder

    def baselines(self, cell: Cell) -> dict[str, Result]:
        """What a person would use instead, learned from the data of a cell: from its folder, or else fitted now."""
        _, built = self._build(cell)
        folder = StudyFolder(self.path / fingerprint("baselines", built))
        found = fit_once(self._baselines, built, folder)
        return {name: _baseline_result(folder, one, built.metric) for name, one in found.items()}

    def _build(self, cell: Cell) -> tuple[FinetuneRecipe, Finetuning]:
        """The recipe with everything chosen, and what it names; trials on the same data share what they frame alike."""
        if cell.data is not self._data:
            self._data, self._framed = cell.data, []
        recipe = choose_settings(cell.recipe, {"": cell.data}).recipe
        built = build_finetuning(recipe, {"": cell.data}, framed=self._framed)
        if all(one.task.training is not built.task.training for one in self._framed):
            self._framed.append(built)
        return recipe, built


def fingerprint(recipe: str, built: Finetuning) -> str:
    """16 hex digits of all that a result depends on."""
    known = [recipe, built.fingerprints(), version("warmstart")]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def slim(folder: RunFolder) -> None:
    """Removes what a finished trial needs no more; a second time it finds nothing."""
    for path in folder.path.iterdir():
        if path.name in KEPT:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def result_of(folder: RunFolder, metric: str) -> Result:
    """What a finished training of one task came to."""
    report = read_json(folder.path / REPORT)
    values = read_json(folder.path / PSEUDO_VALUES).get("test", [])
    test = float(report["test"]["metrics"][metric])
    right = read_examples(folder).get("test", {}).get("right", "")
    return Result(
        folder.path.name, test, float(report["metrics"][metric]), values, float(report["seconds"]), report["collapsed"],
        right,
    )  # fmt: skip


def _baseline_result(folder: RunFolder, found: Baseline, metric: str) -> Result:
    value = found.metrics[metric]
    return Result(
        folder.path.name, value, value, found.pseudo_values, found.seconds, right=found.right, what=found.what
    )
