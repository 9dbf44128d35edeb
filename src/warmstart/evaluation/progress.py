"""The outputs of a Predictor, which shows how far it is."""

import time
from collections.abc import Iterable, Iterator, Sized

from warmstart.base.console import progress_bar
from warmstart.evaluation.predictor import Predictor, no_progress
from warmstart.example.record import Record
from warmstart.tasks.answer import RawOutput


def shown_outputs(predictor: Predictor, records: Iterable[Record], title: str | None) -> Iterator[RawOutput]:
    """As :meth:`~warmstart.evaluation.predictor.Predictor.outputs`; shows how many Records are answered.

    Args:
        predictor: the model, ready to answer.
        records: of a list it is known how many there are.
        title: of the progress; ``None``: none is shown.
    """
    if title is None:
        yield from predictor.outputs(records)
        return
    begun_s = time.monotonic()
    with progress_bar(title, len(records) if isinstance(records, Sized) else None) as bar:

        def advance(count: float) -> None:
            rate = (bar.completed + count) / max(time.monotonic() - begun_s, 1e-9)
            bar.advance(count, f"{rate:,.0f} examples/s")

        predictor.advance = advance
        try:
            yield from predictor.outputs(records)
        finally:
            predictor.advance = no_progress
