"""Choices per second and tokens per second of windowed perplexity, beside lm-evaluation-harness, on this machine.

    python bench/zeroshot.py [--layers 12] [--width 768] [--rows 16] [--rounds 5] [--json]

A random GPT-2 of 50,257 tokens judges rows shaped like HellaSwag's (a context of 30 to 60 words, four endings of 8 to 24)
and texts of four contexts in windows side by side. Ours is what ``warmstart zeroshot`` runs, the peer is ``lm_eval``'s
``hf`` backend, both in bfloat16 from the same folder, each in a process of its own and in turns (bench/pacing.py). Their
answers are compared before the race. Needs the extra ``bench``.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from pacing import Pace, Result, race, show

from warmstart.decode.packed import packed_softmax
from warmstart.models.model import Model
from warmstart.models.presets import preset
from warmstart.models.settings import ModelSettings
from warmstart.models.softmax import SCORED
from warmstart.run.loading import load_run
from warmstart.run.metadata import RunMetadata
from warmstart.run.writing import write_model
from warmstart.text.tokenizer import Tokenizer
from warmstart.zeroshot.likelihood import Pair
from warmstart.zeroshot.scorer import Scorer, token_model

CONTEXT, CHOICES, BATCH = 1024, 4, 16
WORDS = [
    f"{start}{end}" for start in ("ba", "do", "fe", "gu", "ki", "lo", "ma", "ne") for end in ("n", "rt", "sk", "ll")
]
PACKED = ExitStack()  # open while the process lives
COMPETITORS = ("ours", "lm_eval_hf_bf16")
Judge = Callable[[list[Pair]], list[float]]


def begin(home: Path, layers: int, width: int) -> None:
    """The model, of random weights: what they are costs no time."""
    tokenizer = Tokenizer.train([" ".join(WORDS)] * 4, 1000)
    size = {"layers": layers, "width": width, "heads": max(1, width // 64), "hidden": 4 * width}
    backbone = preset("gpt2", vocab_size=50_257, context=CONTEXT, init_std=0.1, **size)
    (home / "run").mkdir()
    write_model(
        home / "run", Model.fresh(ModelSettings(backbone=backbone), 1), tokenizer, RunMetadata(), "A benchmark."
    )


def words(rng: np.random.Generator, fewest: int, most: int) -> str:
    """Some words."""
    return " ".join(rng.choice(WORDS, rng.integers(fewest, most + 1)))


def rows(seed: int, number: int) -> list[Pair]:
    """The choices of some rows."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(number):
        context = words(rng, 30, 60)
        found += [Pair(context, f" {words(rng, 8, 24)}") for _ in range(CHOICES)]
    return found


def ours(home: Path) -> tuple[Judge, Callable[[str], float]]:
    """What ``warmstart zeroshot`` does."""
    loaded = load_run(home / "run", "bf16")
    model = token_model(loaded.language_model(), loaded.text, "run")
    scorer = Scorer(model, loaded.text, min_context=1)
    PACKED.enter_context(packed_softmax(model.model, SCORED))
    return lambda pairs: [one.total for one in scorer.score(pairs)], lambda text: scorer.score_text([text]).log_prob


def harness(home: Path) -> tuple[Judge, Callable[[str], float]]:
    """The same by lm-evaluation-harness."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=str(home / "run"), device="cpu", dtype="bfloat16", batch_size=BATCH)

    def asked(kind: str, arguments: tuple[str, ...]) -> Any:
        return Instance(kind, {}, arguments, 0)

    def judge(pairs: list[Pair]) -> list[float]:
        return [one for one, _ in model.loglikelihood([asked("loglikelihood", pair[:2]) for pair in pairs], True)]

    def judge_text(text: str) -> float:
        return float(model.loglikelihood_rolling([asked("loglikelihood_rolling", (text,))], True)[0])

    return judge, judge_text


def compete(name: str, what: str, home: Path, number: int) -> None:
    """Takes turns until the race is over."""
    judge, judge_text = {"ours": ours, "lm_eval_hf_bf16": harness}[name](home)
    tokenizer, pace = Tokenizer.load(home / "run"), Pace()
    for seed in count():
        if what == "choices":
            pace.step(number * CHOICES)
            judge(rows(seed, number))
        else:
            text = words(np.random.default_rng(seed), 2 * CONTEXT, 2 * CONTEXT)
            pace.step(len(tokenizer.encode(text)))
            judge_text(text)


def check(home: Path) -> None:
    """Stops where the two do not judge alike, as far as bfloat16 goes."""
    (judge, judge_text), (their, their_text) = ours(home), harness(home)
    pairs, text = rows(0, 2), words(np.random.default_rng(0), CONTEXT // 4, CONTEXT // 4)
    for mine, other in zip([*judge(pairs), judge_text(text)], [*their(pairs), their_text(text)], strict=True):
        if abs(mine - other) > 0.02 * abs(other):
            raise SystemExit(f"the likelihoods differ: {mine} and {other}")


def main() -> None:
    """Measures and prints two tables or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--rows", type=int, default=16, help="rows of a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--compete", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--home", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.compete == ["begin", "all"]:
        begin(Path(asked.home), asked.layers, asked.width)
        check(Path(asked.home))
        return
    if asked.compete:
        compete(*asked.compete, Path(asked.home), asked.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        me = [sys.executable, __file__, "--home", folder, "--layers", str(asked.layers), "--width", str(asked.width)]
        me += ["--rows", str(asked.rows), "--compete"]
        subprocess.run([*me, "begin", "all"], check=True)
        found = {
            what: race({name: [*me, name, what] for name in COMPETITORS}, asked.rounds, 1)
            for what in ("choices", "tokens")
        }
    _tell(found, as_json=asked.json)


def _tell(found: dict[str, Result], *, as_json: bool) -> None:
    if not as_json:
        for what, result in found.items():
            show([result], "ours", f"{what}/s")
        return
    told = {
        what: {
            "ours": result["ours"], "peers": {name: result[name] for name in COMPETITORS[1:]},
            "ratios": {name: result["ours"] / result[name] for name in COMPETITORS[1:]}, "unit": f"{what}/s",
            "peak_mb": result.peaks_mb,
        }
        for what, result in found.items()
    }  # fmt: skip
    print(json.dumps(told["choices"] | {"perplexity": told["tokens"]}))


if __name__ == "__main__":
    main()
