"""CoNLL and CoNLL-U to sentences: files written by hand, and every broken line with its place."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from warmstart.base.errors import BadInput
from warmstart.readers.conll import read_sentences

UD = """\
# newdoc
# sent_id = weblog-1
# text = Don't go to Sevilla
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVBP\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
3.1\tgone\tgo\tVERB\tVB\t_\t_\t_\t3:conj\t_
4\tto\tto\tADP\tIN\t_\t5\tcase\t_\t_
5\tSevilla\tSevilla\tPROPN\tNNP\t_\t3\tobl\t_\t_

1\tTrả lời\ttrả lời\tVERB\tV\t_\t0\troot\t_\t_
"""


def read(path: Path, text: str, **options: Any) -> list[tuple[dict[str, Any], str]]:
    path.write_bytes(text.encode())
    return [(row.fields, row.where) for row in read_sentences(str(path), **options)]


def complaint(path: Path, text: str, **options: Any) -> str:
    with pytest.raises(BadInput) as error:
        read(path, text, **options)
    return str(error.value).replace(str(path), path.name)


def test_words_and_tags(tmp_path: Path) -> None:
    """Witness: CoNLL-2003's layout by hand: four columns, -DOCSTART- lines, several empty lines, CRLF, no last newline."""
    text = "-DOCSTART- -X- -X- O\r\n\r\nEU NNP B-NP B-ORG\r\nrejects VBZ B-VP O\r\n\r\n\r\nPeter NNP B-NP B-PER"
    path = tmp_path / "eng.conll"
    assert read(path, text) == [
        ({"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]}, f"{path}:3"),
        ({"tokens": ["Peter"], "tags": ["B-PER"]}, f"{path}:7"),
    ]
    assert [row["tags"] for row, _ in read(path, text, column=2)] == [["NNP", "VBZ"], ["NNP"]]


@pytest.mark.parametrize("extension", ["conll", "bio", "txt", "tsv", "conll.gz"])
def test_extensions_and_separators(tmp_path: Path, extension: str) -> None:
    """Invariant: the same rows with tabs and with spaces, plain and compressed."""
    for between in ("\t", " ", "   "):
        text = f"EU{between}B-ORG\ncalls{between}O\n\n".encode()
        path = tmp_path / f"x.{extension}"
        path.write_bytes(gzip.compress(text) if extension.endswith("gz") else text)
        assert next(iter(read_sentences(str(path)))).fields == {"tokens": ["EU", "calls"], "tags": ["B-ORG", "O"]}


def test_strange_words_are_words(tmp_path: Path) -> None:
    """Witness: characters that Python takes for spaces or line ends, and a byte order mark inside a line (as in WNUT-17)."""
    words = ["\ufeff", "a\u00a0b", "\u2028", "\x85", "#", "two syllables"]
    text = "".join(f"{word}\tO\n" for word in words)
    assert read(tmp_path / "x.conll", "first\tO\n" + text)[0][0]["tokens"] == ["first", *words]


@pytest.mark.parametrize(
    "text",
    [
        "# id 1\tlang=en\nEU\tB-ORG\ncalls\tO\n\n# id 2\tlang=en\n#\tO\n#fun\tO\n",  # as MultiCoNER has them
        "# two words\nEU B-ORG\ncalls O\n\n# newdoc id = 2\n# O\n#fun O\n",
        "#begin document (x); part 000\nEU B-ORG\ncalls O\n\n-DOCSTART- O\n\n# O\n#fun O\n\n#end document of all\n",
        "# a\n# id = 7\nEU _ _ B-ORG\ncalls _ _ O\n\n# id\tdomain=x\n# _ _ O\n#fun _ _ O\n",
    ],
)
def test_comments_are_skipped_and_words_with_a_hash_are_not(tmp_path: Path, text: str) -> None:
    """Witness: the two sentences by hand: a comment has not the columns of a word, or a blank after its hash."""
    rows = [row for row, _ in read(tmp_path / "x.conll", text)]
    assert rows == [{"tokens": ["EU", "calls"], "tags": ["B-ORG", "O"]}, {"tokens": ["#", "#fun"], "tags": ["O", "O"]}]


def test_comments_among_words_without_tags(tmp_path: Path) -> None:
    """Witness: by hand; a file to be predicted, whose words have one column."""
    found = read(tmp_path / "x.txt", "# sentence 1\nEU\n#fun\n\n#\nNo\n")
    assert [row["tokens"] for row, _ in found] == [["EU", "#fun"], ["#", "No"]]


def test_all_broken_lines_are_named(tmp_path: Path) -> None:
    """Witness: the lines of a file in which three words have no tag."""
    text = "EU B-ORG\n" + "calls\nit O\n\n" * 3
    found = complaint(tmp_path / "x.conll", text)
    assert "3 rows cannot be used: wrong number of columns (" in found
    assert [f"x.conll:{n}" in found for n in (2, 5, 8)] == [True] * 3


def test_words_alone_have_no_tags(tmp_path: Path) -> None:
    """Invariant: a file to be predicted needs no tag."""
    assert read(tmp_path / "x.txt", "EU\ncalls\n\nNo\n")[0][0] == {"tokens": ["EU", "calls"]}


def test_universal_dependencies(tmp_path: Path) -> None:
    """Witness: the format's own description (ranges, empty nodes, comments, words with spaces), read by hand."""
    path = tmp_path / "x.conllu"
    assert read(path, UD) == [
        (
            {
                "sent_id": "weblog-1",
                "tokens": ["Do", "n't", "go", "to", "Sevilla"],
                "tags": ["AUX", "PART", "VERB", "ADP", "PROPN"],
            },
            f"{path}:5",
        ),
        ({"tokens": ["Trả lời"], "tags": ["VERB"]}, f"{path}:12"),
    ]
    assert read(path, UD, column=5)[1][0]["tags"] == ["V"]


@pytest.mark.parametrize(
    ("name", "text", "options", "parts"),
    [
        (
            "x.conll",
            "EU B-ORG\ncalls\n",
            {},
            ["x.conll:2", "wrong number of columns", "got 1", "2, as in the lines above"],
        ),
        ("x.conll", "EU B-ORG\n\ncalls O O\n", {}, ["x.conll:3", "got 3"]),
        ("x.conll", "EU\tO\n\tO\n", {}, ["x.conll:2", "this line has no word"]),
        ("x.conll", "EU O\n", {"column": 3}, ["x.conll:1", "no such column", "got 3", "1 to 2", "--tag-column"]),
        ("x.conll", "\n\n", {}, ["x.conll", "has no sentences"]),
        ("x.conllu", "1\tEU\n", {}, ["x.conllu:1", "wrong number of columns", "10"]),
        ("x.conllu", UD.replace("\n4\t", "\nfour\t"), {}, ["x.conllu:9", "not the number of a word", "'four'"]),
    ],
)
def test_broken_files(tmp_path: Path, name: str, text: str, options: dict[str, int], parts: list[str]) -> None:
    """Witness: the line that is broken."""
    sentence = complaint(tmp_path / name, text, **options)
    assert [part for part in parts if part not in sentence] == [], sentence
