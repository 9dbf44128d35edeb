"""``warmstart predict``: a file of examples in, the same rows with label, score and probabilities out, as a stream."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from warmstart.base.console import say
from warmstart.decode.lattice import Lattice
from warmstart.evaluation.answers import Reading
from warmstart.evaluation.averaged import Member
from warmstart.evaluation.generated import Generator, lattice_line, text_row
from warmstart.evaluation.predict import member_rows
from warmstart.example.record import Record
from warmstart.run.loading import Loaded, load_run
from warmstart.tasks.dataset import read_records
from warmstart.tasks.framing import Account
from warmstart.tasks.spec import TaskSpec
from warmstart.verbs.accounts import cut_in_words
from warmstart.verbs.members import members_of
from warmstart.verbs.output import require_free, write_lines


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
    require_free(output, lattices)
    first, *more = (run,) if isinstance(run, str) else run
    loaded = load_run(first, precision)
    loaded.require_generating(said)
    named = loaded.task().relabelled(label_map)
    members = [_with_rule(one, long_text) for one in members_of(loaded, named, more, precision, label_map)]
    spec = members[0].spec
    accounts: list[Account] = []
    records = _unlabelled(spec, input, encoding)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as kept:  # lattices may be too many for the memory
        rows = _rows(loaded, members, records, accounts.append, said, kept.write)
        write_lines(output, (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))
        if lattices is not None:
            kept.seek(0)
            write_lines(lattices, kept)
    account = sum(accounts, Account())
    for line in cut_in_words(spec, account):
        say(line)
    return {"run": [first, *more] if more else first, "output": output, "examples": account.used, "cut": account.cut}


def _with_rule(member: Member, long_text: str | None) -> Member:
    """The same with another rule for texts that are too long."""
    if long_text is None:
        return member
    frame = member.spec.frame.model_copy(update={"long_text": long_text})
    return member._replace(spec=member.spec.model_copy(update={"frame": frame}))


def _unlabelled(spec: TaskSpec, path: str, encoding: str) -> Iterator[Record]:
    """The examples of a file, whose labels are not needed."""
    return read_records(spec.kind, path, spec.label_names, encoding, require_label=False, tag_column=spec.tags.column)


def _rows(
    loaded: Loaded, members: list[Member], records: Iterator[Record], tell: Callable[[Account], None],
    said: Mapping[str, Any], write: Callable[[str], object],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """The rows to write; what a search kept is given to ``write``, where it is asked for."""
    spec = members[0].spec
    if spec.kind != "seq2seq":
        return member_rows(members, records, Reading(tell=tell))

    def keep(number: int, lattice: Lattice) -> None:
        write(lattice_line(number, lattice, loaded.text.fingerprint))

    settings = loaded.search(said.get("search", {}))
    made = Generator(loaded.model, loaded.text, spec, settings, keep if said.get("lattices") else None)
    return (text_row(found, settings.texts > 1) for found in made.of(records, tell))
