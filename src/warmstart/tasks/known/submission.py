"""GLUE's submission: which predictions go into which file of the zip, and whether a zip keeps the rules.

Each file has the header ``index<TAB>prediction`` and a line per example of the test file, numbered from 0 in its order
(Wang et al. 2019; the rules and the numbers of lines are those of its site). The site takes whole submissions only.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from warmstart.base.errors import BadInput, suggest
from warmstart.readers.rows import Row
from warmstart.tasks.known.files import TEXTS, Folder, Table
from warmstart.tasks.known.pairs import ENTAILED, GOLD, INFERENCE, MRPC, QNLI, QQP, RTE, STSB, WNLI
from warmstart.tasks.known.texts import COLA, SST2

HEADER = "index\tprediction"
LOWEST, HIGHEST = 0.0, 5.0
_SAME_BYTES = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip can hold, so that equal predictions give equal files
_BINARY = ("0", "1")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file of a submission.

    Attributes:
        name: its name in the zip.
        task: the known data set whose model answers it.
        table: how its examples are read.
        files: where GLUE's folder has them.
        rows: how many there are.
        answers: class number → what is written; empty for scores.
        index: the column that numbers them.
    """

    name: str
    task: str
    table: Table
    files: tuple[str, ...]
    rows: int
    answers: tuple[str, ...]
    index: str = "index"

    def examples(self, folder: Path) -> Iterator[Row]:
        """The examples in their order.

        Raises:
            BadInput: no such file, other columns, other numbers, or fewer or more lines than GLUE's.
        """
        path = Folder(folder).file(*self.files)
        header = {key: name for key, name in self.table.header.items() if key in TEXTS} | {"index": self.index}
        number = -1
        for number, row in enumerate(Table(header, text=self.table.text).rows(path, Folder(folder))):
            if row.fields["index"] != str(number):
                raise BadInput(
                    "not numbered as GLUE numbers them", where=row.where, value=row.fields["index"], allowed=str(number),
                    next_step="fetch GLUE's own file again",
                )  # fmt: skip
            yield row
        if number + 1 != self.rows:
            raise BadInput(
                "not GLUE's test file", where=str(path), value=f"{number + 1:,} examples", allowed=f"{self.rows:,}",
                next_step="fetch GLUE's own file again",
            )  # fmt: skip

    def answer(self, score: float | None, number: int | None) -> str:
        """What is written for one example: a class's answer, or the score within GLUE's scale."""
        if number is not None:
            return self.answers[number]
        assert score is not None
        return f"{min(max(score, LOWEST), HIGHEST):.3f}"

    def allowed_answers(self, answer: str) -> str:
        """What would have been allowed, if ``answer`` is not; else nothing."""
        if self.answers:
            return "" if answer in self.answers else ", ".join(self.answers)
        try:
            inside = LOWEST <= float(answer) <= HIGHEST
        except ValueError:
            inside = False
        return "" if inside else f"a number from {LOWEST:g} to {HIGHEST:g}"


_ALL = (
    Sheet("CoLA.tsv", "cola", COLA, ("CoLA/test.tsv",), 1_063, _BINARY),
    Sheet("SST-2.tsv", "sst2", SST2, ("SST-2/test.tsv",), 1_821, _BINARY),
    Sheet("MRPC.tsv", "mrpc", MRPC, ("MRPC/test.tsv",), 1_725, _BINARY),
    Sheet("STS-B.tsv", "stsb", STSB, ("STS-B/test.tsv",), 1_379, ()),
    Sheet("QQP.tsv", "qqp", QQP, ("QQP/test.tsv",), 390_965, _BINARY, index="id"),
    Sheet("MNLI-m.tsv", "mnli", GOLD, ("MNLI/test_matched.tsv",), 9_796, INFERENCE),
    Sheet("MNLI-mm.tsv", "mnli", GOLD, ("MNLI/test_mismatched.tsv",), 9_847, INFERENCE),
    Sheet("QNLI.tsv", "qnli", QNLI, ("QNLI/test.tsv",), 5_463, ENTAILED),
    Sheet("RTE.tsv", "rte", RTE, ("RTE/test.tsv",), 3_000, ENTAILED),
    Sheet("WNLI.tsv", "wnli", WNLI, ("WNLI/test.tsv",), 146, _BINARY),
    Sheet("AX.tsv", "mnli", GOLD, ("diagnostic/diagnostic.tsv", "AX/AX.tsv", "AX.tsv"), 1_104, INFERENCE),
)
SHEETS: dict[str, Sheet] = {sheet.name: sheet for sheet in _ALL}


def sheets_of(task: str) -> list[Sheet]:
    """The files that a model of this known data set answers; none for other tasks."""
    return [sheet for sheet in _ALL if sheet.task == task]


def pack_submission(answers: Mapping[str, Sequence[str]]) -> bytes:
    """The zip: name of the file → its predictions in order. The same predictions give the same bytes.

    Raises:
        BadInput: the rules are broken.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, told in answers.items():
            lines = [HEADER, *(f"{number}\t{answer}" for number, answer in enumerate(told))]
            archive.writestr(zipfile.ZipInfo(name, _SAME_BYTES), "\n".join(lines) + "\n", zipfile.ZIP_DEFLATED)
    target.seek(0)
    _check(target, "submission")
    return target.getvalue()


def check_submission(path: Path) -> tuple[str, ...]:
    """Checks a zip against GLUE's rules, and returns the names of the files that are missing in it.

    Raises:
        BadInput: not a zip, a file that GLUE does not know, another header, index or answer, too few or too many lines.
    """
    try:
        return _check(path, str(path))
    except (OSError, zipfile.BadZipFile) as error:
        raise BadInput(f"not a readable zip ({error})", where=str(path), next_step="make it again") from None


def _check(source: Path | io.BytesIO, where: str) -> tuple[str, ...]:
    with zipfile.ZipFile(source) as archive:
        names = archive.namelist()
        for name in names:
            if name not in SHEETS or names.count(name) > 1:
                raise BadInput(
                    "a file that a submission does not have", where=where, value=name, allowed=", ".join(SHEETS),
                    next_step=suggest(name, SHEETS) or "leave it out",
                )  # fmt: skip
            with archive.open(name) as file:
                _check_lines(SHEETS[name], io.TextIOWrapper(file, "utf-8"), f"{where}:{name}")
    return tuple(name for name in SHEETS if name not in names)


def _check_lines(sheet: Sheet, lines: Iterable[str], where: str) -> None:
    count = -1
    for count, line in enumerate(lines):
        index, _, answer = line.rstrip("\n").partition("\t")
        if count == 0 and line.rstrip("\n") != HEADER:
            raise BadInput("another header line", where=f"{where}:1", value=line, allowed=repr(HEADER))
        if count and index != str(count - 1):
            raise BadInput("another index", where=f"{where}:{count + 1}", value=index, allowed=str(count - 1))
        if count and sheet.allowed_answers(answer):
            raise BadInput(
                "another answer", where=f"{where}:{count + 1}", value=answer, allowed=sheet.allowed_answers(answer)
            )
    if count != sheet.rows:
        raise BadInput("another number of predictions", where=where, value=max(count, 0), allowed=str(sheet.rows))
