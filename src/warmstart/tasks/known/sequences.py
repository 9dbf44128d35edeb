"""Tagged sentences, and questions about a passage that holds their answer."""

from collections.abc import Iterator, Mapping

from warmstart.base.seeds import generator
from warmstart.readers.conll import read_sentences
from warmstart.readers.rows import Row
from warmstart.readers.squad import read_questions
from warmstart.tasks.known.files import Folder, SplitReader

UNIVERSAL = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM",
    "VERB", "X",
)  # fmt: skip
_NAMES = ("train", "dev", "test")
_DEV = 0.1  # of TyDi QA's passages
_REPEATED = "training sentences left out that stand in dev or test too"


def _bio_tags(*types: str) -> tuple[str, ...]:
    """The BIO tags of some types of entity."""
    return (*(f"B-{name}" for name in types), *(f"I-{name}" for name in types), "O")


EMERGING = _bio_tags("corporation", "creative-work", "group", "location", "person", "product")
NEWSWIRE = _bio_tags("LOC", "MISC", "ORG", "PER")
CHUNKS = _bio_tags("ADJP", "ADVP", "CONJP", "INTJ", "LST", "NP", "PP", "PRT", "SBAR", "UCP", "VP")
TREEBANK = (
    '"', "#", "$", "''", "(", ")", ",", ".", ":", "``", "CC", "CD", "DT", "EX", "FW", "IN", "JJ", "JJR", "JJS", "LS", "MD",
    "NN", "NNP", "NNPS", "NNS", "NN|SYM", "PDT", "POS", "PRP", "PRP$", "RB", "RBR", "RBS", "RP", "SYM", "TO", "UH", "VB",
    "VBD", "VBG", "VBN", "VBP", "VBZ", "WDT", "WP", "WP$", "WRB",
)  # fmt: skip


def _tagged_sentences(*names: str) -> SplitReader:
    return lambda folder: read_sentences(str(folder.file(*names)))


def _conll2003(column: int) -> Mapping[str, SplitReader]:
    """CoNLL 2003's English (Tjong Kim Sang and De Meulder 2003): word, part of speech, chunk and name in columns."""

    def part(*names: str) -> SplitReader:
        return lambda folder: read_sentences(str(folder.file(*names)), column=column, form="conll")

    return {
        "train": part("eng.train", "train.txt"), "dev": part("eng.testa", "valid.txt", "dev.txt"),
        "test": part("eng.testb", "test.txt"),
    }  # fmt: skip


def _treebank(stem: str) -> Mapping[str, SplitReader]:
    return {name: _tagged_sentences(f"{stem}-ud-{name}.conllu") for name in _NAMES}


def _wikigold(folder: Folder) -> Iterator[Row]:
    """WikiGold's training sentences (Balasuriya et al. 2009) without those that are evaluated on."""
    evaluated = {
        tuple(row.fields["tokens"]) for name in _NAMES[1:] for row in read_sentences(str(folder.file(f"{name}.conll")))
    }
    for row in read_sentences(str(folder.file("train.conll"))):
        if tuple(row.fields["tokens"]) in evaluated:
            folder.count(_REPEATED)
        else:
            yield row


def _questions(*names: str) -> SplitReader:
    return lambda folder: read_questions(str(folder.file(*names)))


def _tydiqa(is_dev: bool) -> SplitReader:
    """TyDi QA's gold passages (Clark et al. 2020), English: a tenth of the passages, drawn with seed 0, is dev."""

    def part(folder: Folder) -> Iterator[Row]:
        found = list(read_questions(str(folder.file("tydiqa.goldp.en.train.json"))))
        passages = list(dict.fromkeys(row.fields["context"] for row in found))
        drawn = generator(0, "tydiqa_en").permutation(len(passages))[: round(_DEV * len(passages))]
        dev = {passages[place] for place in drawn}
        return (row for row in found if (row.fields["context"] in dev) == is_dev)

    return part


WNUT_SPLITS: Mapping[str, SplitReader] = {
    "train": _tagged_sentences("train.conll", "wnut17train.conll"),
    "dev": _tagged_sentences("dev.conll", "emerging.dev.conll"),
    "test": _tagged_sentences("test.conll", "emerging.test.annotated"),
}
WIKIGOLD_SPLITS: Mapping[str, SplitReader] = {
    "train": _wikigold,
    "dev": _tagged_sentences("dev.conll"),
    "test": _tagged_sentences("test.conll"),
}
CONLL2003_POS_SPLITS, CONLL2003_CHUNK_SPLITS, CONLL2003_NER_SPLITS = (_conll2003(n) for n in (2, 3, 4))
EWT_SPLITS, VTB_SPLITS = _treebank("en_ewt"), _treebank("vi_vtb")
TYDIQA_SPLITS: Mapping[str, SplitReader] = {"train": _tydiqa(False), "dev": _tydiqa(True)}
XQUAD_SPLITS: Mapping[str, SplitReader] = {"test": _questions("xquad.en.json")}
MLQA_SPLITS: Mapping[str, SplitReader] = {"dev": _questions("dev-context-en-question-en.json")}
