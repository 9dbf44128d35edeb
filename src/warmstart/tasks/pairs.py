"""One text or a pair of texts, as a row has it: what a classifier of another library reads.

Its folder does not say which of the two it has learned. A row that has both columns of a pair is a pair, and its first text
is not read as a text of its own; a row that could be read in two ways is refused.
"""

from collections.abc import Sequence

from warmstart.base.errors import BadInput
from warmstart.base.settings import Setting, Settings
from warmstart.readers.rows import Row
from warmstart.tasks.columns import ONE_TEXT, TWO_TEXTS, Columns, ColumnSets, text_at
from warmstart.tasks.kind import TaskKind

ONE_OR_TWO_TEXTS: ColumnSets = (*ONE_TEXT, *TWO_TEXTS, ("question1", "question2"), ("text", "text_pair"))


class TextSettings(Settings):
    """What a task of one text remembers."""

    pairs: bool = Setting(False, "whether a row may be a pair of texts, as for a classifier of another library")


class TextOrPair(TaskKind):
    """A kind that reads one text of each row, or two where the row is a pair."""

    def find_texts(self, row: Row) -> Columns | None:
        """The columns of the one set that a row has all of and that is part of no other such set.

        Raises:
            BadInput: there are several, or a text is not text.
        """
        there = [set(columns) for columns in self.text_columns if row.fields.keys() >= set(columns)]
        widest = [columns for columns in self.text_columns if set(columns) in there]
        widest = [columns for columns in widest if not any(set(columns) < other for other in there)]
        if len(widest) > 1:
            raise BadInput(
                "it is not clear which texts are meant", where=row.where, value=list(row.fields),
                allowed=f"one of {' or '.join('+'.join(columns) for columns in widest)}",
                next_step="leave the other columns out",
            )  # fmt: skip
        if not widest:
            return None
        return Columns({column: text_at(row, column) for column in widest[0]}, widest[0])

    def may_be(self, kind: TaskKind, label_names: Sequence[str]) -> bool:
        """Every kind with the same answer: the folder does not say which texts it has read."""
        return kind.answer(label_names) is self.answer(label_names)
