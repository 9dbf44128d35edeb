"""``warmstart evaluate``: how well a fine-tuned run does on a labelled file."""

from typing import Any

from warmstart.base.console import say
from warmstart.evaluation.tuned import evaluate_records
from warmstart.tasks.dataset import read_records
from warmstart.verbs.loading import load_run


def evaluate(run: str, data: str, encoding: str = "utf-8", precision: str = "fp32") -> dict[str, Any]:
    """Judges ``run`` on the labelled file ``data``: {"metrics", "intervals", "examples"}.

    Raises:
        BadInput: no such run, or anything wrong with the file.
    """
    loaded = load_run(run, precision)
    spec = loaded.task()
    records = read_records(spec.kind, data, spec.label_names, encoding)
    found = evaluate_records(loaded.model, loaded.tokenizer, spec, records)
    if found.account.cut:
        say(f"{found.account.cut:,} of {found.account.used:,} texts were cut to {spec.frame.context} tokens")
    return found.to_dict()
