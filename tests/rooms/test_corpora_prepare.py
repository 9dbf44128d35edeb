"""Preparation: the tokenizers library on whole texts as witness; same bytes for any workers; kills, bad text, full disk."""

import contextlib
import fcntl
import gzip
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import tokenizers
import zstandard

from warmstart.base import worker_process
from warmstart.base.errors import BadInput, WarmstartError
from warmstart.config.load import compose
from warmstart.config.requests import PrepareRequest
from warmstart.corpora import scan
from warmstart.corpora.corpus import Corpus
from warmstart.corpora.jobs import Chunk, Encoding, clean_chunk, encode_texts, split_jobs
from warmstart.corpora.prepare import prepare
from warmstart.corpora.settings import PrepareSettings
from warmstart.corpora.workers import job_runner
from warmstart.corpora.writer import CorpusWriter, partial_folder
from warmstart.readers.documents import MAX_CHUNK_CHARS, read_documents
from warmstart.text.clean import clean
from warmstart.text.special_tokens import END
from warmstart.text.tokenizer import TASK_TOKENS, Tokenizer

WORDS = [
    "the",
    "harbour",
    "lay",
    "quiet",
    "naïve",
    "café",
    "under",
    "don't",
    "first",
    "light,",
    "12",
    "<|endoftext|>",
    "日本",
]


def text_of(num_words: int, seed: int = 0) -> str:
    """Words with all kinds of blanks between them."""
    rng = np.random.default_rng(seed)
    words = rng.choice(WORDS, num_words)
    blanks = rng.choice([" ", " ", " ", "  ", "\n", "\n\n", "\n   ", " \n"], num_words)
    return "".join(word + blank for word, blank in zip(words, blanks, strict=True))


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small tokenizer."""
    folder = tmp_path_factory.mktemp("vocabulary")
    Tokenizer.train([text_of(3000)], 400).save(folder)
    return folder


def settings(source: Path | str, out: Path, vocabulary: Path | None = None, **more: Any) -> PrepareSettings:
    given = str(vocabulary) if vocabulary else None
    return PrepareSettings(paths=(str(source),), out=str(out), tokenizer=given, **{"workers": 1, **more})


def write_rows(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    return path


def texts_of(corpus: Corpus) -> list[list[int]]:
    bounds = [int(i) for i in corpus.offsets]
    return [corpus.tokens(a, b).tolist() for a, b in itertools.pairwise(bounds)]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def refused(wanted: PrepareSettings) -> str:
    with pytest.raises(BadInput) as caught:
        prepare(wanted)
    return str(caught.value)


def test_ids_are_those_of_the_tokenizers_library_for_each_whole_document(vocabulary: Path, tmp_path: Path) -> None:
    """Witness: tokenizers.Tokenizer.encode of each document at once; one document is longer than a chunk."""
    texts = ["short", text_of(250_000), "", text_of(50), " \n "]
    corpus = prepare(settings(write_rows(tmp_path / "t.jsonl", texts), tmp_path / "c", vocabulary))
    library = tokenizers.Tokenizer.from_file(str(vocabulary / "tokenizer.json"))
    library.encode_special_tokens = True
    end = library.token_to_id(END)
    expected = [[*library.encode(t, add_special_tokens=False).ids, end] for t in texts if t]
    assert len(texts[1]) > MAX_CHUNK_CHARS
    assert texts_of(corpus) == expected
    assert [corpus.tokenizer().decode(ids) for ids in expected] == [t for t in texts if t]
    m = corpus.manifest
    assert (m.num_documents, m.empty_documents, m.num_tokens) == (4, 1, sum(map(len, expected)))
    assert m.text_bytes == sum(len(t.encode()) for t in texts)
    assert (m.dtype, m.vocab_size, m.vocab_text_bytes) == ("uint16", None, None)


@pytest.mark.parametrize("rules", [(), ("unwrap", "whitespace")])
def test_the_same_bytes_for_any_number_of_workers(
    rules: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: byte equality of all files, the learned vocabulary included; decoding gives the cleaned text."""
    monkeypatch.setattr("warmstart.corpora.jobs.JOB", 1 << 15)
    monkeypatch.setattr("warmstart.corpora.prepare.JOB", 1 << 15)
    texts = [text_of(n, n) for n in (30, 20_000, 7, 2)] + [text_of(40, i) for i in range(1000)]
    source = write_rows(tmp_path / "t.jsonl", texts)
    made = [prepare(settings(source, tmp_path / f"c{n}", None, workers=n, clean=rules, vocab_size=300)) for n in (1, 2)]
    assert contents(tmp_path / "c1") == contents(tmp_path / "c2")
    assert made[0].fingerprint == made[1].fingerprint
    tokenizer = made[1].tokenizer()
    short = [tokenizer.decode(ids) for ids in texts_of(made[1])[-1000:]]
    assert short == [clean(t, rules) for t in texts[-1000:]]
    assert made[1].manifest.vocab_text_bytes == made[1].manifest.text_bytes


def test_workers_do_the_same_as_one_process(vocabulary: Path) -> None:
    """Witness: the same functions called here; more workers than cores, fewer jobs than workers."""
    jobs = [[Chunk(text_of(20, i), True, True), Chunk("x", True, False)] for i in range(2)]
    with job_runner(3, ["gpt1"], vocabulary) as work:
        done = list(work(jobs))
    tokenizer = Tokenizer.load(vocabulary)
    for job, result in zip(jobs, done, strict=True):
        expected = encode_texts([clean(p.text, ["gpt1"]) for p in job], tokenizer)
        assert result.encoding is not None
        assert result.encoding.ids.tolist() == expected.ids.tolist()
        assert (result.encoding.counts, result.encoding.text_bytes) == (expected.counts, expected.text_bytes)
        assert result.chunks == job


def test_a_worker_that_dies_is_reported_and_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the operating system: after the block every process that was started has been waited for."""
    started = []
    start = subprocess.Popen

    def noted(*args: Any, **more: Any) -> Any:
        started.append(start(*args, **more))
        return started[-1]

    monkeypatch.setattr(worker_process.subprocess, "Popen", noted)
    with pytest.raises(WarmstartError, match="a worker process stopped"), job_runner(2, ["gpt1"], None) as work:
        started[1].kill()
        list(work([[Chunk("text", True, True)]] * 4))
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)
    with pytest.raises(WarmstartError, match="KeyError: 'nonsense'"), job_runner(2, ["nonsense"], None) as work:
        list(work([[Chunk("text", True, True)]]))


def test_the_blank_at_a_cut_survives_rules_that_strip(tmp_path: Path) -> None:
    """Witness: the words of the whole text."""
    text = text_of(250_000)
    (tmp_path / "t.txt").write_text(text)
    [*jobs] = split_jobs(read_documents([str(tmp_path / "t.txt")]))
    chunks = [chunk for job in jobs for chunk in job]
    assert [(p.first, p.last) for p in chunks] == [(True, False), *[(False, False)] * (len(chunks) - 2), (False, True)]
    assert "".join(clean_chunk(p, ["whitespace"]) for p in chunks).split() == text.split()
    assert "".join(clean_chunk(p, []) for p in chunks) == text


def test_packed_and_tabled_text_gives_the_same_ids(vocabulary: Path, tmp_path: Path) -> None:
    """Witness: plain files; gzip, zstandard and pyarrow packed them."""
    texts = [text_of(60, i) for i in range(5)]
    plain = write_rows(tmp_path / "a.jsonl", texts)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    (tmp_path / "c.jsonl.zst").write_bytes(zstandard.compress(plain.read_bytes()))
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), tmp_path / "d.parquet")
    for i, text in enumerate(texts):
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "folder" / f"{i}.txt").write_text(text)
    names = ("a.jsonl", "b.jsonl.gz", "c.jsonl.zst", "d.parquet", "folder")
    prints = {prepare(settings(tmp_path / n, tmp_path / f"out-{n}", vocabulary)).fingerprint for n in names}
    assert len(prints) == 1


def test_standard_input(vocabulary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the same text in a file; the source is recorded as ``-``."""
    text = text_of(50)
    (tmp_path / "a.txt").write_text(text)
    expected = prepare(settings(tmp_path / "a.txt", tmp_path / "file", vocabulary))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    corpus = prepare(settings("-", tmp_path / "stdin", vocabulary))
    assert corpus.fingerprint == expected.fingerprint
    assert [(s.path, s.bytes) for s in corpus.manifest.sources] == [("-", len(text.encode()))]


def test_a_vocabulary_is_learned_from_an_evenly_spread_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: the share that was taken, counted here, in each tenth of the text; and corpus.json says how much."""
    jobs = [[Chunk("x" * 100, True, True) for _ in range(10)] for _ in range(100)]
    taken = [sum(len(p.text) for p in job) for job in scan.sample_evenly(jobs, 100_000, 30_000)]
    assert abs(sum(taken) - 30_000) <= 100
    assert all(abs(sum(taken[i : i + 10]) - 3_000) <= 100 for i in range(0, 100, 10))
    assert [len(job) for job in scan.sample_evenly(jobs, 100_000, 200_000)] == [10] * 100
    monkeypatch.setattr("warmstart.corpora.prepare.SAMPLE_BYTES", 20_000)
    texts = [text_of(100, i) for i in range(200)]
    corpus = prepare(settings(write_rows(tmp_path / "t.jsonl", texts), tmp_path / "c", vocab_size=300))
    assert corpus.manifest.text_bytes > 100_000
    assert corpus.manifest.vocab_text_bytes is not None
    assert 18_000 < corpus.manifest.vocab_text_bytes < 22_000


def test_prepared_again_the_corpus_is_kept_and_another_is_never_overwritten(
    vocabulary: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: the bytes and times of the files before and after."""
    source = write_rows(tmp_path / "t.jsonl", [text_of(40)])
    out = tmp_path / "c"
    first = prepare(settings(source, out, vocab_size=300))
    before = {p: p.stat().st_mtime_ns for p in out.iterdir()}
    assert prepare(settings(source, out, vocab_size=300, workers=2)).fingerprint == first.fingerprint
    assert "made before from the same text in the same way" in capsys.readouterr().err
    where = f"{out}: the output folder holds a corpus made in another way (different: "
    end = "); choose another --out, or remove it."
    assert refused(settings(source, out, vocab_size=301)) == f"{where}vocabulary{end}"
    assert refused(settings(source, out, vocab_size=300, clean=("ftfy",))) == f"{where}cleaning{end}"
    assert refused(settings(source, out, vocabulary)) == f"{where}vocabulary, tokenizer{end}"
    write_rows(source, [text_of(41)])
    assert refused(settings(source, out, vocab_size=300)) == f"{where}text{end}"
    assert {p: p.stat().st_mtime_ns for p in out.iterdir()} == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("x")
    assert refused(settings(source, other)).startswith(
        f"{other}: the output folder holds something else; choose another"
    )
    assert contents(other) == {"thesis.tex": b"x"}
    assert refused(settings(source, other / "thesis.tex")).startswith(
        f"{other / 'thesis.tex'}: the output folder holds"
    )


def test_bad_input_is_found_before_anything_is_written(vocabulary: Path, tmp_path: Path) -> None:
    """Witness: the sentence, and the folder as it was: not even the place for the corpus has been made."""
    source = write_rows(tmp_path / "t.jsonl", [text_of(20)])
    with source.open("ab") as file:
        file.write(b'{"text": "caf\xe9"}\n')
    (tmp_path / "blank.txt.gz").write_bytes(gzip.compress(b""))
    out = tmp_path / "deep" / "corpus"
    assert refused(settings(source, out)).startswith(f"{source}:2: not utf-8 text")
    assert refused(settings(tmp_path / "no/t.txt", out)) == f"{tmp_path / 'no/t.txt'}: file not found; check the path."
    assert "no text in the input" in refused(settings(tmp_path / "blank.txt.gz", out))
    assert "did you mean 'ftfy'" in refused(settings(source, out, clean=("ftyf",)))
    assert "--encoding: unknown encoding" in refused(settings(source, out, encoding="utf-9"))
    with pytest.raises(BadInput, match=r"--vocab-size: out of range; got '256'; allowed: a whole number >= 257"):
        compose(PrepareRequest, flags={"TEXT": [str(source)], "--out": str(out), "--vocab-size": "256"})
    with pytest.raises(BadInput, match="--vocab-size: vocabulary too small; got 256; allowed: >= 257"):
        Tokenizer.train(["a b"], 256)
    assert "there is no tokenizer here" in refused(settings(source, out, tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["blank.txt.gz", "t.jsonl"]


def test_a_vocabulary_without_an_end_gets_one(tmp_path: Path) -> None:
    """Witness: the tokens as stored: documents end with BERT's [SEP], or with a token put behind the vocabulary."""
    source = write_rows(tmp_path / "t.jsonl", ["a b", "b"])
    for name, pieces, end in (
        ("bert", ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"], 3),
        ("bare", ["[UNK]", "a", "b"], 3),
    ):
        (tmp_path / name).mkdir()
        backend = tokenizers.Tokenizer(
            tokenizers.models.WordPiece({p: n for n, p in enumerate(pieces)}, unk_token="[UNK]")
        )
        backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        backend.save(str(tmp_path / name / "tokenizer.json"))
        corpus = prepare(settings(source, tmp_path / f"{name}-corpus", tmp_path / name))
        a, b = pieces.index("a"), pieces.index("b")
        assert corpus.tokens(0, 5).tolist() == [a, b, end, b, end]
        assert corpus.tokenizer().vocab_size == (len(pieces) if name == "bert" else len(pieces) + 1)


def test_a_text_that_cleaning_empties_is_refused_and_nothing_stays(vocabulary: Path, tmp_path: Path) -> None:
    """Witness: the folder afterwards."""
    source = write_rows(tmp_path / "t.jsonl", [" ", "\n\n"])
    assert "check the paths and the cleaning rules" in refused(
        settings(source, tmp_path / "c", vocabulary, clean=("whitespace",))
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.jsonl"]


SCRIPT = """
import os, resource, signal, sys
import warmstart.corpora.prepare as p
from warmstart.corpora.writer import CorpusWriter
source, out, vocabulary, when = sys.argv[1:]
if when == "rename":
    replace = os.replace
    os.replace = lambda a, b: os.kill(os.getpid(), signal.SIGKILL) if str(b) == out else replace(a, b)
elif when == "disk":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
elif when == "middle":
    add, calls = CorpusWriter.add, []
    def killed(self, *args):
        calls.append(add(self, *args))
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    CorpusWriter.add = killed
elif when == "interrupt":
    def add(self, *args):
        raise KeyboardInterrupt
    CorpusWriter.add = add
try:
    p.prepare(p.PrepareSettings(paths=(source,), out=out, tokenizer=vocabulary, clean=("whitespace",), workers=2))
except p.BadInput as error:
    print(error)
"""


def script(when: str, source: Path, out: Path, vocabulary: Path) -> subprocess.CompletedProcess[str]:
    """Runs a preparation in another process; returns only when all its workers, which share its output, are gone."""
    arguments = [sys.executable, "-c", SCRIPT, str(source), str(out), str(vocabulary), when]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("when", ["rename", "middle"])
def test_killed_at_any_moment_it_leaves_no_half_corpus(when: str, vocabulary: Path, tmp_path: Path) -> None:
    """Witness: SIGKILL in the middle and just before the last rename; then a run as if nothing had been."""
    source = write_rows(tmp_path / "t.jsonl", [text_of(110_000, i) for i in range(3)])
    out = tmp_path / "c"
    assert script(when, source, out, vocabulary).returncode == -signal.SIGKILL
    assert not out.exists()
    assert (tmp_path / ".c.partial" / "tokens.bin").exists()
    (tmp_path / ".c.partial" / "junk").write_text("left over")
    corpus = prepare(settings(source, out, vocabulary, clean=("whitespace",)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c", "t.jsonl"]
    assert "junk" not in contents(out)
    expected = [
        [*corpus.tokenizer().encode(clean(text_of(110_000, 2), ["whitespace"])), corpus.tokenizer().token_to_id(END)]
    ]
    assert corpus.num_documents == 3
    assert texts_of(corpus)[2:] == expected


def test_after_a_full_disk_and_an_interrupt_it_goes_on(vocabulary: Path, tmp_path: Path) -> None:
    """Witness: a limit on file size set by the operating system; KeyboardInterrupt as Ctrl-C raises it; no half corpus."""
    source = write_rows(tmp_path / "t.jsonl", [text_of(150_000)])
    out = tmp_path / "c"
    full = script("disk", source, out, vocabulary)
    assert full.stdout == (
        f"{out}: no space left on the disk, and what was there before is as it was; free some space, then run the same "
        "command again.\n"
    )
    assert script("interrupt", source, out, vocabulary).returncode == -signal.SIGINT
    assert sorted(p.name for p in tmp_path.iterdir()) == [".c.partial", "t.jsonl"]
    assert prepare(settings(source, out, vocabulary, clean=("whitespace",))).num_documents == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c", "t.jsonl"]


def test_what_is_finished_is_not_made_again(
    vocabulary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Witness: the corpus of an unbroken preparation, byte for byte; the jobs that are encoded after the interruption."""
    monkeypatch.setattr("warmstart.corpora.jobs.JOB", 1 << 12)
    monkeypatch.setattr("warmstart.corpora.writer.PART_JOBS", 4)
    source = write_rows(tmp_path / "t.jsonl", [text_of(1_000, number) for number in range(20)])
    whole = prepare(settings(source, tmp_path / "whole", None, vocab_size=300))
    encoded: list[int] = []

    def encode(texts: Sequence[str], tokenizer: Tokenizer) -> Encoding:
        if len(encoded) == 11:
            encoded.append(0)
            raise KeyboardInterrupt
        encoded.append(len(texts))
        return encode_texts(texts, tokenizer)

    monkeypatch.setattr("warmstart.corpora.workers.encode_texts", encode)
    with pytest.raises(KeyboardInterrupt):
        prepare(settings(source, tmp_path / "c", None, vocab_size=300))
    corpus = prepare(settings(source, tmp_path / "c", None, vocab_size=300))
    jobs = len(list(split_jobs(read_documents([str(source)], "utf-8"))))
    assert len(encoded) == 12 + jobs - 8  # two parts of four jobs were kept
    assert contents(corpus.folder) == contents(whole.folder)
    assert "going on" in capsys.readouterr().err


def test_what_is_left_of_an_interrupted_preparation_is_checked(
    vocabulary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: a byte that differs in what was kept: it is said and deleted, and the next run makes all of it."""
    monkeypatch.setattr("warmstart.corpora.jobs.JOB", 1 << 12)
    monkeypatch.setattr("warmstart.corpora.writer.PART_JOBS", 2)
    source = write_rows(tmp_path / "t.jsonl", [text_of(1_000, number) for number in range(5)])
    add = CorpusWriter.add

    def interrupted(self: CorpusWriter, *given: Any) -> None:
        add(self, *given)
        if self.num_jobs == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(CorpusWriter, "add", interrupted)
        prepare(settings(source, tmp_path / "c", vocabulary))
    path = tmp_path / ".c.partial" / "tokens.bin"
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    assert "what an interrupted preparation left is damaged" in refused(settings(source, tmp_path / "c", vocabulary))
    assert prepare(settings(source, tmp_path / "c", vocabulary)).num_documents == 5


def test_a_corpus_of_other_settings_begins_anew(vocabulary: Path, tmp_path: Path) -> None:
    """Invariant: what another preparation left serves none but its own text and settings."""
    source = write_rows(tmp_path / "t.jsonl", [text_of(50)])
    with pytest.raises(KeyboardInterrupt), partial_folder(tmp_path / "c", "another") as partial:
        partial.keep("scan", [100, 100])
        raise KeyboardInterrupt
    assert prepare(settings(source, tmp_path / "c", vocabulary)).num_documents == 1


def test_two_preparations_of_one_corpus_do_not_meet(vocabulary: Path, tmp_path: Path) -> None:
    """Witness: the operating system's lock, held here as another preparation would."""
    source = write_rows(tmp_path / "t.jsonl", [text_of(20)])
    (tmp_path / ".c.partial").mkdir()
    descriptor = os.open(tmp_path / ".c.partial", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    found = refused(settings(source, tmp_path / "c", vocabulary))
    os.close(descriptor)
    assert f"{tmp_path / '.c.partial'}: another preparation is writing this corpus; wait for it" in found
    prepare(settings(source, tmp_path / "c", vocabulary))


@contextlib.contextmanager
def traced() -> Iterator[list[int]]:
    """The peak of memory taken inside of the block."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_corpus(
    vocabulary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Witness: tracemalloc over a corpus of 0.6 MB and one of 2.4 MB, in small jobs."""
    monkeypatch.setattr("warmstart.corpora.jobs.JOB", 1 << 15)
    peaks = []
    for size in (1, 4):
        source = write_rows(tmp_path / f"{size}.jsonl", [text_of(1_000, 5)] * (80 * size))
        with traced() as peak:
            prepare(settings(source, tmp_path / f"c{size}", vocabulary))
        peaks += peak
    assert peaks[1] < peaks[0] + 0.5e6


def test_another_tokenizer_is_refused_by_fingerprint(vocabulary: Path, tmp_path: Path) -> None:
    """Witness: the sentence; a tokenizer with other specials is another tokenizer."""
    corpus = prepare(settings(write_rows(tmp_path / "t.jsonl", [text_of(20)]), tmp_path / "c", vocabulary))
    tokenizer = Tokenizer.load(vocabulary)
    corpus.check_tokenizer(tokenizer)
    other = tokenizer.with_special_tokens(TASK_TOKENS)
    with pytest.raises(BadInput) as caught:
        corpus.check_tokenizer(other)
    assert str(caught.value) == (
        f"{tmp_path / 'c'}: the corpus was made with another tokenizer; got 'fingerprint {other.fingerprint[:12]}'; "
        f"allowed: fingerprint {tokenizer.fingerprint[:12]}; prepare the text again with this tokenizer: "
        "warmstart prepare --tokenizer."
    )
