"""``warmstart evaluate``: how well a fine-tuned run does on a labelled file, or a language model on text."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.build.evaluation_data import evaluation_records
from warmstart.build.sources import SourceBuilder
from warmstart.config.schema import CorpusRecipe, PretrainRecipe
from warmstart.evaluation.build import build_predictor
from warmstart.evaluation.evaluate import evaluate_records
from warmstart.evaluation.perplexity import evaluate_language_model
from warmstart.objectives.table import evaluation_objective
from warmstart.run.loading import LoadedRun, load_run
from warmstart.streams.stream import Stream
from warmstart.tasks.frames import describe_account
from warmstart.tasks.table import answer_of
from warmstart.tasks.vocabulary import begins_with
from warmstart.verbs.members import members_of
from warmstart.verbs.output import signature_lines
from warmstart.verbs.pretrain import open_corpus


def evaluate(
    run: str | Sequence[str],
    data: str,
    encoding: str = "utf-8",
    precision: str = "auto",
    task: str | None = None,
    split: str | None = None,
    label_map: Sequence[str] = (),
    said: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Judges ``run`` on ``data``: {"metrics", "intervals", "examples"}.

    Args:
        run: a fine-tuned run, or a language model; or several fine-tuned runs of one task, whose mean answer is judged.
        data: a labelled file, the folder of a known data set, or a hub id; for a language model text or a corpus, and
            ``examples`` are then tokens.
        encoding: of ``data``.
        precision: of the products.
        task: the known data set, where it is not the one that the run has learned.
        split: the part of a data set; without it ``test`` where it has labels, else ``dev``.
        label_map: ``own=other`` for each of the run's labels that the data calls otherwise.
        said: of a language model ``context``, the tokens that it reads in one go, where not as many as it was trained on;
            of a run that generates ``metrics`` (without them all whose libraries are there), and ``search``, how it
            generates where not as it remembers.

    Raises:
        BadInput: no such run, runs of different tasks, anything wrong with the data, or a corpus made with another
            tokenizer.
    """
    first, *more = (run,) if isinstance(run, str) else run
    loaded = load_run(first, precision)
    asked = dict(said or {})
    context = asked.pop("context", None)
    spec = loaded.task() if task or split or more or any(asked.values()) else loaded.metadata.task
    if spec is None:
        return _language_model(loaded, data, encoding, context)
    _require_own_context(context)
    loaded.check_generates(asked)
    spec = spec.rename_labels(label_map)
    members = members_of(loaded, spec, more, precision, label_map)
    metrics = asked.get("metrics") or ()
    for name in metrics:
        answer_of(spec).check_metric(name, spec.label_names, "--metrics")
    records = evaluation_records(spec, data, encoding, task, split)
    predictor = build_predictor(members, loaded.search(asked.get("search") or {}))
    found = evaluate_records(predictor, records, metrics=metrics)
    for line in (*describe_account(spec, found.account), *signature_lines(found.signatures or {})):
        say(line)
    return found.to_dict()


def _require_own_context(context: int | None) -> None:
    if context is not None:
        raise BadInput(
            "a fine-tuned run reads each example as it has learned to", where="--context", value=context,
            allowed="with a language model", next_step="leave it out",
        )  # fmt: skip


def _language_model(loaded: LoadedRun, data: str, encoding: str, context: int | None) -> dict[str, Any]:
    """Loss per token and perplexity on rows of the model's context, or another, cleaned as its own text was.

    Its objective says what it guesses: an autoencoder writes each document again; a bidirectional model guesses 15 % of the
    tokens, the same for every model of this vocabulary, and has an accuracy. Of images the test part is read, and the loss
    is the squared error of each next row.
    """
    backbone = loaded.model.settings.backbone
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
        source = SourceBuilder(objective, loaded.tokenizer, backbone).evaluation(corpus)
        stream = Stream(source, 16, 0, shuffle=False)
        batches = (batch for step in range(stream.steps_per_epoch) for batch in stream.batches(step))
        found = evaluate_language_model(loaded.model, batches)
    return {"metrics": found.to_dict(), "intervals": {}, "examples": found.tokens}
