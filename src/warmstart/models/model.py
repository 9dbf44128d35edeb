"""Model: one backbone and named heads. Batch in, per goal (loss sum, weight) out."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from warmstart.base.errors import BadInput
from warmstart.example.batch import Batch, GoalBatch
from warmstart.example.example import LM, NEXT_VECTOR
from warmstart.models.backbone import Tables
from warmstart.models.backbones import build_backbone
from warmstart.models.head import DEFAULT_OPTIONS, Head, LossOptions
from warmstart.models.heads import build_head
from warmstart.models.initialise import Undrawn, initialise
from warmstart.models.inputs import LMInputs
from warmstart.models.linear_heads import mean_pool, text_numbers
from warmstart.models.losses import Loss
from warmstart.models.settings import AnyHeadSettings, ModelSettings, TokenHeadSettings
from warmstart.models.softmax import TokenScores
from warmstart.models.token_heads import TokenHead


class ModelOutput(NamedTuple):
    """What a backbone has computed of a Batch.

    Attributes:
        tables: the tables of the pass.
        reads: goal → the states [M, D] of its reads, as its head takes them.
        all_states: the last states [N, D] of all tokens, before and after dropout; ``None`` where only those of the reads
            were computed.
    """

    tables: Tables
    reads: dict[str, torch.Tensor]
    all_states: tuple[torch.Tensor, torch.Tensor] | None = None

    @property
    def states(self) -> torch.Tensor:
        """[N, D] of all tokens, before dropout."""
        assert self.all_states is not None
        return self.all_states[0]

    @property
    def dropped_states(self) -> torch.Tensor:
        """[N, D] of all tokens, after dropout."""
        assert self.all_states is not None
        return self.all_states[1]


class Model(nn.Module):
    """A backbone whose states named heads read.

    Beside the heads of its settings it has one for what comes next, ``lm`` or ``next_vector``, where its backbone keeps a
    table for that.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = build_backbone(settings.backbone)
        for reader, inputs in settings.inputs.items():
            stack = self.backbone.stacks()[reader]
            size = stack.settings
            stack.take_inputs(LMInputs(inputs, build_backbone(inputs.backbone), size.table_width, size.width))
        heads: dict[str, AnyHeadSettings] = dict(settings.heads)
        if settings.backbone.softmax:
            kind = "vectors" if settings.backbone.vectors else "tokens"
            heads.setdefault(self.next_goal, TokenHeadSettings(kind=kind))
        for name, head in heads.items():
            if head.layer is not None and head.layer > settings.backbone.layers:
                raise BadInput(
                    "a head reads a layer that the model does not have", where=f"heads.{name}.layer", value=head.layer,
                    allowed=f"0 to {settings.backbone.layers}",
                )  # fmt: skip
        self.heads = nn.ModuleDict({name: build_head(head, settings.backbone) for name, head in heads.items()})

    @staticmethod
    def undrawn(settings: ModelSettings) -> "Model":
        """A Model whose weights hold anything: all of them are to be filled."""
        with Undrawn():
            return Model(settings)

    @staticmethod
    def fresh(settings: ModelSettings, seed: int) -> "Model":
        """A Model with newly drawn float32 weights that follow from ``seed``."""
        model = Model.undrawn(settings)
        initialise(model, settings.backbone.init_std, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            for name in model.heads:
                model.head(name).reset_parameters()
        return model

    def with_heads(self, names: Mapping[str, str]) -> "Model":
        """A model that shares this one's weights, with some of its heads and the one for what comes next.

        Args:
            names: name of a head there → its name here.
        """
        view = Model.__new__(Model)
        nn.Module.__init__(view)
        heads = {there: self.settings.heads[here] for there, here in names.items()}
        view.settings = self.settings.model_copy(update={"heads": heads})
        view.backbone = self.backbone
        next_head = {self.next_goal: self.next_goal} if self.next_goal in self.heads else {}
        view.heads = nn.ModuleDict({there: self.heads[here] for there, here in {**names, **next_head}.items()})
        view.training = self.training
        return view

    def forward(self, batch: Batch, options: LossOptions = DEFAULT_OPTIONS) -> dict[str, Loss]:
        """The losses of all goals in ``batch``."""
        return self.losses(self.run(batch), batch, options)

    def run(
        self, batch: Batch, goals: Collection[str] | None = None, *, all_states: bool = False,
        noise: torch.Tensor | None = None,
    ) -> ModelOutput:  # fmt: skip
        """The states that goals of ``batch`` read.

        Args:
            batch: what to read.
            goals: their names; ``None``: all.
            all_states: whether the last states of all tokens are wanted as well.
            noise: [N, E] added to the word embeddings of the tokens.
        """
        tables = self.backbone.tables()._replace(noise=noise)
        wanted = {name: goal for name, goal in batch.goals.items() if goals is None or name in goals}
        layers = {name: self.head(goal.head).settings.layer for name, goal in wanted.items()}
        whole: tuple[torch.Tensor, torch.Tensor] | None = None
        if any(layer is not None for layer in layers.values()):
            by_layer = self.backbone.layer_states(batch, tables)
            last = self.backbone.with_above(by_layer[-1], batch)
            whole = last, self.backbone.apply_dropout(last, batch)
            states = {
                name: (whole[1] if layer is None else by_layer[layer]).index_select(0, wanted[name].reads)
                for name, layer in layers.items()
            }
        else:
            whole, states = self._last_states(batch, tables, wanted, all_states)
        reads = {name: self.pool(wanted[name].head, states_MD, wanted[name]) for name, states_MD in states.items()}
        return ModelOutput(tables, reads, whole)

    def _last_states(
        self, batch: Batch, tables: Tables, goals: dict[str, GoalBatch], all_states: bool
    ) -> tuple[tuple[torch.Tensor, torch.Tensor] | None, dict[str, torch.Tensor]]:
        """The last states of all tokens, where they are computed, and those [M, D] of each goal's reads."""
        reads = [goal.reads for goal in goals.values()]
        every, counts = torch.cat(reads), [len(some) for some in reads]
        whole = None
        if not all_states and len(every) < batch.num_tokens:
            states = self.backbone.apply_dropout(self.backbone.last_states(batch, tables, every), batch, every)
        else:
            before = self.backbone.last_states(batch, tables)
            whole = before, self.backbone.apply_dropout(before, batch)
            states = whole[1].index_select(0, every)
        return whole, dict(zip(goals, torch.split(states, counts), strict=True))

    def losses(self, output: ModelOutput, batch: Batch, options: LossOptions = DEFAULT_OPTIONS) -> dict[str, Loss]:
        """The loss of each goal, from the states that it reads."""
        return {
            name: self.head(batch.goals[name].head).loss(states_MD, batch.goals[name], output.tables, options)
            for name, states_MD in output.reads.items()
        }

    @torch.inference_mode()
    def answers(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Goal → float32 answers of its head: see :meth:`Head.forward` for shapes."""
        output = self.run(batch)
        return {
            name: self.head(batch.goals[name].head)(states_MD, batch.goals[name], output.tables).float()
            for name, states_MD in output.reads.items()
        }

    @torch.inference_mode()
    def score_tokens(self, batch: Batch, name: str | None = None) -> TokenScores:
        """[Q] the loss of each token or vector that a goal predicts, :attr:`next_goal` or the one named."""
        name = name or self.next_goal
        output, goal = self.run(batch, (name,)), batch.goals[name]
        head: Any = self.head(goal.head)
        return head.score(output.reads[name], goal, output.tables)  # type: ignore[no-any-return]

    def next_token_logits(self, states: torch.Tensor) -> torch.Tensor:
        """[…, V] float32 logits of the next token after each state."""
        return self.token_head().logits(states, self.backbone.tables())

    @property
    def next_goal(self) -> str:
        """The goal that predicts what comes next."""
        return NEXT_VECTOR if self.settings.backbone.vectors else LM

    def head(self, name: str) -> Head:
        """The head of this name.

        Raises:
            ValueError: there is none.
        """
        if name not in self.heads:
            raise ValueError(f"the model has no head {name!r}; it has {', '.join(self.heads) or 'none'}")
        head: Any = self.heads[name]
        return head  # type: ignore[no-any-return]

    def token_head(self) -> TokenHead:
        """The head that predicts the next token.

        Raises:
            BadInput: the model predicts none.
        """
        if self.next_goal not in self.heads or not isinstance(head := self.heads[self.next_goal], TokenHead):
            raise BadInput("this model predicts no tokens", where="model", allowed="a language model")
        return head

    def pool(self, name: str, states_MD: torch.Tensor, goal: GoalBatch | None = None) -> torch.Tensor:
        """The states as the head ``name`` takes them: their mean, where it wants that, then through the pooler.

        ``goal`` says which states belong together; a mean is one for each question, [Q, D], or for each of its two texts.
        """
        if goal is not None and self.head(name).settings.pool == "mean":
            states_MD = mean_pool(states_MD, *text_numbers(goal, self.head(name).settings.pair))
        return self.backbone.pool(states_MD) if self.head(name).settings.pooled else states_MD

    @property
    def num_parameters(self) -> int:
        """Distinct weights; tied ones count once."""
        return sum(p.numel() for p in self.parameters())
