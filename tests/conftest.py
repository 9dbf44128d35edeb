"""Shared fixtures: the real-data folder, and quiet terminals."""

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # tiny models: a second thread costs more than it brings, and far more on a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``data`` or ``gpu`` skip, with the reason, where there is none."""
    no_data = pytest.mark.skip(reason="WARMSTART_DATA is not set: no real data here")
    no_gpu = pytest.mark.skip(reason="no CUDA device here")
    for item in items:
        if "data" in item.keywords and "WARMSTART_DATA" not in os.environ:
            item.add_marker(no_data)
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(no_gpu)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data; a missing file in it is a failure, not a skip."""
    return Path(os.environ["WARMSTART_DATA"])
