"""Known data sets, read from a folder as they are distributed.

Nothing is fetched and nothing is changed on disk. Each entry knows its files, columns, label names and encoding, and the
metrics that papers report for it; how the files are read stands in ``known/``. Which of several forms a folder holds is
seen from its files. Where a data set has traps, its loader says how it steps round them.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from warmstart.base.errors import BadInput, unknown_name_error
from warmstart.base.overflow import gather
from warmstart.example.record import Record
from warmstart.readers.rows import Row
from warmstart.tasks.dataset import records_of_rows
from warmstart.tasks.known import choices, pairs, pictures, sequences, superglue, texts
from warmstart.tasks.known.files import Folder, OneFile, SplitReader
from warmstart.tasks.stored import RECORDS


@dataclass(frozen=True, slots=True)
class LoadedSplits:
    """What was read: part (``train``, ``dev``, ``test``, …) → Records, and what was done to the files, in words."""

    records: dict[str, Sequence[Record]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class KnownDataset:
    """One known data set.

    Attributes:
        name: what ``--task`` takes.
        kind: what kind of task it is.
        metrics: what papers report for it; dev is evaluated by the first.
        label_names: class number → name; empty for scores and choices.
        splits: split → how its rows are found; only labelled parts.
        note: where the splits come from and what one has to know about them, in words.
        subfolders: folders that may hold the files in the folder that is named.
    """

    name: str
    kind: str
    metrics: tuple[str, ...]
    label_names: tuple[str, ...]
    splits: Mapping[str, SplitReader]
    note: str
    subfolders: tuple[str, ...] = ()

    def part_rows(self, path: Path, part: str | None, notes: dict[str, int]) -> Iterator[Row]:
        """The rows of one part of a folder, read as they are taken.

        Args:
            path: the folder.
            part: its name; ``None``: ``test`` where it has labels, else ``dev``.
            notes: takes what is done to the rows, in words, and how often.

        Raises:
            BadInput: no such part, a missing file, or a broken one.
        """
        folder = Folder(path, notes).subfolder(*self.subfolders)
        for name in ("test", "dev") if part is None else (part,):
            rows = self.splits[name](folder) if name in self.splits else None
            if rows is not None:
                return rows
        raise unknown_name_error("split of this data set", part or "test", self.splits, where="--split")

    def file_rows(self, path: Path, notes: dict[str, int]) -> Iterator[Row] | None:
        """The rows of one of its files, or ``None`` where no part, or more than one, is read from such a file alone."""
        found = []
        for reader in self.splits.values():
            with contextlib.suppress(BadInput):
                rows = reader(OneFile(path, notes))
                first = next(rows, None) if rows is not None else None
                if rows is not None and first is not None:
                    found.append(chain([first], rows))
        return found[0] if len(found) == 1 else None

    def load(self, path: Path, parts: Sequence[str] = (), labels: Sequence[str] | None = None) -> LoadedSplits:
        """Reads some parts (none named: all); one that the folder need not have is then absent.

        Args:
            path: the folder.
            parts: names from ``self.splits``.
            labels: label names of a model that is to be evaluated, in its order; otherwise our own.

        Raises:
            BadInput: an unknown part, a missing file, or a broken one.
        """
        folder = Folder(path).subfolder(*self.subfolders)
        records = {}
        for name in parts or self.splits:
            if name not in self.splits:
                raise unknown_name_error("split of this data set", name, self.splits, where="--split")
            rows = self.splits[name](folder)
            if rows is not None:
                names = self.label_names if labels is None else labels
                records[name] = gather(records_of_rows(self.kind, rows, names, True, f"{path}, {name}"), RECORDS)
        notes = (f"{count:,} {words}" if count else words for words, count in folder.notes.items())
        return LoadedSplits(records, "; ".join(notes))


def known_dataset(name: str) -> KnownDataset:
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
_SUPERGLUE = "train and dev as in SuperGLUE"
_NO_DEV = "official train and test"
_CAD = "dev and test pairs are edits of SNLI's dev and test: tune and report on the same one of the two sets"

_TEXTS = (
    KnownDataset(
        "cola", "classification", ("matthews",), texts.ACCEPTABILITY, texts.COLA_SPLITS, _GLUE, ("CoLA", "cola"),
    ),
    KnownDataset(
        "sst2", "classification", _ACCURACY, texts.SENTIMENT, texts.SST2_SPLITS,
        "phrases as train and sentences as dev, as in GLUE; test where it has labels; tokens joined to text; three "
        "quarters of the dev and test sentences also stand in rt_polarity", ("SST-2", "sst2"),
    ),
    KnownDataset(
        "rt_polarity", "classification", _ACCURACY, texts.SENTIMENT, texts.RT_POLARITY_SPLITS,
        "no official split: 80/10/10 by class, drawn with seed 0, sentences of the same words in one part; tokens "
        "joined to text; holds most of the dev and test sentences of sst2: never evaluate one on the other",
    ),
    KnownDataset(
        "imdb", "classification", _ACCURACY, texts.SENTIMENT, texts.IMDB_SPLITS,
        f"{_NO_DEV}; <br /> read as a line's end", ("aclImdb", "imdb"),
    ),
    KnownDataset(
        "20news", "classification", _ACCURACY, texts.GROUPS, texts.NEWSGROUPS_SPLITS,
        "train and test cut by date; headers, and lines of quoted ones that name groups, left out, since they give the "
        "label; uuencoded posts kept", ("20news",),
    ),
    KnownDataset(
        "dbpedia", "classification", _ACCURACY, texts.TOPICS, texts.DBPEDIA_SPLITS,
        f"{_NO_DEV}; the abstract without its title; classes as the folder numbers them", ("dbpedia_csv", "dbpedia"),
    ),
)  # fmt: skip
_INFERENCE = (
    KnownDataset(
        "snli", "entailment", _ACCURACY, pairs.INFERENCE, pairs.SNLI_SPLITS, _OFFICIAL, ("snli_1.0", "SNLI", "snli"),
    ),
    KnownDataset(
        "snli_cad", "entailment", _ACCURACY, pairs.INFERENCE, pairs.CAD_SPLITS, f"{_OFFICIAL}; {_CAD}", ("snli_cad",),
    ),
    KnownDataset(
        "snli+cad", "entailment", _ACCURACY, pairs.INFERENCE, pairs.SNLI_AND_CAD_SPLITS,
        f"training pairs of snli and snli_cad together, dev and test of snli; the folder holds both folders; {_CAD}",
    ),
    KnownDataset(
        "mnli", "entailment", _ACCURACY, pairs.INFERENCE, pairs.MNLI_SPLITS,
        f"{_GLUE}, dev is the matched one; --split dev_mismatched evaluates on the other", ("MNLI", "multinli_1.0", "mnli"),
    ),
    KnownDataset(
        "mnli_1k", "entailment", _ACCURACY, pairs.INFERENCE, pairs.MNLI_1K_SPLITS,
        "1,000 pairs each of MNLI's matched dev (dev) and mismatched dev (dev_mismatched), for evaluation; tokens joined to "
        "text", ("mnli_1k",),
    ),
    KnownDataset(
        "xnli", "entailment", _ACCURACY, pairs.INFERENCE, pairs.XNLI_SPLITS,
        "official dev and test, a part per language (dev-en, test-de, …), to evaluate a model on that has learned mnli",
        ("XNLI-1.0", "xnli", "xnli_en"),
    ),
    KnownDataset(
        "scitail", "entailment", _ACCURACY, ("entailment", "neutral"), pairs.SCITAIL_SPLITS, _OFFICIAL,
        ("SciTailV1.1", "SciTail", "scitail"),
    ),
    KnownDataset("qnli", "entailment", _ACCURACY, pairs.ENTAILED, pairs.QNLI_SPLITS, "GLUE's pairs", ("QNLI", "qnli")),
    KnownDataset("rte", "entailment", _ACCURACY, pairs.ENTAILED, pairs.RTE_SPLITS, _GLUE, ("RTE", "rte")),
    KnownDataset(
        "boolq", "entailment", _ACCURACY, superglue.HOLDS, superglue.BOOLQ_SPLITS, _SUPERGLUE, ("BoolQ", "boolq"),
    ),
    KnownDataset(
        "cb", "entailment", ("accuracy", "f1_macro"), pairs.INFERENCE, superglue.CB_SPLITS, _SUPERGLUE, ("CB", "cb"),
    ),
    KnownDataset(
        "multirc", "entailment", _F1, superglue.HOLDS, superglue.MULTIRC_SPLITS,
        f"{_SUPERGLUE}; a pair for each answer, so F1 is that of all answers", ("MultiRC", "multirc"),
    ),
    KnownDataset(
        "wsc", "entailment", _ACCURACY, superglue.HOLDS, superglue.WSC_SPLITS,
        f"{_SUPERGLUE}; the second text has the noun in the place of the pronoun", ("WSC", "wsc"),
    ),
    KnownDataset(
        "anli", "entailment", _ACCURACY, pairs.INFERENCE, superglue.ANLI_SPLITS, f"{_OFFICIAL}, all three rounds",
        ("anli_v1.0", "anli"),
    ),
    *(
        KnownDataset(
            f"anli_{name.lower()}", "entailment", _ACCURACY, pairs.INFERENCE, splits, f"{_OFFICIAL}, one round",
            ("anli_v1.0", "anli"),
        )
        for name, splits in superglue.ANLI_ROUND_SPLITS.items()
    ),
    KnownDataset(
        "fever", "entailment", _ACCURACY, pairs.INFERENCE, superglue.FEVER_SPLITS,
        "claims with their evidence as pairs of inference (Nie et al. 2019)", ("nli_fever", "fever"),
    ),
    KnownDataset(
        "wnli", "entailment", _ACCURACY, pairs.WNLI_NAMES, pairs.WNLI_SPLITS,
        f"{_GLUE}; dev is adversarial to train: the share of its larger class is the ceiling of most models",
        ("WNLI", "wnli"),
    ),
)  # fmt: skip
_SIMILARITY = (
    KnownDataset(
        "mrpc", "similarity", _F1, pairs.PARAPHRASE, pairs.MRPC_SPLITS,
        "official test; dev is GLUE's where the folder has it, or the list of its ids", ("MRPC", "mrpc"),
    ),
    KnownDataset(
        "wic", "similarity", _ACCURACY, superglue.HOLDS, superglue.WIC_SPLITS,
        f"{_SUPERGLUE}; the word stands before the first sentence", ("WiC", "wic"),
    ),
    KnownDataset("qqp", "similarity", _F1, pairs.DUPLICATE, pairs.QQP_SPLITS, _GLUE, ("QQP", "qqp")),
    KnownDataset(
        "stsb", "similarity", ("pearson", "spearman"), (), pairs.STSB_SPLITS, f"{_OFFICIAL}; test where it has labels",
        ("STS-B", "stsbenchmark", "stsb"),
    ),
)  # fmt: skip
_CHOICES = (
    KnownDataset("dream", "choice", _ACCURACY, (), choices.DREAM_SPLITS, _OFFICIAL, ("dream",)),
    KnownDataset("race", "choice", _ACCURACY, (), choices.RACE_SPLITS, f"{_OFFICIAL}, both levels", ("RACE",)),
    KnownDataset(
        "race_m", "choice", _ACCURACY, (), choices.race("middle"), f"{_OFFICIAL}, middle schools", ("RACE", "race_m")
    ),
    KnownDataset(
        "race_h", "choice", _ACCURACY, (), choices.race("high"), f"{_OFFICIAL}, high schools", ("RACE", "race_h")
    ),
    KnownDataset(
        "race_m+dream",
        "choice",
        _ACCURACY,
        (),
        choices.RACE_M_AND_DREAM_SPLITS,
        "training questions of dream, dev and test of race_m; the folder holds both folders",
    ),
    KnownDataset(
        "storycloze",
        "choice",
        _ACCURACY,
        (),
        choices.STORYCLOZE_SPLITS,
        "val 2016 cut in 1,497 and 374 as GPT-1's code does (seed 3535999445); test 2016",
        ("storycloze",),
    ),
    KnownDataset(
        "copa", "choice", _ACCURACY, (), choices.COPA_SPLITS, "train and dev as in SuperGLUE", ("COPA", "copa")
    ),
    KnownDataset(
        "qnli_ranking",
        "ranking",
        ("accuracy", "map", "mrr"),
        (),
        pairs.QNLI_RANKING_SPLITS,
        "GLUE's pairs as candidates of their questions, as MT-DNN has them",
        ("QNLI", "qnli"),
    ),
    KnownDataset(
        "record",
        "ranking",
        ("accuracy", "map", "mrr"),
        (),
        superglue.RECORD_SPLITS,
        f"{_SUPERGLUE}; the entities of a passage are candidates, and accuracy is the exact match",
        ("ReCoRD", "record"),
    ),
    KnownDataset("csqa", "choice", _ACCURACY, (), choices.CSQA_SPLITS, "official random split", ("csqa",)),
    KnownDataset(
        "openbookqa",
        "choice",
        _ACCURACY,
        (),
        choices.OPENBOOKQA_SPLITS,
        f"{_OFFICIAL}, without the book",
        ("OpenBookQA-V1-Sep2018/Data/Main", "Data/Main", "Main"),
    ),
    KnownDataset("arc_easy", "choice", _ACCURACY, (), choices.ARC_EASY_SPLITS, _OFFICIAL, ("ARC-Easy",)),
    KnownDataset("arc_challenge", "choice", _ACCURACY, (), choices.ARC_CHALLENGE_SPLITS, _OFFICIAL, ("ARC-Challenge",)),
)
_SEQUENCES = (
    KnownDataset("wnut17_ner", "tagging", _ENTITIES, sequences.EMERGING, sequences.WNUT_SPLITS, _OFFICIAL, ("wnut17_ner",)),
    KnownDataset(
        "wikigold_ner", "tagging", _ENTITIES, sequences.NEWSWIRE, sequences.WIKIGOLD_SPLITS,
        "no official split: the files cut in order; IOB1 tags read as BIO", ("wikigold_ner",),
    ),
    KnownDataset(
        "conll2003_ner", "tagging", _ENTITIES, sequences.NEWSWIRE, sequences.CONLL2003_NER_SPLITS,
        f"{_OFFICIAL}; IOB1 tags read as BIO", ("conll2003",),
    ),
    KnownDataset(
        "conll2003_pos", "tagging", _ACCURACY, sequences.TREEBANK, sequences.CONLL2003_POS_SPLITS, _OFFICIAL, ("conll2003",),
    ),
    KnownDataset(
        "conll2003_chunk", "tagging", _ENTITIES, sequences.CHUNKS, sequences.CONLL2003_CHUNK_SPLITS,
        f"{_OFFICIAL}; IOB1 tags read as BIO", ("conll2003",),
    ),
    KnownDataset(
        "ud_english_ewt", "tagging", _ACCURACY, sequences.UNIVERSAL, sequences.EWT_SPLITS, f"{_OFFICIAL}; UPOS",
        ("UD_English-EWT", "ud_english_ewt"),
    ),
    KnownDataset(
        "ud_vietnamese_vtb", "tagging", _ACCURACY, sequences.UNIVERSAL, sequences.VTB_SPLITS, f"{_OFFICIAL}; UPOS",
        ("UD_Vietnamese-VTB", "ud_vietnamese_vtb"),
    ),
    KnownDataset(
        "tydiqa_en", "span", _SPANS, (), sequences.TYDIQA_SPLITS,
        "a tenth of the passages of the training file, drawn with seed 0, is dev; evaluate on xquad_en and mlqa_en",
        ("tydiqa_en",),
    ),
    KnownDataset(
        "xquad_en", "span", _SPANS, (), sequences.XQUAD_SPLITS, "240 paragraphs of SQuAD 1.1's dev, for evaluation",
        ("xquad_en",),
    ),
    KnownDataset("mlqa_en", "span", _SPANS, (), sequences.MLQA_SPLITS, "the English dev part, for evaluation", ("mlqa_en",)),
)  # fmt: skip
_IMAGES = (
    KnownDataset("cifar10", "images", _ACCURACY, pictures.CLASSES, pictures.CIFAR10_SPLITS, _NO_DEV, ("cifar10",)),
)
CATALOGUE: dict[str, KnownDataset] = {
    known.name: known for known in (*_TEXTS, *_INFERENCE, *_SIMILARITY, *_CHOICES, *_SEQUENCES, *_IMAGES)
}
