"""``warmstart score``: texts of any system against a labelled file, baselines, and a paired test between two systems."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from warmstart.base.console import say
from warmstart.base.errors import BadInput
from warmstart.config.requests import ScoreRequest
from warmstart.metrics.generation import (
    FALLBACK_METRIC,
    approximate_randomization,
    bootstrap_texts,
    check_generation_metric,
)
from warmstart.metrics.names import GENERATION_METRICS
from warmstart.metrics.postprocess import COPIES, group_references
from warmstart.readers.rows import TABLE_EXTENSIONS, Row, read_rows
from warmstart.readers.text_io import read_lines
from warmstart.tasks.dataset import read_records
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.seq2seq import Seq2Seq, count_all, installed_metrics
from warmstart.tasks.seq2seq_texts import source_text, target_text
from warmstart.verbs.output import signature_lines


def score(request: ScoreRequest) -> dict[str, Any]:
    """Texts of a system against rows with source and target.

    The texts stand in the rows' order: a text file with one per line, a table with a column ``prediction``, or a baseline:
    ``lead3`` and ``lead1`` (the first sentences of the source), ``copy`` (the source). Without names of metrics all are
    computed whose libraries are there.

    Returns:
        {"metrics", "intervals", "examples", "signatures"}; with ``against`` also "against" and "difference".

    Raises:
        BadInput: another number of texts than rows, an unknown metric or one whose library is missing, a broken file.
    """
    metrics, postprocess = request.metrics, request.postprocess
    for name in metrics:
        check_generation_metric(name, "--metrics", GENERATION_METRICS)
    read = ReadOptions(request.encoding, format=request.format, columns=request.columns)
    records = list(read_records(Seq2Seq.name, request.data, (), read))
    sources, targets = list(map(source_text, records)), list(map(target_text, records))
    references = group_references(sources, targets) if request.grouped else [[target] for target in targets]
    names = list(metrics) or installed_metrics(FALLBACK_METRIC, postprocess)

    def counted(system: str, where: str) -> dict[str, Any]:
        return count_all(names, _texts(system, sources, request.encoding, where), references, postprocess)

    ours = counted(request.predictions, "--predictions")
    result: dict[str, Any] = _with_intervals(ours) | {"examples": len(records)}
    if request.against is not None:
        theirs = counted(request.against, "--against")
        found = {name: approximate_randomization(ours[name], theirs[name], 0) for name in names}
        result["against"] = _with_intervals(theirs)
        result["difference"] = {name: {"gain": one.gain, "p_value": one.p_value} for name, one in found.items()}
    for line in signature_lines(result["signatures"]):
        say(line)
    return result


def _with_intervals(counted: dict[str, Any]) -> dict[str, Any]:
    bounds = {name: bootstrap_texts(one, 0) for name, one in counted.items()}
    return {
        "metrics": {name: one.value for name, one in counted.items()},
        "intervals": {name: [one.low, one.high] for name, one in bounds.items()},
        "signatures": {name: one.signature for name, one in counted.items()},
    }


def _texts(system: str, sources: Sequence[str], encoding: str, where: str) -> list[str]:
    """The texts of a system, one for each source."""
    if system in COPIES and not Path(system).exists():
        return [COPIES[system](source) for source in sources]
    if Path(system).suffixes[:1] and any(system.removesuffix(".gz").endswith(ending) for ending in TABLE_EXTENSIONS):
        found = [_prediction(row, where) for row in read_rows(system, encoding)]
    else:
        found = [line.removesuffix("\n") for line in read_lines(system, encoding)]
    if len(found) != len(sources):
        raise BadInput(
            "the number of texts is not the number of rows", where=f"{where} {system}",
            value=f"{len(found):,} and {len(sources):,}", allowed="equally many",
            next_step="check that they belong together",
        )  # fmt: skip
    return found


def _prediction(row: Row, where: str) -> str:
    found = row.fields.get("prediction")
    if not isinstance(found, str):
        raise BadInput(
            "no column prediction", where=f"{where} {row.where}", value=list(row.fields), allowed="a text in each row",
            next_step="name what warmstart predict wrote, or a file with one text per line",
        )  # fmt: skip
    return found
