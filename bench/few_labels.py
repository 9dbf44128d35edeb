"""Fine-tuning with few labels, without a setting, beside what a person would use instead, on real data sets.

    python bench/few_labels.py --start FOLDER --data DIR [--sets rt_polarity sst2 …] [--labels 8 32] [--draws 3] [--out FILE]
        [--test 600]

A cell is one draw of so many labels for each class (of scores twice, of tags six times so many examples) and one competitor:

- ``default``: ``warmstart finetune`` as it is without a flag of training;
- ``setfit``: the same with ``--scheme setfit``, of tasks with classes;
- ``package``, ``package20``, ``package5``: the package ``setfit`` as it is, or with so many pairs of each kind for each text
  (20: as its paper), where ``--only`` names them;
- ``paper``: GPT-1's fixed settings: 3 epochs at 6.25e-5 in batches of 32, a tenth held out, a drawn head on one token;
- ``words`` and ``frozen``: the baselines of those names (docs/study.md): regression on a bag of words, and on what the
  start makes of the texts.

All learn from the same examples and are tested on the same ``--test`` of the test part (of dev, where test has no labels).
Cells that stand in ``--out`` already are not run again, so an interrupted run goes on. The table has the mean over draws and
its standard deviation: accuracy, of scores Pearson's correlation, of tags F1 of entities, in hundredths.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from warmstart.build.finetuning import build_finetuning
from warmstart.build.labelled_data import LabelledData, divide_rows, read_labelled_data
from warmstart.config.load import compose
from warmstart.config.schema import FinetuneRecipe
from warmstart.example.record import Record
from warmstart.study.baselines import Baselines
from warmstart.tasks.dataset import TaskSet
from warmstart.tasks.table import KINDS
from warmstart.verbs.finetune import finetune

CONTEXT = 128
PAPER = {
    "--length": "3 epochs", "--lr": 6.25e-5, "--batch-size": 32, "--warmup": "0.002 run", "--dev-frac": 0.1,
    "--head-init": "random", "--head-pool": "sum",
}  # fmt: skip


def recipe_of(args: argparse.Namespace, name: str, flags: dict[str, Any]) -> FinetuneRecipe:
    """The start on a known data set, with some flags."""
    given = {"--start": args.start, "--task": name, "--data": f"{args.data}/{name}", "--context": CONTEXT}
    return compose(FinetuneRecipe, flags=given | flags)


def read(args: argparse.Namespace, name: str) -> LabelledData:
    """The data set, with the same part of its test examples for everybody."""
    found = read_labelled_data(recipe_of(args, name, {}).task, 1)
    test = found.dev if found.test is None else found.test
    chosen = np.sort(np.random.default_rng(7).permutation(len(test))[: args.test])
    return replace(found, test=[test[i] for i in chosen])


def draw_examples(data: LabelledData, labels: int, draw: int) -> list[Record]:
    """So many of each class, or of all where there are none; of nested sizes for one draw."""
    order = np.random.default_rng(1000 + draw).permutation(len(data.train))
    stratum = KINDS[data.kind].stratum
    if not data.label_names or stratum(data.train[0]) is None:
        return [data.train[i] for i in order[: labels * (6 if data.label_names else 2)]]
    taken: dict[Any, int] = {}
    found = []
    for i in order:
        label = stratum(data.train[i])
        taken[label] = taken.get(label, 0) + 1
        if taken[label] <= labels:
            found.append(data.train[i])
    return found


def tuned(flags: dict[str, Any]) -> Callable[[argparse.Namespace, str, LabelledData, list[Record], int], float]:
    """A competitor that fine-tunes with some flags."""

    def run(args: argparse.Namespace, name: str, data: LabelledData, train: list[Record], draw: int) -> float:
        recipe = recipe_of(args, name, flags | {"--seed": draw})
        rows = TaskSet(data.kind, train, data.label_names, label_values=data.label_values)
        given = replace(divide_rows(recipe.task, draw, rows, None), test=data.test, metric=data.metric, name=name)
        with tempfile.TemporaryDirectory() as home:
            report = finetune(recipe, f"{home}/run", data=given)
        metric = "accuracy" if data.label_names and KINDS[data.kind].pools_states else report["metric"]
        return float(report["test"]["metrics"][metric])

    return run


def plain(baseline: str) -> Callable[[argparse.Namespace, str, LabelledData, list[Record], int], float]:
    """A competitor that is a baseline of the library."""

    def run(args: argparse.Namespace, name: str, data: LabelledData, train: list[Record], draw: int) -> float:
        recipe = recipe_of(args, name, {})
        baselines = Baselines(recipe)
        baselines.features = {baseline: baselines.features[baseline]}
        built = build_finetuning(recipe, {"": replace(data, train=train, dev=train[:4])})
        metrics = baselines.fit(built)[baseline].metrics
        return metrics["accuracy" if data.label_names else built.metric]

    return run


def package(**settings: Any) -> Callable[[argparse.Namespace, str, LabelledData, list[Record], int], float]:
    """The package ``setfit`` with some settings, its texts cut where ours are."""

    def run(args: argparse.Namespace, name: str, data: LabelledData, train: list[Record], draw: int) -> float:
        from datasets import Dataset
        from setfit import SetFitModel, Trainer, TrainingArguments

        def text(record: Record) -> str:
            return str(next(iter(record.texts.values())))

        model = SetFitModel.from_pretrained(args.start)
        model.model_body.max_seq_length = CONTEXT
        rows = Dataset.from_dict({"text": [*map(text, train)], "label": [record.label for record in train]})
        with tempfile.TemporaryDirectory() as home:
            asked = TrainingArguments(output_dir=home, seed=draw, report_to="none", save_strategy="no", **settings)
            Trainer(model=model, args=asked, train_dataset=rows).train()
        predicted = np.asarray(model.predict([*map(text, data.test or [])]))
        return float(np.mean(predicted == [record.label for record in data.test or []]))

    return run


PACKAGES = {"package": package(), "package20": package(num_iterations=20), "package5": package(num_iterations=5)}
OURS = {
    "default": tuned({}), "setfit": tuned({"--scheme": "setfit"}), "paper": tuned(PAPER), "words": plain("words"),
    "frozen": plain("frozen"),
}  # fmt: skip
COMPETITORS = OURS | PACKAGES


def applies(competitor: str, data: LabelledData) -> bool:
    """Words one by one have no bag, and no mean of states; pairs of labels are of texts with one label each."""
    if competitor in ("setfit", *PACKAGES):
        return bool(data.label_names) and KINDS[data.kind].pools_states
    return competitor in ("default", "paper") or KINDS[data.kind].pools_states


def main() -> None:
    """Runs the cells that are missing and shows the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--start", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument(
        "--sets", nargs="+", default=["rt_polarity", "sst2", "20news", "dbpedia", "snli", "mrpc", "stsb", "wnut17_ner"]
    )
    parser.add_argument("--labels", nargs="+", type=int, default=[8, 32])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--test", type=int, default=600, help="test examples")
    parser.add_argument("--only", nargs="+", default=list(OURS), choices=list(COMPETITORS))
    parser.add_argument("--out", default="cells.jsonl", help="file that finished cells are added to")
    args = parser.parse_args()
    out = Path(args.out)
    done = {tuple(row[:4]): row[4] for row in map(json.loads, out.read_text().splitlines())} if out.exists() else {}
    for name in args.sets:
        data = read(args, name)
        for labels in args.labels:
            for draw in range(1, args.draws + 1):
                for competitor in args.only:
                    key = (name, labels, draw, competitor)
                    if key not in done and applies(competitor, data):
                        done[key] = COMPETITORS[competitor](args, name, data, draw_examples(data, labels, draw), draw)
                        with out.open("a") as file:
                            file.write(json.dumps([*key, round(done[key], 4)]) + "\n")
    show(args, done)


def show(args: argparse.Namespace, done: dict[tuple[Any, ...], float]) -> None:
    """The table: mean over draws, and its standard deviation."""
    columns = [name for name in COMPETITORS if any(key[3] == name for key in done)]
    print(f"{'set':14}{'labels':>7}" + "".join(f"{name:>15}" for name in columns), file=sys.stdout)
    for name in args.sets:
        for labels in args.labels:
            cells = []
            for competitor in columns:
                values = [
                    100 * value for key, value in done.items() if key[:2] == (name, labels) and key[3] == competitor
                ]
                spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
                cells.append(f"{statistics.fmean(values):.1f}{spread}" if values else "")
            print(f"{name:14}{labels:7}" + "".join(f"{cell:>15}" for cell in cells))


if __name__ == "__main__":
    main()
