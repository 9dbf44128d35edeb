"""A trial: one training of a recipe under some factors (seed, arm), from its start to its report in a run folder."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from warmstart.base.console import say
from warmstart.base.files import check_free_space, write_json
from warmstart.base.run_folder import PSEUDO_VALUES, RunFolder
from warmstart.build.cost import DEV, Cost, extrapolate
from warmstart.build.dry_run import build_meta_model, describe_training, estimate
from warmstart.build.finetuning import Finetuning
from warmstart.build.generation import generation_settings
from warmstart.build.side_starts import origin
from warmstart.config.load import to_yaml
from warmstart.config.schema import FinetuneRecipe
from warmstart.decode.settings import GenerateSettings
from warmstart.evaluation.build import build_predictor
from warmstart.evaluation.evaluate import Evaluation, evaluate_records
from warmstart.evaluation.predictor import Member, Predictor
from warmstart.example.record import Record
from warmstart.metrics.metric import LOWER_IS_BETTER
from warmstart.models.model import Model
from warmstart.run.metadata import RunMetadata
from warmstart.run.writing import manifest, write_model
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import answer_of, kind_of
from warmstart.tasks.vocabulary import require_text
from warmstart.text.clean import clean
from warmstart.text.coverage import count_coverage, describe_coverage
from warmstart.text.tokenizer import Tokenizer
from warmstart.train.loop import Trainer, Validation
from warmstart.train.precision import ComputeSettings, default_device
from warmstart.train.probe import fit_head, items_to_fit
from warmstart.train.schemes import close_scheme
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
    dev: Evaluation
    test: Evaluation | None
    report: dict[str, Any]


def train_trial(trial: Trial, built: Finetuning, setup: Setup, resume: bool) -> Outcome:
    """Trains from the warm start to the best weights on dev, and evaluates these.

    Args:
        trial: what is trained, and where.
        built: what the recipe names; shared by all seeds of an arm.
        setup: what all trials share.
        resume: whether to continue a training that stopped there, or ended without a report.
    """
    recipe, folder = trial.recipe, trial.folder
    model, transfer = built.fresh(recipe)
    stream, validation = built.stream(recipe.train), _validation(built, recipe)
    device = default_device()
    trainer = Trainer(model, stream, recipe.train, built.criterion, folder, validation, device, setup.compute)
    check_free_space(folder.path, trainer.bytes_to_write - folder.bytes_used)
    folder.create(to_yaml(recipe), manifest("finetune", recipe.train.seed, setup.data), setup.compute.to_dict())
    _write_account(folder, built, transfer)
    if resume:
        _resume(trainer)
    progress = trainer.run()
    trainer.load_best()
    close_scheme(model)
    model = built.texts.without_softmax(model)
    dev, test = _evaluate(_in_training_dtype(model.eval(), trainer.compute.dtype), built)
    report: dict[str, Any] = {
        "run": str(folder.path),
        "steps": progress.step, "tokens": progress.tokens, "seconds": round(progress.elapsed_s, 1),
        **dev.to_dict(),
        "split": "train" if built.data.dev_is_train else "dev",
        "metric": built.metric,
        "best_step": progress.best_step,
        "collapsed": dev.collapsed,
        "arm": trial.arm,
        "seed": recipe.train.seed,
        "lr": recipe.train.optimizer.lr,
    }  # fmt: skip
    if test is not None:
        report["test"] = test.to_dict()
    return Outcome(model, dev, test, report)


def finish_trial(trial: Trial, built: Finetuning, outcome: Outcome, **more: Any) -> dict[str, Any]:
    """Writes the run.

    Returns:
        The report: {"run", "steps", "tokens", "seconds", "metrics", "intervals", …}, with a test set also "test"; and what
        ``more`` adds to it.
    """
    folder, dev = trial.folder, outcome.dev
    _write_pseudo_values(folder, built.metric, {"dev": dev, "test": outcome.test})
    search = built.search if answer_of(built.spec).generated else None
    metadata = RunMetadata(task=dev.spec, search=search)
    write_model(folder.path, outcome.model, built.tokenizer, metadata, summary(trial.recipe, built))
    report = outcome.report | more
    folder.finish(report)
    if report["collapsed"]:
        say(f"warning: this run has collapsed: {how_collapsed(report)}")
    return report


def how_collapsed(report: Mapping[str, Any]) -> str:
    """In words, what a collapsed training has come to; its dev may be the training examples themselves."""
    return f"it does no better on {report['split']} than one answer for everything"


def _write_account(folder: RunFolder, built: Finetuning, transfer: WeightAccount | None) -> None:
    """What became of every record, and of every weight of a start."""
    account: dict[str, Any] = {"records": built.training.account.to_dict()}
    if transfer is not None:
        say(f"transfer   {transfer.sentence()}")
        account["weights"] = transfer.to_dict()
    if built.head.sentence:
        account["head"] = built.head.to_dict()
    folder.write_account(account)


def _write_pseudo_values(folder: RunFolder, metric: str, found: dict[str, Evaluation | None]) -> None:
    """What groups of examples add to the metric, by split, for a comparison on the same examples."""
    values = {
        split: one.pseudo_values[metric].tolist() for split, one in found.items() if one and metric in one.pseudo_values
    }
    write_json(folder.path / PSEUDO_VALUES, values)


def _resume(trainer: Trainer) -> None:
    if trainer.resume():
        trainer.check_best()
        say(f"resumed after step {trainer.state.step}")


def _in_training_dtype(model: Model, dtype: torch.dtype) -> Model:
    """The model in the dtype that it was trained in, to be evaluated; its float32 weights stay as they are."""
    return model if dtype == torch.float32 else copy.deepcopy(model).to(dtype)


def _predictor(model: Model, built: Finetuning, search: GenerateSettings, spec: TaskSpec) -> Predictor:
    return build_predictor([Member(model, built.tokenizer, spec)], search)


def _evaluate(model: Model, built: Finetuning) -> tuple[Evaluation, Evaluation | None]:
    """All metrics on dev, by which thresholds are chosen, and on test, where there is one."""
    metrics = answer_of(built.spec).result_metrics(built.spec, built.metric)
    predictor = _predictor(model, built, built.search, built.spec)
    labels = built.data.open_labels
    dev = evaluate_records(predictor, built.data.dev, metrics=metrics, tune=True, title="evaluating dev", labels=labels)
    if built.data.test is None:
        return dev, None
    predictor = _predictor(model, built, built.search, dev.spec)
    return dev, evaluate_records(predictor, built.data.test, metrics=metrics, title="evaluating test", labels=labels)


def _validation(built: Finetuning, recipe: FinetuneRecipe) -> Validation:
    """How dev is evaluated during the training: without intervals, and greedily where texts are generated."""
    spec, search = built.spec, built.search
    answer = answer_of(spec)
    metrics = answer.quick_metrics(spec, built.metric)
    if answer.generated:
        greedy = recipe.search.model_copy(update={"beam": 1, "best": 1, "groups": 1, "compat": "none", "greedy": True})
        search = generation_settings(greedy, spec, require_text(built.tokenizer, "--task"))

    def evaluate(model: Model) -> dict[str, float]:
        found = evaluate_records(
            _predictor(model, built, search, spec), built.data.dev, None, metrics=metrics, tune=True,
            limit=recipe.task.decoded_dev, title="evaluating dev", labels=built.data.open_labels,
        )  # fmt: skip
        return found.metrics

    return Validation(evaluate, built.metric, built.metric not in LOWER_IS_BETTER)


def trial_cost(recipe: FinetuneRecipe, built: Finetuning, compute: ComputeSettings) -> Cost:
    """What one training costs, with the evaluations during it and after it."""
    data, search = built.data, {}
    if answer_of(built.spec).generated:  # a model with random weights does not know when to end
        length = _mean_length(built)
        search = {"max_new": length, "min_new": length}
    changed = recipe.model_copy(update={"search": recipe.search.model_copy(update=search)})

    def evaluation(small: Model) -> dict[str, float]:
        def validate(records: Sequence[Record]) -> None:
            _validation(_with_dev(built, records), changed).evaluate(small)

        def evaluate_all(records: Sequence[Record]) -> None:
            final = replace(_with_dev(built, records), search=built.search.model_copy(update=search))
            _evaluate(small, final)

        final = "final decoding" if search else "final evaluation"
        decoded = recipe.task.decoded_dev if search else 0
        dev = data.dev[: decoded or None]
        found = {DEV: extrapolate(dev, validate), final: extrapolate([*data.dev, *(data.test or [])], evaluate_all)}
        if built.fits_head(recipe, small):
            items, whole = items_to_fit(built.training.items), copy.deepcopy(small).float()  # as it begins
            goal, most = answer_of(built.spec).goal, recipe.train.max_tokens
            found["fitting the head"] = extrapolate(items, lambda some: fit_head(whole, goal, some, most))
        return found

    model = build_meta_model(built.settings, recipe.scheme, recipe.train.seed)
    return estimate(
        model, built.stream(recipe.train), recipe.train, built.criterion, compute, recipe.scheme, evaluation
    )


def _with_dev(built: Finetuning, records: Sequence[Record]) -> Finetuning:
    return replace(built, data=replace(built.data, dev=list(records), test=None))


def _mean_length(built: Finetuning) -> int:
    """Tokens of a target of dev, its end included, at most as many as are generated."""
    answer, some = answer_of(built.spec), built.data.dev[:: max(1, len(built.data.dev) // 100)]
    texts = [str(answer.truth(built.spec, record, built.tokenizer)) for record in some]
    ids = require_text(built.tokenizer, "--task").encode_batch(texts)
    return max(1, min(built.search.max_new, round(sum(map(len, ids)) / len(ids)) + 1))


def describe_trial(recipe: FinetuneRecipe, built: Finetuning, cost: Cost) -> list[str]:
    """The dry run in words, with what became of the records."""
    model = build_meta_model(built.settings, recipe.scheme, recipe.train.seed)
    spec, account, data = built.spec, built.training.account, built.data
    kind = kind_of(spec)
    lines = describe_training(
        model, built.stream(recipe.train), recipe.train, built.tokenizer, built.criterion, cost, answer_of(spec),
        spec.label_names,
    )  # fmt: skip
    test = "" if data.test is None else f", {len(data.test):,} test"
    note = f"; {data.note}" if data.note else ""
    lines += _describe_vocabulary(built)
    dev = "no" if data.dev_is_train else f"{len(data.dev):,}"
    lines.append(f"records    {account.used:,} training, {dev} dev{test}{note}")
    if spec.frame.apart:
        lines.append("pairs      each text is read by itself, and their vectors are compared (bi-encoder)")
    if built.head.sentence:
        lines.append(f"head       {built.head.sentence}")
    lines += describe_inputs(recipe, built, cost)
    lines += kind.describe_training(spec, account, len(built.training.items))
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


def _describe_vocabulary(built: Finetuning) -> list[str]:
    """How much of train and dev the vocabulary knows, by up to 1,000 Records of each; nothing of images."""
    tokenizer, kind = built.tokenizer, kind_of(built.spec)
    if not isinstance(tokenizer, Tokenizer):
        return []
    found = {}
    for name, records in (("train", built.data.train), ("dev", built.data.dev)):
        some = records[:: max(1, len(records) // 1000)]
        texts = [clean(text, built.spec.frame.clean) for text in kind.training_texts(some)]
        found[name] = count_coverage(tokenizer, tokenizer.encode_batch(texts))
    return [f"vocabulary {describe_coverage(found)}"]


def data_sizes(built: Finetuning) -> dict[str, Any]:
    """How many Records each part has, for the manifest."""
    sizes = {"train": len(built.data.train), "dev": len(built.data.dev)}
    if built.data.test is not None:
        sizes["test"] = len(built.data.test)
    return {"records": sizes, "tokenizer": built.tokenizer.fingerprint, "note": built.data.note}


def summary(recipe: FinetuneRecipe, built: Finetuning) -> str:
    """The sentence of the model card."""
    return f"Fine-tuned for {built.spec.kind} from {origin(recipe)} on {len(built.data.train):,} examples."
