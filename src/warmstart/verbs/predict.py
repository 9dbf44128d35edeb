"""``warmstart predict``: a file of examples in, the same rows with label, score and probabilities out, as a stream."""

import tempfile
from collections.abc import Iterable
from typing import Any

from warmstart.base.console import results_on_terminal, say
from warmstart.base.errors import BadInput
from warmstart.build.evaluation_data import prediction_records
from warmstart.config.requests import PredictRequest
from warmstart.decode.lattice import Lattice
from warmstart.decode.settings import GenerateSettings
from warmstart.evaluation.arrivals import Arrivals
from warmstart.evaluation.build import build_predictor, check_members, soft_predictor
from warmstart.evaluation.predict import predict_rows, soft_rows
from warmstart.evaluation.predictor import Member, Predictor
from warmstart.evaluation.text_predictor import lattice_line
from warmstart.example.example import SOFT
from warmstart.example.record import Record
from warmstart.readers.problems import SkippedRows, skipped_rows
from warmstart.readers.text_io import STDIN
from warmstart.run.loading import check_only_task, load_run
from warmstart.tasks.frames import describe_account
from warmstart.tasks.parts import Account
from warmstart.tasks.row_source import ReadOptions
from warmstart.tasks.spec import TaskSpec
from warmstart.tasks.table import kind_of, options_of
from warmstart.verbs.members import members_of
from warmstart.verbs.output import STANDARD, check_output, row_lines, write_lines


def predict(request: PredictRequest) -> dict[str, Any]:
    """Writes one JSON line per row of the input to the output, in order; memory does not grow with the file.

    Returns:
        {"run", "output", "examples", "cut"}.

    Raises:
        BadInput: no such run, runs of different tasks, the output exists, or a broken row (the file is then not written).
    """
    check_output(request.output, request.lattices)
    first, *more = request.run
    whole = load_run(first, request.precision)
    loaded = whole.select(request.task)
    loaded.check_generates(request)
    if request.task is not None and not whole.metadata.tasks:
        check_only_task(loaded.task(), request.task)
    named = loaded.task().rename_labels(request.label_map)
    _check_soft(request)
    check = soft_predictor if request.soft else check_members
    members = members_of(loaded, named, more, request.precision, request.label_map, request.task, check)
    members = [_with_rule(one, request) for one in members]
    spec = members[0].spec
    notes: dict[str, int] = {}
    skipped = skipped_rows(request.bad_rows, request.max_bad_rows)
    records = _records(request, spec, notes, skipped)
    account = _write_predictions(members, records, loaded.search(request.search), request)
    found = skipped.describe() if skipped is not None else []
    found += [f"{count:,} {words}" for words, count in notes.items() if count]
    for line in (*found, *describe_account(spec, account)):
        say(line)
    return {
        "run": list(request.run) if more else first, "output": request.output, "examples": account.used,
        "cut": account.cut,
    }  # fmt: skip


def _records(
    request: PredictRequest, spec: TaskSpec, notes: dict[str, int], skipped: SkippedRows | None
) -> Iterable[Record]:
    """What is asked about, of standard input as it comes; ``notes`` takes what is done to rows of a known data set."""
    read = ReadOptions(
        request.encoding, labelled=False, keeps_texts=not (request.no_texts or request.soft), options=options_of(spec),
        format=request.format, columns=request.columns, skipped=skipped,
    )  # fmt: skip
    records = prediction_records(spec, request.input, read, request.split, notes)
    return Arrivals(records) if request.input == STDIN else records


def _check_soft(request: PredictRequest) -> None:
    """Refuses to leave out the texts of rows that are learned from."""
    if request.soft and request.no_texts:
        raise BadInput(
            "rows to learn from have texts", where="--no-texts", value="--soft", allowed="without --soft",
            next_step="leave one of the two out",
        )  # fmt: skip


def _with_rule(member: Member, request: PredictRequest) -> Member:
    """The same with another rule for texts that are too long."""
    given = {name: getattr(request, name) for name in ("long_text", "stride", "window_answers")}
    changes = {name: value for name, value in given.items() if value is not None}
    kind_of(member.spec).check_long_text(changes.get("long_text", "cut"))
    return member._replace(spec=member.spec.with_frame(**changes)) if changes else member


def _write_predictions(
    members: list[Member], records: Iterable[Record], search: GenerateSettings, request: PredictRequest
) -> Account:
    """Writes the rows and, where it is asked for, what the search kept of each; the account of the Records."""
    lattices, at_once = request.lattices, isinstance(records, Arrivals)
    vocabulary = members[0].vocabulary.fingerprint
    with tempfile.TemporaryFile("w+", encoding="utf-8") as kept:  # lattices may be too many for the memory

        def keep_lattice(number: int, lattice: Lattice) -> None:
            kept.write(lattice_line(number, lattice, vocabulary))

        shown = request.output != STANDARD or not results_on_terminal()  # a bar would stand between the answers
        title = "predicting" if shown else None
        predictor: Predictor
        if request.soft:
            predictor = teachers = soft_predictor(members, request.run)
            rows = soft_rows(teachers, records, SOFT, title)
        else:
            predictor = build_predictor(members, search, keep_lattice if lattices else None)
            rows = predict_rows(predictor, records, not request.no_texts, title)
        write_lines(request.output, row_lines(request.output, rows), at_once)
        if lattices is not None:
            kept.seek(0)
            write_lines(lattices, kept)
    return predictor.account
