"""``warmstart predict``: a file of examples in, the same rows with label, score and probabilities out, as a stream."""

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from warmstart.base.console import say
from warmstart.decode.lattice import Lattice
from warmstart.decode.settings import GenerateSettings
from warmstart.evaluation.build import build_predictor
from warmstart.evaluation.predict import predict_rows
from warmstart.evaluation.predictor import Member
from warmstart.evaluation.text_predictor import lattice_line
from warmstart.example.record import Record
from warmstart.run.loading import load_run
from warmstart.tasks.dataset import read_records
from warmstart.tasks.frames import describe_account
from warmstart.tasks.kind import ReadOptions
from warmstart.tasks.parts import Account
from warmstart.tasks.table import options_of
from warmstart.verbs.members import members_of
from warmstart.verbs.output import check_not_there, write_lines


def predict(
    run: str | Sequence[str],
    input: str,
    output: str,
    encoding: str = "utf-8",
    long_text: str | None = None,
    precision: str = "fp32",
    label_map: Sequence[str] = (),
    said: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes one JSON line per row of ``input`` to ``output``, in order; memory does not grow with the file.

    Args:
        run: a fine-tuned run, or several of one task, whose mean answer is written.
        input: JSONL, CSV, TSV or Parquet (CoNLL, SQuAD), also compressed, or ``-`` for JSONL on standard input.
        output: a file that does not exist yet, or ``-`` for standard output.
        encoding: of ``input``.
        long_text: ``cut`` or ``refuse``; ``None`` does as the run was trained.
        precision: of the products.
        label_map: ``own=other`` for each of the run's labels that is to be called otherwise.
        said: of a run that generates: ``search``, how it generates where not as it remembers, and ``lattices``, a
            file for what the search kept of each row.

    Returns:
        {"run", "output", "examples", "cut"}.

    Raises:
        BadInput: no such run, runs of different tasks, ``output`` exists, or a broken row (the file is then not written).
    """
    said = said or {}
    lattices = said.get("lattices")
    check_not_there(output, lattices)
    first, *more = (run,) if isinstance(run, str) else run
    loaded = load_run(first, precision)
    loaded.check_generates(said)
    named = loaded.task().rename_labels(label_map)
    members = [_with_rule(one, long_text) for one in members_of(loaded, named, more, precision, label_map)]
    spec = members[0].spec
    read = ReadOptions(encoding, labelled=False, options=options_of(spec))
    records = read_records(spec.kind, input, spec.label_names, read)
    search = loaded.search(said.get("search") or {})
    account = _write_predictions(members, records, search, output, lattices)
    for line in describe_account(spec, account):
        say(line)
    return {"run": [first, *more] if more else first, "output": output, "examples": account.used, "cut": account.cut}


def _with_rule(member: Member, long_text: str | None) -> Member:
    """The same with another rule for texts that are too long."""
    return member if long_text is None else member._replace(spec=member.spec.with_frame(long_text=long_text))


def _write_predictions(
    members: list[Member], records: Iterable[Record], search: GenerateSettings, output: str, lattices: str | None
) -> Account:
    """Writes the rows and, where it is asked for, what the search kept of each; the account of the Records."""
    vocabulary = members[0].vocabulary.fingerprint
    with tempfile.TemporaryFile("w+", encoding="utf-8") as kept:  # lattices may be too many for the memory

        def keep_lattice(number: int, lattice: Lattice) -> None:
            kept.write(lattice_line(number, lattice, vocabulary))

        predictor = build_predictor(members, search, keep_lattice if lattices else None)
        rows = predict_rows(predictor, records)
        write_lines(output, (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))
        if lattices is not None:
            kept.seek(0)
            write_lines(lattices, kept)
    return predictor.account
