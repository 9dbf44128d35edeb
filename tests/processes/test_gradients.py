"""Several processes compute what one computes. Witness: the same step in one process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from gradients import step_gradients  # noqa: E402


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gradients of 2 and 4 processes, with all weights each and with a part each."""
    out = tmp_path_factory.mktemp("gradients")
    ran = subprocess.run([sys.executable, HERE / "gradients.py", out], capture_output=True, text=True, check=True)
    for line in ran.stdout.split("\n")[:-1]:
        assert not any(json.loads(line)["codes"]), line
    return out


@pytest.mark.parametrize("name", ["2-ddp", "4-ddp", "2-fsdp", "4-fsdp"])
def test_the_gradient_is_that_of_one_process(found: Path, name: str) -> None:
    """Seven texts of any lengths, micro-batches of 16 tokens: relative error of loss and gradient at most 1e-6.

    Those of 4-ddp and 2-fsdp compute their layers again (activation checkpointing).
    """
    expected, losses, norm = step_gradients("ddp")
    gradients = load_file(found / f"{name}.safetensors")
    with safe_open(found / f"{name}.safetensors", "pt") as file:
        about = json.loads(file.metadata()["found"])
    assert gradients.keys() == expected.keys()
    assert about["norm"] == pytest.approx(norm, rel=5e-6)  # a float32 sum of squares is no more exact than that
    assert about["losses"] == pytest.approx(losses, rel=1e-6)
    whole, other = (torch.cat([each[key].flatten() for key in sorted(expected)]) for each in (expected, gradients))
    assert float((whole - other).norm() / whole.norm()) <= 1e-6
    assert all(torch.allclose(gradients[key], value, rtol=1e-4, atol=1e-7) for key, value in expected.items())
