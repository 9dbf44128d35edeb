"""``warmstart finetune``: a model for one task, from pre-trained weights, over several seeds, beside its own control.

One training leaves one run folder. With several seeds, or a control from random weights, each training has a folder of its
own inside ``out``, and ``out`` itself holds the model that did best on dev, the table and the comparison.
"""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from warmstart.base.console import say
from warmstart.base.files import check_free_space, read_json
from warmstart.base.run_folder import REPORT, RunFolder
from warmstart.build.dry_run import in_words
from warmstart.build.finetuning import Finetuning, build_finetuning
from warmstart.build.labelled_data import Labelled
from warmstart.build.seq2seq import search_of
from warmstart.build.start import NO_START
from warmstart.config.load import resolved
from warmstart.config.schema import FinetuneRecipe
from warmstart.decode.settings import GenerateSettings
from warmstart.evaluation.generated import Generator, TextEvaluation, evaluate_generated, shown_metrics
from warmstart.evaluation.tuned import Evaluation, evaluate_records
from warmstart.example.record import Record
from warmstart.metrics.comparison import compare, mean_std
from warmstart.metrics.metric import LOWER_IS_BETTER
from warmstart.metrics.postprocess import POSTPROCESSORS
from warmstart.models.model import Model
from warmstart.run.metadata import RunMetadata, read_metadata
from warmstart.run.writing import manifest, write_model
from warmstart.train.loop import Trainer, Validation
from warmstart.train.precision import default_device
from warmstart.train.schemes import close_scheme
from warmstart.train.settings import SchemeSettings
from warmstart.transfer.folder import load_model
from warmstart.verbs.accounts import cut_in_words, unread_in_words

PRETRAINED, SCRATCH = "pretrained", "scratch"


@dataclass(frozen=True, slots=True)
class Training:
    """One training among those that a recipe asks for: which arm, and its own recipe and folder."""

    arm: str
    recipe: FinetuneRecipe
    folder: RunFolder


def finetune(recipe: FinetuneRecipe, out: str, resume: bool = False, data: Labelled | None = None) -> dict[str, Any]:
    """Fine-tunes, evaluates on dev (and test, where there is one), and leaves everything in ``out``.

    Args:
        recipe: start, task and training.
        out: the run folder.
        resume: whether to continue a run that stopped there.
        data: records in memory instead of the recipe's files.

    Returns:
        {"run", "steps", "tokens", "seconds", "metrics", "intervals"} of the chosen model; with several trainings also
        "runs", and per arm {"mean", "std", "values"}; with a control also "comparison".

    Raises:
        BadInput: anything wrong with recipe, start, files or folder; nothing is written then.
    """
    root = RunFolder(out)
    config = resolved(recipe)
    root.check_free(resume=resume, config=config)
    trainings = list_trainings(recipe, root)
    built = {arm: build_finetuning(first, data) for arm, first in _first_of_each_arm(trainings).items()}
    for line in words(trainings[0].recipe, built[trainings[0].arm]):
        say(line)
    if len(trainings) == 1:
        return train_one(trainings[0], built[trainings[0].arm], resume)
    main = built[trainings[0].arm]
    root.create(config, manifest("finetune", recipe.train.seed, _sizes(main)))
    reports = []
    for number, training in enumerate(trainings, start=1):
        say(f"training {number} of {len(trainings)}: {training.arm}, seed {training.recipe.train.seed}")
        if training.folder.is_finished:
            reports.append(read_json(training.folder.path / REPORT))
            continue
        reports.append(train_one(training, built[training.arm], resume and training.folder.is_started))
    report = summary(out, trainings, reports, main.metric)
    best = Path(report["best"])
    write_model(root.path, load_model(best), main.tokenizer, read_metadata(best), _summary(recipe, main))
    root.finish(report)
    return report


def list_trainings(recipe: FinetuneRecipe, root: RunFolder) -> list[Training]:
    """All trainings that ``recipe`` asks for, seed by seed, the control beside each."""
    arm = SCRATCH if recipe.start == NO_START else PRETRAINED
    arms = {arm: recipe}
    if recipe.control and arm == PRETRAINED:
        model = recipe.model.model_copy(update={"preset": recipe.start})
        changes = {"start": NO_START, "tokenizer": recipe.start, "model": model, "transfer_layers": None}
        changes["scheme"] = SchemeSettings()  # random weights that stand still would be no control
        arms[SCRATCH] = recipe.model_copy(update=changes)
    if len(arms) * recipe.seeds == 1:
        return [Training(arm, recipe, root)]
    trainings = []
    for number in range(recipe.seeds):
        seed = recipe.train.seed + number
        for name, asked in arms.items():
            train = asked.train.model_copy(update={"seed": seed})
            one = asked.model_copy(update={"seeds": 1, "control": False, "train": train})
            trainings.append(Training(name, one, RunFolder(root.path / f"{name}-seed{seed}")))
    return trainings


def _first_of_each_arm(trainings: list[Training]) -> dict[str, FinetuneRecipe]:
    return {training.arm: training.recipe for training in reversed(trainings)}


def train_one(training: Training, built: Finetuning, resume: bool) -> dict[str, Any]:
    """One training from its warm start to its report."""
    recipe, folder = training.recipe, training.folder
    model, moved = built.fresh(recipe)
    trainer = Trainer(
        model,
        built.stream(recipe.train),
        recipe.train,
        built.coefficients,
        folder,
        _validation(built, recipe),
        default_device(),
    )
    check_free_space(folder.path, trainer.bytes_to_write)
    folder.create(resolved(recipe), manifest("finetune", recipe.train.seed, _sizes(built)))
    account: dict[str, Any] = {"records": built.account.to_dict()}
    if moved is not None:
        say(f"transfer   {moved.sentence()}")
        account["weights"] = moved.to_dict()
    folder.write_account(account)
    if resume and trainer.resume():
        say(f"resumed after step {trainer.state.step}")
    progress = trainer.run()
    trainer.take_best()
    close_scheme(model)
    judged = _as_trained(model.eval(), trainer.choices.dtype)
    generates = built.spec.kind == "seq2seq"
    search = search_of(recipe.search, built.spec, built.text) if generates else recipe.search
    dev = judge(judged, built, search, built.data.dev, tune=True)
    report: dict[str, Any] = {
        "run": str(folder.path),
        "steps": progress.step,
        "tokens": progress.tokens,
        "seconds": round(progress.elapsed_s, 1),
        **dev.to_dict(),
        "metric": built.metric,
        "best_step": progress.best_step,
        "collapsed": dev.collapsed,
        "arm": training.arm,
        "seed": recipe.train.seed,
    }
    if built.data.test is not None:
        report["test"] = judge(judged, replace(built, spec=dev.spec), search, built.data.test).to_dict()
    metadata = RunMetadata(task=dev.spec, search=search if generates else None)
    write_model(folder.path, model, built.tokenizer, metadata, _summary(recipe, built))
    folder.finish(report)
    if dev.collapsed:
        say("warning: this run has collapsed: it does no better on dev than one answer for everything")
    return report


def _as_trained(model: Model, dtype: torch.dtype) -> Model:
    """The model in the dtype that it was trained in, to be judged; its float32 weights stay as they are."""
    return model if dtype == torch.float32 else copy.deepcopy(model).to(dtype)


def summary(out: str, trainings: list[Training], reports: list[dict[str, Any]], metric: str) -> dict[str, Any]:
    """The report of several trainings: per arm mean, spread and values, the comparison, and the best by dev."""
    split = "test" if all("test" in report for report in reports) else "dev"

    def value(report: dict[str, Any], where: str) -> float:
        return float((report["test"] if where == "test" else report)["metrics"][metric])

    arms: dict[str, list[float]] = {}
    for training, report in zip(trainings, reports, strict=True):
        arms.setdefault(training.arm, []).append(value(report, split))
    own = [report for training, report in zip(trainings, reports, strict=True) if training.arm == trainings[0].arm]
    choose = min if metric in LOWER_IS_BETTER else max
    best = choose(own, key=lambda report: value(report, "dev"))
    result: dict[str, Any] = {key: best[key] for key in ("steps", "tokens", "seconds", "metrics", "intervals")}
    result |= {"run": out, "best": best["run"], "metric": metric, "split": split}
    for arm, values in arms.items():
        arm_values = mean_std(values)
        result[arm] = {"mean": arm_values.mean, "std": arm_values.std, "values": values}
    result["runs"] = reports
    result["collapsed"] = [report["run"] for report in reports if report["collapsed"]]
    if SCRATCH in arms and PRETRAINED in arms:
        found = compare(arms[PRETRAINED], arms[SCRATCH], metric)
        interval = None if min(map(len, arms.values())) < 2 else [found.low, found.high]
        result["comparison"] = {
            "gain": found.gain,
            "interval": interval,
            "significant": found.significant,
            "sentence": found.sentence(),
        }
    return result


def words(recipe: FinetuneRecipe, built: Finetuning) -> list[str]:
    """The dry run in words, with what became of the records."""
    model, _ = built.fresh(recipe)
    lines = in_words(
        model, built.stream(recipe.train), recipe.train, default_device(), built.tokenizer, built.coefficients,
        built.spec.label_names,
    )  # fmt: skip
    account, data = built.account, built.data
    test = "" if data.test is None else f", {len(data.test):,} test"
    lines.append(
        f"records    {account.used:,} training, {len(data.dev):,} dev{test}" + (f"; {data.note}" * bool(data.note))
    )
    if account.cut and built.spec.kind == "seq2seq":
        lines.append(f"cut        {'; '.join(cut_in_words(built.spec, account))}")
    elif account.cut:
        share = account.cut / account.used
        what, limit = ("questions", "half of ") if built.spec.kind == "span" else ("texts", "")
        lines.append(
            f"cut        {account.cut:,} training {what} ({share:.1%}) are longer than {limit}{built.spec.frame.context} "
            f"tokens and lose {account.tokens_cut:,} tokens in all (--long-text refuse would stop instead)"
        )
    if built.spec.kind == "span":
        count = sum(map(len, built.examples))
        lines.append(
            f"windows    {account.used:,} questions are read in {count:,} windows, at most "
            f"{recipe.task.stride} tokens apart"
        )
    return lines + [f"unread     {line}" for line in unread_in_words(built.spec, account)]


def judge(
    model: Model, built: Finetuning, search: GenerateSettings, records: list[Record], *, tune: bool = False
) -> Evaluation | TextEvaluation:
    """All metrics on dev or test, with their intervals."""
    if built.spec.kind != "seq2seq":
        return evaluate_records(model, built.tokenizer, built.spec, records, tune=tune)
    generator = Generator(model, built.text, built.spec, search)
    rules = built.spec.seq2seq.cleanup
    return evaluate_generated(generator, records, shown_metrics(built.metric, rules), cleanup=POSTPROCESSORS[rules])


def _validation(built: Finetuning, recipe: FinetuneRecipe) -> Validation:
    dev, few = built.data.dev, recipe.task.decoded_dev

    def evaluate(model: Model) -> dict[str, float]:
        if built.spec.kind != "seq2seq":
            return evaluate_records(model, built.tokenizer, built.spec, dev, intervals=False, tune=True).metrics
        quick = recipe.search.model_copy(update={"beam": 1, "best": 1, "groups": 1, "compat": "none", "greedy": True})
        generator = Generator(model, built.text, built.spec, search_of(quick, built.spec, built.text))
        cleanup = POSTPROCESSORS[built.spec.seq2seq.cleanup]
        found = evaluate_generated(generator, dev, [built.metric], cleanup=cleanup, intervals=False, decoded=few)
        return found.metrics

    return Validation(evaluate, built.metric, built.metric not in LOWER_IS_BETTER)


def _sizes(built: Finetuning) -> dict[str, Any]:
    sizes = {"train": len(built.data.train), "dev": len(built.data.dev)}
    if built.data.test is not None:
        sizes["test"] = len(built.data.test)
    return {"records": sizes, "tokenizer": built.tokenizer.fingerprint, "note": built.data.note}


def _summary(recipe: FinetuneRecipe, built: Finetuning) -> str:
    origin = "random weights" if recipe.start == NO_START else f"`{recipe.start}`"
    return f"Fine-tuned for {built.spec.kind} from {origin} on {len(built.data.train):,} examples."
