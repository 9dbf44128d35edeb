"""Data sets of the hub, through the real library on a local folder: parts, class names, and what cannot be loaded."""

import sys
from pathlib import Path

import pytest

from warmstart.base.errors import BadInput
from warmstart.readers.hub import is_hub_id, read_hub_splits

pyarrow = pytest.importorskip("pyarrow")
datasets = pytest.importorskip("datasets")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Parquet files that the library wrote itself, with class names in their schema."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    names = datasets.ClassLabel(names=["neg", "pos"])
    kinds = {
        "text": datasets.Value("string"),
        "label": names,
        "tags": datasets.Sequence(names),
        "n": datasets.Value("int32"),
    }
    for split, labels in (("train", [0, 1, 1]), ("validation", [1]), ("test", [-1, -1])):
        columns = {
            "text": [f"{split} {n}" for n in range(len(labels))], "label": labels, "tags": [[1, 0]] * len(labels),
            "n": list(range(len(labels))),
        }  # fmt: skip
        folder = datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))
        folder.to_parquet(str(tmp_path / "set" / f"{split}.parquet"))
    return tmp_path / "set"


def test_splits_and_class_names(folder: Path) -> None:
    """Witness: the rows that the library was given; -1 is its word for no label."""
    splits = {name: list(rows) for name, rows in read_hub_splits(f"hf:{folder}").items()}
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 3, "validation": 1, "test": 2}
    assert splits["train"][2].fields == {"text": "train 2", "label": "pos", "tags": ["pos", "neg"], "n": 2}
    assert splits["train"][2].where == f"hf:{folder}, train:3"
    assert [row.fields["label"] for row in splits["test"]] == [None, None]


def test_a_text_that_is_none_is_named_with_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: pyarrow, which keeps the bytes of a column as they are, under the library's own reading."""
    cells = pyarrow.array([b"fine", b"caf\xe9"])
    text = pyarrow.Array.from_buffers(pyarrow.string(), 2, cells.buffers())
    parts = {"train": datasets.Dataset(datasets.table.InMemoryTable(pyarrow.table({"text": text})))}
    monkeypatch.setattr(datasets, "load_dataset", lambda *_: parts)
    rows = read_hub_splits("hf:some/set")["train"]
    assert next(rows).fields == {"text": "fine"}
    with pytest.raises(BadInput, match=r"hf:some/set, train:2: not utf-8 text .*got b'caf"):
        next(rows)


def test_an_id_begins_with_hf() -> None:
    """Witness: an id and a path."""
    assert is_hub_id("hf:stanfordnlp/sst2") and not is_hub_id("data/sst2.jsonl")


def test_what_cannot_be_loaded_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Witness: an empty folder, an id without a name, a machine that stays offline, and no library."""
    with pytest.raises(BadInput, match=r"--data: this names no data set; got 'hf:'; allowed: hf:owner/name"):
        read_hub_splits("hf:")
    with pytest.raises(BadInput, match="the data set cannot be loaded"):
        read_hub_splits(f"hf:{tmp_path}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(BadInput, match=r"cannot be loaded .*[Oo]ffline"):
        read_hub_splits("hf:nobody/nothing")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(BadInput, match=r"needs the datasets package; .*pip install 'warmstart\[hub\]'"):
        read_hub_splits("hf:nobody/nothing")
