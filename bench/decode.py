"""Output tokens per second of beam search, beside transformers, s2s-ft's scheme and CTranslate2, on this machine.

    python bench/decode.py [--json] [--quick] [--rounds 4] [--races prompt source masks]

Every competitor is a process of its own and decodes one batch in turn (bench/pacing.py). Shape: 12 layers of 768, 40,478
tokens; beam 5, batch 8, 48 new tokens each, none of which ends early. The weights are random and the same for all.

==================  ====================================================================================================
prompt              a left-to-right GPT-2, prompt of 32: ours, transformers' ``generate`` in bf16, CTranslate2
source              the same after a source of 160
masks               a bidirectional model asked by masks, source of 160: ours, and ``reprojected``: s2s-ft's scheme, which
                    keeps the inputs of each layer and projects the whole history to keys and values in every step
==================  ====================================================================================================
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pacing import Pace, Result, race, show

LAYERS, WIDTH, VOCABULARY = 12, 768, 40478
BATCH, BEAM, NEW = 8, 5, 48


class Race(NamedTuple):
    """Who takes part, and how long the source is."""

    source: int
    names: tuple[str, ...]


_LEFT_TO_RIGHT = ("ours", "transformers_bf16", "ctranslate2_fp32", "ctranslate2_int8")
RACES = {
    "prompt": Race(32, _LEFT_TO_RIGHT),
    "source": Race(160, _LEFT_TO_RIGHT),
    "masks": Race(160, ("ours_masks", "reprojected")),
}


def sources(length: int) -> Iterator[NDArray[np.int64]]:
    """Endless batches of random ids [B, S]."""
    rng = np.random.default_rng(1)
    while True:
        yield rng.integers(10, VOCABULARY, (BATCH, length))


def best_dtype() -> torch.dtype:
    """The format in which this processor multiplies fastest."""
    from warmstart.train.precision import compute_settings, default_device

    found = compute_settings("auto", default_device())
    torch.set_float32_matmul_precision(found.fp32_products)
    return found.dtype


def our_model(masks: bool) -> Any:
    """A GPT-2, or the same with full sight, segments and BERT's head for words."""
    from warmstart.models.model import Model
    from warmstart.models.presets import preset
    from warmstart.models.settings import ModelSettings

    more: dict[str, Any] = {"vocab_size": VOCABULARY, "context": 512}
    if masks:
        more |= {"sight": "full", "norm": "post", "segments": 2, "embedding_norm": True, "lm_transform": True}
    return Model.fresh(ModelSettings(backbone=preset("gpt2", **more)), 1)


def run_ours(length: int, masks: bool, held: ExitStack) -> Callable[[NDArray[np.int64]], None]:
    """The search; the end token cannot come, so every text has all its tokens. Weights are packed once."""
    from warmstart.decode.cached_decoder import DecodeMode, Source
    from warmstart.decode.limits import Limits
    from warmstart.decode.packed import packed_softmax
    from warmstart.decode.search import Search, search
    from warmstart.decode.settings import GenerateSettings

    model = our_model(masks).to(best_dtype())
    asked = Search(
        DecodeMode(3, 0, 1) if masks else DecodeMode(), GenerateSettings(beam=BEAM, max_new=NEW), Limits(None)
    )

    held.enter_context(packed_softmax(model, BATCH * BEAM))

    def decode(ids: NDArray[np.int64]) -> None:
        given = [Source(row) if masks else Source(row[:-1], int(row[-1])) for row in ids]
        found = search(model, given, asked)
        assert all(len(texts[0].ids) == NEW for texts in found)

    return decode


def gpt2(folder: str) -> None:
    """Our GPT-2 as a folder that others load."""
    from tokenizers import Tokenizer, models

    from warmstart.transfer.folder import save_model

    save_model(our_model(masks=False), Path(folder))
    words = {f"t{number}": number for number in range(VOCABULARY - 1)} | {"<|endoftext|>": VOCABULARY - 1}
    Tokenizer(models.WordLevel(words, unk_token="<|endoftext|>")).save(str(Path(folder) / "tokenizer.json"))  # noqa: S106
    (Path(folder) / "tokenizer_config.json").write_text(
        json.dumps({
            "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<|endoftext|>", "bos_token": "<|endoftext|>",
            "eos_token": "<|endoftext|>",
        })
    )  # fmt: skip


def run_transformers(length: int) -> Callable[[NDArray[np.int64]], None]:
    """Its ``generate`` with its own cache."""
    from transformers import GPT2LMHeadModel

    with tempfile.TemporaryDirectory() as folder:
        gpt2(folder)
        model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.bfloat16).eval()
    model.generation_config.pad_token_id = VOCABULARY - 1

    def decode(ids: NDArray[np.int64]) -> None:
        with torch.inference_mode():
            rows = torch.from_numpy(ids)
            found = model.generate(
                rows, attention_mask=torch.ones_like(rows), num_beams=BEAM, do_sample=False, min_new_tokens=NEW,
                max_new_tokens=NEW,
            )  # fmt: skip
        assert found.shape[1] == length + NEW

    return decode


def run_ctranslate2(compute: str) -> Callable[[NDArray[np.int64]], None]:
    """Its generator on the exported model."""
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    names = np.array([f"t{number}" for number in range(VOCABULARY - 1)] + ["<|endoftext|>"])
    with tempfile.TemporaryDirectory() as folder:
        gpt2(f"{folder}/gpt2")
        TransformersConverter(f"{folder}/gpt2").convert(
            f"{folder}/out", quantization="int8" if compute == "int8" else None
        )
        generator = ctranslate2.Generator(
            f"{folder}/out", compute_type="int8" if compute == "int8" else "float32", inter_threads=1,
            intra_threads=torch.get_num_threads(),
        )  # fmt: skip

    def decode(ids: NDArray[np.int64]) -> None:
        found = generator.generate_batch(
            [names[row].tolist() for row in ids], beam_size=BEAM, max_length=NEW, min_length=NEW,
            include_prompt_in_result=False,
        )  # fmt: skip
        assert all(len(one.sequences_ids[0]) == NEW for one in found)

    return decode


class Reprojected:
    """s2s-ft's scheme on our weights: per layer the inputs of all tokens so far, projected anew in every step.

    Two tokens are read a step, the last one and a mask; the mask's inputs are thrown away. Beams have copies of the source's
    inputs, which are moved whole when the beam is reordered; every step is done, as its search does it.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.model = our_model(masks=True).to(dtype).eval()
        self.mask = 3

    @torch.inference_mode()
    def __call__(self, ids: NDArray[np.int64]) -> None:
        """Decodes one batch."""
        model, rows = self.model, torch.from_numpy(ids)
        length = rows.shape[1]
        history = self._layers(rows, torch.arange(length), 0, None)[1]
        scores, tokens = torch.zeros(BATCH, 1), None
        for step in range(NEW):
            mask = torch.full((len(rows) if tokens is None else BATCH * BEAM, 1), self.mask)
            new = mask if tokens is None else torch.cat([tokens.view(-1, 1), mask], 1)
            places = torch.arange(length + step - (tokens is not None), length + step + 1)
            states, inputs = self._layers(new, places, 1, history)
            if tokens is not None:
                history = [torch.cat([old, fresh[:, :1]], 1) for old, fresh in zip(history, inputs, strict=True)]
            logs = model.next_token_logits(states[:, -1]).log_softmax(-1).view(BATCH, -1, VOCABULARY)
            values, best = logs.topk(BEAM)
            scores, at = (values + scores[:, :, None]).flatten(1).topk(BEAM)
            parents, tokens = at // BEAM, best.flatten(1).gather(1, at)
            flat = (parents + torch.arange(BATCH)[:, None] * logs.shape[1]).flatten()
            history = [old[flat] for old in history]

    def _layers(
        self, ids: torch.Tensor, places: torch.Tensor, segment: int, history: list[torch.Tensor] | None
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The states of new tokens, and each layer's inputs of them."""
        body = self.model.backbone
        x = body._embed(ids, places, torch.full_like(ids, segment), body.tables())
        new, inputs = ids.shape[1], []
        for number, block in enumerate(body.blocks):
            inputs.append(x)
            whole = x if history is None else torch.cat([history[number], x], 1)
            attention = block.attention
            parts = attention.qkv(whole).unflatten(-1, (3, attention.heads, attention.per_head))
            q, k, v = (part.transpose(1, 2) for part in parts.unbind(2))
            weights = (q[:, :, -new:] @ k.transpose(2, 3)) * attention.per_head**-0.5
            if new == 2 and history is not None:
                weights[:, :, 0, -1] = -1e4  # a token does not see the mask behind it
            mixed = (weights.softmax(-1) @ v).transpose(1, 2).flatten(2)
            x = block.finish(block, x, attention.out(mixed))
        return x, inputs


def compete(name: str, length: int, held: ExitStack) -> None:
    """Becomes the competitor ``name``; what it opens for all its batches is ``held``."""
    if name.startswith("ours"):
        from warmstart.base.allocator import keep_freed_memory

        keep_freed_memory()
        decode: Callable[[NDArray[np.int64]], None] = run_ours(length, "masks" in name, held)
    elif name == "transformers_bf16":
        decode = run_transformers(length)
    elif name == "reprojected":
        decode = Reprojected(best_dtype())
    else:
        decode = run_ctranslate2(name.removeprefix("ctranslate2_"))
    pace = Pace()
    for ids in sources(length):
        pace.step(BATCH * NEW)
        decode(ids)


def to_json(results: dict[str, Result]) -> dict[str, Any]:
    """The shape that others rely on; of CTranslate2 the faster of its two. Each race is also told by itself."""
    told: dict[str, Any] = {"unit": "output tokens/s", "races": {}}
    for name, result in results.items():
        ours = next(rate for who, rate in result.items() if who.startswith("ours"))
        peers = {who: rate for who, rate in result.items() if not who.startswith(("ours", "ctranslate2"))}
        theirs = [rate for who, rate in result.items() if who.startswith("ctranslate2")]
        peers |= {"ctranslate2": max(theirs)} if theirs else {}
        ratios = {who: ours / rate for who, rate in peers.items()}
        told["races"][name] = {"ours": ours, "peers": peers, "ratios": ratios, "peak_mb": result.peaks_mb}
    first = next(iter(told["races"].values()))
    told |= {"ours": first["ours"], "peers": dict(first["peers"]), "ratios": dict(first["ratios"])}
    if "masks" in results:
        for key in ("peers", "ratios"):
            told[key]["reprojected"] = told["races"]["masks"][key]["reprojected"]
    return told


def main() -> None:
    """Measures and prints tables or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--races", nargs="+", choices=RACES, default=list(RACES))
    parser.add_argument("--compete", help=argparse.SUPPRESS)
    parser.add_argument("--source", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.compete:
        with ExitStack() as held:
            compete(asked.compete, asked.source, held)
        return
    rounds, me = 1 if asked.quick else asked.rounds, [sys.executable, __file__]
    results = {}
    for name in asked.races:
        length, names = RACES[name]
        commands = {who: [*me, "--source", str(length), "--compete", who] for who in names}
        results[name] = race(commands, rounds, 1)
    if asked.json:
        print(json.dumps(to_json(results)))
        return
    for name, result in results.items():
        print(f"{name}: source of {RACES[name].source}")
        show([result], "ours", "output tokens/s")


if __name__ == "__main__":
    main()
