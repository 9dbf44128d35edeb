"""``warmstart evaluate``: how well a fine-tuned run does on a labelled file, or a language model on text."""

import tempfile
from pathlib import Path
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.run_folder import CONFIG
from warmstart.build.evaluation_data import evaluation_records
from warmstart.build.finetuning import MEAN
from warmstart.build.sources import SourceBuilder
from warmstart.config.load import compose
from warmstart.config.requests import EvaluateRequest
from warmstart.config.schema import CorpusRecipe, FinetuneRecipe, PretrainRecipe
from warmstart.evaluation.build import build_predictor
from warmstart.evaluation.evaluate import evaluate_records
from warmstart.evaluation.perplexity import evaluate_language_model
from warmstart.objectives.table import evaluation_objective
from warmstart.readers.problems import skipped_rows
from warmstart.run.loading import LoadedRun, load_run
from warmstart.streams.stream import Stream
from warmstart.tasks.columns import OpenLabels
from warmstart.tasks.frames import describe_account
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.table import answer_of
from warmstart.tasks.vocabulary import begins_with
from warmstart.verbs.members import members_of
from warmstart.verbs.output import signature_lines
from warmstart.verbs.pretrain import open_corpus

_TASK_OPTIONS = {
    "task", "split", "metrics", "search", "columns", "format", "bad_rows", "max_bad_rows", "unseen_labels",
    "label_map",
}  # fmt: skip
"""What is said of labelled examples only."""


def evaluate(request: EvaluateRequest) -> dict[str, Any]:
    """Evaluates a run, or several fine-tuned runs of one task whose mean answer counts.

    Returns:
        {"metrics", "intervals", "examples"}; of a language model ``examples`` are documents (or images), and "tokens" are
        those that were guessed.

    Raises:
        BadInput: no such run, runs of different tasks, anything wrong with the data, or a corpus made with another
            tokenizer.
    """
    loaded = load_run(request.run[0], request.precision)
    if tasks := loaded.metadata.tasks:
        if request.data is not None or request.task is not None:
            return _evaluate_task(loaded.select(request.task), request.model_copy(update={"task": None}), request.task)
        found = {name: _evaluate_task(loaded.select(name), request, name) for name in tasks}
        metrics = {name: next(iter(one["metrics"].values())) for name, one in found.items()}
        mean = {MEAN: sum(metrics.values()) / len(metrics)}
        count = sum(one["examples"] for one in found.values())
        return {"metrics": mean | metrics, "intervals": {}, "examples": count, "tasks": found}
    is_for_tasks = _TASK_OPTIONS & request.model_fields_set
    spec = loaded.task() if request.run[1:] or is_for_tasks else loaded.metadata.task
    if spec is None:
        return _language_model(loaded, _named_data(request), request.encoding, request.context)
    return _evaluate_task(loaded, request)


def _named_data(request: EvaluateRequest) -> str:
    if request.data is None:
        raise BadInput(
            "missing", where="--data", allowed=EvaluateRequest.model_fields["data"].description or "",
            next_step="give --data FILE",
        )  # fmt: skip
    return request.data


def _own_data(loaded: LoadedRun, request: EvaluateRequest, name: str | None) -> EvaluateRequest:
    """The request with the examples that the run itself was evaluated on, where it names none."""
    path = loaded.folder / CONFIG
    if request.data is not None or not path.is_file():
        return request.model_copy(update={"data": _named_data(request)})
    task = compose(FinetuneRecipe, recipe=str(path)).by_task()[name or ""].task
    data = task.data or task.test or task.dev
    return request.model_copy(update={"data": data if data is not None else _named_data(request)})


def _evaluate_task(loaded: LoadedRun, request: EvaluateRequest, name: str | None = None) -> dict[str, Any]:
    """Evaluates a run of one task, or several together; ``name``: of the task, where the first run has several."""
    request, more = _own_data(loaded, request, name), request.run[1:]
    spec = loaded.task()
    _require_own_context(request.context)
    loaded.check_generates(request)
    spec = spec.rename_labels(request.label_map)
    members = members_of(loaded, spec, more, request.precision, request.label_map, name)
    for name in request.metrics:
        answer_of(spec).check_metric(name, answer_of(spec).metrics(spec.label_names), "--metrics")
    labels = OpenLabels(spec.label_names) if request.unseen_labels == "count" and spec.label_names else None
    skipped = skipped_rows(request.bad_rows, request.max_bad_rows)
    read = ReadOptions(request.encoding, format=request.format, columns=request.columns, skipped=skipped)
    records = evaluation_records(spec, _named_data(request), read, request.task, request.split, labels)
    predictor = build_predictor(members, loaded.search(request.search))
    found = evaluate_records(predictor, records, metrics=request.metrics, labels=labels)
    unseen = {} if labels is None else labels.counts
    for line in (
        *([] if skipped is None else skipped.describe()),
        *([] if labels is None else labels.describe()),
        *describe_account(spec, found.account),
        *signature_lines(found.signatures or {}),
    ):
        say(line)
    return found.to_dict() | ({"unseen_labels": unseen} if unseen else {})


def _require_own_context(context: int | None) -> None:
    if context is not None:
        raise BadInput(
            "a fine-tuned run reads examples as in its training", where="--context", value=context,
            allowed="with a language model", next_step="leave it out",
        )  # fmt: skip


def _language_model(loaded: LoadedRun, data: str, encoding: str, context: int | None) -> dict[str, Any]:
    """Loss per token and perplexity on rows of the model's context, or another, cleaned as its own text was.

    Its objective says what it guesses: an autoencoder writes each document again; a bidirectional model guesses 15 % of the
    tokens, the same for every model of this vocabulary, and has an accuracy. Of images the test part is read, and the loss
    is the squared error of each next row.
    """
    model = loaded.language_model()
    if loaded.note:
        say(f"warning: {loaded.note}")
    backbone = model.settings.backbone
    if context is not None:
        if context > backbone.max_length:
            raise BadInput(
                "longer than the model can read", where="--context", value=context, allowed=f"8 to {backbone.max_length}",
                next_step="leave it out",
            )  # fmt: skip
        backbone = backbone.model_copy(update={"context": context})
    recipe = PretrainRecipe(start=str(loaded.folder), corpus=CorpusRecipe(paths=(data,), encoding=encoding))
    with tempfile.TemporaryDirectory() as scratch:
        corpus = open_corpus(recipe, Path(scratch) / "corpus", "test")
        objective = evaluation_objective(loaded.metadata.objective, backbone.sight)
        if not objective.special_tokens or not begins_with(loaded.tokenizer, corpus.tokenizer()):
            corpus.check_tokenizer(loaded.tokenizer)  # the objective may have added special tokens
        builder = SourceBuilder(objective, loaded.tokenizer, backbone, pair=loaded.metadata.pair_template)
        source = builder.evaluation(corpus)
        stream = Stream(source, 16, 0, shuffle=False)
        batches = (batch for step in range(stream.steps_per_epoch) for batch in stream.batches(step))
        found = evaluate_language_model(model, batches)
    counts = {"examples": corpus.num_documents, "tokens": found.tokens}
    return {"metrics": found.to_dict(), "intervals": {}, **counts}
