"""Damaged and mutated input of every kind: each is refused with a sentence, or read; nothing else may come of it.

    python bench/fuzz.py [--cases 5000] [--seed 1] [--only NAME] [--json]

A valid sample of every file that is read (tables, texts, archives, images, vectors, recipes, and the files of corpora,
checkpoints and models), and of the command line, is changed at random: bytes are turned, cut out, put in, repeated,
numbers made large, the end cut off. A case fails where anything but a BadInput is raised. Of folders that have checksums
(``whole``: a corpus, a checkpoint, a finished run) a changed file must be named, or the result be that of the unchanged one.
"""

import argparse
import contextlib
import gzip
import io
import json
import random
import shutil
import sys
import tarfile
import tempfile
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from warmstart.base.checksums import FILE as SUMS
from warmstart.base.console import set_quiet, silence
from warmstart.base.errors import BadInput
from warmstart.cli.command import read_command
from warmstart.cli.verbs import VERBS
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.corpora.corpus import Corpus
from warmstart.readers.documents import read_documents
from warmstart.readers.images import read_image_rows
from warmstart.readers.word_vectors import read_word_vectors
from warmstart.run.loading import load_run
from warmstart.tasks.dataset import read_task
from warmstart.train.checkpoint import save
from warmstart.train.checkpoints import find_newest
from warmstart.verbs.api import finetune, prepare

ROWS = [{"text": f"a {word} film, {n}", "label": word} for n, word in enumerate(("good", "bad", "good", "bad"))]
SQUAD = {"data": [{"title": "t", "paragraphs": [{"context": "Ada wrote it.", "qas": [
    {"id": "1", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}]}]}]}  # fmt: skip
CONLL = "EU B-ORG\nrejects O\ncalls O\n\nPeter B-PER\nsleeps O\n\n"
CONLLU = (
    "# text = Dogs bark\n1\tDogs\tdog\tNOUN\tNNS\t_\t2\tnsubj\t_\t_\n2\tbark\tbark\tVERB\tVBP\t_\t0\troot\t_\t_\n\n"
)
RECIPE = (
    "start: none\nmodel: gpt1-tiny\ntask: {name: classification, train: a.jsonl}\ntrain: {length: 2 steps, seed: 3}\n"
)
WORDS = (
    "finetune --start none --task classification --train a.jsonl --dev b.jsonl --out o --lr 1e-4 --seeds 2 --length 3",
    "pretrain --corpus text --out o --model gpt1-mini --objective masked --mask-share 0.2 --batch-size 8 --set train.seed=3",
    "predict --run r --input - --output - --stride 32 --label-map a=b,c=d",
    "evaluate --run r --data d --columns text=review --bad-rows skip --metrics bleu --json",
    "prepare text --vocab-size 300 --clean ftfy,lower --workers 2 --out c",
    "generate --run r --prompt hello --temperature 0.7 --top-k 5 --max-new 20 --stop end",
)
BIG = (b"99999999999999999999", b"-1", b"1e999", b"NaN", b"null", b"[]", b"{}", b'""', b"\xff\xfe", b"\x00", b"9" * 400)


class Target(NamedTuple):
    """A kind of input: its file, what reads it, and, where a folder has checksums, that all is well in it."""

    name: str
    path: Path
    read: Callable[[], Any]
    whole: bool = False


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to three changes at random."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        stop = min(len(data), at + rng.randint(1, 1 + len(data) // 4))
        change = rng.randrange(6)
        if change == 0 and at < len(data):
            data = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        elif change == 1:
            data = data[:at]
        elif change == 2:
            data = data[:at] + data[stop:]
        elif change == 3:
            data = data[:at] + data[at:stop] * 2 + data[stop:]
        elif change == 4:
            data = data[:at] + rng.choice(BIG) + data[at:]
        else:
            data = data[:at] + rng.choice(BIG) + data[stop:]
    return data


def damage(data: bytes, rng: random.Random) -> bytes:
    """A byte flip or a truncation."""
    if rng.random() < 0.3:
        return data[: rng.randrange(len(data))]
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ rng.randint(1, 255)]) + data[at + 1 :]


def file_targets(home: Path) -> list[Target]:
    """Files of a person's own."""
    import pyarrow
    import pyarrow.parquet

    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    table = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), table)
    picture, images, vectors, archive = io.BytesIO(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(picture, "PNG")
    np.savez(images, images=np.zeros((2, 4, 4, 3), np.uint8), labels=np.array([0, 1]))
    np.savez(vectors, words=np.array(["a", "b"]), vectors=np.zeros((2, 3), np.float32))
    with tarfile.open(fileobj=archive, mode="w") as file:
        member = tarfile.TarInfo("one.txt")
        member.size = 5
        file.addfile(member, io.BytesIO(b"hello"))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as packed:
        packed.writestr("one.txt", "hello")
    samples: list[tuple[str, bytes, Callable[[str], Any]]] = [
        ("rows.jsonl", lines, _rows("classification")),
        ("rows.json", json.dumps(ROWS).encode(), _rows("classification")),
        ("rows.jsonl.gz", gzip.compress(lines), _rows("classification")),
        ("rows.csv", b"text,label\na,x\n\"b, c\",y\n", _rows("classification")),
        ("rows.tsv", b"text\tlabel\na\tx\nb\ty\n", _rows("classification")),
        ("rows.parquet", table.getvalue(), _rows("classification")),
        ("words.conll", CONLL.encode(), _rows("tagging")),
        ("words.conllu", CONLLU.encode(), _rows("tagging")),
        ("squad.json", json.dumps(SQUAD).encode(), _rows("span")),
        ("text.txt", "Zoë’s café.\n\nSecond.".encode(), lambda p: [list(d.chunks) for d in read_documents([p])]),
        ("docs.jsonl", b'{"text": "one"}\n{"text": "two"}\n', lambda p: [list(d.chunks) for d in read_documents([p])]),
        ("docs.tar", archive.getvalue(), lambda p: [list(d.chunks) for d in read_documents([p])]),
        ("pictures.npz", images.getvalue(), lambda p: list(read_image_rows(p, needs_class=False))),
        ("picture.png", picture.getvalue(), lambda p: list(read_image_rows(p, needs_class=False))),
        ("vectors.txt", b"2 3\na 1 2 3\nb 4 5 6\n", read_word_vectors),
        ("vectors.bin", b"2 2\na " + bytes(8) + b"\nb " + bytes(8) + b"\n", read_word_vectors),
        ("vectors.npz", vectors.getvalue(), read_word_vectors),
        ("recipe.yaml", RECIPE.encode(), lambda p: compose(FinetuneRecipe, recipe=p)),
    ]  # fmt: skip
    targets = []
    for name, data, read in samples:
        (home / name).write_bytes(data)
        targets.append(Target(name, home / name, lambda read=read, path=str(home / name): read(path)))  # type: ignore[misc]
    return targets


def _rows(kind: str) -> Callable[[str], Any]:
    return lambda path: read_task(kind, path)


def folder_targets(home: Path) -> list[Target]:
    """The files of a corpus, a checkpoint and a finished run; of the run also without its checksums."""
    (home / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS * 3), encoding="utf-8")
    train, corpus, run, bare, saved = (home / name for name in ("train.jsonl", "corpus", "run", "bare", "resume"))
    (home / "source.txt").write_text("some words of a text. " * 40, encoding="utf-8")
    prepare([str(home / "source.txt")], str(corpus), vocab_size=270, workers=1)
    finetune(
        str(run), start="none", tokenizer=str(corpus), model="gpt1-tiny", task="classification", train=str(train),
        dev=str(train), length="1 step", retries=0, precision="fp32", batch_size=4,
    )  # fmt: skip
    shutil.copytree(run, bare)
    (bare / SUMS).unlink()
    for step in (2, 4):
        save(saved, step, {"a": torch.arange(50.0)}, {"tokens": step})
    newest = saved / "step-000000004"

    def checkpoint() -> tuple[int, list[float]]:
        found = find_newest(saved)
        assert found is not None
        if found.state["step"] == 2:  # the newest was named, and the one before is taken
            raise BadInput("damaged", where=str(newest))
        return found.state["step"], found.tensors["a"].tolist()

    def verified() -> tuple[list[int], int]:
        found = Corpus.open(corpus, verify=True)
        return found.tokens(0, found.num_tokens).tolist(), found.tokenizer().vocab_size

    def answer() -> list[Any]:
        loaded = load_run(run)
        weights = {name: tensor.numpy().tobytes() for name, tensor in loaded.model.state_dict().items()}
        return [weights, loaded.tokenizer.fingerprint, loaded.metadata.model_dump()]

    whole = [Target(f"corpus/{p.name}", p, verified, True) for p in sorted(corpus.iterdir())]
    whole += [Target(f"checkpoint/{p.name}", p, checkpoint, True) for p in sorted(newest.iterdir())]
    files = [name for name in MODEL_FILES if (run / name).is_file()]
    whole += [Target(f"run/{name}", run / name, answer, True) for name in files]
    return whole + [Target(f"bare/{name}", bare / name, lambda: load_run(bare)) for name in files if name != SUMS]


MODEL_FILES = ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "warmstart.json", SUMS)


def fault(target: Target, data: bytes, expected: Any) -> str | None:
    """What is wrong with how a changed file is taken; ``None`` where nothing is."""
    before = target.path.read_bytes()
    target.path.write_bytes(data)
    try:
        found = target.read()
    except BadInput as error:
        return None if not target.whole or target.path.parent.name in str(error) else f"another file is named: {error}"
    except Exception:
        return traceback.format_exc().strip()[-1500:]
    finally:
        target.path.write_bytes(before)
    return "a wrong result" if target.whole and found != expected else None


def command_fault(rng: random.Random) -> str | None:
    """The same of a command line."""
    words = rng.choice(WORDS).split()
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(1, len(words))
        words[at : at + rng.randint(0, 1)] = [mutate(rng.choice(words).encode(), rng).decode("utf-8", "replace")]
    verb = VERBS[words[0]]
    try:
        read_command(verb, words[1:])
    except (BadInput, SystemExit):
        return None
    except Exception:
        return f"{words}\n{traceback.format_exc().strip()[-1500:]}"
    return None


def run(cases: int, seed: int, only: str = "") -> dict[str, Any]:
    """{"cases", "damaged": changes of whole folders, "faults": the first of each kind of input}."""
    rng, faults, damaged, count = random.Random(f"fuzz {seed}"), dict[str, str](), 0, 0  # noqa: S311
    with tempfile.TemporaryDirectory() as folder, silence(), contextlib.redirect_stdout(io.StringIO()):
        home = Path(folder)
        targets = [t for t in file_targets(home) + folder_targets(home) if t.name.startswith(only)]
        expected = {target.name: target.read() for target in targets if target.whole}
        while count < cases:
            for target in targets:
                change = damage if target.whole else mutate
                found = fault(target, change(target.path.read_bytes(), rng), expected.get(target.name))
                count, damaged = count + 1, damaged + target.whole
                if found is not None:
                    faults.setdefault(target.name, found)
            for _ in range(0 if only else len(targets) // 4):
                count += 1
                if (found := command_fault(rng)) is not None:
                    faults.setdefault("the command line", found)
                set_quiet(True)  # which a command line may have ended
    return {"cases": count, "damaged": damaged, "faults": faults}


def main() -> None:
    """Prints the counts and the first fault of each kind of input; exit code 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="inputs whose name begins so")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found = run(asked.cases, asked.seed, asked.only)
    if asked.json:
        print(json.dumps({"ours": found, "peers": {}, "ratios": {}, "unit": "cases"}))
    else:
        print(f"{found['cases']:,} cases, {found['damaged']:,} of them damage in folders with checksums")
        for name, what in found["faults"].items():
            print(f"\n{name}\n{what}")
    sys.exit(bool(found["faults"]))


if __name__ == "__main__":
    main()
