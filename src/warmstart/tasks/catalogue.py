"""Known data sets, read from a folder as they are distributed.

Nothing is fetched and nothing is changed on disk. Each entry knows its files, columns, label names and encoding, and the
metrics that papers report for it; how the files are read stands in ``known/``. Which of several forms a folder holds is
seen from its files. Where a data set has traps, its loader says how it steps round them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from warmstart.base.errors import unknown_name_error
from warmstart.example.record import Record
from warmstart.tasks.dataset import records_of_rows
from warmstart.tasks.known import choices, pairs, pictures, sequences, texts
from warmstart.tasks.known.files import Folder, Part


@dataclass(frozen=True, slots=True)
class Splits:
    """What was read: part (``train``, ``dev``, ``test``, …) → Records, and what was done to the files, in words."""

    records: dict[str, list[Record]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One known data set.

    Attributes:
        name: what ``--task`` takes.
        kind: what kind of task it is.
        metrics: what papers report for it; dev is judged by the first.
        label_names: class number → name; empty for scores and choices.
        parts: part → how its rows are found; only labelled parts.
        note: where the splits come from and what one has to know about them, in words.
        inside: folders that may hold the files in the folder that is named.
    """

    name: str
    kind: str
    metrics: tuple[str, ...]
    label_names: tuple[str, ...]
    parts: Mapping[str, Part]
    note: str
    inside: tuple[str, ...] = ()

    def load(self, path: Path, parts: Sequence[str] = (), labels: Sequence[str] | None = None) -> Splits:
        """Reads some parts (none named: all); one that the folder need not have is then absent.

        Args:
            path: the folder.
            parts: names from ``self.parts``.
            labels: label names of a model that is to be judged, in its order; otherwise our own.

        Raises:
            BadInput: an unknown part, a missing file, or a broken one.
        """
        folder = Folder(path).inside(*self.inside)
        records = {}
        for name in parts or self.parts:
            if name not in self.parts:
                raise unknown_name_error("part of this data set", name, self.parts, where="--split")
            rows = self.parts[name](folder)
            if rows is not None:
                names = self.label_names if labels is None else labels
                records[name] = list(records_of_rows(self.kind, rows, names, True, f"{path}, {name}"))
        notes = (f"{count:,} {words}" if count else words for words, count in folder.notes.items())
        return Splits(records, "; ".join(notes))


def entry(name: str) -> Entry:
    """The data set of that name, or the error that suggests one."""
    if name not in CATALOGUE:
        raise unknown_name_error("data set", name, CATALOGUE, where="--task")
    return CATALOGUE[name]


_ACCURACY = ("accuracy",)
_F1 = ("f1", "accuracy")
_ENTITIES = ("f1", "precision", "recall")
_SPANS = ("f1", "exact_match")
_GLUE = "train and dev as in GLUE"
_OFFICIAL = "official splits"
_NO_DEV = "official train and test"
_CAD = "dev and test pairs are edits of SNLI's dev and test: tune and report on the same one of the two sets"

_TEXTS = (
    Entry(
        "cola", "classification", ("matthews",), texts.ACCEPTABILITY, texts.COLA_PARTS, _GLUE, ("CoLA", "cola"),
    ),
    Entry(
        "sst2", "classification", _ACCURACY, texts.SENTIMENT, texts.SST2_PARTS,
        "phrases as train and sentences as dev, as in GLUE; test where it has labels; tokens joined to text; three "
        "quarters of the dev and test sentences also stand in rt_polarity", ("SST-2", "sst2"),
    ),
    Entry(
        "rt_polarity", "classification", _ACCURACY, texts.SENTIMENT, texts.RT_POLARITY_PARTS,
        "no official split: 80/10/10 by class, drawn with seed 0, sentences of the same words in one part; tokens "
        "joined to text; holds most of the dev and test sentences of sst2: never judge one on the other",
    ),
    Entry(
        "imdb", "classification", _ACCURACY, texts.SENTIMENT, texts.IMDB_PARTS,
        f"{_NO_DEV}; <br /> read as a line's end", ("aclImdb", "imdb"),
    ),
    Entry(
        "20news", "classification", _ACCURACY, texts.GROUPS, texts.NEWSGROUPS_PARTS,
        "train and test cut by date; headers, and lines of quoted ones that name groups, left out, since they give the "
        "label; uuencoded posts kept", ("20news",),
    ),
    Entry(
        "dbpedia", "classification", _ACCURACY, texts.TOPICS, texts.DBPEDIA_PARTS,
        f"{_NO_DEV}; the abstract without its title; classes as the folder numbers them", ("dbpedia_csv", "dbpedia"),
    ),
)  # fmt: skip
_INFERENCE = (
    Entry(
        "snli", "entailment", _ACCURACY, pairs.INFERENCE, pairs.SNLI_PARTS, _OFFICIAL, ("snli_1.0", "SNLI", "snli"),
    ),
    Entry(
        "snli_cad", "entailment", _ACCURACY, pairs.INFERENCE, pairs.CAD_PARTS, f"{_OFFICIAL}; {_CAD}", ("snli_cad",),
    ),
    Entry(
        "snli+cad", "entailment", _ACCURACY, pairs.INFERENCE, pairs.SNLI_AND_CAD_PARTS,
        f"training pairs of snli and snli_cad together, dev and test of snli; the folder holds both folders; {_CAD}",
    ),
    Entry(
        "mnli", "entailment", _ACCURACY, pairs.INFERENCE, pairs.MNLI_PARTS,
        f"{_GLUE}, dev is the matched one; --split dev_mismatched judges on the other", ("MNLI", "multinli_1.0", "mnli"),
    ),
    Entry(
        "mnli_1k", "entailment", _ACCURACY, pairs.INFERENCE, pairs.MNLI_1K_PARTS,
        "1,000 pairs each of MNLI's matched dev (dev) and mismatched dev (dev_mismatched), to judge on; tokens joined to "
        "text", ("mnli_1k",),
    ),
    Entry(
        "xnli", "entailment", _ACCURACY, pairs.INFERENCE, pairs.XNLI_PARTS,
        "official dev and test, a part per language (dev-en, test-de, …), to judge a model on that has learned mnli",
        ("XNLI-1.0", "xnli", "xnli_en"),
    ),
    Entry(
        "scitail", "entailment", _ACCURACY, ("entailment", "neutral"), pairs.SCITAIL_PARTS, _OFFICIAL,
        ("SciTailV1.1", "SciTail", "scitail"),
    ),
    Entry("qnli", "entailment", _ACCURACY, pairs.ENTAILED, pairs.QNLI_PARTS, "GLUE's pairs", ("QNLI", "qnli")),
    Entry("rte", "entailment", _ACCURACY, pairs.ENTAILED, pairs.RTE_PARTS, _GLUE, ("RTE", "rte")),
    Entry(
        "wnli", "entailment", _ACCURACY, pairs.WNLI_NAMES, pairs.WNLI_PARTS,
        f"{_GLUE}; dev is adversarial to train: the share of its larger class is the ceiling of most models",
        ("WNLI", "wnli"),
    ),
)  # fmt: skip
_SIMILARITY = (
    Entry(
        "mrpc", "similarity", _F1, pairs.PARAPHRASE, pairs.MRPC_PARTS,
        "official test; dev is GLUE's where the folder has it, or the list of its ids", ("MRPC", "mrpc"),
    ),
    Entry("qqp", "similarity", _F1, pairs.DUPLICATE, pairs.QQP_PARTS, _GLUE, ("QQP", "qqp")),
    Entry(
        "stsb", "similarity", ("pearson", "spearman"), (), pairs.STSB_PARTS, f"{_OFFICIAL}; test where it has labels",
        ("STS-B", "stsbenchmark", "stsb"),
    ),
)  # fmt: skip
_CHOICES = (
    Entry("dream", "choice", _ACCURACY, (), choices.DREAM_PARTS, _OFFICIAL, ("dream",)),
    Entry("race", "choice", _ACCURACY, (), choices.RACE_PARTS, f"{_OFFICIAL}, both levels", ("RACE",)),
    Entry(
        "race_m", "choice", _ACCURACY, (), choices.race("middle"), f"{_OFFICIAL}, middle schools", ("RACE", "race_m")
    ),
    Entry("race_h", "choice", _ACCURACY, (), choices.race("high"), f"{_OFFICIAL}, high schools", ("RACE", "race_h")),
    Entry(
        "race_m+dream",
        "choice",
        _ACCURACY,
        (),
        choices.RACE_M_AND_DREAM_PARTS,
        "training questions of dream, dev and test of race_m; the folder holds both folders",
    ),
    Entry(
        "storycloze",
        "choice",
        _ACCURACY,
        (),
        choices.STORYCLOZE_PARTS,
        "val 2016 cut in 1,497 and 374 as GPT-1's code does (seed 3535999445); test 2016",
        ("storycloze",),
    ),
    Entry("copa", "choice", _ACCURACY, (), choices.COPA_PARTS, "train and dev as in SuperGLUE", ("COPA", "copa")),
    Entry("csqa", "choice", _ACCURACY, (), choices.CSQA_PARTS, "official random split", ("csqa",)),
    Entry(
        "openbookqa",
        "choice",
        _ACCURACY,
        (),
        choices.OPENBOOKQA_PARTS,
        f"{_OFFICIAL}, without the book",
        ("OpenBookQA-V1-Sep2018/Data/Main", "Data/Main", "Main"),
    ),
    Entry("arc_easy", "choice", _ACCURACY, (), choices.ARC_EASY_PARTS, _OFFICIAL, ("ARC-Easy",)),
    Entry("arc_challenge", "choice", _ACCURACY, (), choices.ARC_CHALLENGE_PARTS, _OFFICIAL, ("ARC-Challenge",)),
)
_SEQUENCES = (
    Entry("wnut17_ner", "tagging", _ENTITIES, sequences.EMERGING, sequences.WNUT_PARTS, _OFFICIAL, ("wnut17_ner",)),
    Entry(
        "wikigold_ner", "tagging", _ENTITIES, sequences.NEWSWIRE, sequences.WIKIGOLD_PARTS,
        "no official split: the files cut in order; IOB1 tags read as BIO", ("wikigold_ner",),
    ),
    Entry(
        "ud_english_ewt", "tagging", _ACCURACY, sequences.UNIVERSAL, sequences.EWT_PARTS, f"{_OFFICIAL}; UPOS",
        ("UD_English-EWT", "ud_english_ewt"),
    ),
    Entry(
        "ud_vietnamese_vtb", "tagging", _ACCURACY, sequences.UNIVERSAL, sequences.VTB_PARTS, f"{_OFFICIAL}; UPOS",
        ("UD_Vietnamese-VTB", "ud_vietnamese_vtb"),
    ),
    Entry(
        "tydiqa_en", "span", _SPANS, (), sequences.TYDIQA_PARTS,
        "a tenth of the passages of the training file, drawn with seed 0, is dev; judge on xquad_en and mlqa_en",
        ("tydiqa_en",),
    ),
    Entry(
        "xquad_en", "span", _SPANS, (), sequences.XQUAD_PARTS, "240 paragraphs of SQuAD 1.1's dev, to judge on",
        ("xquad_en",),
    ),
    Entry("mlqa_en", "span", _SPANS, (), sequences.MLQA_PARTS, "the English dev part, to judge on", ("mlqa_en",)),
)  # fmt: skip
_IMAGES = (Entry("cifar10", "images", _ACCURACY, pictures.CLASSES, pictures.CIFAR10_PARTS, _NO_DEV, ("cifar10",)),)
CATALOGUE: dict[str, Entry] = {
    known.name: known for known in (*_TEXTS, *_INFERENCE, *_SIMILARITY, *_CHOICES, *_SEQUENCES, *_IMAGES)
}
