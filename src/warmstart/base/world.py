"""The processes that train one model together: which of them this is, where it computes, and how they agree.

``torchrun`` starts them and tells each by environment variables who it is (:func:`join`). Whatever a clock, a signal, a file
or a measurement decides is decided once for all of them: :meth:`World.gather` hands everybody what everybody has found.
One process is a world of its own and asks nobody.

Values travel as JSON and tensors as their numbers; nothing is pickled. A process that ends closes its connections, which the
others notice in their next exchange (:class:`PeerError`).
"""

import contextlib
import datetime
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import torch
import torch.distributed as dist

from warmstart.base.console import print_error
from warmstart.base.device import find_device
from warmstart.base.errors import WarmstartError
from warmstart.base.launch import PeerError, num_processes, rank_of_process
from warmstart.base.signal_relay import SignalRelay

Parallel = Literal["ddp", "fsdp"]
PATIENCE = datetime.timedelta(hours=1)
"""How long an exchange waits for a process that lives and does not answer: one may write a large checkpoint meanwhile."""
MEETING = datetime.timedelta(minutes=5)
"""How long a process waits at the beginning for the others to come."""


GONE = "another process of this training has ended; the newest checkpoint is kept: run the same command again with --resume."


@dataclass(frozen=True, slots=True)
class World:
    """The processes of one training, as one of them sees them.

    Attributes:
        device: where this process computes.
        rank: its number among all processes.
        size: how many there are.
        parallel: ``ddp``: each has all weights; ``fsdp``: each has a part of them.
    """

    device: torch.device
    rank: int = 0
    size: int = 1
    parallel: Parallel = "ddp"

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    @property
    def shards(self) -> bool:
        """Whether each process has a part of the weights."""
        return self.size > 1 and self.parallel == "fsdp"

    def gather(self, value: Any) -> list[Any]:
        """What each process has found, by rank: values that JSON knows. All of them call this at the same place."""
        if self.size == 1:
            return [value]
        data = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        sizes = self._all_gather(torch.tensor([len(data)]))
        row = torch.zeros(max(int(size) for size in sizes), dtype=torch.uint8)
        row[: len(data)] = data
        rows = self._all_gather(row)
        return [json.loads(bytes(each[: int(size)].tolist())) for each, size in zip(rows, sizes, strict=True)]

    def _all_gather(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        found = [torch.empty_like(tensor) for _ in range(self.size)]
        with peer_errors():
            dist.all_gather(found, tensor)
        return found

    def agree(self, value: Any) -> Any:
        """What the leading process has found."""
        return self.gather(value if self.leads else None)[0]

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """All processes leave the block at the same time, and by the same error where one of them has one.

        The first that has one says it. Inside the block nobody asks the others.
        """
        error: Exception | None = None
        try:
            yield
        except Exception as found:
            error = found
            if self.size == 1:
                raise
        own = None if error is None else getattr(error, "exit_code", 1)
        codes = self.gather(own)
        failed = [rank for rank, code in enumerate(codes) if code is not None]
        if not failed:
            return
        self.end(error or PeerError(exit_code=codes[failed[0]]), speaker=failed[0])

    def end(self, error: Exception, speaker: int = 0) -> NoReturn:
        """All processes end by an error, which one of them says before any ends: ``torchrun`` then ends all at once."""
        if self.size > 1 and isinstance(error, WarmstartError):
            if self.rank == speaker:
                print_error(f"warmstart: {error}")
            error = PeerError(exit_code=error.exit_code)
        self.gather(None)
        raise error

    def watched(self) -> contextlib.AbstractContextManager[None]:
        """Around work in which torch exchanges something by itself."""
        return contextlib.nullcontext() if self.size == 1 else peer_errors()

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        """Adds up a tensor over all processes, in place, on its device; all have the same result, to the last bit."""
        if self.size > 1:
            with peer_errors():
                dist.all_reduce(tensor)
        return tensor

    def broadcast_(self, tensor: torch.Tensor) -> torch.Tensor:
        """Makes a tensor that of the leading process, in place."""
        if self.size > 1:
            with peer_errors():
                dist.broadcast(tensor, 0)
        return tensor

    def share(self, tensors: Mapping[str, torch.Tensor] | None) -> dict[str, torch.Tensor] | None:
        """The tensors of the leading process, by name, on the CPU; ``None`` where it has none."""
        if self.size == 1:
            return None if tensors is None else dict(tensors)
        known = None if tensors is None else {n: [list(t.shape), str(t.dtype)[6:]] for n, t in tensors.items()}
        forms = self.agree(known)
        if forms is None:
            return None
        found: dict[str, torch.Tensor] = {}
        for name, (shape, dtype) in forms.items():
            own = (
                tensors[name] if tensors is not None and self.leads else torch.empty(shape, dtype=getattr(torch, dtype))
            )
            found[name] = self.broadcast_(own.contiguous())
        return found


_current: World | None = None


def current_world() -> World:
    """That of this process; one of its own where none was joined."""
    return _current or World(find_device(None))


@contextlib.contextmanager
def join(device: str | None = None, parallel: Parallel = "ddp") -> Iterator[World]:
    """While the block runs, this process computes on ``device``, together with those that ``torchrun`` has started.

    Raises:
        BadInput: no such device.
        PeerError: the others do not come.
    """
    global _current
    rank, size = rank_of_process(), num_processes()
    many = size > 1
    place = find_device(device, int(os.environ.get("LOCAL_RANK", "0")) if many else None)
    if place.type not in ("cpu", "mps"):
        torch.accelerator.set_device_index(place.index or 0)
    before, _current = _current, World(place, rank, size, parallel)
    try:
        with _meeting(place, rank, size) if many else contextlib.nullcontext():
            yield _current
    finally:
        _current = before


@contextlib.contextmanager
def _meeting(place: torch.device, rank: int, size: int) -> Iterator[None]:
    """The block in which the processes are together, and hear of each other's signals."""
    store = _find_store(rank, size)
    with SignalRelay(store) as relay:
        relay.is_meeting = True
        with peer_errors(_NO_STORE):
            backend = "gloo" if place.type == "cpu" else f"cpu:gloo,{place.type}:{_BACKENDS[place.type]}"
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
        relay.is_meeting = False
        try:
            yield
        finally:
            with contextlib.suppress(RuntimeError):  # of processes that have gone
                dist.destroy_process_group()


def _find_store(rank: int, size: int) -> Any:
    """The store of ``torchrun``, which all processes share.

    Each attempt of ``torchrun --max-restarts`` has names of its own there: the store outlives the processes, and gloo would
    connect to addresses of those that have died.
    """
    here = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" and rank == 0
    attempt = "_".join(os.environ.get(f"TORCHELASTIC_{name}", "0") for name in ("RUN_ID", "RESTART_COUNT"))
    with peer_errors(_NO_STORE):
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = dist.TCPStore(host, port, size, here, MEETING, wait_for_workers=False)  # type: ignore[attr-defined]
        return dist.PrefixStore(attempt, store)  # type: ignore[attr-defined]


_NO_STORE = "the processes of this training do not find each other: MASTER_ADDR and MASTER_PORT name no store"
_GONE = re.compile("connect|closed|reset by peer|timed out|timeout|broken pipe", re.IGNORECASE)
_BACKENDS = {"cuda": "nccl", "xpu": "xccl", "mps": "gloo"}


@contextlib.contextmanager
def peer_errors(sentence: str = GONE) -> Iterator[None]:
    """Turns what torch raises where another process has gone into a :class:`PeerError`."""
    try:
        yield
    except RuntimeError as error:  # gloo's have no class of their own
        if not _GONE.search(str(error)):
            raise
        raise PeerError(sentence) from error
