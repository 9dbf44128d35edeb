"""One image, one class: its rows from the top, and nothing before, between or after them (Dai and Le 2015, section 4.5)."""

from collections.abc import Iterator, Sequence

from warmstart.base.arrays import Image
from warmstart.base.errors import BadInput
from warmstart.example.example import Example
from warmstart.example.record import Record
from warmstart.tasks.framing import Cut, Frame, Parts
from warmstart.tasks.vocabulary import Vocabulary, require_images


def images(record: Record, parts: Parts, frame: Frame) -> list[Example]:
    """The class is read at the last row.

    Worked example: an image of three rows among the classes cat, ship, whose label is ship, gives::

        ids          r1  r2  r3
        label        read 2 → 1
        next_vector  read 0 1 → r2 r3
    """
    return frame.ask(record, parts.texts)


def encode_images(records: Sequence[Record], vocabulary: Vocabulary, rules: Sequence[str]) -> Iterator[Parts]:
    """The rows of the images of some Records.

    Raises:
        BadInput: an image of another size, or a model that reads text.
    """
    processor = require_images(vocabulary, "images")
    for record in records:
        image = image_of(record)
        processor.check_size(image, record.where)
        yield Parts((processor.to_rows(image),))


def image_of(record: Record) -> Image:
    """[H, W, 3] the image of a Record."""
    assert record.image is not None
    return record.image.array


def uncut_image(record: Record, parts: Parts, frame: Frame) -> Cut:
    """All rows of an image, which is read whole or not at all.

    Raises:
        BadInput: it has more rows than the model can read.
    """
    [rows] = parts.texts
    check_rows_fit(len(rows), frame.spec.frame.context)
    return Cut(parts, len(rows), 0)


def check_rows_fit(rows: int, context: int) -> None:
    """Refuses images that have more rows than a model can read."""
    if rows > context:
        raise BadInput(
            "an image has more rows than the model's context", where="--context", value=rows,
            allowed=f"at most {context} rows (half of its tokens where they are written again)",
            next_step="choose a larger context, or an LSTM, which has none",
        )  # fmt: skip
