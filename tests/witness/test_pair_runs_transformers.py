"""Whole runs that start from encoder-decoders of transformers: T5 and BART folders answer, are trained, and go back.

Tiny random models; the witness is transformers on the same folder, which generates from what its own tokenizer makes of a
text.
"""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors

from warmstart.base.errors import BadInput
from warmstart.cli.main import main
from warmstart.run.metadata import read_metadata
from warmstart.tasks.settings import Seq2SeqSettings
from warmstart.verbs.api import generate

transformers = pytest.importorskip("transformers", minversion="5.3")
pytestmark = pytest.mark.filterwarnings("default")  # theirs, about their own code

WORDS = tuple("red green blue fox hen runs sleeps say :".split())  # noqa: SIM905
BEAM = ["--beam", "3", "--length-penalty", "1.5", "--length-norm", "power"]
SHORT = ["--batch-size", "8", "--precision", "fp32", "--lr", "5e-3", "--target-limit", "6", "--quiet", "--dropout", "0"]


def pairs(count: int, seed: int) -> list[dict[str, str]]:
    """To be learned: the last two words of the source."""
    draw = random.Random(seed)
    every = [[draw.choice(WORDS[:7]) for _ in range(draw.randint(3, 5))] for _ in range(count)]
    return [{"source": " ".join(words), "target": " ".join(words[-2:])} for words in every]


def jsonl(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def write_tokenizer(folder: Path, specials: list[str], single: str, pair: str, **names: str) -> None:
    vocab = {token: number for number, token in enumerate([*specials, *WORDS])}
    backend = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    around = [(token, vocab[token]) for token in dict.fromkeys(specials) if token in single]
    backend.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=around)
    backend.add_special_tokens(specials)
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(folder)


def save(model: Any, folder: Path, **generation: Any) -> None:
    """A folder with what its generation config says."""
    model.generation_config.update(**generation)
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of a T5 and a BART with their tokenizers, and labelled files."""
    folder = tmp_path_factory.mktemp("pairs")
    torch.manual_seed(0)
    t5 = transformers.T5Config(
        vocab_size=16, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4, decoder_start_token_id=0, eos_token_id=1,
        pad_token_id=0, n_positions=32,
    )  # fmt: skip
    save(transformers.T5ForConditionalGeneration(t5), folder / "t5", max_length=9, num_beams=2)
    write_tokenizer(
        folder / "t5", ["<pad>", "</s>", "<unk>"], "$A </s>", "$A </s> $B </s>", pad_token="<pad>", eos_token="</s>",
        unk_token="<unk>",
    )  # fmt: skip
    bart = transformers.BartConfig(
        vocab_size=16, d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=32, forced_eos_token_id=None,
    )  # fmt: skip
    model = transformers.BartForConditionalGeneration(bart)
    save(model, folder / "bart", max_length=9, min_length=4, forced_bos_token_id=0, forced_eos_token_id=None)
    write_tokenizer(
        folder / "bart", ["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>", "<s> $A </s> </s> $B </s>", bos_token="<s>",
        eos_token="</s>", pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>",
    )  # fmt: skip
    jsonl(folder / "train.jsonl", pairs(96, 1))
    jsonl(folder / "dev.jsonl", pairs(16, 2))
    return folder


def their_texts(folder: Path, sources: list[str], **changes: Any) -> list[str]:
    """What transformers writes of each source, with the tokenizer in the folder."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    rows = [model.generate(**tokenizer(text, return_tensors="pt"), **changes)[0] for text in sources]
    return [tokenizer.decode(row, skip_special_tokens=True) for row in rows]


def their_loss(folder: Path, rows: list[dict[str, str]]) -> float:
    """The mean loss of transformers over the tokens of the targets, each framed by the tokenizer as a label."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model, total, count = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval(), 0.0, 0
    for row in rows:
        labels = tokenizer(row["target"], return_tensors="pt").input_ids
        read = torch.cat([torch.tensor([[model.config.decoder_start_token_id]]), labels[:, :-1]], 1)
        with torch.no_grad():
            found = model(**tokenizer(row["source"], return_tensors="pt"), decoder_input_ids=read, labels=labels)
        total += float(found.loss) * labels.numel()
        count += labels.numel()
    return total / count


SOURCES = [row["source"] for row in pairs(5, 3)]


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_a_folder_answers_as_it_stands(home: Path, name: str) -> None:
    """Witness: transformers' texts, with the beams, the lengths and the first token of the folder's own config."""
    ours, penalty = generate(str(home / name), SOURCES), {"early_stopping": "never"} if name == "t5" else {}
    assert [one["text"] for one in ours] == their_texts(home / name, SOURCES, **penalty)
    task, search = read_metadata(home / name).task, read_metadata(home / name).search
    assert task is not None and search is not None
    template = Seq2SeqSettings.model_validate(task.options).template
    assert template is not None
    assert (search.beam, search.max_new, search.min_new) == ((2, 8, 0) if name == "t5" else (1, 8, 3))
    wanted = ((), (1,), 0, (), 1) if name == "t5" else ((0,), (2,), 2, (0,), 2)
    assert (template.before, template.after, template.start, template.forced, template.end) == wanted


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("length_penalty", "high", "'length_penalty' holds no number"),
        ("length_penalty", -1.0, "an impossible setting of generation"),
        ("min_length", "3", "'min_length' holds no number"),
        ("forced_bos_token_id", "<s>", "'forced_bos_token_id' holds no id of a token"),
        ("decoder_start_token_id", 99999, "'decoder_start_token_id' holds no id of a token"),
    ],
)
def test_an_impossible_config_is_named(home: Path, tmp_path: Path, key: str, value: Any, words: str) -> None:
    """Bad input: one sentence for values that no search and no vocabulary has; a negative penalty is not rounded up."""
    shutil.copytree(home / "t5", tmp_path / "t5")
    path = tmp_path / "t5" / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(BadInput, match=words):
        read_metadata(tmp_path / "t5")


def test_it_is_not_written_for_another_engine(home: Path, tmp_path: Path, capsys: Any) -> None:
    """Bad input: one sentence, exit 2, and nothing written."""
    words = ["convert", str(home / "bart"), "--out", str(tmp_path / "out"), "--to", "ctranslate2"]
    assert main(words) == 2 and not (tmp_path / "out").exists()
    assert "an encoder-decoder is not written for CTranslate2 here" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_a_run_from_it_learns_and_goes_back(home: Path, name: str, tmp_path: Path, capsys: Any) -> None:
    """Witness: the task is learned; transformers loads the run's folder and writes the same texts; the prefix travels."""
    files = ["--train", str(home / "train.jsonl"), "--dev", str(home / "dev.jsonl")]
    words = ["finetune", "--start", str(home / name), "--task", "seq2seq", "--length", "2 epochs", *SHORT]
    assert main([*words, *files, "--out", str(tmp_path / "run"), "--source-prefix", "say : ", "--smoothing", "0"]) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["metrics"]["loss"] < 2.5, report["metrics"]  # of an untrained model about log 16, 2.8
    ours = [one["text"] for one in generate(str(tmp_path / "run"), SOURCES)]
    prefixed = [f"say : {text}" for text in SOURCES]
    assert ours == their_texts(tmp_path / "run", prefixed, max_new_tokens=6, do_sample=False)
    capsys.readouterr()
    rows = jsonl(tmp_path / "rows.jsonl", [{"source": text} for text in SOURCES])
    assert main(["predict", "--run", str(tmp_path / "run"), "--input", rows, "--output", "-", *BEAM]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.split("\n") if line]
    assert [row["source"] for row in found] == SOURCES
    assert [row["prediction"] for row in found] == their_texts(
        tmp_path / "run",
        prefixed,
        max_new_tokens=6,
        num_beams=3,
        length_penalty=1.5,
        early_stopping="never",
        do_sample=False,
    )
    asked = ["--data", str(home / "dev.jsonl"), "--precision", "fp32", "--json"]
    assert main(["evaluate", "--run", str(tmp_path / "run"), *asked]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["rougeL"] == pytest.approx(report["metrics"]["rougeL"])


FRESH = ["--start", "none", "--model", "encoder-decoder-tiny", "--vocab-size", "400"]


@pytest.mark.parametrize("more", [FRESH, ["--scheme", "lora"]])
def test_other_runs_go_to_transformers_too(home: Path, more: list[str], tmp_path: Path) -> None:
    """Witness: transformers' texts and loss of the folder of a run from random weights (an mBART), and of one with LoRA."""
    start = [] if "--start" in more else ["--start", str(home / "bart")]
    files = ["--train", str(home / "train.jsonl"), "--dev", str(home / "dev.jsonl"), "--out", str(tmp_path / "run")]
    words = ["finetune", *start, *more, "--task", "seq2seq", "--length", "6 steps", "--metric", "loss", *SHORT]
    assert main([*words, *files]) == 0
    ours = [one["text"] for one in generate(str(tmp_path / "run"), SOURCES, min_new=3)]
    theirs = their_texts(tmp_path / "run", SOURCES, max_new_tokens=6, min_new_tokens=3, do_sample=False)
    assert ours == [text.strip() for text in theirs]
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["metrics"]["loss"] == pytest.approx(their_loss(tmp_path / "run", pairs(16, 2)), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("t5", ["--task", "tagging"], "does not learn this kind of task"),
        ("t5", ["--task", "seq2seq", "--algorithm", "masked"], "cannot learn with masks"),
        ("bart", ["--task", "seq2seq", "--context", "99"], "longer than the model's context"),
        ("bart", ["--task", "seq2seq", "--scheme", "top", "--scheme-layers", "5"], "more layers than the model has"),
    ],
)
def test_what_it_cannot_do_is_refused(
    home: Path, name: str, asked: list[str], words: str, tmp_path: Path, capsys: Any
) -> None:
    """Bad input: one sentence, exit code 2, nothing written."""
    rows: list[dict[str, Any]] = [dict(row) for row in pairs(20, 4)]
    rows = [
        row | {"tokens": row["source"].split(), "tags": [word[0] for word in row["source"].split()]} for row in rows
    ]
    files = ["--train", jsonl(tmp_path / "rows.jsonl", rows), "--dev", str(tmp_path / "rows.jsonl")]
    asked = ["finetune", "--start", str(home / name), *asked, *files, "--length", "2 steps"]
    code = main([*asked, "--out", str(tmp_path / "run")])
    assert code == 2 and words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
