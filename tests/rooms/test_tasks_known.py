"""Known data sets on tiny files made by hand in the forms in which they are distributed; labels told by eye."""

import gzip
import io
import json
import tarfile

import pytest
from sklearn.datasets._twenty_newsgroups import strip_newsgroup_header

from warmstart.base.errors import BadInput
from warmstart.tasks.catalogue import CATALOGUE, known_dataset
from warmstart.tasks.known.files import Folder, Table

SNLI_HEADER = (
    "gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\t"
    "captionID\tpairID\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5"
)
MNLI_HEADER = (
    "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\t"
    "sentence1\tsentence2\tlabel1\tgold_label"
)


def written(folder, files):
    """Files by name: text, bytes, lists of lines, or JSON lines as lists of dictionaries."""
    for name, content in files.items():
        if isinstance(content, list):
            content = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in content)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return folder


def read(name, folder, *parts):
    """SplitReader → the texts of each example with the label in words."""
    known = known_dataset(name)
    found = known.load(folder, parts).records

    def one(record):
        label = known.label_names[record.label] if known.label_names else record.label
        return (*record.texts.values(), label)

    return {part: [one(record) for record in records] for part, records in found.items()}


def note(name, folder, *parts):
    return known_dataset(name).load(folder, parts).note


def pair(label, premise="A man sings.", hypothesis="He sleeps."):
    return {"gold_label": label, "sentence1": premise, "sentence2": hypothesis, "annotator_labels": [label]}


def snli_line(label, premise="A man sings.", hypothesis="He sleeps."):
    return "\t".join(
        [label, "( x )", "( y )", "(ROOT x)", "(ROOT y)", premise, hypothesis, "1.jpg#0", "1.jpg#0r1c", label]
    )


def test_snli_as_distributed_in_both_forms(tmp_path):
    """Witness: the layout of snli_1.0; pairs without a gold label are left out and counted."""
    three = ["contradiction", "-", "entailment"]
    for name in ("train", "dev", "test"):
        written(tmp_path / "jsonl", {f"snli_1.0_{name}.jsonl": [pair(label) for label in three]})
        # the table's last columns are the labels of the five annotators, empty where there was one
        lines = [SNLI_HEADER, *(snli_line(label) + "\t" * 4 for label in three)]
        written(tmp_path / "txt" / "snli_1.0", {f"snli_1.0_{name}.txt": lines})
    expected = [("A man sings.", "He sleeps.", "contradiction"), ("A man sings.", "He sleeps.", "entailment")]
    for form in ("jsonl", "txt"):
        assert read("snli", tmp_path / form) == dict.fromkeys(("train", "dev", "test"), expected)
        assert note("snli", tmp_path / form, "dev") == "1 pairs without a gold label left out"


def test_snli_sample_beside_tokens(tmp_path):
    """Witness: the numbering 1 neutral, 2 contradiction, 3 entailment; dev as tokens."""
    lines = [f"{n}\t{n}\tA man sings.\tHe sleeps." for n in "123"]
    written(tmp_path, {"train_18k.tsv": lines, "dev.tsv": ["neutral\tA man sings . \tHe does n't . "]})
    found = read("snli", tmp_path, "train", "dev")
    assert [label for *_, label in found["train"]] == ["neutral", "contradiction", "entailment"]
    assert found["dev"] == [("A man sings.", "He doesn't.", "neutral")]
    assert note("snli", tmp_path, "train") == "train_18k.tsv is a sample of the official file"


def test_mnli_in_glues_folder_and_as_distributed(tmp_path):
    """Witness: the header of GLUE's train.tsv; dev files have more annotators' columns before the gold label."""

    def line(label, annotators):
        return "\t".join(
            ["0", "1", "1e", "fiction", "(", ")", "(ROOT", ")", 'He said "no', "He spoke.", *annotators, label]
        )

    dev = MNLI_HEADER.replace("label1", "label1\tlabel2\tlabel3\tlabel4\tlabel5")
    files = {"train.tsv": [MNLI_HEADER, line("neutral", ["neutral"])]}
    files |= {f"dev_{n}.tsv": [dev, line("entailment", ["neutral"] * 5)] for n in ("matched", "mismatched")}
    written(tmp_path / "MNLI", files)
    expected = {"train": "neutral", "dev": "entailment", "dev_mismatched": "entailment"}
    glue = {part: [('He said "no', "He spoke.", label)] for part, label in expected.items()}
    assert read("mnli", tmp_path / "MNLI") == read("mnli", tmp_path) == glue
    names = {"train": "train", "dev": "dev_matched", "dev_mismatched": "dev_mismatched"}
    rows = {part: [pair(label, 'He said "no', "He spoke."), pair("-")] for part, label in expected.items()}
    written(tmp_path / "own", {f"multinli_1.0_{name}.jsonl": rows[part] for part, name in names.items()})
    assert read("mnli", tmp_path / "own") == glue


@pytest.mark.parametrize(
    ("name", "header", "lines", "expected"),
    [
        ("rte", "index\tsentence1\tsentence2\tlabel", ["0\ta\tb\tentailment", "1\tc\td\tnot_entailment"],
         [("a", "b", "entailment"), ("c", "d", "not_entailment")]),
        ("wnli", "index\tsentence1\tsentence2\tlabel", ["0\ta\tb\t1", "1\tc\td\t0"],
         [("a", "b", "entailment"), ("c", "d", "not_entailment")]),
        ("qnli", "index\tquestion\tsentence\tlabel", ["0\tWho?\tb\tentailment", "1\tc\td\tnot_entailment"],
         [("Who?", "b", "entailment"), ("c", "d", "not_entailment")]),
        ("mrpc", "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String", ['1\t7\t8\t"a\tb', "0\t9\t10\tc\td"],
         [('"a', "b", "paraphrase"), ("c", "d", "not_paraphrase")]),
        ("qqp", "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", ["5\t1\t2\ta\tb\t0", "6\t3\t4\tc\td\t1"],
         [("a", "b", "not_duplicate"), ("c", "d", "duplicate")]),
        ("stsb", "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
         ["0\tg\tf\t2012\t1\tnone\tnone\ta\tb\t3.800"], [("a", "b", 3.8)]),
        ("sst2", "sentence\tlabel", ["it 's fine . \t1", "dull \t0"], [("it's fine.", "positive"), ("dull", "negative")]),
        ("cola", None, ["gj04\t1\t\tHe sings.", "gj04\t0\t*\tSings he."],
         [("He sings.", "acceptable"), ("Sings he.", "unacceptable")]),
    ],
)  # fmt: skip
def test_glues_folders(tmp_path, name, header, lines, expected):
    """Witness: the headers and columns of GLUE's files; their test.tsv has no labels and is no part."""
    texts = [
        cell
        for cell in (header or "sentence").lstrip("\ufeff").split("\t")
        if cell not in ("label", "score", "Quality")
    ]
    files = {f"{part}.tsv": [*([header] if header else []), *lines] for part in ("train", "dev")}
    files["test.tsv"] = ["\t".join(["index", *texts]), "\t".join("0" for _ in range(len(texts) + 1))]
    written(tmp_path, files)
    assert read(name, tmp_path) == {"train": expected, "dev": expected}
    inner = known_dataset(name).subfolders[0]
    (tmp_path / "glue").mkdir()
    (tmp_path / "glue" / inner).symlink_to(tmp_path, target_is_directory=True)
    assert read(name, tmp_path / "glue") == read(name, tmp_path)


def test_broken_lines_of_qqp_are_left_out_and_counted_and_those_of_others_refused(tmp_path):
    """Witness: a question with a line's end in it, as three of GLUE's pairs have."""
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"
    lines = [header, "1\t1\t2\ta\tb", "c\t0", "2\t3\t4\td\te\t1"]
    written(tmp_path, {"train.tsv": lines})
    assert read("qqp", tmp_path, "train") == {"train": [("d", "e", "duplicate")]}
    assert note("qqp", tmp_path, "train") == "2 broken lines left out"
    written(tmp_path, {"train.tsv": ["index\tsentence1\tsentence2\tlabel", "0\ta\tb\tentailment", "1\tc"]})
    with pytest.raises(BadInput, match=r"train\.tsv:3: wrong number of columns; got 2; allowed: 4 to 4"):
        read("rte", tmp_path, "train")


def test_qqp_without_a_header_line(tmp_path):
    """Witness: the same pair in both forms."""
    written(tmp_path, {"train.tsv": ["5\t1\t2\ta\tb\t1"], "dev.tsv": ["6\t1\t2\tc\td\t0"]})
    assert read("qqp", tmp_path)["train"] == [("a", "b", "duplicate")]
    assert "sample" in note("qqp", tmp_path)


def mrpc_lines(count):
    header = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String"
    return [header, *(f"{n % 2}\t{n}\t{n + 1}\tfirst {n}\tsecond {n}" for n in range(count))]


def test_mrpc_as_distributed_with_and_without_glues_list(tmp_path):
    """Witness: the list of ids that GLUE's own script cuts dev by; without it the last 408 pairs."""
    written(tmp_path, {"msr_paraphrase_train.txt": mrpc_lines(500), "msr_paraphrase_test.txt": mrpc_lines(3)})
    found = read("mrpc", tmp_path)
    assert [len(found[part]) for part in ("train", "dev", "test")] == [92, 408, 3]
    assert found["dev"][-1] == ("first 499", "second 499", "paraphrase")
    assert "last 408 pairs" in note("mrpc", tmp_path)
    written(tmp_path, {"dev_ids.tsv": ["3\t4", "7\t8"]})
    found = read("mrpc", tmp_path)
    assert found["dev"] == [("first 3", "second 3", "paraphrase"), ("first 7", "second 7", "paraphrase")]
    assert len(found["train"]) == 498 and not set(found["dev"]) & set(found["train"])
    assert "408" not in note("mrpc", tmp_path)


def test_qnli_with_its_training_file_keeps_glues_dev(tmp_path):
    """Witness: the two files; without train.tsv the last 1,000 of dev are dev."""
    header = "index\tquestion\tsentence\tlabel"
    pairs = [f"{n}\tq{n}\ts{n}\tentailment" for n in range(1003)]
    written(tmp_path, {"dev.tsv": [header, *pairs]})
    found = read("qnli", tmp_path)
    assert [question for question, *_ in found["train"]] == ["q0", "q1", "q2"] and len(found["dev"]) == 1000
    written(tmp_path, {"train.tsv": [header, "0\tq\ts\tnot_entailment"]})
    assert (
        read("qnli", tmp_path)["train"] == [("q", "s", "not_entailment")] and len(read("qnli", tmp_path)["dev"]) == 1003
    )
    assert note("qnli", tmp_path) == ""


def test_stsb_as_distributed_has_seven_or_nine_columns(tmp_path):
    """Witness: lines of both widths, which the official files mix; the official ending is .csv."""
    line = "main\tMSRvid\t2012\t7\t4.5\tone\ttwo"
    written(tmp_path, {f"sts-{part}.csv": [line, f"{line}\tsource\tsource"] for part in ("train", "dev", "test")})
    assert read("stsb", tmp_path) == dict.fromkeys(("train", "dev", "test"), [("one", "two", 4.5)] * 2)


def test_scitail_in_both_forms(tmp_path):
    """Witness: the table says entails, the JSON lines (in a file named .txt) say entailment."""
    for part in ("train", "dev", "test"):
        written(tmp_path / "tsv", {f"scitail_1.0_{part}.tsv": ["A b.\tC.\tentails", "D.\tE.\tneutral"]})
        rows = [pair("entailment", "A b.", "C."), pair("neutral", "D.", "E.")]
        written(tmp_path / "SciTailV1.1" / "snli_format", {f"scitail_1.0_{part}.txt": rows})
    pairs = [("A b.", "C.", "entailment"), ("D.", "E.", "neutral")]
    expected = {part: pairs for part in ("train", "dev", "test")}
    assert read("scitail", tmp_path / "tsv") == read("scitail", tmp_path) == expected


def test_xnli_as_one_table_of_all_languages(tmp_path):
    """Witness: the layout of XNLI-1.0 beside the file of one language."""
    header = "language\tgold_label\tsentence1\tsentence2\tgenre"
    lines = [header, "de\tneutral\tJa.\tNein.\tfiction", "en\tentailment\tYes.\tNo.\tfiction"]
    written(tmp_path / "XNLI-1.0", {"xnli.dev.tsv": lines})
    written(tmp_path / "one", {"dev-de.tsv": ["Ja.\tNein.\tneutral"]})
    expected = {"dev-de": [("Ja.", "Nein.", "neutral")]}
    assert read("xnli", tmp_path, "dev-de") == read("xnli", tmp_path / "one", "dev-de") == expected


def passage(level, number):
    return {
        "article": "He sings.", "id": f"{level}{number}.txt", "questions": ["He _ .", "Why?"], "answers": ["B", "A"],
        "options": [["a", "sings", "b", "c"], ["A", "B", "C", "D"]],
    }  # fmt: skip


def test_race_as_distributed_and_as_lines(tmp_path):
    """Witness: letters are places, also where a choice is itself a letter."""
    files = {f"RACE/{part}/{level}/{n}.txt": json.dumps(passage(level, n))
             for part in ("train", "dev", "test") for level in ("middle", "high") for n in (10, 9)}  # fmt: skip
    written(tmp_path, files)
    expected = [
        ("He sings.", "He _ .", ("a", "sings", "b", "c"), 1), ("He sings.", "Why?", ("A", "B", "C", "D"), 0),
    ]  # fmt: skip
    assert read("race_m", tmp_path)["dev"] == expected * 2
    assert len(read("race", tmp_path / "RACE")["train"]) == 8
    ids = [record.extra["id"] for record in known_dataset("race_h").load(tmp_path).records["test"]]
    assert ids == ["high9.txt", "high9.txt", "high10.txt", "high10.txt"]
    rows = [{"example_id": f"{level}1.txt", "article": "He sings.", "question": "Why?", "options": ["a", "b"],
             "answer": letter} for level, letter in (("middle", "B"), ("high", "A"))]  # fmt: skip
    written(tmp_path / "race_m", {"validation.jsonl": rows, "test.jsonl": rows})
    assert read("race_m", tmp_path / "race_m", "dev", "test")["test"] == [("He sings.", "Why?", ("a", "b"), 1)]
    rows[0]["answer"] = "C"
    written(tmp_path / "race_m", {"test.jsonl": rows})
    with pytest.raises(BadInput, match=r"test\.jsonl: not a file of this data set \(answer 'C' of 2\)"):
        read("race_m", tmp_path / "race_m", "test")
    with pytest.raises(BadInput, match=r"allowed: train\.jsonl \(also \.gz or \.zst\), or the folder train"):
        read("race_m", tmp_path / "race_m", "train")
    with pytest.raises(BadInput, match="high: a folder of this data set is missing or empty"):
        (tmp_path / "RACE" / "dev" / "high").rename(tmp_path / "elsewhere")
        read("race_h", tmp_path, "dev")


def dialogues(answer):
    return json.dumps([[["M: Hi", "W: Ho"], [{"question": "Who?", "choice": ["a", "b"], "answer": answer}], "1-2"]])


def test_dream_and_race_together(tmp_path):
    """Witness: training questions of the one, dev of the other, each in its own folder."""
    written(
        tmp_path, {f"dream/{part}.json.gz": gzip.compress(dialogues("b").encode()) for part in ("train", "dev", "test")}
    )
    rows = [{"example_id": "middle1.txt", "article": "x", "question": "y", "options": ["a", "b"], "answer": "A"}]
    written(tmp_path, {"race_m/validation.jsonl": rows, "race_m/test.jsonl": rows})
    found = read("race_m+dream", tmp_path)
    assert found == {"train": [("M: Hi\nW: Ho", "Who?", ("a", "b"), 1)], "dev": [("x", "y", ("a", "b"), 0)],
                     "test": [("x", "y", ("a", "b"), 0)]}  # fmt: skip
    assert known_dataset("dream").load(tmp_path / "dream").records["test"][0].extra == {"id": "1-2"}
    (tmp_path / "dream" / "train.json.gz").unlink()
    with pytest.raises(BadInput, match=r"dream/train\.json: a file of this data set is missing"):
        read("race_m+dream", tmp_path)


def test_commonsense_questions_by_their_keys(tmp_path):
    """Witness: CommonsenseQA's letters, ARC's numbers, and different numbers of choices."""

    def asked(labels, key):
        choices = [{"label": label, "text": f"choice {label}"} for label in labels]
        return {
            "answerKey": key,
            "id": "1a",
            "question": {"question_concept": "x", "choices": choices, "stem": "Where?"},
        }

    written(tmp_path, {f"{part}_rand_split.jsonl": [asked("ABCDE", "E")] for part in ("train", "dev")})
    written(
        tmp_path,
        {f"ARC-Easy-{part}.jsonl": [asked("1234", "2"), asked("ABC", "A")] for part in ("Train", "Dev", "Test")},
    )
    written(tmp_path, {f"Main/{part}.jsonl": [asked("ABCD", "D")] for part in ("train", "dev", "test")})
    assert [e[-1] for e in read("csqa", tmp_path)["dev"]] == [4]
    assert [(e[0], e[2][e[3]]) for e in read("arc_easy", tmp_path)["test"]] == [
        ("Where?", "choice 2"),
        ("Where?", "choice A"),
    ]
    assert read("openbookqa", tmp_path)["train"][0][-1] == 3
    written(tmp_path, {"dev_rand_split.jsonl": [asked("ABCDE", "F")]})
    with pytest.raises(BadInput, match=r"dev_rand_split\.jsonl: not a file of this data set"):
        read("csqa", tmp_path, "dev")


def test_copa_with_and_without_fewglues_dev(tmp_path):
    """Witness: SuperGLUE's dev is dev, unless FewGLUE's is beside it."""
    row = {
        "premise": "He fell.",
        "choice1": "It hurt.",
        "choice2": "It rained.",
        "question": "effect",
        "label": 0,
        "idx": 1,
    }
    files = {f"{name}.jsonl": [row | {"idx": n}] for n, name in enumerate(("train", "val"))}
    written(tmp_path, files)
    example = ("He fell.", "What happened as a result?", ("It hurt.", "It rained."), 0)
    assert read("copa", tmp_path) == {"train": [example], "dev": [example]}
    written(tmp_path, {"dev32.jsonl": [row | {"question": "cause", "label": 1}]})
    found = read("copa", tmp_path)
    assert found["dev"] == [("He fell.", "What was the cause of this?", ("It hurt.", "It rained."), 1)]
    assert found["test"] == [example] and "FewGLUE" in note("copa", tmp_path)


def test_story_cloze_by_the_names_of_both_copies(tmp_path):
    """Witness: quoted cells, endings numbered from 1."""
    header = ",".join(["InputStoryid", *(f"InputSentence{n}" for n in (1, 2, 3, 4)), "RandomFifthSentenceQuiz1",
                       "RandomFifthSentenceQuiz2", "AnswerRightEnding"])  # fmt: skip
    lines = [header, *(f'{n},He sang.,"Well, loud.",She heard.,It ended.,Bad.,Good.,2' for n in range(400))]
    names = {"val": "cloze_test_val__spring2016.csv", "test": "cloze_test_test__spring2016 - cloze_test_ALL_test.csv"}
    written(tmp_path, dict.fromkeys(names.values(), lines))
    found = read("storycloze", tmp_path)
    assert [len(found[part]) for part in ("train", "dev", "test")] == [26, 374, 400]
    assert found["test"][0] == ("He sang. Well, loud. She heard. It ended.", "", ("Bad.", "Good."), 1)


def tar(files):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode("latin-1"))
            archive.addfile(member, io.BytesIO(text.encode("latin-1")))
    return target.getvalue()


def test_imdb_as_a_folder_and_as_an_archive(tmp_path):
    """Witness: the same files in both forms; unlabelled reviews and lists are no examples."""
    files = {"aclImdb/train/pos/10_9.txt": "Fine.<br /><br />Seen twice.", "aclImdb/train/pos/9_10.txt": "Great.",
             "aclImdb/train/neg/0_1.txt": "Dull.", "aclImdb/train/unsup/0_0.txt": "?", "aclImdb/train/urls_pos.txt": "x",
             "aclImdb/test/pos/0_8.txt": "Good.", "aclImdb/test/neg/0_3.txt": "Bad."}  # fmt: skip
    written(tmp_path / "folder", files)
    written(tmp_path / "archive", {"aclImdb_v1.tar.gz": tar(files)})
    found = read("imdb", tmp_path / "folder")
    assert found == read("imdb", tmp_path / "archive") == {
        "train": [("Dull.", "negative"), ("Great.", "positive"), ("Fine.\nSeen twice.", "positive")],
        "test": [("Bad.", "negative"), ("Good.", "positive")],
    }  # fmt: skip
    with pytest.raises(
        BadInput, match=r"aclImdb_v1\.tar or imdb_train\.tar \(also \.gz or \.zst\), or the folder train"
    ):
        read("imdb", tmp_path)


def test_newsgroups_without_their_headers(tmp_path):
    """Witness: scikit-learn's own rule for headers; a quoted header that names the group goes as well."""
    quoted = "> Newsgroups: sci.med\n>> Xref: y sci.med:1\n"
    post = f"From: a@b\nNewsgroups: sci.med\nSubject: x\n\nIn reply:\n\n{quoted}I agr\xe9e.\n"
    files = {f"20news-bydate-{part}/{group}/{n}": post for part, n in (("train", 1), ("test", 2))
             for group in ("sci.med", "rec.autos")}  # fmt: skip
    files["20news-bydate-train/sci.med/3"] = "Newsgroups: sci.med\n\n \n"
    written(tmp_path / "archive", {"20news-bydate.tar.gz": tar(files)})
    written(tmp_path / "folder", {name: text.encode("latin-1") for name, text in files.items()})
    found = read("20news", tmp_path / "archive")
    assert found == read("20news", tmp_path / "folder")
    assert found["train"] == [("In reply:\n\nI agrée.\n", "rec.autos"), ("In reply:\n\nI agrée.\n", "sci.med")]
    body = strip_newsgroup_header(post)
    assert found["train"][0][0] == "".join(line for line in body.splitlines(True) if "sci.med" not in line)
    assert note("20news", tmp_path / "archive", "train") == "1 empty posts left out"


def test_dbpedia_by_the_classes_of_its_own_folder(tmp_path):
    """Witness: the official list without numbers (1 is Company) and three columns; a numbered one (1 is Artist) and two."""
    official = ["Company", "EducationalInstitution", "Artist", "Athlete", "OfficeHolder", "MeanOfTransportation", "Building",
                "NaturalPlace", "Village", "Animal", "Plant", "Album", "Film", "WrittenWork"]  # fmt: skip
    lines = ['1,"Abbott Ltd"," Abbott ""of Farnham"" was a coachbuilder."']
    written(tmp_path / "dbpedia_csv", {"classes.txt": official, "train.csv": lines, "test.csv": lines})
    assert read("dbpedia", tmp_path)["test"] == [('Abbott "of Farnham" was a coachbuilder.', "Company")]
    mixed = [*official[2:], *official[:2]]
    numbered = [f"{n}: {name}" for n, name in enumerate(mixed, start=1)] + ["#train: 5"]
    written(
        tmp_path,
        {"own/classes.txt": numbered, "own/train_5k.csv": ['"1","A painter"'], "own/test_5k.csv": ['"13","B"']},
    )
    found = read("dbpedia", tmp_path / "own")
    assert found == {"train": [("A painter", "Artist")], "test": [("B", "Company")]}
    written(tmp_path, {"own/classes.txt": numbered[1:]})
    with pytest.raises(BadInput, match=r"classes\.txt: not the classes of this data set"):
        read("dbpedia", tmp_path / "own")


def test_sentences_in_cp1252_are_read_and_joined(tmp_path):
    """Witness: letters of that encoding, and tokens."""
    for ending, line in {"pos": "caf\xe9 \x85 good . \n", "neg": "a `` bad '' film\n"}.items():
        (tmp_path / "rt-polaritydata").mkdir(exist_ok=True)
        (tmp_path / "rt-polaritydata" / f"rt-polarity.{ending}").write_bytes(line.encode("latin-1"))
    found = known_dataset("rt_polarity").splits
    for place in (tmp_path, tmp_path / "rt-polaritydata"):  # the archive's own folder may be named or not
        texts = [row.fields["text"] for part in found.values() for row in part(Folder(place))]
        assert sorted(texts) == ['a "bad" film', "café … good."]


def test_a_label_that_the_data_set_does_not_have_is_refused(tmp_path):
    """Witness: the label 2 of two."""
    written(tmp_path, {"train.tsv": ["gj04\t2\t\tHe sings."]})
    with pytest.raises(
        BadInput, match=r"train\.tsv:1.*label unseen in training; got '2'; allowed: unacceptable, acceptable"
    ):
        read("cola", tmp_path, "train")


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_an_empty_folder_names_a_file_and_what_is_allowed(tmp_path, name):
    """Witness: the sentence itself, for every part of every data set."""
    known = known_dataset(name)
    for part in known.splits:
        try:
            known.load(tmp_path, [part])
        except BadInput as error:
            assert (
                str(tmp_path) in error.where
                and "missing" in error.what
                and error.allowed
                and "--data" in error.next_step
            )
        else:
            assert part == "test"  # one that the folder need not have


def test_a_missing_file_an_unknown_name_and_an_unknown_part_are_said_clearly(tmp_path):
    """Witness: the parts of the sentences."""
    with pytest.raises(BadInput) as error:
        known_dataset("cola").load(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'train.tsv'}: a file of this data set is missing; allowed: train.tsv (also .gz or .zst); "
        "give the folder that holds it with --data."
    )
    with pytest.raises(BadInput) as error:
        known_dataset("colla")
    assert error.value.what == "unknown data set" and error.value.next_step == "did you mean 'cola'?"
    with pytest.raises(BadInput, match=r"--split: unknown split .* allowed: dev, train; did you mean 'train'"):
        known_dataset("cola").load(tmp_path, ["trian"])
    for content in ("{}", '[[["M: Hi"'):
        (tmp_path / "train.json").write_text(content)
        with pytest.raises(
            BadInput, match=", train: no examples" if content == "{}" else r"train\.json: not a file of this data set"
        ):
            known_dataset("dream").load(tmp_path)


def test_a_table_with_other_columns_is_refused_with_those_it_has(tmp_path):
    """Witness: the header of another data set, as a table and as JSON lines; an empty file."""
    table = Table({"text": "sentence", "label": "label"})
    written(tmp_path, {"a.tsv": ["text\tlabel", "x\t1"], "b.jsonl": [{"text": "x", "label": 1}], "c.tsv": ""})
    for name, words in (
        ("a.tsv", r"a\.tsv:1: not the columns"),
        ("b.jsonl", r"b\.jsonl:1: not the columns"),
        ("c.tsv", "no"),
    ):
        with pytest.raises(BadInput, match=words):
            list(table.rows(tmp_path / name, Folder(tmp_path)))
