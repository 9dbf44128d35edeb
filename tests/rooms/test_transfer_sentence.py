"""Folders of sentence-transformers whose files are damaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from warmstart.base.errors import BadInput
from warmstart.transfer.sentence import MODULES, READER, read_modules

WHOLE = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [(MODULES, {"0": WHOLE[0]}), (MODULES, ["Transformer"]), (READER, []), (READER, {"max_seq_length": "long"})],
)
def test_a_file_of_another_form_is_named(name: str, content: Any, tmp_path: Path) -> None:
    """Bad input: JSON that is whole, and not what the library writes there; the whole folder is read."""
    (tmp_path / MODULES).write_text(json.dumps(WHOLE))
    found = read_modules(tmp_path)
    assert found is not None and found.length is None
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(BadInput, match=rf"{name}: a file of sentence-transformers is damaged"):
        read_modules(tmp_path)
