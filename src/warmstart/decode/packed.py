"""A model's products with the weights packed once, on a CPU: for decoding, a few rows a step, and for reading many texts.

They are packed for our own kernel, or else for oneDNN. The op for that is private to torch: where it is missing or refuses,
the plain product serves (docs/models.md and docs/decode.md, measured gains).
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn
from torch.nn import functional as F

from warmstart.models import kernels
from warmstart.models.blocks import ACTIVATIONS, FeedForward
from warmstart.models.dropout import Dropout
from warmstart.models.model import Model
from warmstart.models.softmax import TokenScores, score_products, soft_cap

Product = Callable[[torch.Tensor], torch.Tensor]
GELU: dict[Any, kernels.Gelu] = {ACTIVATIONS["gelu"]: "none", ACTIVATIONS["gelu_tanh"]: "tanh"}
PIECE = 512  # tokens of a feed-forward part at a time
TOP_CHUNK = 64  # logits whose greatest is looked at first
_OPEN: dict[Model, "PackedSoftmax"] = {}  # models inside a block of ``packed_softmax``


class MakeProduct(Protocol):
    """Makes the product with a weight."""

    def __call__(
        self, weight_OI: torch.Tensor, bias_O: torch.Tensor | None, rows: int, gelu: kernels.Gelu = ""
    ) -> Product:
        """As :func:`product`."""


class Packed(NamedTuple):
    """What stands in the place of a part of a module, by its name there."""

    part: nn.Module
    name: str
    function: Any


class PackedSoftmax(NamedTuple):
    """From states to the softmax.

    Attributes:
        prepare: what is done with states before the product.
        multiply: the product with the whole table, in the dtype of the states or in float32.
        rows: of the table.
        vocab_size: those of them that are tokens, from the first.
        cap: bound of the logits.
    """

    prepare: Product
    multiply: Product
    rows: int
    vocab_size: int
    cap: float | None

    def __call__(self, states_RD: torch.Tensor) -> torch.Tensor:
        """[R, V] float32 logits of the tokens."""
        return self._logits_of(self.multiply(self.prepare(states_RD)))[..., : self.vocab_size]

    def score(self, states_MD: torch.Tensor, targets_M: torch.Tensor) -> TokenScores:
        """The scores of each target; as :func:`~warmstart.models.softmax.score_tokens`."""
        prepared = self.prepare(states_MD)
        return score_products(lambda part: self.multiply(prepared[part]), self._logits_of, targets_M, self.rows)

    def _logits_of(self, products: torch.Tensor) -> torch.Tensor:
        return products.float() if self.cap is None else soft_cap(products.float(), self.cap)


def product(
    weight_OI: torch.Tensor, bias_O: torch.Tensor | None, rows: int, gelu: kernels.Gelu = "", *, single: bool = False
) -> Product:
    """The product with a weight, x·weightᵀ + bias, packed where that is possible; ``rows`` of x are expected.

    With ``gelu`` (``none``: exact, ``tanh``) that is applied to it, in the same pass where it is packed; with ``single`` our
    own kernel gives float32.
    """
    if kernels.usable(weight_OI.dtype, weight_OI.device, weight_OI.shape[1]):
        return kernels.product(weight_OI, bias_O, gelu, single=single)
    return by_torch(weight_OI, bias_O, rows, gelu)


def reading_product(
    weight_OI: torch.Tensor, bias_O: torch.Tensor | None, rows: int, gelu: kernels.Gelu = ""
) -> Product:
    """The same for ``rows`` of texts that are read at once: float32 to about 5e-6, where that is twice as fast."""
    if kernels.splits(weight_OI.dtype, weight_OI.device, weight_OI.shape[1]):
        return kernels.split_product(weight_OI, bias_O, gelu)
    return by_torch(weight_OI, bias_O, rows, gelu)


def rounding_product(
    weight_OI: torch.Tensor, bias_O: torch.Tensor | None, rows: int, gelu: kernels.Gelu = ""
) -> Product:
    """The same of float32 states that are rounded to bfloat16, like the weight, for the product and for nothing else.

    What comes out behind ``gelu`` is rounded too where another product reads it.
    """
    columns, width = weight_OI.shape
    if kernels.splits(weight_OI.dtype, weight_OI.device, width):
        read_again = gelu and kernels.splits(weight_OI.dtype, weight_OI.device, columns)
        out = torch.bfloat16 if read_again else torch.float32
        return kernels.split_product(weight_OI, bias_O, gelu, halves=1, out=out)
    return by_torch(weight_OI, bias_O, rows, gelu)


def by_torch(weight_OI: torch.Tensor, bias_O: torch.Tensor | None, rows: int, gelu: kernels.Gelu) -> Product:
    """The same, packed for oneDNN or plain."""
    linear: Product = lambda x: F.linear(x, weight_OI, bias_O)  # noqa: E731
    plain: Product = (lambda x: F.gelu(linear(x), approximate=gelu)) if gelu else linear
    after = "gelu" if gelu else "none"
    if weight_OI.device.type != "cpu":
        return plain
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight_OI.detach(), rows)
        run = torch.ops.mkldnn._linear_pointwise.default
        run(weight_OI.detach()[:1], packed, bias_O, after, [], gelu)
    except (AttributeError, RuntimeError, NotImplementedError):
        return plain
    return lambda x: run(x, packed, bias_O, after, [], gelu)


@contextlib.contextmanager
def packed_softmax(model: Model, rows: int) -> Iterator[PackedSoftmax]:
    """Packs the linears of ``model`` for the block; gives what leads from states to the softmax.

    The model is put into evaluation mode. The weights must not change meanwhile; they are packed beside what is there, so
    memory holds them twice. A block inside another takes what the outer one has packed: who searches again and again opens
    one around all searches.
    """
    if (already := _OPEN.get(model)) is not None:
        yield already
        return
    model.eval()
    whole = model.token_head().softmax_table(model.backbone.tables())
    table = whole.weight
    bias = None if whole.bias is None else whole.bias.to(table.dtype)
    vocab_size = model.settings.backbone.vocab_size
    multiply = product(table, bias, rows, single=True)
    with packed_linears(model, rows, product):
        _OPEN[model] = PackedSoftmax(whole.prepare, multiply, len(table), vocab_size, whole.cap)
        try:
            yield _OPEN[model]
        finally:
            _OPEN.pop(model, None)


@contextlib.contextmanager
def packed_linears(model: Model, rows: int, make: MakeProduct) -> Iterator[None]:
    """Packs the linears of ``model``, which is not to train, for the block: ``make`` says how; without dropout.

    The weights must not change meanwhile; they are packed beside what is there, so memory holds them twice. Elsewhere than
    on a CPU nothing is packed, and parts may be compiled as they stand.
    """
    with standing_in(pack_parts(layer_parts(model), rows, make)):
        yield


def pack_parts(parts: Iterable[nn.Module], rows: int, make: MakeProduct) -> list[Packed]:
    """The packed products of the linears of some modules, without dropout; none elsewhere than on a CPU."""
    on_cpu = (part for part in parts if next(part.parameters(), torch.empty(0)).device.type == "cpu")
    return [Packed(part, name, found) for part in on_cpu for name, found in _functions(part, rows, make).items()]


@contextlib.contextmanager
def standing_in(packed: list[Packed]) -> Iterator[None]:
    """Puts packed products where the linears stand, for the block."""
    before = [part.__dict__.get(name) for part, name, _ in packed]
    try:
        for part, name, found in packed:
            part.__dict__[name] = found
        yield
    finally:
        for (part, name, _), own in zip(packed, before, strict=True):
            if own is None:
                del part.__dict__[name]
            else:
                part.__dict__[name] = own


def layer_parts(model: Model) -> list[nn.Module]:
    """All modules that layers compute with."""
    return [part for whole in model.backbone.search_parts() for part in whole.modules()]


def _functions(part: nn.Module, rows: int, make: MakeProduct) -> dict[str, Any]:
    """What stands before the parts of one module meanwhile, by their names: a function is sooner called than a module."""
    gelu: kernels.Gelu = ""
    if isinstance(part, FeedForward) and not part.gated and type(part.up) is nn.Linear:
        gelu = GELU.get(part.activation, "")
    found: dict[str, Any] = {"activation": same} if gelu else {}
    for name, child in part.named_children():
        if type(child) is nn.Linear:
            found[name] = make(child.weight, child.bias, rows, gelu if name == "up" else "")
            found[name].__dict__.update(weight=child.weight, bias=child.bias)  # for those who read them
        elif isinstance(child, Dropout):
            found[name] = same
        elif isinstance(child, FeedForward):
            found[name] = _in_pieces(child.forward)
        elif isinstance(child, nn.LayerNorm):
            found[name] = child.forward
    return found


def _in_pieces(run: Product) -> Product:
    """The same for few of [N, D] tokens at a time, so that the wide states between its products stay in the cache."""

    def pieces(x: torch.Tensor) -> torch.Tensor:
        if x.dim() != 2 or len(x) <= PIECE:
            return run(x)
        return torch.cat([run(part) for part in torch.split(x, PIECE)])

    return pieces


def same(x: torch.Tensor) -> torch.Tensor:
    """Changes nothing."""
    return x


def top(logits_RV: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The ``k`` greatest of each row and their places; of equals any."""
    rows, count = logits_RV.shape
    whole = count // TOP_CHUNK * TOP_CHUNK
    if whole // TOP_CHUNK < 4 * k or logits_RV.device.type != "cpu":
        values, places = logits_RV.topk(min(k, count))
        return values, places
    chunks = logits_RV[:, :whole].view(rows, -1, TOP_CHUNK)
    # The k greatest lie in the k chunks of the greatest maxima, or behind.
    best = chunks.amax(-1).topk(k, sorted=False).indices
    places = (best[:, :, None] * TOP_CHUNK + torch.arange(TOP_CHUNK)).flatten(1)
    places = torch.cat([places, torch.arange(whole, count).expand(rows, -1)], 1)
    values, at = logits_RV.gather(1, places).topk(k)
    return values, places.gather(1, at)


def log_total(logits_RV: torch.Tensor) -> torch.Tensor:
    """[R, 1] log-sum-exp of float32 logits, by way of one log-softmax: half the time of exp and sum."""
    if logits_RV.device.type != "cpu":
        return logits_RV.logsumexp(-1, keepdim=True)
    return logits_RV[:, :1] - logits_RV.log_softmax(-1)[:, :1]
