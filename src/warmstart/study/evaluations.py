"""How a training's model does on dev and test: of each of its tasks, during the training and after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from warmstart.build.finetuning import Finetuning
from warmstart.build.generation import generation_settings
from warmstart.build.learned_task import LearnedTask
from warmstart.config.schema import FinetuneRecipe
from warmstart.decode.settings import GenerateSettings
from warmstart.evaluation.build import build_predictor
from warmstart.evaluation.evaluate import Evaluation, evaluate_records
from warmstart.evaluation.predictor import Member, Predictor
from warmstart.metrics.jackknife import mean_pseudo_values
from warmstart.metrics.metric import Array
from warmstart.models.model import Model
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.train.progress import Validation

Evaluations = Mapping[str, Evaluation]
"""Task → how the model does on it; the only task has the empty name."""


@dataclass(frozen=True, slots=True)
class FinalEvaluations:
    """The best weights on dev, and on test, of the tasks that have one."""

    dev: Evaluations
    test: Evaluations

    @property
    def specs(self) -> dict[str, TaskSpec]:
        """The tasks with the thresholds that dev has chosen."""
        return {name: found.spec for name, found in self.dev.items()}


def evaluate_final(model: Model, built: Finetuning) -> FinalEvaluations:
    """All metrics on dev, by which thresholds are chosen, and on test, where there is one."""
    dev, test = {}, {}
    for task in built.tasks:
        metrics, labels = task.answer.result_metrics(task.spec, task.metric), task.data.open_labels
        predictor = _predictor(model, built.tokenizer, task, task.search, task.spec)
        dev[task.name] = found = evaluate_records(
            predictor, task.data.dev, metrics=metrics, tune=True, title=_title("dev", task), labels=labels
        )
        if task.data.test is not None:
            predictor = _predictor(model, built.tokenizer, task, task.search, found.spec)
            test[task.name] = evaluate_records(
                predictor, task.data.test, metrics=metrics, title=_title("test", task), labels=labels
            )
    return FinalEvaluations(dev, test)


def validation_of(built: Finetuning, recipe: FinetuneRecipe) -> Validation:
    """How dev is evaluated during the training: without intervals, and greedily where texts are generated."""

    def evaluate(model: Model) -> dict[str, float]:
        for task in built.tasks:
            task.refit_head(model)
        return built.scores({task.name: _quick(model, built, task, recipe) for task in built.tasks})

    return Validation(evaluate, built.metric, built.higher_is_better)


def _quick(model: Model, built: Finetuning, task: LearnedTask, recipe: FinetuneRecipe) -> dict[str, float]:
    """The metrics of one task on dev, or on some of it."""
    search = task.search
    if task.answer.generated:
        greedy = recipe.search.without_beams(greedy=True)
        search = generation_settings(greedy, task.spec, require_text(built.tokenizer, "--task"))
    predictor = _predictor(model, built.tokenizer, task, search, task.spec)
    metrics = task.answer.quick_metrics(task.spec, task.metric)
    return evaluate_records(
        predictor, task.data.dev, None, metrics=metrics, tune=True, limit=recipe.task.decoded_dev,
        title=_title("dev", task), labels=task.data.open_labels,
    ).metrics  # fmt: skip


def _predictor(
    model: Model, vocabulary: Vocabulary, task: LearnedTask, search: GenerateSettings, spec: TaskSpec
) -> Predictor:
    return build_predictor([Member(task.view(model), vocabulary, spec)], search)


def _title(part: str, task: LearnedTask) -> str:
    return f"evaluating {part}{f' of {task.name}' if task.name else ''}"


def report_of(built: Finetuning, found: Evaluations) -> dict[str, Any]:
    """The shape of ``evaluate --json``; of several tasks their scores, and under ``tasks`` each in this shape.

    Args:
        built: what was learned.
        found: of all tasks.
    """
    if "" in found:
        return found[""].to_dict()
    return {
        "metrics": built.scores({name: one.metrics for name, one in found.items()}), "intervals": {},
        "examples": sum(one.examples for one in found.values()), "tasks": task_reports(built, found),
    }  # fmt: skip


def task_reports(built: Finetuning, found: Evaluations) -> dict[str, Any]:
    """What is reported of each of several tasks that have been evaluated."""
    metrics = {task.name: task.metric for task in built.tasks}
    return {name: {**one.to_dict(), "metric": metrics[name], "collapsed": one.collapsed} for name, one in found.items()}


def pseudo_values_of(built: Finetuning, found: FinalEvaluations) -> dict[str, Any]:
    """What groups of examples add to the score, by split, for a comparison on the same examples.

    Of several tasks ``tasks`` has by split those of each, to its own metric.
    """
    splits = {"dev": found.dev, "test": found.test}
    whole = {split: own for split, one in splits.items() if len(own := _own_values(built, one)) == len(built.tasks)}
    values: dict[str, Any] = {split: _score_values(built.metric, own).tolist() for split, own in whole.items()}
    if built.tasks[0].name:
        values["tasks"] = {
            split: {name: one.tolist() for name, one in _own_values(built, found).items()}
            for split, found in splits.items()
        }
    return values


def _own_values(built: Finetuning, found: Evaluations) -> dict[str, Array]:
    """Task → pseudo-values of its metric, where it has been evaluated and has some."""
    metrics = {task.name: task.metric for task in built.tasks}
    return {
        name: np.asarray(one.pseudo_values[metrics[name]])
        for name, one in found.items()
        if metrics[name] in one.pseudo_values
    }


def _score_values(metric: str, own: Mapping[str, Array]) -> Array:
    """Those of the score that chooses: of the only task, of the named one, or of the mean of all."""
    return own[""] if "" in own else own[metric] if metric in own else mean_pseudo_values([*own.values()])


def has_collapsed(found: Evaluations) -> bool:
    """Whether the model gives one answer for everything, in each of its tasks."""
    return all(one.collapsed for one in found.values())
