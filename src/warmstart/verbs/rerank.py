"""``warmstart rerank``: other texts from saved lattices, by other lengths, without the model's work."""

from typing import Any

from warmstart.base.errors import BadInput
from warmstart.decode.lattice import Lattice, Ranking, rank
from warmstart.readers.rows import read_rows
from warmstart.run.metadata import read_vocabulary
from warmstart.tasks.seq2seq_texts import decode_text
from warmstart.tasks.vocabulary import require_text
from warmstart.transfer.hub import model_folder
from warmstart.verbs.output import check_output, row_lines, write_lines


def rerank(
    run: str,
    lattices: str,
    output: str,
    length_penalty: float = 0.0,
    per_token: float = 0.0,
    expected: int | None = None,
    min_new: int = 0,
) -> dict[str, Any]:
    """Writes a line {"prediction", "score"} for each lattice: {"output", "examples"}.

    Args:
        run: whose vocabulary spells the texts.
        lattices: the file that ``predict --lattices`` wrote.
        output: a file that does not exist yet, or ``-`` for standard output.
        length_penalty: scores are divided by ((5 + length) / 6) to this power.
        per_token: without it, added for each token; with ``expected`` taken off for each token away from that length.
        expected: a length.
        min_new: tokens of a text at least, where the search found one so long.

    Raises:
        BadInput: ``output`` exists, rules that do not go together, or ``lattices`` is no such file or one of another
            vocabulary.
    """
    check_output(output)
    ranking = _one_rule(Ranking(length_penalty, per_token, expected, min_new))
    tokenizer = require_text(read_vocabulary(model_folder(run))[0], "--run")
    rows: list[dict[str, Any]] = []
    for row in read_rows(lattices, extension=".jsonl"):
        try:
            lattice = Lattice.from_dict(row.fields)
            best, most = rank(lattice, ranking), max(max(frame.tokens) for frame in lattice.frames)
        except (KeyError, TypeError, ValueError, IndexError):
            raise BadInput(
                "not a lattice", where=row.where, value=list(row.fields), next_step="predict --lattices writes them"
            ) from None
        if row.fields.get("vocabulary") != tokenizer.fingerprint or most >= tokenizer.vocab_size:
            raise BadInput(
                "a lattice of another vocabulary", where=row.where, value=row.fields.get("vocabulary"),
                allowed=tokenizer.fingerprint, next_step="name the run that wrote the lattices",
            )  # fmt: skip
        text = decode_text(best.ids, tokenizer)
        score = round(best.score, 6) if best.score > float("-inf") else None
        rows.append({"prediction": text, "score": score})
    write_lines(output, row_lines(output, rows))
    return {"output": output, "examples": len(rows)}


def _one_rule(ranking: Ranking) -> Ranking:
    """The ranking, where it says one thing of length.

    Raises:
        BadInput: an expected length that costs nothing, or two rules at a time.
    """
    if ranking.expected is not None and ranking.per_token == 0:
        raise BadInput(
            "without a cost per token an expected length changes nothing", where="--expected", value=ranking.expected,
            allowed="together with --per-token",
        )  # fmt: skip
    if ranking.alpha > 0 and ranking.per_token != 0:
        raise BadInput(
            "scores are ranked by one rule of length", where="--per-token", value=ranking.per_token,
            allowed="0 with --length-penalty", next_step="leave one of the two out",
        )  # fmt: skip
    return ranking
