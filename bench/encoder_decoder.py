"""Tokens per second of an encoder-decoder beside transformers and CTranslate2, on this machine.

    python bench/encoder_decoder.py [--json] [--quick] [--rounds 4] [--races write train]

Every competitor is a process of its own and takes its turn (bench/pacing.py). Shape: BART-base, 6 + 6 layers of 768, 50,265
tokens; the weights are random and the same for all, and travel as a folder of transformers.

======  ================================================================================================================
write   output tokens/s of a beam of 5: batches of 8 sources of 160, 48 new tokens each, none of which ends early: ours,
        transformers' ``generate`` in bf16, CTranslate2
train   tokens/s of steps of 16 pairs, sources of about 128 tokens and targets of about 48, of ragged lengths: ours, and
        transformers in bf16 by autocast, padded to the longest of a batch; both with AdamW, clipping and dropout of 0.1
======  ================================================================================================================
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pacing import Pace, Result, race, show

VOCABULARY, START, END, PAD = 50265, 2, 2, 1
BATCH, BEAM, NEW, SOURCE = 8, 5, 48, 160
PAIRS, LENGTHS = 16, (128, 48)
RACES = {
    "write": ("ours", "transformers_bf16", "ctranslate2_fp32", "ctranslate2_int8"),
    "train": ("ours", "transformers_bf16"),
}
UNITS = {"write": "output tokens/s", "train": "tokens/s"}


def our_model() -> Any:
    """BART-base from random weights."""
    from warmstart.models.model import Model
    from warmstart.models.presets import preset
    from warmstart.models.settings import ModelSettings

    backbone = preset(
        "encoder-decoder", vocab_size=VOCABULARY, context=1024, width=768, heads=12, hidden=3072, norm="post"
    )
    return Model.fresh(ModelSettings(backbone=backbone), 1)


def compute() -> Any:
    """As ``warmstart`` computes on this machine."""
    from warmstart.base.allocator import keep_freed_memory
    from warmstart.train.precision import compute_settings, default_device

    keep_freed_memory()
    return compute_settings("auto", default_device())


def bart(folder: str) -> Any:
    """Our model as a folder that others load."""
    from tokenizers import Tokenizer, models

    from warmstart.transfer.folder import FolderMetadata, save_model

    save_model(our_model(), Path(folder), FolderMetadata((), PAD, END, 0, {"decoder_start_token_id": START}))
    names = ("<s>", "<pad>", "</s>", "<unk>", *(f"t{number}" for number in range(4, VOCABULARY)))
    Tokenizer(models.WordLevel({name: n for n, name in enumerate(names)}, unk_token="<unk>")).save(  # noqa: S106
        str(Path(folder) / "tokenizer.json")
    )
    (Path(folder) / "tokenizer_config.json").write_text(
        json.dumps({
            "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>",
            "unk_token": "<unk>",
        })
    )  # fmt: skip
    return names


def sources() -> Iterator[NDArray[np.int64]]:
    """Endless batches of random ids [B, S]."""
    rng = np.random.default_rng(1)
    while True:
        yield rng.integers(10, VOCABULARY, (BATCH, SOURCE))


def pairs() -> Iterator[list[tuple[NDArray[np.int64], NDArray[np.int64]]]]:
    """Endless batches of sources and targets of ragged lengths."""
    rng = np.random.default_rng(1)
    while True:
        lengths = [np.clip(rng.lognormal(np.log(mean), 0.4, PAIRS).astype(int), 4, 4 * mean) for mean in LENGTHS]
        yield [
            (rng.integers(10, VOCABULARY, s), rng.integers(10, VOCABULARY, t)) for s, t in zip(*lengths, strict=True)
        ]


def write_ours(held: ExitStack) -> Callable[[NDArray[np.int64]], None]:
    """The search; the end token cannot come, so every text has all its tokens. Weights are packed once."""
    from warmstart.decode.cached_decoder import DecodeMode, Source
    from warmstart.decode.limits import Limits
    from warmstart.decode.packed import packed_softmax
    from warmstart.decode.search import Search, search
    from warmstart.decode.settings import GenerateSettings

    found = compute()
    model = our_model().to(found.dtype)
    found.apply(model)
    asked = Search(DecodeMode(), GenerateSettings(beam=BEAM, max_new=NEW), Limits(None))
    held.enter_context(packed_softmax(model, BATCH * BEAM))

    def write(ids: NDArray[np.int64]) -> None:
        texts = search(model, [Source(row, START) for row in ids], asked)
        assert all(len(one[0].ids) == NEW for one in texts)

    return write


def write_transformers() -> Callable[[NDArray[np.int64]], None]:
    """Its ``generate`` with its own cache."""
    from transformers import BartForConditionalGeneration

    with tempfile.TemporaryDirectory() as folder:
        bart(folder)
        model = BartForConditionalGeneration.from_pretrained(folder, dtype=torch.bfloat16).eval()

    def write(ids: NDArray[np.int64]) -> None:
        rows = torch.from_numpy(ids)
        with torch.inference_mode():
            found = model.generate(
                rows, attention_mask=torch.ones_like(rows), num_beams=BEAM, do_sample=False, min_new_tokens=NEW,
                max_new_tokens=NEW, forced_eos_token_id=None,
            )  # fmt: skip
        assert found.shape[1] == 1 + NEW

    return write


def write_ctranslate2(kind: str) -> Callable[[NDArray[np.int64]], None]:
    """Its translator on the exported model."""
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    with tempfile.TemporaryDirectory() as folder:
        names = np.array(bart(f"{folder}/bart"))
        TransformersConverter(f"{folder}/bart").convert(f"{folder}/out", quantization=None if kind == "fp32" else kind)
        translator = ctranslate2.Translator(
            f"{folder}/out", compute_type="float32" if kind == "fp32" else kind, inter_threads=1,
            intra_threads=torch.get_num_threads(),
        )  # fmt: skip

    def write(ids: NDArray[np.int64]) -> None:
        found = translator.translate_batch(
            [names[row].tolist() for row in ids], beam_size=BEAM, max_decoding_length=NEW, min_decoding_length=NEW
        )
        assert all(len(one.hypotheses[0]) == NEW for one in found)

    return write


def train_ours() -> Callable[[list[tuple[NDArray[np.int64], NDArray[np.int64]]]], None]:
    """A step as the Trainer makes it."""
    from warmstart.example.batch import collate
    from warmstart.example.example import Example, Goal
    from warmstart.train.optimizer import Optimizer
    from warmstart.train.settings import OptimizerSettings
    from warmstart.train.step import Criterion, accumulate
    from warmstart.train.weights import Weights

    found, model = compute(), our_model().train()
    found.apply(model)
    optimizer = Optimizer(Weights(model, found.dtype), OptimizerSettings())

    def example(source: NDArray[np.int64], target: NDArray[np.int64]) -> Example:
        ids = np.concatenate([source, [START], target[:-1]])
        places = np.arange(len(ids))
        goal = Goal.each(places[len(source) :], target)
        return Example(ids, np.maximum(places - len(source) + 1, 0), places, {"lm": goal})

    def train(batch: list[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> None:
        accumulate(model, optimizer, [collate([[example(*pair)] for pair in batch])], Criterion({"lm": 1.0}), 0)
        optimizer.update(1e-5, optimizer.gradient_norm())

    return train


def train_transformers() -> Callable[[list[tuple[NDArray[np.int64], NDArray[np.int64]]]], None]:
    """What its Trainer does in a step, padded on the right to the longest."""
    from transformers import BartForConditionalGeneration

    with tempfile.TemporaryDirectory() as folder:
        bart(folder)
        model = BartForConditionalGeneration.from_pretrained(folder).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)

    def padded(rows: list[NDArray[np.int64]], fill: int) -> torch.Tensor:
        return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in rows], True, fill)

    def train(batch: list[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> None:
        ids, labels = padded([one for one, _ in batch], PAD), padded([one for _, one in batch], -100)
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=ids, attention_mask=(ids != PAD).long(), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return train


def compete(course: str, name: str, held: ExitStack) -> None:
    """Becomes the competitor ``name``; what it opens for all its batches is ``held``."""
    pace = Pace()
    if course == "train":
        train = train_ours() if name == "ours" else train_transformers()
        for batch in pairs():
            pace.step(sum(len(one) + len(other) for one, other in batch))
            train(batch)
    if name == "ours":
        write = write_ours(held)
    elif name == "transformers_bf16":
        write = write_transformers()
    else:
        write = write_ctranslate2(name.removeprefix("ctranslate2_"))
    for ids in sources():
        pace.step(BATCH * NEW)
        write(ids)


def to_json(results: dict[str, Result]) -> dict[str, Any]:
    """The shape that others rely on; each race is also told by itself."""
    told: dict[str, Any] = {"unit": UNITS[next(iter(results))], "races": {}}
    for course, result in results.items():
        peers = {name: rate for name, rate in result.items() if name != "ours"}
        ratios = {name: result["ours"] / rate for name, rate in peers.items()}
        told["races"][course] = {"ours": result["ours"], "peers": peers, "ratios": ratios, "peak_mb": result.peaks_mb}
    first = next(iter(told["races"].values()))
    return told | {key: first[key] for key in ("ours", "peers", "ratios")}


def main() -> None:
    """Measures and prints tables or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--races", nargs="+", choices=RACES, default=list(RACES))
    parser.add_argument("--compete", help=argparse.SUPPRESS)
    parser.add_argument("--course", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.compete:
        with ExitStack() as held:
            compete(asked.course, asked.compete, held)
        return
    rounds, me = 1 if asked.quick else asked.rounds, [sys.executable, __file__]
    results = {
        course: race({who: [*me, "--course", course, "--compete", who] for who in RACES[course]}, rounds, 1)
        for course in asked.races
    }
    if asked.json:
        print(json.dumps(to_json(results)))
        return
    for course, result in results.items():
        print(course)
        show([result], "ours", UNITS[course])


if __name__ == "__main__":
    main()
