"""Rows of features of texts, for regression: bags of words, and what a start that nobody has fine-tuned makes of them.

A row is of one text, or of two that are compared in the way that a bi-encoder compares them
(:func:`~warmstart.models.linear_heads.compare_texts`): how they differ and how alike they are and, where their order
matters, both as they are.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch

from warmstart.base.arrays import Floats
from warmstart.build.finetuning import build_finetuning
from warmstart.build.labelled_data import LabelledData
from warmstart.config.schema import FinetuneRecipe, ObjectiveSettings
from warmstart.config.task_recipe import TaskRecipe
from warmstart.example.record import Record
from warmstart.models.linear_heads import COSINE_SCALE, compare_texts
from warmstart.streams.stream import split_batches
from warmstart.train.precision import default_device
from warmstart.train.settings import SchemeSettings

Texts = Sequence[tuple[str, ...]]
MAX_TOKENS = 4096  # in a Batch


class Features(Protocol):
    """From texts to rows.

    Attributes:
        strength: ``C`` of the regression that suits these rows.
        most: training examples that are read at most, evenly spread: a comparison shall not take longer than the training.
    """

    strength: float
    most: int

    def fit(self, texts: Sequence[str]) -> None:
        """Learns from training texts what there is to be learned."""
        ...

    def rows(self, texts: Sequence[str]) -> Any:
        """[n, F]."""
        ...

    def compare(self, first: Any, second: Any, *, ordered: bool) -> Any:
        """[n, G] of two texts each, whose rows are [n, F]."""
        ...


def feature_rows(features: Features, texts: Texts, *, ordered: bool) -> Any:
    """[n, G] one row for each text or pair of texts; a text without a second one, among pairs, has an empty one."""
    if max(map(len, texts)) == 1:
        return features.rows([text for (text,) in texts])
    padded = [(*own, "")[:2] for own in texts]
    first, second = (features.rows([own[side] for own in padded]) for side in (0, 1))
    return features.compare(first, second, ordered=ordered)


class BagOfWords:
    """TF-IDF of words and of pairs of neighbouring words, by scikit-learn."""

    strength, most = 10.0, 100_000

    def __init__(self) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)

    def fit(self, texts: Sequence[str]) -> None:
        """Which words there are, and how rare each is."""
        self._vectorizer.fit([*texts, "no text"])  # texts without any word have a vocabulary, too

    def rows(self, texts: Sequence[str]) -> Any:
        """[n, words], sparse, of length 1."""
        return self._vectorizer.transform(texts)

    def compare(self, first: Any, second: Any, *, ordered: bool) -> Any:
        """What stands in one text only, what in both, and the cosine."""
        from scipy import sparse

        cosine = sparse.csr_matrix(np.asarray(first.multiply(second).sum(1)).reshape(-1, 1))
        own = [first, second] if ordered else []
        return sparse.hstack([*own, abs(first - second), first.minimum(second), COSINE_SCALE * cosine]).tocsr()


class FrozenStates:
    """The mean of a start's last states over a text, of length 1; the start as it is."""

    strength, most = 1.0, 10_000

    def __init__(self, recipe: FinetuneRecipe) -> None:
        self._recipe = _reading(recipe)
        self._known: dict[str, Floats] = {}

    def fit(self, texts: Sequence[str]) -> None:
        """Nothing is learned."""

    def rows(self, texts: Sequence[str]) -> Floats:
        """[n, D]; a text is read once, however often it is asked for."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        self._known |= dict(zip(new, self._read(new), strict=True)) if new else {}
        return np.stack([self._known[text] for text in texts])

    def compare(self, first: Floats, second: Floats, *, ordered: bool) -> Floats:
        """As a bi-encoder compares them."""
        sides = torch.from_numpy(first), torch.from_numpy(second)
        return compare_texts(*sides, "ordered" if ordered else "symmetric").numpy()

    def _read(self, texts: Sequence[str]) -> Floats:
        """[n, D] of different texts, those of similar length side by side."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        records = [Record({"text": texts[i]}, 0) for i in order]
        data = LabelledData(self._recipe.task.name, ("0", "1"), records, records[:1])
        built = build_finetuning(self._recipe, {"": data})
        model, _ = built.fresh(self._recipe)
        device, goal = default_device(), built.task.goal
        head: Any = model.to(device).eval().head(goal)
        found = []
        with torch.inference_mode():
            for batch in split_batches(built.task.training.items, 1, MAX_TOKENS):
                read = batch.to(device)
                found.append(head.read(model.run(read, (goal,)).reads[goal], read.goals[goal]).float().cpu())
        rows: Floats = torch.nn.functional.normalize(torch.cat(found)).numpy()
        return rows[np.argsort(order)]


def _reading(recipe: FinetuneRecipe) -> FinetuneRecipe:
    """The same start, asked for the mean of a text's states; texts are cut as in the training."""
    task = TaskRecipe(name="classification", context=recipe.task.context)
    plain = {name: field.default for name, field in ObjectiveSettings.model_fields.items()}
    head = {"head_pool": "mean", "lm_weight": 0.0, "head_init": "random", "new_head": True}
    changes = plain | head | {"transfer_layers": None, "scheme": SchemeSettings(), "task": task}
    return recipe.model_copy(update=changes)
