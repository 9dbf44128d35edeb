"""What 8 bits cost: the metric of an ONNX file in int8 beside that of the model, and how many answers are the same."""

from pathlib import Path
from typing import Any, cast

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.build.evaluation_data import evaluation_records
from warmstart.evaluation.evaluate import Evaluation, evaluate_records
from warmstart.evaluation.head_predictor import HeadPredictor
from warmstart.models.model import Model
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import answer_of
from warmstart.tasks.vocabulary import Vocabulary
from warmstart.transfer.onnx_int8 import OnnxModel

NOT_MEASURED = "8 bits: what they cost is not measured"


def measure_int8(
    model: Model, path: Path, vocabulary: Vocabulary, spec: TaskSpec | None, data: str | None
) -> dict[str, Any] | None:
    """Says what the file at ``path`` loses: {"metric", "before", "after", "same", "examples"}; ``None`` if not measured.

    Args:
        model: that the file is of, float32.
        path: of the ONNX file.
        vocabulary: of the model.
        spec: its task.
        data: labelled examples, if there are any.
    """
    if spec is None or data is None or answer_of(spec).generated:
        say(f"{NOT_MEASURED}: --data FILE of labelled examples shows it for a run with a task that generates no text")
        return None
    try:
        records = list(evaluation_records(spec, data))
        before, after = (
            evaluate_records(HeadPredictor.of(one, vocabulary, spec), records, None, title=None)
            for one in (model, cast(Model, OnnxModel(model, path)))
        )
    except BadInput as error:
        say(f"{NOT_MEASURED}: {error}")
        return None
    return _describe(before, after, data)


def _describe(before: Evaluation, after: Evaluation, data: str) -> dict[str, Any]:
    name = next(iter(before.metrics))
    same = sum(map(_equal, before.predictions, after.predictions)) / len(before.predictions)
    was, now = before.metrics[name], after.metrics[name]
    say(
        f"8 bits: {name} {now:.4f}, {was:.4f} without, on {before.examples:,} examples of {data}; "
        f"{100 * same:.1f} % of the answers are the same"
    )
    return {"metric": name, "before": was, "after": now, "same": same, "examples": before.examples}


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other) if not hasattr(one, "shape") else bool((one == other).all())
