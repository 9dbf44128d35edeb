"""Known data sets on the real files: counts and labels as published, traps stepped round."""

import hashlib
import re
from collections import Counter

import pytest
from sklearn.model_selection import train_test_split

from warmstart.base.errors import BadInput
from warmstart.readers.rows import read_rows
from warmstart.tasks.catalogue import CATALOGUE, known_dataset
from warmstart.tasks.known.detokenize import detokenize

PUBLISHED = {
    "cola": {"train": 8551, "dev": 1043},
    "sst2": {"train": 67349, "dev": 872, "test": 1821},
    "rt_polarity": {"train": 8528, "dev": 1066, "test": 1068},
    "imdb": {"train": 5000, "test": 5000},
    "20news": {"train": 6000, "test": 2000},
    "dbpedia": {"train": 5000, "test": 5000},
    "snli": {"train": 18000, "dev": 9842, "test": 9824},
    "snli_cad": {"train": 8330, "dev": 1000, "test": 2000},
    "snli+cad": {"train": 26330, "dev": 9842, "test": 9824},
    "mnli_1k": {"dev": 1000, "dev_mismatched": 1000},
    "qnli": {"train": 4463, "dev": 1000},
    "rte": {"train": 2490, "dev": 277},
    "wnli": {"train": 635, "dev": 71},
    "mrpc": {"train": 3668, "dev": 408, "test": 1725},
    "qqp": {"train": 20000, "dev": 3496},
    "stsb": {"train": 5749, "dev": 1500, "test": 1379},
    "dream": {"train": 6116, "dev": 2040, "test": 2041},
    "race_m+dream": {"train": 6116, "dev": 1436, "test": 1436},
    "storycloze": {"train": 1497, "dev": 374, "test": 1871},
    "copa": {"train": 32, "dev": 32, "test": 100},
    "wnut17_ner": {"train": 3394, "dev": 1009, "test": 1287},
    "wikigold_ner": {"train": 1189, "dev": 200, "test": 300},
    "ud_english_ewt": {"train": 12544, "dev": 2001, "test": 2077},
    "ud_vietnamese_vtb": {"train": 1400, "dev": 1123, "test": 800},
    "tydiqa_en": {"train": 3318, "dev": 378},
    "xquad_en": {"test": 1190},
    "mlqa_en": {"dev": 1148},
}


def folder(data_dir, name):
    return data_dir if "+" in name else data_dir / name


@pytest.fixture(scope="module")
def load(data_dir):
    """A data set's Records; each is read once."""
    read = {}

    def one(name):
        if name not in read:
            read[name] = known_dataset(name).load(folder(data_dir, name)).records
        return read[name]

    return one


def labels(name, records):
    return Counter(known_dataset(name).label_names[r.label] for r in records)


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_every_data_set_has_its_published_number_of_examples(name, load):
    """Witness: the counts that the data sets' authors give, or those of the sample."""
    splits = load(name)
    assert {split: len(records) for split, records in splits.items()} == PUBLISHED[name]
    assert all(record.label is not None and record.where for records in splits.values() for record in records)
    assert all(
        text for records in splits.values() for r in records for key, text in r.texts.items() if key != "question"
    )


def test_every_data_set_can_be_judged_and_says_where_its_splits_come_from():
    """Invariant: a metric of its kind first, a note, a part to evaluate by; class names are no duplicates."""
    from warmstart.tasks.table import KINDS

    for known in CATALOGUE.values():
        for metric in known.metrics:
            answer = KINDS[known.kind].answer(known.label_names)
            answer.check_metric(metric, answer.metrics(known.label_names))
        assert known.note and {"dev", "test", "dev-en"} & set(known.splits)
        assert len(set(known.label_names)) == len(known.label_names)


@pytest.mark.data
def test_label_numbers_mean_what_they_should(load):
    """Witness: label counts published for the data sets, and pairs whose label a reader can tell."""
    assert labels("cola", load("cola")["train"]) == {"acceptable": 6023, "unacceptable": 2528}
    assert labels("cola", load("cola")["dev"]) == {"acceptable": 721, "unacceptable": 322}
    assert labels("sst2", load("sst2")["test"]) == {"positive": 904, "negative": 917}
    mrpc = load("mrpc")
    assert labels("mrpc", mrpc["train"] + mrpc["dev"]) == {"paraphrase": 2753, "not_paraphrase": 1323}
    assert labels("mrpc", mrpc["test"]) == {"paraphrase": 1147, "not_paraphrase": 578}
    assert labels("qnli", load("qnli")["train"] + load("qnli")["dev"]) == {"entailment": 2702, "not_entailment": 2761}
    assert round(labels("qqp", load("qqp")["train"])["duplicate"] / 200) == 37
    snli = load("snli")
    assert {r.texts["hypothesis"]: labels("snli", [r]) for r in snli["train"]}[
        "The man is gazing over the water thinking about his life."
    ] == {"neutral": 1}
    assert labels("snli", snli["test"]) == {"entailment": 3368, "contradiction": 3237, "neutral": 3219}
    assert all(0 <= r.label <= 5 for r in load("stsb")["train"])
    wnli = {r.texts["hypothesis"]: labels("wnli", [r]) for r in load("wnli")["dev"]}
    assert wnli["The hair has to be cleaned."] == {"not_entailment": 1} and wnli["Susan did not answer."]["entailment"]
    assert set(labels("imdb", load("imdb")["train"]).values()) == {2500}
    assert Counter(labels("20news", load("20news")["test"]).values()) == {100: 20}
    topics = labels("dbpedia", load("dbpedia")["test"])
    assert (min(topics.values()), max(topics.values())) == (327, 382)


@pytest.mark.data
def test_language_files_of_xnli_are_parts(data_dir):
    """Witness: 830 pairs per class, and the file's own second pair."""
    found = known_dataset("xnli").load(data_dir / "xnli_en", ["dev-en"]).records["dev-en"]
    assert labels("xnli", found) == {"entailment": 830, "neutral": 830, "contradiction": 830}
    assert dict(found[1].texts) == {"premise": "And he said, Mama, I'm home.", "hypothesis": "He didn't say a word."}
    with pytest.raises(BadInput, match=r"test-en\.tsv"):
        known_dataset("xnli").load(data_dir / "xnli_en", ["test-en"])


@pytest.mark.data
def test_right_choices_are_the_right_ones(load):
    """Witness: choices that a reader would take."""
    found = load("dream")["dev"][0]
    assert found.texts["choices"][found.label] == "To change her job."
    found = load("copa")["test"][0]
    assert (found.texts["context"], found.texts["choices"][found.label]) == (
        "The man turned on the faucet.", "Water flowed from the spout.",
    )  # fmt: skip
    found = next(r for r in load("storycloze")["test"] if r.texts["context"].startswith("My friends all love to go"))
    assert found.texts["choices"][found.label] == "The next weekend, I was asked to please stay home."
    race = load("race_m+dream")
    assert {len(r.texts["choices"]) for r in race["test"]} == {4} and {
        len(r.texts["choices"]) for r in race["train"]
    } == {3}
    assert race["dev"][0].extra == {"id": "middle511.txt"}


@pytest.mark.data
def test_classes_of_dbpedia_are_numbered_as_its_folder_numbers_them(load):
    """Witness: the first two texts of the test file, whose topic a reader sees; the official numbering has others."""
    found = [labels("dbpedia", [r]) for r in load("dbpedia")["test"][:2]]
    assert found == [{"Artist": 1}, {"Village": 1}]


@pytest.mark.data
def test_the_story_cloze_split_is_that_of_gpt1s_code(load, data_dir):
    """Witness: scikit-learn's train_test_split with the seed of the released code."""
    path = data_dir / "storycloze" / "cloze_test_val__spring2016.csv.gz"
    stories = [row.fields["InputStoryid"] for row in read_rows(str(path))]
    train, dev = train_test_split(stories, test_size=374, random_state=3535999445)
    splits = load("storycloze")
    assert [r.extra["id"] for r in splits["train"]] == train and [r.extra["id"] for r in splits["dev"]] == dev


@pytest.mark.data
def test_evaluation_pairs_of_snli_read_like_its_training_pairs(load):
    """Invariant: no spaced-out punctuation is left by the named rule."""
    texts = [t for part in ("dev", "test") for r in load("snli")[part] for t in r.texts.values()]
    assert sum(bool(re.search(r" [.,!?;:)](\s|$)| n't|``| '(s|m|re|ve|ll|d) ", t)) for t in texts) == 0


@pytest.mark.data
def test_the_drawn_split_is_recorded_and_separates_sentences_of_the_same_words(load):
    """Invariant: the same split for ever (its checksum), half of each class, no sentence in two parts, letters intact."""
    splits = load("rt_polarity")
    places = "\n".join(
        f"{part} {r.where.rsplit('.', 1)[0][-3:]}{r.where.split(':')[-1]}" for part in splits for r in splits[part]
    )
    assert hashlib.sha256(places.encode()).hexdigest()[:16] == "751aaf239415196c"
    assert all(sum(r.label for r in records) * 2 == len(records) for records in splits.values())
    words = {part: {" ".join(re.findall(r"\w+", r.texts["text"])) for r in records} for part, records in splits.items()}
    assert not (words["train"] & words["dev"] or words["train"] & words["test"] or words["dev"] & words["test"])
    assert any("clichés" in r.texts["text"] for records in splits.values() for r in records)
    assert not any("\x85" in r.texts["text"] for records in splits.values() for r in records)


@pytest.mark.data
def test_sst2_and_rt_polarity_share_most_sentences_as_their_notes_say(load):
    """Witness: the overlap itself, by words; three quarters and more."""
    known = {" ".join(re.findall(r"\w+", r.texts["text"])) for part in load("rt_polarity").values() for r in part}
    test = load("sst2")["test"]
    shared = sum(" ".join(re.findall(r"\w+", r.texts["text"].lower())) in known for r in test) / len(test)
    assert shared > 0.7
    assert "rt_polarity" in known_dataset("sst2").note and "sst2" in known_dataset("rt_polarity").note


@pytest.mark.data
def test_no_newsgroup_post_names_its_group_in_a_header(load):
    """Witness: the raw posts, every one of which does."""
    texts = [r.texts["text"] for part in load("20news").values() for r in part]
    assert not any(re.search(r"^\W*(Newsgroups|Xref):", text, re.MULTILINE) for text in texts)


@pytest.mark.data
def test_the_reviews_are_none_of_the_poisoned_ones(load):
    """Witness: the numbers of the reviews that a public copy has overwritten (0 to 9), and what they are about."""
    for part in load("imdb").values():
        assert min(int(r.extra["id"]) for r in part) >= 50
        assert all((int(r.extra["rating"]) > 5) == (r.label == 1) for r in part)
        assert not any("<br" in r.texts["text"] for r in part)


def test_tokens_become_text_again():
    """Witness: sentences written both ways by hand."""
    pairs = {
        "He said `` hi '' , but she does n't care . ": 'He said "hi", but she doesn\'t care.',
        "A banner reading `` Lotos . '' ": 'A banner reading "Lotos."',
        "The boys ' hats ( all red ) are John 's ; I 'm sure !": "The boys' hats (all red) are John's; I'm sure!",
        "Two women 's 10 % t-shirts": "Two women's 10% t-shirts",
        "Nothing to do.": "Nothing to do.",
    }
    assert {tokens: detokenize(tokens) for tokens in pairs} == pairs


@pytest.mark.data
def test_tags_mean_what_they_should(load):
    """Witness: the numbers of entities that the literature gives for WNUT-17, and words that a reader can tag."""

    def told(name, record):
        names = known_dataset(name).label_names
        return [(word, names[tag]) for word, tag in zip(record.texts["tokens"], record.label, strict=True)]

    wnut = load("wnut17_ner")
    tags = {split: [tag for r in records for _, tag in told("wnut17_ner", r)] for split, records in wnut.items()}
    begun = {split: sum(tag.startswith("B-") for tag in found) for split, found in tags.items()}
    assert begun == {"train": 1975, "dev": 836, "test": 1079}
    gold = load("wikigold_ner")
    assert told("wikigold_ner", gold["train"][0])[9:14] == [
        ("band", "O"), ("The", "B-ORG"), ("Mad", "I-ORG"), ("Capsule", "I-ORG"), ("Markets", "I-ORG"),
    ]  # fmt: skip
    evaluated = {r.texts["tokens"] for split in ("dev", "test") for r in gold[split]}
    assert not evaluated & {r.texts["tokens"] for r in gold["train"]}
    assert told("ud_vietnamese_vtb", load("ud_vietnamese_vtb")["dev"][0])[0] == ("Trả lời", "VERB")


@pytest.mark.data
def test_questions_on_one_passage_stand_in_one_part(load):
    """Invariant: no passage in both parts, and the same drawing for ever (its checksum)."""
    splits = load("tydiqa_en")
    train, dev = ({r.texts["context"] for r in splits[split]} for split in ("train", "dev"))
    assert not train & dev
    places = "\n".join(r.where.rpartition(" ")[2] for r in splits["dev"])
    assert hashlib.sha256(places.encode()).hexdigest()[:16] == "741216f7c8f9cbea"
