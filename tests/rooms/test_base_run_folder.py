"""Which folders a run may begin or go on in."""

from pathlib import Path

import pytest

from warmstart.base.errors import BadInput
from warmstart.base.run_folder import CONFIG, RunFolder


@pytest.mark.parametrize("there", ["a: 1\nb: {c: 2}\n", "b:\n  c: 2\na: 1\n"])
def test_a_run_goes_on_with_the_same_settings_in_any_order(tmp_path: Path, there: str) -> None:
    """Witness: the same values, written by a version that had its settings in another order."""
    (tmp_path / CONFIG).write_text(there)
    RunFolder(tmp_path).check_free(resume=True, config="a: 1\nb:\n  c: 2\n")


@pytest.mark.parametrize("there", ["a: 2\nb: {c: 2}\n", "a: 1\n", "a: 1\nb: {c: '2'}\n", "a: [1\n", ""])
def test_a_run_of_other_settings_is_refused(tmp_path: Path, there: str) -> None:
    """Witness: one value more, less, or another; and files that are no settings."""
    (tmp_path / CONFIG).write_text(there)
    with pytest.raises(BadInput, match="another recipe"):
        RunFolder(tmp_path).check_free(resume=True, config="a: 1\nb:\n  c: 2\n")
