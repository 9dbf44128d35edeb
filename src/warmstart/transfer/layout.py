"""What a foreign checkpoint is: a table of their pattern → our name → transform, and two functions for its config.

Each layout (:mod:`~warmstart.transfer.gpt1`, ``gpt2``, ``bert``, ``roberta``, …) is one :class:`Layout`; everything that is
done with one, in both directions, is in :mod:`~warmstart.transfer.folder` and knows no architecture by name.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from pydantic import ValidationError

from warmstart.base.errors import BadInput
from warmstart.base.settings import Settings
from warmstart.models.settings import AnyHeadSettings, BackboneSettings, HeadSettings, ModelSettings
from warmstart.models.transformer_settings import Activation, TransformerSettings
from warmstart.transfer.sentence import LINEAR

Config = Mapping[str, Any]
Tensors = Mapping[str, torch.Tensor]

Size = TypeVar("Size", bound=TransformerSettings)

UNTRAINED = frozenset({"embedding_dropout", "attention_dropout", "residual_dropout", "init_std"})
"""Fields of a backbone that change nothing about what it computes once it is trained."""


@dataclass(frozen=True, slots=True)
class Name:
    """Where one of our tensors lies in a foreign file; ``{}`` stands for the number of the layer.

    Attributes:
        ours: its name in a backbone.
        theirs: one name, or several that stand one below the other in ours (queries, keys, values).
        transposed: theirs is [in, out] where ours is [out, in].
        outer: theirs stands beside the base model, not inside it.
        twins: other names of the same tensor where it is tied, beside the base model; a file may hold one of these alone.
    """

    ours: str
    theirs: tuple[str, ...]
    transposed: bool = False
    outer: bool = False
    twins: tuple[str, ...] = ()

    def at(self, layer: int, prefix: str = "") -> "Name":
        """The same for one layer, inside a model that keeps its base model under ``prefix``."""
        front = "" if self.outer else prefix
        theirs = tuple(front + name.format(layer) for name in self.theirs)
        return replace(self, ours=self.ours.format(layer), theirs=theirs)

    def sized(self, settings: BackboneSettings) -> "Name":
        """The same for a model of these sizes; a form that depends on them says how."""
        return self

    def in_file(self, found: Tensors, own: Collection[str]) -> "Name":
        """The same under the name that ``found`` has, where it is tied; ``own``: names that other tensors of ours have."""
        if self.theirs[0] in found:
            return self
        twin = next((name for name in self.twins if name in found and name not in own), None)
        return self if twin is None else replace(self, theirs=(twin,))

    def take(self, found: Tensors) -> torch.Tensor:
        """Ours, from theirs."""
        parts = [found[name].T if self.transposed else found[name] for name in self.theirs]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def give(self, ours: torch.Tensor, rows: Iterable[int]) -> dict[str, torch.Tensor]:
        """Theirs, from ours; ``rows`` is how many of ours each of several has."""
        parts = (ours,) if len(self.theirs) == 1 else torch.split(ours, list(rows))
        return {
            name: (part.T if self.transposed else part).contiguous()
            for name, part in zip(self.theirs, parts, strict=True)
        }


def linear(ours: str, *theirs: str, transposed: bool = False, outer: bool = False) -> tuple[Name, Name]:
    """Weight and bias of a linear (a transposed weight has no transposed bias)."""
    return (
        Name(f"{ours}.weight", tuple(f"{name}.weight" for name in theirs), transposed, outer),
        Name(f"{ours}.bias", tuple(f"{name}.bias" for name in theirs), False, outer),
    )


@dataclass(frozen=True, slots=True)
class Key:
    """A value of our settings and what their config calls it; without a default the config has to state it."""

    ours: str
    theirs: str
    default: Any = None


def read_keys(config: Config, keys: Iterable[Key]) -> dict[str, Any]:
    """Our settings that stand in a config as they are, all of them numbers or truth values.

    Raises:
        BadInput: one without a default is missing, or one is no number.
    """
    return {key.ours: _read_key(config, key) for key in keys}


def _read_key(config: Config, key: Key) -> Any:
    value = required_key(config, key.theirs) if key.default is None else config.get(key.theirs, key.default)
    if not isinstance(value, int | float | None):
        raise BadInput(
            "not a number", where=f"config.json, key {key.theirs!r}", value=value, next_step="fetch the file again"
        )
    return value


def write_keys(settings: TransformerSettings, keys: Iterable[Key]) -> dict[str, Any]:
    """The same the other way."""
    return {key.theirs: getattr(settings, key.ours) for key in keys}


@dataclass(frozen=True, slots=True)
class HeadPlace:
    """Where a layout keeps the head of a goal.

    Attributes:
        architecture: the class that reads the folder.
        linear: its name.
        bias: whether it has one.
        pooler: names of the layer between the backbone and that linear; none where the class has none.
        pools: how it can make one state of a text's states (:attr:`HeadSettings.pool`).
    """

    architecture: str
    linear: str
    bias: bool = True
    pooler: tuple[Name, ...] = ()
    pools: tuple[str, ...] = ("sum",)

    def says(self, head: AnyHeadSettings) -> bool:
        """Whether the class has such a head."""
        if not isinstance(head, HeadSettings) or head.pool not in self.pools:
            return False
        alike = head.bias == self.bias and head.pooled == bool(self.pooler)
        return alike and head.model_copy(update={"pool": "sum"}).is_linear


@dataclass(frozen=True, slots=True)
class Layout:
    """One architecture as ``transformers`` writes it.

    Attributes:
        model_type: what ``config.json`` calls it.
        settings: config and the names of the tensors beside it → our backbone.
        config: our backbone → config; what it cannot say is found by reading it back (:func:`fits`).
        names: the table.
        prefix: what stands before the base model's names in a model with a head.
        language_model: the class that reads a folder without a task's head.
        heads: goal → where its head is.
        ignored: ends of names of tensors that hold nothing learned.
        base: the class that reads a folder without any head, where it is not ``language_model``.
        pooler: names of the pooler of a model without a task's head.
        pad_id: the only id of the padding token that it can say, where positions are counted from it.
        today: brings the tensors of an older form of the same model under the names of the table.
        backbone: the kind of settings that it can say.
        pool_key: what its config calls how a class reads the states of a text (:data:`POOLS`), if it says that.
        output: names that the softmax's own table may have, the one that is written first.
        tied_if_absent: where a folder has no such table, its class takes the token table, whatever the config says.
    """

    model_type: str
    settings: Callable[[Config, Collection[str]], Any]
    config: Callable[[Any], dict[str, Any]]
    names: tuple[Name, ...]
    prefix: str
    language_model: str
    heads: Mapping[str, HeadPlace]
    ignored: tuple[str, ...] = field(default=())
    base: str = ""
    pooler: tuple[Name, ...] = ()
    pad_id: int | None = None
    today: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]] = dict
    backbone: type[Settings] = TransformerSettings
    pool_key: str = ""
    output: tuple[str, ...] = ("lm_head.weight",)
    tied_if_absent: bool = False

    def read(self, config: Config, names: Collection[str]) -> Any:
        """The backbone that a foreign config speaks of, with these tensors beside it.

        Raises:
            BadInput: what it says is not built, or not said as this architecture says it.
        """
        try:
            return self.settings(config, names)
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
            # A key may hold anything: what no check has named by now is a value of another form than its own.
            raise BadInput(
                f"not a config of this architecture ({error})", where="config.json", value=self.model_type,
                next_step="a value in it has another form than its own: fetch the file again",
            ) from error  # fmt: skip

    def table(self, settings: ModelSettings, prefix: str) -> dict[str, Name]:
        """Name of each tensor of a model → where it is, in a file that keeps the base model under ``prefix``."""
        every = (*self.names, *self._pooler(settings))
        every = tuple(name.sized(settings.backbone) for name in every)
        count = settings.backbone.blocks_of
        found = [name.at(n, prefix) for name in every for n in range(count(name.ours) if "{}" in name.ours else 1)]
        names = {f"backbone.{name.ours}": name for name in found}
        for goal, head in settings.heads.items():
            theirs = LINEAR if head.is_pooled else self.heads[goal].linear
            for name in linear(f"heads.{goal}.linear", theirs, outer=True):
                names[name.ours] = name
        return names

    def transposed(self, settings: ModelSettings) -> set[str]:
        """The names of the tensors that are [in, out] in a model with its base model under :attr:`prefix`."""
        return {
            theirs for name in self.table(settings, self.prefix).values() if name.transposed for theirs in name.theirs
        }

    def says(self, settings: ModelSettings, pad_id: int | None = None) -> bool:
        """Whether this layout can say everything about a model whose padding token has this id."""
        said = not settings.inputs and all(self._says_head(goal, head) for goal, head in settings.heads.items())
        narrow = isinstance(settings.backbone, TransformerSettings) and settings.backbone.token_width
        if settings.heads and narrow:  # theirs reads what goes into the softmax, ours the states
            return False
        if not said or len(settings.heads) > 1 or (settings.backbone.pooler and not self._pooler(settings)):
            return False
        return (self.pad_id is None or pad_id in (None, self.pad_id)) and self.fits(settings.backbone)

    def _says_head(self, goal: str, head: AnyHeadSettings) -> bool:
        """Whether it has a place for a head; one that reads the mean of a text stands in modules of its own."""
        place = self.heads.get(goal)
        return head.is_pooled or (place is not None and place.says(head))

    def _pooler(self, settings: ModelSettings) -> tuple[Name, ...]:
        """The pooler's names in a model: those of its head, else those that it has without one."""
        places = [self.heads[goal] for goal, head in settings.heads.items() if not head.is_pooled]
        return next((place.pooler for place in places if place.pooler), self.pooler)

    def fits(self, settings: BackboneSettings) -> bool:
        """Whether this layout can say all that matters about ``settings``: reading what it would write gives the same."""
        if type(settings) is not self.backbone:
            return False
        there = [name for name, kept in _OPTIONAL.items() if kept(settings)]
        there += [] if settings.tied else self.output[:1]
        try:
            back = self.settings(self.config(settings), there)
        except BadInput:
            return False
        return decisive_fields(back) == decisive_fields(settings)


_OPTIONAL: dict[str, Callable[[Any], bool]] = {
    "pooler.dense.weight": lambda settings: settings.pooler,
    "cls.predictions.transform.dense.weight": lambda settings: settings.lm_transform,
    "classifier.out_proj.weight": lambda settings: getattr(settings, "global_first", False),
    "final_logits_bias": lambda settings: settings.tied and settings.output_bias,
}
"""Tensors whose presence in a file says what its config does not."""


POOLERS = (
    "pooler.dense.weight", "classifier.dense.weight", "sequence_summary.summary.weight", "pre_classifier.weight",
    "pooler.weight",
)  # fmt: skip
WORD_HEADS = (
    "cls.predictions.transform.dense.weight", "lm_head.dense.weight", "generator_predictions.dense.weight",
    "vocab_transform.weight",
)  # fmt: skip
ALBERT_WORDS = "predictions.dense.weight"  # the whole name: ELECTRA's discriminator has one that ends like it


def detect_parts(names: Collection[str]) -> dict[str, bool]:
    """What the tensors in a file say of a bidirectional model: whether it has a pooler, and a head for words."""
    return {
        "pooler": any(name.endswith(POOLERS) for name in names),
        "lm_transform": any(name.endswith(WORD_HEADS) or name == ALBERT_WORDS for name in names),
    }


def decisive_fields(settings: Any) -> dict[str, Any]:
    """The fields that decide what a backbone computes, defaults written out."""
    fields: dict[str, Any] = settings.model_dump(exclude=set(UNTRAINED)) | settings.written_out
    return fields


def backbone(**fields: Any) -> TransformerSettings:
    """Checked settings of a Transformer from a foreign config.

    Raises:
        BadInput: a value is impossible.
    """
    return checked(TransformerSettings, fields)


def checked(kind: type[Size], fields: Mapping[str, Any]) -> Size:
    """Checked settings of a kind from a foreign config.

    Raises:
        BadInput: a value is impossible.
    """
    try:
        settings = kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            f"impossible model setting {'.'.join(map(str, first['loc']))!r}: {first['msg']}", where="config.json",
            value=first["input"],
        ) from None  # fmt: skip
    return settings.check("config.json")


def required_key(config: Config, key: str) -> Any:
    """A value that the config has to state."""
    if config.get(key) is None:
        raise BadInput(f"the key {key!r} is missing", where="config.json", next_step="the folder is not complete")
    return config[key]


def only(config: Config, allowed: Mapping[str, Any]) -> None:
    """Refuses values that would change what is computed in a way that is not built; a missing key is fine."""
    for key, value in allowed.items():
        if config.get(key, value) != value:
            raise BadInput(
                f"a model with this {key!r} is not supported",
                where="config.json",
                value=config[key],
                allowed=str(value),
            )


ACTIVATIONS: dict[str, Activation] = {
    "gelu_new": "gelu_tanh", "gelu": "gelu", "relu": "relu", "silu": "silu", "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh", "swish": "silu",
}  # fmt: skip
"""What most configs call an activation → ours."""


POOLER_ACTIVATIONS: dict[str, Any] = {"gelu": "gelu", "tanh": "tanh", "relu": "relu"}
"""What configs call the activation of a pooler → ours."""
POOLS = {"cls": "sum", "mean": "mean"}
"""What configs call how a class reads the states of a text: the first alone, or their mean → :attr:`HeadSettings.pool`."""


def activation(name: str, known: Mapping[str, Any] = ACTIVATIONS) -> Any:
    """Our name for their activation."""
    if name not in known:
        raise BadInput("unknown activation", where="config.json", value=name, allowed=", ".join(known))
    return known[name]


def their_activation(name: Activation, known: Mapping[str, Activation] = ACTIVATIONS) -> str | None:
    """Their first name for our activation; ``None`` where they have none."""
    return next((theirs for theirs, ours in known.items() if ours == name), None)
