"""The Python interface: functions with the names of the verbs, and their flags as keywords.

``warmstart.finetune(out="runs/sst", start="runs/lm", task="classification", train="train.jsonl", lr=1e-4)`` does what
``warmstart finetune --out runs/sst --start runs/lm …`` does and returns what its ``--json`` prints.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from warmstart.base.errors import unknown_name_error
from warmstart.base.run_folder import Resume
from warmstart.base.settings import Settings
from warmstart.config.foreign_names import RUN_OPTIONS
from warmstart.config.keywords import flags_of_keywords
from warmstart.config.load import compose
from warmstart.config.requests import (
    ConvertRequest,
    EvaluateRequest,
    GenerateRequest,
    PredictRequest,
    PrepareRequest,
    SubmitRequest,
)
from warmstart.config.schema import RECIPES, FinetuneRecipe, PretrainRecipe
from warmstart.config.study import StudyRecipe
from warmstart.config.zeroshot_requests import OverlapRequest, ZeroshotRequest
from warmstart.verbs import convert as _convert
from warmstart.verbs import evaluate as _evaluate
from warmstart.verbs import explain as _explain
from warmstart.verbs import finetune as _finetune
from warmstart.verbs import generate as _generate
from warmstart.verbs import overlap as _overlap
from warmstart.verbs import predict as _predict
from warmstart.verbs import prepare as _prepare
from warmstart.verbs import pretrain as _pretrain
from warmstart.verbs import report as _report
from warmstart.verbs import study as _study
from warmstart.verbs import submit as _submit
from warmstart.verbs import zeroshot as _zeroshot
from warmstart.verbs.classifier import Classifier

__all__ = [
    "Classifier", "convert", "evaluate", "explain", "finetune", "generate", "load", "overlap", "predict", "prepare",
    "pretrain", "report", "run_study", "submit", "zero_shot",
]  # fmt: skip

S = TypeVar("S", bound=Settings)

report = _report.report


def prepare(paths: Sequence[str] | str, out: str, **flags: Any) -> dict[str, Any]:
    """Raw text to a corpus folder; with ``task`` and ``data`` the texts of a known data set too, and ``paths`` may be ()."""
    chosen = [paths] if isinstance(paths, str) else list(paths)
    given = {"TEXT": chosen} if chosen else {}
    return _prepare.prepare(
        compose(PrepareRequest, flags=given | flags_of_keywords(PrepareRequest, {"out": out, **flags}))
    )


def pretrain(
    out: str, *, recipe: str | None = None, sets: Sequence[str] = (), resume: Resume = False, **flags: Any
) -> dict[str, Any]:
    """A language model from text or a corpus."""
    return _pretrain.pretrain(_compose(PretrainRecipe, recipe, sets, flags), out, resume)


def finetune(
    out: str, *, recipe: str | None = None, sets: Sequence[str] = (), resume: Resume = False, **flags: Any
) -> dict[str, Any]:
    """A model for one task."""
    return _finetune.finetune(_compose(FinetuneRecipe, recipe, sets, flags), out, resume)


def run_study(
    design: str, out: str, *, recipe: str | None = None, sets: Sequence[str] = (), **flags: Any
) -> dict[str, Any]:
    """Trials of a design (``labels``, ``ablation``, ``layers``, ``search``, ``pretraining``), compared; it can be stopped.

    ``zeroshot`` trains nothing and judges the models of a run on its way. The verb is ``study``, here the name of a room.
    """
    given = {"DESIGN": design} | flags_of_keywords(StudyRecipe, flags, RUN_OPTIONS)
    return _study.study(compose(StudyRecipe, recipe=recipe, sets=sets, flags=given), out)


def explain(
    verb: str, *, recipe: str | None = None, sets: Sequence[str] = (), all: bool = False, **flags: Any
) -> dict[str, Any]:
    """What ``pretrain`` or ``finetune`` would do, in words, and its settings: ``all``, or those that are not defaults."""
    if verb not in RECIPES:
        raise unknown_name_error("verb to explain", verb, RECIPES)
    return _explain.explain(_compose(RECIPES[verb], recipe, sets, flags), all)


def evaluate(run: str | Sequence[str], data: str | None = None, **flags: Any) -> dict[str, Any]:
    """Metrics of a fine-tuned run, or of the mean answer of several, on labelled examples, with intervals."""
    named = {} if data is None else {"data": data}
    return _evaluate.evaluate(_request(EvaluateRequest, run=_as_tuple(run), **named, **flags))


def predict(run: str | Sequence[str], input: str, output: str, **flags: Any) -> dict[str, Any]:
    """A file of examples to a file of predictions, of one run or of the mean answer of several."""
    return _predict.predict(_request(PredictRequest, run=_as_tuple(run), input=input, output=output, **flags))


def submit(runs: str | Sequence[str], data: str, out: str, **flags: Any) -> dict[str, Any]:
    """Predictions for GLUE's test files, as the zip that its site takes."""
    given = {"RUN": _as_tuple(runs)} | flags_of_keywords(SubmitRequest, {"data": data, "out": out, **flags})
    asked = compose(SubmitRequest, flags=given)
    return _submit.submit(**asked.model_dump())


def generate(run: str | Sequence[str], prompt: str | Sequence[str], **flags: Any) -> list[dict[str, Any]]:
    """Continuations of one prompt or several, by one run or by several that choose each token together."""
    return _generate.generate(_request(GenerateRequest, run=_as_tuple(run), prompt=_as_tuple(prompt), **flags))


def zero_shot(run: str, task: str, data: str, **flags: Any) -> dict[str, Any]:
    """What a language model knows of a task without fine-tuning; ``warmstart.zeroshot`` is the room."""
    return _zeroshot.zeroshot(_request(ZeroshotRequest, run=run, task=task, data=data, **flags))


def overlap(corpus: str | Sequence[str], data: str | Sequence[str], **flags: Any) -> dict[str, Any]:
    """How much of the examples in some files stands in training text."""
    given = {"corpus": _as_tuple(corpus), "data": _as_tuple(data)}
    return _overlap.overlap(_request(OverlapRequest, **given, **flags))


def convert(source: str, out: str, to: str = "hf", **flags: Any) -> dict[str, Any]:
    """A model folder in another form."""
    given = {"SOURCE": source} | flags_of_keywords(ConvertRequest, {"out": out, "to": to, **flags})
    return _convert.convert(compose(ConvertRequest, flags=given))


def load(run: str | Path, task: str | None = None) -> Classifier:
    """A fine-tuned run, ready to predict; ``task``: which one of a run with several."""
    return Classifier.load(run, task)


def _as_tuple(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _compose(kind: type[S], recipe: str | None, sets: Sequence[str], flags: dict[str, Any]) -> S:
    return compose(kind, recipe=recipe, sets=sets, flags=flags_of_keywords(kind, flags, RUN_OPTIONS))


def _request(kind: type[S], **flags: Any) -> S:
    return compose(kind, flags=flags_of_keywords(kind, flags))
