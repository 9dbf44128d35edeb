"""Classes by encoder-decoders: the encoder reads a text, and the decoder reads it again."""

import json
from pathlib import Path

import numpy as np
import pytest

from warmstart.cli.main import main
from warmstart.example.record import Record
from warmstart.tasks.classification import CLASS, Classification
from warmstart.tasks.framing import Frame
from warmstart.tasks.parts import Parts
from warmstart.tasks.settings import FrameSettings, TemplateSettings
from warmstart.verbs.api import predict

ROWS = [{"text": f"{'red green'.split()[n % 2]} fox {n % 5}", "label": "ab"[n % 2]} for n in range(16)]  # noqa: SIM905


@pytest.mark.parametrize("template", [None, TemplateSettings(one=((1,), (2,)), start=7)])
def test_the_decoder_reads_the_text_one_token_later(template: TemplateSettings | None) -> None:
    """Worked example: BART's class of ``a fine`` (Lewis et al. 2020, section 3.1), read at the decoder's last token."""
    settings = FrameSettings(context=16, sight="prefix", lm=False, template=template)
    frame = Frame(settings, None, CLASS, ("no", "yes"), 1, 2, 2)
    [example] = Classification().examples(Record({"text": "a fine"}, 1), Parts((np.array([5, 6]),)), frame)
    assert example.ids.tolist() == [1, 5, 6, 2, 2 if template is None else 7, 1, 5, 6]
    assert example.turns.tolist() == [0, 0, 0, 0, 1, 2, 3, 4]
    assert example.positions.tolist() == [*range(8)]
    assert example.goals["label"].reads.tolist() == [7] and example.goals["label"].targets.tolist() == [1]


@pytest.mark.parametrize("model", ["encoder-decoder-tiny", "lstm-encoder-decoder-tiny"])
def test_an_encoder_decoder_learns_classes(model: str, tmp_path: Path) -> None:
    """Invariants: the run loads under our own names, and a text's answer does not depend on its neighbours."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    words = [
        "finetune",
        "--start",
        "none",
        "--model",
        model,
        "--task",
        "classification",
        "--vocab-size",
        "270",
        "--quiet",
    ]
    words += [
        "--train",
        str(rows),
        "--dev",
        str(rows),
        "--length",
        "2 steps",
        "--batch-size",
        "8",
        "--precision",
        "fp32",
    ]
    assert main([*words, "--retries", "0", "--out", str(tmp_path / "run")]) == 0
    predict(str(tmp_path / "run"), str(rows), str(tmp_path / "all"))
    together = [json.loads(line)["probabilities"] for line in (tmp_path / "all").read_text().splitlines()]
    (tmp_path / "one.jsonl").write_text(json.dumps(ROWS[3]) + "\n")
    predict(str(tmp_path / "run"), str(tmp_path / "one.jsonl"), str(tmp_path / "alone"))
    assert json.loads((tmp_path / "alone").read_text())["probabilities"] == pytest.approx(together[3], abs=1e-5)
    assert sum(together[3].values()) == pytest.approx(1)
