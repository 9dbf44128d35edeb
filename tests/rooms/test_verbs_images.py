"""The road of images with a tiny model: pictures → rows → pre-training → a task → predictions; what is refused on it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score

import warmstart
from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.models.files import read_tensors
from warmstart.tasks.catalogue import known_dataset
from warmstart.tasks.known.pictures import CLASSES

TINY: dict[str, Any] = {"precision": "fp32", "batch_size": 8, "lr": 1e-2}


def drawn(label: int, seed: int) -> np.ndarray:
    """8 x 6 pixels of noise, and a bright bar on the left (class 0) or on top (class 1)... of a colour of its own."""
    pixels = np.random.default_rng(seed).integers(0, 90, (8, 6, 3), np.uint8)
    (pixels[:, :2] if label == 0 else pixels[:3])[...] = (250, 240, 60)
    return pixels


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in two parts, the same as arrays, a text; runs: ``lm`` and ``sa`` of images, ``task``, ``words`` of text."""
    home = tmp_path_factory.mktemp("home")
    arrays: dict[str, Any] = {"classes": np.array(["left", "top"])}
    for part, count in (("train", 48), ("test", 20)):
        labels = np.arange(count) % 2
        pixels = [drawn(label, 1000 * (part == "test") + n) for n, label in enumerate(labels)]
        arrays |= {f"x_{part}": np.stack(pixels), f"y_{part}": labels}
        for n, (image, label) in enumerate(zip(pixels, labels, strict=True)):
            path = home / "pictures" / part / ("left", "top")[label] / f"{n:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    np.savez(home / "arrays.npz", **arrays)
    (home / "text.txt").write_text("\n\n".join(f"The fox number {n} runs over the hill." for n in range(40)))
    rows = [{"text": f"a {word} film {n}", "label": word} for n in range(8) for word in ("good", "bad")]
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, objective in (("lm", "causal"), ("sa", "autoencoder")):
        warmstart.pretrain(
            str(home / name), corpus=str(home / "pictures"), objective=objective, model="lstm-tiny", layers=2,
            length="5 epochs", dev_frac=0.1, sets=["augment.flip=false"], **TINY,
        )  # fmt: skip
    warmstart.pretrain(
        str(home / "words"), corpus=str(home / "text.txt"), vocab_size=270, model="gpt1-tiny", length="1 steps", **TINY
    )
    pictures = str(home / "pictures")
    warmstart.finetune(
        str(home / "task"), start=str(home / "lm"), task="images", train=pictures, test=pictures, length="12 epochs",
        head_dropout=0.0, lm_weight=0.1, sets=["augment.shift=1", "augment.flip=false"], **TINY,
    )  # fmt: skip
    return home


def report(home: Path, run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / run / "report.json").read_text())
    return found


@pytest.mark.parametrize("run", ["lm", "sa"])
def test_rows_are_learned(home: Path, run: str) -> None:
    """Witness: guessing every row's mean gives the loss 1; there is no perplexity of rows; of 8 rows 7 are next
    ones, and 8 are written again."""
    metrics = report(home, run)["metrics"]
    assert metrics["loss"] < 0.9 and metrics.keys() == {"loss", "train_loss"}
    found = warmstart.evaluate(str(home / run), str(home / "pictures"), precision="fp32")
    assert (
        found["metrics"].keys() == {"loss"}
        and found["examples"] == 20
        and found["tokens"] == 20 * {"lm": 7, "sa": 8}[run]
    )


def test_the_task_is_learned_and_measured_rightly(home: Path, tmp_path: Path) -> None:
    """Witness: scikit-learn on the labels that ``predict`` wrote of the same images; the form of the images matters not."""
    wanted = report(home, "task")["test"]["metrics"]
    told = {}
    for source in ("pictures", "arrays.npz"):
        out = tmp_path / f"{source}.jsonl"
        assert warmstart.predict(str(home / "task"), str(home / source), str(out))["examples"] == 68
        told[source] = [json.loads(line) for line in out.read_text().splitlines()]
        found = warmstart.evaluate(str(home / "task"), str(home / source), precision="fp32")
        assert found["metrics"] == pytest.approx(wanted) and found["examples"] == 20
    test = [row for row in told["pictures"] if row["file"].startswith("test/")]
    labels, truth = [row["label"] for row in test], [row["input_label"] for row in test]
    assert accuracy_score(truth, labels) == pytest.approx(wanted["accuracy"]) and wanted["accuracy"] > 0.8
    assert all(row["score"] == max(row["probabilities"].values()) for row in test)
    train = warmstart.evaluate(str(home / "task"), str(home / "pictures"), split="train", precision="fp32")
    assert train["examples"] == 48


def test_all_pre_trained_weights_are_taken(home: Path) -> None:
    """Witness: the tensors; only the head is new, and the image processor is the start's."""
    account = json.loads((home / "task" / "account.json").read_text())["weights"]
    assert set(account["loaded"]) == set(read_tensors(home / "lm" / "model.safetensors"))
    assert account["initialised"] == ["heads.label.linear.weight", "heads.label.linear.bias"] and not account["unused"]
    assert (home / "task" / "image_processor.json").read_bytes() == (home / "lm" / "image_processor.json").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {"label_gain": "linear", "lm_weight": 0},
        {"lm_weight": 1.0, "lm_frame": "autoencoder"},
        {"head_pool": "concat", "head_hidden": 8, "class_weights": "balanced"},
        {"model": "gpt1-tiny", "start": "none"},
        {"control": True},
    ],
    ids=str,
)
def test_every_way_of_tuning_works_on_images(home: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    """Witness: the run that is loaded again and evaluated gives the figures of its report."""
    pictures = str(home / "pictures")
    options = {"start": str(home / "sa")} | options
    found = warmstart.finetune(
        str(tmp_path / "run"), task="images", train=pictures, length="2 epochs", **options, **(TINY | {"lr": 1e-3})
    )
    assert found["steps"] == 12
    evaluated = warmstart.evaluate(str(tmp_path / "run"), str(home / "arrays.npz"), precision="fp32")
    again = warmstart.load(tmp_path / "run").evaluate(
        [{"image": drawn(n % 2, 1000 + n), "label": ("left", "top")[n % 2]} for n in range(20)]
    )
    assert again["metrics"] == pytest.approx(evaluated["metrics"])


def test_pre_training_goes_on_from_another_run(home: Path, tmp_path: Path) -> None:
    """Invariant: with the start's image processor, whatever the mean of the new images is."""
    dark = tmp_path / "dark"
    dark.mkdir()
    for n in range(8):
        Image.fromarray(drawn(n % 2, n) // 4).save(dark / f"{n}.png")
    out = tmp_path / "on"
    warmstart.pretrain(
        str(out), corpus=str(dark), start=str(home / "lm"), objective="autoencoder", length="1 epoch", **TINY
    )
    assert (out / "image_processor.json").read_bytes() == (home / "lm" / "image_processor.json").read_bytes()


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        ("pretrain --corpus odd --out new", ["odd/b.png: this image has another size", "'8 x 7'", "8 x 6"]),
        ("pretrain --corpus arrays.npz --start words --out new", ["--corpus: this model reads text", "'images'"]),
        ("pretrain --corpus text.txt --start lm --out new", ["--start: this model reads images", "8 x 6"]),
        ("pretrain --corpus pictures text.txt --out new", ["images and other files", "text.txt"]),
        ("pretrain --corpus pictures --clean lower --out new", ["corpus.clean", "for text"]),
        ("pretrain --corpus pictures --model bert-tiny --objective masked --out new", ["for text only", "causal, auto"]),
        ("pretrain --corpus pictures --model gpt1-tiny --set model.context=12 --objective autoencoder --out new",
         ["more rows than the model's context", "got 8", "at most 6"]),
        ("pretrain --corpus broken --out new", ["broken/cat/a.png: this image cannot be read"]),
        ("finetune --start words --task images --train pictures --out new", ["--start: this model reads text"]),
        ("finetune --start lm --task classification --train rows.jsonl --out new", ["--start: this model reads images"]),
        ("finetune --start none --model bert-tiny --task images --train pictures --out new", ["bidirectional"]),
        ("finetune --start lm --task images --train odd --out new", ["odd/a.png: this image has no class"]),
        ("finetune --start lm --task images --train rows.jsonl --out new", ["rows.jsonl", "not a source of images", ".png"]),
        ("finetune --start lm --task images --train other --dev other --out new",
         ["this image has another size", "'3 x 3'", "8 x 6"]),
        ("finetune --start none --task classification --train pictures --out new", ["a folder, where a file is needed"]),
        ("finetune --start none --task images --train nothing.npz --out new", ["this file has no images", "x_train"]),
        ("finetune --start lm --task cifar10 --data pictures --out new", ["label unseen", "'left'", "airplane"]),
        ("predict --run task --input other --output new", ["this image has another size", "'3 x 3'", "8 x 6"]),
        ("predict --run task --input text.txt --output new", ["text.txt: not a source of images", ".png"]),
        ("predict --run task --input - --output new", ["-: not a source of images", ".png"]),
        ("pretrain --corpus pictures --model lstm-tiny --objective backward --out new", ["for text only", "autoencoder"]),
        ("pretrain --corpus pictures --model lstm-tiny --carry --out new", ["an image is whole in one row", "--carry"]),
        ("evaluate --run task --data arrays.npz --split dev", ["there are no images here", "'dev'"]),
        ("generate --run lm --prompt a", ["lm: this model reads images"]),
        ("convert lm --out new --to onnx", ["a model of images"]),
    ],
)  # fmt: skip
def test_bad_input(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argv: str,
    parts: list[str],
) -> None:  # fmt: skip
    """Witness: the words of the sentence; nothing is written."""
    for thing in home.iterdir():
        (tmp_path / thing.name).symlink_to(thing)
    for name, shape in (("odd/a.png", (8, 6, 3)), ("odd/b.png", (8, 7, 3)), ("other/cat/a.png", (3, 3, 3)),
                        ("other/ship/b.png", (3, 3, 3))):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / name)
    (tmp_path / "broken" / "cat").mkdir(parents=True)
    (tmp_path / "broken" / "cat" / "a.png").write_text("no picture")
    np.savez(tmp_path / "nothing.npz", a=np.zeros(3))
    monkeypatch.chdir(tmp_path)
    before = files(tmp_path), files(home)
    assert main(argv.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and [part for part in parts if part not in err] == [], err
    assert (files(tmp_path), files(home)) == before


def test_the_official_binary_files_are_read(tmp_path: Path) -> None:
    """Witness: records written as the data set's page says: a class, then the red, the green and the blue plane."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (6, 32, 32, 3), np.uint8)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, own in (("data_batch_1.bin", [0, 1]), ("data_batch_2.bin", [2, 3]), ("test_batch.bin", [4, 5])):
        (folder / name).write_bytes(
            b"".join(bytes([n]) + b"".join(images[n, :, :, c].tobytes() for c in range(3)) for n in own)
        )
    found = known_dataset("cifar10").load(tmp_path).records
    assert len(known_dataset("cifar10").load(folder).records["train"]) == 4  # the folder itself may be named
    assert {part: [record.label for record in records] for part, records in found.items()} == {
        "train": [0, 1, 2, 3], "test": [4, 5]
    }  # fmt: skip
    for records in found.values():
        for record in records:
            assert record.image is not None and np.array_equal(record.image.array, images[record.label])
    first = folder / "data_batch_1.bin"
    first.write_bytes(first.read_bytes() * 10)  # enough to set some aside
    with pytest.raises(BadInput, match="--task: a data set without texts; got 'cifar10'"):
        warmstart.prepare((), str(tmp_path / "no"), task="cifar10", data=str(tmp_path))
    assert not (tmp_path / "no").exists()
    (folder / "test_batch.bin").write_bytes(bytes(100))
    with pytest.raises(BadInput, match=r"test_batch\.bin: not a file of CIFAR-10; got '100 bytes'"):
        known_dataset("cifar10").load(tmp_path, ["test"])


@pytest.mark.data
def test_the_sample_of_cifar10(data_dir: Path) -> None:
    """Witness: its README: 400 test images of each class; that it is a sample is said."""
    found = known_dataset("cifar10").load(data_dir / "cifar10", ["test"])
    assert np.bincount([r.label for r in found.records["test"]]).tolist() == [400] * len(CLASSES)
    assert "test_4k.tar.gz is a sample" in found.note
    assert all(r.where.split("/")[-2] == CLASSES[r.label] for r in found.records["test"])
