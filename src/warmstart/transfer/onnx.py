"""A model as one ONNX file: ids and a mask in, the head's answers out, any batch and any length. Behind the extra ``onnx``.

Outside this package nothing is packed, so the exported graph reads padded rows: the same blocks with a mask for what a
token sees. Inputs are ``input_ids`` and ``attention_mask`` (and ``token_type_ids`` where the model has segments), [B, T],
padded on the right; for multiple choice [B, C, T], for two texts that are read apart [B, 2, T]. The output is ``logits``:

============================ ==============================================================
classes, several labels       [B, size]
score                         [B, 1]
choice                        [B, C]
tags, spans                   [B, T, size]: after every token
no head (a language model)    [B, T, V]
============================ ==============================================================
"""

import warnings
from pathlib import Path

import torch
from torch import nn

from warmstart.base.errors import BadInput
from warmstart.models.cache import LayerCache
from warmstart.models.linear_heads import LinearHead, compare_texts
from warmstart.models.model import Model
from warmstart.models.settings import HeadSettings

PER_TOKEN = ("tags", "span")


class PaddedModel(nn.Module):
    """A Model over padded rows."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model, self.backbone = model, model.backbone
        [self.goal] = model.settings.heads or [""]
        self.compares_reads = bool(self.goal) and model.head(self.goal).compares_reads
        self.pair = model.head(self.goal).settings.pair if self.goal else "none"
        self.full = self.backbone.settings.sight == "full"

    def traced(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shape of the ids that are traced, and the axes of it that may have another size later."""
        if self.pair != "none":
            return (3, 2, 8), (0, 2)
        return ((2, 3, 8), (0, 1, 2)) if self.compares_reads else ((2, 8), (0, 1))

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """[B, T] (choice: [B, C, T]; two texts apart: [B, 2, T]) → logits."""
        length = input_ids.shape[-1]
        ids, mask = input_ids.reshape(-1, length), attention_mask.reshape(-1, length)
        segments = None if token_type_ids is None else token_type_ids.reshape(-1, length)
        states = self.backbone.forward_padded(ids, segments, self._past(mask))
        if not self.goal:
            return self.model.next_token_logits(states)
        head: LinearHead = self.model.heads[self.goal]  # type: ignore[assignment]
        if self.goal in PER_TOKEN:
            return head.answer_rows(self.model.pool(self.goal, states))
        read = self.model.pool(self.goal, self._read(states, mask, head.settings.pool))
        if self.pair != "none":
            first, second = read.reshape(-1, 2, read.shape[-1]).unbind(1)
            read = compare_texts(first, second, self.pair)
        answers = head.answer_rows(read)
        return answers.reshape(input_ids.shape[:-1]) if self.compares_reads else answers

    def _read(self, states: torch.Tensor, mask: torch.Tensor, pool: str) -> torch.Tensor:
        """[B, D] or, of three pools, [B, 3·D] what the head reads of each row."""
        count = mask.sum(-1, keepdim=True)
        mean = mask.to(states.dtype) / count
        place = torch.zeros_like(count) if self.full else count - 1
        summary = (torch.arange(mask.shape[1]) == place).to(states.dtype)
        shares = torch.stack([mean if pool == "mean" else summary, mean], 1)
        read = shares @ states  # [B, 2, D]: exporters read this product rightly
        if pool != "concat":
            return read[:, 0]
        top = states.masked_fill(mask[:, :, None] == 0, torch.finfo(states.dtype).min).amax(1)
        return torch.cat([read[:, 0], top, read[:, 1]], -1)

    def _past(self, mask: torch.Tensor) -> LayerCache:
        """Who sees whom in each row: what is no padding and, left to right, came before; every token sees itself."""
        seen = mask[:, None, :].bool()
        place = torch.arange(mask.shape[1], device=mask.device)
        if not self.full:
            seen = seen & (place[None, :] <= place[:, None])
        seen = seen | (place[None, :] == place[:, None])
        dtype = self.backbone.tokens.weight.dtype
        bias = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
        return LayerCache(bias)


def export_onnx(model: Model, path: Path) -> None:
    """Writes ``model`` (float32, in evaluation mode) to ``path``.

    Raises:
        BadInput: the packages that write ONNX are not installed.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise BadInput(
            "writing ONNX needs another package", where="--to", value="onnx", next_step="pip install 'warmstart[onnx]'"
        ) from None
    if not model.backbone.reads_padded or model.settings.backbone.vectors:
        raise BadInput(
            "a model of images, of two stacks, of a language model's states, one that reads from both ends, or a Longformer "
            "that reads a class, is not written as ONNX", where="--to", value="onnx",
            allowed="--to warmstart", next_step="keep the folder as it is",
        )  # fmt: skip
    if not all(isinstance(head, HeadSettings) and head.layer is None for head in model.settings.heads.values()):
        raise BadInput(
            "only a head that reads the last layer can be written as ONNX", where="--to", value="onnx",
            allowed="--to warmstart",
        )  # fmt: skip
    padded = PaddedModel(model).eval()
    size, free = padded.traced()
    ids = torch.ones(size, dtype=torch.int64)
    given = {"input_ids": ids, "attention_mask": ids.clone()}  # one tensor under two names would be one input
    if model.settings.backbone.segments:
        given["token_type_ids"] = torch.zeros_like(ids)
    shapes = {name: {axis: torch.export.Dim.DYNAMIC for axis in free} for name in given}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, about its own code
        torch.onnx.export(
            padded, (), path, kwargs=given, input_names=list(given), output_names=["logits"], dynamic_shapes=shapes,
            dynamo=True, verbose=False, external_data=False,
        )  # fmt: skip
