"""Single texts: acceptability, sentiment, topics."""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from warmstart.base.errors import BadInput
from warmstart.base.seeds import generator
from warmstart.readers.rows import Row, read_rows
from warmstart.readers.text_io import read_lines
from warmstart.tasks.known.detokenize import detokenize
from warmstart.tasks.known.files import Folder, SplitReader, Table, first_line, read_documents

SENTIMENT = ("negative", "positive")
ACCEPTABILITY = ("unacceptable", "acceptable")
TOPICS = (
    "Album", "Animal", "Artist", "Athlete", "Building", "Company", "EducationalInstitution", "Film",
    "MeanOfTransportation", "NaturalPlace", "OfficeHolder", "Plant", "Village", "WrittenWork",
)  # fmt: skip
GROUPS = (
    "alt.atheism", "comp.graphics", "comp.os.ms-windows.misc", "comp.sys.ibm.pc.hardware", "comp.sys.mac.hardware",
    "comp.windows.x", "misc.forsale", "rec.autos", "rec.motorcycles", "rec.sport.baseball", "rec.sport.hockey",
    "sci.crypt", "sci.electronics", "sci.med", "sci.space", "soc.religion.christian", "talk.politics.guns",
    "talk.politics.mideast", "talk.politics.misc", "talk.religion.misc",
)  # fmt: skip

COLA = Table(
    {"text": "sentence", "label": "label"}, ("", "label", "", "text"),
    labels={"0": ACCEPTABILITY[0], "1": ACCEPTABILITY[1]},
)  # fmt: skip
SST2 = Table({"text": "sentence", "label": "label"}, labels={"0": SENTIMENT[0], "1": SENTIMENT[1]}, text=detokenize)

_SPLIT_SEED = 0
_QUOTED_HEADER = re.compile(r"^[^\w\n]*(?:Newsgroups|Xref):.*\n?", re.MULTILINE)


def _rt_polarity(name: str) -> SplitReader:
    """Movie-review sentences (Pang and Lee 2005), cp1252; sentences of the same words stay in one part."""

    def part(folder: Folder) -> Iterator[Row]:
        seen: set[tuple[str, ...]] = set()
        folder = folder.subfolder("rt-polaritydata")
        for label, ending in zip(SENTIMENT, ("neg", "pos"), strict=True):
            groups: dict[tuple[str, ...], list[Row]] = {}
            for row in _sentences(folder.file(f"rt-polarity.{ending}"), label):
                groups.setdefault(tuple(re.findall(r"\w+", row.fields["text"].lower())), []).append(row)
            yield from _draw_splits([groups[key] for key in groups if key not in seen], label)[name]
            seen |= groups.keys()

    return part


def _sentences(path: Path, label: str) -> Iterator[Row]:
    for number, line in enumerate(read_lines(str(path), "cp1252"), start=1):
        yield Row({"text": detokenize(line), "label": label}, f"{path}:{number}")


def _draw_splits(groups: Sequence[list[Row]], label: str) -> dict[str, list[Row]]:
    """A tenth of the sentences as test, a tenth as dev, whole groups at a time."""
    splits: dict[str, list[Row]] = {"train": [], "dev": [], "test": []}
    tenth, taken = sum(map(len, groups)) / 10, 0
    for place in generator(_SPLIT_SEED, "rt_polarity", label).permutation(len(groups)):
        splits["test" if taken < tenth else "dev" if taken < 2 * tenth else "train"] += groups[place]
        taken += len(groups[place])
    return splits


def _imdb(name: str) -> SplitReader:
    """Movie reviews (Maas et al. 2011), as the folder aclImdb or a tar archive of it."""
    archives = ("aclImdb_v1.tar", f"imdb_{name}.tar")

    def part(folder: Folder) -> Iterator[Row]:
        pattern = rf"{name}/(neg|pos)/(\d+)_(\d+)\.txt"
        for found in read_documents(folder, (name,), archives, pattern, "utf-8"):
            label, number, rating = found.named
            text = re.sub(r"(?:\s*<br />)+\s*", "\n", found.text)
            named = {"label": SENTIMENT[label == "pos"], "id": number, "rating": rating}
            yield Row({"text": text} | named, found.where)

    return part


def _newsgroups(name: str) -> SplitReader:
    """20 Newsgroups (Lang 1995): posts without their headers, one of which names the group."""
    folders, archives = (f"20news-bydate-{name}",), ("20news-bydate.tar", f"20news_{name}.tar")

    def part(folder: Folder) -> Iterator[Row]:
        pattern = rf"(?:20news-bydate-{name}|20_newsgroup)/([^/]+)/(\d+)"
        for found in read_documents(folder, folders, archives, pattern, "latin-1"):
            group, number = found.named
            text = without_header(found.text)
            if text.strip():
                yield Row({"text": text, "label": group, "id": number}, found.where)
            else:
                folder.count("empty posts left out")

    return part


def without_header(post: str) -> str:
    """The body of a post: what follows the first empty line, without the lines of quoted headers that name groups."""
    return _QUOTED_HEADER.sub("", post.partition("\n\n")[2])


def _dbpedia(name: str) -> SplitReader:
    """DBpedia abstracts (Zhang et al. 2015); the numbers of the classes are those of the folder's own classes.txt."""

    def part(folder: Folder) -> Iterator[Row]:
        classes = _classes(folder.file("classes.txt"))
        path = folder.file(f"{name}.csv", f"{name}_5k.csv")
        width = len(next(csv.reader([first_line(path)]), []))
        columns = ["label", "text"] if width == 2 else ["label", "title", "text"]
        for row in read_rows(str(path), columns=columns):
            number = row.fields["label"]
            yield Row({"text": row.fields["text"].strip(), "label": classes.get(number, number)}, row.where)

    return part


def _classes(path: Path) -> dict[str, str]:
    """Number → name: ``3: Artist``, or the name on the third line."""
    found = {}
    for number, line in enumerate(islice(read_lines(str(path)), len(TOPICS)), start=1):
        before, colon, after = line.strip().partition(":")
        found[before if colon else str(number)] = after.strip() if colon else before
    if sorted(found.values()) != list(TOPICS):
        raise BadInput(
            "not the classes of this data set", where=str(path), value=sorted(found.values()), allowed=", ".join(TOPICS),
            next_step="check that this is the file you meant",
        )  # fmt: skip
    return found


COLA_SPLITS = {"train": COLA.split("train.tsv"), "dev": COLA.split("dev.tsv")}
SST2_SPLITS = {
    "train": SST2.split("train.tsv"), "dev": SST2.split("dev.tsv"), "test": SST2.split_if_labelled("test.tsv"),
}  # fmt: skip
RT_POLARITY_SPLITS = {name: _rt_polarity(name) for name in ("train", "dev", "test")}
IMDB_SPLITS = {name: _imdb(name) for name in ("train", "test")}
NEWSGROUPS_SPLITS = {name: _newsgroups(name) for name in ("train", "test")}
DBPEDIA_SPLITS = {name: _dbpedia(name) for name in ("train", "test")}
