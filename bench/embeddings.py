"""Word vectors beside gensim, and sentence vectors beside sentence-transformers.

python bench/embeddings.py [--words 400000] [--width 300] [--questions 19544] [--encoder FOLDER] [--json]

Vectors and questions are made on the spot: random numbers of five decimals in word2vec's text form, questions over 905
distinct words as the Google set has them. All is processor time of one thread, loading from the disk's cache; gensim answers
``--peer-questions``, and its time is for as many as ours. With ``--encoder``, a folder of sentence-transformers, also the
vectors of ``--sentences``, in both number formats, by turns; differences are the largest of a number of a vector.
"""

import argparse
import contextlib
import io
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.embed.analogies import precision_at, rank_answers, read_analogies
from warmstart.embed.contextual import ContextualEncoder, EncoderOptions
from warmstart.embed.space import Space
from warmstart.readers.word_vectors import read_word_vectors

DISTINCT, STEPS = 905, ("word",)


def write_vectors(path: Path, words: int, width: int) -> None:
    """Random vectors in word2vec's text form."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(f"{words} {width}\n")
        for start in range(0, words, 10_000):
            rows = rng.normal(0, 0.3, (min(10_000, words - start), width))
            pattern = " ".join(["%.5f"] * width)
            file.writelines(f"w{start + n} {pattern % tuple(row)}\n" for n, row in enumerate(rows))


def write_questions(path: Path, count: int) -> None:
    """Questions of four different words among the first."""
    rng = np.random.default_rng(1)
    draws = (rng.choice(DISTINCT, 4, replace=False) for _ in range(count))
    path.write_text(": made\n" + "".join(" ".join(f"w{n}" for n in four) + "\n" for four in draws))


def timed(run: Callable[[], Any], clock: Callable[[], float]) -> tuple[float, Any]:
    """Seconds of ``clock``, and what came out."""
    start = clock()
    found = run()
    return clock() - start, found


def race_files(words: int, width: int, questions: int, peer_questions: int) -> dict[str, Any]:
    """Seconds of loading and of the analogies, here and in gensim, and whether both find the same."""
    from gensim.models import KeyedVectors

    with tempfile.TemporaryDirectory() as home:
        vectors, few, all_of_them = Path(home, "v.vec"), Path(home, "few.txt"), Path(home, "all.txt")
        write_vectors(vectors, words, width)
        write_questions(all_of_them, questions)
        write_questions(few, peer_questions)
        ours_load, found = timed(lambda: read_word_vectors(str(vectors)), time.process_time)
        peer_load, theirs = timed(lambda: KeyedVectors.load_word2vec_format(str(vectors)), time.process_time)
        equal = bool(np.array_equal(found.matrix, theirs.vectors))
        space, asked = Space("v", found), read_analogies(str(all_of_them))
        ours, ranks = timed(lambda: rank_answers(space, asked, STEPS), time.process_time)
        theirs.fill_norms()
        peer, (accuracy, _) = timed(
            lambda: theirs.evaluate_word_analogies(str(few), restrict_vocab=words), time.process_time
        )
        same = rank_answers(space, read_analogies(str(few)), STEPS)
    return {
        "load": {"ours": ours_load, "gensim": peer_load, "equal": equal},
        "analogies": {
            "ours": ours, "gensim": peer * questions / peer_questions, "questions": questions,
            "equal": bool(abs(float(precision_at(same, 1).mean()) - accuracy) < 1e-9), "answered": int((ranks > 0).sum()),
        },
    }  # fmt: skip


def race_sentences(folder: str, sentences: list[str]) -> dict[str, Any]:
    """Seconds for the sentences, the best of three turns of each side, how far each is from the peer in float32."""
    import torch
    from sentence_transformers import SentenceTransformer

    results: dict[str, Any] = {}
    exact = SentenceTransformer(folder, device="cpu").encode(sentences, show_progress_bar=False)
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with contextlib.redirect_stderr(io.StringIO()):
            theirs = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": dtype})
        ours = ContextualEncoder.load(folder, EncoderOptions(precision=name))
        both = (partial(ours.encode, sentences), partial(theirs.encode, sentences))
        turns = [tuple(timed(encode, time.process_time) for encode in both) for _ in range(3)]
        best = [min(turn[side][0] for turn in turns) for side in (0, 1)]
        off, peer_off = (float(np.abs(vectors - exact).max()) for _, vectors in turns[0])
        results[name] = {
            "ours": best[0],
            "sentence_transformers": best[1],
            "difference": off,
            "peer_difference": peer_off,
        }
    return results


def main() -> None:
    """Prints the table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=400_000)
    parser.add_argument("--width", type=int, default=300)
    parser.add_argument("--questions", type=int, default=19_544)
    parser.add_argument("--peer-questions", type=int, default=100)
    parser.add_argument("--encoder", default="")
    parser.add_argument("--sentences", default="", help="a text a line")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    results = race_files(given.words, given.width, given.questions, given.peer_questions)
    if given.encoder:
        results |= race_sentences(given.encoder, Path(given.sentences).read_text().split("\n"))
    if given.json:
        print(json.dumps(results))
        return
    for name, one in results.items():
        peer = one.get("gensim") or one["sentence_transformers"]
        rest = {key: value for key, value in one.items() if key.endswith(("equal", "difference"))}
        print(f"{name:<10} ours {one['ours']:8.2f} s   peer {peer:8.2f} s   {peer / one['ours']:6.1f} times   {rest}")


if __name__ == "__main__":
    main()
