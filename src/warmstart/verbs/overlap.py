"""``warmstart overlap``: how much of some examples stands in the text that a model was trained on."""

from collections.abc import Iterable, Iterator
from itertools import tee
from typing import Any

import numpy as np

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.base.formatting import format_count
from warmstart.config.zeroshot_requests import OverlapRequest
from warmstart.verbs.output import check_output, row_lines, write_lines
from warmstart.zeroshot.overlap import CorpusGrams, Found, Grams, read_examples, read_grams


def overlap(request: OverlapRequest) -> dict[str, Any]:
    """The overlap of examples with corpora.

    Returns:
        {"metrics", "intervals", "examples", "files", "short", "grams", "corpus_grams", "false_positive_rate"}: of "metrics"
        ``overlap`` is the share of all n-grams, ``mean`` and ``median`` are of the examples' shares, ``any`` and ``all`` are
        the shares of examples of which any or every n-gram is found; "files" has the same of each file.

    Raises:
        BadInput: no corpus or file there, or no example as long as an n-gram.
    """
    check_output(request.output)
    corpus = read_grams(request.corpus, Grams(request.n, request.unit), request.encoding)
    rows: list[dict[str, Any]] = []
    files: dict[str, Any] = {}
    every: list[Found] = []
    for path in request.data:
        found = list(_judge(corpus, examples_of(path, request.task, request.encoding), rows))
        files[path] = _metrics(found)
        every += found
    short = sum(one.grams == 0 for one in every)
    if short == len(every):
        raise BadInput(
            "no example is as long as an n-gram", where="--data", value=f"{len(every)} examples",
            allowed=f"examples of {request.n} {request.unit}", next_step="lower --n",
        )  # fmt: skip
    if short:
        say(f"{format_count(short, 'example')} shorter than {request.n} {request.unit}: left out")
    if request.output is not None:
        write_lines(request.output, row_lines(request.output, rows))
    return {
        "metrics": _metrics(every), "intervals": {}, "examples": len(every), "files": files, "short": short,
        "grams": sum(one.grams for one in every), "corpus_grams": corpus.count, "false_positive_rate": corpus.rate,
    }  # fmt: skip


def examples_of(path: str, task: str | None, encoding: str) -> Iterator[tuple[str, Iterable[str]]]:
    """Name and texts of each example: of a zero-shot task's file what the task reads of it."""
    if task is None:
        yield from read_examples(path, encoding)
    else:
        from warmstart.build.zeroshot import find_task  # with torch, which nothing else here needs
        from warmstart.zeroshot.task import Options

        yield from ((item.where, item.text) for item in find_task(task).items(path, Options(encoding)))


def _judge(
    corpus: CorpusGrams, examples: Iterable[tuple[str, Iterable[str]]], rows: list[dict[str, Any]]
) -> Iterator[Found]:
    names, texts = tee(examples)
    for (where, _), found in zip(names, corpus.overlaps(text for _, text in texts), strict=True):
        rows.append({"where": where, "overlap": round(found.share, 6), "found": found.found, "grams": found.grams})
        yield found


def _metrics(found: list[Found]) -> dict[str, float]:
    """Of the examples that have an n-gram."""
    shares = np.array([one.share for one in found if one.grams] or [0.0])
    return {
        "overlap": sum(one.found for one in found) / max(1, sum(one.grams for one in found)),
        "mean": float(shares.mean()), "median": float(np.median(shares)), "any": float((shares > 0).mean()),
        "all": float((shares == 1).mean()),
    }  # fmt: skip
