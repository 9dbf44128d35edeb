"""Known data sets: counts as published, traps stepped round, and files made by hand where the real ones are not."""

import gzip
import hashlib
import json
import re

import pytest

from warmstart.base.errors import BadInput
from warmstart.tasks.catalogue import CATALOGUE, entry
from warmstart.tasks.known.joining import untokenised

PUBLISHED = {
    "rt_polarity": {"train": 8528, "dev": 1066, "test": 1068},
    "cola": {"train": 8551, "dev": 1043},
    "snli": {"train": 18000, "dev": 9842, "test": 9824},
    "snli_cad": {"train": 8330, "dev": 1000, "test": 2000},
    "snli+cad": {"train": 26330, "dev": 9842, "test": 9824},
    "stsb": {"train": 5749, "dev": 1500, "test": 1379},
    "dream": {"train": 6116, "dev": 2040, "test": 2041},
}


def folder(data_dir, name):
    return data_dir if name == "snli+cad" else data_dir / name


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_data_set_has_its_published_number_of_examples(name, data_dir):
    """Witness: the counts that the data sets' authors give (10,662 in all where the split is ours)."""
    splits = entry(name).load(folder(data_dir, name))
    assert {split: len(records) for split, records in splits.items()} == PUBLISHED[name]
    assert all(record.label is not None and record.where for records in splits.values() for record in records)


@pytest.mark.data
def test_label_numbers_mean_what_they_should(data_dir):
    """Witness: label counts published for the data sets, and pairs whose label a reader can tell."""
    cola = entry("cola").load(data_dir / "cola")
    assert sum(r.label for r in cola["train"]) == 6023 and sum(r.label for r in cola["dev"]) == 721
    snli = entry("snli").load(data_dir / "snli")
    names = entry("snli").label_names
    labels = {r.texts["hypothesis"]: names[r.label] for r in snli["train"]}
    assert labels["The man is gazing over the water thinking about his life."] == "neutral"
    assert {n: sum(names[r.label] == n for r in snli["test"]) for n in names} == {
        "entailment": 3368, "contradiction": 3237, "neutral": 3219,
    }  # fmt: skip
    assert all(0 <= r.label <= 5 for r in entry("stsb").load(data_dir / "stsb")["train"])
    dream = entry("dream").load(data_dir / "dream")["dev"][0]
    assert dream.texts["choices"][dream.label] == "To change her job."


@pytest.mark.data
def test_evaluation_pairs_of_snli_read_like_its_training_pairs(data_dir):
    """Invariant: no spaced-out punctuation is left by the named rule."""
    snli = entry("snli").load(data_dir / "snli")
    texts = [t for part in ("dev", "test") for r in snli[part] for t in r.texts.values()]
    assert sum(bool(re.search(r" [.,!?;:)](\s|$)| n't|``| '(s|m|re|ve|ll|d) ", t)) for t in texts) == 0


@pytest.mark.data
def test_the_drawn_split_is_recorded_and_separates_sentences_of_the_same_words(data_dir):
    """Invariant: the same split for ever (its checksum), half of each class, no sentence in two parts, letters intact."""
    splits = entry("rt_polarity").load(data_dir / "rt_polarity")
    places = "\n".join(
        f"{part} {r.where.rsplit('.', 1)[0][-3:]}{r.where.split(':')[-1]}" for part in splits for r in splits[part]
    )
    assert hashlib.sha256(places.encode()).hexdigest()[:16] == "751aaf239415196c"
    assert all(sum(r.label for r in records) * 2 == len(records) for records in splits.values())
    words = {part: {" ".join(re.findall(r"\w+", r.texts["text"])) for r in records} for part, records in splits.items()}
    assert not (words["train"] & words["dev"] or words["train"] & words["test"] or words["dev"] & words["test"])
    assert any("clichés" in r.texts["text"] for records in splits.values() for r in records)
    assert not any("\x85" in r.texts["text"] for records in splits.values() for r in records)


def test_tokens_become_text_again():
    """Witness: sentences written both ways by hand."""
    pairs = {
        "He said `` hi '' , but she does n't care . ": 'He said "hi", but she doesn\'t care.',
        "A banner reading `` Lotos . '' ": 'A banner reading "Lotos."',
        "The boys ' hats ( all red ) are John 's ; I 'm sure !": "The boys' hats (all red) are John's; I'm sure!",
        "Two women 's 10 % t-shirts": "Two women's 10% t-shirts",
        "Nothing to do.": "Nothing to do.",
    }
    assert {tokens: untokenised(tokens) for tokens in pairs} == pairs


def test_the_loaders_read_the_formats_as_distributed(tmp_path):
    """Witness: tiny files made by hand in the distributed formats, plain or packed."""
    for ending, line in {"pos": "caf\xe9 \x85 good . \n", "neg": "a `` bad '' film\n"}.items():
        (tmp_path / f"rt-polarity.{ending}").write_bytes(line.encode("latin-1"))
    splits = entry("rt_polarity").load(tmp_path)
    assert sorted(r.texts["text"] for part in splits.values() for r in part) == ['a "bad" film', "café … good."]
    columns = "main\tMSRvid\t2012\t7\t4.5\tone\ttwo"
    for name in ("train", "dev", "test"):
        (tmp_path / f"sts-{name}.tsv").write_text(f"{columns}\n{columns}\tsource\tsource\n")
        dialogue = [[["M: Hi", "W: Ho"], [{"question": "Who?", "choice": ["a", "b"], "answer": "b"}], "1-2"]]
        (tmp_path / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(dialogue).encode()))
    pair = entry("stsb").load(tmp_path)["dev"][1]
    assert (dict(pair.texts), pair.label) == ({"sentence1": "one", "sentence2": "two"}, 4.5)
    question = entry("dream").load(tmp_path)["test"][0]
    assert question.texts == {"context": "M: Hi\nW: Ho", "question": "Who?", "choices": ("a", "b")}
    assert (question.label, question.extra) == (1, {"id": "1-2"})


def test_a_missing_file_and_an_unknown_name_are_said_clearly(tmp_path):
    """Witness: the parts of both sentences."""
    with pytest.raises(BadInput) as error:
        entry("cola").load(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'train.tsv'}: a file of this data set is missing; allowed: train.tsv or train.tsv.gz; "
        "give the folder that holds it with --data."
    )
    with pytest.raises(BadInput) as error:
        entry("colla")
    assert error.value.what == "unknown data set" and error.value.next_step == "did you mean 'cola'?"
    (tmp_path / "train.json").write_text("{}")
    with pytest.raises(BadInput, match=r"train\.json"):
        entry("dream").load(tmp_path)


def test_a_broken_dream_file_is_named(tmp_path):
    """Witness: half a JSON file."""
    (tmp_path / "train.json").write_text('[[["M: Hi"')
    with pytest.raises(BadInput, match=r"train.json: not a DREAM file .*fetch it again"):
        entry("dream").load(tmp_path)
