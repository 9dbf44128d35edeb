"""A trial: one training of a recipe under some factors (seed, arm), from its start to its report in a run folder."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from warmstart.base.console import say
from warmstart.base.files import check_free_space, write_json
from warmstart.base.run_folder import EXAMPLES, PSEUDO_VALUES, Resume, RunFolder
from warmstart.base.world import current_world
from warmstart.build.cost import DEV, Cost, extrapolate
from warmstart.build.dry_run import NamedAnswer, build_meta_model, describe_training, estimate
from warmstart.build.finetuning import Finetuning
from warmstart.build.labelled_data import LabelledData
from warmstart.build.learned_task import LearnedTask
from warmstart.build.side_starts import origin
from warmstart.build.start import NO_START
from warmstart.config.load import to_yaml
from warmstart.config.schema import FinetuneRecipe
from warmstart.decode.settings import GenerateSettings
from warmstart.example.example import LM_TEXT
from warmstart.example.record import Record
from warmstart.metrics.metric import LOWER_IS_BETTER
from warmstart.models.model import Model
from warmstart.run.card import CardFacts, CardResult
from warmstart.run.metadata import RunMetadata
from warmstart.run.writing import manifest, write_model
from warmstart.study.evaluations import (
    FinalEvaluations,
    evaluate_final,
    has_collapsed,
    pseudo_values_of,
    report_of,
    task_reports,
    validation_of,
)
from warmstart.study.examples import examples_of
from warmstart.tasks.table import kind_of
from warmstart.tasks.vocabulary import Vocabulary, require_text
from warmstart.text.clean import clean
from warmstart.text.coverage import count_coverage, describe_coverage
from warmstart.text.tokenizer import Tokenizer
from warmstart.train.loop import Trainer
from warmstart.train.precision import ComputeSettings
from warmstart.train.probe import fit_head, items_to_fit
from warmstart.train.schemes import bytes_to_write, close_scheme
from warmstart.transfer.start import WeightAccount


@dataclass(frozen=True, slots=True)
class Trial:
    """One training among those of a study: its arm, its own recipe and folder."""

    arm: str
    recipe: FinetuneRecipe
    folder: RunFolder


@dataclass(frozen=True, slots=True)
class Setup:
    """What all trials of a study share: how they compute, and what their manifests say of the data."""

    compute: ComputeSettings
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a training has come to, before it is written: the best model, how it does on dev and test, the report."""

    model: Model
    found: FinalEvaluations
    report: dict[str, Any]


def train_trial(trial: Trial, built: Finetuning, setup: Setup, resume: Resume) -> Outcome:
    """Trains from the warm start to the best weights on dev, and evaluates these.

    Args:
        trial: what is trained, and where.
        built: what the recipe names; shared by all seeds of an arm.
        setup: what all trials share.
        resume: whether to continue a training that stopped there, or ended without a report.
    """
    recipe, folder = trial.recipe, trial.folder
    current_world().agree({"run": str(folder.path), "resume": resume})
    trainer = run_training(trial, built, setup, resume)
    progress, model = trainer.state, trainer.model
    trainer.load_best()
    close_scheme(model)
    model = built.texts.without_softmax(model)
    for task in built.tasks:
        task.refit_head(model)
        model = task.without_pairs(model)
    found = evaluate_final(_in_training_dtype(model.eval(), trainer.compute.dtype), built)
    report: dict[str, Any] = {
        "run": str(folder.path),
        "steps": progress.step, "tokens": progress.tokens, "seconds": round(progress.elapsed_s, 1),
        **report_of(built, found.dev),
        "split": "train" if all(task.data.dev_is_train for task in built.tasks) else "dev",
        "metric": built.metric,
        "best_step": progress.best_step,
        "collapsed": has_collapsed(found.dev),
        "arm": trial.arm,
        "seed": recipe.train.seed,
        "lr": recipe.train.optimizer.lr,
    }  # fmt: skip
    if len(found.test) == len(built.tasks):
        report["test"] = report_of(built, found.test)
    elif found.test:
        report["tests"] = task_reports(built, found.test)
    return Outcome(model, found, report | _best_of_each(folder, built))


def run_training(trial: Trial, built: Finetuning, setup: Setup, resume: Resume) -> Trainer:
    """Trains from the warm start to the end: what all processes of a training do together. Returns what has trained."""
    recipe, folder, world = trial.recipe, trial.folder, current_world()
    with world.together():
        model, transfer = built.fresh(recipe)
        stream, validation = built.stream(recipe), validation_of(built, recipe)
        check_free_space(folder.path, bytes_to_write(model, recipe.train) - folder.bytes_used)
        folder.create(to_yaml(recipe), manifest("finetune", recipe.train.seed, setup.data), setup.compute.to_dict())
        _write_account(folder, built, transfer)
    trainer = Trainer(model, stream, recipe.train, built.criterion, folder, validation, world.device, setup.compute)
    if resume:
        _resume(trainer, strict=resume == "strict")
    trainer.run()
    return trainer


def _best_of_each(folder: RunFolder, built: Finetuning) -> dict[str, Any]:
    """Of several tasks: after which step each was best on dev, and how good; none of them need be the step that is kept."""
    rows = [row for row in folder.read_metrics() if row["kind"] == "dev"]
    best: dict[str, Any] = {}
    for task in (task for task in built.tasks if task.name):
        sign = -1 if task.metric in LOWER_IS_BETTER else 1
        row = max(rows, key=lambda row: sign * row["metrics"][task.name])
        best[task.name] = {"step": row["step"], task.metric: row["metrics"][task.name]}
        say(f"{task.name} was best on dev after step {row['step']}: {task.metric} {row['metrics'][task.name]:.4f}")
    return {"best_of_each": best} if best else {}


Addition = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""What is added to the report of a run, once its answers to each example are written."""


def add_nothing(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leaves a report as it is."""
    return {}


def finish_trial(
    trial: Trial, built: Finetuning, outcome: Outcome, add: Addition = add_nothing, **more: Any
) -> dict[str, Any]:
    """Writes the run.

    Returns:
        The report: {"run", "steps", "tokens", "seconds", "metrics", "intervals", …}, with a test set also "test"; and what
        ``more`` and ``add`` add to it.
    """
    folder, found = trial.folder, outcome.found
    write_json(folder.path / PSEUDO_VALUES, pseudo_values_of(built, found))
    search = next((task.search for task in built.tasks if task.answer.generated), None)
    _write_examples(folder, built, found)
    metadata = RunMetadata(search=search).with_tasks(found.specs)
    report = outcome.report | more
    report |= add(report)
    words, facts = summary(trial.recipe, built), card_facts(trial.recipe, built, report)
    write_model(folder.path, outcome.model, built.tokenizer, metadata, words, facts=facts)
    folder.finish(report)
    if report["collapsed"]:
        say(f"warning: this run has collapsed: {how_collapsed(report)}")
    return report


def how_collapsed(report: Mapping[str, Any]) -> str:
    """In words, what a collapsed training has come to; its dev may be the training examples themselves."""
    return f"it does no better on {report['split']} than one answer for everything"


def _write_account(folder: RunFolder, built: Finetuning, transfer: WeightAccount | None) -> None:
    """What became of every record, and of every weight of a start."""
    accounts = {
        task.name: task.training.account.to_dict()
        | ({"skipped": dict(skipped)} if (skipped := task.data.skipped) else {})
        for task in built.tasks
    }
    account: dict[str, Any] = {"records": accounts.get("", accounts)}
    if transfer is not None:
        say(f"transfer   {transfer.sentence()}")
        account["weights"] = transfer.to_dict()
    heads = {task.name: task.head.to_dict() for task in built.tasks if task.head.sentence}
    if heads:
        account["head"] = heads.get("", heads)
    folder.write_account(account)


def _write_examples(folder: RunFolder, built: Finetuning, found: FinalEvaluations) -> None:
    """How each example was answered, by split; of several tasks nothing."""
    if "" not in found.dev:
        return
    data = built.task.data
    values = {"dev": examples_of(found.dev[""], data.dev)}
    if "" in found.test:
        values["test"] = examples_of(found.test[""], data.test or [])
    write_json(folder.path / EXAMPLES, values)


def _resume(trainer: Trainer, *, strict: bool) -> None:
    if trainer.resume(strict=strict):
        with current_world().together():
            trainer.check_best()
        say(f"resumed after step {trainer.state.step}")


def _in_training_dtype(model: Model, dtype: torch.dtype) -> Model:
    """The model in the dtype that it was trained in, to be evaluated; its float32 weights stay as they are."""
    return model if dtype == torch.float32 else copy.deepcopy(model).to(dtype)


def trial_cost(recipe: FinetuneRecipe, built: Finetuning, compute: ComputeSettings) -> Cost:
    """What one training costs, with the evaluations during it and after it."""
    tasks = [*zip(built.tasks, recipe.by_task().values(), strict=True)]

    def evaluation(small: Model) -> dict[str, float]:
        seconds: dict[str, float] = {}
        for task, own in tasks:
            for name, value in _task_seconds(small, replace(built, tasks=(task,)), own).items():
                seconds[name] = seconds.get(name, 0.0) + value
        return seconds

    model = build_meta_model(built.settings, recipe.scheme, recipe.train.seed)
    return estimate(model, built.stream(recipe), recipe.train, built.criterion, compute, recipe.scheme, evaluation)


def _task_seconds(small: Model, built: Finetuning, recipe: FinetuneRecipe) -> dict[str, float]:
    """Seconds of each evaluation of the only task of ``built``, and of fitting its head."""
    task, search = built.tasks[0], {}
    if task.answer.generated:  # a model with random weights does not know when to end
        length = _mean_length(built)
        search = {"max_new": length, "min_new": length}
    changed = recipe.model_copy(update={"search": recipe.search.model_copy(update=search)})

    def validate(records: Sequence[Record]) -> None:
        validation_of(_with_dev(built, records), changed).evaluate(small)

    final, data, test = "final decoding" if search else "final evaluation", task.data, task.data.test or []

    def evaluate_all(numbers: Sequence[int]) -> None:
        count = len(data.dev)
        records = [data.dev[n] if n < count else test[n - count] for n in numbers]
        evaluate_final(small, _with_dev(built, records, task.search.model_copy(update=search)))

    dev = data.dev[: (recipe.task.decoded_dev if search else 0) or None]
    found = {DEV: extrapolate(dev, validate), final: extrapolate(range(len(data.dev) + len(test)), evaluate_all)}
    if task.fits_head(recipe, small):
        items, whole = items_to_fit(task.training.items), copy.deepcopy(task.view(small)).float()  # as it begins
        goal, most = task.answer.goal, recipe.train.max_tokens
        found["fitting the head"] = extrapolate(items, lambda some: fit_head(whole, goal, some, most))
    return found


def _with_dev(built: Finetuning, records: Sequence[Record], search: GenerateSettings | None = None) -> Finetuning:
    """The same with other Records for dev and none for test, and perhaps another search."""
    task = built.tasks[0]
    data = replace(task.data, dev=list(records), test=None)
    return replace(built, tasks=(replace(task, data=data, search=search or task.search),))


def _mean_length(built: Finetuning) -> int:
    """Tokens of a target of dev, its end included, at most as many as are generated."""
    task = built.tasks[0]
    some = task.data.dev[:: max(1, len(task.data.dev) // 100)]
    texts = [str(task.answer.truth(task.spec, record, built.tokenizer)) for record in some]
    ids = require_text(built.tokenizer, "--task").encode_batch(texts)
    return max(1, min(task.search.max_new, round(sum(map(len, ids)) / len(ids)) + 1))


def describe_trial(recipe: FinetuneRecipe, built: Finetuning, cost: Cost) -> list[str]:
    """The dry run in words, with what became of the records."""
    model, stream = build_meta_model(built.settings, recipe.scheme, recipe.train.seed), built.stream(recipe)
    answers = [NamedAnswer(task.answer, task.spec.label_names, task.name) for task in built.tasks]
    answers += [] if built.raw_text is None else [NamedAnswer(None, task=LM_TEXT)]
    lines = describe_training(model, stream, built.tokenizer, built.criterion, cost, answers)
    if len(answers) > 1:
        parts = [
            f"{name} {share:.1%} of {part.batch_size}"
            for name, (share, part) in zip(built.stream_names, stream.parts, strict=True)
        ]
        lines.append(f"mixture    {', '.join(parts)} a step; dev is evaluated by {built.metric}")
    lines += describe_inputs(recipe, built, cost)
    for task in built.tasks:
        own = _describe_task(task, built.tokenizer)
        lines += [f"{task.name}: {line}" for line in own] if task.name else own
    return lines


def _describe_task(task: LearnedTask, tokenizer: Vocabulary) -> list[str]:
    spec, account, data = task.spec, task.training.account, task.data
    kind = kind_of(spec)
    test = "" if data.test is None else f", {len(data.test):,} test"
    note = f"; {data.note}" if data.note else ""
    lines = _describe_vocabulary(task, tokenizer)
    dev = "no" if data.dev_is_train else f"{len(data.dev):,}"
    lines.append(f"records    {account.used:,} training, {dev} dev{test}{note}")
    if spec.frame.apart:
        lines.append("pairs      each text is read by itself, and their vectors are compared (bi-encoder)")
    if task.head.sentence:
        lines.append(f"head       {task.head.sentence}")
    lines += kind.describe_training(spec, account, len(task.training.items))
    return lines + [f"unread     {line}" for line in kind.describe_unread(spec, account)]


def describe_inputs(recipe: FinetuneRecipe, built: Finetuning, cost: Cost) -> list[str]:
    """What it costs to read the states of language models, beside the same model with embeddings of its own."""
    if not built.settings.inputs:
        return []
    plain = replace(built, settings=built.settings.model_copy(update={"inputs": {}}))
    without = trial_cost(recipe, plain, cost.compute)
    counts = [build_meta_model(one.settings).num_parameters for one in (built, plain)]
    shares = [f"{counts[0] - counts[1]:+,} parameters ({counts[0] / counts[1] - 1:+.0%})"]
    for name, spent in cost.seconds.items():
        if (before := without.seconds.get(name, 0.0)) > 0 and spent > 0:
            shares.append(f"{name} {before / spent - 1:+.0%} tokens/s")
    kinds = ", ".join(f"{stack} ({one.kind}, {one.backbone.shape})" for stack, one in built.settings.inputs.items())
    return [f"inputs     states of a language model: {kinds}; against embeddings: {', '.join(shares)}"]


def _describe_vocabulary(task: LearnedTask, tokenizer: Vocabulary) -> list[str]:
    """How much of train and dev the vocabulary knows, by up to 1,000 Records of each; nothing of images."""
    kind = kind_of(task.spec)
    if not isinstance(tokenizer, Tokenizer):
        return []
    found = {}
    for name, records in (("train", task.data.train), ("dev", task.data.dev)):
        some = records[:: max(1, len(records) // 1000)]
        texts = [clean(text, task.spec.frame.clean) for text in kind.training_texts(some)]
        found[name] = count_coverage(tokenizer, tokenizer.encode_batch(texts))
    return [f"vocabulary {describe_coverage(found)}"]


def data_sizes(built: Finetuning) -> dict[str, Any]:
    """How many Records each part has, for the manifest."""
    sizes = {name: _sizes(data) for name, data in built.data.items()}
    notes = {name: data.note for name, data in built.data.items()}
    records, note = (sizes[""], notes[""]) if "" in sizes else (sizes, notes)
    return {"records": records, "tokenizer": built.tokenizer.fingerprint, "note": note}


def _sizes(data: LabelledData) -> dict[str, int]:
    sizes = {"train": len(data.train), "dev": len(data.dev)}
    return sizes | ({} if data.test is None else {"test": len(data.test)})


def summary(recipe: FinetuneRecipe, built: Finetuning) -> str:
    """The sentence of the model card."""
    learned = ", ".join(task.name or task.spec.kind for task in built.tasks)
    count = sum(len(task.data.train) for task in built.tasks)
    return f"Fine-tuned for {learned} from {origin(recipe)} on {count:,} examples."


def card_facts(recipe: FinetuneRecipe, built: Finetuning, report: Mapping[str, Any]) -> CardFacts:
    """What the model card says of how good it is: on test, else on dev; nothing of examples that it has learned from."""
    split = "test" if "test" in report or "tests" in report else str(report.get("split", "dev"))
    found = report.get("test", {"tasks": report["tests"]} if "tests" in report else report)
    each = found.get("tasks", {"": found})
    own = recipe.by_task()
    results = {
        task.name: CardResult(_dataset(own[task.name], task, split), split, each[task.name]["metrics"])
        for task in built.tasks
        if task.name in each and split != "train"
    }
    return CardFacts(results, "" if recipe.start == NO_START else recipe.start)


def _dataset(recipe: FinetuneRecipe, task: LearnedTask, split: str) -> str:
    """What the data are called: the known data set, its place on the hub, or the file."""
    files = {"test": recipe.task.test, "dev": recipe.task.dev or recipe.task.train}
    return task.data.name or recipe.task.data or Path(files.get(split) or "data").stem
