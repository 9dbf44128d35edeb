"""What many processes take. Witnesses: the tensors of a training, counted; arithmetic."""

from pathlib import Path

import numpy as np
import pytest
import torch

from warmstart.build.dry_run import SHARE_OF_PEAK, build_meta_model, flops_per_token
from warmstart.build.scale import Load, Scale, describe_scale, memory_of_process
from warmstart.cli.main import main
from warmstart.models.attention import Kernels
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.objectives.causal import causal
from warmstart.streams.sources import ListSource
from warmstart.streams.stream import Stream
from warmstart.train.optimizer import Optimizer
from warmstart.train.precision import ComputeSettings
from warmstart.train.settings import OptimizerSettings, TrainSettings
from warmstart.train.step import Criterion, train_step
from warmstart.train.weights import Weights

SETTINGS = ModelSettings(backbone=preset("gpt1-tiny", vocab_size=64, context=16))


def stream() -> Stream:
    return Stream(ListSource([causal(np.arange(17) % 64) for _ in range(8)]), 8, 1)


def bytes_of(tensors: list[torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in {t.data_ptr(): t for t in tensors}.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_weights_of_one_process_are_what_a_training_holds(dtype: torch.dtype) -> None:
    """Witness: masters, gradient, moments and working copy after a step, each tensor once; the step counts apart."""
    model = Model.fresh(SETTINGS, 1)
    weights = Weights(model, dtype)
    optimizer = Optimizer(weights, OptimizerSettings())
    train_step(model, optimizer, stream().batches(0), Criterion({"lm": 1.0}), 1.0, 1)
    rows = [row for group in weights.groups for row in (group.master, group.work, group.grad)]
    rows += [row for row in optimizer.state().values() if row.dim()]
    parts = memory_of_process(build_meta_model(SETTINGS), Scale(1), Load(128, dtype.itemsize))
    assert parts["weights"] == bytes_of(rows)


def test_a_part_of_the_weights_in_each() -> None:
    """By hand: 20 bytes of each weight over N; the table and two layers gathered; activations with layers recomputed."""
    model = build_meta_model(SETTINGS)
    size, total = model.settings.backbone, model.num_parameters
    layer = sum(p.numel() for p in model.backbone.blocks[0].parameters())
    rest = total - 2 * layer
    parts = memory_of_process(model, Scale(4, "fsdp"), Load(100, 2, recompute=True))
    assert parts["weights"] == 20 * total / 4
    assert parts["gathered"] == 2 * (rest + 2 * layer) + 6 * max(layer, rest)
    inside = 14 * size.width + 2 * size.hidden
    assert parts["activations"] == 100 * 2 * (2 * size.width + inside)
    assert memory_of_process(model, Scale(4, "fsdp"), Load(100, 2))["activations"] == 100 * 2 * 2 * inside


def test_time_is_operations_over_devices() -> None:
    """By hand: 128 tokens a step, 500 steps, two devices of 1e-6 TFLOP/s."""
    model, compute = build_meta_model(SETTINGS), ComputeSettings(torch.float32, "highest", Kernels())
    train = TrainSettings(batch_size=8, length="500 steps")
    seconds = flops_per_token(model, 16, 1.0) * 128 * 500 / (SHARE_OF_PEAK * 2 * 1e6)
    words = " ".join(describe_scale(model, stream(), train, compute, Scale(2, "ddp", 1e-6)))
    hours, minutes = divmod(round(seconds) // 60, 60)
    assert f"2 by ddp: about {hours}h{minutes:02d}m of training" in words


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--world", "0"), "--world: got '0'; allowed: a number above 0"),
        (("--tflops", "700"), "--tflops: it says nothing without --world"),
        (("--parallel", "zero3"), "--parallel: invalid choice: 'zero3'"),
        (("--device", "tpu"), "--device: no such device on this machine; got 'tpu'; allowed: cpu"),
    ],
)
def test_bad_options_are_refused(
    tmp_path: Path, options: tuple[str, str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence and exit code 2."""
    (tmp_path / "text.txt").write_text("some words\n" * 50)
    assert main(["explain", "pretrain", "--corpus", str(tmp_path / "text.txt"), *options]) == 2
    assert sentence in capsys.readouterr().err
