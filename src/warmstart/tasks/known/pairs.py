"""Pairs of sentences: inference, paraphrase, similarity. GLUE's folders, the corpora they were made of, and samples."""

from collections.abc import Iterator
from pathlib import Path

from warmstart.readers.rows import EXTRA_COLUMNS, Row
from warmstart.tasks.known.detokenize import detokenize
from warmstart.tasks.known.files import Folder, SplitReader, Table, concatenate, in_subfolder

INFERENCE = ("contradiction", "entailment", "neutral")
ENTAILED = ("entailment", "not_entailment")
WNLI_NAMES = ("not_entailment", "entailment")
PARAPHRASE = ("not_paraphrase", "paraphrase")
DUPLICATE = ("not_duplicate", "duplicate")
LANGUAGES = ("ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh")

_PAIR = {"premise": "sentence1", "hypothesis": "sentence2"}
_TWO = {"sentence1": "sentence1", "sentence2": "sentence2"}

RTE = Table(_PAIR | {"label": "label"})
WNLI = Table(_PAIR | {"label": "label"}, labels={"0": WNLI_NAMES[0], "1": WNLI_NAMES[1]})
QNLI = Table({"premise": "question", "hypothesis": "sentence", "label": "label"})
GOLD = Table(_PAIR | {"label": "gold_label"})  # SNLI, MNLI, XNLI: as distributed, as JSON lines or a table, and in GLUE
STSB = Table(_TWO | {"score": "score"}, ("", "", "", "", "score", "sentence1", "sentence2", EXTRA_COLUMNS))
MRPC = Table(
    {"sentence1": "#1 String", "sentence2": "#2 String", "label": "Quality", "id1": "#1 ID", "id2": "#2 ID"},
    labels={"0": PARAPHRASE[0], "1": PARAPHRASE[1]},
)
QQP = Table(
    {"sentence1": "question1", "sentence2": "question2", "label": "is_duplicate"},
    ("", "", "", "sentence1", "sentence2", "label"),
    labels={"0": DUPLICATE[0], "1": DUPLICATE[1]}, skips_broken=True,
)  # fmt: skip
_SCITAIL = Table(_PAIR | {"label": "gold_label"}, ("premise", "hypothesis", "label"), {"entails": "entailment"})
_SNLI_SAMPLE = Table(
    {}, ("label", "", "premise", "hypothesis"),
    {"1": "neutral", "2": "contradiction", "3": "entailment"},
)  # fmt: skip
_TOKENS = Table({}, ("label", "premise", "hypothesis"), text=detokenize)
_XTREME = Table({}, ("premise", "hypothesis", "label"))
_XNLI = Table({**GOLD.header, "language": "language"})

_HELD_OUT = 408
_QNLI_DEV = 1_000


def official(corpus: str, *names: str) -> tuple[str, ...]:
    """The files of an inference corpus, as its authors named them, in both of its forms, then other names."""
    return (f"{corpus}.jsonl", f"{corpus}.txt", *names)


def _snli(name: str) -> SplitReader:
    """SNLI (Bowman et al. 2015) as distributed; or a numbered sample beside dev and test as tokens, joined again."""
    names = official(f"snli_1.0_{name}", f"{name}.tsv", *(["train_18k.tsv"] if name == "train" else []))

    def part(folder: Folder) -> Iterator[Row]:
        path = folder.file(*names)
        if GOLD.has_column_names(path):
            return GOLD.rows(path, folder)
        if name == "train":
            return _SNLI_SAMPLE.rows(path, folder)
        folder.note("dev and test tokens joined to text")
        return _TOKENS.rows(path, folder)

    return part


def _qnli(name: str) -> SplitReader:
    """QNLI (Wang et al. 2019); where there is no training file, the official dev is cut in two."""

    def part(folder: Folder) -> Iterator[Row]:
        if folder.has("train.tsv"):
            return QNLI.rows(folder.file(f"{name}.tsv"), folder)
        folder.note(f"no train.tsv: the last {_QNLI_DEV:,} pairs of the official dev are dev, those before them train")
        pairs = list(QNLI.rows(folder.file("dev.tsv"), folder))
        return iter(pairs[:-_QNLI_DEV] if name == "train" else pairs[-_QNLI_DEV:])

    return part


def _mrpc(name: str) -> SplitReader:
    """MRPC (Dolan and Brockett 2005); GLUE's dev where it is there, else cut from the original training file."""

    def part(folder: Folder) -> Iterator[Row]:
        if folder.has("dev.tsv"):
            return MRPC.rows(folder.file(f"{name}.tsv"), folder)
        pairs = list(MRPC.rows(folder.file("msr_paraphrase_train.txt", "train.tsv"), folder))
        listed = folder.find("dev_ids.tsv")
        if listed is None:
            folder.note(f"no dev.tsv and no dev_ids.tsv: the last {_HELD_OUT} pairs of the training file are dev")
            return iter(pairs[:-_HELD_OUT] if name == "train" else pairs[-_HELD_OUT:])
        ids = _ids(listed)
        return (row for row in pairs if ((row.fields["id1"], row.fields["id2"]) in ids) == (name == "dev"))

    return part


def _ids(path: Path) -> set[tuple[str, str]]:
    """GLUE's list of the pairs that make up dev."""
    found = Table({}, ("id1", "id2")).rows(path, Folder(path.parent))
    return {(row.fields["id1"], row.fields["id2"]) for row in found}


def _qqp(name: str) -> SplitReader:
    """Quora question pairs (Iyer et al. 2017) as in GLUE, or a sample without a header line."""

    def part(folder: Folder) -> Iterator[Row]:
        path = folder.file(f"{name}.tsv")
        if not QQP.has_column_names(path):
            folder.note("files without a header line: a sample of GLUE's pairs")
        return QQP.rows(path, folder)

    return part


def _xnli(name: str, language: str) -> SplitReader:
    """XNLI (Conneau et al. 2018): one file per language without a header line, or one table of all languages."""

    def part(folder: Folder) -> Iterator[Row]:
        one = folder.find(f"{name}-{language}.tsv")
        if one is not None:
            return _XTREME.rows(one, folder)
        path = folder.file(f"xnli.{name}.tsv", f"xnli.{name}.jsonl", f"{name}-{language}.tsv")
        return (row for row in _XNLI.rows(path, folder) if row.fields["language"] == language)

    return part


def _scitail(name: str) -> SplitReader:
    forms = (f"tsv_format/scitail_1.0_{name}.tsv", f"snli_format/scitail_1.0_{name}.txt")
    return _SCITAIL.split(*(f.split("/")[1] for f in forms), *forms)


def _mnli(name: str) -> tuple[str, ...]:
    return f"{name}.tsv", *official(f"multinli_1.0_{name}")


def _candidates(part: SplitReader) -> SplitReader:
    """QNLI's pairs gathered by their question, as MT-DNN ranks them (Liu et al. 2019); what asks nothing is left out."""

    def gathered(folder: Folder) -> Iterator[Row]:
        questions: dict[str, list[Row]] = {}
        for row in part(folder) or ():
            questions.setdefault(row.fields["premise"], []).append(row)
        for question, rows in questions.items():
            right = [row.fields["label"] == ENTAILED[0] for row in rows]
            if len(rows) > 1 and any(right):
                candidates = [row.fields["hypothesis"] for row in rows]
                yield Row({"query": question, "candidates": candidates, "labels": right}, rows[0].where)
            else:
                folder.count("questions with one candidate, or without a right one, left out")

    return gathered


SPLITS = ("train", "dev", "test")

RTE_SPLITS = {"train": RTE.split("train.tsv"), "dev": RTE.split("dev.tsv")}
WNLI_SPLITS = {"train": WNLI.split("train.tsv"), "dev": WNLI.split("dev.tsv")}
QNLI_SPLITS = {name: _qnli(name) for name in ("train", "dev")}
QNLI_RANKING_SPLITS = {name: _candidates(part) for name, part in QNLI_SPLITS.items()}
SNLI_SPLITS = {name: _snli(name) for name in SPLITS}
CAD_SPLITS = {name: GOLD.split(f"{name}.tsv") for name in SPLITS}
SNLI_AND_CAD_SPLITS = {name: in_subfolder(SNLI_SPLITS[name], "snli") for name in SPLITS} | {
    "train": concatenate(in_subfolder(SNLI_SPLITS["train"], "snli"), in_subfolder(CAD_SPLITS["train"], "snli_cad"))
}
MNLI_SPLITS = {
    "train": GOLD.split(*_mnli("train")),
    "dev": GOLD.split(*_mnli("dev_matched")),
    "dev_mismatched": GOLD.split(*_mnli("dev_mismatched")),
}
MNLI_1K_SPLITS = {
    "dev": _TOKENS.split("matched_1000.tsv"),
    "dev_mismatched": _TOKENS.split("mismatched_1000.tsv"),
}
SCITAIL_SPLITS = {name: _scitail(name) for name in SPLITS}
XNLI_SPLITS = {f"{name}-{language}": _xnli(name, language) for name in ("dev", "test") for language in LANGUAGES}
STSB_SPLITS = {name: STSB.split(f"sts-{name}.tsv", f"sts-{name}.csv", f"{name}.tsv") for name in ("train", "dev")} | {
    "test": STSB.split_if_labelled("sts-test.tsv", "sts-test.csv", "test.tsv")
}
MRPC_SPLITS = {name: _mrpc(name) for name in ("train", "dev")} | {
    "test": MRPC.split_if_labelled("msr_paraphrase_test.txt", "test.tsv")
}
QQP_SPLITS = {name: _qqp(name) for name in ("train", "dev")}
