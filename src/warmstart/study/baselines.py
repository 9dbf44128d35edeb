"""Baselines: what a person would use instead of fine-tuning, learned from the same examples and tested on the same.

``guess`` reads no text, ``words`` is regression on a bag of words, ``frozen`` on the states of the start as it is; of texts
that are written there are copies of the source, and the target of the nearest one. They have no seed: the same examples
give the same figures. A fine-tuned model is compared with the best of them, chosen by the very examples that both are
evaluated on, which favours the baselines.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.files import read_json, write_json
from warmstart.base.run_folder import RunFolder
from warmstart.build.finetuning import Finetuning
from warmstart.build.start import NO_START
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.record import Record
from warmstart.metrics.metric import LOWER_IS_BETTER
from warmstart.metrics.names import LOSS
from warmstart.study.examples import digits
from warmstart.study.plain_forms import FORMS, PlainForm, Way
from warmstart.study.text_features import BagOfWords, Features, FrozenStates, feature_rows
from warmstart.tasks.answer import Scores
from warmstart.tasks.table import kind_of

FILE = "baselines.json"
NAMES = {
    "words": "regression on TF-IDF of words and pairs of words",
    "frozen": "regression on the states of the start as it is",
}
"""Baselines of features, in words; each form of task has others of its own."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """How well one baseline did on one split.

    Attributes:
        what: it is, in words.
        metrics: metric → value.
        intervals: metric → bounds of its 95 % interval over examples.
        seconds: that it took.
        pseudo_values: of the main metric, for a comparison on the same examples.
        right: ``1`` for each example that it has right; empty where none is right or wrong.
    """

    what: str
    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    seconds: float
    pseudo_values: list[float] = field(default_factory=list, repr=False)
    right: str = field(default="", repr=False)

    def to_dict(self) -> dict[str, Any]:
        """What stands in a report."""
        return {
            "what": self.what, "metrics": self.metrics, "intervals": self.intervals, "seconds": self.seconds
        }  # fmt: skip


class Baselines:
    """All that apply to a recipe; what the start makes of a text is kept for all trials of a study."""

    def __init__(self, recipe: FinetuneRecipe) -> None:
        """Nothing is read yet."""
        self.features: dict[str, Callable[[], Features]] = {"words": BagOfWords}
        if recipe.start != NO_START:
            frozen = FrozenStates(recipe)
            self.features["frozen"] = lambda: frozen

    def fit(self, built: Finetuning) -> dict[str, Baseline]:
        """Learns from the training Records and answers test or, where there is none, dev; empty where none applies."""
        task = built.task
        if built.metric == LOSS or not task.answer.plain_form:
            return {}
        form, found = FORMS[task.answer.plain_form], {}
        data = task.data
        tested = data.dev if data.test is None else data.test
        ways = form.ways(data.train, tested, task.spec)
        if all(form.texts(record) for record in data.train):
            ordered = kind_of(task.spec).pair != "symmetric"
            ways |= {
                way: Way(
                    NAMES[way],
                    lambda records, make=make: regress(form, make(), data.train, records, ordered=ordered),  # type: ignore[misc]
                )
                for way, make in self.features.items()
            }
        for way, (what, answer) in ways.items():
            began_at_s = time.monotonic()
            scores, right = _evaluate(built, tested, answer(tested))
            values = scores.pseudo_values[built.metric].tolist() if built.metric in scores.pseudo_values else []
            seconds = round(time.monotonic() - began_at_s, 1)
            found[way] = Baseline(what, scores.metrics, scores.intervals, seconds, values, right)
        return found


def fits_baselines(recipe: FinetuneRecipe) -> bool:
    """Whether a recipe asks for baselines: by itself, where it compares one task.

    Raises:
        BadInput: it does, of several tasks.
    """
    if not recipe.tasks:
        return recipe.control if recipe.baselines is None else recipe.baselines == "yes"
    if recipe.baselines == "yes":
        raise BadInput(
            "baselines are of one task", where="--baselines", allowed="without several tasks",
            next_step="leave it out, or fine-tune for each task by itself",
        )  # fmt: skip
    return False


def best_of(found: Mapping[str, Baseline], metric: str) -> str:
    """The name of the one that did best."""
    sign = -1 if metric in LOWER_IS_BETTER else 1
    return max(found, key=lambda name: sign * found[name].metrics[metric])


def fit_once(baselines: Baselines, built: Finetuning, folder: RunFolder) -> dict[str, Baseline]:
    """Those that the folder has, or else they are fitted now and kept there."""
    path = folder.path / FILE
    if path.is_file():
        return {name: Baseline(**one) for name, one in read_json(path).items()}
    found = baselines.fit(built)
    for name, one in found.items():
        say(f"baseline   {name}: {built.metric} {one.metrics[built.metric]:.4f}, {one.what} ({one.seconds:.1f} s)")
    if not found:
        say(f"baseline   none: plain methods have no {LOSS}")
    write_json(path, {name: asdict(one) for name, one in found.items()})
    return found


def regress(
    form: PlainForm, features: Features, train: Sequence[Record], tested: Sequence[Record], *, ordered: bool
) -> list[Any]:
    """Predictions for Records by regression on some features of their texts; ``ordered``: of two texts which is first."""
    train = train[:: -(-len(train) // features.most)]
    read, asked = ([row for one in records for row in form.texts(one)] for records in (train, tested))
    features.fit([text for row in read for text in row])
    rows = feature_rows(features, [*read, *asked], ordered=ordered)
    return form.regress(train, rows[: len(read)], tested, rows[len(read) :], features.strength)


def _evaluate(built: Finetuning, tested: Sequence[Record], predictions: list[Any]) -> tuple[Scores, str]:
    """The metrics of a result, with intervals, as those of a model are computed; and which answers are right."""
    task = built.task
    answer, spec, labels = task.answer, task.spec, task.data.open_labels
    known = spec if labels is None else spec.model_copy(update={"label_names": tuple(labels)})
    truths = [answer.truth(known, record, built.tokenizer) for record in tested]
    scores = answer.evaluate(spec, truths, predictions, 0, answer.quick_metrics(spec, built.metric))
    return scores, digits(answer.rights(truths, predictions))
