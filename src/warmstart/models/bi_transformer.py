"""The bidirectional Transformer language model: two towers that read a text from its two ends, and a cloze layer.

Baevski et al. 2019; Edunov et al. 2019 read its states as the inputs of an encoder. Both towers are Transformers that see
what came before, over one token table; the second is given each text from its end. To predict a token the cloze layer hides
it; who reads the states of a text gets those that know it (:meth:`BiTransformer.text_states`).

Shapes: N flat tokens, D width, L layers of a tower.
"""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from warmstart.example.batch import Batch, to_device
from warmstart.models.backbone import Backbone, DepthLayer, SoftmaxTable, Tables
from warmstart.models.bi_transformer_settings import BiTransformerSettings
from warmstart.models.cloze import ClozeLayer, following, previous
from warmstart.models.transformer import Transformer


class Tower(Transformer):
    """A stack that is given its token table."""

    def __init__(self, settings: BiTransformerSettings) -> None:
        super().__init__(settings.tower)
        self.tokens = None  # type: ignore[assignment]

    def read(self, batch: Batch, tokens: torch.Tensor) -> list[torch.Tensor]:
        """L + 1 tensors [N, D]: the embeddings, then the states after each layer."""
        return list(self.each_layer(batch, Tables(tokens, self.position_rows(tokens.dtype), None)))


class BiTransformer(Backbone):
    """Tokens in, one state per token out that knows all others of its text."""

    POSITIONS: ClassVar = ("to_right.positions.weight", "to_left.positions.weight")

    def __init__(self, settings: BiTransformerSettings) -> None:
        super().__init__()
        self.settings = settings
        self.tokens = nn.Embedding(settings.vocab_size, settings.width)
        self.to_right, self.to_left = Tower(settings), Tower(settings)
        self.cloze = ClozeLayer(settings)
        self.output = None if settings.tied else nn.Linear(settings.width, settings.vocab_size, bias=False)

    @property
    def blocks(self) -> nn.ModuleList:  # type: ignore[override]
        """The layers of both towers, then the cloze layer."""
        return nn.ModuleList([*self.to_right.blocks, *self.to_left.blocks, self.cloze])

    def tables(self) -> Tables:
        """The token table, and the rows of the softmax."""
        tokens, size = self.tokens.weight, self.settings
        rows = tokens if self.output is None else self.output.weight
        return Tables(tokens, None, SoftmaxTable(rows, cap=size.logit_cap, scale=size.logit_scale))

    def forward(self, batch: Batch, tables: Tables | None = None, reads_M: torch.Tensor | None = None) -> torch.Tensor:
        """The last states [N, D] of a flat Batch, or those [M, D] of the tokens ``reads_M``: none knows its own token."""
        before, behind = self._towers(batch, tables or self.tables())
        states: torch.Tensor = self.cloze(before[-1], behind[-1], batch, self.kernels, hide=True)
        return states if reads_M is None else states.index_select(0, reads_M)

    def layer_states(self, batch: Batch, tables: Tables | None = None) -> list[torch.Tensor]:
        """L + 1 tensors [N, D]: of all layers but the last the sum of both towers; the last states are the cloze layer's."""
        before, behind = self._towers(batch, tables or self.tables())
        last = self.cloze(before[-1], behind[-1], batch, self.kernels, hide=True)
        return [*(one + other for one, other in zip(before[:-1], behind[:-1], strict=True)), last]

    @property
    def text_shape(self) -> tuple[int, int]:
        """The embeddings, the layers, and the cloze layer twice; the states of two towers beside each other."""
        return 3 + self.settings.layers, 2 * self.settings.width

    def text_states(self, batch: Batch) -> list[torch.Tensor]:
        """[N, 2·D] each: both towers after each layer; the cloze layer's states of both neighbours; its own, twice.

        A token knows itself here. So Edunov et al. 2019 mix them.
        """
        before, behind = self._towers(batch, self.tables())
        top = self.cloze(before[-1], behind[-1], batch, self.kernels, hide=False)
        layers = [torch.cat(pair, 1) for pair in zip(before, behind, strict=True)]
        return [*layers, torch.cat([previous(top, batch), following(top, batch)], 1), torch.cat([top, top], 1)]

    def _towers(self, batch: Batch, tables: Tables) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The embeddings and the states of both towers after each layer, token by token."""
        texts = batch.in_order()
        ends = np.repeat(np.cumsum(batch.lengths) - 1, batch.lengths)
        counted = np.arange(batch.num_tokens) - np.repeat(np.cumsum(batch.lengths) - batch.lengths, batch.lengths)
        turned = to_device(torch.from_numpy(ends - counted), batch.ids.device)
        from_end = replace(
            texts, ids=texts.ids[turned], positions=texts.positions[turned], sequential_positions=False
        )  # fmt: skip
        behind = self.to_left.read(from_end, tables.tokens)
        return self.to_right.read(texts, tables.tokens), [states.index_select(0, turned) for states in behind]

    def layers_with_depth(self) -> list[DepthLayer]:
        """All parts that have weights: the tables; layer by layer both towers; the cloze layer; what stands above it."""
        towers = {"to_right": self.to_right, "to_left": self.to_left}
        named: dict[str, nn.Module] = {
            f"{name}.blocks.{n}": tower.blocks[n] for n in range(self.settings.layers) for name, tower in towers.items()
        }
        named["cloze"] = self.cloze
        below: dict[str, nn.Module] = {"tokens": self.tokens}
        for name, tower in towers.items():
            own = tower.layers_with_depth()
            below |= {f"{name}.{part}": module for part, module in own[0].modules.items()}
        total = len(named)
        layers = [DepthLayer(total - number, {name: part}) for number, (name, part) in enumerate(named.items())]
        above: dict[str, nn.Module] = {} if self.output is None else {"output": self.output}
        above |= {
            f"{name}.final_norm": tower.final_norm for name, tower in towers.items() if tower.final_norm is not None
        }
        return [DepthLayer(total + 1, below), *layers, DepthLayer(0, above)]

    def compile_layers(self, compile_function: Any) -> None:
        """Compiles the part of a layer after attention, once for each tower."""
        self.to_right.compile_layers(compile_function)
        self.to_left.compile_layers(compile_function)
