"""Frames over vectors: the same sequences as over ids, the squared error in the softmax's place. Witness: NumPy by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from warmstart.example.batch import collate
from warmstart.example.example import Example, Goal
from warmstart.example.record import Pixels, Record
from warmstart.image.processor import ImageProcessor
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import HeadSettings, ModelSettings
from warmstart.objectives.autoencoder import autoencoder
from warmstart.objectives.causal import causal
from warmstart.tasks.frames import frame_records
from warmstart.tasks.settings import FrameSettings
from warmstart.tasks.spec import TaskSpec
from warmstart.train.step import total_weights

ROWS = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
BODIES = ["lstm-tiny", "gpt1-tiny"]


def model(body: str, **changes: Any) -> Model:
    settings = preset(body, vocab_size=7, **changes).model_copy(update={"vectors": True})
    heads = {"label": HeadSettings(kind="class", size=3, dropout=0.0)}
    return Model.fresh(ModelSettings(backbone=settings, heads=heads), 1).eval()


def test_the_next_row_is_asked_for_at_every_row() -> None:
    """Witness: the rows, one after the other."""
    [example] = causal(ROWS)
    goal = example.goals["next_vector"]
    assert np.array_equal(example.ids, ROWS[:4]) and goal.reads.tolist() == [0, 1, 2, 3]
    assert all(np.array_equal(goal.targets[k], ROWS[k + 1]) for k in range(4)) and goal.weights.tolist() == [1] * 4


def test_an_image_is_read_and_then_written() -> None:
    """Witness: the rule of the released code, step by step, where the last row is the one that ends the image."""
    [example] = autoencoder(ROWS)
    goal = example.goals["next_vector"]
    assert len(example) == 9 and goal.reads.tolist() == [4, 5, 6, 7, 8] and np.array_equal(goal.targets, ROWS)
    for step in range(9):
        assert np.array_equal(example.ids[step], ROWS[step if step < 5 else step - 5])


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("frame", [causal, autoencoder])
def test_the_loss_is_the_mean_squared_error_of_each_row(body: str, frame: Any) -> None:
    """Witness: NumPy on the states and the table; one weight of a row is not 1."""
    found = model(body)
    [example] = frame(ROWS)
    weights = example.goals["next_vector"].weights.copy()
    weights[1] = 0.25
    example.goals["next_vector"] = replace(example.goals["next_vector"], weights=weights)
    batch = collate([[example]])
    loss = found(batch)["next_vector"]
    goal = example.goals["next_vector"]
    states = found.backbone(batch).detach().numpy()[goal.reads]
    guesses = states @ found.backbone.tables().softmax.weight.detach().numpy()[:7].T
    each = ((guesses - goal.targets) ** 2).sum(1) / 7
    assert float(loss.sum.detach()) == pytest.approx(float((each * goal.weights).sum()), rel=1e-5)
    assert loss.weight == goal.weights.sum()
    assert found.score_tokens(batch).losses.numpy() == pytest.approx(each, rel=1e-5)


@pytest.mark.parametrize("body", BODIES)
def test_a_vector_that_points_at_one_token_is_that_token(body: str) -> None:
    """Witness: the same model on ids; and half one, half another lies half way before the first layer."""
    found = model(body)
    ids = np.array([3, 0, 6, 6, 1])
    by_id = found.backbone(collate([[Example.left_to_right(ids, {})]]))
    by_vector = found.backbone(collate([[Example.left_to_right(np.eye(7, dtype=np.float32)[ids], {})]]))
    assert torch.allclose(by_id, by_vector, atol=1e-6)


@pytest.mark.parametrize("body", BODIES)
def test_an_image_does_not_depend_on_its_neighbours(body: str) -> None:
    """Invariant: images of any number of rows in one Batch or each alone; gradients of the split add up (law 2)."""
    found = model(body)
    examples = [causal(ROWS[:n])[0] for n in (5, 2, 4)]

    def slopes(groups: list[list[Example]]) -> list[torch.Tensor]:
        found.zero_grad()
        batches = [collate([[example] for example in group]) for group in groups]
        total = total_weights(batches, {})["next_vector"]
        for batch in batches:
            (found(batch)["next_vector"].sum / total).backward()
        return [p.grad.clone() for p in found.parameters() if p.grad is not None]

    together, apart = slopes([examples]), slopes([[example] for example in examples])
    assert len(together) == len(apart) > 3
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(together, apart, strict=True))


def test_fresh_weights_leave_rows_as_wide_as_embeddings() -> None:
    """Invariant: rows of mean 0 and spread 1 are embedded with the spread that the preset's embeddings have."""
    settings = preset("lstm-tiny", vocab_size=96).model_copy(update={"vectors": True})
    table = Model.fresh(ModelSettings(backbone=settings), 1).backbone.tokens.weight.detach().numpy()
    embedded = np.random.default_rng(1).normal(size=(500, 96)) @ table
    assert float(embedded.std()) == pytest.approx(settings.embedding_std, rel=0.15)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("settings", "goals"),
    [
        ({"lm": False}, {"label": [3]}),
        ({"lm": False, "reads": "rising"}, {"label": [0, 1, 2, 3]}),
        ({}, {"label": [3], "next_vector": [0, 1, 2]}),
        ({"lm_frame": "autoencoder"}, {"label": [3], "next_vector": [3, 4, 5, 6]}),
    ],
)
def test_a_task_of_images_has_the_goals_of_a_task_of_texts(
    settings: dict[str, Any], goals: dict[str, list[int]]
) -> None:
    """Witness: the places, counted; no token stands before or after the rows; the gain rises from 0 to 1."""
    image = np.random.default_rng(2).integers(0, 256, (4, 2, 3), np.uint8)
    spec = TaskSpec(kind="images", label_names=("cat", "ship"), frame=FrameSettings(context=16, **settings))
    processor = ImageProcessor.fit([(image, "")])
    framed = frame_records(spec, [Record({}, 1, image=Pixels.of(image))], processor)
    [examples] = framed.examples
    asked: dict[str, Goal] = {name: goal for example in examples for name, goal in example.goals.items()}
    assert {name: goal.reads.tolist() for name, goal in asked.items()} == goals
    assert np.array_equal(examples[0].ids, processor.to_rows(image)) and set(asked["label"].targets.tolist()) == {1}
    if settings.get("reads") == "rising":
        assert asked["label"].weights == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert framed.account.used == 1 and framed.account.tokens == sum(map(len, examples))
