"""The model card: the README.md of a run. The hub reads its head: task, metrics (``model-index``), base, language, licence.

Language, licence and base model are those of the start, as its own card gives them; nothing is guessed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import answer_of
from warmstart.transfer.hub import is_hub_id

CARD = "README.md"
LANGUAGE_MODEL, IMAGES = "text-generation", "image-feature-extraction"


@dataclass(frozen=True, slots=True)
class CardResult:
    """How good a model is on one part of some data."""

    dataset: str
    split: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card says beside what the model is.

    Attributes:
        results: by task; the only one has the empty name.
        start: a folder or the id of a model that it began from; empty where it began at random.
    """

    results: Mapping[str, CardResult] = field(default_factory=dict)
    start: str = ""


NO_FACTS = CardFacts()


def card_text(name: str, tasks: Mapping[str, TaskSpec], words: str, facts: CardFacts, *, images: bool) -> str:
    """The card of a model.

    Args:
        name: of the model.
        tasks: that it has learned; a language model none.
        words: what it is, in a sentence.
        facts: how good it is, and what it started from.
        images: whether it reads images.
    """
    tags = ["warmstart", *(dict.fromkeys(spec.kind for spec in tasks.values()) or ["language-model"])]
    plain = IMAGES if images else LANGUAGE_MODEL
    pipelines = {task: answer_of(spec).pipeline for task, spec in tasks.items()}
    head: dict[str, Any] = {"library_name": "warmstart", "pipeline_tag": next(iter(pipelines.values()), plain)}
    head |= {"tags": tags} | origin_of(facts.start)
    found = [_result(one, pipelines.get(task, plain)) for task, one in facts.results.items() if one.metrics]
    head |= {"model-index": [{"name": name, "results": found}]} if found else {}
    named = {f"Labels of {task}" if task else "Labels": spec.label_names for task, spec in tasks.items()}
    labels = [line for key, names in named.items() if names for line in (f"{key}: {', '.join(names)}.", "")]
    use = "predict --run" if tasks else "finetune --start" if images else "generate --run"
    which = f" --task {next(iter(tasks))}" if next(iter(tasks), "") else ""
    end = f"Use it with `warmstart {use} {Path(name)}{which}`; `config.yaml` here is the recipe that made it."
    top = yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip("\n")
    return "\n".join(["---", top, "---", "", f"# {name}", "", words, "", *labels, end, ""])


def origin_of(start: str) -> dict[str, Any]:
    """Base model, language and licence, as far as a start's id or its card tells them."""
    told = _head_of(Path(start) / CARD) if start else {}
    found = {key: told[key] for key in ("language", "license") if key in told}
    base = start.removeprefix("hf:") if is_hub_id(start) and not Path(start).exists() else told.get("base_model")
    return ({"base_model": base} if base else {}) | found


def _head_of(path: Path) -> dict[str, Any]:
    """What stands between the first two lines of dashes; nothing where that is no YAML."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    try:
        found = yaml.safe_load(match[1]) if match else {}
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _result(found: CardResult, pipeline: str) -> dict[str, Any]:
    """One entry of a model-index."""
    kind = re.sub(r"[^A-Za-z0-9._-]+", "-", found.dataset).strip("-") or "data"
    return {
        "task": {"type": pipeline},
        "dataset": {"name": found.dataset, "type": kind, "split": found.split},
        "metrics": [{"type": metric, "value": round(value, 6)} for metric, value in found.metrics.items()],
    }
