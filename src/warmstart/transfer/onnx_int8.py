"""An ONNX file in 8 bits, and a model that answers by such a file, so that what 8 bits cost can be measured.

Weights become int8, one scale for each column; what they are multiplied with is rounded as it comes (dynamic quantisation,
by onnxruntime): one byte instead of four. Behind the extra ``onnx``.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from warmstart.base.errors import BadInput
from warmstart.example.batch import Batch, GoalBatch
from warmstart.models.model import Model
from warmstart.transfer.onnx import PER_TOKEN

Ints64 = NDArray[np.int64]


def quantise_onnx(source: Path, target: Path) -> None:
    """Writes ``source`` with weights in int8 to ``target``.

    Raises:
        BadInput: onnxruntime is not installed.
    """
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:
        raise BadInput(
            "8 bits need another package", where="--quantize", value="int8", next_step="pip install 'warmstart[onnx]'"
        ) from None
    logging.disable(logging.WARNING)  # it advises to prepare the file first, which changes nothing here
    try:
        quantize_dynamic(
            source, target, per_channel=True, weight_type=QuantType.QInt8, extra_options={"EnableSubgraph": True}
        )
    finally:
        logging.disable(logging.NOTSET)


class OnnxModel(nn.Module):
    """Answers Batches as :meth:`Model.answers` does, by an ONNX file of that model."""

    def __init__(self, model: Model, path: Path) -> None:
        super().__init__()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.names = {given.name for given in self.session.get_inputs()}
        self.model = model

    def answers(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Goal → float32 answers of its head.

        Raises:
            BadInput: a question is answered by several texts together, as similarity is, left to right.
        """
        return {name: self._answer(batch, goal) for name, goal in batch.goals.items() if goal.head in self.model.heads}

    def _answer(self, batch: Batch, goal: GoalBatch) -> torch.Tensor:
        reads, stops = goal.reads.numpy(), np.cumsum(batch.lengths)
        document = np.searchsorted(stops, reads, side="right")
        head: Any = self.model.head(goal.head)
        if head.settings.pair != "none":
            found = torch.from_numpy(self._run(batch, (-1, 2)))
            return found.squeeze(-1) if head.fixed_size == 1 else found
        logits = self._run(batch, (1, -1) if head.compares_reads else (-1,))
        if head.compares_reads:
            return torch.from_numpy(logits[0, document])
        if goal.head in PER_TOKEN:
            return torch.from_numpy(logits[document, reads - (stops - batch.lengths)[document]])
        first = np.unique(goal.question.numpy(), return_index=True)[1]
        if not np.array_equal(document[first][goal.question.numpy()], document):
            raise BadInput(
                "a question of several texts is not answered by this file alone", where="--quantize", value=goal.head
            )
        found = torch.from_numpy(logits[document[first]])
        return found.squeeze(-1) if head.fixed_size == 1 else found

    def _run(self, batch: Batch, shape: tuple[int, ...]) -> Any:
        """The file's output for all documents of a Batch, padded; ``shape`` says how they stand together."""
        segments = torch.zeros_like(batch.ids) if batch.segments is None else batch.segments
        mask = np.arange(int(batch.lengths.max())) < batch.lengths[:, None]
        given = {
            "input_ids": _padded(batch.ids, mask), "attention_mask": mask.astype(np.int64),
            "token_type_ids": _padded(segments, mask),
        }  # fmt: skip
        rows = {name: value.reshape(*shape, mask.shape[1]) for name, value in given.items() if name in self.names}
        return self.session.run(None, rows)[0]


def _padded(flat: torch.Tensor, mask: NDArray[np.bool_]) -> Ints64:
    """[B, T] the flat row [N] by documents, 0 behind each."""
    found = np.zeros(mask.shape, np.int64)
    found[mask] = flat.numpy()
    return found
