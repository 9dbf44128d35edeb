"""A language model of a data set's own texts, fine-tuned as ULMFiT does it, beside a bag of words with the same labels.

    python bench/domain.py --data DIR --out FOLDER [--sets rt_polarity 20news dbpedia] [--share 0.25] [--seeds 3]
        [--text FILE …] [--lm-length "20 epochs"]

For each set and either direction, by the commands that a person would type:

1. ``prepare``: the training texts without labels, and those of ``--text``, as words;
2. ``pretrain --recipe recipes/pretrain/ulmfit_mini.yaml``: an AWD-LSTM on them, forward or backward;
3. ``finetune --recipe recipes/finetune/ulmfit_mini.yaml``: from it with ``--share`` of the labels, beside random weights and
   the baselines of docs/study.md, over ``--seeds`` seeds.

Then both directions answer the test set together (Howard and Ruder 2018, section 3.3). A step whose folder is finished is
not run again, and one that was stopped goes on. The table has accuracy on test: mean and standard deviation over seeds, what
the best baseline has, and the gain over it with its 95 % interval.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from warmstart.base.formatting import format_table
from warmstart.cli.main import main as warmstart
from warmstart.verbs.api import evaluate

RECIPES = Path(__file__).parents[1] / "recipes"
DIRECTIONS = {"forward": "causal", "backward": "backward"}


def step(verb: str, out: Path, done: str, words: list[str], more: list[str]) -> Path:
    """Runs a command unless its folder has the file ``done``; ``more``: what lets it go on where the folder has begun.

    Raises:
        SystemExit: it failed.
    """
    if not (out / done).is_file() and (
        code := warmstart([verb, *words, *(more if out.exists() else []), "--out", str(out)])
    ):
        sys.exit(code)
    return out


def run(args: argparse.Namespace, name: str) -> list[str]:
    """The row of one data set."""
    home, task = Path(args.out) / name, ["--task", name, "--data", f"{args.data}/{name}"]
    words = ["--vocabulary", "words", "--vocab-size", str(args.words), "--clean", "breaks,lower"]
    corpus = step("prepare", home / "text", "corpus.json", [*args.text, *task, *words], [])
    tuned = {}
    for direction, objective in DIRECTIONS.items():
        recipe = ["--recipe", str(RECIPES / "pretrain" / "ulmfit_mini.yaml"), "--objective", objective]
        length = ["--corpus", str(corpus), "--length", args.lm_length, "--set", f"corpus.vocab_size={args.words}"]
        start = step("pretrain", home / f"lm-{direction}", "report.json", [*recipe, *length], ["--resume"])
        recipe = ["--recipe", str(RECIPES / "finetune" / "ulmfit_mini.yaml"), "--start", str(start), *task]
        labels = ["--train-frac", str(args.share), "--seeds", str(args.seeds)]
        tuned[direction] = step("finetune", home / direction, "report.json", [*recipe, *labels], ["--resume"])
    return row(args, name, tuned)


def row(args: argparse.Namespace, name: str, tuned: dict[str, Path]) -> list[str]:
    """What both directions came to, alone and together, and the baselines."""
    reports = {direction: json.loads((path / "report.json").read_text()) for direction, path in tuned.items()}
    arms = [shown(report["pretrained"]["values"]) for report in reports.values()]
    both = evaluate(list(map(str, tuned.values())), f"{args.data}/{name}", task=name, split="test")
    forward = reports["forward"]
    best = forward["baselines"]
    return [
        name, *arms, f"{100 * both['metrics']['accuracy']:.1f}", shown(forward["scratch"]["values"]),
        f"{best['best']} {100 * best['each'][best['best']]['metrics']['accuracy']:.1f}", best["sentence"],
    ]  # fmt: skip


def shown(values: list[float]) -> str:
    """Mean and standard deviation in hundredths."""
    spread = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.fmean(values):.1f}{spread}"


def main() -> None:
    """Runs what is missing and shows the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--sets", nargs="+", default=["rt_polarity", "20news", "dbpedia"])
    parser.add_argument("--share", type=float, default=0.25, help="of the training labels")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--text", nargs="*", default=[], help="more text for the language models")
    parser.add_argument("--lm-length", default="20 epochs", help="of each language model")
    parser.add_argument("--words", type=int, default=10000, help="of the vocabulary")
    args = parser.parse_args()
    found: list[Any] = [run(args, name) for name in args.sets]
    heads = ["set", "forward", "backward", "both", "random weights", "best baseline", "gain (forward)"]
    print(format_table(heads, found), file=sys.stdout)


if __name__ == "__main__":
    main()
