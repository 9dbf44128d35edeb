"""Records of a source that may pause, such as a pipe: handed on in groups as they come.

A thread reads ahead; who answers takes what is there. So an answer waits neither for the end of the input nor for a full
chunk, and while Records come faster than they are answered the groups grow to whole chunks.
"""

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from warmstart.example.record import Record

PAUSE_S = 0.02
"""So long without a Record is a pause."""
WAIT_S = 0.2
"""At most so long the first Record of a group waits for others."""
FEW = 16
"""Records of the first group, and of each after a pause; every full group doubles the next one."""
_END = object()


class Arrivals(Iterator[Record]):
    """An iterator over ``records`` that also says which of them are there."""

    def __init__(self, records: Iterable[Record], ahead: int = 4096) -> None:
        """Begins to read; at most ``ahead`` Records wait in memory."""
        self._queue: queue.Queue[Any] = queue.Queue(ahead)
        self._size, self._ended = FEW, False
        threading.Thread(target=self._read, args=(records,), daemon=True).start()

    def _read(self, records: Iterable[Record]) -> None:
        try:
            for record in records:
                self._queue.put(record)
            self._queue.put(_END)
        except BaseException as error:  # raised again where the Records are taken
            self._queue.put(error)

    def __next__(self) -> Record:
        """The next Record, once it is there.

        Raises:
            BadInput: from the Records' source.
        """
        if self._ended:
            raise StopIteration
        return self._checked(self._queue.get())

    def _checked(self, found: Any) -> Record:
        if isinstance(found, Record):
            return found
        self._ended = True
        if found is _END:
            raise StopIteration
        raise found

    def take(self, most: int) -> list[Record]:
        """At least one Record unless there are no more, and those that come without a pause, at most ``most``."""
        group = list(islice(self, 1))
        deadline_s = time.monotonic() + WAIT_S
        size = min(self._size, most)
        while group and len(group) < size and not self._ended:
            try:
                found = self._queue.get(timeout=max(0.0, min(PAUSE_S, deadline_s - time.monotonic())))
            except queue.Empty:
                break
            if not isinstance(found, Record):
                self._queue.put(found)  # the end, or an error: it comes after the answers to these
                break
            group.append(found)
        self._size = 2 * size if len(group) == size else FEW
        return group


def next_chunk(records: Iterator[Record], size: int) -> list[Record]:
    """The next Records that are answered together: ``size`` of them, or those that have arrived."""
    return records.take(size) if isinstance(records, Arrivals) else list(islice(records, size))
