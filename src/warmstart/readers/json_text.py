"""Reads one value of JSON strictly: no NaN, no half characters, no key twice in an object."""

import json
import math
from typing import Any, NoReturn

from warmstart.base.errors import BadInput


def load_json(line: str, where: str, allowed: str) -> Any:
    """The value that a text of JSON holds.

    Args:
        line: the text.
        where: its place, for messages.
        allowed: what may stand there, in words.

    Raises:
        BadInput: no JSON, a number that is none, half of a surrogate pair, or two values under one key of an object.
    """
    try:
        value = _DECODER.decode(line)
        if "\\u" in line and "\\ud" in line.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(
            f"a text with half of a character ({error.reason})", where=where, value=line.strip(),
            next_step="correct or remove this line",
        ) from None  # fmt: skip
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadInput(
            f"not a complete JSON object ({what})", where=where, value=line.strip(), allowed=allowed,
            next_step="correct or remove this line",
        ) from None  # fmt: skip
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are different: of two values under one key nobody knows which is meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands in it twice")
    return found


def _not_finite(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _not_finite(digits)
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_not_finite, parse_float=_finite)
"""One for all lines: to build a decoder takes longer than to read a short line."""
