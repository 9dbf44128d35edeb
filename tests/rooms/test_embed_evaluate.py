"""Sources against tests: coverage, matched items, comparisons, and the figures that ETNLP itself printed."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.embed.etnlp import etnlp_lines, etnlp_result
from warmstart.embed.evaluate import evaluate_spaces
from warmstart.embed.groups import OddOneOut, odd_positions
from warmstart.embed.probes import KINDS, ProbeOptions
from warmstart.embed.similarity import read_scored_pairs
from warmstart.embed.space import Space, find_terms
from warmstart.readers.vector_table import WordVectors

STEPS = ("word", "lower", "joined", "number", "punctuation", "mean", "subwords", "characters")
data = pytest.mark.skipif("WARMSTART_DATA" not in os.environ, reason="needs real data")


def space(words: str, seed: int = 0, width: int = 5, characters: Space | None = None) -> Space:
    matrix = np.random.default_rng(seed).normal(size=(len(words.split()), width)).astype(np.float32)
    return Space(f"s{seed}", WordVectors(words.split(), matrix), characters)


def test_how_a_term_is_found() -> None:
    """Witness: the rule of each way, on a term that only this way finds; the vectors by hand."""
    own = space("the new_york ha noi <number> <punct>", characters=space("x y", 1, 3))
    terms = find_terms(own, ["the", "The", "New York", "3.5", "?!", "ha noi", "Ha_gone", "xyq", "gone"], STEPS)
    assert dict(terms.counts) == {
        "word": 1, "lower": 1, "joined": 1, "number": 1, "punctuation": 1, "mean": 2, "characters": 1, "none": 1
    }  # fmt: skip
    matrix = own.vectors.matrix
    np.testing.assert_allclose(terms.vectors_TD[terms.rows["ha noi"]], matrix[2:4].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(terms.vectors_TD[terms.rows["Ha_gone"]], matrix[2], rtol=1e-6)
    assert own.characters is not None
    letters = own.characters.vectors.matrix.mean(axis=0)
    np.testing.assert_allclose(terms.vectors_TD[terms.rows["xyq"]], [*letters, 0, 0], rtol=1e-6)
    assert terms.places_T.tolist() == [0, 0, 1, -1, -1, -1, -1, -1]


def test_values_are_over_what_is_covered_and_comparisons_over_what_all_cover(tmp_path: Path) -> None:
    """Witness: SciPy's Spearman over the pairs that each source has, and over those that both have."""
    pairs = [("a", "b", 3.0), ("b", "c", 1.0), ("c", "d", 2.0), ("a", "d", 5.0), ("a", "e", 4.0), ("b", "d", 0.5)]
    (tmp_path / "sim.txt").write_text("# people\n" + "".join(f"{x}\t{y}\t{score}\r\n" for x, y, score in pairs))
    test = KINDS["similarity"](str(tmp_path / "sim.txt"), ProbeOptions())
    spaces = [space("a b c d", 1), space("a b c d e", 2)]
    (result,) = evaluate_spaces(spaces, [test], STEPS)
    assert (result["items"], result["matched_items"]) == (6, 5)

    def rho(own: Space, kept: list[tuple[str, str, float]]) -> float:
        unit = own.vectors.matrix / np.linalg.norm(own.vectors.matrix, axis=1, keepdims=True)
        cosines = [unit[own.rows[x]] @ unit[own.rows[y]] for x, y, _ in kept]
        return float(stats.spearmanr(cosines, [score for *_, score in kept]).statistic)

    both = [pair for pair in pairs if "e" not in pair]
    first, second = (result["sources"][own.name] for own in spaces)
    assert first["covered"] == 5 and second["covered"] == 6
    assert first["metrics"]["spearman"] == pytest.approx(rho(spaces[0], both))
    assert second["metrics"]["spearman"] == pytest.approx(rho(spaces[1], pairs))
    assert second["matched"]["spearman"] == pytest.approx(rho(spaces[1], both))
    (comparison,) = result["comparisons"]
    assert comparison["difference"] == pytest.approx(rho(spaces[0], both) - rho(spaces[1], both))
    assert comparison["p_holm"] == comparison["p_permutation"]


def test_what_nobody_covers_has_no_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: the words by hand. Sources that share no item have no matched value, in the table a dash and in JSON null;
    a test or a word that no source knows is refused."""
    for name, words in (("royal", "king queen man"), ("wild", "lion tiger cat")):
        (tmp_path / f"{name}.vec").write_text("3 2\n" + "".join(f"{w} {n} 1\n" for n, w in enumerate(words.split())))
    sources = [str(tmp_path / "royal.vec"), str(tmp_path / "wild.vec")]
    (tmp_path / "sim.txt").write_text("king queen 9\nking man 4\nqueen man 3\n")
    given = ["embed", "evaluate", *sources, "--similarity", str(tmp_path / "sim.txt")]
    assert main([*given, "--json"]) == 0
    [test] = json.loads(capsys.readouterr().out)["tests"]
    assert test["matched_items"] == 0 and test["sources"]["wild"]["metrics"] == {"spearman": None}
    assert test["sources"]["royal"]["matched"] == {"spearman": None} and test["sources"]["royal"]["covered"] == 3
    assert main(given) == 0 and "–" in capsys.readouterr().out
    assert main(["embed", "evaluate", sources[1], "--similarity", str(tmp_path / "sim.txt")]) == 2
    assert "no source has the vectors that any item of this test needs" in capsys.readouterr().err
    assert main(["embed", "neighbours", *sources, "--words", "zebra", "--top", "1"]) == 2
    assert "no source has a vector of any of these words" in capsys.readouterr().err
    assert main(["embed", "neighbours", *sources, "--words", "zebra", "cat", "--top", "1"]) == 0


def test_clusters_and_odd_ones_out(tmp_path: Path) -> None:
    """Witness: two clouds far apart, so purity is 1 and every odd one is found; the definition of compactness by loops."""
    rng = np.random.default_rng(0)
    words = [f"{letter}{n}" for letter in "ab" for n in range(5)]
    centres = np.repeat([[1, 0, 0], [0, 1, 0]], 5, axis=0)
    own = Space("s", WordVectors(words, (centres + 0.1 * rng.normal(size=(10, 3))).astype(np.float32)))
    (tmp_path / "c.txt").write_text(
        "".join(f"{word}\t{word[0]}\n" for word in [*words, "gone"]).replace("gone\tg", "gone\ta")
    )
    (tmp_path / "o.txt").write_text("a0\na1\na2\n\nb0\nb1\n\nb2\nb3\n\na3\n")
    tests = [KINDS[kind](str(tmp_path / f"{kind[0]}.txt"), ProbeOptions()) for kind in ("categories", "outliers")]
    purity, odd = evaluate_spaces([own], tests, STEPS)
    assert purity["sources"]["s"]["metrics"] == {"purity": 1.0} and purity["sources"]["s"]["covered"] == 10
    assert odd["items"] == 3 and odd["sources"]["s"]["metrics"] == {"accuracy": 1.0, "opp": 1.0}

    mixed = space("p q r s t", 4)
    unit = mixed.vectors.matrix / np.linalg.norm(mixed.vectors.matrix, axis=1, keepdims=True)

    def compactness(left_out: int) -> float:
        rest = [n for n in range(5) if n != left_out]
        return float(sum(unit[i] @ unit[j] for i in rest for j in rest if i != j))

    place = sum(compactness(n) < compactness(4) for n in range(4)) / 4
    assert odd_positions(mixed, [OddOneOut(("p", "q", "r", "s"), "t")], STEPS).tolist() == [pytest.approx(place)]


def retrieval(home: Path, judged: str) -> str:
    """Texts of words, two queries, and which texts are right."""
    home.mkdir()
    texts = [{"_id": "d1", "title": "p", "text": "q"}, {"_id": "d2", "text": "r"}, {"_id": "d3", "text": "s t"}]
    queries = [{"_id": "q1", "text": "r s"}, {"_id": "q2", "text": "gone"}, {"_id": "q3", "text": "p"}]
    for name, rows in (("corpus", texts), ("queries", queries)):
        (home / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (home / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return str(home)


def test_queries_look_for_texts(tmp_path: Path) -> None:
    """Witness: the mean of the words of each text by hand, ranked by cosine; a query without a vector is not covered."""
    own = space("p q r s t", 4)
    vector = {word: row for word, row in zip(own.words, own.vectors.matrix, strict=True)}
    judged = "q1\td2\t1\nq1\td3\t2\nq2\td1\t1\nq3\td2\t0\n"
    test = KINDS["retrieval"](retrieval(tmp_path / "r", judged), ProbeOptions())
    [result] = evaluate_spaces([own], [test], STEPS)
    found = result["sources"][own.name]
    assert result["items"] == 2 and found["covered"] == 1
    query, texts = vector["r"] + vector["s"], ["pq", "r", "st"]
    means = [np.mean([vector[word] for word in text], axis=0) for text in texts]
    cosines = [float(query @ one / np.linalg.norm(one)) for one in means]
    order = np.argsort(cosines)[::-1].tolist()
    ranks, gains = [order.index(1) + 1, order.index(2) + 1], [1.0, 2.0]
    best = 2.0 + 1.0 / np.log2(3)
    dcg = sum(gain / np.log2(rank + 1) for rank, gain in zip(ranks, gains, strict=True))
    assert found["metrics"] == pytest.approx(
        {"ndcg@10": dcg / best, "mrr@10": 1 / min(ranks), "recall@10": 1.0, "recall@100": 1.0}
    )
    assert found["all"]["ndcg@10"] == pytest.approx(dcg / best / 2)


@pytest.mark.parametrize(
    ("judged", "message"),
    [
        ("q1\td9\t1\n", r"qrels.tsv:2: a judgement of what is not there; got 'd9'"),
        ("q1\td2\t0\n", "no text is judged right"),
        ("q1\td2\tyes\n", "no score; got 'yes'"),
    ],
)
def test_judgements_that_say_nothing_are_refused(judged: str, message: str, tmp_path: Path) -> None:
    """Bad input: what, where, the value."""
    with pytest.raises(BadInput, match=message):
        KINDS["retrieval"](retrieval(tmp_path / "r", judged), ProbeOptions())
    (tmp_path / "r" / "queries.jsonl").unlink()
    with pytest.raises(BadInput, match="a file of the test is missing"):
        KINDS["retrieval"](str(tmp_path / "r"), ProbeOptions())


def test_etnlp_counts_parts_of_the_answer_as_right(tmp_path: Path) -> None:
    """Witness: the rule of that tool by hand: a - b + d, substrings of ten characters, unknown lines as 0."""
    words = ["a", "b", "d", "Lan", "Thai_Lan", "z"]
    matrix = np.eye(6, dtype=np.float32)
    matrix[3] = matrix[0] - matrix[1] + matrix[2]
    own = Space("s", WordVectors(words, matrix))
    lines = ": | x\n"
    lines += "a | b | Thai_Lan | d\na | b | too long an answer | d\nq | b | a | d\na | b | Thai_Lan_is_far | q d\nbad\n"
    (tmp_path / "q.txt").write_text(lines)
    found = etnlp_result(own, etnlp_lines(str(tmp_path / "q.txt")))
    # all six words are candidates; parts of "Thai_Lan": Lan (1st), a (2nd), Thai_Lan and b, d, z by their cosine
    order = ["Lan", "a", "d", "Thai_Lan", "z", "b"]
    hits = [rank for rank, word in enumerate(order, 1) if word in "Thai_Lan"]
    precision = round(np.mean([(n + 1) / rank for n, rank in enumerate(hits)]), 6)
    assert found.precisions.tolist() == [precision, 0, 0, precision, 0]
    assert (found.num_unknown, found.num_phrases, found.num_phrase_answers) == (1, 1, 1)
    with pytest.raises(BadInput, match=r"q\.txt:1: a line before the first section"):
        etnlp_lines(str(_with(tmp_path / "q.txt", "a b c d\n")))


def _with(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@data
def test_etnlps_own_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """Witness: what ETNLP 0.1.3 prints for its four sources of 23 words and its Vietnamese analogies, on NumPy 2.4.

    Its crash on a phrase without a known word (its issue 8) was mended for that; such a line counts as unknown.
    """
    home = Path(os.environ["WARMSTART_DATA"])
    names = ("ELMO", "FastText", "W2V_C2V", "MULTI")
    files = [str(home / f"word_vectors/etnlp_vi/{name}_23.vec.gz") for name in names]
    analogies = str(home / "word_analogy/etnlp_vi_ner.txt.gz")
    assert main(["embed", "evaluate", *files, "--analogies", analogies, "--compat", "etnlp", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["etnlp"]
    expected = [0.0007416267942583732, 0.0008270676236044657, 0.0009888357256778307, 0.001063264114832536]
    assert [own["map@10"] for own in result["sources"].values()] == pytest.approx(expected, rel=1e-12)
    first, last = result["comparisons"][0], result["comparisons"][-1]
    assert (first["statistic"], first["p_value"]) == pytest.approx((-1.4311541550128546, 0.15248574458696101), rel=1e-9)
    assert (last["statistic"], last["p_value"]) == pytest.approx((-1.5463852003547292, 0.12211253252083952), rel=1e-9)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["v.txt"], "nothing to evaluate by; allowed: --analogies, --similarity, --categories, --outliers"),
        (["v.txt", "--similarity", "bad.txt"], "bad.txt:2: not a pair of words with a score; got 'a b'"),
        (["v.txt", "--categories", "bad.txt"], "bad.txt:1: not a word with its category; got 'a b 1'"),
        (["v.txt", "--outliers", "bad.txt"], "bad.txt: not topics with odd ones out; got '1 blocks of lines'"),
        (["v.txt", "--similarity", "sim.txt", "--find", "wrod"], "--find: unknown way to find a vector; got 'wrod'"),
        (["v.txt", "v.txt", "--similarity", "sim.txt"], "SOURCE: one source twice"),
        (["v.txt", "--similarity", "sim.txt", "--compat", "etnlp"], "--compat: this tool's figures are of analogies"),
        (["none.txt", "--similarity", "sim.txt"], "SOURCE: no such path; got 'none.txt'"),
        (["bad.txt", "--similarity", "sim.txt"], "bad.txt:1: not a vector; got 'b 1'; allowed: numbers"),
    ],
)
def test_bad_input(
    argv: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input: one sentence, exit code 2."""
    monkeypatch.chdir(tmp_path)
    Path("v.txt").write_text("a 1 2\nb 2 1\n")
    Path("sim.txt").write_text("a b 3\nb b 4\na a 1\n")
    Path("bad.txt").write_text("a b 1\na b\n")
    assert main(["embed", "evaluate", *argv]) == 2
    err = capsys.readouterr().err
    assert message in err and err.strip().splitlines()[-1].startswith("warmstart: ")


def test_a_file_of_pairs_may_have_blanks_or_tabs(tmp_path: Path) -> None:
    """Witness: the lines as they were written."""
    found = read_scored_pairs(str(_with(tmp_path / "p.txt", "new york\tcity\t3\n\na b 2.5\n")))
    assert [(one.first, one.second, one.score) for one in found] == [("new york", "city", 3.0), ("a", "b", 2.5)]


@pytest.mark.parametrize("score", ["nan", "inf", "1e999"])
def test_a_score_is_a_finite_number(tmp_path: Path, score: str) -> None:
    """Bad input: Python reads these as numbers, and a rank correlation of them is none."""
    path = tmp_path / "pairs.txt"
    path.write_text(f"king\tqueen\t3\ncat\tdog\t{score}\n")
    with pytest.raises(BadInput, match=r"pairs.txt:2: not a pair of words with a score"):
        read_scored_pairs(str(path))
