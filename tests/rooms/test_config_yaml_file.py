"""Recipe files as trees of strings, and the files that are refused."""

from pathlib import Path

import pytest

from warmstart.base.errors import BadInput
from warmstart.config.yaml_file import MAX_BYTES, read_yaml


def refused(path: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read_yaml(str(path))
    return caught.value


def test_scalars_stay_strings_and_know_their_lines(tmp_path: Path) -> None:
    """Witness: the file as written."""
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xef\xbb\xbfa:\r\n  b: 1e-4\r\n  c: [no, 'null', ~]\r\nd:\r\n")
    tree = read_yaml(str(path))
    assert tree.values == {"a": {"b": "1e-4", "c": ["no", "null", None]}, "d": None}
    assert tree.lines == {("a",): 1, ("a", "b"): 2, ("a", "c"): 3, ("d",): 4} | {
        ("a", "c", str(i)): 3 for i in range(3)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (b"a: [1\nb: 2\n", 2, "broken YAML"),
        (b"a: 1\n\tb: 2\n", 2, "broken YAML"),
        (b"a: 1\n---\nb: 2\n", 2, "broken YAML"),
        (b"- 1\n", 1, "not a recipe"),
        (b"\n\njust words\n", 3, "not a recipe"),
        (b"a: {b: 1}\nc: {d: 1,\n  d: 2}\n", 3, "written twice"),
        (b"a: &x [1]\nb: *x\n", 2, "aliases"),
        (b"a: &x\n  b: *x\n", 2, "aliases"),
        (b"a: 1\n? [1, 2]\n: 3\n", 2, "one word"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, text: bytes, line: int, what: str) -> None:
    """Witness: the line that is broken."""
    path = tmp_path / "r.yaml"
    path.write_bytes(text)
    error = refused(path)
    assert what in error.what and error.where == f"{path}:{line}" and error.next_step


def test_an_alias_bomb_does_nothing(tmp_path: Path) -> None:
    """Witness: nine lines that stand for a thousand million words."""
    path = tmp_path / "r.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    path.write_text("\n".join(lines))
    assert "aliases" in refused(path).what


def test_control_characters_large_and_deep_files_are_refused(tmp_path: Path) -> None:
    """Witness: the sizes of the files made here."""
    path = tmp_path / "r.yaml"
    path.write_bytes(b"a: \x00\n")
    assert "broken YAML" in refused(path).what
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    assert (refused(path).value, refused(path).allowed) == (MAX_BYTES + 1, f"<= {MAX_BYTES} bytes")
    path.write_text("a: " + "[" * 5000)
    assert "deeply" in refused(path).what


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    """Witness: the file that is there."""
    (tmp_path / "gpt1_mini.yaml").write_text("")
    error = refused(tmp_path / "gpt1_mimi.yaml")
    assert error.where == str(tmp_path / "gpt1_mimi.yaml") and "gpt1_mini.yaml" in error.next_step
    assert "cannot be read" in refused(tmp_path).what
