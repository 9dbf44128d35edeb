"""Model cards, read back by huggingface_hub for every kind of task."""

from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from warmstart.run.card import NO_FACTS, CardFacts, CardResult, card_text, origin_of
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import KINDS


@pytest.mark.parametrize("kind", [*KINDS, None])
def test_the_hub_reads_task_and_metrics_of_every_kind(kind: str | None):
    """Witness: ``ModelCard`` and its evaluation results, number for number."""
    spec = TaskSpec(kind=kind or "classification", label_names=("no", "yes"), frame=FrameSettings(context=16, lm=False))
    tasks = {} if kind is None else {"": spec}
    facts = CardFacts({"": CardResult("my reviews, v2", "test", {"accuracy": 1 / 3, "f1": 0.25})})
    data = ModelCard(card_text("run: 1", tasks, "What it is.", facts, images=False)).data
    assert data.model_name == "run: 1" and data.library_name == "warmstart"
    assert (kind or "language-model") in (data.tags or [])
    found = {one.metric_type: one for one in data.eval_results or []}
    assert {name: one.metric_value for name, one in found.items()} == {
        "accuracy": pytest.approx(1 / 3, abs=1e-6),
        "f1": 0.25,
    }
    one = found["f1"]
    assert (one.dataset_name, one.dataset_type, one.dataset_split) == ("my reviews, v2", "my-reviews-v2", "test")
    assert one.task_type == data.pipeline_tag


def test_several_tasks_have_a_result_each():
    """Witness: the same reading."""
    spec = TaskSpec(kind="entailment", label_names=("a", "b"), frame=FrameSettings(context=16, lm=False))
    facts = CardFacts(
        {name: CardResult(name, "dev", {"accuracy": value}) for name, value in (("rte", 0.5), ("mrpc", 0.75))}
    )
    data = ModelCard(card_text("both", {"rte": spec, "mrpc": spec}, "Both.", facts, images=False)).data
    assert [(one.dataset_name, one.metric_value) for one in data.eval_results or []] == [("rte", 0.5), ("mrpc", 0.75)]


def test_language_licence_and_base_are_those_of_the_start(tmp_path: Path):
    """Witness: huggingface_hub's reading of a start's card; without one nothing is claimed."""
    (tmp_path / "README.md").write_text(
        "---\nlanguage: [de, en]\nlicense: mit\nbase_model: someone/bert\n---\n# A start\n"
    )
    data = ModelCard(card_text("x", {}, "W.", CardFacts(start=str(tmp_path)), images=False)).data
    assert (data.language, data.license, data.base_model) == (["de", "en"], "mit", "someone/bert")
    assert origin_of("someone/other-model") == {"base_model": "someone/other-model"}
    assert origin_of("hf:gpt2") == {"base_model": "gpt2"}
    assert origin_of(str(tmp_path / "nowhere")) == origin_of("") == {}
    (tmp_path / "README.md").write_text("---\n: not: yaml: {\n---\n")
    assert origin_of(str(tmp_path)) == {}
    assert ModelCard(card_text("x", {}, "W.", NO_FACTS, images=True)).data.eval_results is None
