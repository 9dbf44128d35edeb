"""A page about vectors, and its verb: ``embed neighbours``, scikit-learn, pyarrow, and pages as their program reads them."""

import base64
import gzip
import hashlib
import json
import re
import struct
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from warmstart.cli.main import main
from warmstart.embed.columns import Classes, Scale, columns_of, read_table
from warmstart.embed.layouts import LAYOUTS, lay_out
from warmstart.embed.neighbours import nearest_rows
from warmstart.embed.page import FOLDER
from warmstart.embed.space import to_unit
from warmstart.embed.writing import write_vectors
from warmstart.verbs.serving import page_server

WEB = Path(__file__).parents[2] / "web"
TYPES = {"Float32Array": np.float32, "Int32Array": np.int32, "Uint8Array": np.uint8}


def make_vectors(path: str, words: list[str], width: int, seed: int) -> np.ndarray:
    matrix = np.random.default_rng(seed).normal(size=(len(words), width)).astype(np.float32)
    write_vectors(path, words, matrix)
    return matrix


def read_page(path: str) -> tuple[dict[str, Any], Any]:
    """The head of a page's data and what finds an array in it, as its program does."""
    block = re.search(r'<script id="data"[^>]*>([A-Za-z0-9+/=]*)</script>', Path(path).read_text())
    assert block is not None
    plain = gzip.decompress(base64.b64decode(block[1]))
    (length,) = struct.unpack_from("<I", plain)
    head = json.loads(plain[4 : 4 + length])

    def array(entry: list[Any]) -> np.ndarray:
        kind, start, size = entry
        return np.frombuffer(plain, TYPES[kind], size, 4 + length + start)

    return head, array


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_neighbours_are_those_of_embed_neighbours(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: ``embed neighbours``, for every word of both sources: found as lower case, missing, not on the map."""
    make_vectors("a.vec", [f"w{n}" for n in range(30)] + ["Upper"], 5, 0)
    make_vectors("b.vec", ["upper", *(f"w{n}" for n in range(0, 40, 2))], 3, 1)
    Path("words.txt").write_text("".join(f"w{n}\n" for n in range(12)) + "Upper\nw38\nnowhere\n")
    assert main(["embed", "explore", "a.vec", "b.vec", "--words", "words.txt", "--top", "4", "--out", "p.html"]) == 0
    head, array = read_page("p.html")
    terms = head["words"][: head["terms"]]
    assert terms == Path("words.txt").read_text().split() and len(head["words"]) > len(terms)
    capsys.readouterr()
    assert main(["embed", "neighbours", "a.vec", "b.vec", "--words", *terms, "--top", "4", "--json"]) == 0
    for row, told in enumerate(json.loads(capsys.readouterr().out)["neighbours"]):
        for source in head["sources"]:
            own = told["sources"][source["name"]]
            places = array(source["neighbours"]).reshape(-1, 4)[row]
            assert head["ways"][array(source["found"])[row]] == own["found"]
            assert [head["words"][place] for place in places if place >= 0] == [word for word, _ in own["nearest"]]
            cosines = array(source["cosines"]).reshape(-1, 4)[row, : len(own["nearest"])]
            np.testing.assert_allclose(cosines, [cosine for _, cosine in own["nearest"]], rtol=1e-6)


def test_the_first_words_of_all_sources_are_on_the_map(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: by hand: turn by turn, each once; places are scikit-learn's principal components, none without a vector."""
    first = make_vectors("a.vec", ["one", "two", "three", "four"], 4, 0)
    make_vectors("b.vec", ["two", "zwei", "drei", "vier"], 4, 1)
    assert main(["embed", "explore", "a.vec", "b.vec", "--points", "6", "--out", "p.html", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["terms"], result["sources"]) == (6, {"a": 4, "b": 3})
    head, array = read_page("p.html")
    assert head["words"][:6] == ["one", "two", "zwei", "three", "drei", "four"]
    places = array(head["maps"][0]["places"]).reshape(-1, 2)
    theirs = PCA(2).fit_transform(to_unit(first))
    np.testing.assert_allclose(np.abs(places[[0, 1, 3, 5]]), np.abs(theirs), atol=1e-5)
    assert np.isnan(places[[2, 4]]).all()


def test_a_word_cannot_leave_the_data(here: Path) -> None:
    """Invariant: no word, name of a source or value stands in the page as markup; only the script of the hash runs."""
    bad = "</script><script>alert(1)</script><!--"
    make_vectors("<b>x.npz", [bad, "fine", "better"], 3, 0)
    Path("c.jsonl").write_text(json.dumps({"word": bad, "</style>": "<img src=x onerror=alert(1)>"}) + "\n")
    assert main(["embed", "explore", "<b>x.npz", "--columns", "c.jsonl", "--out", "p.html"]) == 0
    page = Path("p.html").read_text()
    assert page.count("<script") == 2 and "alert(1)" not in page and "<b>x" not in page and "<img" not in page
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}' 'unsafe-eval'" in page
    assert not re.search(r"""(src|href)=["'](?!#)""", page.replace(script[1], ""))
    head = read_page("p.html")[0]
    assert head["words"][0] == bad and head["columns"][0]["names"] == ["<img src=x onerror=alert(1)>"]


def test_texts_of_a_table_are_coloured_by_its_columns(here: Path) -> None:
    """Witness: by hand: a text is the mean of its words; one twice is one; one without known words has no place."""
    Path("v.txt").write_text("good 1 0 0\nbad 0 1 0\nfilm 0 0 1\n")
    rows = [
        {"text": "good film", "label": "yes"}, {"text": "bad film", "label": "no"}, {"text": "good film", "label": "x"},
        {"text": "good", "label": "yes"}, {"text": "???", "label": "yes"},
    ]  # fmt: skip
    Path("t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["embed", "explore", "v.txt", "--texts", "t.jsonl", "--top", "2", "--out", "p.html"]) == 0
    head, array = read_page("p.html")
    assert (head["kind"], head["words"]) == ("text", ["good film", "bad film", "good", "???"])
    assert head["columns"][0]["names"] == ["yes", "no"] and array(head["columns"][0]["codes"]).tolist() == [0, 1, 0, 0]
    source = head["sources"][0]
    assert array(source["neighbours"]).reshape(-1, 2).tolist() == [[2, 1], [0, 2], [0, 1], [-1, -1]]
    np.testing.assert_allclose(array(source["cosines"])[:2], [0.5**0.5, 0.5], rtol=1e-6)
    assert np.isnan(array(head["maps"][0]["places"]).reshape(-1, 2)[3]).all()


def test_columns_are_classes_or_scales(here: Path) -> None:
    """Witness: by hand: words, few numbers, many numbers, numbers with a word among them, missing values."""
    rows = [["w", "kind", "few", "many", "mixed"]] + [
        [f"w{n}", "ab"[n % 2] if n else "", str(n % 3), f"{n / 2}" if n != 4 else "", "?" if n == 7 else str(n)]
        for n in range(20)
    ]
    Path("c.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    table = read_table("c.tsv", "utf-8")
    assert table.terms == [f"w{n}" for n in range(20)]
    kind, few, many, mixed = columns_of(["w4", "w0", "w1", "other"], table.columns)
    assert isinstance(kind, Classes) and kind.names == ["a", "b"] and kind.codes_T.tolist() == [0, -1, 1, -1]
    assert isinstance(few, Classes) and few.codes_T.tolist() == [1, 0, 1, -1]
    assert isinstance(many, Classes) and isinstance(mixed, Classes)  # of these terms only two numbers
    many, mixed = columns_of(table.terms, table.columns)[2:]
    assert isinstance(many, Scale) and many.values_T[6] == 3 and np.isnan(many.values_T[4])
    assert isinstance(mixed, Classes) and len(mixed.names) == 20


def test_the_parquet_is_one_that_embedding_atlas_opens(here: Path) -> None:
    """Witness: pyarrow, and the form of ``neighbors`` that embedding-atlas documents: rows from 0, distances 1 - cosine."""
    matrix = make_vectors("a.vec", ["one", "two", "three", "four", "five"], 4, 0)
    Path("w.jsonl").write_text('{"word": "two", "x": 1}\n{"word": "gone"}\n{"word": "one", "x": 2}\n{"word": "five"}\n')
    assert main(["embed", "explore", "a.vec", "--words", "w.jsonl", "--out", "p.html", "--parquet", "p.parquet"]) == 0
    table = pyarrow.parquet.read_table("p.parquet")
    assert table.column_names == ["text", "x", "y", "vector", "neighbors", "x_"]
    rows = table.to_pylist()
    assert [row["text"] for row in rows] == ["two", "gone", "one", "five"]
    assert rows[1]["neighbors"] == {"ids": [], "distances": []} and {
        rows[1][name] for name in ("x", "y", "vector")
    } == {None}
    np.testing.assert_array_equal(rows[0]["vector"], matrix[1])
    units = to_unit(matrix[[1, 0, 4]])
    found = nearest_rows(units, units[:1], 3)
    assert rows[0]["neighbors"]["ids"] == [[0, 2, 3][row] for row in found.rows[0, 1:]]
    np.testing.assert_allclose(rows[0]["neighbors"]["distances"], 1 - found.cosines[0, 1:], atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_maps_keep_what_is_near(layout: str) -> None:
    """Witness: scikit-learn's trustworthiness: three groups of vectors stay groups; the same map twice."""
    if layout == "umap":
        pytest.importorskip("umap", reason="the extra maps is not installed")
    draw = np.random.default_rng(0)
    units = to_unit((np.repeat(np.eye(3, 12), 15, axis=0) * 4 + draw.normal(size=(45, 12)) * 0.3).astype(np.float32))
    places = lay_out(units, layout, "s")
    assert places.shape == (45, 2) and places.dtype == np.float32 and trustworthiness(units, places) > 0.85
    np.testing.assert_array_equal(places, lay_out(units, layout, "s"))


def test_a_page_is_served_to_this_machine_only() -> None:
    """Witness: http.client: the page, nothing else, no other host's name; the socket is that of loopback."""
    server = page_server("<p>ñ</p>", 0)
    assert server.server_address[0] == "127.0.0.1"
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        answers = []
        for path, host in (("/", None), ("/etc", None), ("/", "evil.example")):
            connection = HTTPConnection("127.0.0.1", server.server_port)
            connection.request("GET", path, headers={"Host": host} if host else {})
            answer = connection.getresponse()
            answers.append((answer.status, answer.read()))
            connection.close()
        server.shutdown()
        thread.join()
    assert answers[0] == (200, "<p>ñ</p>".encode()) and [status for status, _ in answers[1:]] == [404, 403]


def test_the_program_of_the_page_is_made_of_its_sources() -> None:
    """Witness: SHA-256 of ``web/``: who changes it builds it, too (``npm ci && npm run build``)."""
    digest = hashlib.sha256()
    for path in [*sorted((WEB / "src").iterdir()), WEB / "package-lock.json"]:
        digest.update(path.read_bytes())
    assert (FOLDER / "explore.js").read_text().startswith(f"/* {digest.hexdigest()} */")
    lock = json.loads((WEB / "package-lock.json").read_text())["packages"]
    licences = (FOLDER / "LICENCES.txt").read_text()
    for folder, package in lock.items():
        if folder and not package.get("dev"):
            assert f"{folder.rpartition('node_modules/')[2]} {package['version']} (" in licences


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["v.txt", "--out", "page.txt"], "page.txt: this is no name for an HTML page"),
        (["v.txt", "--out", "there.html"], "there.html: the output file exists"),
        (["v.txt", "--out", "p.html", "--words", "w.txt", "--texts", "w.txt"], "words or texts, one of the two"),
        (["v.txt", "--out", "p.html", "--words", "empty.txt"], "empty.txt: a file without words or texts"),
        (
            ["v.txt", "--out", "p.html", "--words", "other.txt"],
            "v: too little for a map; got '0 with a vector",
        ),
        (["v.txt", "--out", "p.html", "--map", "pcs"], "--map: unknown map; got 'pcs'"),
        (["v.txt", "--out", "p.html", "--map", "pca,pca"], "--map: one map twice"),
        (["v.txt", "--out", "p.html", "--points", "300000"], "--points"),
        (["v.txt", "--out", "p.html", "--columns", "c.csv"], "c.csv: the table names none of the terms; got 'Zed'"),
        (
            ["v.txt", "--out", "p.html", "--columns", "list.jsonl"],
            "list.jsonl:1: a row without a word or a text; got [1]",
        ),
        (["v.txt", "--out", "p.html", "--parquet", "p.csv"], "--parquet: no name for a Parquet file"),
        (["v.txt", "one.txt", "--out", "p.html"], "one: too little for a map; got '3 with a vector of 1 numbers'"),
        (
            [".", "--out", "p.html"],
            ".: a model has no list of words of its own; allowed: with --words FILE or --texts FILE",
        ),
        (["v.txt", "--out", "p.html", "--serve", "--port", "70000"], "--port"),
    ],
)
def test_bad_input(argv: list[str], message: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad input: one sentence, exit code 2, nothing written."""
    files = {
        "v.txt": "a 1 2\nb 2 1\nc 3 1\n", "one.txt": "a 1\nb 2\nc 3\n", "w.txt": "a\nb\n", "other.txt": "x\n",
        "empty.txt": "\n",
        "there.html": "", "c.csv": "word,k\nZed,1\n", "list.jsonl": '{"word": [1]}\n',
    }  # fmt: skip
    for name, text in files.items():
        Path(name).write_text(text)
    assert main(["embed", "explore", *argv]) == 2
    assert message in capsys.readouterr().err and {path.name for path in here.iterdir()} == {*files}
