"""Shared fixtures: the real-data folder, quiet terminals, and a processor whose figures no test has to measure."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from warmstart.base.console import set_quiet
from warmstart.base.files import write_json
from warmstart.train.machine import ENOUGH, MachineSpeeds, key, onednn_error
from warmstart.train.precision import has_fast_bf16

if "OMP_NUM_THREADS" not in os.environ:
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


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    """``--quiet`` does not outlast a test, or what a file of tests prepares."""
    set_quiet(False)
    yield
    set_quiet(False)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For tests that fork: the threads of a pool do not live on in the child, which would wait for them for ever."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", autouse=True)
def known_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MachineSpeeds]:
    """The same choices in every test and every process that a test starts, whatever the machine is doing."""
    speeds = {256: 4.0, 512: 2.0, 1024: 0.5}
    figures = MachineSpeeds(
        onednn=2.0, onednn_error=onednn_error(), bf16=3.0 * has_fast_bf16(torch.device("cpu")),
        plain={"float32": speeds, "bfloat16": speeds}, turns=ENOUGH,
    )  # fmt: skip
    cache = tmp_path_factory.mktemp("cache")
    entries = {key(threads): figures.model_dump(mode="json") for threads in range(1, (os.cpu_count() or 1) + 1)}
    write_json(cache / "machine.json", entries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARMSTART_CACHE", str(cache))
        yield figures
